//! Resolving and rendering all instances of a fleet, on several threads.
//!
//! In: a `Fleet`, its `Tree`, keys, [`Facts`]. Out: [`Spelled`], one for each instance, in the order of their names.
//! **Invariant:** instances know nothing of each other here, so the number of threads changes when something is made, never what.
//! Not here: one instance (`resolve`, `render`), what instances claim twice (`resolve::clashes`).
//! Tests: `fleet/tests.rs`.

use super::{Facts, render};
use escadre_model::desired::Desired;
use escadre_model::diagnostic::{Diagnostic, has_errors};
use escadre_model::fleet::Fleet;
use escadre_model::name::Name;
use escadre_model::resolve::{self, Cache, Keys};
use escadre_model::resolved::Resolved;
use escadre_model::tree::Tree;

/// More threads than this only wait for each other's memory.
const MOST: usize = 8;
/// Fewer instances than this for a thread are not worth one.
const FEW: usize = 8;

/// One instance: what it wants, unless something is wrong with it, and what was found.
#[derive(Debug)]
pub struct Spelled {
    /// As the files decide it, and in the engine's words. `None`: it is not to be planned.
    pub wanted: Option<(Resolved, Desired)>,
    /// What was found.
    pub findings: Vec<Diagnostic>,
}

/// Resolves and renders these instances of a fleet, on at most this many threads.
pub fn fleet(
    fleet: &Fleet,
    names: &[&Name],
    tree: &dyn Tree,
    keys: &Keys<'_>,
    facts: &Facts,
    threads: usize,
) -> Vec<Spelled> {
    let cache = Cache::new();
    let one = |name: &&Name| spell(fleet, name, tree, keys, &cache, facts);
    let threads = threads.clamp(1, MOST).min(names.len() / FEW);
    if threads < 2 {
        return names.iter().map(one).collect();
    }
    std::thread::scope(|scope| {
        let parts = names.chunks(names.len().div_ceil(threads));
        let running: Vec<_> =
            parts.map(|part| (part, scope.spawn(move || part.iter().map(one).collect::<Vec<_>>()))).collect();
        // A thread that panicked is done again here, so that the panic shows where it belongs.
        running
            .into_iter()
            .flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| part.iter().map(one).collect()))
            .collect()
    })
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

#[cfg(test)]
mod tests;
