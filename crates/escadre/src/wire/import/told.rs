//! What is told of what was found, before it is written.
//!
//! In: groups, what is left alone, the files. Out: text. **Invariant:** no value of a secret is in it.
//! Not here: the plan of the fleet (`escadre plan`).
//! Tests: `tests/it/import.rs`.

use super::written::{Checked, Files, open_value};
use super::{Group, thing, values};
use crate::terminal::style::{count, names};
use escadre_model::desired::Former;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What is told.
pub(super) struct Told<'t> {
    /// What runs it now.
    pub(super) from: Former,
    /// The engine.
    pub(super) engine: &'t str,
    /// How many projects there are.
    pub(super) projects: usize,
    /// Those that are brought in.
    pub(super) groups: &'t [Group<'t>],
    /// Those that are left alone, and why.
    pub(super) left: &'t [(String, String)],
}

impl Told<'_> {
    /// The whole text.
    pub(super) fn text(&self, files: &Files, checked: &Checked) -> String {
        text(self, files, checked)
    }
}

fn text(told: &Told<'_>, files: &Files, checked: &Checked) -> String {
    let Told { from, engine, projects, groups, left } = *told;
    let what = match from {
        Former::Compose => count(projects, "Compose project"),
        Former::Swarm => format!("{} of its Swarm", count(projects, "stack")),
    };
    let mut out = format!("Only reading: no container and no file on this host is changed.\n{engine}: {what}\n");
    for group in groups {
        one(from, group, &mut out);
    }
    let (already, left): (Vec<_>, Vec<_>) = left.iter().partition(|(_, why)| why.ends_with("already"));
    // Writing to a String cannot fail; so below.
    if !already.is_empty() {
        let _ = writeln!(out, "\n{} of this fleet already.", super::count_are(already.len()));
    }
    if !left.is_empty() {
        let are = if left.len() == 1 { "1 is".to_owned() } else { format!("{} are", left.len()) };
        let _ = writeln!(out, "\n{are} left alone:");
        for (project, why) in left {
            let _ = writeln!(out, "  {project:<12} {why}");
        }
    }
    runs(groups, &mut out);
    otherwise(groups, &mut out);
    match from {
        Former::Compose => still(checked, &mut out),
        Former::Swarm => moving(groups, checked, &mut out),
    }
    without(from, files, &mut out);
    let _ = writeln!(
        out,
        "\n{} to be written: {}.",
        count(files.all.len(), "file"),
        groups
            .iter()
            .map(|group| format!("products/{} and {}", group.product, count(group.instances.len(), "instance")))
            .collect::<Vec<_>>()
            .join(", ")
    );
    if files.encrypted > 0 {
        let _ =
            write!(out, "{} encrypted for {}", count(files.encrypted, "secret"), count(files.recipients, "recipient"));
        for (name, number) in &files.shared {
            let _ = write!(out, "; {name} was the same {number} times and is one now");
        }
        out.push_str(".\n");
    }
    out
}

fn one(from: Former, group: &Group<'_>, out: &mut String) {
    let number = group.instances.len();
    let together = &group.together;
    let what =
        if number == 1 { "is one product" } else { "are one product (same services, same images but for the tag)" };
    let _ = writeln!(out, "\n{}: {} {what}", group.product, count(number, thing(from)));
    // In what they differ, equal kinds together.
    let mut kinds: BTreeMap<(u8, String, String), Vec<&str>> = BTreeMap::new();
    for (member, name) in together.members.iter().zip(&group.instances) {
        let mut own: Vec<(u8, String, String)> = Vec::new();
        let mut keys: BTreeSet<&str> = member.values.keys().map(String::as_str).collect();
        keys.extend(member.secrets.keys().map(String::as_str));
        own.extend(member.size.iter().map(|size| (1, "in what they may use".to_owned(), format!("size: {size}"))));
        own.extend(member.files.keys().map(|file| (2, "in a file".to_owned(), file.clone())));
        own.extend(member.profiles.iter().map(|one| (3, "in a service more".to_owned(), format!("profile: {one}"))));
        own.extend(
            member.over.iter().map(|_| (4, "in what no value says".to_owned(), "override: compose.yaml".to_owned())),
        );
        if own.is_empty() && number > 1 {
            let keys: Vec<&str> = keys.into_iter().collect();
            own.push((0, "in values only".to_owned(), keys.join(", ")));
        }
        for kind in own {
            kinds.entry(kind).or_default().push(name.as_str());
        }
    }
    for ((rank, what, how), who) in &kinds {
        let list = if who.len() == number { String::new() } else { format!(" {}", names(who, false)) };
        let how = if how.is_empty() { "nothing".to_owned() } else { how.clone() };
        let tail = if *rank == 0 { how } else { format!("-> {how}") };
        let differ = if who.len() == 1 { "differs" } else { "differ" };
        let _ = writeln!(out, "  {:>3}   {differ} {what}:{list} {tail}", who.len());
    }
    for place in &together.proposal.left {
        let _ = writeln!(out, "        left as it is, because only a person can write it otherwise: {place}");
    }
}

