//! The format of a case: settings, `//- /path` before each file, a line of dashes, the expectation. Lines that begin with `@` stand for more than they hold.
#![expect(clippy::disallowed_methods, reason = "tests read their own cases")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A case that was read.
pub(crate) struct Case {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) expected: String,
    path: PathBuf,
    input: String,
}

const LINE: &str = "----------------------------------------";

impl Case {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let (input, expected) = match text.split_once(&format!("{LINE}\n")) {
            Some((input, expected)) => (input.to_owned(), expected.to_owned()),
            None => (text, String::new()),
        };
        let mut settings = Vec::new();
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut current: Option<String> = None;
        for line in input.split_inclusive('\n') {
            if let Some(name) = line.strip_prefix("//- ") {
                current = Some(name.trim().to_owned());
                files.insert(name.trim().to_owned(), Vec::new());
            } else if let Some(name) = &current {
                files.get_mut(name).unwrap().extend_from_slice(&written(line));
            } else if let Some((key, value)) = line.trim().split_once(": ").filter(|_| !line.starts_with('#')) {
                settings.push((key.to_owned(), value.to_owned()));
            } else {
                assert!(line.trim().is_empty() || line.starts_with('#'), "{}: what is `{line}`?", path.display());
            }
        }
        Self { settings, files, expected, path: path.to_owned(), input }
    }
}

/// A line of a file: as it stands, or what it stands for. `@repeat COUNT TEXT` is the text so many times, with `{n}` for the number and `\n` for the end of a line; `@bytes` is hexadecimal.
fn written(line: &str) -> Vec<u8> {
    if let Some((count, text)) =
        line.strip_prefix("@repeat ").and_then(|rest| rest.trim_end_matches('\n').split_once(' '))
    {
        let count: usize = count.parse().unwrap();
        let text = text.replace("\\n", "\n");
        return (0..count)
            .flat_map(|n| text.replace("{n}", &n.to_string()).replace("{n+1}", &(n + 1).to_string()).into_bytes())
            .collect();
    }
    if let Some(bytes) = line.strip_prefix("@bytes ") {
        return bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    }
    line.as_bytes().to_vec()
}

/// Runs all cases of a folder; each difference is shown, then the test fails.
pub(crate) fn run(folder: &str, run: impl Fn(&Case) -> String) {
    let paths = all(folder);
    let update = std::env::var("UPDATE").is_ok();
    let mut wrong = Vec::new();
    for path in &paths {
        let case = Case::read(path);
        let got = run(&case);
        if got == case.expected {
            continue;
        }
        if update {
            std::fs::write(&case.path, format!("{}{LINE}\n{got}", case.input)).unwrap();
        } else {
            wrong.push(format!("== {}\n-- wanted\n{}-- got\n{got}", path.display(), case.expected));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ; UPDATE=1 writes them\n{}",
        wrong.len(),
        paths.len(),
        wrong.join("\n")
    );
}

/// The paths of all cases of a folder.
pub(crate) fn all(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no cases in {}", folder.display());
    paths
}

/// The files of all cases of a folder that are no longer than `most` bytes.
pub(crate) fn files(folder: &str, most: usize) -> Vec<Vec<u8>> {
    let paths = all(folder);
    let files = paths.iter().flat_map(|path| Case::read(path).files.into_values());
    files.filter(|bytes| bytes.len() <= most).collect()
}
