//! The plan for people: what was looked at, the answer, what is not normal, what is, the next command.
//!
//! In: a [`Plan`] and its [`Around`]. Out: text.
//! **Invariant**: every change of the plan is in the text, by name or in a group that names its instances; nothing is claimed that the plan does not say.
//! Not here: the fleet's form (`plan_groups`), Markdown (`plan_markdown`), the question (`ask`).
//! Tests: `plan_text/tests.rs`.

use super::plan_adopt;
use super::plan_groups;
use super::plan_stray::{self, Stray};
use super::style::{self, Look, count, hang};
use super::table::Table;
use escadre_model::desired::Shown;
use escadre_model::diagnostic::{Diagnostic, Severity};
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::observed::HeldBy;
use escadre_model::source::Source;
use escadre_plan::change::{Action, Change, Reason};
use escadre_plan::plan::{InstancePlan, Plan, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands around a plan and is not in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    /// Beside a plain Compose file: its name, as `compose.yaml`. `None`: a fleet.
    pub(crate) single: Option<String>,
    /// What was looked at, one line each: `desk: compose.yaml, 6 services`, `engine: podman 4.3.1 at …`.
    pub(crate) lead: Vec<String>,
    /// How fresh the observation is: `seen in full 2 s ago`.
    pub(crate) seen: String,
    /// Where the product is reached: address → service:port.
    pub(crate) addresses: Vec<(String, String)>,
    /// What became of the Compose keys, if it was counted.
    pub(crate) verdicts: Option<Verdicts>,
    /// Compose attributes that are not exactly as the specification says: the kind's word, and the finding.
    pub(crate) told: Vec<(&'static str, Diagnostic)>,
    /// Findings of the files that stop nothing.
    pub(crate) findings: Vec<Diagnostic>,
    /// The plan lies in the state folder under its id, and `apply` finds it there.
    pub(crate) saved: bool,
    /// Where the values of each instance's parameters were written.
    pub(crate) places: BTreeMap<InstanceId, BTreeMap<Arc<str>, Source>>,
    /// All names, however many.
    pub(crate) names: bool,
    /// What is not as the last apply left it.
    pub(crate) strays: Vec<Stray>,
}

/// What became of the keys of the Compose files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    /// Exactly as Compose has it.
    pub(crate) exact: usize,
    /// Nearly so; each with a finding.
    pub(crate) approximated: usize,
    /// The platform does it in its own way.
    pub(crate) platform: usize,
    /// Not done.
    pub(crate) refused: usize,
    /// Of those that are not exact: known and accepted.
    pub(crate) acknowledged: usize,
}

impl Verdicts {
    /// How many keys were judged.
    pub(crate) fn keys(self) -> usize {
        self.exact + self.approximated + self.platform + self.refused
    }

    /// The counts in one sentence.
    pub(crate) fn sentence(self) -> String {
        let Self { exact, approximated, platform, refused, acknowledged } = self;
        let keys = count(self.keys(), "key");
        let accepted = if acknowledged > 0 { format!(" ({acknowledged} acknowledged)") } else { String::new() };
        format!(
            "{keys} read: {exact} exact, {approximated} approximated, {platform} left to the platform, {refused} refused{accepted}."
        )
    }
}

/// The plan as text.
pub(crate) fn paint(plan: &Plan, around: &Around, look: Look) -> String {
    match (&around.single, plan.instances.as_slice()) {
        (Some(file), [only]) => single(plan, only, file, around, look),
        _ => plan_groups::paint(plan, around, look),
    }
}

