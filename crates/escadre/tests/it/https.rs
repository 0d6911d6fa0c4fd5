//! HTTPS as people meet it: an address that curl and Chromium accept, a certificate of one's own, and what is said of a bad one.
//!
//! In: a small fleet on the real engine; curl, and Chromium where it is installed. Out: what they see.
//! **Invariant**: the stores of this machine are not touched: what changes them runs in a mount namespace of its own.
//! Not here: the edge alone (`escadre-edge`), ACME (`acme`).

use super::world::{IMAGE, Said, World, finish, get, port, skip, world};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Ports of the edge.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) http: u16,
    pub(crate) https: u16,
}

/// A fleet of one service; `endpoint` is what stands in the endpoint besides service and port.
pub(crate) fn files(world: &World, endpoint: &str, edge: &str, instances: &[(&str, &str)]) -> Ports {
    let ports = Ports { http: port(), https: port() };
    world.run(&["new", "fleet", &world.name]).ends(0);
    let kept = std::fs::read_to_string(world.root.join("fleet.yaml")).expect("it was written");
    let recipients: Vec<&str> = kept.lines().skip_while(|line| !line.starts_with("recipients:")).collect();
    let top = |key: &str| kept.lines().find(|line| line.starts_with(key)).expect("a line").to_owned();
    let Ports { http, https } = ports;
    world.write(
        "fleet.yaml",
        format!(
            "{}\n{}\nenvironments: {{ production: {{}} }}\ntargets:\n  host-1:\n    podman: {}\n    edge: {{ http: {http}, https: {https}{edge} }}\n\
             defaults: {{ target: host-1 }}\n{}\n",
            top("fleet:"),
            top("id:"),
            world.address(),
            recipients.join("\n")
        ),
    );
    world.write("products/desk/compose.yaml", format!("services: {{ web: {{ image: \"{IMAGE}:${{TAG:-v1}}\" }} }}\n"));
    world.write(
        "products/desk/product.yaml",
        format!(
            "product: desk\nparameters: {{ DOMAIN: {{ type: hostname }}, TAG: {{ default: v1 }} }}\nendpoints:\n  portal: {{ service: web, port: 8080, {endpoint} }}\n"
        ),
    );
    for (name, domain) in instances {
        let text =
            format!("instance: {name}\nproduct: desk\nenvironment: production\nvalues: {{ DOMAIN: {domain} }}\n");
        world.write(&format!("instances/{name}.yaml"), text);
    }
    ports
}

/// What curl gets: status and body, or its exit code. `trust`: a file it shall trust instead of the system's.
pub(crate) fn curl(trust: Option<&Path>, host: &str, port: u16, path: &str) -> Result<(u16, String), i32> {
    let mut command = Command::new("curl");
    command.args(["-sS", "-m", "20", "-w", "\n%{http_code}", "--resolve", &format!("{host}:{port}:127.0.0.1")]);
    if let Some(trust) = trust {
        command.arg("--cacert").arg(trust);
    }
    let output = command.arg(format!("https://{host}:{port}{path}")).output().expect("curl is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match (output.status.code(), text.rsplit_once('\n')) {
        (Some(0), Some((body, status))) => Ok((status.parse().expect("a status"), body.trim().to_owned())),
        (code, _) => Err(code.unwrap_or(-1)),
    }
}

/// Sets a secret of an instance.
pub(crate) fn store(world: &World, instance: &str, name: &str, value: &str) -> Said {
    let mut command = world.command(&["secret", "set", instance, name]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(value.as_bytes()).expect("it reads");
    finish(child)
}

/// An authority nobody here knows, and certificates by it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "A customer's authority");
        let pem = params.self_signed(&key).expect("signed").pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// Chain and key; from `begins` before now to `ends` after it (or before, if negative days are meant by `ended`).
    fn certificate(&self, names: &[&str], begins: Duration, ends: Duration, ended: bool) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params =
            CertificateParams::new(names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()).expect("names");
        let now = SystemTime::now();
        params.not_before = (now - begins).into();
        params.not_after = if ended { (now - ends).into() } else { (now + ends).into() };
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }
}

