//! What is lost when the edge is renewed, and when its processes are killed, under a load of every kind.
//!
//! In: the edge, the tests' service behind it. Out: rows of the table.
//! **Invariant:** every piece of work is counted; what began before a kill and broke is told apart from what came after it.
//! Not here: updates of what is behind the edge (`update`).
//! Tests: `Report::loaded`.

use super::servers::{HOST, OURS, Ours, at, signal};
use super::{Place, millis};
use crate::bench::measure::{self, median};
use crate::bench::table::{Row, Table, Verdict, note};
use anyhow::{Context, Result, anyhow};
use escadre_model::routes::{Backend, Route, Routes, TcpRoute};
use escadre_testkit::load::{End, Kind, Load, Mix, Piece, Report, Target};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The service, and where the edge listens for its lines.
const SERVICE: u16 = 19_410;
const LINES: u16 = 19_411;
const OURS_LINES: u16 = 19_412;
/// New workers, one after the other, while the load goes on.
const UPGRADES: usize = 5;
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(1500);
/// Kills of each process, each of an edge of its own.
const KILLS: usize = 3;
/// The load before and after a kill.
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(4);
/// After how long systemd starts a holder again, as `escadre proxy install` tells it to (`RestartSec`).
const RESTART: Duration = Duration::from_millis(250);

/// The service of tests, on this host; it ends with this value.
struct Service(Child);

