//! What happens to an instance, or to several alike, in a fleet's plan: what, then the gap, then why.
//!
//! In: the changes of the first, the plan with all of them. Out: indented lines.
//! **Invariant**: a value is shown only if it is the same for all who are meant; else its text before interpolation is.
//! Not here: who belongs together (`escadre_plan::group`), the frame around (`plan_groups`). Tests: `plan_text/tests.rs`.

use super::plan_stray;
use super::plan_text::{Around, changing, image_move, perhaps, reason_lines};
use super::style::{Look, columns, hang};
use escadre_model::desired::Shown;
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::source::Source;
use escadre_plan::change::{Action, Change, Reason};
use escadre_plan::plan::Plan;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many places of one value are named; the others are counted.
const PLACES: usize = 4;

/// Who is meant, and what is known of them.
pub(crate) struct Members<'a> {
    /// The plan with all of them.
    pub(crate) plan: &'a Plan,
    /// What stands around it: where values were written.
    pub(crate) around: &'a Around,
    /// Who.
    pub(crate) ids: &'a [InstanceId],
    /// For an outlier: how many others change alike, and how.
    pub(crate) common: Option<(usize, &'a [Change])>,
}

impl Members<'_> {
    /// The changes: what, then who may follow, then the gap, then why.
    pub(crate) fn block(&self, all: &[Change], look: Look) -> String {
        let mut out = String::new();
        let changes: Vec<&Change> =
            all.iter().filter(|change| !matches!(change.action, Action::Keep | Action::Held)).collect();
        let changes = changes.as_slice();
        let labels = changes.iter().filter(|change| told(change)).map(|change| columns(&label_of(change)));
        let kinds = changes.iter().filter(|change| !told(change)).map(|change| columns(change.on.kind.word()));
        let wide = labels.chain(kinds).max().unwrap_or(0).min(24);
        let images = changes.iter().filter(|change| told(change)).filter_map(|change| change.detail.as_deref());
        let image = images.map(columns).max().unwrap_or(0).min(look.width.saturating_sub(wide + 39));
        let mut made: BTreeMap<(Action, Kind), Vec<&str>> = BTreeMap::new();
        for change in changes {
            // Resources without a reason of their own are told in one line per kind.
            if !told(change) {
                made.entry((change.action, change.on.kind)).or_default().push(&change.on.key);
                continue;
            }
            let prefix = format!("    {:<8} {:<wide$}  ", change.action.word(), label_of(change));
            let mut lines = self.what_lines(change, look.width.saturating_sub(columns(&prefix)));
            if lines.is_empty() {
                lines.push(first_words(change, image));
            }
            for (index, line) in lines.iter().enumerate() {
                let before = if index == 0 { prefix.clone() } else { " ".repeat(columns(&prefix)) };
                out.push_str(&hang(&before, line, look.width));
            }
        }
        for ((action, kind), keys) in made {
            let prefix = format!("    {:<8} {:<wide$}  ", action.word(), kind.word());
            out.push_str(&hang(&prefix, &keys.join(", "), look.width));
        }
        for line in perhaps(all.iter()) {
            out.push_str(&hang("    perhaps  ", &line, look.width));
        }
        for line in gaps(changes) {
            out.push_str(&hang("    gap      ", &line, look.width));
        }
        for (index, line) in self.because(changes).iter().enumerate() {
            let before = if index == 0 { "    because  " } else { "             " };
            out.push_str(&hang(before, line, look.width));
        }
        out
    }

    /// The values that change, and for an outlier whether the others have it too.
    fn what_lines(&self, change: &Change, room: usize) -> Vec<String> {
        let mut lines = Vec::new();
        let told = |reason: &&Reason| plan_stray::tells(&self.around.strays, self.ids, change, reason);
        let tried = |reason: &&Reason| matches!(reason, Reason::Retry { .. });
        for reason in change.reasons.iter().filter(|reason| !tried(reason) && !told(reason)) {
            let shared = self.common.map(|(number, changes)| {
                if changes.iter().any(|other| other.on == change.on && other.reasons.iter().any(|r| same(r, reason))) {
                    format!("as the other {number}")
                } else {
                    "only here".to_owned()
                }
            });
            let (what, more) = value_words(reason, !self.one_value(change, reason));
            match (shared, more) {
                (Some(shared), more) => {
                    lines.push(format!("{what:<40} {shared}"));
                    lines.extend(more);
                }
                (None, Some(more)) if columns(&what) + 2 + columns(&more) <= room => {
                    lines.push(format!("{what}  {more}"));
                }
                (None, more) => {
                    lines.push(what);
                    lines.extend(more);
                }
            }
        }
        lines
    }

    /// Do all who are meant change from and to the same value?
    fn one_value(&self, change: &Change, reason: &Reason) -> bool {
        let Reason::Changed { path, old, new, .. } = reason else { return true };
        let alike = |other: &Reason| matches!(other, Reason::Changed { path: p, old: o, new: n, .. } if p == path && o == old && n == new);
        self.ids.iter().all(|id| {
            let one = self.plan.instances.iter().find(|one| one.instance == *id);
            one.is_some_and(|one| {
                changing(one).iter().any(|other| other.on == change.on && other.reasons.iter().any(alike))
            })
        })
    }

    /// The places that changes come from, once each: first where a value was written, then where it is used.
    fn because(&self, changes: &[&Change]) -> Vec<String> {
        // Variable → where it is used, as path and place.
        let mut used: BTreeMap<&str, Vec<&Source>> = BTreeMap::new();
        let mut lines: Vec<String> = Vec::new();
        for reason in changes.iter().flat_map(|change| &change.reasons) {
            let line = match reason {
                Reason::Changed { source: Some(source), path, raw, .. } => {
                    let known: Vec<&str> = raw.iter().flat_map(|raw| self.variables(raw)).collect();
                    for name in &known {
                        let places = used.entry(name).or_default();
                        if !places.contains(&source) {
                            places.push(source);
                        }
                    }
                    if !known.is_empty() {
                        continue;
                    }
                    match written_in(path, raw.as_deref()) {
                        Some(file) => format!("{source}  {file}"),
                        None => format!("{source}  {path}"),
                    }
                }
                Reason::SecretChanged { source: Some(source), name } => format!("{source}  secret {name}"),
                Reason::Retry { plan } => format!("plan {plan} tried it before, failed and went back"),
                _ => continue,
            };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let mut all: Vec<String> = used.iter().flat_map(|(name, places)| self.variable_lines(name, places)).collect();
        all.extend(lines);
        all
    }

    /// The variables of a text before interpolation whose place is known for those who are meant.
    fn variables<'r>(&self, raw: &'r str) -> Vec<&'r str> {
        let known = |name: &&str| {
            self.ids.iter().any(|id| self.around.places.get(id).is_some_and(|places| places.contains_key(*name)))
        };
        variables(raw).filter(known).collect()
    }

    fn variable_lines(&self, name: &str, used: &[&Source]) -> Vec<String> {
        let mut places: Vec<&Source> = self.ids.iter().filter_map(|id| self.around.places.get(id)?.get(name)).collect();
        places.sort_unstable_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        places.dedup();
        let mut lines: Vec<String> = places.iter().take(PLACES).map(|place| format!("{place}  {name}")).collect();
        if places.len() > PLACES {
            lines.push(format!("and in {} more files", places.len() - PLACES));
        }
        let mut files: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for place in used {
            files.entry(&place.file).or_default().push(place.line);
        }
        for (file, mut at) in files {
            at.sort_unstable();
            let at: Vec<String> = at.iter().map(ToString::to_string).collect();
            lines.push(format!("  used in {file}:{}", at.join(", ")));
        }
        lines
    }
}

