//! The moments that matter, as a person at a terminal sees them: whole transcripts, compared with those in `tests/transcripts`.
//!
//! In: commands as they are typed, on the real engine. Out: everything they print, but for what is another one each time (times, ids, ports, counts).
//! **Invariant**: spaces and line ends do not count, since what stands in their place (a port, a name of a host) has another width elsewhere.
//! `UPDATE=1` writes the transcripts anew: read the difference, it is what people will read.
//! Not here: what else must hold (the suites beside).

use super::world::{Client, IMAGE, Said, World, finish, port, until, world};
use std::path::Path;
use std::time::Duration;

/// What was typed and what came of it.
pub(super) struct Transcript<'w> {
    world: &'w World,
    text: String,
}

impl<'w> Transcript<'w> {
    pub(super) fn of(world: &'w World) -> Self {
        world.set("COLUMNS", "80");
        Self { world, text: String::new() }
    }

    /// Types a command; its words have no spaces.
    pub(super) fn types(&mut self, line: &str) -> Said {
        let words: Vec<&str> = line.split(' ').collect();
        self.heard(line, self.world.run(&words))
    }

    /// A command that was typed elsewhere.
    fn heard(&mut self, line: &str, said: Said) -> Said {
        let all = format!("{}{}", said.out, said.err);
        let code = match said.code {
            Some(0) => String::new(),
            code => format!("(exit {})\n", code.unwrap_or(-1)),
        };
        let gap = if self.text.is_empty() { "" } else { "\n" };
        self.text.push_str(&format!("{gap}$ escadre {line}\n{}{code}", all.trim_start_matches('\n')));
        said
    }

    /// Compares with what was kept.
    #[track_caller]
    pub(super) fn is(self, name: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(name);
        let socket = self.world.address().trim_start_matches("unix://");
        let text = self.text.replace(socket, "/run/podman/podman.sock");
        let text = steady(&text.replace(&self.world.name, "desk"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).expect("written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let (is, shall): (Vec<&str>, Vec<&str>) =
            (text.split_whitespace().collect(), kept.split_whitespace().collect());
        let differs = is.iter().zip(&shall).take_while(|(is, shall)| is == shall).count();
        let around =
            |all: &[&str]| all[differs.saturating_sub(8).min(all.len())..(differs + 8).min(all.len())].join(" ");
        assert!(is == shall, "{}:\n  is     {}\n  shall  {}\n\n{text}", path.display(), around(&is), around(&shall));
    }
}

/// The text with a fixed word for everything that is another one each time.
fn steady(text: &str) -> String {
    let part = |c: char| c.is_alphanumeric() || matches!(c, ':' | ',' | '.' | '-' | '#' | '@' | '_' | '+');
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|other| part(other) != part(c)).unwrap_or(rest.len());
        let (word, next) = rest.split_at(end);
        if part(c) {
            let bare = word.trim_end_matches([':', ',', '.']);
            out.push_str(&word_steady(bare, &format!("{}{next}", &word[bare.len()..])));
            out.push_str(&word[bare.len()..]);
        } else {
            out.push_str(word);
        }
        rest = next;
    }
    // A busy machine takes minutes for what another one does in seconds, and may kill a look at the health with its container.
    let out = out.replace("N min N s", "N.N s").replace("N min", "N s").replace(" at once", " after N.N s");
    let lines = out
        .lines()
        .map(|line| if line.starts_with("  last probe") { "  last probe  14:02:10  exit code 1" } else { line });
    lines.map(|line| format!("{line}\n")).collect()
}

fn word_steady(word: &str, next: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == ',');
    let hex = |text: &str| text.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    let (head, tail) = word.rsplit_once(':').map_or(("", word), |(head, tail)| (head, tail));
    match shape.as_str() {
        "99:99:99" => return "14:02:10".to_owned(),
        "99:99" => return "14:02".to_owned(),
        "9999-99-99" => return "2026-11-20".to_owned(),
        "9.9" | "99.9" => return "N.N".to_owned(),
        _ => {}
    }
    let counted = [" request", " connection", " s\n", " s ", " min ", " kB "].iter().any(|what| next.starts_with(what));
    match word.len() {
        _ if digits(word) && (counted || next == " s") => "N".to_owned(),
        6 if hex(word) => "7c41e9".to_owned(),
        7 if hex(word) => "5d0e1b2".to_owned(),
        12 if hex(word) => "e07ab4c95f12".to_owned(),
        _ if digits(tail) && tail.len() == 5 => format!("{head}{}8080", if head.is_empty() { "" } else { ":" }),
        10 if word.starts_with("port-") => "port-8080".to_owned(),
        _ if word.starts_with("tester@") => "tester@host".to_owned(),
        5 if word.starts_with('#') => "#a91f".to_owned(),
        _ => word.to_owned(),
    }
}

