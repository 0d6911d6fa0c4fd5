//! The edge beside Debian's nginx: what a request costs, how long it takes, what connections and routes hold; and what is lost when the edge is renewed or killed.
//!
//! In: the release binary, nginx, wrk, rustc for the tests' service. Out: rows of the table.
//! **Invariant:** both proxies run at once and are asked in turns, so that what else the machine does meets both; processor time is the processes' own, all of them.
//! Not here: updates of instances (`update`), the edge's memory without connections (`engine`).
//! Tests: a load with one answer that is not good is an error.

mod breaks;
mod load;
mod servers;

pub(super) use load::case;

use super::measure::median;
use super::planning::{megabytes, seconds};
use super::table::{Row, Table, Verdict, note};
use anyhow::{Context, Result, ensure};
use escadre_edge::files;
use load::{Idle, Scheme};
use servers::{Certificate, NGINX, Nginx, OURS, Ours, at, cpu_seconds, memory};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Pairs of runs, one of ours and one of nginx's.
const PAIRS: usize = 5;
/// How long a run takes.
const RUN: Duration = Duration::from_secs(4);
/// Routes of a large host.
const ROUTES: usize = 1_000;
/// Changes of them.
const CHANGES: usize = 50;
/// Connections that stay open: as many as the edge takes.
const IDLE: usize = 10_000;
/// The edge lets go of one that said nothing for a minute; some of that is for measuring.
const LET_GO: Duration = Duration::from_secs(50);
/// What a request may cost, and how late its answer may come, measured by nginx's.
const NEAR: f64 = 1.3;
/// How long the edge may take to change routes (microseconds).
const CHANGE: f64 = 50.0;

/// What all measurements stand on.
struct Place {
    binary: PathBuf,
    folder: PathBuf,
    certificate: Certificate,
    /// Behind both proxies, as long as this lives.
    _upstream: Nginx,
}

/// All rows about the edge.
pub(crate) fn rows(table: &mut Table, root: &Path, scratch: &Path) -> Result<()> {
    let binary = root.join("target/release/escadre");
    ensure!(binary.exists(), "there is no {}; build it: cargo build --release -p escadre", binary.display());
    for program in ["nginx", "wrk"] {
        let there = Command::new(program).arg("-v").output();
        ensure!(there.is_ok(), "there is no {program}; scripts/install bench installs it");
    }
    let folder = scratch.join("edge");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let certificate = Certificate::make(&folder)?;
    let upstream = Nginx::upstream(&folder.join("upstream"))?;
    let place = Place { binary, folder, certificate, _upstream: upstream };
    beside_nginx(table, &place)?;
    large(table, &place)?;
    breaks::rows(table, root, &place)
}

/// One run: what a request cost, and what else it showed.
struct Run {
    /// Processor time of a request, in seconds.
    cpu: f64,
    /// Requests a second; or the time below which 99 of 100 answers came, in seconds.
    shown: f64,
    middle: f64,
}

/// Two proxies, in turns.
struct Pairs {
    ours: Vec<Run>,
    nginx: Vec<Run>,
}

impl Pairs {
    /// Every second pair begins with the other one.
    fn measure(mut one: impl FnMut(bool) -> Result<Run>) -> Result<Self> {
        let mut pairs = Self { ours: Vec::new(), nginx: Vec::new() };
        for number in 0..PAIRS {
            for ours in [number % 2 == 0, number % 2 != 0] {
                let run = one(ours)?;
                if ours { pairs.ours.push(run) } else { pairs.nginx.push(run) }
            }
        }
        Ok(pairs)
    }

    /// The median of the ratios of the pairs.
    fn ratio(&self, of: impl Fn(&Run) -> f64) -> (f64, String) {
        let ratios: Vec<f64> = self.ours.iter().zip(&self.nginx).map(|(ours, nginx)| of(ours) / of(nginx)).collect();
        let all = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(", ");
        (median(&ratios), all)
    }
}

fn middle(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    median(&runs.iter().map(of).collect::<Vec<_>>())
}

fn micros(seconds: f64) -> String {
    format!("{:.1} µs", seconds * 1e6)
}

fn millis(seconds: f64) -> String {
    format!("{:.2} ms", seconds * 1e3)
}

