//! What becomes of networks, volumes, files, images and routes.
//!
//! In: a view of one instance. Out: their changes and fates, added to a `Diff`.
//! **Invariant:** a volume is never deleted here unless `--destroy` named it; a network goes only if the list of networks was whole and it is on record.
//! Not here: services (`diff`).
//! Tests: `tests/it`.

use super::{Diff, Fate, NetworkFate, View, adopt, file_paths};
use crate::change::{Action, Change, Reason};
use crate::names;
use crate::reasons::{self, Verdict};
use escadre_model::desired::{Body, CertificateSource, Https, NetworkMode, Route, Service};
use escadre_model::hash::Hash;
use escadre_model::ids::{Kind, ResourceKey};
use escadre_model::observed::{ContainerSeen, EngineId};
use escadre_model::routes::{Plain, ProxyProtocol};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

pub(crate) fn change(on: ResourceKey, action: Action, reasons: Vec<Reason>, detail: Option<Arc<str>>) -> Change {
    Change {
        on,
        action,
        reasons,
        restarts: 0,
        gate: None,
        gap: None,
        follows: Vec::new(),
        adopts: Vec::new(),
        proves: false,
        detail,
    }
}

pub(super) fn networks<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    let record = &view.seen.record;
    let taken = |name: &str| view.seen.networks.iter().any(|seen| seen.name.as_ref() == name);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for (key, resource) in &view.desired.resources {
        let Body::Network(network) = &resource.body else { continue };
        let mut there: Vec<_> = view.seen.networks.iter().filter(|seen| seen.key.key == key.key).collect();
        // Of several (one was being replaced when an apply ended) the one that fits is the one.
        there.sort_by_key(|seen| (seen.spec.as_ref() != Some(&resource.spec), seen.name.clone()));
        let best = there.first().copied();
        let verdict = best.map(|seen| reasons::compare(record, key, resource, seen.spec.as_ref()));
        let (action, why, name) = match (&verdict, best) {
            _ if network.external => (Action::Keep, Vec::new(), network.name.clone()),
            (_, Some(seen)) if !record.owned.contains_key(&seen.engine) => {
                (Action::Adopt, Vec::new(), seen.name.clone())
            }
            (Some(Verdict::Differs(why)), _) => (Action::Replace, why.clone(), names::beside(&network.name, &taken)),
            (_, Some(seen)) => (Action::Keep, Vec::new(), seen.name.clone()),
            (_, None) => (Action::Create, Vec::new(), network.name.clone()),
        };
        let subnet = match (action, best) {
            (Action::Keep | Action::Adopt, Some(seen)) => {
                seen.subnets.iter().find(|text| crate::address::Subnet::parse(text).is_some()).cloned()
            }
            _ => network.subnet.clone(),
        };
        let stays = matches!(action, Action::Keep | Action::Adopt);
        let mut told = change(key.clone(), action, why, Some(name.clone()));
        if let Some(seen) = best.filter(|_| stays) {
            used.insert(&seen.engine.0);
            told.adopts.extend((action == Action::Adopt).then(|| seen.engine.clone()));
        }
        diff.changes.push(told);
        let ensure = !stays || network.external;
        diff.networks.insert(key.key.clone(), NetworkFate { name, ensure, external: network.external, subnet });
    }
    for seen in view.seen.networks.iter().filter(|seen| !used.contains(seen.engine.0.as_ref())) {
        if !view.input.observed.complete.networks || !record.owned.contains_key(&seen.engine) {
            diff.notes.push(view.note(
                "W0305",
                format!("network {} carries our labels and is not on record; it is left as it is", seen.name),
            ));
            continue;
        }
        if !diff.changes.iter().any(|one| one.on == seen.key && one.action == Action::Replace) {
            diff.changes.push(change(seen.key.clone(), Action::Delete, vec![Reason::Removed], Some(seen.name.clone())));
        }
        diff.gone_networks.push(seen);
    }
}

/// A network that a container stays on stays too: a later plan takes it.
pub(super) fn used_networks<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    let mut going: BTreeSet<&str> = diff.gone.iter().map(|one| one.engine.0.as_ref()).collect();
    for (_, slot) in diff.services.iter().flat_map(|one| &one.slots) {
        if let Fate::Replace { old, .. } = slot {
            going.insert(&old.engine.0);
        }
    }
    let staying = view.seen.containers.iter().filter(|one| !going.contains(one.engine.0.as_ref()));
    let used: BTreeSet<&str> = staying.flat_map(|one| one.addresses.keys()).map(AsRef::as_ref).collect();
    let (stay, go): (Vec<_>, Vec<_>) =
        diff.gone_networks.iter().copied().partition(|seen| used.contains(seen.name.as_ref()));
    for seen in stay {
        let named = |one: &Change| {
            one.on == seen.key && one.action == Action::Delete && one.detail.as_ref() == Some(&seen.name)
        };
        diff.changes.retain(|one| !named(one));
        diff.notes.push(view.note("W0305", format!("network {} is still used; it is left as it is", seen.name)));
    }
    diff.gone_networks = go;
}

