//! What docker compose runs, brought into a fleet: read, written, taken over without a restart.
//!
//! In: projects that real docker compose started. Out: files, plans, containers.
//! **Invariant**: nothing that runs is changed by looking; no secret is in a file or in what is said.
//! Not here: adopting itself (`adopt`), which literals become parameters (`escadre_model::propose`).

use super::adopt::{compose, peer, running};
use super::world::{IMAGE, World, podman, port, world};
use std::path::Path;

/// A help desk as it is installed for every customer.
fn desk(name: &str, port: u16) -> String {
    let tag = if name == "cherry" { "v2" } else { "v1" };
    let memory = if name == "elm" { "96m" } else { "64m" };
    let more = if name == "willow" { format!("  sync:\n    image: {IMAGE}:v1\n") } else { String::new() };
    format!(
        "# help desk\nservices:\n  web:\n    image: {IMAGE}:{tag}      # the tag\n    environment:\n      - DOMAIN=help.{name}.example\n      - SEATS=${{SEATS:-50}}\n      \
         - DATABASE_URL=postgres://desk:hunter2-{name}@db/desk\n    ports: [\"{port}:8080\"]\n    labels: {{ rule: \"Host(`help.{name}.example`)\" }}\n    secrets: [license]\n    \
         configs: [{{ source: settings, target: /etc/desk.toml }}]\n  db:\n    image: {IMAGE}:v1\n    mem_limit: {memory}\n    environment: {{ POSTGRES_PASSWORD: hunter2-{name}, \
         SMTP_PASSWORD: \"${{SMTP_PASSWORD}}\" }}\n    volumes: [\"data:/data\", \"./uploads:/uploads\"]\n{more}volumes: {{ data: }}\nconfigs: {{ settings: {{ file: ./desk.toml }} }}\n\
         secrets: {{ license: {{ file: ./license.txt }} }}\n"
    )
}

fn shop(name: &str, port: u16) -> String {
    format!(
        "services:\n  front: {{ image: \"{IMAGE}:v1\", ports: [\"127.0.0.1:{port}:8080\"], environment: {{ CITY: {name}, SHOP_TOKEN: hunter2-{name} }} }}\n"
    )
}

const DESKS: [&str; 12] =
    ["acacia", "alder", "ash", "aspen", "beech", "birch", "cedar", "cherry", "elm", "fig", "larch", "willow"];
const SHOPS: [&str; 8] = ["brest", "lille", "lyon", "metz", "nantes", "nice", "paris", "tours"];

/// Twenty projects in folders of their own, all started.
fn twenty(world: &World, peer: &Path) -> Vec<String> {
    let mut projects = Vec::new();
    for name in DESKS {
        let folder = format!("srv/desk-{name}");
        world.write(&format!("{folder}/compose.yaml"), desk(name, port()));
        world.write(&format!("{folder}/.env"), format!("SMTP_PASSWORD=hunter2-of-all\nSEATS={}\n", name.len() * 10));
        let timeout = if name == "larch" { 45 } else { 30 };
        world.write(&format!("{folder}/desk.toml"), format!("session_timeout = {timeout}\n"));
        world.write(&format!("{folder}/license.txt"), "hunter2-license\n");
        world.write(&format!("{folder}/uploads/here"), "");
        projects.push((format!("{}-desk-{name}", world.name), world.root.join(folder)));
    }
    for name in SHOPS {
        let folder = format!("srv/shop-{name}");
        world.write(&format!("{folder}/compose.yaml"), shop(name, port()));
        projects.push((format!("{}-shop-{name}", world.name), world.root.join(folder)));
    }
    std::thread::scope(|scope| {
        for part in projects.chunks(5) {
            scope.spawn(move || {
                part.iter().for_each(|(project, folder)| compose(peer, world, folder, project, &["up", "-d"]));
            });
        }
    });
    projects.into_iter().map(|(project, _)| project).collect()
}