impl Service {
    fn begin(root: &Path, place: &Place) -> Result<Self> {
        let program = place.folder.join("service");
        let source = root.join("crates/escadre-testkit/examples/service.rs");
        measure::output(Command::new("rustc").args(["--edition", "2024", "-O", "-o"]).arg(&program).arg(source))?;
        let mut command = Command::new(program);
        command.env("PORT", SERVICE.to_string()).env("LINES", LINES.to_string()).env("TAG", "v1");
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("start the service")?;
        Ok(Self(process))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has no other end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// All rows.
pub(super) fn rows(table: &mut Table, root: &Path, place: &Place) -> Result<()> {
    let _service = Service::begin(root, place)?;
    upgrades(table, place)?;
    kills(table, place)
}

fn begin(place: &Place, name: &str) -> Result<Ours> {
    let mut routes = Routes::empty(1);
    routes.http_listen.push(at(OURS.http));
    let mut web = Route::new("bench/service/web", vec![HOST.to_owned()]);
    web.backends.push(Backend::new("service", at(SERVICE)));
    routes.routes.push(web);
    let mut lines = TcpRoute::new("bench/service/lines", at(OURS_LINES));
    lines.backends.push(Backend::new("service-lines", at(LINES)));
    routes.tcp.push(lines);
    Ours::begin(&place.binary, &place.folder.join(name), &routes)
}

fn load() -> Load {
    let target = Target { name: "edge".into(), http: at(OURS.http), host: HOST.into(), lines: Some(at(OURS_LINES)) };
    let mix = Mix::default().with(Kind::Short, 200.0).with(Kind::Kept, 100.0).with(Kind::Stream, 10.0);
    Load::begin(vec![target], mix.with(Kind::Socket, 5.0).with(Kind::Lines, 5.0))
}

const KINDS: [Kind; 5] = [Kind::Short, Kind::Kept, Kind::Stream, Kind::Socket, Kind::Lines];

/// What failed of each kind, of what began before a moment of each report.
fn kinds(reports: &[(&Report, Duration)]) -> String {
    let each = KINDS.iter().map(|kind| {
        let of = |piece: &Piece, end: Duration| piece.kind == *kind && piece.at < end;
        let counts = reports.iter().map(|(report, end)| report.count(|piece| of(piece, *end)));
        let (failed, all) = counts.fold((0, 0), |(failed, all), count| (failed + count.failed(), all + count.all));
        format!("{}: {failed} of {all}", kind.word())
    });
    each.collect::<Vec<_>>().join("; ")
}

fn loaded(report: &Report) -> Result<()> {
    for failure in report.failures(|_| true).into_iter().take(6) {
        note(&failure);
    }
    report.loaded().map_err(|why| anyhow!("not loaded: {why}"))
}

/// New workers take over the listeners while everything goes on.
fn upgrades(table: &mut Table, place: &Place) -> Result<()> {
    let ours = begin(place, "upgraded")?;
    let load = load();
    std::thread::sleep(BEFORE);
    let mut took = Vec::new();
    for _ in 0..UPGRADES {
        let began = Instant::now();
        ours.ask(ours.client.upgrade()).context("upgrade")?;
        took.push(began.elapsed().as_secs_f64());
        std::thread::sleep(PAUSE);
    }
    let report = load.end();
    loaded(&report)?;
    let all = report.count(|_| true);
    let one = |part| report.percentile(part, |_| true).unwrap_or_default().as_secs_f64();
    table.add(
        Row::new(
            format!("**the edge is renewed {UPGRADES} times under load, its listeners handed over**"),
            all.to_string(),
        )
        .beside(format!(
            "failed: {}; p99 {}, longest {}; from asking to the new worker's answer {}",
            kinds(&[(&report, Duration::MAX)]),
            millis(one(0.99)),
            millis(one(1.0)),
            millis(median(&took))
        ))
        .target("0 failed", Verdict::of(all.failed() == 0)),
    );
    Ok(())
}

/// A kill under load: when it was, and what the load showed.
struct Kill {
    at: Duration,
    report: Report,
}

impl Kill {
    /// The longest time that a new connection took to its answer after the kill, of those that had one.
    fn waited(&self) -> f64 {
        let new = |piece: &&Piece| piece.kind == Kind::Short && piece.at >= self.at;
        let good = |piece: &&Piece| matches!(piece.end, End::Good(_));
        let took = self.report.pieces.iter().filter(new).filter(good).map(|piece| piece.took.as_secs_f64());
        took.fold(0.0, f64::max)
    }

    /// From the kill to the first answer on a connection that began after the last refused one.
    fn away(&self) -> f64 {
        let new = |piece: &&Piece| piece.kind == Kind::Short && piece.at >= self.at;
        let bad = |piece: &&Piece| !matches!(piece.end, End::Good(_));
        let last = self.report.pieces.iter().filter(new).filter(bad).map(|piece| piece.at).max();
        last.map_or(0.0, |last| last.saturating_sub(self.at).as_secs_f64())
    }
}

fn kills(table: &mut Table, place: &Place) -> Result<()> {
    let mut killed = Vec::new();
    for number in 0..KILLS {
        let ours = begin(place, &format!("worker-killed-{number}"))?;
        killed.push(kill(ours.worker()?, || Ok(()))?);
    }
    told(table, "the worker", "the holder starts another one at once", &killed);
    let mut killed = Vec::new();
    for number in 0..KILLS {
        let mut ours = begin(place, &format!("holder-killed-{number}"))?;
        killed.push(kill(ours.holder.id(), || {
            std::thread::sleep(RESTART);
            ours.begin_again()
        })?);
    }
    told(
        table,
        "the holder",
        "started again a quarter of a second later, as the unit has it, but without the listeners that systemd keeps for it",
        &killed,
    );
    Ok(())
}

/// Kills a process under load, and does what is done about it.
fn kill(process: u32, then: impl FnOnce() -> Result<()>) -> Result<Kill> {
    let load = load();
    std::thread::sleep(BEFORE);
    let at = load.now();
    signal("-KILL", process)?;
    let done = then();
    std::thread::sleep(AFTER);
    let report = load.end();
    done?;
    loaded(&report)?;
    Ok(Kill { at, report })
}

fn told(table: &mut Table, who: &str, how: &str, killed: &[Kill]) {
    let before: Vec<(&Report, Duration)> = killed.iter().map(|kill| (&kill.report, kill.at)).collect();
    let count = |before: bool| {
        let counts = killed.iter().map(|kill| kill.report.count(|piece| (piece.at < kill.at) == before));
        counts.fold((0, 0), |(failed, all), count| (failed + count.failed(), all + count.all))
    };
    let (broken, (failed, all)) = (count(true), count(false));
    let waited: Vec<f64> = killed.iter().map(Kill::waited).collect();
    let away: Vec<f64> = killed.iter().map(Kill::away).collect();
    let longest = waited.iter().copied().fold(0.0, f64::max);
    let refused = if failed == 0 {
        String::new()
    } else {
        format!("; the last of them {} after the kill", millis(median(&away)))
    };
    table.add(
        Row::new(
            format!("`kill -9` of {who} under load, {} times: what comes after it", killed.len()),
            format!("{failed} of {all} failed{refused}"),
        )
        .beside(format!(
            "{how}; a new connection waits {} at the most (median of {}, longest {}); broken of what had begun: {} of {} ({})",
            millis(median(&waited)),
            killed.len(),
            millis(longest),
            broken.0,
            broken.1,
            kinds(&before),
        ))
        .target("0 failed", Verdict::of(failed == 0)),
    );
}
