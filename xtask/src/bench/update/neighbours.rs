//! Calls within an instance: three services call a fourth one on every request while it is updated, each finding it in its own way.
//!
//! In: a fleet of one instance on the engine. Out: rows of the table.
//! **Invariant:** failures of the engine's own DNS are counted apart, and stated; nothing else is forgiven.
//! Not here: requests from outside (`update`).
//! Tests: each way is loaded, and both versions of the called one have answered in each.

use super::{HTTP, Place, at};
use crate::bench::fleet::{FLEET, SOCKET, put};
use crate::bench::planning::seconds;
use crate::bench::table::{Row, Table, Verdict, note};
use anyhow::{Result, anyhow, ensure};
use escadre_testkit::load::{End, Kind, Load, Mix, Piece, Report, Target};
use std::time::Duration;

/// The image of the one that resolves once.
pub(super) const NGINX: &str = "localhost/escadre-test/nginx:1";
/// Requests a second to each of the three.
const RATE: f64 = 50.0;
/// How often it is updated.
const UPDATES: usize = 4;
/// Before, between and after updates.
const PAUSE: Duration = Duration::from_secs(3);

const COMPOSE: &str = "services:\n  again:\n    image: localhost/escadre-test/service:v1\n    environment: { PORT: \"80\", UPSTREAM: \"api:8000\" }\n    depends_on: [api]\n    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }\n  asks:\n    image: localhost/escadre-test/service:v1\n    environment: { PORT: \"80\", UPSTREAM: \"api:8000\" }\n    depends_on: [api]\n    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }\n  once:\n    image: localhost/escadre-test/nginx:1\n    configs: [{ source: nginx, target: /etc/nginx.conf }]\n    depends_on: [api]\n    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, \"http://127.0.0.1/\"], interval: 1s, retries: 5 }\n  api:\n    image: localhost/escadre-test/service:${TAG}\n    environment: { PORT: \"8000\" }\n    expose: [\"8000\"]\n    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }\nconfigs: { nginx: { file: files/nginx.conf } }\n";
const CONFIG: &str = "user root;\npid /tmp/nginx.pid;\nerror_log stderr;\nworker_processes 1;\nevents {}\nhttp {\n  access_log off;\n  client_body_temp_path /tmp/body;\n  proxy_temp_path /tmp/proxy;\n  fastcgi_temp_path /tmp/fastcgi;\n  uwsgi_temp_path /tmp/uwsgi;\n  scgi_temp_path /tmp/scgi;\n  upstream api { server api:8000; keepalive 8; }\n  server {\n    listen 80;\n    location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection \"\"; }\n  }\n}\n";

/// Who calls, how it is asked to, and what it is.
const CALLERS: [(&str, Kind, &str); 3] = [
    ("again", Kind::Call, "a program that resolves the name for each call (glibc)"),
    ("once", Kind::Short, "one that resolves it once, at its start (nginx, a static upstream)"),
    ("asks", Kind::Ask, "one that asks DNS for each call and reads no hosts file"),
];

/// A row for each way.
pub(super) fn rows(table: &mut Table, place: &Place) -> Result<()> {
    let place = Place {
        binary: place.binary.clone(),
        fleet: place.fleet.join("../called"),
        state: place.state.join("../called-state"),
    };
    place.clear()?;
    let reports = measured(&place);
    place.clear()?;
    for ((name, _, what), report) in CALLERS.iter().zip(reports?) {
        row(table, name, what, &report);
    }
    Ok(())
}

fn measured(place: &Place) -> Result<Vec<Report>> {
    let fleet = &place.fleet;
    put(
        &fleet.join("fleet.yaml"),
        &format!(
            "fleet: {FLEET}\nid: 0b5e55ed\nenvironments: {{ production: {{}} }}\ntargets:\n  host-1: {{ podman: \"unix://{SOCKET}\", edge: {{ http: {HTTP}, https: 18943 }}, pool: 10.180.0.0/16 }}\ndefaults: {{ target: host-1 }}\n"
        ),
    )?;
    put(&fleet.join("products/desk/compose.yaml"), COMPOSE)?;
    put(&fleet.join("products/desk/files/nginx.conf"), CONFIG)?;
    let mut endpoints = String::new();
    for (name, ..) in CALLERS {
        endpoints.push_str(&format!(
            "  {name}: {{ service: {name}, port: 80, hosts: [\"{name}.bench.example\"], tls: off }}\n"
        ));
    }
    let product = |tag: &str| {
        format!("product: desk\nparameters:\n  TAG: {{ type: string, default: {tag} }}\nendpoints:\n{endpoints}")
    };
    put(&fleet.join("products/desk/product.yaml"), &product("v1"))?;
    put(&fleet.join("instances/tenant.yaml"), "instance: tenant\nproduct: desk\nenvironment: production\n")?;
    place.run(&["up", "--yes"])?;
    let loads: Vec<Load> = CALLERS
        .iter()
        .map(|(name, kind, _)| {
            let host = format!("{name}.bench.example").into();
            let target = Target { name: (*name).into(), http: at(HTTP), host, lines: None };
            Load::begin(vec![target], Mix::default().with(*kind, RATE))
        })
        .collect();
    let mut done = Ok(());
    for number in 0..UPDATES {
        std::thread::sleep(PAUSE);
        put(&fleet.join("products/desk/product.yaml"), &product(if number % 2 == 0 { "v2" } else { "v1" }))?;
        done = done.and_then(|()| place.run(&["up", "--yes"]));
    }
    std::thread::sleep(PAUSE);
    let reports: Vec<Report> = loads.into_iter().map(Load::end).collect();
    done?;
    for report in &reports {
        report.loaded().map_err(|why| anyhow!("not loaded: {why}"))?;
        for tag in ["v1", "v2"] {
            ensure!(report.first(0, tag).is_some(), "{:?} never had an answer from {tag}", report.targets);
        }
        for failure in report.failures(|_| true).into_iter().take(6) {
            note(&failure);
        }
    }
    Ok(reports)
}

/// The engine's DNS did not answer, or denied a name that is there.
fn is_dns(piece: &Piece) -> bool {
    matches!(&piece.end, End::Wrong(said) if said.starts_with("502: lookup of "))
}

fn row(table: &mut Table, name: &str, what: &str, report: &Report) {
    let (calls, lookups) = (report.count(|piece| !is_dns(piece)), report.count(is_dns));
    let longest = report.percentile(1.0, |_| true).unwrap_or_default();
    let p99 = report.percentile(0.99, |_| true).unwrap_or_default();
    let dns = match (name, lookups.failed()) {
        ("asks", failed) => format!("; apart from that {failed} lookups failed in Podman's own DNS"),
        (_, 0) => String::new(),
        (_, failed) => format!("; {failed} lookups failed"),
    };
    let failed = calls.failed() + if name == "asks" { 0 } else { lookups.failed() };
    table.add(
        Row::new(
            format!("calls of a neighbour that is updated {UPDATES} times, {RATE} a second, by {what}"),
            calls.to_string(),
        )
        .beside(format!("longest {}, p99 {}{dns}", seconds(longest.as_secs_f64()), super::millis(p99)))
        .target("0 failed", Verdict::of(failed == 0)),
    );
}
