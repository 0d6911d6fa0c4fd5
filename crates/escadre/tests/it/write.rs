//! What verbs write: fleets, products, instances, secrets, and the Compose model that is printed.
//!
//! In: command lines in an empty folder. Out: files, exit codes, texts.
//! **Invariant**: a value that is secret is in no file and in no output, unless it was asked for with --reveal.
//! Not here: an engine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A value that must be found nowhere.
const CANARY: &str = "canary-7f3a91-do-not-print";

/// A folder with a home of its own beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(place.path("fleet")).expect("a folder");
        place
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join(inner)
    }

    fn read(&self, inner: &str) -> String {
        std::fs::read_to_string(self.path("fleet").join(inner)).expect(inner)
    }

    fn write(&self, inner: &str, text: &str) {
        let path = self.path("fleet").join(inner);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect(inner);
    }

    fn run(&self, line: &[&str], input: &str, environment: &[(&str, &str)]) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_escadre"))
            .args(line)
            .current_dir(self.path("fleet"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path("home"))
            .env("USER", "Ada")
            .env("COLUMNS", "120")
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        // A verb that reads nothing may be gone already.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("it ends")
    }

    /// Standard output of a command that must end with 0 and may not say a secret.
    fn done(&self, line: &[&str], input: &str) -> String {
        let output = self.run(line, input, &[]);
        assert_eq!(output.status.code(), Some(0), "{line:?}: {}", text(&output.stderr));
        assert!(!text(&output.stderr).contains(CANARY) && !text(&output.stdout).contains(CANARY), "{line:?} says it");
        text(&output.stdout)
    }

    /// Standard error of a command that must end with that code.
    fn refused(&self, code: i32, line: &[&str], input: &str) -> String {
        let before = self.all();
        let output = self.run(line, input, &[]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), String::new()), "{line:?}");
        assert!(!text(&output.stderr).contains(CANARY), "{line:?} says it");
        assert!(self.all() == before, "{line:?} was refused and wrote something");
        text(&output.stderr)
    }

    /// Every file below the folder, with its bytes.
    fn all(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut all = Vec::new();
        walk(self.0.path(), &mut all);
        all.sort();
        all
    }

    /// A fleet with a product that has one generated and one given secret.
    fn with_product() -> Self {
        let place = Self::new();
        place.done(&["new", "fleet", "acme"], "");
        place.write(
            "products/shop/product.yaml",
            "product: shop\nparameters:\n  DOMAIN: { type: hostname, required: true, help: \"where people go\" }\nsecrets:\n  db_password: { generate: password, length: 40 }\n  token: {}\n",
        );
        place.write(
            "products/shop/compose.yaml",
            "services:\n  web:\n    image: shop:1\n    environment: { DOMAIN: \"${DOMAIN}\" }\n    secrets: [db_password, token]\nsecrets:\n  db_password: { file: ./no }\n  token: { file: ./no }\n",
        );
        place
    }
}

