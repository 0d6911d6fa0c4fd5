//! The precondition of an instance: what must still be so when its plan is applied.
//!
//! In: the hash of what it wants, and what was seen of it. Out: one hash.
//! **Invariant:** it changes when what the instance wants, what exists of it, or a field we set changes; not with commits, health, addresses, phases or restart counts.
//! Not here: comparing it at apply (`escadre-engine`).
//! Tests: `tests/it/plans.rs`.

use escadre_model::hash::Hash;
use escadre_model::observed::InstanceSeen;

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

fn spelled(hash: &Option<Hash>) -> &str {
    hash.as_ref().map_or("", Hash::as_str)
}
