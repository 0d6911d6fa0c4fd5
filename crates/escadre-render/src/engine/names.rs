//! Names on an engine.
//!
//! In: identities. Out: names of at most 63 characters that tools and people can read.
//! **Invariant:** two identities never share a name: what is cut is replaced by a hash of the whole.
//! Not here: matching, which is by label and never by name.
//! Tests: `names/tests.rs`.

use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};

/// The longest name: one label of a DNS name.
const LONGEST: usize = 63;
/// Digits of the hash at the end of a name that was cut or changed.
const DIGITS: usize = 8;

/// The name of a container: `fleet_instance_key_replica_gN`; a fleet of one leaves out the second of its two equal names.
pub fn container(id: &ResourceId) -> String {
    let (replica, generation) = (id.replica.unwrap_or(1), id.generation.unwrap_or(1));
    fitting(&format!("{}_{}_{replica}_g{generation}", prefix(&id.instance), id.resource.key))
}

/// The name of a network or volume: `fleet_instance_key`, unambiguous because our own names hold no underscore; in a fleet of one `project_key`, as
/// Compose does. An instance of a fleet that bears the fleet's name has both: else `a_b_c` would be `b_c` of one and `c` of another.
pub fn owned(instance: &InstanceId, single: bool, key: &str) -> String {
    if single {
        return fitting(&format!("{}_{key}", prefix(instance)));
    }
    fitting(&format!("{}_{}_{key}", instance.fleet, instance.instance))
}

/// The key of a volume without a name: the service's own, after its place, so that the next container finds it again.
pub fn unnamed(service: &str, target: &str) -> String {
    format!("{service}{}", target.replace('/', "-"))
}

/// The project's name in Compose's own labels.
pub fn project(instance: &InstanceId) -> String {
    prefix(instance)
}

fn prefix(id: &InstanceId) -> String {
    if id.fleet == id.instance { id.fleet.to_string() } else { format!("{}_{}", id.fleet, id.instance) }
}

/// The text itself when an engine takes it, else its beginning and a hash of the whole.
fn fitting(text: &str) -> String {
    let clean: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-') { c } else { '-' }).collect();
    if clean == text && text.len() <= LONGEST {
        return clean;
    }
    let hash = Hash::of(text);
    let digits = hash.as_str().get(..DIGITS).unwrap_or_default();
    let kept = clean.get(..clean.len().min(LONGEST - DIGITS - 1)).unwrap_or_default();
    format!("{}-{digits}", kept.trim_end_matches(['-', '_', '.']))
}

#[cfg(test)]
mod tests;
