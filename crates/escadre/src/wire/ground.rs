//! Files and world side by side: reading, looking, planning, carrying out.
//!
//! In: what is asked. Out: [`Ground`], reports.
//! **Invariant:** the plan that was shown is the plan that is carried out; a saved plan is only read here, never made again.
//! Not here: how an apply goes (`escadre_engine::apply`), painting.
//! Tests: `tests/it`.

use super::files::{self, Wanted};
use super::world::{self, World};
use super::{Ask, Ground, Manner, Read};
use crate::args::shared::Files;
use crate::args::value::PlanRef;
use crate::exit::{Exit, Fault, Sources};
use crate::settings::{Seen, Selection, Settings};
use crate::terminal::plan_text::{Around, Verdicts};
use crate::terminal::report::{self, Ended, Failure, Refused};
use anyhow::Context;
use escadre_drivers::files as whole;
use escadre_drivers::podman::Credentials;
use escadre_engine::apply::{self, End, InstanceReport, Next, Options, Report, Stop};
use escadre_engine::ports::{Progress, Secrets};
use escadre_engine::reconcile::{self, Asked};
use escadre_engine::recover::Recovery;
use escadre_model::compose::verdicts::{Capabilities, Kind};
use escadre_model::desired::{Desired, Route};
use escadre_model::diagnostic::{Code, Diagnostic, has_errors};
use escadre_model::ids::{InstanceId, ResourceKey};
use escadre_model::resolved::Resolved;
use escadre_plan::make;
use escadre_plan::plan::{Plan, Refusal, SCHEMA};
use escadre_render::engine::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// What a ground was made from and is carried out with.
pub(super) struct Held {
    /// The world.
    pub(super) world: World,
    /// Values of secrets.
    pub(super) secrets: Arc<dyn Secrets>,
    /// What all instances want, by identity.
    pub(super) desired: Arc<BTreeMap<InstanceId, Arc<Desired>>>,
}

/// Reads the files and says what is wrong.
///
/// # Errors
/// When there are none.
pub(crate) async fn read(settings: &Settings, ask: &Ask) -> Result<Read, Fault> {
    let source = files::find(settings, &ask.files, ask.path.as_deref())?;
    let read = files::Read::from(source, &ask.files)?;
    let root = read.source.root().to_owned();
    let facts = Facts::default();
    let wanted = read.want(settings, &ask.files, &facts, None)?;
    let (verdicts, told) = verdicts(&wanted.resolved);
    let mut findings = wanted.findings;
    findings.extend(told);
    Ok(Read { findings, sources: sources(&root), verdicts, instances: wanted.resolved.len() })
}

/// Reads, resolves, renders, observes, plans.
///
/// # Errors
/// When there are no files, no engine, or no instance is left that could be planned.
pub(crate) async fn ground(settings: &Settings, ask: &Ask) -> Result<Ground, Fault> {
    let source = files::find(settings, &ask.files, ask.path.as_deref())?;
    let read = files::Read::from(source, &ask.files)?;
    let (world, wanted) = wanted(settings, read, &ask.files).await?;
    if wanted.desired.is_empty() && has_errors(&wanted.findings) {
        return Err(Fault::Files(Exit::Files, wanted.findings, sources(&wanted.root)));
    }
    let names = wanted.resolved.iter().map(|one| one.instance.instance.as_str());
    if !ask.down {
        ask.selection.known(names)?;
    }
    let only = chosen(&ask.selection, &wanted);
    let options = make::Options {
        only: only.clone(),
        down: ask.down,
        destroy: destroy(ask, &wanted),
        ..make::Options::default()
    };
    let asked = asked(&world, &wanted, options);
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    if ask.save || ask.down {
        recovered(&asked, &ports, settings).await?;
    }
    let prepared = reconcile::prepare(&asked, &ports).await.map_err(Fault::world)?;
    let plan = Arc::unwrap_or_clone(Arc::clone(&prepared.plan));
    if ask.save {
        save(&world.state, &plan)?;
    }
    Ok(build(world, wanted, Arc::unwrap_or_clone(prepared.observed), plan, only.as_ref(), ask.save))
}