/// What a request costs, as much as goes and at half of that; how long it takes then.
fn beside_nginx(table: &mut Table, place: &Place) -> Result<()> {
    let dir = place.folder.join("ours");
    let routes = servers::routes(&dir, &place.certificate, 1)?;
    let ours = Ours::begin(&place.binary, &dir, &routes)?;
    let nginx = Nginx::proxy(&place.folder.join("nginx"), &place.certificate, 1)?;
    let process = |is_ours: bool| if is_ours { ours.holder.id() } else { nginx.process.id() };
    for (scheme, what) in [(Scheme::Plain, "plain HTTP"), (Scheme::Tls, "TLS")] {
        let port = |is_ours: bool| match (is_ours, scheme) {
            (true, Scheme::Plain) => OURS.http,
            (true, Scheme::Tls) => OURS.https,
            (false, Scheme::Plain) => NGINX.http,
            (false, Scheme::Tls) => NGINX.https,
        };
        for is_ours in [true, false] {
            load::saturate(scheme, port(is_ours), Duration::from_secs(1))?;
        }
        let full = Pairs::measure(|is_ours| {
            let before = cpu_seconds(process(is_ours))?;
            let (requests, rate) = load::saturate(scheme, port(is_ours), RUN)?;
            Ok(Run { cpu: (cpu_seconds(process(is_ours))? - before) / requests, shown: rate, middle: 0.0 })
        })?;
        costs(table, &full, &format!("**a request through the edge, {what}, as many as go: processor time**"));
        let (ratio, _) = full.ratio(|run| run.shown);
        let rate = middle(&full.nginx, |run| run.shown) / 2.0;
        table.add(
            Row::new(format!("requests a second then, {what}"), format!("{:.0}", middle(&full.ours, |run| run.shown)))
                .beside(format!(
                    "{ratio:.2}× of nginx's {:.0}; the load and the server behind take the same processors",
                    rate * 2.0
                )),
        );
        let half = Pairs::measure(|is_ours| {
            let before = cpu_seconds(process(is_ours))?;
            let paced = load::pace(scheme, at(port(is_ours)), rate, RUN, &place.certificate.chain)?;
            let cpu = (cpu_seconds(process(is_ours))? - before) / paced.requests;
            Ok(Run { cpu, shown: paced.p99, middle: paced.median })
        })?;
        costs(table, &half, &format!("the same, {what}, {rate:.0} a second, half of what nginx can"));
        let (ratio, all) = half.ratio(|run| run.shown);
        let of = |runs: &[Run], which: fn(&Run) -> f64| millis(middle(runs, which));
        table.add(
            Row::new(
                format!("**p99 of the answers then, {what}**"),
                format!("{ratio:.2}× of nginx's ({})", of(&half.ours, |run| run.shown)),
            )
            .beside(format!(
                "nginx {}; medians {} and {}; pairs: {all}",
                of(&half.nginx, |run| run.shown),
                of(&half.ours, |run| run.middle),
                of(&half.nginx, |run| run.middle)
            ))
            .target(format!("≤ {NEAR}×"), Verdict::of(ratio <= NEAR)),
        );
    }
    Ok(())
}

fn costs(table: &mut Table, pairs: &Pairs, what: &str) {
    let (ratio, all) = pairs.ratio(|run| run.cpu);
    table.add(
        Row::new(what, format!("{ratio:.2}× of nginx's ({})", micros(middle(&pairs.ours, |run| run.cpu))))
            .beside(format!(
                "nginx {}; all processes of both; median of {PAIRS} interleaved pairs: {all}",
                micros(middle(&pairs.nginx, |run| run.cpu))
            ))
            .target(format!("≤ {NEAR}×"), Verdict::of(ratio <= NEAR)),
    );
}