fn walk(folder: &Path, all: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, all);
        } else {
            let bytes = std::fs::read(&path).expect("a file");
            all.push((path, bytes));
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[test]
fn from_nothing_to_an_instance_that_can_be_planned() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let written = place.done(&["new", "fleet", "acme"], "");
    assert!(written.contains("fleet.yaml\n") && written.contains("fleet.age\n"), "{written}");
    let mode = std::fs::metadata(place.path("home/.config/escadre/identity")).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(place.read("fleet.yaml").contains("  ada: age1"), "{}", place.read("fleet.yaml"));

    place.write("../old/docker-compose.yml", "services:\n  web:\n    image: \"shop:${VERSION:-1.2}\"\n    command: [\"${DOMAIN}\"]\n    secrets: [token]\nsecrets:\n  token: { environment: TOKEN }\n");
    let written = place.done(&["new", "product", "shop", "--from", "../old/docker-compose.yml", "--yes"], "");
    assert_eq!(written, "products/shop/compose.yaml\nproducts/shop/product.yaml\n");
    assert_eq!(place.read("products/shop/compose.yaml"), place.read("../old/docker-compose.yml"));
    let edited = place.read("products/shop/product.yaml").replace("token: {}", "token: { generate: hex, length: 24 }");
    place.write("products/shop/product.yaml", &edited);

    let line = ["new", "instance", "oak", "--environment", "production", "--set", "DOMAIN=oak.example"];
    let written = place.done(&line, "");
    assert_eq!(written, "instances/oak.yaml\ninstances/oak.secrets.yaml\n");
    place.done(&["check", "--strict"], "");
    let shown = place.done(&["secret", "show"], "");
    let line: Vec<&str> = shown.lines().last().unwrap_or_default().split_whitespace().collect();
    assert_eq!(line.join(" "), "oak token set reads it instances/oak.secrets.yaml", "{shown}");
    let value = place.done(&["secret", "show", "oak", "token", "--reveal"], "");
    assert!(value.len() == 25 && value.trim().chars().all(|c| c.is_ascii_hexdigit()), "it is as product.yaml says");
    let again = place.done(&["secret", "rotate", "oak", "token"], "");
    assert!(!again.contains(value.trim()) && again.contains("has a new value"), "{again}");
    assert_ne!(place.done(&["secret", "show", "oak", "token", "--reveal"], ""), value);
    let files = place.all();
    assert!(!files.iter().any(|(_, bytes)| String::from_utf8_lossy(bytes).contains(value.trim())), "it lies in clear");

    // The folder form.
    place.done(&["new", "instance", "elm", "--environment", "production", "--folder", "--label", "country=fr"], "");
    assert!(place.read("instances/elm/instance.yaml").contains("  # DOMAIN:      # string, required\n"));
    assert!(place.read("instances/elm/secrets.yaml").starts_with("token: |\n"));
    let said = text(&place.run(&["check"], "", &[]).stderr);
    assert!(said.contains("elm needs a value of DOMAIN"), "{said}");
}

#[test]
fn nothing_is_overwritten_and_nothing_is_half_written() {
    let place = Place::with_product();
    place.done(&["new", "instance", "oak", "--environment", "production", "--set", "DOMAIN=oak.example"], "");
    assert!(place.refused(2, &["new", "fleet", "acme"], "").contains("nothing is overwritten"));
    assert!(place.refused(2, &["new", "product", "shop"], "").contains("E0502"));
    assert!(place.refused(2, &["new", "instance", "oak", "--environment", "production"], "").contains("E0502"));
    let said = place.refused(
        2,
        &[
            "new",
            "instance",
            "elm",
            "--environment",
            "produktion",
            "--set",
            "DOMIAN=x",
            "--set",
            "DOMAIN=-",
            "--size",
            "s",
        ],
        "",
    );
    for part in ["\"production\"?", "\"DOMAIN\"?", "E0508", "no size \"s\""] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    // The secrets file of a name that has no instance: it would be overwritten.
    place.write("instances/fir.secrets.yaml", "# mine\n");
    place.refused(2, &["new", "instance", "fir", "--environment", "production"], "");
    // A folder that is a link leads elsewhere.
    std::fs::rename(place.path("fleet/products"), place.path("elsewhere")).expect("it moves");
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("fleet/products")).expect("a link");
    let output = place.run(&["new", "product", "other"], "", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(!place.path("elsewhere/other").exists());
}