/// Connects to the world of what was read, and renders it for that world.
pub(super) async fn wanted(settings: &Settings, read: files::Read, files: &Files) -> Result<(World, Wanted), Fault> {
    if read.fleet.is_none() && has_errors(&read.findings) {
        return Err(Fault::Files(Exit::Files, read.findings, sources(read.source.root())));
    }
    let target = read.target();
    let registries = registries(settings, &read, files)?;
    let world = world::connect(settings, read.source.root(), target.as_deref(), registries).await?;
    let wanted = read.want(settings, files, &world.facts, Some(&world.state))?;
    Ok((world, wanted))
}

/// Who we are to the fleet's registries. A password that cannot be decrypted is left out: a pull that needs it says so.
fn registries(
    settings: &Settings,
    read: &files::Read,
    files: &Files,
) -> Result<BTreeMap<Arc<str>, Credentials>, Fault> {
    let Some(fleet) = &read.fleet else { return Ok(BTreeMap::new()) };
    if fleet.registries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let identities = Arc::new(super::keys::identities(settings, files.identity.as_deref())?);
    let vault = escadre_drivers::age::Vault::new(Arc::clone(fleet), identities);
    let known = fleet.registries.iter().filter_map(|(host, registry)| {
        let stored = fleet.fleet_secret(&registry.password.as_ref()?.value)?;
        let password = vault.open(&stored).ok()?;
        Some((Arc::clone(host), Credentials { user: Arc::clone(&registry.user.as_ref()?.value), password }))
    });
    Ok(known.collect())
}

/// The instances that are meant; `None`: all.
pub(super) fn chosen(selection: &Selection, wanted: &Wanted) -> Option<BTreeSet<InstanceId>> {
    if selection.is_all() {
        return None;
    }
    let mut only: BTreeSet<InstanceId> =
        wanted.resolved.iter().filter(|one| takes(selection, one)).map(|one| one.instance.clone()).collect();
    // What was named and is in no file may still run: `down` takes it.
    for name in &selection.instances {
        only.insert(InstanceId::new(wanted.fleet.clone(), name.clone()));
    }
    Some(only)
}

fn takes(selection: &Selection, one: &Resolved) -> bool {
    let facts = [("environment", &*one.environment), ("product", &*one.product), ("target", &*one.target)];
    selection.takes(&Seen { name: &one.instance.instance, facts: &facts, labels: &one.labels })
}

fn destroy(ask: &Ask, wanted: &Wanted) -> Vec<escadre_model::ids::ResourceId> {
    let of = |doomed: &crate::args::value::Doomed| {
        let instance = InstanceId::new(wanted.fleet.clone(), doomed.instance.clone());
        instance.resource(ResourceKey::new(doomed.kind, doomed.key.as_str()))
    };
    ask.destroy.iter().map(of).collect()
}

fn asked(world: &World, wanted: &Wanted, options: make::Options) -> Asked {
    Asked {
        fleet: wanted.fleet.clone(),
        desired: wanted.desired.clone(),
        listed: wanted.listed,
        commit: Arc::clone(&wanted.commit),
        dirty: wanted.dirty.clone(),
        target: world.target.clone(),
        options,
        registry: BTreeMap::new(),
    }
}

/// Interrupted turns come to their end before anything new is planned.
async fn recovered(asked: &Asked, ports: &apply::Ports, settings: &Settings) -> Result<(), Fault> {
    let options = Options { by: settings.who.as_str().into(), ..Options::default() };
    let recoveries = reconcile::recover(asked, ports, &options).await.map_err(Fault::world)?;
    for (instance, recovery) in recoveries {
        if let Recovery::Failed(why, _) = recovery {
            return Err(Fault::world(anyhow::anyhow!(
                "an interrupted apply of {} could not be brought to its end: {why}",
                instance.instance
            )));
        }
    }
    Ok(())
}