/// The plan of a fleet of one.
fn single(plan: &Plan, only: &InstancePlan, file: &str, around: &Around, look: Look) -> String {
    let name = &only.instance.instance;
    let changing = changing(only);
    let first = is_first(only, &changing) || plan_adopt::only(&changing);
    // What was read and how is told once, before the first time; afterwards the change is what matters.
    let quiet = Around { verdicts: None, told: Vec::new(), ..around.clone() };
    if let Some(refusal) = &only.refused {
        let mut out = hang("", &format!("{name} is left alone: {}", refusal_words(refusal)), look.width);
        if let Some(next) = refusal_next(name.as_str(), refusal) {
            out.push_str(&hang("  next  ", &next, look.width));
        }
        out.push_str(&rest(plan, &quiet, look));
        return out;
    }
    if changing.is_empty() {
        let mut out = format!("{name} is as {file} says. Nothing to do.\n");
        out.push_str(&rest(plan, &quiet, look));
        return out;
    }
    let around = if first { around } else { &quiet };
    let mut out = String::new();
    if first {
        out.extend(around.lead.iter().map(|line| format!("{line}\n")));
        out.push('\n');
    }
    out.push_str(&hang("", &format!("Plan for {name}: {}", answer(only, &changing)), look.width));
    out.push('\n');
    out.push_str(&table(only, &around.strays, look));
    out.push_str(&plan_stray::single(&around.strays, plan, look));
    if !around.addresses.is_empty() && !goes(only) {
        out.push('\n');
        for (index, (address, to)) in around.addresses.iter().enumerate() {
            let label = if index == 0 { "reach it at" } else { "" };
            out.push_str(&format!("  {label:<15}  {address} -> {to}\n"));
        }
    }
    out.push_str(&rest(plan, around, look));
    out.push('\n');
    out.push_str(&promise(&changing));
    if around.saved {
        out.push_str(&format!("Plan {} is saved.\n  apply it              escadre apply {}\n", plan.id, plan.id));
    }
    out
}

/// Verdicts, findings and notes: what is to be known beside the changes.
pub(crate) fn rest(plan: &Plan, around: &Around, look: Look) -> String {
    let mut out = String::new();
    if let Some(verdicts) = around.verdicts {
        out.push_str(&format!("\n{}\n", verdicts.sentence()));
    }
    if !around.findings.is_empty() || !around.told.is_empty() || !plan.notes.is_empty() {
        out.push('\n');
    }
    for (word, finding) in &around.told {
        out.push_str(&finding_block(finding, word, look));
    }
    for finding in &around.findings {
        let word = match finding.severity {
            Severity::Note => note_word(finding.code.as_str()),
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        out.push_str(&finding_block(finding, word, look));
    }
    for note in &plan.notes {
        let place = note.source.as_ref().map(|source| format!("  {source}")).unwrap_or_default();
        let who = note.instance.as_ref().map(|id| format!("  {}", id.instance)).unwrap_or_default();
        out.push_str(&format!("  {} {}{who}{place}\n", note.code, note_word(&note.code)));
        out.push_str(&hang("        ", &style::readable(&note.text), look.width));
        if let Some(hint) = &note.hint {
            out.push_str(&hang("        ", hint, look.width));
        }
    }
    out
}

/// A finding in the short form of a plan.
fn finding_block(finding: &Diagnostic, word: &str, look: Look) -> String {
    let place = finding.span().map(|span| format!("  {}", span.short())).unwrap_or_default();
    let path = finding.path.as_ref().map(|path| format!("  {path}")).unwrap_or_default();
    let mut out = format!("  {} {word:<12}{place}{path}\n", finding.code).replace(" \n", "\n");
    out.push_str(&hang("        ", &style::readable(&finding.message), look.width));
    for hint in &finding.hints {
        out.push_str(&hang("        ", hint, look.width));
    }
    out
}

/// The word of a code's group.
fn note_word(code: &str) -> &'static str {
    match code.as_bytes().first() {
        Some(b'W') => "warning",
        Some(b'E') => "error",
        _ => "note",
    }
}

/// The changes that change something.
pub(crate) fn changing(instance: &InstancePlan) -> Vec<&Change> {
    instance.changes.iter().filter(|change| !matches!(change.action, Action::Keep | Action::Held)).collect()
}

/// Whether nothing of an instance was there before; images belong to all.
pub(crate) fn is_first(only: &InstancePlan, changing: &[&Change]) -> bool {
    let kept = only.changes.iter().any(|change| {
        change.on.kind != Kind::Image && !matches!(change.action, Action::Create | Action::Run | Action::Start)
    });
    let retried = only.changes.iter().filter(|change| change.on.kind == Kind::Service);
    !kept && !changing.is_empty() && retried.clone().all(|change| change.action != Action::Start)
}

