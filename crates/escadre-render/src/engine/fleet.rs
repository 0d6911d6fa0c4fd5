//! Resolving and rendering all instances of a fleet.
//!
//! In: a `Fleet`, its `Tree`, keys, [`Facts`]. Out: [`Spelled`], one for each instance, in the order of their names.
//! **Invariant:** instances know nothing of each other here; a bad one is a finding, and the others go on.
//! Not here: one instance (`resolve`, `render`), what instances claim twice (`resolve::clashes`).
//! Tests: `escadre-plan/tests/it/threads.rs`; `tests/it` of the binary.

use super::{Facts, render};
use escadre_model::desired::Desired;
use escadre_model::diagnostic::{Diagnostic, has_errors};
use escadre_model::fleet::Fleet;
use escadre_model::name::Name;
use escadre_model::parallel::{self, Threads};
use escadre_model::resolve::{self, Cache, Keys};
use escadre_model::resolved::Resolved;
use escadre_model::tree::Tree;

/// One instance: what it wants, unless something is wrong with it, and what was found.
#[derive(Debug)]
pub struct Spelled {
    /// As the files decide it, and in the engine's words. `None`: it is not to be planned.
    pub wanted: Option<(Resolved, Desired)>,
    /// What was found.
    pub findings: Vec<Diagnostic>,
}

/// Resolves and renders these instances of a fleet on so many threads; the answer is the same on any number of them.
pub fn fleet(
    fleet: &Fleet,
    names: &[&Name],
    tree: &dyn Tree,
    keys: &Keys<'_>,
    facts: &Facts,
    threads: Threads,
) -> Vec<Spelled> {
    let cache = Cache::new();
    parallel::map(names.to_vec(), threads, |name| spell(fleet, name, tree, keys, &cache, facts))
}

fn spell(fleet: &Fleet, name: &Name, tree: &dyn Tree, keys: &Keys<'_>, cache: &Cache, facts: &Facts) -> Spelled {
    let (resolved, mut findings) = resolve::instance(fleet, name.as_str(), tree, keys, cache);
    let wanted = resolved.and_then(|resolved| {
        let (desired, found) = render(&resolved, facts);
        let sound = !has_errors(&found);
        findings.extend(found);
        sound.then_some((resolved, desired))
    });
    Spelled { wanted, findings }
}
