//! Files and world side by side: reading, looking, planning, carrying out.
//!
//! In: what is asked. Out: [`Ground`], reports.
//! **Invariant:** the plan that was shown is the plan that is carried out; a saved plan is only read here, never made again.
//! Not here: how an apply goes (`escadre_engine::apply`), painting.
//! Tests: `tests/it`.

use super::ended::ended;
use super::files::{self, Wanted};
use super::world::{self, World};
use super::{Ask, Ground, Manner, Pulling, Read, counted, pull, verdicts};
use crate::args::shared::Files;
use crate::args::value::PlanRef;
use crate::exit::{Exit, Fault, Sources};
use crate::settings::{Seen, Selection, Settings};
use crate::terminal::plan_stray::Stray;
use crate::terminal::plan_text::Around;
use crate::terminal::report::Ended;
use crate::terminal::time::Now;
use crate::views::look::EdgePorts;
use escadre_drivers::edge::{Cause, Outdated, Settled};
use escadre_drivers::files as whole;
use escadre_drivers::podman::Credentials;
use escadre_engine::apply::{self, Options, Stop};
use escadre_engine::ports::{Progress, Secrets};
use escadre_engine::reconcile::{self, Asked};
use escadre_engine::recover::Recovery;
use escadre_model::desired::{CertificateSource, Desired, HttpRoute, Route};
use escadre_model::diagnostic::{Code, Diagnostic, has_errors};
use escadre_model::host;
use escadre_model::ids::{InstanceId, ResourceKey};
use escadre_model::resolved::Resolved;
use escadre_model::source::Source;
use escadre_plan::make;
use escadre_plan::plan::{Plan, SCHEMA};
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
    /// What the plan was made for; nothing for one that was saved or was made of the record: that is carried out as it is or not at all.
    pub(super) asked: Option<Asked>,
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
    let judged = verdicts::judge(&wanted.resolved, facts.rootless);
    let mut findings = wanted.findings;
    findings.retain(|finding| !judged.says(finding));
    Ok(Read { findings, sources: sources(&root), judged, instances: wanted.resolved.len() })
}

/// Reads, resolves, renders, observes, plans.
///
/// # Errors
/// When there are no files, no engine, or no instance is left that could be planned.
pub(crate) async fn ground(settings: &Settings, ask: &Ask) -> Result<Ground, Fault> {
    let source = files::find(settings, &ask.files, ask.path.as_deref())?;
    let read = files::Read::from(source, &ask.files)?;
    let source = read.source.clone();
    let (world, mut wanted) = wanted(settings, read, &ask.files).await?;
    if let Some(unnamed) = ask.named.filter(|_| wanted.single.is_none()) {
        return Err(unnamed(wanted.resolved.len()));
    }
    if let Some(project) = &ask.anywhere {
        anywhere(&mut wanted, project)?;
    }
    // What is wanted instead is in the journal, whatever is wrong with the files.
    if wanted.desired.is_empty() && has_errors(&wanted.findings) && ask.instead.is_none() {
        return Err(Fault::Files(Exit::Files, wanted.findings, sources(&wanted.root)));
    }
    let names = wanted.resolved.iter().map(|one| one.instance.instance.as_str());
    let unread = ask.instead.is_some() && has_errors(&wanted.findings);
    if !ask.down && !unread {
        ask.selection.known(names)?;
    }
    let mut only = chosen(&ask.selection, &wanted);
    if let Some(rev) = &ask.base {
        let differing = differing(settings, ask, source, rev, &world, &wanted)?;
        only = Some(only.map_or_else(|| differing.clone(), |only| only.intersection(&differing).cloned().collect()));
    }
    if ask.act && !ask.dirty {
        committed(&wanted, only.as_ref())?;
    }
    let ports = world.ports(Arc::clone(&wanted.secrets), None);
    let mut findings = Vec::new();
    if ask.act {
        let meant: Vec<InstanceId> = match &only {
            Some(only) => only.iter().cloned().collect(),
            None => wanted.resolved.iter().map(|one| one.instance.clone()).collect(),
        };
        let options = make::Options::default();
        let left = recovered(&asked(&world, &wanted, options), &ports, settings, &mut findings).await?;
        if !left.is_empty() {
            let kept: BTreeSet<InstanceId> = meant.into_iter().filter(|id| !left.contains(id)).collect();
            if kept.is_empty() {
                return Err(Fault::Findings(Exit::Refused, findings));
            }
            only = Some(kept);
        }
    }
    let mut options =
        make::Options { down: ask.down, adopt: ask.adopt, destroy: destroy(ask, &wanted), ..make::Options::default() };
    if let Some(instead) = &ask.instead {
        let (left, said) = super::instead::put(instead, &mut wanted, only, &mut options, &ports).await?;
        only = Some(left);
        findings.extend(said);
    }
    options.only = only.clone();
    options.as_they_are = ask.pull != Pulling::Nothing;
    let mut asked = asked(&world, &wanted, options);
    let mut prepared = reconcile::prepare(&asked, &ports).await.map_err(Fault::world)?;
    let pulled = pull::before(ask.pull, &asked, &prepared, &ports).await?;
    if !pulled.without.is_empty() {
        let left = prepared.plan.instances.iter().map(|one| one.instance.clone());
        let left: BTreeSet<InstanceId> = left.filter(|id| !pulled.without.contains(id)).collect();
        if left.is_empty() {
            return Err(Fault::Findings(Exit::World, pulled.findings));
        }
        only = Some(left);
        asked.options.only = only.clone();
    }
    if pulled.changed || !pulled.without.is_empty() {
        prepared = reconcile::prepare(&asked, &ports).await.map_err(Fault::world)?;
    }
    findings.extend(pulled.findings);
    let plan = Arc::unwrap_or_clone(Arc::clone(&prepared.plan));
    if ask.save {
        save(&world.state, &plan)?;
    }
    // One that does not answer is told as one that does not run.
    let edge = world.edge.client().status().await.ok();
    let made = Made { plan, asked: Some(asked), saved: ask.save };
    let mut ground = build(world, wanted, Arc::unwrap_or_clone(prepared.observed), made, only.as_ref());
    ground.edge = edge;
    ground.findings.extend(findings);
    if !ask.down {
        ground.around.strays = strays(&ground);
    }
    Ok(ground)
}