fn all(projects: &[String]) -> Vec<(String, String, String)> {
    projects.iter().flat_map(|project| running(project)).collect()
}

#[test]
fn twenty_running_projects_become_a_fleet_without_a_restart() {
    let Some(world) = world("import") else { return };
    let Some(peer) = peer("import") else { return };
    let projects = twenty(&world, &peer);
    let before = all(&projects);
    assert_eq!(before.len(), 33, "{before:?}");
    // The file was changed after docker compose was called last.
    world.write("srv/desk-birch/.env", "SMTP_PASSWORD=hunter2-of-all\nSEATS=99\n");
    let (desks, shops) = projects.split_at(DESKS.len());
    let names = |list: &[String]| -> Vec<String> { list.to_vec() };
    let fleet = |world: &World, line: &[&str]| {
        let mut command = world.command(line);
        std::fs::create_dir_all(world.root.join("fleet")).expect("a folder");
        command.current_dir(world.root.join("fleet"));
        super::world::ended(command)
    };
    let import = |projects: &[String], product: &str, yes: bool| {
        let mut line =
            vec!["import", "compose", "--environment", "production", "--product", product, "--fleet", &world.name];
        line.extend(projects.iter().map(String::as_str));
        line.extend(yes.then_some("--yes"));
        fleet(&world, &line)
    };
    // Without a yes nothing is written; what runs wins, and the difference is told.
    let said = import(&names(desks), "desk", false).ends(3).never("hunter2");
    let said = said.says("desk: 12 projects are one product").says("SEATS: the files say 99, 50 runs");
    let said = said.says("size: large").says("elm").says("profile: sync").says("in a file: larch -> settings");
    said.says("SMTP_PASSWORD was the same 12 times and is one now").says("compared with what runs: no difference");
    assert!(!world.root.join("fleet/fleet.yaml").exists());
    import(&names(desks), "desk", true).ends(0).never("hunter2").says("escadre plan");
    import(&names(shops), "shop", true).ends(0).never("hunter2").says("shop: 8 projects are one product");
    assert_eq!(all(&projects), before, "nothing was touched");
    let text = std::fs::read_to_string(world.root.join("fleet/products/desk/compose.yaml")).expect("the file");
    for part in [
        "# help desk",
        ":${WEB_VERSION:-v1}\"      # the tag",
        "Host(`${DOMAIN}`)",
        "${DB_UPLOADS}:/uploads",
        "profiles: [sync]",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    // No secret is in a file of the fleet.
    let mut clear = Vec::new();
    walk(&world.root.join("fleet"), &mut |path| {
        let bytes = std::fs::read(path).expect("a file");
        if String::from_utf8_lossy(&bytes).contains("hunter2") {
            clear.push(path.to_owned());
        }
    });
    assert_eq!(clear, Vec::<std::path::PathBuf>::new());
    let shown = fleet(&world, &["secret", "show", "oak", "POSTGRES_PASSWORD", "--reveal"]);
    assert_eq!(shown.code, Some(2), "there is no oak");
    let shown = fleet(&world, &["secret", "show", "ash", "POSTGRES_PASSWORD", "--reveal"]).ends(0);
    assert_eq!(shown.out.trim(), "hunter2-ash");

    // The first plan adopts all, and nothing else.
    let said = fleet(&world, &["plan"]).ends(0).never("hunter2");
    said.says("20 instances are adopted as they run: 33 containers, 12 volumes, 20 networks")
        .says("No restart, no gap. Nothing is created, updated, replaced or deleted")
        .never("differ from the files");
    fleet(&world, &["up", "--yes"]).ends(0);
    assert_eq!(all(&projects), before, "nothing was restarted");
    fleet(&world, &["plan"]).ends(0).says("Nothing to do");
    // What is an instance already is not brought in again.
    import(&names(&desks[..1]), "other", true).ends(4).says("cannot be brought in: it is the instance");

    // From now on it is a fleet: one line moves a customer, with its data.
    podman(&["exec", &format!("{}-db-1", desks[2]), "sh", "-c", "echo precious > /data/note"]);
    let file = world.root.join("fleet/instances/ash.yaml");
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, text.replace("values:\n", "values:\n  WEB_VERSION: v2\n")).expect("it is written");
    fleet(&world, &["up", "ash", "--yes"]).ends(0).says("done");
    assert_eq!(world.running("ash"), ["web"], "web is Escadre's own now");
    assert_eq!(podman(&["exec", &format!("{}-db-1", desks[2]), "cat", "/data/note"]).trim(), "precious");

    fleet(&world, &["down", "--all", "--yes"]).ends(0);
    let doomed: Vec<String> = DESKS.iter().map(|name| format!("{name}/volume/data")).collect();
    let mut line = vec!["down", "--all", "--yes"];
    doomed.iter().for_each(|one| line.extend(["--destroy", one]));
    fleet(&world, &line).ends(0);
    world.nothing_left();
}