#[test]
fn secrets_of_all_scopes_are_set_without_being_seen() {
    let place = Place::with_product();
    place.done(&["new", "instance", "oak", "--environment", "production", "--set", "DOMAIN=oak.example"], "");
    std::fs::remove_file(place.path("fleet/fleet.age")).expect("it was there");
    place.write("production.secrets.yaml", "# of all customers\n\n");
    let said = place.done(&["secret", "set", "--environment", "production", "token"], &format!("{CANARY}\n"));
    assert_eq!(said.lines().next(), Some("token of environment production is set: production.secrets.yaml, fleet.age"));
    assert!(place.read("production.secrets.yaml").starts_with("# of all customers\n\ntoken: |\n"));
    assert!(place.read("fleet.age").starts_with("-----BEGIN AGE"));
    assert!(place.done(&["secret", "show", "oak"], "").contains("set by the environment"));
    place.done(&["secret", "set", "--fleet", "token"], CANARY);
    std::fs::write(place.path("home/value"), CANARY).expect("a file");
    let old = place.read("instances/oak.secrets.yaml");
    place.write("instances/oak.secrets.yaml", &format!("# the database's\n{old}# end\n"));
    let value = place.path("home/value");
    place.done(&["secret", "set", "oak", "token", "--from", value.to_str().expect("a path")], "");
    std::fs::remove_file(value).expect("it was there");
    let now = place.read("instances/oak.secrets.yaml");
    assert!(now.starts_with(&format!("# the database's\n{old}# end\ntoken: |\n")), "{now}");
    for (path, bytes) in place.all() {
        assert!(!String::from_utf8_lossy(&bytes).contains(CANARY), "{} holds it in clear", path.display());
    }
    let revealed = place.run(&["secret", "show", "oak", "token", "--reveal"], "", &[]);
    assert_eq!(text(&revealed.stdout), format!("{CANARY}\n"));
    place.done(&["check", "--strict"], "");
    let json: serde_json::Value = serde_json::from_str(&place.done(&["secret", "show", "--json"], "")).expect("JSON");
    assert_eq!(json["schema"], "escadre.secrets/1");
    assert!(json["secrets"].as_array().is_some_and(|all| all.iter().all(|one| one["readable"] == true)), "{json}");

    assert!(place.refused(2, &["secret", "set", "oak", "tokn"], CANARY).contains("\"token\"?"));
    assert!(place.refused(2, &["secret", "set", "oka", "token"], CANARY).contains("\"oak\"?"));
    assert!(place.refused(2, &["secret", "set", "oak", "token"], "").contains("no value"));
    assert!(
        place.refused(2, &["secret", "set", "oak", "token", "--generate"], "").contains("how \"token\" is generated")
    );
}

#[test]
fn keys_that_do_not_fit_are_named_with_the_way_out() {
    let place = Place::with_product();
    place.done(&["new", "instance", "oak", "--environment", "production", "--set", "DOMAIN=oak.example"], "");
    let key = place.path("home/.config/escadre/identity");
    let mine = place.path("home/mine");
    std::fs::rename(&key, &mine).expect("it moves");
    let said = place.refused(2, &["secret", "show", "oak", "db_password", "--reveal"], "");
    assert!(said.contains("E0603") && said.contains("--identity FILE"), "{said}");
    assert!(place.refused(2, &["secret", "rekey"], "").contains("--identity FILE"));
    let said = place.refused(2, &["secret", "rekey", "--identity", "nothing"], "");
    assert!(said.contains("is not there"), "{said}");
    // Somebody else's key.
    place.done(&["new", "fleet", "other", "--dir", "../other"], "");
    assert!(key.exists());
    let said = place.refused(2, &["secret", "show", "oak", "db_password", "--reveal"], "");
    assert!(said.contains("none of the identities") && said.contains("escadre secret rekey"), "{said}");
    assert!(place.done(&["secret", "show"], "").contains("none of the identities"));
    place.refused(2, &["secret", "rekey"], "");
    // Setting needs no key that reads.
    place.done(&["secret", "set", "oak", "token"], CANARY);

    // Once the other is a recipient, whoever can read lets him in.
    let other = std::fs::read_to_string(place.path("other/fleet.yaml")).expect("a fleet");
    let public = other.lines().find_map(|line| line.trim().strip_prefix("ada: ")).expect("a recipient");
    place.write("fleet.yaml", &format!("{}  bob: {public}\n", place.read("fleet.yaml")));
    let said = place.done(&["secret", "rekey", "--identity", mine.to_str().expect("a path")], "");
    assert!(said.starts_with("2 secrets encrypted to ada, bob now"), "{said}");
    let revealed = place.run(&["secret", "show", "oak", "token", "--reveal"], "", &[]);
    assert_eq!(text(&revealed.stdout), format!("{CANARY}\n"));

    // A block moved to another name is refused.
    let swapped =
        place.read("instances/oak.secrets.yaml").replace("token: |", "x: |").replace("db_password: |", "token: |");
    place.write("instances/oak.secrets.yaml", &swapped.replace("x: |", "db_password: |"));
    let said = place.refused(1, &["secret", "show", "oak", "token", "--reveal"], "");
    assert!(said.contains("E0602"), "{said}");
    assert!(place.refused(1, &["secret", "rekey"], "").contains("E0602"));
    place.write(
        "fleet.yaml",
        &place
            .read("fleet.yaml")
            .replace("recipients:", "# recipients:")
            .replace("\n  ada:", "\n# ada:")
            .replace("\n  bob:", "\n# bob:"),
    );
    assert!(place.refused(1, &["secret", "set", "oak", "token"], CANARY).contains("E0605"));
}