fn build(
    world: World,
    wanted: Wanted,
    observed: escadre_model::observed::Observed,
    plan: Plan,
    only: Option<&BTreeSet<InstanceId>>,
    saved: bool,
) -> Ground {
    let mean = |id: &InstanceId| only.is_none_or(|only| only.contains(id));
    let around = around(&world, &wanted, &plan, saved);
    let all = wanted.desired.iter().map(|one| (one.instance.clone(), Arc::new(one.clone()))).collect();
    let values = wanted
        .resolved
        .iter()
        .filter(|one| mean(&one.instance))
        .map(|one| (one.instance.clone(), one.values.clone()))
        .collect();
    Ground {
        fleet: wanted.fleet.to_string(),
        single: wanted.single,
        desired: wanted.desired.into_iter().filter(|one| mean(&one.instance)).collect(),
        values,
        observed,
        plan,
        around,
        findings: wanted.findings.into_iter().filter(Diagnostic::is_error).collect(),
        sources: sources(&wanted.root),
        held: Arc::new(Held { world, secrets: wanted.secrets, desired: Arc::new(all) }),
    }
}

fn around(world: &World, wanted: &Wanted, plan: &Plan, saved: bool) -> Around {
    let mut lead = Vec::new();
    let (verdicts, told) = verdicts(&wanted.resolved);
    if let (Some(file), Some(one)) = (&wanted.single, wanted.resolved.first()) {
        let services = one.project.services().count();
        lead.push(format!(
            "{}: {file}, {services} service{} (nothing else is needed)",
            wanted.fleet,
            if services == 1 { "" } else { "s" }
        ));
        lead.push(format!("engine: {}", world.engine_words()));
    }
    let warnings = wanted.findings.iter().filter(|finding| !finding.is_error()).cloned();
    let first = wanted.single.is_some();
    Around {
        single: wanted.single.clone(),
        lead,
        seen: format!("{}: seen in full just now", world.target.name),
        addresses: if first { addresses(&wanted.desired, plan, world.http) } else { Vec::new() },
        verdicts: verdicts.filter(|_| first),
        findings: if first { warnings.chain(told).collect() } else { warnings.collect() },
        saved,
        names: false,
    }
}

/// What became of the keys of the Compose files; the first instance stands for all of its product.
fn verdicts(resolved: &[Resolved]) -> (Option<Verdicts>, Vec<Diagnostic>) {
    let Some(one) = resolved.first() else { return (None, Vec::new()) };
    let mut sum = Verdicts::default();
    let mut told = Vec::new();
    for verdict in one.project.verdicts(&Capabilities::default()) {
        match verdict.kind {
            Kind::Exact => sum.exact += 1,
            Kind::Approximated => sum.approximated += 1,
            Kind::Platform => sum.platform += 1,
            Kind::NotYet | Kind::Refused => sum.refused += 1,
        }
        if verdict.kind != Kind::Exact {
            told.push(Diagnostic::note(verdict.code, verdict.text).at(&verdict.span).path(verdict.path));
        }
    }
    (Some(sum), told)
}

/// Where instances are reached: address → service:port.
fn addresses(desired: &[Desired], plan: &Plan, http: u16) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for one in desired {
        for (key, route) in &one.routes {
            match route {
                Route::Http(route) => {
                    let port = if http == 80 { String::new() } else { format!(":{http}") };
                    found.extend(
                        route
                            .hosts
                            .iter()
                            .map(|host| (format!("http://{host}{port}"), format!("{}:{}", route.service, route.port))),
                    );
                }
                Route::Tcp(route) => {
                    let published =
                        if route.published == 0 { chosen_port(plan, key).unwrap_or(0) } else { route.published };
                    found.push((format!("http://localhost:{published}"), format!("{}:{}", route.service, route.port)));
                }
            }
        }
    }
    found
}

/// The port a plan chose for a route that asked for any.
fn chosen_port(plan: &Plan, key: &str) -> Option<u16> {
    use escadre_plan::step::Act;
    plan.instances.iter().flat_map(|one| &one.steps).find_map(|step| match &step.act {
        Act::Switch { routes } => routes.get(key).and_then(|target| target.published),
        _ => None,
    })
}

pub(super) fn sources(root: &Path) -> Sources {
    let root = root.to_owned();
    Sources(Arc::new(move |file| {
        let bytes = whole::read(&root.join(file)).ok().flatten()?;
        String::from_utf8(bytes).ok()
    }))
}

fn plan_path(state: &Path, id: &str) -> std::path::PathBuf {
    state.join("plans").join(format!("{id}.json"))
}

