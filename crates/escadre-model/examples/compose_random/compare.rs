//! Our answer against the other loader's.
//!
//! In: a case and the folder it lies in, the other loader's answer. Out: every difference, as a line of words.
//! **Invariant**: no difference hides another one of the same project's model.
//! Not here: asking the other loader, which differences are meant.

use super::case::Case;
use super::peer::Answer;
use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What `~` stands for on both sides.
pub(crate) const HOME: &str = "/home/u";

/// The files of a case, in memory.
struct InCase<'c> {
    folder: &'c str,
    texts: BTreeMap<String, Arc<[u8]>>,
}

impl Files for InCase<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        let inside = path.strip_prefix(self.folder).map(|path| path.trim_start_matches('/'));
        let folder = |inside: &str| {
            inside.is_empty()
                || self.texts.keys().any(|known| known.strip_prefix(inside).is_some_and(|rest| rest.starts_with('/')))
        };
        match inside {
            Some(inside) if folder(inside) => Err(ReadError("is a directory".to_owned())),
            Some(inside) => Ok(self.texts.get(inside).cloned()),
            None => Ok(None),
        }
    }
}

/// What we say of a case that lies in a folder.
pub(crate) fn ours(case: &Case, folder: &str) -> Answer {
    let texts = case.files.iter().map(|(path, body)| (path.clone(), case.bytes(body).into())).collect();
    let mut options = Options::new(folder, case.order.clone());
    options.profiles.clone_from(&case.profiles);
    options.use_dot_env = true;
    options.home = Some(HOME.to_owned());
    for (name, value) in &case.env {
        options.environment.set(name.as_str(), value.as_str(), None);
    }
    let (project, findings) = load(&options, &InCase { folder, texts }, &Cache::new());
    match project {
        Some(project) => Ok(project.to_json()),
        None => Err(findings
            .iter()
            .filter(|finding| finding.is_error())
            .map(|finding| format!("{} {}", finding.code, finding.message))
            .collect::<Vec<_>>()
            .join(" / ")),
    }
}

/// Every difference; names and the folder are left out of the words, so that equal ones look equal.
pub(crate) fn differences(case: &Case, theirs: &Answer, ours: &Answer, folder: &str) -> Vec<String> {
    let words = |words: &str| words.replace(folder, "FOLDER").lines().map(str::trim).collect::<Vec<_>>().join(" / ");
    match (theirs, ours) {
        (Err(_), Err(_)) => Vec::new(),
        // What its decoder refuses stands in lines of its own.
        (Err(theirs), Ok(_)) => match theirs.strip_prefix("decoding failed due to the following error(s):") {
            Some(lines) => lines
                .lines()
                .filter(|line| !line.trim().is_empty())
                .map(|line| format!("they refuse: decoding: {}", words(line)))
                .collect(),
            None => vec![format!("they refuse: {}", words(theirs))],
        },
        (Ok(_), Err(ours)) => vec![format!("we refuse: {}", words(ours))],
        (Ok(theirs), Ok(ours)) => {
            let mut out = Vec::new();
            let mut names: BTreeSet<&str> = super::words::SERVICES.iter().copied().collect();
            names.extend(super::words::NETWORKS.iter().chain(super::words::VOLUMES).chain(super::words::CONFIGS));
            names.extend(super::words::SECRETS.iter().chain(super::words::MODELS));
            let _ = case;
            collect(theirs, ours, "", &names, &mut out);
            out.iter().map(|line| words(line)).collect()
        }
    }
}

fn collect(theirs: &Value, ours: &Value, path: &str, names: &BTreeSet<&str>, out: &mut Vec<String>) {
    let below = |key: &str| {
        let known = names.contains(key.trim_start_matches("in_")) && (path.ends_with('s') || path.is_empty());
        let key = if known { "*" } else { key };
        if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
    };
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => collect(a, b, &below(key), names, out),
                    (Some(a), None) => out.push(format!("{}: theirs {a}, ours nothing", below(key))),
                    (None, Some(b)) => out.push(format!("{}: theirs nothing, ours {b}", below(key))),
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| collect(a, b, &format!("{path}.[]"), names, out));
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        (a, b) if a == b => {}
        (a, b) => out.push(format!("{path}: theirs {a}, ours {b}")),
    }
}

/// What makes a difference one of its kind: its words without what differs from case to case.
pub(crate) fn kind(difference: &str) -> String {
    let (place, rest) = match difference.split_once(": theirs ") {
        Some((place, rest)) => (place, rest.split_once(", ours ").map_or("", |(a, b)| shape(a, b))),
        None => (difference, ""),
    };
    let mut out = String::new();
    let mut quoted = None;
    for letter in place.chars() {
        match quoted {
            Some(end) if letter == end => quoted = None,
            Some(_) => {}
            None if matches!(letter, '`' | '"') => quoted = Some(letter),
            None if letter.is_ascii_digit() => {}
            None => out.push(letter),
        }
    }
    let out: String = out.chars().take(90).collect();
    format!("{out} {rest}")
}

fn shape(theirs: &str, ours: &str) -> &'static str {
    match (theirs == "nothing", ours == "nothing") {
        (true, _) => "(only ours)",
        (_, true) => "(only theirs)",
        _ => "(another value)",
    }
}