/// What is not as the last apply left it.
fn strays(ground: &Ground) -> Vec<Stray> {
    let now = Now::here();
    let looked = ground.looked(&now);
    let of = |one: &Desired| {
        let found = looked.strayed(&one.instance).into_iter();
        found.map(|(on, what)| Stray { instance: one.instance.clone(), on, what }).collect::<Vec<_>>()
    };
    ground.desired.iter().flat_map(of).collect()
}

/// All receipts that are kept: looking at the present needs the newest only, looking back needs all.
///
/// # Errors
/// When the journal cannot be read.
pub(crate) async fn remember(ground: &mut Ground) -> Result<(), Fault> {
    let store = Arc::clone(&ground.held.world.store);
    for (id, seen) in &mut ground.observed.instances {
        seen.record.receipts = escadre_engine::journal::receipts(store.as_ref(), id).await.map_err(Fault::world)?;
    }
    Ok(())
}

/// A plain Compose file takes the project of its own name over, wherever that was started from.
fn anywhere(wanted: &mut Wanted, project: &str) -> Result<(), Fault> {
    for adopts in wanted.desired.iter_mut().filter_map(|one| one.adopts.as_mut()) {
        if *adopts.project != *project {
            let message = format!("this file's project is {}, so it cannot take {project} over", adopts.project);
            let hint = format!("give it that name: `name: {project}` in the Compose file, or COMPOSE_PROJECT_NAME");
            return Err(Fault::usage_hint(Code::E0202, message, hint));
        }
        adopts.folder = None;
    }
    Ok(())
}

