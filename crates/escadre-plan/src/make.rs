//! Making a plan: the entry of this room.
//!
//! In: [`Input`]: what is wanted, what was seen, what the target can do and what was asked for. Out: a [`Plan`].
//! **Invariant:** pure, and independent of the order of its input; one bad instance is refused by name and the others are planned; an empty or half-read fleet never means deletion.
//! Not here: one instance (`instance`), comparing (`diff`), steps (`steps`).
//! Tests: `tests/it`.

use crate::address::{Pool, Ports, Subnet};
use crate::claims::Claims;
use crate::diff::adopt;
use crate::plan::{Back, InstancePlan, Note, Plan, SCHEMA};
use crate::{groups, instance};
use escadre_model::desired::{Body, Desired, Route};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, ResourceId};
use escadre_model::observed::{InstanceSeen, Observed};
use escadre_model::parallel::{self, Threads};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Everything a plan is made of.
#[derive(Clone, Debug)]
pub struct Input<'a> {
    /// The fleet's name.
    pub fleet: Arc<str>,
    /// The commit that was read; empty outside Git.
    pub commit: Arc<str>,
    /// Hash of uncommitted files that were read; `None`: clean.
    pub dirty: Option<Hash>,
    /// What the instances shall be, in any order. All that could be read: names, ports and subnets are compared over all of them, also those not selected.
    pub desired: &'a [Desired],
    /// Was the list of instances read whole? If not, an instance that is not in it says nothing.
    pub listed: bool,
    /// What was seen on the target.
    pub observed: &'a Observed,
    /// The target.
    pub target: TargetFacts,
    /// What the target can do.
    pub abilities: Abilities,
    /// What was asked for.
    pub options: Options,
    /// Image reference → the digest the registry names for it now, for the references that were asked (`pull_policy: always`, `--pull`).
    pub registry: BTreeMap<Arc<str>, Arc<str>>,
}

/// What the planner must know of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFacts {
    /// Its name: `host-1`, or `local`.
    pub name: Arc<str>,
    /// The pool of subnets, as `10.210.0.0/16`.
    pub pool: Arc<str>,
    /// The prefix of a planned subnet.
    pub prefix: u8,
    /// Containers' addresses cannot be reached from the host: routes go through fixed loopback ports.
    pub rootless: bool,
    /// Loopback ports for that.
    pub loopback: RangeInclusive<u16>,
    /// Ports to choose from where a product asks for any (`ports: ["80"]`).
    pub any_port: RangeInclusive<u16>,
    /// Where the edge answers for host names: HTTP, then HTTPS.
    pub edge: [u16; 2],
}

impl Default for TargetFacts {
    fn default() -> Self {
        Self {
            name: "local".into(),
            pool: "10.210.0.0/16".into(),
            prefix: 26,
            rootless: false,
            loopback: 20_000..=29_999,
            any_port: 32_768..=60_999,
            edge: [80, 443],
        }
    }
}

/// What a target can do, as far as plans depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Two generations of a service can run at the same time.
    pub side_by_side: bool,
    /// Containers can be given an address that they keep.
    pub fixed_address: bool,
    /// The engine runs health checks by itself.
    pub runs_checks: bool,
    /// So can containers on a network that Docker Compose made.
    pub fixed_on_adopted: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self { side_by_side: true, fixed_address: true, runs_checks: true, fixed_on_adopted: true }
    }
}

/// What happens to an instance that runs and whose file is gone without a tombstone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrphanPolicy {
    /// It is kept and reported.
    #[default]
    Report,
    /// It is kept and not spoken of: the caller looked at a part of the fleet on purpose.
    Silent,
}

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Only these instances; `None`: all. The other ones are neither planned nor judged.
    pub only: Option<BTreeSet<InstanceId>>,
    /// Volumes whose data may be lost: `acme/volume/data`, without replica and generation.
    pub destroy: Vec<ResourceId>,
    /// Take the selected instances down, as if their files said `state: removed`. An instance named in `only` is taken down without a file too.
    pub down: bool,
    /// Only take over what runs: whatever else an instance wants is left for another plan.
    pub adopt: bool,
    /// These instances go back to an earlier state: the caller puts that receipt's Desired into `desired`. Holds do not count and jobs do not run.
    pub back: BTreeMap<InstanceId, Back>,
    /// Services are stopped or started as they are: the caller puts what runs (the last receipt's Desired) into `desired`. Holds do not count.
    pub touch: Option<Touch>,
    /// What happens to orphans.
    pub orphans: OrphanPolicy,
    /// Images that are here are taken as they are, whatever `pull_policy` says: the caller has just asked for them.
    pub as_they_are: bool,
}

