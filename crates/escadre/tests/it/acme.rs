//! Certificates of a public authority through the whole of it: fleet.yaml, the binary, a real engine, a real authority for tests.
//!
//! In: a fleet with public names; Pebble, with a DNS of its own, from `.peers` (`scripts/peers pebble`). Out: what a person sees.
//! Not here: the edge alone (`escadre-edge/tests/it/acme.rs`).

use super::https::{curl, files, store};
use super::transcripts::Transcript;
use super::world::{World, get, port, skip, until, world};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Programs that end with the test.
struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ended = child.kill();
            let _ended = child.wait();
        }
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers/bin").join(name);
    path.is_file().then_some(path)
}

/// Starts the authority: it looks for proofs at this port. Gives its directory and the management port.
fn authority(world: &World, http: u16) -> Option<(Running, String, u16)> {
    let (Some(pebble), Some(names)) = (program("pebble"), program("pebble-challtestsrv")) else {
        skip("acme", "pebble is not below .peers (scripts/peers pebble brings it)");
        return None;
    };
    let root_key = KeyPair::generate().expect("a key");
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.distinguished_name.push(DnType::CommonName, "The authority's own");
    world.write("files/authority.pem", root.self_signed(&root_key).expect("signed").pem());
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("names");
    let made = params.signed_by(&key, &Issuer::new(root, root_key)).expect("signed");
    world.write("pebble/cert.pem", made.pem());
    world.write("pebble/key.pem", key.serialize_pem());
    let (at, management, dns, control) = (port(), port(), port(), port());
    let config = serde_json::json!({"pebble": {
        "listenAddress": format!("127.0.0.1:{at}"), "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": http, "tlsPort": 1,
        "domainBlocklist": ["blocked.example.fr"], "retryAfter": {"authz": 1, "order": 1},
        "profiles": {"default": {"description": "of tests", "validityPeriod": 7_776_000}},
    }});
    world.write("pebble/config.json", config.to_string());
    let folder = world.root.join("pebble");
    let spawn = |program: &Path, line: &[&str]| {
        let mut command = Command::new(program);
        command.args(line).current_dir(&folder).env("PEBBLE_VA_NOSLEEP", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let (dns, control) = (format!("127.0.0.1:{dns}"), format!("127.0.0.1:{control}"));
    let names = spawn(
        &names,
        &[
            "-dnsserver",
            &dns,
            "-management",
            &control,
            "-defaultIPv4",
            "127.0.0.1",
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-doh",
            "",
        ],
    );
    let running = Running(vec![names, spawn(&pebble, &["-config", "config.json", "-dnsserver", &dns])]);
    for at in [at, management] {
        until("the authority listens", || std::net::TcpStream::connect(("127.0.0.1", at)).is_ok());
    }
    Some((running, format!("https://127.0.0.1:{at}/dir"), management))
}

#[test]
fn a_public_name_is_certified_by_itself_and_what_is_not_is_told() {
    let Some(world) = world("acme") else { return };
    let http = port();
    let Some((_running, directory, management)) = authority(&world, http) else { return };
    let edge = format!(", acme: {{ directory: \"{directory}\", email: ops@example.org, ca: files/authority.pem }}");
    let instances = [("fir", "help.fir.example.fr"), ("oak", "blocked.example.fr"), ("elm", "elm.desk.localhost")];
    let ports = files(&world, "hosts: [\"${DOMAIN}\"]", &edge, &instances);
    // The authority looks where the edge answers.
    let text = std::fs::read_to_string(world.root.join("fleet.yaml")).expect("it was written");
    world.write("fleet.yaml", text.replace(&format!("http: {},", ports.http), &format!("http: {http},")));
    world.up().says("https://help.fir.example.fr");

    let root = world.root.join("root.pem");
    let fetch = Command::new("curl")
        .args(["-sS", "--cacert"])
        .arg(world.root.join("files/authority.pem"))
        .arg(format!("https://127.0.0.1:{management}/roots/0"))
        .output();
    std::fs::write(&root, fetch.expect("curl is installed").stdout).expect("written");
    until("it is certified", || curl(Some(&root), "help.fir.example.fr", ports.https, "/").is_ok());
    assert_eq!(curl(Some(&root), "help.fir.example.fr", ports.https, "/"), Ok((200, "v1".into())));
    assert_eq!(get(http, "help.fir.example.fr", "/").map(|(status, _)| status), Ok(308));
    world
        .run(&["why", "fir/portal"])
        .ends(0)
        .says("help.fir.example.fr has a certificate until")
        .says("renewed by itself");
    world.run(&["proxy", "renew", "help.fir.example.fr"]).ends(0).says("Pebble");
    world.run(&["proxy", "renew", "elm.desk.localhost"]).ends(4).says("from the local authority");
    world.run(&["proxy", "renew", "*.example.fr"]).ends(2).says("it is a wildcard");

    // One that is refused is named, with what to do; it is served without meanwhile.
    until("it was refused", || world.run(&["status"]).all().contains("blocked.example.fr has no certificate"));
    world.run(&["status"]).ends(0).says("NEEDS YOU (1)").says("escadre why oak/portal");
    world.run(&["status", "--check"]).ends(4).says("oak (certificate)");
    let said = world.run(&["why", "oak/portal"]).ends(0).says("has no certificate, because").says("forbidden");
    assert!(said.all().contains("escadre secret set oak portal.tls"), "{}", said.all());
    assert_eq!(get(http, "blocked.example.fr", "/"), Ok((200, "v1".into())));
    world.run(&["why", "elm/portal"]).ends(0).says("a certificate of this machine's own authority");
    let mut certificates = Transcript::of(&world);
    // What is said of oak has the addresses of the machine in it.
    for one in ["fir", "elm"] {
        certificates.types(&format!("why {one}/portal")).ends(0);
    }
    certificates.is("certificates.txt");
    world.run(&["why", "elm/nonsense"]).ends(2).says("no service and no endpoint");
    let json = world.run(&["why", "oak/portal", "--json"]).ends(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["schema"], &json["names"][0]["certificate"]),
        (&"escadre.why-endpoint/1".into(), &"missing".into())
    );

    // They bring one of their own instead.
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(vec!["blocked.example.fr".to_owned()]).expect("a name");
    params.not_after = (std::time::SystemTime::now() + std::time::Duration::from_secs(90 * 24 * 3600)).into();
    let own = params.self_signed(&key).expect("signed").pem();
    world.write("own.pem", &own);
    store(&world, "oak", "portal.tls", &format!("{own}{}", key.serialize_pem())).ends(0);
    world.up();
    assert_eq!(curl(Some(&world.root.join("own.pem")), "blocked.example.fr", ports.https, "/"), Ok((200, "v1".into())));
    world.run(&["status"]).ends(0).says("Nothing needs you");

    // Settings of the edge are taken over without a change of any instance; without an edge, status says so, and up mends it.
    let text = std::fs::read_to_string(world.root.join("fleet.yaml")).expect("it was written");
    world.write("fleet.yaml", text.replace("email: ops@example.org", "email: sre@example.org"));
    world.run(&["up", "--yes"]).ends(0).says("The edge has taken over what the files say about it");
    world.run(&["up", "--yes"]).ends(0).never("taken over");
    world.run(&["proxy", "stop"]).ends(0);
    world.run(&["status"]).ends(0).says("(edge)").says("it does not run");
    world.run(&["up", "--yes"]).ends(0).says("it is started");
    assert_eq!(curl(Some(&root), "help.fir.example.fr", ports.https, "/"), Ok((200, "v1".into())));
    world.run(&["down", "--all", "--yes"]).ends(0);
}