/// The instances that want something else than in another commit; new ones and gone ones among them.
fn differing(
    settings: &Settings,
    ask: &Ask,
    source: files::Source,
    rev: &str,
    world: &World,
    wanted: &Wanted,
) -> Result<BTreeSet<InstanceId>, Fault> {
    if wanted.single.is_some() {
        let message = "--base compares two commits of a fleet; beside a plain Compose file there is none";
        return Err(Fault::usage_hint(Code::E0201, message, "what would change now: escadre plan"));
    }
    let there = Files { rev: Some(rev.to_owned()), ..ask.files.clone() };
    let base = files::Read::from(source, &there)?.want(settings, &there, &world.facts, Some(&world.state))?;
    if has_errors(&base.findings) {
        let message = format!("the files of {rev} cannot be read without errors, so nothing can be compared with them");
        let hint = format!("what is wrong there: escadre check --rev {rev}");
        return Err(Fault::Findings(Exit::Files, vec![Diagnostic::error(Code::E0305, message).hint(hint)]));
    }
    let then: BTreeMap<&InstanceId, &Desired> = base.desired.iter().map(|one| (&one.instance, one)).collect();
    let now: BTreeMap<&InstanceId, &Desired> = wanted.desired.iter().map(|one| (&one.instance, one)).collect();
    let all: BTreeSet<&InstanceId> = then.keys().chain(now.keys()).copied().collect();
    let wants = |one: Option<&&Desired>| one.map(|one| one.hash());
    Ok(all.into_iter().filter(|id| wants(then.get(*id)) != wants(now.get(*id))).cloned().collect())
}

/// Where a commit is required, the files of the work tree must be those of a commit.
///
/// # Errors
/// E0307, exit code 3.
pub(super) fn committed(wanted: &Wanted, only: Option<&BTreeSet<InstanceId>>) -> Result<(), Fault> {
    if wanted.dirty.is_none() && !wanted.commit.is_empty() {
        return Ok(());
    }
    let meant = |one: &&Resolved| only.is_none_or(|only| only.contains(&one.instance));
    let Some(one) = wanted.resolved.iter().filter(meant).find(|one| wanted.strict.contains(&one.instance)) else {
        return Ok(());
    };
    let what = if wanted.commit.is_empty() { "no commit at all" } else { "uncommitted changes" };
    let message = format!(
        "{} may only be changed from a commit (target {}, environment {}), and the work tree has {what}",
        one.instance.instance, one.target, one.shape.environment
    );
    let finding = Diagnostic::error(Code::E0307, message)
        .hint("commit, then give the same command again")
        .hint("or, on record: --dirty --because TEXT");
    Err(Fault::refused(finding))
}

/// Connects to the world of what was read, and renders it for that world.
pub(super) async fn wanted(settings: &Settings, read: files::Read, files: &Files) -> Result<(World, Wanted), Fault> {
    if read.fleet.is_none() && has_errors(&read.findings) {
        return Err(Fault::Files(Exit::Files, read.findings, sources(read.source.root())));
    }
    let target = read.target();
    let registries = registries(settings, &read, files)?;
    let commit = files.rev.as_ref().map(|_| Arc::clone(&read.commit)).filter(|commit| !commit.is_empty());
    let root = world::Root { folder: read.source.root(), commit };
    let world = world::connect(settings, root, target.as_deref(), read.fleet.is_none(), registries).await?;
    let mut wanted = read.want(settings, files, &world.facts, Some(&world.state))?;
    let hashes = wanted.desired.iter().map(|one| (one.instance.clone(), one.secrets.clone())).collect();
    wanted.secrets = Arc::new(escadre_drivers::secrets::Kept::new(wanted.secrets, hashes, &world.state));
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
    let facts = [("environment", &*one.shape.environment), ("product", &*one.shape.product), ("target", &*one.target)];
    selection.takes(&Seen { name: &one.instance.instance, facts: &facts, labels: &one.labels })
}

fn destroy(ask: &Ask, wanted: &Wanted) -> Vec<escadre_model::ids::ResourceId> {
    let of = |doomed: &crate::args::value::Doomed| {
        let instance = InstanceId::new(wanted.fleet.clone(), doomed.instance.clone());
        instance.resource(ResourceKey::new(doomed.kind, doomed.key.as_str()))
    };
    ask.destroy.iter().map(of).collect()
}

