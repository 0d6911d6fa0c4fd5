//! An image from a registry with a password: Debian's registry, started by the test.
//!
//! In: a fleet that knows the registry. Out: what is pulled, and what is said where it is refused.
//! Not here: patience with a busy registry (the driver's own tests).

use super::world::{IMAGE, Said, World, finish, get, podman, port, skip, until, world};
use std::io::Write;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Ends with the test.
struct Registry(Child);

impl Drop for Registry {
    fn drop(&mut self) {
        // The test is over either way.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A registry that lets `deploy` in with this password; without one, everybody.
fn registry(world: &World, port: u16, password: Option<&str>) -> Option<Registry> {
    let folder = world.root.parent().expect("a parent").join("registry");
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut config = format!(
        "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {}/data }} }}\n\
         http: {{ addr: \"127.0.0.1:{port}\" }}\n",
        folder.display()
    );
    if let Some(password) = password {
        let Ok(users) = Command::new("htpasswd").args(["-Bbn", "deploy", password]).output() else {
            skip("registry", "htpasswd is not installed");
            return None;
        };
        std::fs::write(folder.join("users"), users.stdout).expect("a file");
        config += &format!("auth: {{ htpasswd: {{ realm: test, path: {}/users }} }}\n", folder.display());
    }
    std::fs::write(folder.join("config.yml"), config).expect("a file");
    let started = Command::new("docker-registry")
        .arg("serve")
        .arg(folder.join("config.yml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = started else {
        skip("registry", "docker-registry is not installed");
        return None;
    };
    let registry = Registry(child);
    until("the registry listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    Some(registry)
}

/// Stores a secret of the whole fleet.
fn store(world: &World, name: &str, value: &str) -> Said {
    let mut command = world.command(&["secret", "set", "--fleet", name]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(value.as_bytes()).expect("it reads");
    finish(child)
}

#[test]
fn an_image_comes_from_a_registry_with_a_password() {
    let Some(world) = world("registry") else { return };
    const PASSWORD: &str = "canary-of-the-registry";
    let at = port();
    let Some(_registry) = registry(&world, at, Some(PASSWORD)) else { return };
    let host = format!("127.0.0.1:{at}");
    // An image of its own, so that no name here means it already.
    let (v1, v2) = (format!("{host}/shop/web:1"), format!("{host}/shop/web:2"));
    for (tag, reference) in [("v1", &v1), ("v2", &v2)] {
        world.doomed(reference);
        podman(&["tag", &format!("{IMAGE}:{tag}"), reference]);
        podman(&["push", "--tls-verify=false", "--creds", &format!("deploy:{PASSWORD}"), reference]);
        podman(&["rmi", reference]);
    }

    world.run(&["new", "fleet", &world.name]).ends(0);
    let fleet = std::fs::read_to_string(world.root.join("fleet.yaml")).expect("it was written");
    let kept: Vec<&str> = fleet.lines().collect();
    let (http, https) = (port(), port());
    // The written fleet with our target, environment and registry.
    let ours = format!(
        "environments: {{ production: {{}} }}\ntargets: {{ host-1: {{ podman: {}, edge: {{ http: {http}, https: {https} }} }} }}\n\
         defaults: {{ target: host-1 }}\nregistries: {{ \"{host}\": {{ user: deploy, password: REGISTRY_PASSWORD }} }}\n",
        world.address()
    );
    let top = |key: &str| kept.iter().filter(|line| line.starts_with(key)).copied().collect::<Vec<_>>().join("\n");
    let recipients = kept.iter().skip_while(|line| !line.starts_with("recipients:"));
    let recipients =
        recipients.enumerate().take_while(|(n, line)| *n == 0 || line.starts_with(' ')).map(|(_, line)| *line);
    let recipients = recipients.collect::<Vec<_>>().join("\n");
    world.write("fleet.yaml", format!("{}\n{}\n{ours}{recipients}\n", top("fleet:"), top("id:")));
    world.write(
        "products/shop/compose.yaml",
        format!("services: {{ web: {{ image: \"{host}/shop/web:${{TAG}}\" }} }}\n"),
    );
    world.write(
        "products/shop/product.yaml",
        "product: shop\nparameters: { TAG: { type: string, default: \"1\" } }\nendpoints:\n  portal: { service: web, port: 8080, hosts: [shop.test.localhost] }\n",
    );
    world.write("instances/larch.yaml", "instance: larch\nproduct: shop\nenvironment: production\n");

    // A wrong password: said, and nothing is left of the attempt.
    store(&world, "REGISTRY_PASSWORD", "wrong").ends(0);
    world.run(&["up", "--yes"]).ends(4).says(&host).says("credentials");
    assert!(world.containers().is_empty() && world.named("network").is_empty());

    store(&world, "REGISTRY_PASSWORD", PASSWORD).ends(0);
    world.run(&["unhold", "larch"]);
    world.up().never(PASSWORD);
    assert_eq!(get(http, "shop.test.localhost", "/"), Ok((200, "v1".to_owned())));

    // It is changed meanwhile: what runs goes on running.
    store(&world, "REGISTRY_PASSWORD", "changed").ends(0);
    world.write(
        "instances/larch.yaml",
        "instance: larch\nproduct: shop\nenvironment: production\nvalues: { TAG: \"2\" }\n",
    );
    let before = world.containers();
    world.run(&["up", "--yes"]).ends(4).says("credentials");
    assert_eq!(world.containers(), before);
    assert_eq!(get(http, "shop.test.localhost", "/"), Ok((200, "v1".to_owned())), "the old one serves");
    store(&world, "REGISTRY_PASSWORD", PASSWORD).ends(0);
    world.run(&["unhold", "larch"]);
    world.up();
    assert_eq!(get(http, "shop.test.localhost", "/"), Ok((200, "v2".to_owned())));
    assert_eq!(world.files_with(PASSWORD.as_bytes()), Vec::<std::path::PathBuf>::new(), "it is in the state folder");
    world.run(&["down", "larch", "--yes"]).ends(0);
    world.nothing_left();
}

#[test]
fn a_tag_that_moved_is_asked_for_again_where_that_is_said() {
    let Some(world) = world("pull") else { return };
    world.set("COMPOSE_PROJECT_NAME", &world.name);
    let at = port();
    let Some(registry) = registry(&world, at, None) else { return };
    let web = format!("127.0.0.1:{at}/pull/web:latest");
    let push = |tag: &str| {
        podman(&["tag", &format!("{IMAGE}:{tag}"), &web]);
        podman(&["push", "--tls-verify=false", &web]);
        podman(&["rmi", &web]);
    };
    world.doomed(&web);
    push("v1");
    let listens = port();
    let files = |policy: &str| {
        format!(
            "services: {{ web: {{ image: \"{web}\", ports: [\"{listens}:8080\"], {policy} stop_grace_period: 1s }} }}\n"
        )
    };
    let served = || get(listens, "localhost", "/").map(|(_, text)| text);
    world.write("compose.yaml", files(""));
    // Nobody is asked, and nothing is done: not even what could be.
    world.run(&["up", "--yes", "--pull", "never"]).ends(3).says("E0326").says("asks no registry");
    assert!(world.containers().is_empty() && world.named("network").is_empty());
    world.up();
    assert_eq!(served(), Ok("v1".to_owned()));

    // The tag moves in the registry: what is here is taken as it is, until somebody asks.
    podman(&["tag", &web, &format!("{web}-kept")]);
    world.doomed(&format!("{web}-kept"));
    push("v2");
    podman(&["tag", &format!("{web}-kept"), &web]);
    world.up().says("Nothing to do");
    world.run(&["up", "--yes", "--pull", "missing"]).ends(0).says("Nothing to do");
    let said = world.run(&["up", "--yes", "--pull", "always"]).ends(0);
    said.says("names another image now");
    assert_eq!(served(), Ok("v2".to_owned()));
    world.run(&["up", "--yes", "--pull", "always"]).ends(0).says("Nothing to do");

    // The file says it, and the command line has the last word.
    podman(&["tag", &format!("{web}-kept"), &web]);
    world.write("compose.yaml", files("pull_policy: always,"));
    world.run(&["up", "--yes", "--pull", "missing"]).ends(0).says("names another image now");
    assert_eq!(served(), Ok("v1".to_owned()));
    world.up().says("names another image now");
    assert_eq!(served(), Ok("v2".to_owned()));

    // A registry that does not answer: nothing is changed.
    drop(registry);
    let before = world.containers();
    world.run(&["up", "--yes"]).ends(4).says("E0326").says("cannot be had anew");
    assert_eq!(world.containers(), before);
    world.run(&["up", "--yes", "--pull", "never"]).ends(0).says("Nothing to do");
    world.run(&["down", "--yes"]).ends(0);
    world.nothing_left();
}
