//! A recorded observation: what would be seen if a plan had been carried out by an engine that never fails.
//!
//! In: a plan for an empty world, and what its instances want. Out: an `Observed`, with receipts; kept in a file and read back as the journal does it,
//! what instances were told to be in heads and parts.
//! **Invariant:** planned again against it, nothing is to be done; whoever records checks that.
//! Not here: an engine with faults and a clock (`escadre-testkit`), the real one (`engine`).
//! Tests: each benchmark of planning plans against it and counts the changes.

use anyhow::{Context, Result, bail};
use escadre_model::desired::{Desired, Head, Parts};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::{
    Complete, ContainerSeen, EngineId, Health, ImageSeen, InstanceSeen, NetworkSeen, Observed, Outcome, Phase, Receipt,
    RouteSeen, VolumeSeen,
};
use escadre_plan::plan::Plan;
use escadre_plan::step::{Act, Placement, Step};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

/// What an engine would show after this plan.
pub(crate) fn observed(plan: &Plan, desired: &[Desired]) -> Result<Observed> {
    let complete = Complete { containers: true, networks: true, volumes: true, images: true, record: true };
    let mut observed = Observed { complete, ..Observed::default() };
    let wanted: BTreeMap<&InstanceId, &Desired> = desired.iter().map(|one| (&one.instance, one)).collect();
    let mut made = 0_u64;
    for one in &plan.instances {
        let Some(wanted) = wanted.get(&one.instance) else { bail!("{} is planned and not wanted", one.instance) };
        if let Some(refused) = &one.refused {
            bail!("{} is refused: {refused:?}", one.instance);
        }
        let mut seen = InstanceSeen { origin: Some(Arc::clone(&wanted.origin)), ..InstanceSeen::default() };
        for step in &one.steps {
            made += 1;
            perform(step, EngineId(format!("{made:064x}").into()), &mut seen, &mut observed)?;
        }
        let fields = seen.containers.iter().filter_map(|it| Some((it.engine.clone(), it.fields.clone()?))).collect();
        seen.record.receipts.push(receipt(made, Arc::clone(&plan.id), Arc::new((*wanted).clone()), fields));
        observed.instances.insert(one.instance.clone(), seen);
    }
    Ok(observed)
}

/// An observation as it is kept. Its receipts are told apart, because a journal keeps what instances were told to be in heads and parts.
#[derive(Serialize, Deserialize)]
struct Kept {
    observed: Observed,
    receipts: Vec<(InstanceId, ReceiptHead, Box<RawValue>)>,
    parts: BTreeMap<Hash, Box<RawValue>>,
}

/// A receipt without what the instance was told to be.
#[derive(Serialize, Deserialize)]
struct ReceiptHead {
    seq: u64,
    plan: Arc<str>,
    fields: BTreeMap<EngineId, Hash>,
}

/// Keeps an observation.
pub(crate) fn write(path: &Path, mut observed: Observed) -> Result<()> {
    let (mut receipts, mut parts) = (Vec::new(), BTreeMap::new());
    let raw = |text: Vec<u8>| RawValue::from_string(String::from_utf8(text)?).context("JSON");
    for (instance, seen) in &mut observed.instances {
        for receipt in std::mem::take(&mut seen.record.receipts) {
            let packed = receipt.desired.pack().context("pack what is wanted")?;
            for (hash, text) in packed.parts {
                parts.insert(hash, raw(text)?);
            }
            let Receipt { seq, plan, fields, .. } = receipt;
            receipts.push((instance.clone(), ReceiptHead { seq, plan, fields }, raw(packed.head)?));
        }
    }
    let mut file = BufWriter::new(File::create(path).context("keep what is seen")?);
    serde_json::to_writer(&mut file, &Kept { observed, receipts, parts }).context("write what is seen")?;
    file.flush().context("write what is seen")
}