pub(super) fn volumes<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    let record = &view.seen.record;
    for (key, resource) in &view.desired.resources {
        let Body::Volume(volume) = &resource.body else { continue };
        let there = view.seen.volumes.iter().find(|seen| seen.name == volume.name);
        // One that has no name of its own (Compose's are numbers) stays the one it is.
        let there = there.or_else(|| adopt::unnamed(view, key, volume));
        let name = there.map_or(&volume.name, |seen| &seen.name);
        let action = match there {
            _ if volume.external => Action::Keep,
            None => Action::Create,
            Some(_) if record.retained.get(&key.key) == Some(name) => Action::Adopt,
            Some(seen) if !record.owned.contains_key(&EngineId(seen.name.clone())) => Action::Adopt,
            Some(_) => Action::Keep,
        };
        if let Some(seen) = there.filter(|_| !volume.external)
            && seen.spec.is_some()
            && matches!(reasons::compare(record, key, resource, seen.spec.as_ref()), Verdict::Differs(_))
        {
            diff.notes.push(view.note(
                "W0306",
                format!(
                    "volume {} was made with other settings; a volume is never made again, so they have no effect",
                    seen.name
                ),
            ));
        }
        let mut told = change(key.clone(), action, Vec::new(), Some(name.clone()));
        told.adopts.extend((action == Action::Adopt).then(|| EngineId(name.clone())));
        diff.changes.push(told);
        diff.volumes.insert(key.key.clone(), (name.clone(), action == Action::Create || volume.external));
    }
    let wanted: BTreeSet<&str> = diff.volumes.values().map(|(name, _)| name.as_ref()).collect();
    let mut gone = Vec::new();
    for seen in view.seen.volumes.iter().filter(|seen| !wanted.contains(seen.name.as_ref())) {
        gone.push(seen);
    }
    for seen in gone {
        leave_volume(view, diff, seen);
    }
}

/// A volume nobody wants: retained, unless `--destroy` named it.
pub(crate) fn leave_volume<'a>(view: &View<'a>, diff: &mut Diff<'a>, seen: &'a escadre_model::observed::VolumeSeen) {
    let id = view.desired.instance.resource(seen.key.clone());
    let detail = Some(seen.name.clone());
    if view.input.options.destroy.contains(&id) && view.input.observed.complete.volumes {
        diff.changes.push(change(seen.key.clone(), Action::Delete, vec![Reason::Removed], detail));
        diff.gone_volumes.push(seen);
    } else if view.seen.record.retained.get(&seen.key.key) == Some(&seen.name) {
        let mut note = view.note("W0304", format!("volume {} is kept although nothing uses it", seen.name));
        note.hint = Some(format!("escadre plan --destroy {id}").into());
        diff.notes.push(note);
    } else {
        diff.changes.push(change(seen.key.clone(), Action::Retain, vec![Reason::Removed], detail));
    }
}

pub(super) fn files<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    for (key, resource) in &view.desired.resources {
        let Body::File(_) = &resource.body else { continue };
        let former = view.base.map(|base| base.desired.resources.get(key));
        let (action, why) = match former {
            Some(Some(old)) => match reasons::compare(&view.seen.record, key, resource, Some(&old.spec)) {
                Verdict::Same => (Action::Keep, Vec::new()),
                Verdict::CannotTell => {
                    diff.notes.push(view.note(
                        "W0303",
                        format!("{key}: whether it changed cannot be known without the fleet's key; it stays as it is"),
                    ));
                    (Action::Keep, Vec::new())
                }
                Verdict::Differs(_) if key.kind == Kind::Secret => {
                    let source = resource.source().cloned();
                    (Action::Update, vec![Reason::SecretChanged { name: key.key.clone(), source }])
                }
                Verdict::Differs(why) => (Action::Update, why),
            },
            // Nothing on record: a container that was made with it proves that it is there.
            _ if used_by_running(view, key) || adopt::sees(view, key) => (Action::Keep, Vec::new()),
            _ => (Action::Create, Vec::new()),
        };
        if action == Action::Update {
            diff.moved_files.insert(key.clone(), why.clone());
        }
        diff.changes.push(change(key.clone(), action, why, None));
    }
}