/// The variables named in a text before interpolation.
fn variables(raw: &str) -> impl Iterator<Item = &str> {
    raw.split('$').skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| !name.is_empty())
    })
}

/// Where the values behind a change were written: the line of a parameter's value, else the line that changed.
pub(crate) fn origins(change: &Change, places: Option<&BTreeMap<Arc<str>, Source>>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for reason in &change.reasons {
        let (source, raw) = match reason {
            Reason::Changed { source, raw, .. } => (source, raw.as_deref()),
            Reason::SecretChanged { source, .. } => (source, None),
            _ => continue,
        };
        let written = variables(raw.unwrap_or_default()).filter_map(|name| places?.get(name));
        let mut lines: Vec<String> = written.map(ToString::to_string).collect();
        if lines.is_empty() {
            let file = match reason {
                Reason::Changed { path, raw, .. } => written_in(path, raw.as_deref()),
                _ => None,
            };
            let file = file.map(|file| format!(" ({file})")).unwrap_or_default();
            lines.extend(source.as_ref().map(|source| format!("{source}{file}")));
        }
        found.extend(lines);
    }
    found.sort();
    found.dedup();
    found
}

/// The file that a value was read from, as the line that names it spells it.
fn written_in<'r>(path: &str, raw: Option<&'r str>) -> Option<&'r str> {
    raw.filter(|_| path == "content" || path.starts_with("files."))
}