pub(super) fn asked(world: &World, wanted: &Wanted, options: make::Options) -> Asked {
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
/// Those that could not are named, with a finding for each, and must not be planned.
pub(super) async fn recovered(
    asked: &Asked,
    ports: &apply::Ports,
    settings: &Settings,
    findings: &mut Vec<Diagnostic>,
) -> Result<BTreeSet<InstanceId>, Fault> {
    let mut left = BTreeSet::new();
    let options = Options { by: settings.who.as_str().into(), ..Options::default() };
    let recoveries = reconcile::recover(asked, ports, &options).await.map_err(Fault::world)?;
    for (instance, recovery) in recoveries {
        let name = &instance.instance;
        let finding = match recovery {
            Recovery::Finished(_) | Recovery::Unwound(_) => continue,
            Recovery::Failed(why, _) => {
                let message = format!("an interrupted apply of {name} could not be brought to its end: {why}");
                return Err(Fault::world(anyhow::anyhow!(message)));
            }
            Recovery::Locked(holder) => {
                let since = Now::here().exact(&holder.since);
                let message = format!(
                    "{name} is locked by {}, plan {}, since {since} ({}): it is left to them",
                    holder.by, holder.plan, holder.doing
                );
                Diagnostic::error(Code::E0311, message).hint(format!("wait for it: escadre up {name} --wait"))
            }
            Recovery::Stuck(failure) => {
                let message = format!(
                    "{name} is stuck: an interrupted apply was to be undone, and {} failed: {}",
                    failure.act, failure.why
                );
                Diagnostic::error(Code::E0312, message).hint(format!("look at it: escadre why {name}"))
            }
        };
        findings.push(finding);
        left.insert(instance);
    }
    Ok(left)
}

/// A plan, and how it was made.
pub(super) struct Made {
    /// The plan.
    pub(super) plan: Plan,
    /// What for, where it may be made again.
    pub(super) asked: Option<Asked>,
    /// It is kept in the state folder.
    pub(super) saved: bool,
}

pub(super) fn build(
    world: World,
    wanted: Wanted,
    observed: escadre_model::observed::Observed,
    made: Made,
    only: Option<&BTreeSet<InstanceId>>,
) -> Ground {
    let Made { plan, asked, saved } = made;
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
        ports: world.ports,
        edge: None,
        held: Arc::new(Held { world, secrets: wanted.secrets, desired: Arc::new(all), asked }),
    }
}

fn around(world: &World, wanted: &Wanted, plan: &Plan, saved: bool) -> Around {
    let mut lead = Vec::new();
    let judged = verdicts::judge(&wanted.resolved, world.facts.rootless);
    if let (Some(file), Some(one)) = (&wanted.single, wanted.resolved.first()) {
        let services = one.shape.project.services().count();
        lead.push(format!(
            "{}: {file}, {services} service{} (nothing else is needed)",
            wanted.fleet,
            if services == 1 { "" } else { "s" }
        ));
        lead.push(format!("engine: {}", world.engine_words()));
    }
    if !wanted.beside.is_empty() {
        lead.push(wanted.beside.clone());
    }
    let told = |finding: &&Diagnostic| !finding.is_error() && !judged.says(finding);
    let warnings = wanted.findings.iter().filter(told).chain(&judged.beside).cloned().collect();
    let first = wanted.single.is_some();
    Around {
        single: wanted.single.clone(),
        lead,
        seen: "seen in full just now".to_owned(),
        addresses: if first { addresses(&wanted.desired, plan, world.ports) } else { Vec::new() },
        verdicts: first.then(|| judged.count()),
        told: if first { judged.told() } else { Vec::new() },
        findings: warnings,
        saved,
        places: places(&wanted.resolved),
        names: false,
        strays: Vec::new(),
    }
}

/// Where the values of parameters were written, for each instance.
fn places(resolved: &[Resolved]) -> BTreeMap<InstanceId, BTreeMap<Arc<str>, Source>> {
    let of = |one: &Resolved| {
        let written = one.values.iter().filter_map(|(name, value)| Some((Arc::clone(name), value.source.clone()?)));
        (one.instance.clone(), written.collect())
    };
    resolved.iter().map(of).collect()
}

/// Has it a name that the local authority certifies?
fn is_local(http: &HttpRoute) -> bool {
    let from = http.tls.as_ref().map(|https| &https.from);
    let private = |host: &Arc<str>| host::reach(host) == host::Reach::Private;
    match from {
        Some(CertificateSource::Local) => true,
        Some(CertificateSource::Usual) => http.hosts.iter().any(private),
        _ => false,
    }
}