/// Whether nothing of an instance runs afterwards: what runs is taken away, or, after an earlier `down`, what was left.
pub(crate) fn goes(only: &InstancePlan) -> bool {
    let changing = changing(only);
    let taken = |change: &&Change| matches!(change.action, Action::Delete | Action::Retain);
    !changing.is_empty() && changing.iter().all(taken) && !any_kept(only)
}

fn any_kept(only: &InstancePlan) -> bool {
    only.changes.iter().any(|change| change.on.kind == Kind::Service && change.action == Action::Keep)
}

fn services_are(number: usize) -> String {
    if number == 1 { "1 service is".to_owned() } else { format!("{} are", count(number, "service")) }
}

/// The answer in a sentence.
fn answer(only: &InstancePlan, changing: &[&Change]) -> String {
    if is_first(only, changing) {
        return "nothing of it runs here yet.".to_owned();
    }
    let all = || changing.iter().filter(|change| change.on.kind == Kind::Service);
    if goes(only) && all().count() > 0 {
        let kept = changing.iter().filter(|change| change.action == Action::Retain).count();
        let kept = if kept == 0 { String::new() } else { format!("; {} with its data stays", count(kept, "volume")) };
        return format!("{} stop and go{kept}.", count(all().count(), "service"));
    }
    if all().count() > 0 && all().all(|change| change.action == Action::Create) && !any_kept(only) {
        return format!("it does not run now; {} created.", services_are(all().count()));
    }
    if changing.iter().all(|change| change.action == Action::Retain) {
        return "nothing of it runs; what it stored stays.".to_owned();
    }
    if goes(only) {
        return "nothing of it runs; what is named here goes.".to_owned();
    }
    if plan_adopt::only(changing) {
        let differing = plan_adopt::differing_words(changing.iter().copied());
        let differing = differing.map(|words| format!(" {words}")).unwrap_or_default();
        return format!("{} taken over as they run.{differing}", plan_adopt::things(changing.iter().copied()));
    }
    let services = only.changes.iter().filter(|change| change.on.kind == Kind::Service).count();
    let touched = changing.iter().filter(|change| change.on.kind == Kind::Service).count();
    let others = changing.iter().filter(|change| !matches!(change.on.kind, Kind::Service | Kind::Image)).count();
    let mut parts = Vec::new();
    if touched > 0 {
        parts.push(format!(
            "{touched} of {} {}",
            count(services, "service"),
            if touched == 1 { "changes" } else { "change" }
        ));
    }
    if others > 0 {
        parts.push(format!("{} around them", count(others, "thing")));
    }
    parts.push(gap_words(changing));
    format!("{}.", parts.join(", "))
}

/// Whether there is a gap, and for how many services.
pub(crate) fn gap_words(changing: &[&Change]) -> String {
    let stop = changing.iter().filter(|change| change.on.kind == Kind::Service && change.action == Action::Stop);
    match stop.count() {
        0 => {}
        1 => return "1 service stops and is kept".to_owned(),
        number => return format!("{} stop and are kept", count(number, "service")),
    }
    let gaps = changing.iter().filter(|change| change.gap.is_some()).count();
    if gaps == 0 { "no gap".to_owned() } else { format!("{} with a gap", count(gaps, "service")) }
}

/// What is promised before the question.
fn promise(changing: &[&Change]) -> String {
    let deleted = changing.iter().filter(|change| change.action == Action::Delete).count();
    if plan_adopt::only(changing) {
        return format!("{}\n", plan_adopt::NOTHING);
    }
    if deleted == 0 {
        "Nothing else on this machine is changed, nothing is deleted.\n".to_owned()
    } else {
        format!("Nothing else on this machine is changed; {} above.\n", deleted_words(deleted))
    }
}

pub(crate) fn deleted_words(deleted: usize) -> String {
    if deleted == 1 { "1 thing is deleted, named".to_owned() } else { format!("{deleted} things are deleted, named") }
}