/// Whether a change has a line of its own.
fn told(change: &Change) -> bool {
    let tried = |reason: &Reason| matches!(reason, Reason::Retry { .. });
    change.on.kind == Kind::Service || !change.reasons.iter().all(tried)
}

fn label_of(change: &Change) -> String {
    match change.on.kind {
        Kind::Service => change.on.key.to_string(),
        kind => format!("{} {}", kind.word(), change.on.key),
    }
}

/// What a change without reasons says: image and gate, the gates below each other.
fn first_words(change: &Change, image: usize) -> String {
    match (change.detail.as_deref(), change.gate.as_ref()) {
        (Some(detail), Some(gate)) => format!("{detail:<image$}  ready: {gate}"),
        (Some(detail), None) => detail.to_owned(),
        (None, Some(gate)) => format!("ready: {gate}"),
        (None, None) => String::new(),
    }
}

/// Who has a gap, how long and why; services with the same reason together.
fn gaps(changes: &[&Change]) -> Vec<String> {
    let mut found: Vec<(String, &str, Vec<&str>)> = Vec::new();
    for (change, gap) in changes.iter().filter_map(|change| Some((change, change.gap.as_ref()?))) {
        let long = match gap.expected_ms {
            Some(ms) => format!("about {}", super::time::short(std::time::Duration::from_millis(ms))),
            None => "not measured yet".to_owned(),
        };
        match found.iter_mut().find(|(known, why, _)| *known == long && *why == gap.why.as_ref()) {
            Some((_, _, who)) => who.push(&change.on.key),
            None => found.push((long, &gap.why, vec![&change.on.key])),
        }
    }
    let said = |(long, why, who): (String, &str, Vec<&str>)| {
        format!("{} ({long}): the old one stops first: {why}", who.join(", "))
    };
    found.into_iter().map(said).collect()
}

/// A reason without its place, and for an image what stays.
fn value_words(reason: &Reason, group: bool) -> (String, Option<String>) {
    if let Reason::Changed { path, old: Some(Shown::Plain(old)), new: Some(Shown::Plain(new)), unknown: false, .. } =
        reason
        && path.as_ref() == "image"
        && !group
    {
        let (repository, moved) = image_move(old, new);
        return (format!("image  {moved}"), (!repository.is_empty()).then_some(repository));
    }
    let mut placeless = reason.clone();
    if let Reason::Changed { source, .. } | Reason::SecretChanged { source, .. } = &mut placeless {
        *source = None;
    }
    let one = Change { reasons: vec![placeless], gap: None, ..empty() };
    (reason_lines(&one, group).into_iter().next().unwrap_or_default(), None)
}

/// Whether two instances change for the same reason: same path, same text before interpolation, same place.
fn same(one: &Reason, other: &Reason) -> bool {
    match (one, other) {
        (
            Reason::Changed { path, new, raw, source, .. },
            Reason::Changed { path: path2, new: new2, raw: raw2, source: source2, .. },
        ) => path == path2 && raw == raw2 && source == source2 && (raw.is_some() || new == new2),
        (one, other) => one == other,
    }
}

fn empty() -> Change {
    Change {
        on: escadre_model::ids::ResourceKey::new(Kind::Service, ""),
        action: Action::Keep,
        reasons: Vec::new(),
        restarts: 0,
        gate: None,
        gap: None,
        follows: Vec::new(),
        adopts: Vec::new(),
        proves: false,
        detail: None,
    }
}