/// A thousand routes, changed one by one; ten thousand connections that say nothing.
fn large(table: &mut Table, place: &Place) -> Result<()> {
    let dir = place.folder.join("large");
    let routes = servers::routes(&dir, &place.certificate, ROUTES)?;
    let ours = Ours::begin(&place.binary, &dir, &routes)?;
    changes(table, &ours)?;
    drop(ours);
    let mut held = Vec::new();
    for scheme in [Scheme::Plain, Scheme::Tls] {
        // Anew, so that nothing of the one stays for the other.
        let ours = Ours::begin(&place.binary, &dir, &files::read_routes(&dir).context("read routes")?)?;
        let nginx = Nginx::proxy(&place.folder.join("nginx-large"), &place.certificate, ROUTES)?;
        let of = |process, ports: servers::Ports| -> Result<(f64, Option<f64>)> {
            let port = if scheme == Scheme::Plain { ports.http } else { ports.https };
            let before = memory(process)?;
            let idle = idle(scheme, at(port), place)?;
            let with = idle.as_ref().map(|_open| memory(process)).transpose()?;
            Ok((before, with))
        };
        held.push((of(ours.holder.id(), OURS)?, of(nginx.process.id(), NGINX)?));
    }
    let mut names = ["plain HTTP", "TLS"].iter();
    if let Some(((before, _), (nginx, _))) = held.first() {
        table
            .add(Row::new(format!("the edge with {ROUTES} routes, before any connection"), megabytes(*before)).beside(
                format!("proportional (PSS), all processes; nginx with as many servers {}", megabytes(*nginx)),
            ));
    }
    for ((before, with), (nginx_before, nginx_with)) in held {
        let what = format!("the same with {IDLE} idle connections, {}", names.next().unwrap_or(&""));
        let Some((with, nginx_with)) = with.zip(nginx_with) else {
            table.add(Row::missing(what, "the machine was too busy: the first ended before the last one was opened"));
            continue;
        };
        let each = |more: f64| format!("{:.1} kB", more / IDLE as f64 / 1e3);
        table.add(Row::new(what, megabytes(with)).beside(format!(
            "{} each; nginx {}, {} each; each had one answer; the kernel's part is in neither",
            each(with - before),
            megabytes(nginx_with),
            each(nginx_with - nginx_before)
        )));
    }
    Ok(())
}

/// So many connections; nothing if opening them took too long.
fn idle(scheme: Scheme, to: SocketAddr, place: &Place) -> Result<Option<Idle>> {
    let began = Instant::now();
    let idle = Idle::begin(scheme, to, IDLE, &place.certificate.chain)?;
    let took = began.elapsed();
    note(&format!("{IDLE} connections to {to} in {}", seconds(took.as_secs_f64())));
    Ok(Some(idle).filter(|_open| took < LET_GO))
}

/// One route of a thousand leads elsewhere, again and again.
fn changes(table: &mut Table, ours: &Ours) -> Result<()> {
    let (mut swaps, mut asked, mut written) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..CHANGES {
        let began = Instant::now();
        let port = 20_000 + u16::try_from(number).unwrap_or(0);
        let routes = files::update_routes(&ours.dir, |routes| {
            let backend = routes.routes.get_mut(number + 1).and_then(|route| route.backends.first_mut());
            if let Some(backend) = backend {
                backend.address = at(port);
            }
        });
        let generation = routes.context("change a route")?.generation;
        let told = Instant::now();
        let loaded = ours.ask(ours.client.load(generation)).context("load")?;
        ensure!(loaded.generation == generation, "another generation is served");
        swaps.push(loaded.swap_us as f64);
        asked.push(told.elapsed().as_secs_f64());
        written.push(began.elapsed().as_secs_f64());
    }
    let longest = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    table.add(
        Row::new(
            format!("**one of {ROUTES} routes leads elsewhere: the change inside the edge**"),
            format!("{:.0} µs", median(&swaps)),
        )
        .beside(format!(
            "from the table before to the next one, which no request waits for; median of {CHANGES}, longest {:.0} µs",
            longest(&swaps)
        ))
        .target(format!("≤ {CHANGE:.0} µs"), Verdict::of(median(&swaps) <= CHANGE)),
    );
    table.add(
        Row::new("the same, from the step that asks for it to the acknowledgement", millis(median(&asked))).beside(
            format!(
                "the edge reads, checks and compiles the whole file of {ROUTES}; longest {}; with writing the file for good before it: {}, longest {}",
                millis(longest(&asked)),
                millis(median(&written)),
                millis(longest(&written))
            ),
        ),
    );
    Ok(())
}