#[test]
fn what_cannot_be_brought_in_is_left_alone_with_a_reason() {
    let Some(world) = world("left") else { return };
    let Some(peer) = peer("import") else { return };
    let project = format!("{}-one", world.name);
    world.write("one/compose.yaml", format!("services:\n  ui:\n    image: {IMAGE}:v1\n"));
    compose(&peer, &world, &world.root.join("one"), &project, &["up", "-d"]);
    let import = ["import", "compose", "--environment", "production", "--fleet", "desks"];
    world.run(&[&import[..], &["nobody"]].concat()).ends(4).says("E0324").says("no Docker Compose project");
    world.run(&["import", "compose"]).ends(2).says("--environment");
    // The Compose file is gone: nobody can say what the product would be.
    std::fs::rename(world.root.join("one/compose.yaml"), world.root.join("one/gone")).expect("it moves");
    world.run(&[&import[..], &[&project]].concat()).ends(4).says("is not there any more");
    std::fs::rename(world.root.join("one/gone"), world.root.join("one/compose.yaml")).expect("it moves");
    // Named, one copy is enough; its name is the product's.
    world.run(&[&import[..], &[&project, "--yes"]].concat()).ends(0).says("1 project is one product");
    world.run(&["plan"]).ends(0).says("1 instance is adopted as it runs");
    compose(&peer, &world, &world.root.join("one"), &project, &["down"]);
}

fn walk(folder: &Path, each: &mut dyn FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { walk(&path, each) } else { each(&path) }
    }
}

/// A Swarm of one node on the tests' Docker, and its stacks; all go at the end, also when the test fails.
struct Swarm {
    socket: String,
    stacks: Vec<String>,
    begun: bool,
}

impl Swarm {
    fn begin(socket: &str) -> Self {
        let mut swarm = Self { socket: socket.to_owned(), stacks: Vec::new(), begun: false };
        let active = swarm.docker(Path::new("/"), &["info", "--format", "{{.Swarm.LocalNodeState}}"]);
        if active.trim() != "active" {
            swarm.docker(Path::new("/"), &["swarm", "init", "--advertise-addr", "127.0.0.1"]);
            swarm.begun = true;
        }
        swarm
    }

    fn call(&self, folder: &Path, line: &[&str]) -> std::process::Output {
        let mut docker = std::process::Command::new("docker");
        docker.args(["-H", &self.socket]).args(line).current_dir(folder).env_remove("DOCKER_HOST");
        docker.output().expect("docker starts")
    }

