//! The precondition of an instance: what must still be so when its plan is applied.
//!
//! In: the hash of what it wants, and what was seen of it. Out: one hash; and what it was made of, shortened, so that a plan that is refused can say what changed.
//! **Invariant:** it changes when what the instance wants, what exists of it, or a field we set changes; not with commits, health, addresses, phases or restart counts.
//! Not here: comparing it at apply (`escadre-engine`).
//! Tests: `tests/it/plans.rs`.

use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::InstanceSeen;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// So many characters of an id or hash are kept: enough to tell two apart.
const SHORT: usize = 12;

/// Something of an instance, as a plan saw it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Seen {
    /// What it is, as people call it: `web`, `web 2`, `volume data`.
    pub what: Arc<str>,
    /// The beginning of the engine's id.
    pub engine: Arc<str>,
    /// The beginning of its spec label.
    pub spec: Arc<str>,
    /// The beginning of the hash of the fields we set.
    pub fields: Arc<str>,
}

/// The hash of (identity, engine id, spec label, hash of the fields we set) of everything seen, and of what is wanted. Order of lists does not matter.
pub fn precondition(desired: &Hash, seen: Option<&InstanceSeen>) -> Hash {
    let mut lines: Vec<(String, &str, &str, &str)> = Vec::new();
    if let Some(seen) = seen {
        for one in &seen.containers {
            lines.push((one.id.to_string(), &one.engine.0, spelled(&one.spec), spelled(&one.fields)));
        }
        for one in &seen.networks {
            lines.push((one.key.to_string(), &one.engine.0, spelled(&one.spec), ""));
        }
        for one in &seen.volumes {
            lines.push((one.key.to_string(), &one.name, spelled(&one.spec), ""));
        }
    }
    lines.sort_unstable();
    Hash::of_json(&(desired, lines))
}

/// What the precondition of an instance is made of, for people.
pub fn seen(seen: &InstanceSeen) -> Vec<Seen> {
    let short = |text: &str| Arc::from(text.get(..SHORT).unwrap_or(text));
    let called = |key: &ResourceKey| match key.kind {
        Kind::Service => key.key.to_string(),
        kind => format!("{} {}", kind.word(), key.key),
    };
    let one = |what: String, engine: &str, spec: &Option<Hash>, fields: &str| Seen {
        what: what.into(),
        engine: short(engine),
        spec: short(spelled(spec)),
        fields: short(fields),
    };
    let mut all = Vec::new();
    for container in &seen.containers {
        let replica = container.id.replica.filter(|replica| *replica > 1).map(|replica| format!(" {replica}"));
        let what = format!("{}{}", called(&container.id.resource), replica.unwrap_or_default());
        all.push(one(what, &container.engine.0, &container.spec, spelled(&container.fields)));
    }
    all.extend(seen.networks.iter().map(|network| one(called(&network.key), &network.engine.0, &network.spec, "")));
    all.extend(seen.volumes.iter().map(|volume| one(called(&volume.key), &volume.name, &volume.spec, "")));
    all.sort();
    all
}

/// In what an instance is not as a plan saw it, one sentence each.
pub fn differences(then: &[Seen], now: Option<&InstanceSeen>) -> Vec<Arc<str>> {
    let now = now.map(seen).unwrap_or_default();
    let names: BTreeSet<&Arc<str>> = then.iter().chain(&now).map(|one| &one.what).collect();
    let mut said = Vec::new();
    for what in names {
        let of = |all: &[Seen]| all.iter().filter(|one| one.what == *what).cloned().collect::<Vec<_>>();
        let (was, is) = (of(then), of(&now));
        let same = |a: fn(&Seen) -> &Arc<str>| was.iter().map(a).eq(is.iter().map(a));
        let engines = |all: &[Seen]| all.iter().map(|one| one.engine.to_string()).collect::<Vec<_>>().join(", ");
        let text = match (was.is_empty(), is.is_empty()) {
            _ if was == is => continue,
            (_, true) => format!("{what} is gone"),
            (true, _) => format!("{what} is there and was not ({})", engines(&is)),
            _ if !same(|one| &one.engine) => {
                format!("{what} is another one than it was ({} instead of {})", engines(&is), engines(&was))
            }
            _ if !same(|one| &one.spec) => format!("{what} bears another spec label"),
            _ => format!("{what} was changed by hand: its name, its image or its networks"),
        };
        said.push(text.into());
    }
    said
}

fn spelled(hash: &Option<Hash>) -> &str {
    hash.as_ref().map_or("", Hash::as_str)
}