/// Services of instances to be stopped or started as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touch {
    /// What is done to them.
    pub how: How,
    /// Which services; none of an instance means all of it.
    pub services: BTreeMap<InstanceId, BTreeSet<Arc<str>>>,
}

/// What is done to services that stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They stop, and their containers are kept.
    Stop,
    /// Those that do not run start again.
    Start,
    /// Those that run stop and start again; the others start.
    Restart,
}

/// What is decided over the whole fleet before any instance has steps.
pub(crate) struct FleetWide {
    /// Ports of routes that asked for any, by instance and route: chosen over the whole fleet, whatever part of it is planned.
    pub(crate) any: BTreeMap<(InstanceId, Arc<str>), u16>,
    pub(crate) claims: Claims,
}

/// What one instance may take while its steps are made. It is given out beforehand, in the order of names: so instances know nothing of each other and
/// can be planned at the same time.
pub(crate) struct Shared<'f> {
    pub(crate) fleet: &'f FleetWide,
    /// Network → its subnet, for those that need one. What is missing here the pool did not have.
    pub(crate) subnets: BTreeMap<Arc<str>, Subnet>,
    pub(crate) loopback: Loopback,
}

/// Loopback ports, which are counted up from one instance to the next. Few need them, and who asks in vain is planned again when its turn comes.
#[derive(Default)]
pub(crate) struct Loopback {
    ports: Option<Ports>,
    refused: bool,
}

impl Loopback {
    /// The next free port. `None`: there is none left, or they are not given out yet.
    pub(crate) fn take(&mut self) -> Option<u16> {
        self.refused |= self.ports.is_none();
        self.ports.as_mut()?.take()
    }

    /// Was a port asked for before they are given out?
    pub(crate) fn refused(&self) -> bool {
        self.refused
    }
}

/// Makes the plan.
pub fn make(input: &Input<'_>) -> Plan {
    make_on(input, Threads::of_machine())
}

/// Makes the plan on so many threads: the same plan on any number of them.
pub fn make_on(input: &Input<'_>, threads: Threads) -> Plan {
    let mut sorted: Vec<&Desired> = input.desired.iter().collect();
    sorted.sort_by(|a, b| a.instance.cmp(&b.instance));
    let (fleet, mut pool, loopback) = fleet_wide(input, &sorted);
    let selected = |id: &InstanceId| input.options.only.as_ref().is_none_or(|only| only.contains(id));
    let chosen: Vec<&Desired> = sorted.iter().filter(|desired| selected(&desired.instance)).copied().collect();
    let nothing = InstanceSeen::default();
    let drafts = parallel::map(chosen, threads, |desired| {
        instance::compare(input, desired, input.observed.instance(&desired.instance).unwrap_or(&nothing))
    });
    let drafts: Vec<_> = drafts.into_iter().map(|draft| (subnets(&draft, &mut pool), draft)).collect();
    let finished = parallel::map(drafts, threads, |(subnets, draft)| {
        let mut shared = Shared { fleet: &fleet, subnets: subnets.clone(), loopback: Loopback::default() };
        draft.finish(&mut shared).map_err(|draft| (subnets, draft))
    });
    let (mut instances, mut notes) = (Vec::with_capacity(finished.len()), Vec::new());
    let mut loopback = Loopback { ports: Some(loopback), refused: false };
    for one in finished {
        let done = one.or_else(|(subnets, draft)| {
            let mut shared = Shared { fleet: &fleet, subnets, loopback: std::mem::take(&mut loopback) };
            let done = draft.finish(&mut shared);
            loopback = shared.loopback;
            done
        });
        if let Ok((made, more)) = done {
            instances.push(made);
            notes.extend(more);
        }
    }
    orphans(input, &sorted, &fleet, &mut instances, &mut notes);
    instances.sort_by(|a, b| a.instance.cmp(&b.instance));
    notes.extend(adopt::by_id(input.observed, &instances));
    let (groups, outliers, waves) = groups::make(&mut instances);
    notes.sort_by(|a, b| (&a.instance, &a.code, &a.text).cmp(&(&b.instance, &b.code, &b.text)));
    notes.dedup();
    let mut plan = Plan {
        schema: SCHEMA.into(),
        id: "".into(),
        fleet: input.fleet.clone(),
        commit: input.commit.clone(),
        dirty: input.dirty.clone(),
        target: input.target.name.clone(),
        instances,
        groups,
        outliers,
        waves,
        notes,
    };
    plan.id = plan.content_id_on(threads);
    plan
}

