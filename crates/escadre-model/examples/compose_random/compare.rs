//! Our answers against the other loader's.
//!
//! In: a folder of cases, a file of answers. Out: differences and counts on standard output.
//! **Invariant**: a case without an answer counts as a difference.
//! Not here: making cases.

use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use serde_json::Value;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

struct Disk;

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(ReadError(error.to_string())),
        }
    }
}

/// Compares all cases. Exit 1 when one differs.
pub(crate) fn run(folder: &str, answers: &str) -> std::io::Result<ExitCode> {
    let folder = std::fs::canonicalize(folder)?;
    let (mut same, mut both_refuse, mut kinds) = (0, 0, BTreeMap::<String, usize>::new());
    let mut explained = BTreeMap::<&str, usize>::new();
    for line in std::fs::read_to_string(answers)?.lines() {
        let answer: Value = serde_json::from_str(line)?;
        let name = answer["case"].as_str().unwrap_or_default();
        let ours = ours(&folder.join(name).to_string_lossy())?;
        let difference = match (answer.get("model"), ours) {
            (None, Err(_)) => {
                both_refuse += 1;
                continue;
            }
            (Some(theirs), Ok(ours)) => first(theirs, &ours, "$"),
            (None, Ok(_)) if let Some(why) = known(answer["refused"].as_str().unwrap_or_default()) => {
                *explained.entry(why).or_default() += 1;
                continue;
            }
            (None, Ok(_)) => Some(format!("accepted, they refuse: {}", answer["refused"].as_str().unwrap_or_default())),
            (Some(_), Err(words)) => Some(format!("refused, they accept: {words}")),
        };
        match difference {
            None => same += 1,
            Some(difference) => {
                let difference = difference.replace(&*folder.join(name).to_string_lossy(), "${CASE}");
                let kind: String = difference.chars().filter(|c| !c.is_ascii_digit()).take(60).collect();
                *kinds.entry(kind).or_default() += 1;
                println!("{name}: {difference}");
            }
        }
    }
    for (why, count) in &explained {
        println!("known: {why}: {count}");
    }
    let known: usize = explained.values().sum();
    let differ: usize = kinds.values().sum();
    println!("same model: {same}, refused by both: {both_refuse}, known: {known}, differ: {differ}");
    Ok(ExitCode::from(u8::from(differ > 0)))
}

/// What the other loader refuses only because it cannot go on, although the specification allows it (docs/compose-agreement.md).
fn known(refused: &str) -> Option<&'static str> {
    const WEIGHT: &str = "eight' expected type 'uint16', got unconvertible type 'string'";
    const MODE: &str = "tmpfs.mode' expected type 'uint32', got unconvertible type 'string'";
    let only = |wanted: &[&str]| {
        let mut lines = refused.lines().filter(|line| line.starts_with('\'')).peekable();
        lines.peek().is_some() && lines.all(|line| wanted.iter().any(|wanted| line.contains(wanted)))
    };
    if refused.starts_with("panic: ") {
        Some("it panics")
    } else if refused.starts_with("json: ") {
        Some("it cannot print what it read")
    } else if only(&["expected type 'string', got unconvertible type 'float64'", WEIGHT, MODE]) {
        Some("an option that is a fraction, a weight or mode that is a text")
    } else if refused.ends_with("ipam.config must be a array") {
        Some("an empty list of address pools over another")
    } else {
        None
    }
}

fn ours(folder: &str) -> std::io::Result<Result<Value, String>> {
    let case: Value = serde_json::from_slice(&std::fs::read(format!("{folder}/case.json"))?)?;
    let texts = |key: &str| -> Vec<String> {
        let items = case[key].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut options = Options::new(folder, texts("files"));
    options.profiles = texts("profiles");
    options.use_dot_env = true;
    options.home = std::env::var("HOME").ok();
    for (name, value) in case["env"].as_object().into_iter().flatten() {
        options.environment.set(name.as_str(), value.as_str().unwrap_or_default(), None);
    }
    let (project, findings) = load(&options, &Disk, &Cache::new());
    Ok(match project {
        Some(project) => Ok(project.to_json()),
        None => Err(findings.iter().find(|finding| finding.is_error()).map(ToString::to_string).unwrap_or_default()),
    })
}

/// The first place where two models differ.
fn first(theirs: &Value, ours: &Value, path: &str) -> Option<String> {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => first(a, b, &format!("{path}.{key}")),
                (a, b) => Some(format!("{path}.{key}: theirs {}, ours {}", shown(a), shown(b))),
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| first(a, b, &format!("{path}[{at}]")))
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => None,
        (a, b) if a == b => None,
        (a, b) => Some(format!("{path}: theirs {a}, ours {b}")),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}
