//! Checks that the house is what its drawing says: arrows between rooms, headers of files, sizes, names, doors.
//!
//! In: the repository's folder. Out: findings, one line each.
//! **Invariant:** a rule of ARCHITECTURE.md or CONTRIBUTING.md that a machine can hold is held here, not by memory.
//! Not here: lints of the compiler and clippy (`Cargo.toml`, `clippy.toml`).
//! Tests: `tests.rs` runs it over this repository and over planted faults.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Which room may know which.
const ARROWS: &[(&str, &[&str])] = &[
    ("escadre-model", &[]),
    ("escadre-render", &["escadre-model"]),
    ("escadre-plan", &["escadre-model"]),
    ("escadre-engine", &["escadre-model", "escadre-render", "escadre-plan"]),
    ("escadre-drivers", &["escadre-model", "escadre-render", "escadre-plan", "escadre-engine", "escadre-edge"]),
    ("escadre-edge", &["escadre-model"]),
    ("escadre-testkit", &["escadre-model", "escadre-plan", "escadre-engine"]),
    (
        "escadre",
        &["escadre-model", "escadre-render", "escadre-plan", "escadre-engine", "escadre-drivers", "escadre-edge"],
    ),
];

/// A library that opens a door to the outside belongs to one room.
const DOORS: &[(&str, &[&str])] = &[
    ("sqlx", &["escadre-drivers"]),
    ("age", &["escadre-drivers"]),
    ("tar", &["escadre-drivers"]),
    ("hyper", &["escadre-drivers", "escadre-edge"]),
    ("clap", &["escadre"]),
    ("annotate-snippets", &["escadre"]),
    ("tokio", &["escadre-engine", "escadre-drivers", "escadre-edge", "escadre-testkit", "escadre", "xtask"]),
];

/// Words that say nothing about what is in a module.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "manager", "helper", "helpers", "misc"];

/// A file longer than this is two files; generated tables and tests may be longer.
const LONGEST_FILE: usize = 900;

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// All findings over a repository.
pub(crate) fn check(root: &Path) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    let rooms = folders(&root.join("crates"))?;
    for room in &rooms {
        let name = name_of(room);
        let manifest = read(&room.join("Cargo.toml"))?;
        findings.extend(arrows(&name, &manifest));
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("crates/{name}/Cargo.toml: does not take the workspace's lints"));
        }
    }
    for file in sources(root)? {
        let text = read(&file)?;
        let shown = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        findings.extend(header(&shown, &text));
        findings.extend(size_and_name(&shown, &text));
        findings.extend(words(&shown, &text));
        findings.extend(reaches(&shown, &text));
    }
    let list = read(&root.join("crates/escadre-model/src/diagnostic/code.rs"))?;
    findings.extend(codes(&list, &tests(root)?));
    let drawing = read(&root.join("ARCHITECTURE.md"))?;
    for room in &rooms {
        let name = name_of(room);
        if !drawing.contains(&format!("`{name}`")) {
            findings.push(format!("ARCHITECTURE.md: does not name the room {name}"));
        }
    }
    Ok(findings)
}

fn arrows(name: &str, manifest: &str) -> Vec<String> {
    let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == name) else {
        return vec![format!("crates/{name}: a room that the drawing (xtask/src/tidy) does not know")];
    };
    let mut findings = Vec::new();
    let sections = dependencies(manifest);
    for (section, dependency) in &sections {
        let normal = section == "dependencies";
        if dependency.starts_with("escadre") && normal && !allowed.contains(&dependency.as_str()) {
            findings.push(format!("crates/{name}/Cargo.toml: the arrow {name} -> {dependency} is not in the drawing"));
        }
        if let Some((_, rooms)) = DOORS.iter().find(|(door, _)| door == dependency)
            && normal
            && !rooms.contains(&name)
        {
            findings.push(format!("crates/{name}/Cargo.toml: {dependency} is a door of {}", rooms.join(", ")));
        }
    }
    findings
}

/// Section and name of every dependency of a manifest.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']').to_owned();
        } else if section.ends_with("dependencies")
            && let Some((name, _)) = line.split_once(['.', '=', ' '])
            && !name.is_empty()
            && !name.starts_with('#')
        {
            found.push((section.clone(), name.trim().to_owned()));
        }
    }
    found
}

fn header(file: &str, text: &str) -> Vec<String> {
    let is_test = file.contains("/tests/")
        || file.ends_with("tests.rs")
        || file.contains("/examples/")
        || file.contains("/benches/");
    let first = text.lines().next().unwrap_or_default();
    if is_test {
        return Vec::new();
    }
    if !first.starts_with("//! ") || first.len() < 12 {
        return vec![format!("{file}:1: opens without a sentence that says what it is")];
    }
    let lead: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
    let lead = lead.join("\n");
    ["In:", "Out:", "Invariant", "Not here:", "Tests:"]
        .iter()
        .filter(|part| !(lead.contains(*part) || lead.contains("In → Out:") && ["In:", "Out:"].contains(part)))
        .map(|part| format!("{file}:1: its header has no \"{part}\""))
        .collect()
}