#[test]
fn the_compose_model_is_printed_as_compose_would_see_it() {
    let place = Place::new();
    place.write(
        "compose.yaml",
        "services:\n  web: { image: \"a:${V:?no V}\" }\n  extra: { image: \"b:1\", profiles: [more], environment: { MODE: \"no\", E: \"${UNSET}\" } }\n",
    );
    place.write("other.yaml", "services: { web: { image: other } }\n");
    place.write(".env", "V=1\nCOMPOSE_PROJECT_NAME=fromfile\n");
    place.write("two.env", "V=2\n");
    let json = |line: &[&str], environment: &[(&str, &str)]| {
        let line = [&["compose", "config", "--format", "json"], line].concat();
        let output = place.run(&line, "", environment);
        assert_eq!(output.status.code(), Some(0), "{line:?}: {}", text(&output.stderr));
        serde_json::from_str::<serde_json::Value>(&text(&output.stdout)).expect("JSON")
    };
    let image = |model: &serde_json::Value| model["services"]["web"]["image"].as_str().map(str::to_owned);
    let model = json(&[], &[]);
    assert_eq!((model["name"].as_str(), image(&model).as_deref()), (Some("fromfile"), Some("a:1")));
    assert!(model["services"]["extra"].is_null());
    assert_eq!(image(&json(&[], &[("V", "3")])).as_deref(), Some("a:3"));
    assert_eq!(image(&json(&["--env-file", "two.env"], &[])).as_deref(), Some("a:2"));
    assert_eq!(json(&["-p", "mine"], &[("COMPOSE_PROJECT_NAME", "theirs")])["name"], "mine");
    assert!(json(&[], &[("COMPOSE_PROFILES", "x,more")])["services"]["extra"].is_object());
    assert!(json(&["--profile", "more"], &[])["services"]["extra"].is_object());
    assert_eq!(image(&json(&[], &[("COMPOSE_FILE", "compose.yaml:other.yaml")])).as_deref(), Some("other"));
    assert_eq!(image(&json(&["-f", "other.yaml"], &[("COMPOSE_FILE", "compose.yaml")])).as_deref(), Some("other"));
    assert_eq!(
        json(&["-f", "compose.yaml", "--project-directory", ".."], &[("V", "1"), ("COMPOSE_PROJECT_NAME", "x")])["name"],
        "x"
    );

    // Warnings do not stop it, errors do, with their place.
    let output = place.run(&["compose", "config", "--profile", "more"], "", &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("`UNSET` is not set"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("      MODE: \"no\"\n"), "{}", text(&output.stdout));
    let output = place.run(&["compose", "config", "--env-file", "/dev/null"], "", &[]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(1), ""));
    assert!(text(&output.stderr).contains("no V"), "{}", text(&output.stderr));
    // Printed, it is a Compose file that says the same.
    place.write("again.yaml", &text(&place.run(&["compose", "config"], "", &[]).stdout));
    assert_eq!(json(&["-f", "again.yaml"], &[]), json(&[], &[]));
    for missing in [&["-f", "nothing.yaml"][..], &["--env-file", "nothing.env"]] {
        let output = place.run(&[&["compose", "config"], missing].concat(), "", &[]);
        assert_eq!(output.status.code(), Some(1), "{missing:?}");
    }
}