/// The table of actions.
fn table(only: &InstancePlan, strays: &[Stray], look: Look) -> String {
    let mut table = Table::words(2, 4);
    let order = order(only);
    let mut because = Vec::new();
    let all_go = goes(only);
    for (action, kind) in grouped_kinds(only) {
        let names: Vec<String> = only
            .changes
            .iter()
            .filter(|change| change.action == action && change.on.kind == kind)
            .map(name_of)
            .collect();
        let ready = if kind == Kind::Image { "pulled or built if it is not here" } else { "" };
        table.row([action.word().to_owned(), kind.word().to_owned(), names.join(", "), ready.to_owned()]);
    }
    for change in &order {
        let (what, ready) = service_cells(change);
        table.row([change.action.word().to_owned(), change.on.key.to_string(), what, ready]);
    }
    // Images and files say their reason with the services that have them; what lies around services has nobody else to say it.
    let around =
        |change: &&Change| matches!(change.on.kind, Kind::Route | Kind::Network) && change.action == Action::Update;
    for change in changing(only).into_iter().filter(around).chain(order) {
        // What goes because all of it goes needs no reason of its own.
        let mut bare = change.clone();
        // What was found is told on its own, with what becomes of it.
        bare.reasons.retain(|reason| !plan_stray::tells(strays, std::slice::from_ref(&only.instance), change, reason));
        because.push((change, if all_go { Vec::new() } else { why_lines(&bare) }));
    }
    let kept: Vec<&str> = only
        .changes
        .iter()
        .filter(|change| change.action == Action::Keep && change.on.kind == Kind::Service)
        .map(|change| change.on.key.as_ref())
        .collect();
    let mut out = table.paint(look);
    because.retain(|(_, lines)| !lines.is_empty());
    let longest = because.iter().map(|(change, _)| change.on.key.chars().count()).max().unwrap_or(0).max(8);
    for (change, lines) in &because {
        for (index, line) in lines.iter().enumerate() {
            let word = if change.action == Action::Adopt { "differs" } else { "because" };
            let name =
                if index == 0 { format!("  {word}  {:<longest$} ", change.on.key) } else { " ".repeat(longest + 12) };
            out.push_str(&hang(&name, line, look.width));
        }
    }
    if !kept.is_empty() {
        out.push_str(&hang("  keep     ", &kept.join(", "), look.width));
    }
    for line in perhaps(only.changes.iter()) {
        out.push_str(&hang("  perhaps  ", &line, look.width));
    }
    out
}

/// Services that stay unless they are seen to call what is replaced; those with the same neighbours together.
pub(crate) fn perhaps<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<String> {
    let mut found: Vec<(&[Arc<str>], Vec<&str>)> = Vec::new();
    for change in changes.filter(|change| !change.follows.is_empty()) {
        match found.iter_mut().find(|(callees, _)| *callees == change.follows.as_slice()) {
            Some((_, who)) => who.push(&change.on.key),
            None => found.push((&change.follows, vec![&change.on.key])),
        }
    }
    let said = |(callees, who): (&[Arc<str>], Vec<&str>)| {
        let calls = if who.len() == 1 { "it goes" } else { "they go" };
        format!("{}, if {calls} on calling the former {}", who.join(", "), callees.join(" or "))
    };
    found.into_iter().map(said).collect()
}

/// (action, kind) of everything that is no service, networks and volumes first.
fn grouped_kinds(only: &InstancePlan) -> Vec<(Action, Kind)> {
    let mut pairs: Vec<(Kind, Action)> =
        changing(only).iter().filter(|c| c.on.kind != Kind::Service).map(|c| (c.on.kind, c.action)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs.into_iter().map(|(kind, action)| (action, kind)).collect()
}

/// The changing services, in the order in which the plan's steps reach them.
fn order(only: &InstancePlan) -> Vec<&Change> {
    let mut services: Vec<&Change> = changing(only).into_iter().filter(|c| c.on.kind == Kind::Service).collect();
    services
        .sort_by_key(|change| only.steps.iter().position(|step| step.on.resource == change.on).unwrap_or(usize::MAX));
    services
}

/// The name of a change's thing: the engine's where the plan tells it.
fn name_of(change: &Change) -> String {
    match (change.on.kind, &change.detail) {
        // A volume that nobody named has 64 digits.
        (Kind::Volume, Some(name)) if name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{} ({})", name.get(..12).unwrap_or_default(), change.on.key)
        }
        (Kind::Network | Kind::Volume, Some(detail)) => detail.to_string(),
        _ => change.on.key.to_string(),
    }
}

