//! Holds by hand, and a lost state folder.
//!
//! In: what was typed. Out: sentences.
//! **Invariant:** under each instance's lock; what could not be done is said by name, and the others are done.
//! Not here: what a hold means (`escadre_plan`), how a record is rebuilt (`escadre_engine::rebuild`).
//! Tests: `tests/it`.

use super::files::{self, Read, Wanted};
use super::ground::{self, sources};
use super::world::World;
use crate::args::guard::{Hold, Recover, Unhold};
use crate::args::shared::{Files, Filter};
use crate::exit::{Exit, Fault};
use crate::settings::{Seen, Selection, Settings};
use escadre_engine::apply::{End, Options, Ports};
use escadre_engine::hold::{self, HoldEnd, HoldError};
use escadre_engine::ports::Changed;
use escadre_engine::rebuild::{self, Rebuilt};
use escadre_engine::reconcile;
use escadre_model::diagnostic::has_errors;
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::name::Name;
use escadre_plan::change::Action;
use escadre_plan::make;
use escadre_plan::plan::InstancePlan;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;

/// Sets holds; the sentence that says so.
///
/// # Errors
/// When an instance is not known or locked.
pub(crate) async fn hold(settings: &Settings, args: &Hold) -> Result<String, Fault> {
    let because = args.because.clone();
    each(settings, &args.files, &args.instances, &args.filter, "held", |one, ports, options| {
        let because = because.clone();
        async move { hold::hold(&one, &because, &ports, &options).await }
    })
    .await
}

/// Lifts holds; the sentence that says so.
///
/// # Errors
/// When an instance is not known or locked.
pub(crate) async fn unhold(settings: &Settings, args: &Unhold) -> Result<String, Fault> {
    each(settings, &args.files, &args.instances, &args.filter, "no longer held", |one, ports, options| async move {
        hold::unhold(&one, &ports, &options).await
    })
    .await
}

async fn each<F: Future<Output = Result<HoldEnd, HoldError>>>(
    settings: &Settings,
    files: &Files,
    instances: &[Name],
    filter: &Filter,
    word: &str,
    act: impl Fn(InstanceId, Ports, Options) -> F,
) -> Result<String, Fault> {
    let read = Read::from(files::find(settings, files, None)?, files)?;
    let (world, wanted) = ground::wanted(settings, read, files).await?;
    let selection = Selection::new(instances, filter);
    selection.known(wanted.resolved.iter().map(|one| one.instance.instance.as_str()))?;
    let chosen = wanted.resolved.iter().filter(|one| {
        let facts =
            [("environment", &*one.shape.environment), ("product", &*one.shape.product), ("target", &*one.target)];
        selection.takes(&Seen { name: &one.instance.instance, facts: &facts, labels: &one.labels })
    });
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    let options = Options { by: settings.who.as_str().into(), ..Options::default() };
    let mut said = String::new();
    for one in chosen {
        let name = &one.instance.instance;
        let line = match act(one.instance.clone(), ports.clone(), options.clone()).await.map_err(Fault::world)? {
            HoldEnd::Done(Changed::NotNeeded) => format!("{name} is {word} already"),
            HoldEnd::Done(_) => format!("{name} is {word}"),
            HoldEnd::Locked(holder) => {
                format!("{name} is locked by {} (plan {}): nothing was done with it", holder.by, holder.plan)
            }
        };
        // Writing to a String cannot fail.
        let _ = writeln!(said, "{line}");
    }
    Ok(said)
}

/// The edge's routes were in the folder, too: where nothing else is missing they are switched on again, as a plan of its own on record.
async fn routed(world: &World, wanted: &Wanted, ports: &Ports, options: &Options) -> Result<String, Fault> {
    let asked = ground::asked(world, wanted, make::Options::default());
    let mut prepared = reconcile::prepare(&asked, ports).await.map_err(Fault::world)?;
    let back = |action: Action, kind: Kind| action == Action::Keep || (action == Action::Create && kind == Kind::Route);
    let routes_only = |one: &InstancePlan| {
        one.refused.is_none() && !one.steps.is_empty() && one.changes.iter().all(|it| back(it.action, it.on.kind))
    };
    Arc::make_mut(&mut prepared.plan).instances.retain(routes_only);
    if prepared.plan.instances.is_empty() {
        return Ok(String::new());
    }
    let report = reconcile::carry_out(&prepared, ports, options).await;
    let lines = report.instances.iter().map(|one| match &one.end {
        End::Done(_) | End::AlreadyDone => format!("{}: the edge carries it again\n", one.instance.instance),
        _ => format!("{}: the edge does not carry it yet; see: escadre plan\n", one.instance.instance),
    });
    Ok(lines.collect())
}

/// Rebuilds the state folder; the sentences that say what came back and what is lost.
///
/// # Errors
/// When the engine cannot be asked or the files cannot be read.
pub(crate) async fn recover(settings: &Settings, args: &Recover) -> Result<String, Fault> {
    let read = Read::from(files::find(settings, &args.files, None)?, &args.files)?;
    let (world, wanted) = ground::wanted(settings, read, &args.files).await?;
    if has_errors(&wanted.findings) {
        let sources = sources(&wanted.root);
        return Err(Fault::Files(Exit::Files, wanted.findings, sources));
    }
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    let options = Options { by: settings.who.as_str().into(), ..Options::default() };
    let desired: BTreeMap<_, _> =
        wanted.desired.iter().map(|one| (one.instance.clone(), Arc::new(one.clone()))).collect();
    let all =
        rebuild::rebuild(&wanted.fleet, &wanted.origin, &desired, &ports, &options).await.map_err(Fault::world)?;
    let mut said = String::new();
    for (instance, rebuilt) in &all {
        let name = &instance.instance;
        let line = match rebuilt {
            Rebuilt::Adopted { things, jobs } if jobs.is_empty() => {
                format!("{name}: {things} things are on record again")
            }
            Rebuilt::Adopted { things, jobs } => {
                format!("{name}: {things} things are on record again; known to have run: {}", jobs.join(", "))
            }
            Rebuilt::NotNeeded => format!("{name}: is on record"),
            Rebuilt::OtherFleet(origin) => {
                format!("{name}: belongs to another fleet of this name ({origin}) and is left alone")
            }
            Rebuilt::Locked => format!("{name}: is locked; nothing was done with it"),
            Rebuilt::Failed(why, _) => format!("{name}: {why}"),
        };
        let _ = writeln!(said, "{line}");
    }
    said.push_str(&routed(&world, &wanted, &ports, &options).await?);
    if all.values().any(|one| matches!(one, Rebuilt::Adopted { .. })) {
        said.push_str("\nLost with the folder: the history, holds, and the states to go back to. From here on they are kept again.\n  next   escadre plan\n");
    } else if all.is_empty() {
        said.push_str("Nothing of this fleet runs here: there is nothing to take on record.\n");
    }
    Ok(said)
}