#[test]
fn a_private_name_is_reached_with_https_and_trusted_after_one_command() {
    let Some(world) = world("trust") else { return };
    let ports = files(
        &world,
        "hosts: [\"${DOMAIN}\"], redirect: [\"www.${DOMAIN}\"]",
        "",
        &[("larch", "larch.desk.localhost")],
    );
    let said = world.up();
    let address = format!("https://larch.desk.localhost:{}", ports.https);
    said.says(&address).says("trust it   escadre trust");
    let root = world.state.join("edge/tls/local/root.pem");
    assert_eq!(curl(Some(&root), "larch.desk.localhost", ports.https, "/"), Ok((200, "v1".into())));
    assert_eq!(curl(Some(&root), "www.larch.desk.localhost", ports.https, "/").map(|(status, _)| status), Ok(308));
    assert_eq!(curl(None, "larch.desk.localhost", ports.https, "/"), Err(60), "nobody knows it yet");
    assert_eq!(curl(Some(&root), "other.desk.localhost", ports.https, "/").map(|(status, _)| status), Err(35));
    // Without TLS it is served as well: a browser that does not know the authority is not sent into a warning.
    assert_eq!(get(ports.http, "larch.desk.localhost", "/"), Ok((200, "v1".into())));

    // The certificate to show around: the root alone, no key.
    let shown = world.run(&["trust", "--show"]).ends(0).out;
    assert!(shown.starts_with("-----BEGIN CERTIFICATE-----") && shown.matches("-----BEGIN").count() == 1, "{shown}");
    world.run(&["trust", "--out", "root.pem"]).ends(0).says("escadre trust root.pem");
    assert_eq!(std::fs::read_to_string(world.root.join("root.pem")).expect("written"), shown);
    assert_eq!(
        curl(Some(&world.root.join("root.pem")), "larch.desk.localhost", ports.https, "/"),
        Ok((200, "v1".into()))
    );
    world.write("foreign.pem", Authority::new().pem);
    world.run(&["trust", "foreign.pem"]).ends(4).says("foreign.pem is not the root of a local authority");

    trusting(&world, ports, &shown);
    world.run(&["down", "--all", "--yes"]).ends(0);
}

/// Adds the root to stores that are copies, and asks curl and Chromium.
fn trusting(world: &World, ports: Ports, root: &str) {
    if !rustix::process::geteuid().is_root() {
        skip("trust", "only root may change a system's store, even a copy");
        return;
    }
    let me = env!("CARGO_BIN_EXE_escadre");
    let state = world.state.display();
    let url = format!("https://larch.desk.localhost:{}/", ports.https);
    let chromium = ["/usr/bin/chromium", "/usr/bin/google-chrome"].into_iter().find(|path| Path::new(path).exists());
    let certutil = Path::new("/usr/bin/certutil").exists();
    let browse = match chromium.filter(|_| certutil) {
        // A page is aborted when a network comes or goes meanwhile, as other tests make them do: then, and only then, it is asked for again.
        Some(program) => format!(
            "echo CHROMIUM; for n in 1 2 3 4 5; do timeout 60 {program} --headless --no-sandbox --disable-gpu --user-data-dir=$HOME/profile \
             --dump-dom {url} 2>$HOME/chromium.log; grep -q ERR_NETWORK_CHANGED $HOME/chromium.log || break; sleep 1; done"
        ),
        None => {
            skip("trust", "Chromium and certutil (libnss3-tools) are not installed: asked with curl only");
            "true".to_owned()
        }
    };
    let script = format!(
        "set -e\n\
         mount -t tmpfs none /usr/local/share/ca-certificates\n\
         cp -a /etc/ssl/certs $HOME/certs && mount --bind $HOME/certs /etc/ssl/certs\n\
         echo BEFORE; curl -sS {url} 2>&1 | head -1 || true\n\
         {browse}\n\
         echo ADDED; {me} --state {state} trust || echo FAILED $?\n\
         echo AGAIN; {me} --state {state} trust || echo FAILED $?\n\
         echo CURL; curl -sS {url}\n\
         {browse}\n\
         echo UP; {me} --state {state} up --yes\n\
         echo REMOVED; {me} --state {state} trust --remove || echo FAILED $?\n\
         echo AFTER; curl -sS {url} 2>&1 | head -1 || true\n"
    );
    let home = world.root.join("home");
    std::fs::create_dir_all(&home).expect("a folder");
    let output = Command::new("unshare")
        .args(["--mount", "--", "bash", "-c", &script])
        .current_dir(&world.root)
        .env("HOME", &home)
        .env("ESCADRE_IDENTITY", world.identity())
        .env("CONTAINER_HOST", world.address())
        .output()
        .expect("unshare is installed");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let part = |from: &str, to: &str| {
        let after = text.split_once(&format!("{from}\n")).unwrap_or_else(|| panic!("no {from}: {text}")).1;
        after.split_once(&format!("{to}\n")).map_or(after, |(part, _)| part).to_owned()
    };
    let before = part("BEFORE", "ADDED");
    assert!(before.contains("certificate") || before.contains("curl: (60)"), "{text}");
    let added = part("ADDED", "AGAIN");
    assert!(added.contains("system") && added.contains("added") && added.contains("private names only"), "{text}");
    assert!(part("AGAIN", "CURL").contains("was there already"), "{text}");
    assert!(part("CURL", "UP").starts_with("v1"), "{text}");
    if browse != "true" {
        assert!(
            !before.contains("<body>v1") && !before.contains("<pre>v1"),
            "untrusted it must not show the page: {text}"
        );
        let log = std::fs::read_to_string(home.join("chromium.log")).unwrap_or_default();
        assert!(part("CURL", "UP").matches("v1").count() >= 2, "Chromium shows the page: {text}\n{log}");
        assert!(added.contains("chromium"), "{text}");
    } else {
        assert!(certutil || added.contains("libnss3-tools") || !added.contains("chromium"), "{text}");
    }
    assert!(part("REMOVED", "AFTER").contains("taken out"), "{text}");
    assert!(part("AFTER", "\u{0}").contains("curl: (60)"), "{text}");
    let key = world.state.join("edge/tls/local/root.key");
    let key = std::fs::read_to_string(key).expect("the key");
    let secret = key.lines().nth(1).expect("a line");
    assert!(!text.contains(secret) && !root.contains(secret));
}

