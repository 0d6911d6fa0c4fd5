//! A real engine measured: twenty instances of five services from nothing, by the real binary, by a bare loop of the same calls, and by docker compose.
//!
//! In: the release binary, the engine's socket, the image of the tests. Out: rows of the table.
//! **Invariant:** pairs are interleaved, so that whatever else the machine does falls on both; what was made carries our fleet's label and is removed.
//! Not here: planning (`planning`), the bare loop (`floor`), counting calls (`wire`).
//! Tests: the number of containers is checked after every run.

use super::fleet::{self, FLEET, Product, SOCKET};
use super::floor::{self, Calls};
use super::measure::{self, timed};
use super::planning::{megabytes, seconds};
use super::table::{Row, Table, Verdict, note};
use super::wire::Tap;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How many instances, of five services each.
const INSTANCES: usize = 20;
/// How many pairs, unless the word `ESCADRE_BENCH_PAIRS` says otherwise.
const PAIRS: usize = 5;
/// The image; its first program is replaced by a web server.
pub(super) const IMAGE: &str = "localhost/escadre-test/base:v1";

/// Where everything is.
struct Place<'a> {
    binary: PathBuf,
    peers: &'a Path,
    /// The fleet's folder.
    fleet: PathBuf,
    /// A state folder; a new one for each run from nothing.
    state: PathBuf,
    scratch: &'a Path,
}

/// All rows about the engine.
pub(crate) fn rows(table: &mut Table, root: &Path, scratch: &Path, peers: &Path) -> Result<()> {
    let place = Place {
        binary: root.join("target/release/escadre"),
        peers,
        fleet: scratch.join("small"),
        state: scratch.join("state"),
        scratch,
    };
    ensure!(
        place.binary.exists(),
        "there is no {}; build it: cargo build --release -p escadre",
        place.binary.display()
    );
    fleet::write(&place.fleet, INSTANCES, Product::Small, IMAGE, SOCKET)?;
    floor::clear(SOCKET)?;
    let measured = everything(table, &place);
    // Also after a failure: nothing of ours stays.
    let stopped = stop_edge(&place, &place.state);
    floor::clear(SOCKET)?;
    measured.and(stopped)
}

fn everything(table: &mut Table, place: &Place<'_>) -> Result<()> {
    let calls = recorded(place)?;
    let pairs = std::env::var("ESCADRE_BENCH_PAIRS").ok().and_then(|text| text.parse().ok()).unwrap_or(PAIRS);
    let (mut ours, mut bare, mut ratios, mut again) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for pair in 0..pairs {
        // Who begins takes turns.
        for turn in 0..2 {
            floor::clear(SOCKET)?;
            if (turn + pair) % 2 == 0 {
                bare.push(floor::run(SOCKET, &calls)?.as_secs_f64());
            } else {
                fresh(place)?;
                ours.push(up(place)?.as_secs_f64());
                count(INSTANCES * 5)?;
                for _ in 0..3 {
                    again.push(up(place)?.as_secs_f64());
                }
            }
        }
        if let (Some(ours), Some(bare)) = (ours.last(), bare.last()) {
            note(&format!("pair {}: ours {}, bare {}", pair + 1, seconds(*ours), seconds(*bare)));
            ratios.push(ours / bare);
        }
    }
    // The last run may have been the bare one: one apply more, on which the second one is counted.
    floor::clear(SOCKET)?;
    fresh(place)?;
    up(place)?;
    let counted = unchanged_calls(place)?;
    let (ours, bare, ratio) = (measure::median(&ours), measure::median(&bare), measure::median(&ratios));
    let spelled: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    table.add(
        Row::new("**20 instances × 5 services from nothing, `escadre up --yes`**", seconds(ours))
            .beside(format!("median of {pairs} pairs; {ratio:.2}× of the bare loop (pairs: {})", spelled.join(", ")))
            .target("≤ 1.2×", Verdict::of(ratio <= 1.2)),
    );
    table.add(
        Row::new("a bare loop of the same calls with the same wait, 2 workers", seconds(bare))
            .beside(format!("{} calls that change something", calls.changing)),
    );
    let again = measure::median(&again);
    table.add(
        Row::new("the second apply, nothing changed", seconds(again))
            .beside("a process from start to end")
            .target("≤ 0.5 s", Verdict::of(again <= 0.5)),
    );
    let (reads, mutates) = counted;
    table.add(
        Row::new("calls of that second apply, counted on the socket", format!("{mutates} mutating, {reads} reading"))
            .target("0 mutating", Verdict::of(mutates == 0)),
    );
    idle_edge(table, place)?;
    stop_edge(place, &place.state)?;
    floor::clear(SOCKET)?;
    super::build::row(table, &place.binary, place.scratch, IMAGE)?;
    compose(table, place)
}

/// One run through a tap: the calls that a bare loop repeats.
fn recorded(place: &Place<'_>) -> Result<Calls> {
    fresh(place)?;
    let tap = Tap::new(&place.scratch.join("tap.sock"), Path::new(SOCKET))?;
    fleet::head(&place.fleet, &tap.socket.display().to_string())?;
    up(place)?;
    fleet::head(&place.fleet, SOCKET)?;
    count(INSTANCES * 5)?;
    let calls = floor::calls(tap.take())?;
    note(&format!("recorded the {} changing calls of a first apply", calls.changing));
    ensure!(calls.changing >= INSTANCES * 11, "too few calls were recorded: {}", calls.changing);
    stop_edge(place, &place.state)?;
    // The recorded containers bind files of this state folder, so it stays.
    fs::rename(&place.state, place.scratch.join("recorded")).context("keep the recorded state")?;
    calls.moved(&place.state, &place.scratch.join("recorded"))
}

