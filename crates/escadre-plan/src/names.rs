//! Names on an engine: containers with their generation, hosts files, files, and where a route's settings are hashed.
//!
//! In: identities. Out: texts an engine or a file system accepts, at most 63 characters for containers.
//! **Invariant:** two different identities never get the same name: a hash of the identity is part of the name wherever the plain text could be ambiguous or too long.
//! Not here: names of networks and volumes (`escadre-render`).
//! Tests: `tests/it/names.rs`, over random identities.

use escadre_model::desired::{Attachment, CertificateSource, HttpRoute, Route};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceKey};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The longest name of a container: one label of a DNS name.
pub const LONGEST: usize = 63;

/// The name of a container: `fleet_instance_service_replica_gN`; for a fleet of one (instance and fleet have one name) `project_service_replica_gN`.
///
/// Names of ours hold no underscore, so the text is unambiguous; where a Compose project's does, or a fleet of one has a service with one, ten digits
/// of the identity's hash follow. A plain name ends in `_gN`, a hashed one never does.
pub fn container(instance: &InstanceId, service: &str, replica: u32, generation: u64) -> Arc<str> {
    let (fleet, name) = (instance.fleet.as_str(), instance.instance.as_str());
    let one = fleet == name;
    let head = if one { format!("{fleet}_{service}") } else { format!("{fleet}_{name}_{service}") };
    let tail = format!("_{replica}_g{generation}");
    let ambiguous =
        if one { fleet.contains('_') || service.contains('_') } else { fleet.contains('_') || name.contains('_') };
    if !ambiguous && head.len() + tail.len() <= LONGEST {
        return format!("{head}{tail}").into();
    }
    let hash = Hash::of(format!("{fleet}/{name}/{service}/{replica}/{generation}"));
    let digits = hash.as_str().get(..10).unwrap_or_default();
    format!("{}{tail}_{digits}", cut(&head, LONGEST.saturating_sub(tail.len() + 11))).into()
}

/// The hosts file of a set of networks: keys in order, joined by `+`. Services with different `extra_hosts` do not share one. `None` without a network.
pub fn hosts(networks: &[Attachment], extra: &[(Arc<str>, Arc<str>)]) -> Option<Arc<str>> {
    let keys: BTreeSet<&str> = networks.iter().map(|network| network.network.as_ref()).collect();
    if keys.is_empty() {
        return None;
    }
    let plain = keys.into_iter().collect::<Vec<_>>().join("+");
    if extra.is_empty() && plain.len() <= LONGEST {
        return Some(plain.into());
    }
    let hash = Hash::of_json(&(&plain, extra));
    Some(format!("{}+{}", cut(&plain, LONGEST - 13), hash.short()).into())
}

/// The path of a secret or config below the instance's folder: `config/desk.toml-77d0c1e0a1b2`. It contains the hash of key and spec, so that two
/// contents never share a path, and it cannot leave the folder whatever the key is.
pub fn file(key: &ResourceKey, spec: &Hash) -> Arc<str> {
    let hash = Hash::of(format!("{key}\n{spec}"));
    let slug: String = key
        .key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .collect();
    format!("{}/{}-{}", key.kind.word(), cut(&slug, 80).trim_start_matches('.'), hash.short()).into()
}

/// The name of a network that is made beside the one it replaces: the wanted name, or the first free `name_2`, `name_3`, …
pub(crate) fn beside(wanted: &str, taken: &dyn Fn(&str) -> bool) -> Arc<str> {
    if !taken(wanted) {
        return wanted.into();
    }
    let mut number = 2_u64;
    loop {
        let suffix = format!("_{number}");
        let name = format!("{}{suffix}", cut(wanted, LONGEST - suffix.len()));
        if !taken(&name) {
            return name.into();
        }
        number += 1;
    }
}

/// The hash of a route's own settings, without where they were written: what `RouteSeen::spec` and `RouteTarget::spec` hold.
pub fn route_spec(route: &Route) -> Hash {
    Hash::of_json(&route.without_source())
}

/// Is it by host name, and over TLS?
pub(crate) fn over_tls(route: &Route) -> Option<bool> {
    match route {
        Route::Http(http) => Some(http.tls.is_some()),
        Route::Tcp(_) => None,
    }
}

/// Is it the same but for a certificate whose secret cannot be read here?
pub(crate) fn same_as_far_as_read(route: &Route, former: &Route) -> bool {
    fn take(route: &mut Route) -> Option<Hash> {
        match route {
            Route::Http(HttpRoute { tls: Some(https), .. }) => match &mut https.from {
                CertificateSource::Secret { hash, .. } => hash.take(),
                _ => None,
            },
            _ => None,
        }
    }
    let (mut now, mut then) = (route.clone(), former.clone());
    take(&mut now).is_none() && take(&mut then).is_some() && route_spec(&now) == route_spec(&then)
}

/// The beginning of a text, at most so many bytes, never within a character.
fn cut(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
