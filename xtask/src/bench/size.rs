//! Sizes: the binary, and how long it takes to build from nothing.
//!
//! In: what was built. Out: rows of the table.
//! **Invariant:** a build is timed in a folder of its own and only when asked for (`ESCADRE_BENCH_BUILD=1`), since it takes minutes.
//! Not here: anything that runs.
//! Tests: the tools are their own users.

use super::measure::{self, timed};
use super::planning::{megabytes, seconds};
use super::table::{Row, Table};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// All rows about sizes.
pub(crate) fn rows(table: &mut Table, root: &Path, scratch: &Path) -> Result<()> {
    for (profile, what) in [("release", "the binary, profile release"), ("dist", "the binary, profile dist")] {
        let binary = root.join(format!("target/{profile}/escadre"));
        table.add(match fs::metadata(&binary) {
            Ok(about) => Row::new(what, megabytes(about.len() as f64)),
            Err(_) => Row::missing(what, format!("cargo build --profile {profile} -p escadre was not run")),
        });
    }
    let what = "building the release from nothing, sources already fetched";
    if std::env::var_os("ESCADRE_BENCH_BUILD").is_none() {
        table.add(Row::missing(what, "it takes minutes; ESCADRE_BENCH_BUILD=1 asks for it"));
        return Ok(());
    }
    let folder = scratch.join("target");
    let mut command = Command::new("cargo");
    command.args(["build", "--locked", "--release", "-p", "escadre", "--target-dir"]).arg(&folder).current_dir(root);
    let (built, took) = timed(|| measure::output(&mut command));
    built.context("build the release")?;
    table.add(Row::new(what, seconds(took.as_secs_f64())).beside("once, with whatever else the machine did"));
    Ok(())
}