/// What an apply without changes asks of the engine: reading calls, mutating calls.
fn unchanged_calls(place: &Place<'_>) -> Result<(usize, usize)> {
    let tap = Tap::new(&place.scratch.join("tap-again.sock"), Path::new(SOCKET))?;
    fleet::head(&place.fleet, &tap.socket.display().to_string())?;
    up(place)?;
    fleet::head(&place.fleet, SOCKET)?;
    let heard = tap.take();
    ensure!(!heard.is_empty(), "the apply did not come through the tap");
    let mutates = heard.iter().filter(|call| call.mutates()).count();
    Ok((heard.len() - mutates, mutates))
}

/// A state folder in which nothing is; the edge of the former one stops.
fn fresh(place: &Place<'_>) -> Result<()> {
    if place.state.exists() {
        stop_edge(place, &place.state)?;
        fs::remove_dir_all(&place.state).context("remove the state folder")?;
    }
    Ok(())
}

fn stop_edge(place: &Place<'_>, state: &Path) -> Result<()> {
    if state.join("edge").exists() {
        measure::output(Command::new(&place.binary).arg("--state").arg(state).args(["proxy", "stop"]))?;
    }
    Ok(())
}

fn up(place: &Place<'_>) -> Result<Duration> {
    let mut command = Command::new(&place.binary);
    command.arg("--state").arg(&place.state).args(["up", "--yes"]).current_dir(&place.fleet);
    let (done, took) = timed(|| measure::output(&mut command));
    done?;
    Ok(took)
}

fn count(wanted: usize) -> Result<()> {
    let text = measure::output(Command::new("podman").args([
        "ps",
        "--quiet",
        "--filter",
        &format!("label=dev.escadre.fleet={FLEET}"),
    ]))?;
    ensure!(text.lines().count() == wanted, "{} containers run instead of {wanted}", text.lines().count());
    Ok(())
}

/// The edge that carries the twenty instances' routes, with nothing to do: all of its processes.
fn idle_edge(table: &mut Table, place: &Place<'_>) -> Result<()> {
    std::thread::sleep(Duration::from_secs(2));
    let folder = place.state.join("edge").display().to_string();
    let (mut resident, mut shared, mut processes) = (0.0, 0.0, 0);
    for entry in fs::read_dir("/proc").context("list processes")? {
        let path = entry.context("list processes")?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.chars().all(|digit| digit.is_ascii_digit()) || !is_edge(&path, &folder, &place.binary) {
            continue;
        }
        resident += measure::status_bytes(&name, "VmRSS:")? as f64;
        shared += measure::kilobytes(&path.join("smaps_rollup"), "Pss:")? as f64;
        processes += 1;
    }
    ensure!(processes > 0, "the edge does not run");
    table.add(
        Row::new(format!("the edge, idle, with the routes of 20 instances: {processes} processes"), megabytes(shared))
            .beside(format!("proportional (PSS); resident, shared pages counted twice: {}", megabytes(resident)))
            .target("≤ 15 MB", Verdict::of(shared <= 15e6)),
    );
    Ok(())
}

/// The holder names its folder; the worker is a child of it and names nothing.
fn is_edge(process: &Path, folder: &str, binary: &Path) -> bool {
    let words = |process: &Path| fs::read(process.join("cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&words(process)).replace('\0', " ");
    if text.contains(folder) && text.contains(" proxy") {
        return true;
    }
    let ours = text.starts_with(&*binary.to_string_lossy()) && text.contains(" proxy worker");
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).map(str::trim).unwrap_or_default();
    ours && String::from_utf8_lossy(&words(Path::new(&format!("/proc/{parent}")))).contains(folder)
}

/// docker compose over the same socket: one project after the other, then four at once. It does not wait until they work.
fn compose(table: &mut Table, place: &Place<'_>) -> Result<()> {
    let program = place.peers.join("docker-compose");
    for (what, at_once) in [("one by one", 1), ("four at once", 4)] {
        let what = format!("`docker compose up -d` over the same socket, {what}, without waiting until they work");
        if !program.exists() {
            table.add(Row::missing(what, "docker compose is not there"));
            continue;
        }
        let began = Instant::now();
        let done: Result<Vec<()>> = std::thread::scope(|scope| {
            let lines = (0..at_once).map(|line| {
                let program = &program;
                scope.spawn(move || {
                    (line..INSTANCES).step_by(at_once).try_for_each(|index| project(program, &place.fleet, index))
                })
            });
            let lines: Vec<_> = lines.collect();
            lines.into_iter().map(|line| line.join().map_err(|_| anyhow::anyhow!("a line panicked"))?).collect()
        });
        let took = began.elapsed().as_secs_f64();
        floor::clear_projects(SOCKET)?;
        done?;
        table.add(Row::new(what, seconds(took)).beside("once"));
    }
    Ok(())
}

/// Starts one of docker compose's projects.
pub(super) fn project(program: &Path, fleet: &Path, index: usize) -> Result<()> {
    let mut command = Command::new(program);
    command
        .args(["-p", &format!("{}{index:02}", floor::PROJECTS), "-f", "products/small/compose.yaml", "up", "-d"])
        .env("DOCKER_HOST", format!("unix://{SOCKET}"))
        .env("DOMAIN", format!("tenant-{index:05}.example"))
        .env("SEATS", (10 + index % 90).to_string())
        .current_dir(fleet);
    measure::output(&mut command).map(drop)
}
