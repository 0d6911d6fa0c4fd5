//! Updates under load: twenty instances of two services go from v1 to v2 while requests, streams, WebSockets and TCP connections go on; by us, by docker
//! compose, by docker-rollout's method. And a neighbour that is called on every request.
//!
//! In: the release binary, the engine's socket, the images of `scripts/images bench`, peers. Out: rows of the table.
//! **Invariant:** the same load on the same images for all; every piece of work is counted, and a server that was not loaded is an error; what was made is removed.
//! Not here: the load itself (`escadre_testkit::load`), peers' ways (`peers`), calls within an instance (`neighbours`).
//! Tests: `Report::loaded`, and that both versions have answered.

mod neighbours;
mod peers;

use super::fleet::{FLEET, SOCKET, put};
use super::floor;
use super::measure;
use super::planning::seconds;
use super::table::{Row, Table, Verdict, note};
use anyhow::{Context, Result, anyhow, ensure};
use escadre_testkit::load::{Count, End, Kind, Load, Mix, Piece, Report, Target};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How many instances are updated, unless the word `ESCADRE_BENCH_INSTANCES` says otherwise.
const INSTANCES: usize = 20;
/// How many are there that are not.
const BYSTANDERS: usize = 2;
/// How many of those that are updated have a TCP connection that nobody ends: each lengthens its update by the whole drain.
const ENDLESS: usize = 2;
/// The load before the update begins, to compare with.
const BEFORE: Duration = Duration::from_secs(10);
/// The load after it.
const AFTER: Duration = Duration::from_secs(3);
/// So close to a target's switch its answers are looked at apart.
const AROUND: Duration = Duration::from_secs(1);
/// How long the edge waits for connections to a former container before it cuts them.
const DRAIN: Duration = Duration::from_secs(30);
/// The image of the tests' service; tags v1 and v2.
const IMAGE: &str = "localhost/escadre-test/service";
/// The edge's port for HTTP, and the first of the published ones.
const HTTP: u16 = 18_980;
const LINES: u16 = 19_000;

/// What each product is made of. The grace of a stop is said outright: docker compose over Podman's socket kills at once where it is not.
const COMPOSE: &str = "services:\n  web:\n    image: localhost/escadre-test/service:${TAG}\n    environment: { PORT: \"80\", LINES: \"7000\", UPSTREAM: \"api:8000\" }\n    depends_on: [api]\n    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }\n    stop_grace_period: 10s\nPORTS  api:\n    image: localhost/escadre-test/service:${TAG}\n    environment: { PORT: \"8000\" }\n    expose: [\"8000\"]\n    healthcheck: { test: [CMD, service, check], interval: 1s, retries: 5 }\n    stop_grace_period: 10s\n";

/// A fleet on the engine, and the binary on it.
struct Place {
    binary: PathBuf,
    fleet: PathBuf,
    state: PathBuf,
}

impl Place {
    fn run(&self, line: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.arg("--state").arg(&self.state).args(line).current_dir(&self.fleet);
        measure::output(&mut command).map(drop)
    }

    /// Nothing of ours is left on the engine.
    fn clear(&self) -> Result<()> {
        if self.state.join("edge").exists() {
            self.run(&["proxy", "stop"])?;
        }
        floor::clear(SOCKET)
    }
}

/// What an update under load has shown.
struct Shown {
    report: Report,
    /// From when to when it was updated.
    from: Duration,
    to: Duration,
    /// How many of the targets, the first ones, were updated.
    updated: usize,
    /// When each of them first answered anew.
    switched: Vec<Option<Duration>>,
}

/// All rows about updates under load.
pub(crate) fn rows(table: &mut Table, root: &Path, scratch: &Path, programs: &Path) -> Result<()> {
    let place = Place {
        binary: root.join("target/release/escadre"),
        fleet: scratch.join("updated"),
        state: scratch.join("updated-state"),
    };
    ensure!(
        place.binary.exists(),
        "there is no {}; build it: cargo build --release -p escadre",
        place.binary.display()
    );
    for image in [format!("{IMAGE}:v1"), format!("{IMAGE}:v2"), neighbours::NGINX.to_owned()] {
        measure::output(Command::new("podman").args(["image", "inspect", &image]))
            .with_context(|| format!("there is no {image}; scripts/images bench makes it"))?;
    }
    let instances = std::env::var("ESCADRE_BENCH_INSTANCES").ok().and_then(|text| text.parse().ok());
    let instances = instances.unwrap_or(INSTANCES);
    place.clear()?;
    let shown = ours(&place, instances);
    place.clear()?;
    let (there, back) = shown?;
    own_rows(
        table,
        &there,
        &format!(
            "**{instances} instances × 2 services go from v1 to v2 under 200 pieces of work a second through the edge, `escadre up --yes`**"
        ),
    );
    own_rows(table, &back, "and back again, `escadre rollback --yes`");
    let compose = programs.join("docker-compose");
    if compose.exists() {
        peers::rows(table, scratch, &compose, instances)?;
    } else {
        table.add(Row::missing(
            "the same with docker compose, and with docker-rollout's method",
            "docker compose is not there",
        ));
    }
    let called = neighbours::rows(table, &place);
    place.clear()?;
    called
}