    fn docker(&self, folder: &Path, line: &[&str]) -> String {
        let output = self.call(folder, line);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "docker {line:?}: {said}");
        said
    }

    fn deploy(&mut self, folder: &Path, file: &str, name: &str) {
        self.stacks.push(name.to_owned());
        self.docker(folder, &["stack", "deploy", "-c", file, name]);
    }

    fn containers(&self, stack: &str, all: bool) -> usize {
        let label = format!("label=com.docker.stack.namespace={stack}");
        let how = if all { "-aq" } else { "-q" };
        self.docker(Path::new("/"), &["ps", how, "--filter", &label]).lines().count()
    }

    fn remove(&mut self, stack: &str) {
        self.docker(Path::new("/"), &["stack", "rm", stack]);
        super::world::until("the stack is gone", || self.containers(stack, true) == 0);
        self.stacks.retain(|one| one != stack);
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        for stack in &self.stacks {
            self.call(Path::new("/"), &["stack", "rm", stack]);
        }
        let left = || self.stacks.iter().any(|stack| self.containers(stack, true) > 0);
        if !std::thread::panicking() {
            super::world::until("the stacks are gone", || !left());
        }
        for stack in &self.stacks {
            let label = format!("name={stack}_");
            let volumes = self.call(Path::new("/"), &["volume", "ls", "-q", "--filter", &label]).stdout;
            for volume in String::from_utf8_lossy(&volumes).lines() {
                self.call(Path::new("/"), &["volume", "rm", volume]);
            }
        }
        if self.begun {
            self.call(Path::new("/"), &["swarm", "leave", "--force"]);
        }
    }
}

fn stacked_desk(domain: &str, port: u16) -> String {
    format!(
        "version: \"3.8\"\nservices:\n  web:\n    image: {IMAGE}:v1\n    environment: {{ DOMAIN: {domain}, API_TOKEN: hunter2-{port} }}\n    ports: [{{ target: 8080, published: {port}, mode: host }}]\n    \
         networks: [front, back]\n    configs: [{{ source: settings, target: /etc/desk.toml }}]\n    secrets: [db_password]\n    deploy:\n      placement: {{ constraints: [\"node.role == manager\"] }}\n      \
         update_config: {{ order: start-first, failure_action: rollback }}\n      labels: {{ team: desk }}\n  db:\n    image: {IMAGE}:v1\n    command: [sh, -c, \"echo $$HOSTNAME >> /data/started; exec run\"]\n    \
         volumes: [\"data:/data\"]\n    networks: [back]\nnetworks: {{ front: {{ driver: overlay }}, back: {{}} }}\nvolumes: {{ data: {{}} }}\nconfigs: {{ settings: {{ file: ./settings }} }}\n\
         secrets: {{ db_password: {{ file: ./password }} }}\n"
    )
}

/// Three stacks that run: two of one product, and one that is on each node.
fn three_stacks(world: &World, swarm: &mut Swarm) -> [String; 3] {
    world.write("old/settings", "a = 1\n");
    world.write("old/password", "hunter2-db\n");
    world.write("old/oak.yml", stacked_desk("help.oak.example", port()));
    world.write("old/elm.yml", stacked_desk("help.elm.example", port()));
    let shop = format!("services: {{ front: {{ image: \"{IMAGE}:v1\", deploy: {{ mode: global }} }} }}\n");
    world.write("old/shop.yml", format!("version: \"3.8\"\n{shop}"));
    let old = world.root.join("old");
    let stacks = ["desk-oak", "desk-elm", "shop"].map(|name| format!("s{}-{name}", std::process::id()));
    for (file, name) in ["oak.yml", "elm.yml", "shop.yml"].iter().zip(&stacks) {
        swarm.deploy(&old, file, name);
    }
    let running = || stacks.each_ref().map(|name| swarm.containers(name, false));
    super::world::until("the stacks run", || running() == [2, 2, 1]);
    stacks
}