#[test]
fn an_instance_brings_its_own_certificate() {
    let Some(world) = world("bring") else { return };
    let authority = Authority::new();
    world.write("authority.pem", &authority.pem);
    let trust: PathBuf = world.root.join("authority.pem");
    let ports = files(
        &world,
        "hosts: [\"${DOMAIN}\"], tls: { http: redirect, hsts: 1h }",
        "",
        &[("larch", "help.larch.fr"), ("birch", "birch.desk.localhost")],
    );
    let (chain, key) = authority.certificate(&["help.larch.fr"], DAY, DAY * 90, false);
    let whole = format!("{chain}{}{key}", authority.pem);
    let canary = key.lines().nth(1).expect("a line").to_owned();
    store(&world, "larch", "portal.tls", &whole).ends(0);

    // Before anything is changed: what cannot be used is refused in words, and the other instance goes on.
    let (short, short_key) = authority.certificate(&["help.larch.fr"], DAY * 9, DAY, true);
    let (other, other_key) = authority.certificate(&["help.oak.fr"], DAY, DAY * 90, false);
    for (value, words) in [
        (format!("{chain}{other_key}"), "its private key belongs to another certificate"),
        (format!("{short}{short_key}"), "it ended on "),
        (format!("{other}{other_key}"), "it does not name help.larch.fr; it names help.oak.fr"),
        (chain.clone(), "it holds no private key"),
        (key.clone(), "it holds no certificate"),
        ("canary".to_owned(), "it holds no certificate"),
    ] {
        store(&world, "larch", "portal.tls", &value).ends(0);
        let said = world.run(&["check"]).ends(1).says("E0608").says("escadre secret set larch portal.tls").all();
        let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(line.contains(words) && !said.contains(&canary), "{words}: {said}");
        world.run(&["plan"]).ends(1).says("E0608").never(&canary);
    }
    assert!(world.containers().is_empty());
    world.run(&["up", "birch", "--yes"]).says("1 instance done");
    assert_eq!(world.running("birch"), ["web"]);

    store(&world, "larch", "portal.tls", &whole).ends(0);
    world.up().says("https://help.larch.fr").never(&canary);
    assert_eq!(curl(Some(&trust), "help.larch.fr", ports.https, "/"), Ok((200, "v1".into())));
    let redirect = get(ports.http, &format!("help.larch.fr:{}", ports.http), "/x").expect("answered");
    assert_eq!(redirect.0, 308);

    // The next one: only the route changes, the containers stay.
    let before = world.containers();
    let (next, next_key) = authority.certificate(&["help.larch.fr", "www.larch.fr"], DAY, DAY * 10, false);
    store(&world, "larch", "portal.tls", &format!("{next}{}{next_key}", authority.pem)).ends(0);
    world.run(&["plan"]).ends(0).says("https by secret portal.tls").says("W0505").never(&canary);
    world.up();
    assert_eq!(world.containers(), before);
    assert_eq!(curl(Some(&trust), "help.larch.fr", ports.https, "/"), Ok((200, "v1".into())));
    world.run(&["plan"]).ends(0).says("othing to do");
    // The key stands in the edge's folder, where it is kept for a way back, encrypted in the repository, and nowhere else.
    let secret = next_key.lines().nth(1).expect("a line");
    let found = world.files_with(secret.as_bytes());
    assert!(
        found.len() == 2 && found[0].starts_with("edge/tls/brought") && found[1].starts_with("secrets/earlier"),
        "{found:?}"
    );
    world.run(&["down", "--all", "--yes"]).ends(0);
    // The edge lets it go with a later change: within a minute somebody may be about to name it.
    assert!(world.files_with(secret.as_bytes()).iter().all(|path| path.starts_with("edge/tls/brought")));
}
