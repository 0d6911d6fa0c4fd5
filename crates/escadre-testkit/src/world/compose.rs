//! Docker Compose in the small world: what it makes, with its labels and none of ours.
//!
//! In: a service in words. Out: its container, with the project's network and volumes.
//! **Invariant:** what is there already stays, as `docker compose up` leaves it; a container of the same number is made anew.
//! Not here: taking it over.
//! Tests: `tests/worlds/adopt-*.world`.

use super::state::{Container, Image, Network, State, Volume};
use escadre_model::desired::EnginePort;
use escadre_model::hash::Hash;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A service of a project.
#[derive(Clone, Debug, Default)]
pub struct Made {
    project: Arc<str>,
    key: Arc<str>,
    image: Arc<str>,
    number: u32,
    publish: Option<(u16, u16)>,
    volumes: Vec<Arc<str>>,
    exited: Option<i64>,
    job: bool,
}

/// `8080:80`.
///
/// # Errors
/// When it is not.
pub fn ports(text: &str) -> Result<(u16, u16), String> {
    let both = text.split_once(':').and_then(|(host, port)| Some((host.parse().ok()?, port.parse().ok()?)));
    both.ok_or_else(|| format!("{text} is no pair of ports"))
}

/// Reads a service in words.
///
/// # Errors
/// The word that is not understood.
pub fn parse(project: &str, key: &str, image: &str, words: &[&str]) -> Result<Made, String> {
    let (project, key, image) = (project.into(), key.into(), image.into());
    let mut made = Made { project, key, image, number: 1, ..Made::default() };
    for word in words {
        match word.split_once('=') {
            None if *word == "job" => made.job = true,
            Some(("number", number)) => made.number = number.parse().map_err(|_| format!("{number} is no number"))?,
            Some(("publish", text)) => made.publish = Some(ports(text)?),
            Some(("volume", key)) => made.volumes.push(key.into()),
            Some(("exited", code)) => made.exited = Some(code.parse().map_err(|_| format!("{code} is no code"))?),
            _ => return Err(format!("{word} is nothing of a container of Compose")),
        }
    }
    Ok(made)
}

/// Makes and starts it.
///
/// # Errors
/// When there is no such image.
pub fn up(state: &mut State, made: &Made, now: u64) -> Result<(), String> {
    let Made { project, key, image, number, .. } = made;
    let image: Image = state.registry.get(image).cloned().ok_or_else(|| format!("there is no image {image}"))?;
    state.images.insert(made.image.clone(), image.clone());
    let network: Arc<str> = format!("{project}_default").into();
    if !state.networks.contains_key(&network) {
        let subnet = format!("10.89.{}.0/24", state.networks.len()).into();
        let compose = Some((project.clone(), "default".into()));
        let made = Network { engine: state.id("n"), owner: None, spec: None, subnet, compose };
        state.networks.insert(network.clone(), made);
    }
    let mut volumes = BTreeMap::new();
    for one in &made.volumes {
        let name: Arc<str> = format!("{project}_{one}").into();
        let compose = Some((project.clone(), one.clone()));
        let empty = Volume { owner: None, spec: None, written: BTreeSet::new(), compose };
        state.volumes.entry(name.clone()).or_insert(empty);
        volumes.insert(one.clone(), name);
    }
    let subnet = state.networks.get(&network).map(|network| network.subnet.clone()).unwrap_or_default();
    let taken: BTreeSet<_> =
        state.containers.values().flat_map(|one| one.networks.values().flatten().copied()).collect();
    let base = subnet.rsplit_once('.').map_or("10.89.0", |(base, _)| base).to_owned();
    let free =
        (2..100).filter_map(|last| format!("{base}.{last}").parse().ok()).find(|address| !taken.contains(address));
    let published = made.publish.map(|(host, port)| EnginePort {
        host: "".into(),
        published: host,
        target: port,
        protocol: "tcp".into(),
    });
    let container = Container {
        engine: state.id("c"),
        owner: None,
        spec: None,
        fields: Hash::of(format!("{project} {key} {number}")),
        image,
        job: made.job,
        started: Some(now),
        stopped: made.exited,
        networks: BTreeMap::from([(network, free)]),
        names: BTreeSet::from([key.clone()]),
        volumes,
        compose: Some((project.clone(), key.clone(), *number)),
        published: published.into_iter().collect(),
    };
    state.containers.insert(format!("{project}-{key}-{number}").into(), container);
    Ok(())
}