/// What the files say and what runs is not always the same.
fn runs(groups: &[Group<'_>], out: &mut String) {
    let mut lines = Vec::new();
    for group in groups {
        for (found, name) in group.found.iter().zip(&group.instances) {
            for (path, runs) in &found.copy.runs {
                let says = found.said.get(path).cloned().flatten();
                let word = |value: &Option<String>| match value {
                    Some(value) if open_value(path, value) => value.clone(),
                    Some(_) => "another secret".to_owned(),
                    None => "nothing".to_owned(),
                };
                let path = path.strip_prefix("services.").unwrap_or(path);
                lines.push(format!("  {name:<12} {path}: the files say {}, {} runs\n", word(&says), word(runs)));
            }
        }
    }
    if !lines.is_empty() {
        let _ = write!(
            out,
            "\nWhat the files say and what runs is not always the same. What runs is taken:\n{}",
            lines.concat()
        );
    }
}

/// What will differ from the files all the same.
fn still(checked: &Checked, out: &mut String) {
    if checked.differs.is_empty() {
        out.push_str("\nRead again and compared with what runs: no difference.\n");
        return;
    }
    let number = checked.differs.values().flat_map(|services| services.values()).map(Vec::len).sum();
    let _ = writeln!(
        out,
        "\nRead again and compared with what runs: {} differ; they stay as they run until their service is updated:",
        values(number)
    );
    differing(checked, out);
}

fn differing(checked: &Checked, out: &mut String) {
    for (name, services) in &checked.differs {
        for (service, differs) in services {
            let paths: Vec<&str> = differs.iter().map(|one| &*one.path).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {name:<12} {service}: {}", paths.join(", "));
        }
    }
}

/// What of a Swarm means nothing, or something else, on one host; equal sentences once.
fn otherwise(groups: &[Group<'_>], out: &mut String) {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for group in groups {
        for (found, name) in group.found.iter().zip(&group.instances) {
            found.otherwise.iter().for_each(|text| all.entry(text).or_default().push(name.as_str()));
        }
    }
    if !all.is_empty() {
        out.push_str("\nWhat becomes otherwise:\n");
    }
    for (text, who) in all {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {}: {text}", names(&who, false));
    }
}

/// How stacks come over, and in what each service will be otherwise: a Swarm keeps its containers for itself.
fn moving(groups: &[Group<'_>], checked: &Checked, out: &mut String) {
    // Writing to a String cannot fail; so below.
    if checked.differs.is_empty() {
        out.push_str("\nRead again and compared with what runs: no difference.\n");
    } else {
        let number = checked.differs.values().flat_map(|services| services.values()).map(Vec::len).sum();
        let _ = writeln!(
            out,
            "\nRead again and compared with what runs: {} will differ (escadre plan says how):",
            values(number)
        );
        differing(checked, out);
    }
    out.push_str(
        "\nA Swarm starts again whatever is taken from it, so nothing is adopted: an instance is made when its stack is gone, with the\nvolumes that are there. Until then the plan leaves it alone and says what will differ. One after the other\n(a stack takes some seconds to go):\n",
    );
    for (found, name) in groups.iter().flat_map(|group| group.found.iter().zip(&group.instances)) {
        let _ = writeln!(out, "  docker stack rm {}; when it is gone: escadre up {name}", found.project);
    }
}

/// Secrets whose values nobody could tell.
fn without(from: Former, files: &Files, out: &mut String) {
    let number: usize = files.missing.values().map(BTreeSet::len).sum();
    if number == 0 {
        return;
    }
    let why = match from {
        Former::Compose => "was found nowhere",
        Former::Swarm => "a Swarm tells to nobody",
    };
    // Writing to a String cannot fail; so below.
    let _ = writeln!(
        out,
        "\n{} without a value, which {why}; before it is set nothing is planned:",
        count(number, "secret")
    );
    for (name, secrets) in &files.missing {
        for secret in secrets {
            let _ = writeln!(out, "  escadre secret set {name} {secret}");
        }
    }
}
