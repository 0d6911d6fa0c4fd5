//! Back on request: images, configuration, files and secrets of an earlier state; services stopped and started as they are.
//!
//! In: a fleet of one small product with secrets, on the real engine. Out: what a person would see, and what containers have.
//! Not here: going back by itself (`stranger`, `fleet`), which state is meant (`escadre_engine::back`).

use super::https::{Ports, files, store};
use super::world::{Client, IMAGE, World, get, podman, world};

const COMPOSE: &str = r#"
services:
  web:
    image: IMAGE:${TAG:-v1}
    command: [sh, -c, "cp /run/secrets/db_password /etc/desk.ini /srv/ && echo $$TOKEN > /srv/token && exec run"]
    environment: { TOKEN: "${TOKEN}" }
    secrets: [db_password]
    configs: [{ source: ini, target: /etc/desk.ini }]
  db:
    image: IMAGE:v1
    command: [sh, -c, "date >> /data/started; exec run"]
    volumes: ["data:/data"]
volumes: { data: }
configs: { ini: { file: desk.ini } }
secrets: { db_password: { file: ./nowhere } }
"#;

fn product(world: &World) -> Ports {
    let ports = files(world, "hosts: [\"${DOMAIN}\"], tls: off", "", &[("larch", "larch.test.localhost")]);
    world.write("products/desk/compose.yaml", COMPOSE.replace("IMAGE", IMAGE));
    world.write("products/desk/desk.ini", "colour = green\n");
    world.write(
        "products/desk/product.yaml",
        "product: desk\nparameters: { DOMAIN: { type: hostname }, TAG: { default: v1 } }\nsecrets:\n  db_password: {}\n  TOKEN: { as: environment }\n\
         endpoints:\n  portal: { service: web, port: 8080, hosts: [\"${DOMAIN}\"], tls: off }\n",
    );
    ports
}

/// Another version of everything.
fn version(world: &World, number: u8) {
    let tag = if number == 1 { "v1" } else { "v2" };
    let text = format!(
        "instance: larch\nproduct: desk\nenvironment: production\nvalues: {{ DOMAIN: larch.test.localhost, TAG: {tag} }}\n"
    );
    world.write("instances/larch.yaml", text);
    world.write("products/desk/desk.ini", format!("colour = number-{number}\n"));
    store(world, "larch", "db_password", &format!("canary-password-{number}")).ends(0);
    store(world, "larch", "TOKEN", &format!("canary-token-{number}")).ends(0);
}

/// What the service was given: image, file, secret file, secret in the environment.
fn given(port: u16) -> [String; 4] {
    ["/", "/desk.ini", "/db_password", "/token"].map(|path| get(port, "larch.test.localhost", path).expect(path).1)
}

fn wanted(number: u8) -> [String; 4] {
    [
        format!("v{}", number.min(2)),
        format!("colour = number-{number}"),
        format!("canary-password-{number}"),
        format!("canary-token-{number}"),
    ]
}

/// The plan of an instance's newest receipt.
fn newest(world: &World) -> String {
    let said = world.run(&["history", "--json"]).ends(0);
    let history: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    history["entries"][0]["plan"].as_str().expect("a plan").to_owned()
}