/// Keeps a plan under its id. One that changes nothing is not kept.
fn save(state: &Path, plan: &Plan) -> Result<(), Fault> {
    if plan.instances.iter().all(|one| one.steps.is_empty()) {
        return Ok(());
    }
    let folder = state.join("plans");
    whole::ensure_dir(&folder, 0o700).map_err(Fault::world)?;
    let text = serde_json::to_vec(plan).map_err(Fault::bug)?;
    whole::write_atomic(&plan_path(state, &plan.id), &text, 0o600).map_err(Fault::world)
}

/// How many instances, and steps of each, at once. Most of them wait for gates; how many make or start something is the driver's own limit.
const AT_ONCE: usize = 8;

/// Carries out the plan of a ground that was just made.
///
/// # Errors
/// When it could not begin; what failed for an instance is in the report.
pub(crate) async fn carry_out(
    settings: &Settings,
    ground: &Ground,
    manner: &Manner,
    progress: Arc<dyn Progress>,
) -> Result<Ended, Fault> {
    let held = &ground.held;
    let ports = held.world.ports(Arc::clone(&held.secrets), Some(progress));
    let stop = Stop::default();
    let by = match &manner.because {
        Some(because) => format!("{} ({because})", settings.who),
        None => settings.who.clone(),
    };
    let options = Options {
        instances: AT_ONCE,
        steps: AT_ONCE,
        by: by.as_str().into(),
        wait: manner.wait,
        stop: stop.clone(),
        kill: kill(settings),
        ..Options::default()
    };
    let mut plan = ground.plan.clone();
    plan.instances.retain(|one| !manner.except.contains(&one.instance.instance));
    let desired = Arc::clone(&held.desired);
    let render: apply::Render = Arc::new(move |id| desired.get(id).cloned());
    let watch = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.ask();
        }
    });
    let report = reconcile::carry_out_rendered(Arc::new(plan), render, &ports, &options).await;
    watch.abort();
    Ok(ended(&report, ground))
}

/// Where to die, in tests of the real binary that were built for it.
#[cfg(feature = "kill-points")]
fn kill(settings: &Settings) -> escadre_engine::Kill {
    escadre_engine::Kill::at(settings.environment.get("ESCADRE_KILL_AT").and_then(|text| text.parse().ok()))
}

#[cfg(not(feature = "kill-points"))]
fn kill(_: &Settings) -> escadre_engine::Kill {
    escadre_engine::Kill::default()
}

/// Carries out a saved plan: the files are read and rendered again and compared by hash.
///
/// # Errors
/// When there is no such plan, or it could not begin.
pub(crate) async fn saved(settings: &Settings, files: &Files, plan: &PlanRef) -> Result<(Plan, Ground), Fault> {
    let source = files::find(settings, files, None)?;
    let read = files::Read::from(source, files)?;
    let (world, wanted) = wanted(settings, read, files).await?;
    let path = match plan {
        PlanRef::Id(id) => plan_path(&world.state, id),
        PlanRef::File(path) => settings.folder.join(path),
    };
    let bytes = whole::read(&path).map_err(Fault::world)?.ok_or_else(|| {
        let finding =
            Diagnostic::error(Code::E0302, format!("there is no plan {plan} here")).hint("make one: escadre plan");
        Fault::Findings(Exit::CommandLine, vec![finding])
    })?;
    let plan: Plan = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no plan of this version", path.display()))
        .map_err(|error| Fault::Other(Exit::CommandLine, error))?;
    if &*plan.schema != SCHEMA || plan.fleet.as_ref() != wanted.fleet.as_str() {
        let message = format!(
            "{} is a plan of schema {} for fleet {}; here is fleet {}",
            path.display(),
            plan.schema,
            plan.fleet,
            wanted.fleet
        );
        return Err(Fault::Findings(Exit::CommandLine, vec![Diagnostic::error(Code::E0302, message)]));
    }
    let only: BTreeSet<InstanceId> = plan.instances.iter().map(|one| one.instance.clone()).collect();
    let ground = build(world, wanted, escadre_model::observed::Observed::default(), plan.clone(), Some(&only), true);
    Ok((plan, ground))
}