/// Where instances are reached: address → service:port.
pub(super) fn addresses(desired: &[Desired], plan: &Plan, ports: EdgePorts) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for one in desired {
        for (key, route) in &one.routes {
            match route {
                Route::Http(route) => {
                    let to = || format!("{}:{}", route.service, route.port);
                    found.extend(ports.addresses(route).map(|address| (address, to())));
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
    let before = counted::so_far(ports.driver.as_ref()).await;
    let plan = Arc::new(plan);
    let report = match &held.asked {
        Some(asked) => {
            let keep = |plan: &Plan| save(&held.world.state, plan).is_ok();
            reconcile::carry_out_asked(asked, plan, render, &ports, &options, &keep).await
        }
        None => reconcile::carry_out_rendered(plan, render, &ports, &options).await,
    };
    watch.abort();
    let after = counted::so_far(ports.driver.as_ref()).await;
    let mut ended = ended(&report, ground);
    if let Some(span) = after.zip(before).and_then(|(after, before)| after.since(&before)) {
        counted::tell(&mut ended, &span, ground);
    }
    let locally = |one: &Desired| one.routes.values().any(|route| matches!(route, Route::Http(http) if is_local(http)));
    ended.untrusted = ground.desired.iter().any(locally)
        && super::trust::is_trusted(settings, &held.world.state.join("edge")) == Some(false);
    Ok(ended)
}

/// What the files set for the edge as a whole is in force, and it runs; a sentence if anything had to be done for it.
///
/// # Errors
/// When the edge does not acknowledge.
pub(crate) async fn settle_edge(ground: &Ground) -> Result<Option<String>, Fault> {
    let edge = &ground.held.world.edge;
    // Before anything is changed: an older one would refuse what is written for it, in the middle.
    let replaced = edge.catch_up().await.map_err(outdated)?;
    let upgraded =
        replaced.map(|runs| format!("The edge was of {runs}: it is upgraded, its listeners are handed over."));
    let settled = match edge.settle().await.map_err(Fault::world)? {
        Settled::Already => None,
        Settled::Changed => Some("The edge has taken over what the files say about it."),
        Settled::Started => Some("The edge did not run: it is started."),
    };
    let said: Vec<String> = upgraded.into_iter().chain(settled.map(str::to_owned)).collect();
    Ok(Some(said.join("\n")).filter(|said| !said.is_empty()))
}

/// The edge that runs is of another version, and stays so: nothing was changed.
fn outdated(error: Outdated) -> Fault {
    let finding = Diagnostic::error(Code::E0325, format!("{error}; nothing was changed"));
    let at = error.program.map_or_else(|| "its program".to_owned(), |program| program.display().to_string());
    let finding = finding.hint(match error.because {
        Cause::SameProgram => format!("put this version in the place of {at}, then the same command again"),
        Cause::Failed(_) => "what it says of itself: escadre proxy status".to_owned(),
        Cause::Newer => format!("use the newer program: {at}"),
    });
    Fault::Findings(Exit::World, vec![finding])
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
pub(crate) async fn saved(
    settings: &Settings,
    files: &Files,
    plan: &PlanRef,
    dirty: bool,
) -> Result<(Plan, Ground), Fault> {
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
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|why| {
        let message = format!("{} is no plan of this version: {why}", path.display());
        let finding = Diagnostic::error(Code::E0302, message).hint("make one: escadre plan --out FILE");
        Fault::Findings(Exit::CommandLine, vec![finding])
    })?;
    if &*plan.schema != SCHEMA || plan.fleet.as_ref() != wanted.fleet.as_str() {
        let message = format!(
            "{} is a plan of schema {} for fleet {}; here is fleet {}",
            path.display(),
            plan.schema,
            plan.fleet,
            wanted.fleet
        );
        let finding = Diagnostic::error(Code::E0302, message).hint("go to the folder of that fleet, or: escadre plan");
        return Err(Fault::Findings(Exit::CommandLine, vec![finding]));
    }
    let only: BTreeSet<InstanceId> = plan.instances.iter().map(|one| one.instance.clone()).collect();
    if !dirty {
        committed(&wanted, Some(&only))?;
    }
    let made = Made { plan: plan.clone(), asked: None, saved: true };
    let ground = build(world, wanted, escadre_model::observed::Observed::default(), made, Some(&only));
    Ok((plan, ground))
}