fn used_by_running(view: &View<'_>, file: &ResourceKey) -> bool {
    view.seen.containers.iter().any(|container| {
        let service = view.desired.service(&container.id.resource.key);
        service.is_some_and(|(resource, service)| {
            container.spec.as_ref() == Some(&resource.spec) && service.files.contains(file)
        })
    })
}

/// Images are fetched for new containers only.
pub(super) fn images<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    let needed: BTreeSet<&str> =
        diff.services.iter().filter(|one| one.creates()).map(|one| one.service.image.as_ref()).collect();
    for (key, resource) in &view.desired.resources {
        let Body::Image(image) = &resource.body else { continue };
        let seen = view.image(&key.key);
        let wanted = view.wanted_image(&key.key);
        let action = match (seen, &wanted) {
            _ if !needed.contains(key.key.as_ref()) => Action::Keep,
            (None, _) => Action::Create,
            (Some(seen), Some(id)) if seen.id != *id => Action::Update,
            _ => Action::Keep,
        };
        let detail = match (&action, &image.build) {
            (Action::Create | Action::Update, Some(_)) => Some("built from the tree".into()),
            (Action::Create | Action::Update, None) => Some("downloaded".into()),
            _ => None,
        };
        diff.changes.push(change(key.clone(), action, Vec::new(), detail));
    }
}

/// The service a route leads to, and its port there.
pub(crate) fn end(route: &Route) -> (&Arc<str>, u16) {
    match route {
        Route::Http(http) => (&http.service, http.port),
        Route::Tcp(tcp) => (&tcp.service, tcp.port),
    }
}

/// Where the container of a service is reached by the edge, as far as was seen.
pub(crate) fn seen_backend(
    view: &View<'_>,
    diff_networks: Option<&std::collections::BTreeMap<Arc<str>, NetworkFate>>,
    key: &str,
    route: &Route,
    service: &Service,
    container: &ContainerSeen,
) -> Option<SocketAddr> {
    let (_, port) = end(route);
    let on_file = || {
        let backends = &view.seen.routes.get(key)?.backends;
        backends.iter().find(|(id, _)| *id == container.id).map(|(_, at)| *at)
    };
    match service.network_mode {
        NetworkMode::Host => return Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        NetworkMode::None | NetworkMode::Service(_) => return on_file(),
        NetworkMode::Own => {}
    }
    if container.compose.is_some() {
        return adopt::backend(view, container, port);
    }
    // A container that got a loopback port is reached there, whatever its own addresses are.
    if let Some(at) = on_file().filter(|at| view.by_loopback() || at.ip().is_loopback()) {
        return Some(at);
    }
    // The routes forget a container that was stopped, and are lost with the state folder; the engine knows what it publishes.
    if view.by_loopback() {
        return adopt::published(container, port);
    }
    let name = |network: &Arc<str>| match diff_networks.and_then(|networks| networks.get(network)) {
        Some(fate) => Some(fate.name.clone()),
        None => view.seen.networks.iter().find(|seen| seen.key.key == *network).map(|seen| seen.name.clone()),
    };
    let mut listed = service.networks.iter().filter_map(|one| container.addresses.get(&name(&one.network)?));
    listed.next().map(|address| SocketAddr::new(*address, port)).or_else(on_file)
}

/// Could its routes lead to this container if it were started again?
pub(crate) fn reachable(view: &View<'_>, key: &str, service: &Service, container: &ContainerSeen) -> bool {
    let mine = view.desired.routes.iter().filter(|(_, route)| end(route).0.as_ref() == key);
    mine.into_iter().all(|(name, route)| seen_backend(view, None, name, route, service, container).is_some())
}

