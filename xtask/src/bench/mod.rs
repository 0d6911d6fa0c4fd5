//! The measurements, as one table with the machine and the versions: `cargo xtask bench [planning|compose|engine|update|edge|size]… [--keep]`.
//!
//! In: words. Out: docs/bench.md; with some of the parts only standard output, unless `--keep` puts them into the page.
//! **Invariant:** peers and floors run in the same run as what they are compared with; nothing of what ran is left behind.
//! Not here: fetching peers (`scripts/peers`), building the binary (`scripts/bench`).
//! Tests: each measurement checks what it measured.

mod arriving;
mod build;
mod compose;
mod edge;
mod engine;
mod fleet;
mod floor;
mod measure;
mod planning;
mod record;
mod size;
mod table;
mod update;
mod wire;

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use table::Table;

/// What can be measured.
const PARTS: [&str; 6] = ["planning", "compose", "engine", "update", "edge", "size"];

/// Runs the measurements that were asked for.
///
/// # Errors
/// When one cannot be made; the others' rows are lost then, since a table with holes would be read as whole.
#[expect(clippy::print_stdout, reason = "a tool prints")]
pub(crate) fn run(root: &Path, words: &[String]) -> Result<()> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["case", rest @ ..] = words.as_slice() {
        let answer = match (compose::case(rest)?, edge::case(rest)?) {
            (Some(answer), _) | (_, Some(answer)) => answer,
            _ => planning::case(rest)?,
        };
        println!("{answer}");
        return Ok(());
    }
    let (keep, words): (Vec<&str>, Vec<&str>) = words.into_iter().partition(|word| *word == "--keep");
    let all = words.is_empty();
    if let Some(unknown) = words.iter().find(|word| !PARTS.contains(word)) {
        bail!("there is no measurement \"{unknown}\"; there are {}", PARTS.join(", "));
    }
    let wants = |part: &str| all || words.contains(&part);
    let scratch = Scratch::new()?;
    let peers = root.join(".peers/bin");
    let mut table = Table::default();
    if wants("planning") {
        table.part("Planning");
        planning::rows(&mut table, &scratch.0, &peers)?;
    }
    if wants("compose") {
        table.part("Compose: the loader, and arriving");
        compose::rows(&mut table, &scratch.0, &peers)?;
        arriving::rows(&mut table, root, &scratch.0, &peers)?;
    }
    if wants("engine") {
        table.part("Engine");
        engine::rows(&mut table, root, &scratch.0, &peers)?;
    }
    if wants("update") {
        table.part("Updates under load");
        update::rows(&mut table, root, &scratch.0, &peers)?;
    }
    if wants("edge") {
        table.part("The edge");
        edge::rows(&mut table, root, &scratch.0)?;
    }
    if wants("size") {
        table.part("Size");
        size::rows(&mut table, root, &scratch.0)?;
    }
    let file = root.join("docs/bench.md");
    let kept = all || !keep.is_empty();
    let former = if kept && !all { fs::read_to_string(&file).context("read docs/bench.md")? } else { String::new() };
    let page = table.page(&former);
    if kept {
        fs::write(&file, &page).with_context(|| format!("write {}", file.display()))?;
    }
    println!("{page}");
    Ok(())
}

/// A folder that goes when the run ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("escadre-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It lies in the folder for temporary files; a rest of it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}
