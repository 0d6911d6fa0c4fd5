//! Late variables make no difference: a project that was loaded without their values and filled is the project that was loaded with them.

use escadre_model::compose::{Cache, Files, Options, Project, load};
use escadre_model::diagnostic::has_errors;
use escadre_model::resolved::{Resolved, Shape};
use escadre_model::text::{LONGEST_LATE, LateVariables, Text};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Loads a project with and without the values of its variables and compares; how many variables stayed late.
pub(crate) fn compare(options: &Options, files: &dyn Files) -> usize {
    let cache = Cache::new();
    let (wanted, told) = load(options, files, &cache);
    let values = |name: &str| options.environment.get(name).and_then(|variable| variable.text.as_str());
    let names: Vec<Arc<str>> = options
        .environment
        .iter()
        .map(|(name, _)| Arc::from(name))
        .filter(|name| values(name).is_some_and(|value| (1..=LONGEST_LATE).contains(&value.len())))
        .collect();
    if names.is_empty() {
        return 0;
    }
    let mut given: BTreeSet<Arc<str>> = BTreeSet::new();
    loop {
        let open = || names.iter().filter(|name| !given.contains(*name)).cloned();
        let late = LateVariables::new(open());
        let mut without = options.clone();
        for (name, hole) in late.holes() {
            without.environment.set(&**name, Text::late(hole), None);
        }
        let (found, said) = load(&without, files, &cache);
        let asked: Vec<Arc<str>> = late.asked().cloned().collect();
        if !asked.is_empty() {
            given.extend(asked);
            continue;
        }
        // Faulty files are loaded again with all values, so that every error is told of its own instance.
        assert!(has_errors(&said) || !has_errors(&told), "an error hides behind {late:?}: {told:?}");
        if has_errors(&said) {
            return 0;
        }
        assert_eq!(said, told, "what was found, with {late:?} late");
        let Some((found, wanted)) = found.zip(wanted.as_ref()) else { return late.names().count() };
        let values: Arc<[Arc<str>]> = open().map(|name| Arc::from(values(&name).unwrap_or_default())).collect();
        let filled = filled(found, values);
        same(
            &format!("{:#?} {:#?}", filled.root, filled.disabled),
            &format!("{:#?} {:#?}", wanted.root, wanted.disabled),
        );
        assert_eq!(filled.to_json(), wanted.to_json());
        assert_eq!((&filled.name, &filled.files), (&wanted.name, &wanted.files));
        assert_eq!(late.asked().count(), 0, "filling and comparing asks for nothing");
        return late.names().count();
    }
}

/// Compares two long texts, and shows where they begin to differ.
fn same(found: &str, wanted: &str) {
    let differs = found.lines().zip(wanted.lines()).position(|(found, wanted)| found != wanted);
    let Some(line) = differs.or_else(|| (found != wanted).then_some(0)) else { return };
    let part = |text: &str| text.lines().skip(line.saturating_sub(15)).take(20).collect::<Vec<_>>().join("\n");
    panic!("filled later:\n{}\nknown from the start:\n{}", part(found), part(wanted));
}

fn filled(project: Project, late: Arc<[Arc<str>]>) -> Project {
    let name = escadre_model::name::Name::new("x").expect("a name");
    let instance = escadre_model::ids::InstanceId::new(name.clone(), name);
    let resolved = Resolved { late, ..Resolved::new(instance, Shape::new("x", project)) };
    resolved.project().into_owned()
}