/// Two hundred pieces of work a second begin, of every kind that there is in both.
fn mix(lines: bool) -> Mix {
    let mix = Mix::default().with(Kind::Short, 100.0).with(Kind::Call, 40.0).with(Kind::Kept, 40.0);
    let mix = mix.with(Kind::Stream, 10.0).with(Kind::Socket, 5.0);
    if lines { mix.with(Kind::Lines, 5.0) } else { mix }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn port(first: u16, index: usize) -> u16 {
    first + u16::try_from(index).unwrap_or(u16::MAX - first)
}

/// The load, a while of quiet, the update, a while of quiet.
fn under_load(
    targets: Vec<Target>,
    mix: Mix,
    endless: usize,
    (updated, tag): (usize, &'static str),
    update: impl FnOnce() -> Result<()>,
) -> Result<Shown> {
    // Connections without an end at some of those that are updated, and at those that are not.
    let few: Vec<Target> = targets.iter().take(endless).chain(targets.iter().skip(updated)).cloned().collect();
    let few = few.into_iter().filter(|target| target.lines.is_some() && endless > 0).collect();
    let lines = Load::begin(few, Mix::default().with(Kind::Line, 0.0));
    let load = Load::begin(targets, mix);
    std::thread::sleep(BEFORE);
    let from = load.now();
    let done = update();
    let to = load.now();
    std::thread::sleep(AFTER);
    let (mut report, others) = (load.end(), lines.end());
    done?;
    report.loaded().map_err(|why| anyhow!("not loaded: {why}"))?;
    for index in 0..report.targets.len() {
        let tags = report.tags(index);
        let both = tags.contains("v1") && tags.contains("v2");
        ensure!(both == (index < updated), "{index}: answers came from {tags:?}");
    }
    // As pieces of the same targets.
    for mut piece in others.pieces {
        piece.target = if piece.target < endless { piece.target } else { piece.target - endless + updated };
        report.pieces.push(piece);
    }
    for failure in report.failures(|_| true).into_iter().take(12) {
        note(&failure);
    }
    let switched = (0..updated).map(|target| report.first(target, tag)).collect();
    Ok(Shown { report, from, to, updated, switched })
}

impl Shown {
    /// Was an endless connection cut by the deadline of its drain, which began when its target answered anew?
    fn by_deadline(&self, piece: &Piece) -> Option<Duration> {
        let cut = piece.kind == Kind::Line && matches!(piece.end, End::Cut(_));
        let switched = self.switched.get(piece.target).copied().flatten()?;
        let after = (piece.at + piece.took).checked_sub(switched)?;
        (cut && after >= DRAIN).then_some(after)
    }

    /// Everything that failed, but for connections that were cut by a deadline.
    fn count(&self, which: impl Fn(&Piece) -> bool) -> Count {
        self.report.count(|piece| which(piece) && self.by_deadline(piece).is_none())
    }

    fn kinds(&self, kinds: &[Kind], which: impl Fn(&Piece) -> bool) -> String {
        let each = kinds.iter().filter_map(|kind| {
            let count = self.count(|piece| piece.kind == *kind && which(piece));
            (count.all > 0).then(|| format!("{}: {count}", kind.word()))
        });
        each.collect::<Vec<_>>().join("; ")
    }

    fn during(&self, piece: &Piece) -> bool {
        piece.at >= self.from && piece.at <= self.to
    }

    fn before(&self, piece: &Piece) -> bool {
        piece.at < self.from
    }

    /// It was asked of a target about when that one was switched.
    fn at_switch(&self, piece: &Piece) -> bool {
        let first = self.switched.get(piece.target).copied().flatten();
        first.is_some_and(|first| piece.at.abs_diff(first) <= AROUND)
    }

    fn millis(&self, which: impl Fn(&Piece) -> bool) -> String {
        let one = |part| self.report.percentile(part, &which).map_or_else(|| "none".to_owned(), millis);
        format!("median {}, p99 {}, longest {}", one(0.5), one(0.99), one(1.0))
    }
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// The twenty instances, and those that stay, on the edge: the update, and the way back.
fn ours(place: &Place, instances: usize) -> Result<(Shown, Shown)> {
    let fleet = &place.fleet;
    put(
        &fleet.join("fleet.yaml"),
        &format!(
            "fleet: {FLEET}\nid: 0b5e55ed\nenvironments: {{ production: {{}} }}\ntargets:\n  host-1: {{ podman: \"unix://{SOCKET}\", edge: {{ http: {HTTP}, https: 18943 }}, pool: 10.180.0.0/16 }}\ndefaults: {{ target: host-1 }}\n"
        ),
    )?;
    let compose = COMPOSE.replace("PORTS", "    ports: [\"${LINES}:7000\"]\n");
    put(&fleet.join("products/desk/compose.yaml"), &compose)?;
    let product = |tag: &str| {
        format!(
            "product: desk\nparameters:\n  TAG: {{ type: string, default: {tag} }}\n  LINES: {{ type: integer, required: true }}\nendpoints:\n  portal: {{ service: web, port: 80, hosts: [\"${{ESCADRE_INSTANCE}}.bench.example\"], tls: off }}\n"
        )
    };
    put(&fleet.join("products/desk/product.yaml"), &product("v1"))?;
    let (mut targets, mut names) = (Vec::new(), Vec::new());
    for index in 0..instances + BYSTANDERS {
        let (name, lines) = (format!("tenant-{index:02}"), port(LINES, index));
        let stays = if index < instances { "" } else { ", TAG: v1" };
        put(
            &fleet.join(format!("instances/{name}.yaml")),
            &format!("instance: {name}\nproduct: desk\nenvironment: production\nvalues: {{ LINES: {lines}{stays} }}\n"),
        )?;
        let host = format!("{name}.bench.example").into();
        names.push(name.clone());
        targets.push(Target { name: name.into(), http: at(HTTP), host, lines: Some(at(lines)) });
    }
    place.run(&["up", "--yes"])?;
    let there = under_load(targets.clone(), mix(true), ENDLESS.min(instances), (instances, "v2"), || {
        put(&fleet.join("products/desk/product.yaml"), &product("v2"))?;
        place.run(&["up", "--yes"])
    })?;
    let who = names.iter().take(instances).map(String::as_str);
    let line: Vec<&str> = ["rollback", "--yes"].into_iter().chain(who).collect();
    let back = under_load(targets, mix(true), 0, (instances, "v1"), || place.run(&line))?;
    Ok((there, back))
}

const THROUGH: &[Kind] = &[Kind::Short, Kind::Call, Kind::Kept, Kind::Stream, Kind::Socket];
const PUBLISHED: &[Kind] = &[Kind::Lines, Kind::Line];

fn own_rows(table: &mut Table, shown: &Shown, what: &str) {
    let (updated, stayed) =
        (|piece: &Piece| piece.target < shown.updated, |piece: &Piece| piece.target >= shown.updated);
    let through = shown.count(|piece| updated(piece) && THROUGH.contains(&piece.kind));
    let took = seconds((shown.to - shown.from).as_secs_f64());
    table.add(
        Row::new(what, through.to_string())
            .beside(format!("in {took}; {}", shown.kinds(THROUGH, updated)))
            .target("0 failed", Verdict::of(through.failed() == 0)),
    );
    let published = shown.count(|piece| updated(piece) && PUBLISHED.contains(&piece.kind));
    let mut ended: Vec<Duration> = shown.report.pieces.iter().filter_map(|piece| shown.by_deadline(piece)).collect();
    ended.sort();
    let earliest = ended.first().map(|first| {
        let first = seconds(first.as_secs_f64());
        format!(
            "; {} endless ones were ended by the drain's deadline of 30 s, the earliest {first} after its switch",
            ended.len()
        )
    });
    table.add(
        Row::new("their published TCP ports meanwhile", published.to_string())
            .beside(format!("{}{}", shown.kinds(PUBLISHED, updated), earliest.unwrap_or_default()))
            .target("0 refused or cut before the deadline", Verdict::of(published.failed() == 0)),
    );
    let others = shown.count(stayed);
    table.add(
        Row::new(
            format!("{BYSTANDERS} instances beside them that are not updated, on the same edge"),
            others.to_string(),
        )
        .beside(shown.kinds(&[THROUGH, PUBLISHED].concat(), stayed))
        .target("0 failed", Verdict::of(others.failed() == 0)),
    );
    table.add(
        Row::new("answers of each within a second of its own switch", shown.millis(|piece| shown.at_switch(piece)))
            .beside(format!(
                "of all during the whole update: {}; of the {BYSTANDERS} beside them: {}; in the {} s before: {}",
                shown.millis(|piece| shown.during(piece)),
                shown.millis(|piece| shown.during(piece) && stayed(piece)),
                BEFORE.as_secs(),
                shown.millis(|piece| shown.before(piece)),
            )),
    );
}

/// A folder of its own for a peer's files.
fn folder(scratch: &Path, name: &str) -> Result<PathBuf> {
    let folder = scratch.join(name);
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}
