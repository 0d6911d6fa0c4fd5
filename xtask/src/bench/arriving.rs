//! Arriving measured: projects that docker compose runs, read and written as a fleet.
//!
//! In: the release binary, docker compose, the engine's socket, the image of the tests. Out: a row of the table.
//! **Invariant:** the projects really run while they are read; what was made here is removed, also after a failure.
//! Not here: the loader alone (`compose`), adopting (`escadre/tests/it/adopt.rs`).
//! Tests: each run must write an instance for every project.

use super::engine::{IMAGE, project};
use super::fleet::{self, Product, SOCKET};
use super::floor;
use super::measure::{self, timed};
use super::planning::seconds;
use super::table::{Row, Table, Verdict, note};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// How many projects, of five services each.
const MANY: usize = 40;
/// How often they are read; the middle counts.
const TIMES: usize = 5;

/// The row about `import compose`.
pub(crate) fn rows(table: &mut Table, root: &Path, scratch: &Path, peers: &Path) -> Result<()> {
    let what = format!("**`escadre import compose` of {MANY} running projects of five services**");
    let (binary, program) = (root.join("target/release/escadre"), peers.join("docker-compose"));
    let missing = if !binary.exists() {
        "there is no release binary: cargo build --release -p escadre"
    } else if !program.exists() {
        "docker compose is not there"
    } else if !Path::new(SOCKET).exists() {
        "no engine is here"
    } else {
        ""
    };
    if !missing.is_empty() {
        table.add(Row::missing(what, missing));
        return Ok(());
    }
    let source = scratch.join("arriving");
    fleet::write(&source, 1, Product::Small, IMAGE, SOCKET)?;
    floor::clear_projects(SOCKET)?;
    note(&format!("starting {MANY} projects"));
    let started = (0..MANY).try_for_each(|index| project(&program, &source, index));
    let measured = started.and_then(|()| (0..TIMES).map(|run| import(&binary, scratch, run)).collect());
    floor::clear_projects(SOCKET)?;
    let took: Vec<f64> = measured?;
    let longest = took.iter().copied().fold(0.0, f64::max);
    let took = measure::median(&took);
    table.add(
        Row::new(what, seconds(took))
            .beside(format!(
                "a process from start to end, {} containers; median of {TIMES}, the longest {}",
                MANY * 5,
                seconds(longest)
            ))
            .target("≤ 3 s", Verdict::of(took <= 3.0)),
    );
    Ok(())
}

/// One import into an empty folder, in seconds.
fn import(binary: &Path, scratch: &Path, run: usize) -> Result<f64> {
    let folder = scratch.join(format!("imported-{run}"));
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut command = Command::new(binary);
    command.arg("--state").arg(scratch.join("state-import"));
    command.args(["import", "compose", "--environment", "production", "--product", "small", "--yes"]);
    command.args((0..MANY).map(|index| format!("{}{index:02}", floor::PROJECTS)));
    command.current_dir(&folder).env("HOME", &folder).env("CONTAINER_HOST", format!("unix://{SOCKET}"));
    let (done, time) = timed(|| measure::output(&mut command));
    done?;
    let written = fs::read_dir(folder.join("instances")).context("list the instances")?.count();
    ensure!(written >= MANY, "{written} instances were written for {MANY} projects");
    Ok(time.as_secs_f64())
}
