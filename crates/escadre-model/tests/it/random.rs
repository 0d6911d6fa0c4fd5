//! The loader against the reference: the kept cases, and a few hundred projects that nobody wrote.
//!
//! In: `tests/cases/compose/`, the reference as a program built from `xtask/peers/reference-config`. Out: every difference that `tests/compose-differences.txt`
//! does not name.
//! **Invariant**: where there is no Go, or its modules cannot be fetched, the tests are counted as skipped.
//! Not here: long runs (`examples/compose_random.rs`).
#![expect(clippy::disallowed_methods, clippy::print_stderr, reason = "tests run the other loader")]

#[path = "../../examples/compose_random/case.rs"]
mod case;
#[path = "../../examples/compose_random/chance.rs"]
mod chance;
#[path = "../../examples/compose_random/compare.rs"]
mod compare;
#[path = "../../examples/compose_random/listed.rs"]
mod listed;
#[path = "../../examples/compose_random/make.rs"]
mod make;
#[path = "../../examples/compose_random/peer.rs"]
mod peer;
#[path = "../../examples/compose_random/run.rs"]
mod run;
#[path = "../../examples/compose_random/shrink.rs"]
mod shrink;
#[path = "../../examples/compose_random/spec.rs"]
mod spec;
#[path = "../../examples/compose_random/spoil.rs"]
mod spoil;
#[path = "../../examples/compose_random/tree.rs"]
mod tree;
#[path = "../../examples/compose_random/words.rs"]
mod words;

use case::{Body, Case};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Counts a test that cannot run here.
fn skip(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
    if let Some(path) = std::env::var_os("ESCADRE_TEST_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        std::io::Write::write_all(&mut file, format!("escadre-model {test}: {why}\n").as_bytes()).unwrap();
    }
}

fn go(words: &[&str], folder: &Path) -> std::io::Result<Output> {
    Command::new("go").args(words).current_dir(folder).output()
}

/// The reference as a program; nothing where it cannot be had.
fn reference(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/peers/reference-config");
    match go(&["mod", "download"], &folder) {
        Err(_) => {
            skip(test, "needs Go");
            return None;
        }
        Ok(done) if !done.status.success() => {
            skip(test, "the reference's Go modules cannot be fetched");
            return None;
        }
        Ok(_) => {}
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reference-config-{test}"));
    let done = go(&["build", "-o", &program.to_string_lossy(), "."], &folder).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(program)
}

#[test]
fn made_up_projects_are_read_as_the_reference_reads_them() {
    let Some(program) = reference("made_up_projects_are_read_as_the_reference_reads_them") else { return };
    let mut run = run::Run::start(&program).unwrap();
    run.cases(1, 400, |_| ()).unwrap();
    assert!(run.found.is_empty(), "{}", run.report());
    // Chance must not have become a row of refusals.
    assert!(run.same > 200, "{}", run.report());
}

struct InCase<'c>(&'c Case);

impl escadre_model::compose::Files for InCase<'_> {
    fn read(&self, path: &str) -> Result<Option<std::sync::Arc<[u8]>>, escadre_model::compose::ReadError> {
        let path = path.strip_prefix("/w/").unwrap_or(path);
        let body = self.0.files.iter().find(|(known, _)| known == path);
        Ok(body.map(|(_, body)| self.0.bytes(body).into()))
    }
}

#[test]
fn made_up_projects_are_the_same_with_late_variables() {
    let Some(program) = reference("made_up_projects_are_the_same_with_late_variables") else { return };
    let schema = std::rc::Rc::clone(&run::Run::start(&program).unwrap().schema);
    let count = std::env::var("ESCADRE_RANDOM").ok().and_then(|count| count.parse().ok()).unwrap_or(400);
    let mut late = 0;
    for seed in 1..=count {
        let case = case::make(seed, &schema);
        let mut options = escadre_model::compose::Options::new("/w", case.order.clone());
        options.profiles.clone_from(&case.profiles);
        options.use_dot_env = true;
        for (name, value) in &case.env {
            options.environment.set(name.as_str(), value.as_str(), None);
        }
        late += crate::late::compare(&options, &InCase(&case));
    }
    assert!(late as u64 > count, "{late} variables stayed late in {count} projects");
}

#[test]
fn the_list_of_attributes_is_the_specifications() {
    let Some(program) = reference("the_list_of_attributes_is_the_specifications") else { return };
    let run = run::Run::start(&program).unwrap();
    let forms = spec::all(&run.schema);
    let paths = forms.iter().filter_map(|form| form.split(": ").next());
    // What people choose themselves, and entries of lists, are no attributes.
    let named = |path: &&str| !path.is_empty() && !path.ends_with('*') && !path.ends_with("[]");
    let wanted: BTreeSet<&str> = paths.filter(named).collect();
    let listed = include_str!("../compose-attributes.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let missing: Vec<_> = wanted.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&wanted).collect();
    assert!(missing.is_empty() && gone.is_empty(), "missing: {missing:?}; not in the specification: {gone:?}");
}

#[test]
fn kept_cases_are_read_as_the_reference_reads_them() {
    let Some(program) = reference("kept_cases_are_read_as_the_reference_reads_them") else { return };
    let mut run = run::Run::start(&program).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/compose");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Some(case) = kept(&crate::case::Case::read(&path)) {
            run.compare(&case, &path.file_stem().unwrap().to_string_lossy()).unwrap();
            compared += 1;
        }
    }
    assert!(run.found.is_empty(), "{}", run.report());
    assert!(compared > 50, "{compared} cases were compared");
}

/// A kept case as one to compare; nothing for those that ask what the reference cannot be asked.
fn kept(case: &crate::case::Case) -> Option<Case> {
    let files =
        case.files.iter().map(|(path, bytes)| (path.trim_start_matches('/').to_owned(), Body::Bytes(bytes.clone())));
    let mut kept = Case::of(files.collect());
    for (key, value) in &case.settings {
        match key.as_str() {
            "env" => {
                let (name, value) = value.split_once('=')?;
                kept.env.insert(name.to_owned(), value.to_owned());
            }
            "profiles" => kept.profiles.extend(value.split(' ').map(str::to_owned)),
            "files" => kept.order.extend(value.split(' ').map(str::to_owned)),
            "show" | "unfold" => {}
            "dotenv" if value == "yes" => {}
            // A secret, a name that the caller decides, a difference that is meant.
            _ => return None,
        }
    }
    // Without the setting a `.env` is not read, and the reference reads it.
    let dotenv = case.settings.iter().any(|(key, _)| key == "dotenv");
    if kept.order.is_empty() {
        kept.order = vec!["compose.yaml".to_owned()];
    }
    (kept.files.iter().any(|(path, _)| *path == kept.order[0]) && (dotenv || !case.files.contains_key("/.env")))
        .then_some(kept)
}

#[test]
fn the_page_lists_the_differences() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compose-agreement.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("<!-- differences -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /differences -->").unwrap();
    let mut table = "| the reference | Escadre | why |\n|---|---|---|\n".to_owned();
    let mut told = BTreeSet::new();
    for line in listed::read(include_str!("../compose-differences.txt")) {
        let row = format!("| {} |\n", line.columns.join(" | "));
        if told.insert(row.clone()) {
            table.push_str(&row);
        }
    }
    let wanted = format!("{before}<!-- differences -->\n{table}<!-- /differences -->{after}");
    if std::env::var("UPDATE").is_ok() {
        std::fs::write(&path, wanted).unwrap();
    } else {
        assert!(page == wanted, "docs/compose-agreement.md is not what the differences say; UPDATE=1 writes it");
    }
}
