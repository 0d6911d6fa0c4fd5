//! Resolving and rendering all instances of a fleet.
//!
//! In: a `Fleet`, its `Tree`, keys, [`Facts`]. Out: [`Spelled`], one for each instance, in the order of their names.
//! **Invariant:** instances know nothing of each other here; a bad one is a finding, and the others go on. What is the same for several is made once on
//! each thread, and what comes out is what each would have been alone.
//! Not here: one instance (`resolve`, `render`), what instances claim twice (`resolve::clashes`).
//! Tests: `escadre-plan/tests/it/threads.rs`; `tests/it` of the binary.

use super::draft::Drafts;
use super::render::drafts;
use super::{Facts, render};
use escadre_model::desired::Desired;
use escadre_model::diagnostic::{Diagnostic, has_errors};
use escadre_model::fleet::Fleet;
use escadre_model::name::Name;
use escadre_model::parallel::{self, Threads};
use escadre_model::resolve::{self, Cache, Keys};
use escadre_model::resolved::{Resolved, Shape};
use escadre_model::tree::Tree;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

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
    let speller = || Speller { fleet, tree, keys, facts, cache: Cache::new(), drafts: RefCell::default() };
    parallel::map_with(names.to_vec(), threads, speller, |speller, name| speller.spell(name))
}

/// What the instances of a fleet are spelled with; each thread has one.
struct Speller<'s> {
    fleet: &'s Fleet,
    tree: &'s dyn Tree,
    keys: &'s Keys<'s>,
    facts: &'s Facts,
    cache: Cache,
    /// What shapes were spelled as, by their address. Each is kept alive beside it, so that the address stays its own.
    drafts: RefCell<HashMap<*const Shape, Drafted>>,
}

/// A shape, and what it was spelled as.
type Drafted = (Arc<Shape>, Rc<Drafts>);

impl Speller<'_> {
    fn spell(&self, name: &Name) -> Spelled {
        loop {
            let (resolved, mut findings) =
                resolve::one_of_many(self.fleet, name.as_str(), self.tree, self.keys, &self.cache);
            let Some(resolved) = resolved else { return Spelled { wanted: None, findings } };
            let shape = &resolved.shape;
            let (desired, found) = if resolved.late.is_empty() {
                render(&resolved, self.facts)
            } else {
                self.drafts(shape).fill(&resolved)
            };
            // The value of a late variable was asked for: all of it is made again with the value.
            if shape.late.asked().next().is_some() {
                continue;
            }
            let sound = !has_errors(&found);
            findings.extend(found);
            return Spelled { wanted: sound.then_some((resolved, desired)), findings };
        }
    }

    /// What a shape is spelled as, made once.
    fn drafts(&self, shape: &Arc<Shape>) -> Rc<Drafts> {
        let mut all = self.drafts.borrow_mut();
        let known = all.entry(Arc::as_ptr(shape));
        let (_, drafts) = known.or_insert_with(|| (Arc::clone(shape), Rc::new(drafts(shape, self.facts))));
        Rc::clone(drafts)
    }
}
