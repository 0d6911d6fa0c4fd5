//! Cases of fleet files: `tests/cases/fleet-*.case`.
//!
//! In: files, each below a line `==> PATH`, then a line of dashes, then what is expected. Out: what `fleet::read` says of them.
//! **Invariant:** with UPDATE=1 the expectation is written anew; otherwise a difference fails.
//! Not here: Compose cases.
#![expect(clippy::disallowed_methods, reason = "tests read and write their own cases")]

use escadre_model::fleet;
use escadre_model::tree::{Entry, Error, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

/// A tree in memory. A file of the single line `!link` stands for a symbolic link, `!unreadable` for one that cannot be read.
#[derive(Default)]
pub(crate) struct Memory(BTreeMap<String, Vec<u8>>);

impl Memory {
    pub(crate) fn with(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.to_owned(), text.into());
        self
    }
}

impl Tree for Memory {
    fn entry(&self, path: &str) -> Result<Entry, Error> {
        if path.split('/').any(|part| part == "..") {
            return Err(Error::Outside(path.into()));
        }
        match self.0.get(path).map(|bytes| bytes.trim_ascii_end()) {
            Some(b"!link") => return Err(Error::Link(path.into())),
            Some(b"!unreadable") => {
                return Err(Error::Unreadable { path: path.into(), why: "permission denied".into() });
            }
            Some(_) => {
                let bytes = self.0[path].as_slice();
                return Ok(Entry::File { bytes: bytes.into(), executable: false, tracked: true });
            }
            None => {}
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let names: BTreeSet<Arc<str>> = self
            .0
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .filter_map(|(key, _)| key[prefix.len()..].split('/').next().map(Into::into))
            .collect();
        if names.is_empty() { Ok(Entry::Absent) } else { Ok(Entry::Folder(names.into_iter().collect())) }
    }
}

fn parse(case: &str) -> (Memory, String) {
    let (files, expected) = case.split_once("\n--------------------\n").expect("a line of 20 dashes");
    let mut tree = Memory::default();
    for part in format!("\n{files}\n").split("\n==> ").skip(1) {
        let (path, text) = part.split_once('\n').unwrap_or((part, ""));
        tree = tree.with(path.trim(), text);
    }
    (tree, expected.to_owned())
}

fn told(tree: &Memory) -> String {
    let (fleet, findings) = fleet::read(tree);
    let mut out = String::new();
    match &fleet {
        None => out.push_str("no fleet\n"),
        Some(fleet) => {
            writeln!(
                out,
                "fleet {}{}",
                fleet.name.value,
                if fleet.incomplete { " (not all of it was seen)" } else { "" }
            )
            .unwrap();
            for instance in fleet.instances.values() {
                let target = fleet.target_of(instance).map_or("?", |target| target.name.value.as_str());
                let secrets: Vec<&str> =
                    instance.secrets.iter().flat_map(|file| file.secrets.keys()).map(|name| &**name).collect();
                write!(
                    out,
                    "  {} = {} in {} on {target}",
                    instance.name.value, instance.product.value, instance.environment.value
                )
                .unwrap();
                writeln!(out, "{}{}", if secrets.is_empty() { "" } else { ", secrets " }, secrets.join(" ")).unwrap();
            }
            if !fleet.broken.is_empty() {
                writeln!(out, "broken: {}", fleet.broken.iter().map(|name| &**name).collect::<Vec<_>>().join(" "))
                    .unwrap();
            }
        }
    }
    findings.iter().for_each(|finding| writeln!(out, "{finding}").unwrap());
    out
}

#[test]
fn cases() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
    let bless = std::env::var("UPDATE").is_ok();
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("fleet-") {
            continue;
        }
        count += 1;
        let case = std::fs::read_to_string(&path).unwrap();
        let (tree, expected) = parse(&case);
        let told = told(&tree);
        assert_eq!(told, self::told(&tree), "{name}: the same input twice");
        if told != expected {
            if bless {
                let (files, _) = case.split_once("\n--------------------\n").unwrap();
                std::fs::write(&path, format!("{files}\n--------------------\n{told}")).unwrap();
            } else {
                wrong.push(format!("{name}\n--- expected\n{expected}--- told\n{told}"));
            }
        }
    }
    assert!(count >= 10, "only {count} cases were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