/// What a service's line says, and its gate.
fn service_cells(change: &Change) -> (String, String) {
    let ready = change.gate.as_ref().map(|gate| format!("ready: {gate}")).unwrap_or_default();
    let image = change.reasons.iter().find_map(|reason| match reason {
        Reason::Changed { path, old: Some(Shown::Plain(old)), new: Some(Shown::Plain(new)), .. }
            if &**path == "image" && change.action != Action::Adopt =>
        {
            Some(image_move(old, new))
        }
        _ => None,
    });
    let what = match (image, &change.detail) {
        (Some((repository, moved)), _) if repository.is_empty() => moved,
        (Some((repository, moved)), _) => format!("{repository}  {moved}"),
        (None, Some(detail)) => detail.to_string(),
        (None, None) => String::new(),
    };
    (what, ready)
}

/// An image's move: (what stays, `old -> new`).
pub(crate) fn image_move(old: &str, new: &str) -> (String, String) {
    let split = |text: &str| -> Option<(String, String)> {
        let at = text.rfind(['@', ':']).filter(|at| text.rfind('/').is_none_or(|slash| slash < *at))?;
        Some((text.get(..at)?.to_owned(), text.get(at + 1..)?.to_owned()))
    };
    match (split(old), split(new)) {
        (Some((before, from)), Some((after, to))) if before == after => (before, format!("{from} -> {to}")),
        _ => (String::new(), format!("{old} -> {new}")),
    }
}

/// Why, one line per reason. In a group, a value that contains each instance's own text is shown before interpolation.
pub(crate) fn reason_lines(change: &Change, group: bool) -> Vec<String> {
    if change.action == Action::Adopt {
        return plan_adopt::lines(change);
    }
    // That an earlier attempt failed is a reason only where there is no other.
    let alone = change.action != Action::Create && change.reasons.iter().all(|r| matches!(r, Reason::Retry { .. }));
    let told = change.reasons.iter().filter(|reason| alone || !matches!(reason, Reason::Retry { .. }));
    let mut lines: Vec<String> = told
        .map(|reason| match reason {
            Reason::DependencyReplaced { service } if change.action == Action::Update => {
                format!("{service} is replaced, and this one looks its address up only when it starts")
            }
            reason => reason_line(reason, group),
        })
        .collect();
    lines.extend(perhaps(std::iter::once(change)).into_iter().map(|line| format!("perhaps {line}")));
    if let Some(gap) = &change.gap {
        let expected = match gap.expected_ms {
            Some(ms) => format!("about {}", super::time::short(std::time::Duration::from_millis(ms))),
            None => "not measured yet".to_owned(),
        };
        let why = match gap.why.as_ref() {
            // The rule for everything needs no telling every time.
            "updates stop the old container first" => String::new(),
            why => format!(": {why}"),
        };
        lines.push(format!("the old one stops first{why} (gap: {expected})"));
    }
    lines
}

/// Why, below a table that has shown an image's move already.
fn why_lines(change: &Change) -> Vec<String> {
    let lines = reason_lines(change, false);
    if change.action == Action::Adopt {
        return lines;
    }
    let told = change.reasons.iter().map(|reason| match reason {
        Reason::Changed {
            path, old: Some(Shown::Plain(_)), new: Some(Shown::Plain(_)), source: Some(source), ..
        } if &**path == "image" => Some(format!("{source}  image")),
        _ => None,
    });
    let told: Vec<Option<String>> = told.collect();
    lines.into_iter().enumerate().map(|(index, line)| told.get(index).cloned().flatten().unwrap_or(line)).collect()
}