/// The engine's report, for people.
fn ended(report: &Report, ground: &Ground) -> Ended {
    let mut ended = Ended {
        schema: report::SCHEMA,
        plan: report.plan.to_string(),
        single: ground.single.is_some(),
        took_ms: u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
        exit: report.code(),
        ..Ended::default()
    };
    for one in &report.instances {
        place(one, &mut ended, ground);
    }
    ended.addresses = ground.around.addresses.iter().map(|(address, _)| address.clone()).collect();
    ended
}

fn place(one: &InstanceReport, ended: &mut Ended, ground: &Ground) {
    let instance = one.instance.instance.to_string();
    match &one.end {
        End::Done(_) | End::AlreadyDone => ended.done.push(instance),
        End::NothingToDo => {}
        End::NotBegun => ended.not_begun.push(instance),
        End::Refused(refused) => ended.refused.push(refusal(instance, refused, &ended.plan)),
        End::WentBack(failure) => ended.failures.push(failed(instance, failure, report::Manner::WentBack, ground)),
        End::Stuck(failure) => ended.failures.push(failed(instance, failure, report::Manner::Stuck, ground)),
        End::Broken { why, .. } | End::Bug(why) => ended.failures.push(Failure {
            instance,
            manner: report::Manner::Broken,
            failed: why.to_string(),
            not_undone: vec![OPEN.to_owned()],
            ..Failure::default()
        }),
    }
}

/// What is said when the engine could not go on: the journal knows.
const OPEN: &str = "it stands where it stopped; the journal knows, and the next command on it goes on from there";

fn refusal(instance: String, refused: &apply::Refused, plan: &str) -> Refused {
    let again = Some(format!("escadre plan {instance}"));
    let (code, why, next) = match refused {
        apply::Refused::Plan(why) => match why {
            Refusal::Held { .. } => {
                ("E0312", crate::terminal::plan_text::refusal_words(why), Some(format!("escadre unhold {instance}")))
            }
            why => ("E0312", crate::terminal::plan_text::refusal_words(why), again),
        },
        apply::Refused::Locked(holder) => (
            "E0311",
            format!(
                "it is locked by {}, plan {}, since {}; it is {}",
                holder.by, holder.plan, holder.since, holder.doing
            ),
            Some(format!("escadre up {instance} --wait")),
        ),
        apply::Refused::WantsOther => ("E0304", format!("what it wants changed after plan {plan} was made"), again),
        apply::Refused::RunsOther => ("E0303", format!("what it runs changed after plan {plan} was made"), again),
        apply::Refused::Gone => {
            ("E0305", "its files cannot be read any more".to_owned(), Some("escadre check".to_owned()))
        }
    };
    Refused { instance, code: code.to_owned(), why, next }
}

fn failed(instance: String, failure: &apply::Failure, manner: report::Manner, ground: &Ground) -> Failure {
    let evidence = failure.evidence.as_deref();
    let words = |(on, act): &(escadre_model::ids::ResourceId, Arc<str>)| format!("{} {}", on.resource.key, act);
    let because = ground
        .plan
        .instances
        .iter()
        .filter(|one| one.instance.instance.as_str() == instance)
        .flat_map(|one| &one.changes);
    let because = because
        .filter(|change| change.on.key == failure.on.resource.key)
        .flat_map(crate::terminal::plan_text::sources_of);
    Failure {
        manner,
        failed: failure.why.to_string(),
        gate: evidence.and_then(|known| known.gate.as_ref()).map(ToString::to_string),
        last_probe: evidence.and_then(|known| known.last_probe.as_ref()).map(ToString::to_string),
        log: evidence.map(|known| known.log.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        log_lines: evidence.map_or(0, |known| known.log_lines),
        because: because.collect(),
        undone: failure.undone.iter().map(words).collect(),
        not_undone: failure
            .not_undone
            .iter()
            .map(|one| format!("{} {}: {}", one.on.resource.key, one.act, one.why))
            .collect(),
        hold: failure.hold.as_ref().map(|_| hold_words(&instance, failure)),
        service: Some(failure.on.resource.key.to_string()),
        instance,
    }
}

fn hold_words(instance: &str, failure: &apply::Failure) -> String {
    let mend = failure.next.contains(&Next::Mend);
    if mend {
        format!("{instance} stays as it is until its files change; or: escadre unhold {instance}")
    } else {
        format!("{instance} stays as it is; to try again: escadre unhold {instance}")
    }
}
