//! An image built from the files, when nothing of them changed: how long `up` takes, and what it asks of the engine.
//!
//! In: the release binary, Podman's socket, the image of the tests. Out: a row of the table.
//! **Invariant:** the context is no toy (two hundred files, four megabytes), and is read and hashed by every run.
//! Not here: how fast a builder builds.
//! Tests: the image that is there before and after is the same.

use super::fleet::SOCKET;
use super::measure::{self, timed};
use super::planning::seconds;
use super::table::{Row, Table, Verdict};
use super::wire::Tap;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The project's name.
const PROJECT: &str = "escadre-bench-build";
/// How often; the middle counts.
const TIMES: usize = 9;

/// The row.
pub(crate) fn row(table: &mut Table, binary: &Path, scratch: &Path, image: &str) -> Result<()> {
    let folder = scratch.join("build");
    let context = folder.join("app");
    fs::create_dir_all(&context).context("make the context")?;
    for number in 0..200_usize {
        fs::write(context.join(format!("file-{number:03}")), format!("{number:020}\n").repeat(1_000))?;
    }
    fs::write(context.join("Dockerfile"), format!("FROM {image}\nCOPY . /srv/all/\n"))?;
    let compose = format!("name: {PROJECT}\nservices: {{ app: {{ build: app, stop_grace_period: 1s }} }}\n");
    fs::write(folder.join("compose.yaml"), compose)?;
    let call = |line: &[&str], socket: &str| {
        let mut command = Command::new(binary);
        command.arg("--state").arg(scratch.join("state-build")).args(line).current_dir(&folder);
        measure::output(command.env("CONTAINER_HOST", format!("unix://{socket}")))
    };
    let measured = measure(&call, scratch);
    // Also after a failure: nothing of ours stays.
    call(&["down", "--yes"], SOCKET)?;
    call(&["proxy", "stop"], SOCKET)?;
    measure::output(Command::new("podman").args(["rmi", "-f", &format!("{PROJECT}-app")]))?;
    let (took, built, mutates) = measured?;
    table.add(
        Row::new("`build:` unchanged (200 files, 4 MB), `escadre up`", seconds(took))
            .beside(format!("a process from start to end; {built} calls of the builder, {mutates} mutating"))
            .target("≤ 50 ms, no builder call", Verdict::of(took <= 0.050 && built == 0)),
    );
    Ok(())
}

fn measure(call: &dyn Fn(&[&str], &str) -> Result<String>, scratch: &Path) -> Result<(f64, usize, usize)> {
    let id = || measure::output(Command::new("podman").args(["images", "-q", &format!("{PROJECT}-app")]));
    call(&["up", "--yes"], SOCKET)?;
    let first = id()?;
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let (done, time) = timed(|| call(&["up", "--yes"], SOCKET));
        done?;
        took.push(time.as_secs_f64());
    }
    let tap = Tap::new(&scratch.join("tap-build.sock"), Path::new(SOCKET))?;
    call(&["up", "--yes"], &tap.socket.display().to_string())?;
    let heard = tap.take();
    ensure!(!heard.is_empty(), "the apply did not come through the tap");
    ensure!(!first.trim().is_empty() && id()? == first, "the image is another one");
    let built = heard.iter().filter(|call| call.target.contains("/build")).count();
    Ok((measure::median(&took), built, heard.iter().filter(|call| call.mutates()).count()))
}