/// Reads an observation back.
pub(crate) fn read(path: &Path) -> Result<Observed> {
    let file = File::open(path).context("open the recorded observation")?;
    let Kept { mut observed, receipts, parts: texts } =
        serde_json::from_reader(BufReader::with_capacity(1 << 20, file)).context("read the recorded observation")?;
    let mut parts = Parts::default();
    let text = |hash: &Hash| Some(texts.get(hash)?.get().as_bytes().into());
    for (instance, ReceiptHead { seq, plan, fields }, head) in receipts {
        let desired = Head::read(head.get().as_bytes()).context("read a head")?.unpack(&mut parts, &text)?;
        let seen = observed.instances.get_mut(&instance).context("a receipt of an instance that was not seen")?;
        seen.record.receipts.push(receipt(seq, plan, Arc::new(desired), fields));
    }
    Ok(observed)
}

fn receipt(seq: u64, plan: Arc<str>, desired: Arc<Desired>, fields: BTreeMap<EngineId, Hash>) -> Receipt {
    Receipt {
        seq,
        plan,
        commit: "".into(),
        dirty: None,
        at: "2026-01-01T00:00:00Z".into(),
        by: "bench".into(),
        because: None,
        last_line: None,
        back: None,
        outcome: Outcome::Healthy,
        desired,
        images: BTreeMap::new(),
        fields,
    }
}

fn perform(step: &Step, engine: EngineId, seen: &mut InstanceSeen, world: &mut Observed) -> Result<()> {
    match &step.act {
        Act::EnsureImage { reference, .. } => {
            let id: Arc<str> = format!("sha256:{}", Hash::of(reference.as_bytes())).into();
            let image =
                ImageSeen { id, digests: Vec::new(), ports: vec![80], health: None, size: 2_000_000, build: None };
            world.host.images.entry(Arc::clone(reference)).or_insert(image);
        }
        Act::EnsureNetwork { name, subnet } => {
            world.host.subnets.extend(subnet.clone());
            seen.record.owned.insert(engine.clone(), step.on.clone());
            seen.networks.push(NetworkSeen {
                key: step.on.resource.clone(),
                engine,
                name: Arc::clone(name),
                spec: step.payload.clone(),
                subnets: subnet.iter().cloned().collect(),
                compose: false,
            });
        }
        Act::EnsureVolume { name, .. } => {
            let key = step.on.resource.clone();
            // The engine knows a volume by its name.
            seen.record.owned.insert(EngineId(Arc::clone(name)), step.on.clone());
            seen.volumes.push(VolumeSeen { key, name: Arc::clone(name), spec: step.payload.clone() });
        }
        Act::Create(place) => {
            seen.record.owned.insert(engine.clone(), step.on.clone());
            seen.containers.push(container(&step.on, place, step.payload.clone(), engine, world));
        }
        Act::Start { name } => {
            seen.containers.iter_mut().filter(|one| one.name == *name).for_each(|one| one.phase = Phase::Running);
        }
        Act::Switch { routes } => {
            for (key, target) in routes {
                let route = RouteSeen { spec: target.spec.clone(), backends: target.backends.clone(), parked: false };
                seen.routes.insert(Arc::clone(key), route);
            }
        }
        Act::EnsureFile { .. } | Act::Gate { .. } | Act::Attach { .. } => {}
        other => bail!("a first plan holds {other:?}"),
    }
    Ok(())
}

fn container(
    on: &ResourceId,
    place: &Placement,
    spec: Option<Hash>,
    engine: EngineId,
    world: &Observed,
) -> ContainerSeen {
    let addresses = place.networks.iter().filter_map(|net| Some((Arc::clone(&net.name), net.address?)));
    ContainerSeen {
        id: on.clone(),
        fields: Some(Hash::of(format!("as made {}", engine.0))),
        engine,
        name: Arc::clone(&place.name),
        spec,
        image: world.host.images.get(&place.image).map(|image| Arc::clone(&image.id)).unwrap_or_default(),
        phase: Phase::Created,
        health: Health::Healthy,
        restarts: 0,
        started: "2026-01-01T00:00:00Z".into(),
        addresses: addresses.collect(),
        published: place.engine_ports.clone(),
        volumes: place.volumes.clone(),
        known: true,
        compose: None,
    }
}
