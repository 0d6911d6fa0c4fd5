//! A project in memory, written as the cases of `tests/cases/compose/` are: settings, then `//- /path` before each file.
//!
//! In: bytes. Out: options and files. **Invariant**: any bytes are a project.
//! Not here: what is asked of it.

use escadre_model::compose::{Cache, Files, Options, Project, ReadError, load};
use escadre_model::diagnostic::{Diagnostic, has_errors};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Files by path, below `/w`.
#[derive(Default)]
pub struct Memory(pub BTreeMap<String, Arc<[u8]>>);

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok(path.strip_prefix("/w/").and_then(|path| self.0.get(path)).cloned())
    }
}

/// Reads a case.
pub fn read(data: &[u8]) -> (Options, Memory) {
    let mut options = Options::new("/w", Vec::new());
    options.home = Some("/home/u".to_owned());
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        if let Some(path) = line.strip_prefix(b"//- /") {
            let path = String::from_utf8_lossy(path).trim().to_owned();
            files.entry(path.clone()).or_default();
            current = Some(path);
        } else if let Some(file) = current.as_ref().and_then(|path| files.get_mut(path)) {
            file.extend_from_slice(line);
        } else {
            setting(&mut options, &String::from_utf8_lossy(line));
        }
        // What follows is what a case expects.
        if line.starts_with(b"------------------------------") {
            break;
        }
    }
    if options.files.is_empty() {
        options.files.push("compose.yaml".to_owned());
    }
    (options, Memory(files.into_iter().map(|(path, bytes)| (path, bytes.into())).collect()))
}

fn setting(options: &mut Options, line: &str) {
    let Some((key, value)) = line.trim().split_once(": ") else { return };
    match key {
        "env" => {
            let (name, text) = value.split_once('=').unwrap_or((value, ""));
            options.environment.set(name, text, None);
        }
        "profiles" => options.profiles.extend(value.split(' ').map(str::to_owned)),
        "files" => options.files.extend(value.split(' ').map(str::to_owned)),
        "project" => options.project_name = Some(value.into()),
        "dotenv" => options.use_dot_env = true,
        _ => {}
    }
}

/// Loads it, and holds the answer to what must be true of any.
pub fn loaded(options: &Options, files: &Memory) -> (Option<Project>, Vec<Diagnostic>) {
    let (project, findings) = load(options, files, &Cache::new());
    assert_eq!(project.is_none(), has_errors(&findings), "a project, or errors: {findings:?}");
    for label in findings.iter().flat_map(|finding| &finding.labels) {
        let bytes = label.span.file.strip_prefix("/w/").and_then(|path| files.0.get(path));
        assert!(label.span.start <= label.span.end, "{findings:?}");
        if let Some(bytes) = bytes {
            assert!(label.span.end as usize <= bytes.len().max(1), "{label:?} beyond {} bytes", bytes.len());
        }
    }
    (project, findings)
}