fn size_and_name(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    let exempt = file.contains("/tests") || text.contains("@generated");
    if lines > LONGEST_FILE && !exempt {
        findings.push(format!("{file}: {lines} lines; above {LONGEST_FILE} a file is split"));
    }
    let stem = Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let folder = Path::new(file).parent().map(name_of).unwrap_or_default();
    for name in [stem, folder] {
        if EMPTY_NAMES.contains(&name.as_str()) {
            findings.push(format!("{file}: \"{name}\" says nothing about what is in it"));
        }
    }
    findings
}

fn words(file: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let bare_allow = concat!("#[all", "ow(");
        let whole_file = concat!("#![all", "ow(");
        if line.contains(bare_allow) || line.contains(whole_file) {
            findings.push(format!(
                "{file}:{number}: a bare allow; `#[expect(…, reason = \"…\")]` says why and notices when it is over"
            ));
        }
        let ignored = concat!("#[ign", "ore");
        if line.contains(ignored) {
            findings.push(format!("{file}:{number}: an ignored test is a silent skip; skips are counted and printed"));
        }
        for shell in [concat!("\"sh\", ", "\"-c\""), concat!("\"bash\", ", "\"-c\"")] {
            if line.contains(shell)
                && file.starts_with("crates/")
                && !file.contains("/tests")
                && !line.trim_start().starts_with("//")
            {
                findings.push(format!("{file}:{number}: a shell"));
            }
        }
    }
    findings
}

/// A code that no test and no case names: nobody knows whether it is ever said, or said well.
fn codes(list: &str, tests: &[String]) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.trim_start().split_once(" \""));
    let is_code = |name: &str| {
        name.len() == 5 && name.starts_with(['E', 'W', 'C']) && name[1..].bytes().all(|byte| byte.is_ascii_digit())
    };
    let unnamed =
        names.map(|(name, _)| name).filter(|name| is_code(name) && !tests.iter().any(|text| text.contains(name)));
    unnamed.map(|code| format!("crates/escadre-model/src/diagnostic/code.rs: no test or case names {code}")).collect()
}

/// The texts of all tests and cases.
fn tests(root: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![root.join("crates")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
            let shown = path.display().to_string();
            let kind =
                path.extension().is_some_and(|extension| ["rs", "case", "world"].iter().any(|one| extension == *one));
            if path.is_dir() {
                open.push(path);
            } else if kind && (shown.contains("/tests/") || shown.ends_with("/tests.rs")) {
                found.push(read(&path)?);
            }
        }
    }
    Ok(found)
}

/// Programs start in two places: the closed list of the drivers, and the holder that keeps its own worker.
const STARTS: &[&str] = &[
    "crates/escadre-drivers/src/exec.rs",
    "crates/escadre-edge/src/holder.rs",
    "crates/escadre-edge/src/holder/succession.rs",
];
/// Rooms that know nothing but what they are given.
const PURE: &[&str] = &["crates/escadre-model/src/", "crates/escadre-render/src/", "crates/escadre-plan/src/"];
/// Work on several processors, whose result does not depend on their number, stands in one file.
const THREADS: &str = "crates/escadre-model/src/parallel.rs";
/// What reaches out of a program. clippy.toml bans the calls one by one; here whole modules are banned where nothing is to reach out.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "thread_rng",
    "getrandom",
];

fn reaches(file: &str, text: &str) -> Vec<String> {
    let is_test = file.contains("/tests/") || file.ends_with("tests.rs");
    let product = file.starts_with("crates/") && !is_test && !file.contains("/examples/");
    if !product {
        return Vec::new();
    }
    let pure = PURE.iter().any(|room| file.starts_with(room));
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
        let number = number + 1;
        let starts =
            line.contains(concat!("process::", "Command")) || line.contains(concat!("process::{", "Child, Command"));
        if starts && !STARTS.contains(&file) {
            findings.push(format!("{file}:{number}: programs start through escadre_drivers::exec"));
        }
        let threads = |word: &str| word == "std::thread" && file == THREADS;
        for word in OUTSIDE.iter().filter(|word| pure && line.contains(*word) && !threads(word)) {
            findings.push(format!("{file}:{number}: {word} in a room that is pure"));
        }
    }
    findings
}

fn sources(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.join("crates"), root.join("xtask")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
            if path.is_dir() && name_of(&path) != "target" {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(parent).with_context(|| format!("list {}", parent.display()))? {
        let path = entry.with_context(|| format!("list {}", parent.display()))?.path();
        if path.join("Cargo.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("read {}", path.display()))
}

#[cfg(test)]
mod tests;