/// One reason.
fn reason_line(reason: &Reason, group: bool) -> String {
    let place = |source: &Option<escadre_model::source::Source>| {
        source.as_ref().map(|source| format!("{source}  ")).unwrap_or_default()
    };
    match reason {
        Reason::Changed { path, old, new, unknown, source, raw } => {
            let what = match (group, raw) {
                (true, Some(raw)) => format!("{}, for each its own", style::cut(&style::harmless(raw), 60)),
                _ => moved(old.as_ref(), new.as_ref(), *unknown),
            };
            format!("{}{path}  {what}", place(source))
        }
        Reason::ImageMoved { reference, old, new } => {
            format!("{reference} names another image now: {} -> {}", short_id(old), short_id(new))
        }
        Reason::SecretChanged { name, source } => format!("{}secret {name} has another value", place(source)),
        Reason::Missing => "it is not there".to_owned(),
        Reason::NotRunning { phase } => format!("it does not run: {phase}"),
        Reason::DependencyReplaced { service } => format!("{service} is replaced, and this one restarts with it"),
        Reason::Drift { what } => format!("changed by hand: {what}"),
        Reason::Retry { plan } => format!("tried before by plan {plan}, which failed and went back"),
        Reason::Rollback { to } => format!("back to the state of plan {to}"),
        Reason::Removed => "no longer wanted".to_owned(),
    }
}

/// `old -> new`.
fn moved(old: Option<&Shown>, new: Option<&Shown>, unknown: bool) -> String {
    match (old, new) {
        _ if unknown => format!("is now {}; what it was is not on record", shown(new)),
        (None, new) => format!("new: {}", shown(new)),
        (old, None) => format!("goes; it was {}", shown(old)),
        (old, new) => format!("{} -> {}", shown(old), shown(new)),
    }
}

/// A value as it may be shown.
pub(crate) fn shown(value: Option<&Shown>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Shown::Plain(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Shown::Plain(text)) => style::cut(&style::harmless(&text.replace('\n', "\\n")), 60).into_owned(),
        Some(Shown::Secret(hash)) => format!("secret #{}", hash.as_str().get(..4).unwrap_or_default()),
        Some(Shown::Unknown) => "a secret that cannot be compared".to_owned(),
    }
}

/// An image's id, short.
pub(crate) fn short_id(id: &str) -> String {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits).to_owned()
}

/// What to do about an instance that is left alone.
pub(crate) fn refusal_next(instance: &str, refusal: &Refusal) -> Option<String> {
    match refusal {
        Refusal::Held { by: HeldBy::WentBack | HeldBy::Rollback, .. } => {
            Some(format!("escadre unhold {instance}      or change its files: then it is tried again"))
        }
        Refusal::Held { .. } => Some(format!("escadre unhold {instance}")),
        Refusal::Taken { .. } => Some(format!(
            "take it away, or choose another in the files; then: escadre up {instance}      (escadre explain E0321)"
        )),
        Refusal::NoAddress { .. } => {
            Some("a wider pool: of the target, in fleet.yaml   (escadre explain E0322)".into())
        }
        Refusal::Foreign { .. } => Some("what it may be, and what to write: escadre explain E0324".into()),
        Refusal::Stack { name, .. } => Some(format!(
            "when it may stop: docker stack rm {name}; when it is gone: escadre up {instance}      (escadre explain E0324)"
        )),
        Refusal::OtherFleet { .. } => Some("give one of the two another name   (escadre explain E0323)".into()),
        Refusal::Unseen { .. } => Some("what is wrong with the engine: escadre doctor".into()),
    }
}

/// Why an instance is left alone.
pub(crate) fn refusal_words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Held { by, because } => hold_words(*by, because),
        Refusal::Unseen { what } => format!("{what} could not be listed in full, so nothing is decided"),
        Refusal::OtherFleet { origin } => format!("what runs under this name belongs to another fleet, of {origin}"),
        Refusal::Taken { what } | Refusal::Foreign { what } => what.to_string(),
        Refusal::Stack { name, runs } => {
            let has = match runs {
                0 => format!("still has {name}"),
                1 => format!("still runs {name} (1 container)"),
                number => format!("still runs {name} ({number} containers)"),
            };
            format!("the Swarm {has}, whose volumes and ports it is to have")
        }
        Refusal::NoAddress { what } => format!("there is no address for {what}"),
    }
}

/// Why an instance is held.
fn hold_words(by: HeldBy, because: &str) -> String {
    match by {
        HeldBy::WentBack => format!("it is on hold since plan {because} went back"),
        HeldBy::Rollback => format!("it is on hold since its rollback to plan {because}"),
        HeldBy::Stuck => format!("it is stuck: {because}"),
        HeldBy::Hand => format!("it is on hold by hand ({because})"),
    }
}

#[cfg(test)]
mod tests;