#[test]
fn three_stacks_of_a_swarm_become_a_fleet() {
    let Some(world) = super::world::world_on(super::world::Which::Docker, "swarm") else { return };
    let mut swarm = Swarm::begin(world.address());
    let stacks = three_stacks(&world, &mut swarm);
    // Its product is called otherwise, so that its own name is all that is left.
    let shop = stacks[2].as_str();
    std::fs::create_dir_all(world.root.join("fleet")).expect("a folder");
    let fleet = |line: &[&str]| {
        let mut command = world.command(line);
        command.current_dir(world.root.join("fleet"));
        super::world::ended(command)
    };
    let import = ["import", "swarm", "--environment", "production", "--fleet", &world.name];
    fleet(&[&import[..], &["nobody"]].concat()).ends(4).says("no stack \"nobody\"");
    let desks = [&import[..], &["--product", "desk", &stacks[0], &stacks[1]]].concat();
    let said = fleet(&desks).ends(3).never("hunter2").says("desk: 2 stacks are one product");
    let said = said.says("placement node.role == manager is left out").says("is an overlay");
    said.says("a Swarm tells to nobody").says("escadre secret set oak db_password");
    assert!(!world.root.join("fleet/fleet.yaml").exists(), "without a yes nothing is written");
    fleet(&[&desks[..], &["--yes"]].concat()).ends(0).never("hunter2").says("escadre secret set elm db_password");
    fleet(&[&import[..], &["--product", "store", &stacks[2], "--yes"]].concat()).ends(0).says("mode global");
    fleet(&[&import[..], &[&stacks[0]]].concat()).ends(4).says("it is the instance oak already");
    let text = std::fs::read_to_string(world.root.join("fleet/products/desk/compose.yaml")).expect("the file");
    for part in ["${DOMAIN}", "${API_TOKEN}", "order: start-first", "./configs/settings", "team: desk"] {
        assert!(text.contains(part), "{part}\n{text}");
    }

    // The secrets are missing, and each is named; the shop has none and is planned.
    fleet(&["plan"]).says("E0606").says("escadre secret set oak db_password").says(&stacks[2]);
    for name in ["oak", "elm"] {
        fleet(&["secret", "set", name, "db_password", "--from", "../old/password"]).ends(0);
    }
    // The first plan says for each service what will be otherwise, and touches nothing while the Swarm has it.
    let said = fleet(&["plan"]).never("hunter2").says("LEFT ALONE (3)").says("WILL BE OTHERWISE THAN IN THE SWARM (3)");
    for (stack, instance) in stacks.iter().zip(["oak", "elm", shop]) {
        assert!(
            said.out.contains(&format!("docker stack rm {stack}; when it is gone: escadre up {instance}")),
            "{}",
            said.out
        );
    }
    let otherwise = said.out.split("WILL BE OTHERWISE").nth(1).expect("that part");
    for (instance, service) in [("oak", "web"), ("oak", "db"), ("elm", "web"), ("elm", "db"), (shop, "front")] {
        let told = |line: &str| line.split_whitespace().take(2).eq([instance, service]);
        assert!(otherwise.lines().any(told), "{instance} {service}\n{otherwise}");
    }
    fleet(&["up", "oak", "--yes"]).ends(3).says("the Swarm still runs");
    assert_eq!(swarm.containers(&stacks[0], false), 2, "nothing was touched");

    // One after the other: the stack goes, the instance comes, with its data.
    swarm.remove(&stacks[0]);
    fleet(&["up", "oak", "--yes"]).ends(0);
    assert_eq!(world.running("oak"), ["db", "web"]);
    let data = format!("{}_data:/data", stacks[0]);
    let read = ["run", "--rm", "-v", &data, "--entrypoint", "cat", &format!("{IMAGE}:v1"), "/data/started"];
    let started = swarm.docker(Path::new("/"), &read);
    assert_eq!(started.lines().count(), 2, "the Swarm's database started once, the instance's once: {started}");
    assert_eq!(swarm.containers(&stacks[1], false), 2, "the other stack runs on");
    fleet(&["plan", "oak"]).ends(0).says("Nothing to do");
    fleet(&["down", "oak", "--yes", "--destroy", "oak/volume/data"]).ends(0);
}