/// Subnets for the networks of an instance that need one.
fn subnets(draft: &instance::Draft<'_>, pool: &mut Pool) -> BTreeMap<Arc<str>, Subnet> {
    let near = |(instance, key): (&InstanceId, &Arc<str>)| {
        let subnet = pool.near(crate::address::seed(format!("{instance}/{key}")))?;
        Some((key.clone(), subnet))
    };
    draft.networks().filter_map(near).collect()
}

fn fleet_wide(input: &Input<'_>, sorted: &[&Desired]) -> (FleetWide, Pool, Ports) {
    let host = &input.observed.host;
    let mut pool = Pool::new(&input.target.pool, input.target.prefix);
    host.subnets.iter().for_each(|subnet| pool.mark(subnet));
    let (mut loopback, mut held) = (host.ports.clone(), host.ports.clone());
    for seen in input.observed.instances.values() {
        seen.networks.iter().flat_map(|network| &network.subnets).for_each(|subnet| pool.mark(subnet));
        let backends = seen.routes.values().flat_map(|route| &route.backends);
        loopback.extend(backends.map(|(_, at)| *at).filter(|at| at.ip().is_loopback()).map(|at| at.port()));
        loopback.extend(seen.containers.iter().flat_map(|one| &one.published).map(|it| it.published));
    }
    for desired in sorted {
        for resource in desired.resources.values() {
            if let Body::Network(network) = &resource.body {
                network.subnet.iter().for_each(|subnet| pool.mark(subnet));
            }
        }
    }
    let claims = Claims::of(sorted, input.observed, input.target.edge);
    held.extend(claims.ports());
    let any = any_ports(sorted, Ports::new(input.target.any_port.clone(), held));
    (FleetWide { any, claims }, pool, Ports::new(input.target.loopback.clone(), loopback))
}

/// A port for every route that asked for any: near a place its identity chooses, so that the same one is found again.
fn any_ports(sorted: &[&Desired], mut free: Ports) -> BTreeMap<(InstanceId, Arc<str>), u16> {
    let mut chosen = BTreeMap::new();
    for desired in sorted {
        for (key, route) in &desired.routes {
            if !matches!(route, Route::Tcp(tcp) if tcp.published == 0) {
                continue;
            }
            let seed = crate::address::seed(format!("{}/{key}", desired.instance));
            chosen.extend(free.near(seed).map(|port| ((desired.instance.clone(), key.clone()), port)));
        }
    }
    chosen
}

/// What runs and is in no file: reported, or taken down if it was named.
fn orphans(
    input: &Input<'_>,
    sorted: &[&Desired],
    fleet: &FleetWide,
    instances: &mut Vec<InstancePlan>,
    notes: &mut Vec<Note>,
) {
    let mut unjudged = 0_usize;
    for (id, seen) in &input.observed.instances {
        let wanted = sorted.binary_search_by(|desired| desired.instance.cmp(id)).is_ok();
        let named = input.options.only.as_ref().is_some_and(|only| only.contains(id));
        if wanted || id.fleet.as_str() != input.fleet.as_ref() || is_nothing(seen) {
            continue;
        }
        if named && input.options.down {
            let former = instance::without_file(id, seen);
            let mut shared = Shared { fleet, subnets: BTreeMap::new(), loopback: Loopback::default() };
            // What only goes asks for no port.
            if let Ok((made, more)) = instance::compare(input, &former, seen).finish(&mut shared) {
                instances.push(made);
                notes.extend(more);
            }
        } else if !input.listed {
            unjudged += 1;
        } else if input.options.only.is_none() && input.options.orphans == OrphanPolicy::Report {
            notes.push(Note {
                code: "W0301".into(),
                instance: Some(id.clone()),
                text: format!("{} runs and no file speaks of it; it is left as it is", id.instance).into(),
                source: None,
                hint: Some(format!("escadre down {}", id.instance).into()),
            });
        }
    }
    if unjudged > 0 {
        notes.push(Note {
            code: "W0302".into(),
            instance: None,
            text: format!("the fleet was not read whole: {unjudged} more found on the target are left as they are")
                .into(),
            source: None,
            hint: Some("escadre check".into()),
        });
    }
}

fn is_nothing(seen: &InstanceSeen) -> bool {
    seen.containers.is_empty() && seen.networks.is_empty() && seen.routes.is_empty()
}