#[test]
fn what_is_another_one_each_time_is_left_out() {
    for (text, kept) in [
        ("18:41:46 larch    went back       2.0 s", "14:02:10 larch    went back       N.N s"),
        (
            "0 of 1,074 requests failed, since 19:23: fleet, commit c33c60b: 5",
            "0 of N requests failed, since 14:02: fleet, commit 5d0e1b2: 5",
        ),
        ("http://localhost:20417 -> web:80", "http://localhost:8080 -> web:80"),
        ("escadre apply 99cd9f", "escadre apply 7c41e9"),
        ("ended with code 78 after 1.1 s", "ended with code 78 after N.N s"),
        ("escadre-test/base  v1 -> v2", "escadre-test/base  v1 -> v2"),
        ("podman 4.3.1 at /x", "podman 4.3.1 at /x"),
    ] {
        assert_eq!(steady(text).trim_end(), kept);
    }
}

const DESK: &str = r#"
services:
  web:
    image: IMAGE:v1
    environment: { PORT: "80" }
    ports: ["WEB:80"]
    depends_on: { api: { condition: service_healthy } }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1/"], interval: 1s, retries: 5 }
  api:
    image: IMAGE:v1
    depends_on:
      db: { condition: service_healthy }
      cache: { condition: service_started }
      migrate: { condition: service_completed_successfully }
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 1s, retries: 5 }
  worker:
    image: IMAGE:v1
    command: [sh, -c, "trap exit TERM; while sleep 1; do :; done"]
    depends_on: { api: { condition: service_healthy } }
    stop_grace_period: 2s
  migrate:
    image: IMAGE:v1
    command: [sh, -c, "date >> /data/migrated"]
    volumes: ["data:/data"]
    depends_on: { db: { condition: service_healthy } }
    restart: "no"
  db:
    image: IMAGE:v1
    environment: { POSTGRES_PASSWORD: canary-of-desk }
    volumes: ["data:/data"]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/"], interval: 1s, retries: 5 }
    stop_grace_period: 2s
  cache: { image: "IMAGE:v1" }
volumes: { data: }
"#;

#[test]
fn the_first_up() {
    let Some(world) = world("first") else { return };
    let web = port();
    let text = DESK.replace("IMAGE", IMAGE).replace("WEB", &web.to_string());
    let files = |text: &str| world.write("compose.yaml", format!("name: {}\n{text}", world.name));
    files(&text);
    let mut transcript = Transcript::of(&world);
    transcript.types("up --yes").ends(0).never("canary");
    // Another version of the front, while somebody asks.
    files(&text.replacen("base:v1", "base:v2", 1));
    let client = Client::every(Duration::from_millis(20), web, "localhost", "/");
    transcript.types("up --yes").ends(0);
    assert_eq!(client.end().failed, Vec::<String>::new());
    transcript.types("up --yes").ends(0);
    transcript.types("status").ends(0);
    // Services made at the same time end in any order.
    transcript.text = in_order(&transcript.text);
    transcript.is("first-up.txt");
}

/// Lines of progress that follow each other, sorted: what goes on at the same time ends in any order.
fn in_order(text: &str) -> String {
    let progress = |line: &str| line.get(2..3) == Some(":") && line.get(5..6) == Some(":");
    let mut out: Vec<&str> = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        if progress(line) {
            // That an image was there is told where it took a while to find out.
            block.extend(Some(line).filter(|line| !line.contains(" is here ")));
            continue;
        }
        block.sort_unstable_by_key(|line| line.get(9..));
        out.append(&mut block);
        out.push(line);
    }
    out.join("\n")
}

const TREES: [&str; 5] = ["acacia", "birch", "cedar", "elm", "larch"];
const LARCH: &str = "instance: larch\nproduct: desk\nenvironment: production\nvalues:\n  CONFIG: files/desk.toml\n";

/// Five customers of one product, in Git; gives the port of the edge.
fn trees(world: &World) -> u16 {
    let http = world.fleet_at(world.address());
    // Long enough for a look at its health; then it says what is wrong.
    let reads = "grep -n timout /etc/desk.toml && sleep 4 && echo \\\"error: /etc/desk.toml:2: unknown key session_timout\\\" && exit 78; \
                 touch /tmp/ready; exec run";
    world.write(
        "products/desk/compose.yaml",
        format!(
            "services:\n  web:\n    image: {IMAGE}:${{TAG}}\n    command: [sh, -c, \"{reads}\"]\n    configs: [{{ source: CONFIG, target: /etc/desk.toml }}]\n    \
             healthcheck: {{ test: [CMD, test, -e, /tmp/ready], interval: 1s, retries: 9 }}\n    \
             stop_grace_period: 2s\n  db:\n    image: {IMAGE}:v1\n    volumes: [\"data:/data\"]\n    stop_grace_period: 2s\n\
             volumes: {{ data: }}\nconfigs: {{ CONFIG: {{ file: files/desk.toml }} }}\n"
        ),
    );
    product(world, "v1");
    world.write("products/desk/files/desk.toml", "# the same for all\nsession_timeout = 30\n");
    world.write("instances/files/desk.toml", "# of larch\nsession_timeout = 60\n");
    for one in TREES {
        world.write(
            &format!("instances/{one}.yaml"),
            format!("instance: {one}\nproduct: desk\nenvironment: production\n"),
        );
    }
    world.write("instances/larch.yaml", LARCH);
    commit(world, "The fleet");
    http
}