pub(super) fn routes<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    for (key, route) in &view.desired.routes {
        let (service, _) = end(route);
        let seen = view.seen.routes.get(key);
        // A certificate that cannot be read here is kept as it is, not taken for another one.
        let former = view.base.and_then(|base| base.desired.routes.get(key));
        let recorded = |seen: &Hash| {
            former.is_some_and(|former| *seen == names::route_spec(former) && names::same_as_far_as_read(route, former))
        };
        let spec_same = seen.is_some_and(|seen| seen.spec == names::route_spec(route) || recorded(&seen.spec));
        let fate = diff.services.iter().find(|one| one.key == service);
        let mut wanted: Vec<_> = Vec::new();
        let mut steady = true;
        for (_, slot) in fate.map(|one| one.slots.as_slice()).unwrap_or_default() {
            match slot {
                Fate::Keep(container) | Fate::Adopt(container) | Fate::Follow { old: container, .. } => {
                    let at = fate
                        .and_then(|one| seen_backend(view, Some(&diff.networks), key, route, one.service, container));
                    wanted.extend(at.map(|at| (container.id.clone(), at)));
                }
                _ => steady = false,
            }
        }
        wanted.sort();
        let backends_same = seen.is_some_and(|seen| {
            let mut there = seen.backends.clone();
            there.sort();
            there == wanted && !seen.parked
        });
        let held = fate.into_iter().flat_map(|one| &one.slots).find_map(|(_, slot)| adopt::holds(slot, route));
        let (action, why) = match seen {
            // The engine has its port until the container's next update.
            None if held.is_some() => (Action::Keep, Vec::new()),
            None => (Action::Create, Vec::new()),
            Some(_) if !spec_same => (Action::Update, route_reasons(view, key, route)),
            Some(_) if steady && !backends_same => {
                (Action::Update, vec![Reason::Drift { what: "it does not lead to the containers that run".into() }])
            }
            Some(_) => (Action::Keep, Vec::new()),
        };
        if action != Action::Keep {
            diff.switch.insert(key.clone());
        }
        let detail = match route {
            Route::Http(http) => {
                http.hosts.first().map(|host| format!("{host} -> {}:{}", http.service, http.port).into())
            }
            Route::Tcp(tcp) => Some(format!("{} -> {}:{}", tcp.published, tcp.service, tcp.port).into()),
        };
        diff.changes.push(change(ResourceKey::new(Kind::Route, key.clone()), action, why, detail));
    }
    for key in view.seen.routes.keys().filter(|key| !view.desired.routes.contains_key(*key)) {
        let on = ResourceKey::new(Kind::Route, key.clone());
        diff.changes.push(change(on, Action::Delete, vec![Reason::Removed], None));
        diff.gone_routes.push(key.clone());
    }
}

fn route_reasons(view: &View<'_>, key: &str, route: &Route) -> Vec<Reason> {
    let source = match route {
        Route::Http(http) => http.source.clone(),
        Route::Tcp(tcp) => tcp.source.clone(),
    };
    let shown = |route: &Route| {
        escadre_model::desired::Shown::Plain(match route {
            Route::Http(http) => {
                let tls = http.tls.as_ref().map(https).unwrap_or_default();
                format!("{}{} -> {}:{}{tls}", http.hosts.join(", "), http.path, http.service, http.port).into()
            }
            Route::Tcp(tcp) => {
                let told = match tcp.proxy_protocol {
                    None => "",
                    Some(ProxyProtocol::V1) => ", PROXY protocol v1",
                    Some(ProxyProtocol::V2) => ", PROXY protocol v2",
                };
                format!("{} -> {}:{}{told}", tcp.published, tcp.service, tcp.port).into()
            }
        })
    };
    let old = view.base.and_then(|base| base.desired.routes.get(key)).map(shown);
    let unknown = old.is_none();
    vec![Reason::Changed { path: "route".into(), old, new: Some(shown(route)), unknown, source, raw: None }]
}

/// How names are served over TLS, as far as a person would compare it.
fn https(tls: &Https) -> String {
    let from = match &tls.from {
        CertificateSource::Usual => String::new(),
        CertificateSource::Local => " by the local authority".to_owned(),
        CertificateSource::Acme => " by a public authority".to_owned(),
        CertificateSource::Secret { chain, hash, .. } => {
            let value = hash.as_ref().map(|hash| format!(" #{}", hash.short())).unwrap_or_default();
            format!(" by secret {chain}{value}")
        }
    };
    let plain = match tls.plain {
        Some(Plain::Serve) => ", http too",
        Some(Plain::Redirect) => ", http redirected",
        None => "",
    };
    let hsts = tls.hsts_s.map(|seconds| format!(", hsts {seconds} s")).unwrap_or_default();
    format!(", https{from}{plain}{hsts}")
}

/// Files of the last receipt that nobody will see any more, as soon as something else is done.
pub(super) fn gone_files<'a>(view: &View<'a>, diff: &mut Diff<'a>) {
    let wanted: BTreeSet<Arc<str>> = file_paths(view.desired).map(|(_, path)| path).collect();
    let Some(base) = view.base else { return };
    for (key, path) in file_paths(&base.desired) {
        // A file that stays because nobody can compare it is still in use under its former path.
        let stays = view.desired.resources.contains_key(key) && !diff.moved_files.contains_key(key);
        if !wanted.contains(&path) && !stays {
            if !view.desired.resources.contains_key(key) {
                diff.changes.push(change(key.clone(), Action::Delete, vec![Reason::Removed], None));
            }
            diff.gone_files.push((key.clone(), path));
        }
    }
}