#[test]
fn everything_goes_back_but_data() {
    let Some(world) = world("back") else { return };
    let Ports { http, .. } = product(&world);
    version(&world, 1);
    world.up();
    let first = newest(&world);
    assert_eq!(given(http), wanted(1));
    version(&world, 2);
    world.up();
    assert_eq!(given(http), wanted(2));

    // The tag that ran leads elsewhere by now, and nobody could fetch it again.
    let moved = format!("{IMAGE}:v1");
    let id = podman(&["image", "inspect", &moved, "--format", "{{.Id}}"]).trim().to_owned();
    let client = Client::begin(http, "larch.test.localhost", "/");
    let said = world.run(&["rollback", "larch", "--yes"]).ends(0).says("data is not brought back").never("canary");
    let asked = client.end();
    assert_eq!(asked.failed, Vec::<String>::new(), "requests failed on the way back");
    assert!(said.all().contains(&format!("larch is back at what plan {first} left behind")), "{}", said.all());
    assert_eq!(given(http), wanted(1));
    let web = podman(&[
        "ps",
        "--filter",
        &format!("label=dev.escadre.fleet={}", world.name),
        "--format",
        "{{.Names}} {{.ImageID}}",
    ]);
    assert!(
        web.lines().any(|line| line.contains("_web_") && id.starts_with(line.rsplit(' ').next().unwrap_or("?"))),
        "{web}"
    );

    // It stays there: the next plan would change it and does not; another file lifts that.
    world.run(&["plan"]).ends(0).says("on hold since its rollback");
    world.run(&["up", "--yes"]).says("on hold since its rollback");
    assert_eq!(given(http), wanted(1));
    world.run(&["why", "larch"]).ends(0).says("rolled back").never("canary");
    world.run(&["status"]).ends(0).says("rolled back to plan");
    let back = newest(&world);
    world.run(&["history"]).ends(0).says(&format!("back to {first}"));
    world.run(&["diff", &back, &first]).ends(0).says("Nothing differs");
    world.run(&["diff", &first, "--json"]).ends(0).says("escadre.diff/1");
    world.run(&["rollback", "larch", "--yes"]).ends(3).says("E0313");
    version(&world, 3);
    world.up();
    assert_eq!(given(http), wanted(3));

    // By plan, for all that it changed.
    let third = newest(&world);
    world.run(&["diff", &first]).ends(0).says("larch differs in").says("secret #").never("canary");
    world.run(&["rollback", "--plan", &third, "--yes"]).ends(0);
    assert_eq!(given(http), wanted(1));
    world.run(&["rollback", "larch", "--to", &third, "--yes"]).ends(0);
    assert_eq!(given(http), wanted(3));
    let started =
        podman(&["ps", "-a", "--filter", &format!("label=dev.escadre.fleet={}", world.name), "--format", "{{.Names}}"]);
    assert!(started.lines().any(|name| name.ends_with("_db_1_g1")), "db was not touched by any of it: {started}");

    // Broken files do not keep anybody from going back.
    world.write("products/desk/compose.yaml", "services: [not, a, map]\n");
    world.run(&["rollback", "larch", "--to", &back, "--yes"]).says("larch is back");
    assert_eq!(given(http), wanted(1));
    world.write("products/desk/compose.yaml", COMPOSE.replace("IMAGE", IMAGE));
    world.run(&["rollback"]).ends(2).says("E0205");
    world.run(&["down", "larch", "--yes", "--destroy", "larch/volume/data"]).ends(0);
    world.nothing_left();
}

#[test]
fn services_stop_and_start_as_they_are() {
    let Some(world) = world("touch") else { return };
    let Ports { http, .. } = product(&world);
    version(&world, 1);
    world.up();
    let before = world.containers();
    version(&world, 2);
    world.run(&["stop"]).ends(2).says("E0205");
    world.run(&["stop", "larch/web"]).ends(3).says("E0207");
    world.run(&["stop", "larch/web", "--yes"]).ends(0).says("stopped: larch/web");
    let (status, body) = get(http, "larch.test.localhost", "/").expect("the edge answers");
    assert_eq!(status, 503, "{body}");
    assert_eq!(world.running("larch"), ["db"]);
    world.run(&["start", "larch", "--yes"]).ends(0);
    assert_eq!(given(http), wanted(1), "nothing is updated");
    let client = Client::begin(http, "larch.test.localhost", "/");
    world.run(&["restart", "larch", "--yes"]).ends(0);
    let asked = client.end();
    assert_eq!(asked.failed, Vec::<String>::new(), "requests wait while it starts again");
    assert_eq!(world.containers().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "its own containers");
    world.run(&["stop", "larch", "--yes"]).ends(0).says("stopped: larch;");
    assert_eq!(world.running("larch"), Vec::<String>::new());
    assert_eq!(get(http, "larch.test.localhost", "/").expect("the edge answers").0, 503);
    world.run(&["restart", "larch/nobody", "--yes"]).ends(2).says("E0206");
    world.up();
    assert_eq!(given(http), wanted(2), "the files are asked again");
    world.run(&["down", "larch", "--yes", "--destroy", "larch/volume/data"]).ends(0);
    world.run(&["start", "larch", "--yes"]).ends(3).says("E0314");
    world.nothing_left();
}