fn product(world: &World, tag: &str) {
    world.write(
        "products/desk/product.yaml",
        format!(
            "product: desk\nparameters:\n  TAG: {{ default: {tag}, help: \"the version of web\" }}\n  CONFIG: {{ type: file, default: files/desk.toml }}\n\
             endpoints:\n  portal: {{ service: web, port: 8080, hosts: [\"${{ESCADRE_INSTANCE}}.test.localhost\"], tls: off }}\n"
        ),
    );
}

fn commit(world: &World, words: &str) {
    let git = |line: &[&str]| {
        let done =
            std::process::Command::new("git").args(line).current_dir(&world.root).env("HOME", &world.root).output();
        assert!(done.expect("git is installed").status.success(), "git {line:?}");
    };
    if !world.root.join(".git").exists() {
        git(&["init", "-q"]);
    }
    git(&["add", "-A"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", words]);
}

/// The id of the plan that was just saved.
fn saved(said: &Said) -> String {
    let id =
        said.all().split("escadre apply ").nth(1).and_then(|rest| rest.split_whitespace().next()).map(str::to_owned);
    id.unwrap_or_else(|| panic!("no plan is saved: {}", said.all()))
}

#[test]
fn one_of_five_goes_back() {
    let Some(world) = world("trees") else { return };
    let http = trees(&world);
    world.up();
    // The next version for all, and for larch a file with a slip in it.
    product(&world, "v2");
    world.write("instances/files/desk.toml", "# of larch\nsession_timout = 60\n");
    commit(&world, "desk v2; larch: a longer session");
    let mut back = Transcript::of(&world);
    let plan = saved(&back.types("plan").ends(0));
    let clients: Vec<Client> = TREES
        .iter()
        .map(|one| Client::every(Duration::from_millis(30), http, &format!("{one}.test.localhost"), "/"))
        .collect();
    back.types(&format!("apply {plan} --yes")).ends(4);
    for client in clients {
        let asked = client.end();
        assert_eq!(asked.failed, Vec::<String>::new(), "{asked:?}");
    }
    back.types("status").ends(0);
    back.text = in_order(&back.text);
    back.is("back.txt");

    let mut why = Transcript::of(&world);
    why.types("why larch").ends(0);
    why.types("why larch/web").ends(0);
    why.types("why larch birch").ends(0);
    world.write("instances/files/desk.toml", "# of larch\nsession_timeout = 60\n");
    commit(&world, "larch: the slip");
    why.types("up larch --yes").ends(0);
    why.types("why larch").ends(0);
    why.text = in_order(&why.text);
    why.is("why.txt");
}

#[test]
fn what_is_refused() {
    let Some(world) = world("refused") else { return };
    let _http = trees(&world);
    world.up();
    product(&world, "v2");
    commit(&world, "desk v2");
    let plan = saved(&world.run(&["plan"]).ends(0));
    // Somebody has been at elm meanwhile.
    let web = format!("{}_elm_web_1_g1", world.name);
    super::world::podman(&["rm", "-f", "-t", "0", &web]);
    let mut refused = Transcript::of(&world);
    refused.types(&format!("apply {plan} --yes")).ends(3);
    refused.types("up elm --yes").ends(0);
    // And again, before it goes back to what it was.
    let network = format!("{}_byhand", world.name);
    super::world::podman(&["network", "create", &network]);
    super::world::podman(&["network", "connect", &network, &format!("{}_elm_web_1_g2", world.name)]);
    super::world::podman(&["stop", "-t", "0", &format!("{}_elm_db_1_g1", world.name)]);
    refused.types("rollback elm --yes").ends(0);

    // Somebody is at larch: it waits for a file that comes later.
    let gate = "/tmp/good], interval: 1s, retries: 300";
    let text = std::fs::read_to_string(world.root.join("products/desk/compose.yaml")).expect("it is there");
    let usual = "/tmp/ready], interval: 1s, retries: 9";
    assert!(text.contains(usual));
    world.write("products/desk/compose.yaml", text.replace(usual, gate));
    let other = world.start(&["up", "larch", "--yes"]);
    let mut candidate = String::new();
    until("the new one waits at its gate", || {
        let now = world.containers();
        let of_larch: Vec<&String> = now.keys().filter(|name| name.contains("_larch_web_")).collect();
        candidate = of_larch.last().map(|name| (*name).clone()).unwrap_or_default();
        of_larch.len() == 2 && now.get(&candidate).is_some_and(|state| state == "running")
    });
    refused.types("up larch --yes").ends(3);
    super::world::podman(&["exec", &candidate, "touch", "/tmp/good"]);
    finish(other).ends(0);
    refused.types("down").ends(2);
    refused.types("up larsch").ends(2);
    refused.text = in_order(&refused.text);
    refused.is("refused.txt");
}