const OLD: &str = r#"# the shop, as its developers run it
services:
  web:
    image: shop/web:1.4          # pinned
    environment:
      - DOMAIN=shop.example      # where people go
      - API_URL=https://shop.example/api
    ports: ["8080:80"]
    env_file: web.env
    volumes: ["./nginx.conf:/etc/nginx.conf:ro", "./uploads:/uploads"]
    labels: { traefik.http.routers.web.rule: "Host(`shop.example`)" }
  db:
    image: postgres:16
    environment: { POSTGRES_PASSWORD: hunter2-db, TZ: "${TZ:-UTC}" }
    secrets: [license]
secrets: { license: { file: ./license.txt } }
"#;

#[test]
fn a_product_comes_from_the_file_that_developers_have() {
    let place = Place::new();
    place.done(&["new", "fleet", "acme"], "");
    place.write("../old/compose.yaml", OLD);
    place.write("../old/web.env", "SMTP_PASSWORD=hunter2-mail\nLOG=info\n");
    place.write("../old/nginx.conf", "listen 80;\n");
    place.write("../old/license.txt", "hunter2-license\n");
    let line =
        ["new", "product", "shop", "--from", "../old/compose.yaml", "--instance", "oak", "--environment", "production"];
    // What would be written is shown, without a value of a secret; without a yes nothing is written.
    let said = place.refused(3, &line, "");
    assert!(
        said.contains("+ ports: [\"${PORT:-8080}:80\"]")
            && said.contains("encrypted: POSTGRES_PASSWORD, SMTP_PASSWORD, license"),
        "{said}"
    );
    assert!(!said.contains("hunter2") && !place.path("fleet/products/shop").exists(), "{said}");
    let written = place.done(&[&line[..], &["--yes"]].concat(), "");
    for file in ["compose.yaml", "product.yaml", "web.env", "nginx.conf"] {
        assert!(written.contains(&format!("products/shop/{file}\n")), "{written}");
    }
    let files = place.all();
    let lies = |(path, bytes): &&(PathBuf, Vec<u8>)| {
        !path.to_string_lossy().contains("/old/") && String::from_utf8_lossy(bytes).contains("hunter2")
    };
    assert_eq!(files.iter().find(lies).map(|(path, _)| path), None, "a secret lies in clear");
    place.done(&["check"], "");
    assert_eq!(place.done(&["secret", "show", "oak", "SMTP_PASSWORD", "--reveal"], "").trim(), "hunter2-mail");
    assert_eq!(place.done(&["secret", "show", "oak", "license", "--reveal"], "").trim(), "hunter2-license");
    let text = place.read("products/shop/compose.yaml");
    for kept in ["# the shop, as its developers run it", "# pinned", "# where people go"] {
        assert!(text.contains(kept), "comments are kept: {text}");
    }
    // docker compose reads it as before, but for the secrets.
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/bin/docker-compose");
    if peer.exists() {
        let config = |folder: &str| {
            let output = std::process::Command::new(&peer)
                .args(["-p", "same", "config"])
                .current_dir(place.path("fleet").join(folder))
                .output()
                .expect("docker compose");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout)
                .replace(&place.path("fleet").join(folder).canonicalize().expect("a folder").display().to_string(), "")
        };
        let (before, after) = (config("../old"), config("products/shop"));
        let differ: Vec<(&str, &str)> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
        assert!(
            differ.len() == 2 && differ.iter().all(|(a, b)| a.contains("hunter2") && b.trim_end().ends_with("\"\"")),
            "{differ:?}"
        );
    } else {
        super::world::skip(
            "a_product_comes_from_the_file_that_developers_have",
            "docker compose is not below .peers (scripts/peers brings it)",
        );
    }
    assert!(place.refused(2, &[&line[..], &["--yes"]].concat(), "").contains("E0502"));
    assert!(place.refused(2, &["new", "product", "other", "--from", "nowhere.yaml"], "").contains("is not there"));
    place.write("../old/bad.yaml", "services: [");
    assert!(place.refused(1, &["new", "product", "other", "--from", "../old/bad.yaml"], "").contains("E01"));
    assert!(
        place
            .refused(
                2,
                &[
                    "new",
                    "product",
                    "other",
                    "--from",
                    "../old/compose.yaml",
                    "--instance",
                    "elm",
                    "--environment",
                    "nowhere"
                ],
                ""
            )
            .contains("environments: ")
    );
}
