//! Resolving and rendering a whole fleet on all processors.
//!
//! In: a `Fleet`, its `Tree`, keys, facts. Out: `Spelled`, one for each name, in the order given.
//! **Invariant:** the same answer as on one processor: instances know nothing of each other while they are spelled.
//! Not here: spelling itself (`escadre_render::engine::fleet`), which is pure and knows no threads.
//! Tests: `tests/it` of the binary; `cargo xtask bench`.

use escadre_model::fleet::Fleet;
use escadre_model::name::Name;
use escadre_model::resolve::Keys;
use escadre_model::tree::Tree;
use escadre_render::engine::{Facts, Spelled, fleet as spell};

/// Fewer instances than this are not worth a second thread.
const WORTH: usize = 16;
/// More threads than this only compete for memory.
const MOST: usize = 8;

/// Resolves and renders these instances of a fleet.
pub fn fleet(fleet: &Fleet, names: &[&Name], tree: &dyn Tree, keys: &Keys<'_>, facts: &Facts) -> Vec<Spelled> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
    if processors == 1 || names.len() < WORTH {
        return spell(fleet, names, tree, keys, facts);
    }
    let share = names.len().div_ceil(processors);
    std::thread::scope(|scope| {
        let parts: Vec<_> = names
            .chunks(share)
            .map(|part| (part, scope.spawn(move || spell(fleet, part, tree, keys, facts))))
            .collect();
        // A thread that panicked has said so; its instances are spelled again here, where the panic belongs to the caller.
        parts
            .into_iter()
            .flat_map(|(part, task)| task.join().unwrap_or_else(|_| spell(fleet, part, tree, keys, facts)))
            .collect()
    })
}
