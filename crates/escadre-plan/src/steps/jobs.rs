//! Steps of a one-shot.
//!
//! In: its fate. Out: `Create → Attach → Run`, or `Run` of the container that is there.
//! **Invariant:** all images are here before it runs: what it did cannot be undone, so nothing foreseeable may fail behind it.
//! Not here: whether it must run (`diff`).
//! Tests: `tests/it/plans.rs`.

use super::Builder;
use super::create::Comes;
use crate::diff::ServiceFate;
use crate::make::Shared;
use crate::plan::Refusal;
use crate::step::{Act, Undo};
use escadre_model::observed::ContainerSeen;

impl<'a> Builder<'_, 'a> {
    /// A one-shot runs to its end.
    pub(super) fn run(
        &mut self,
        fate: &ServiceFate<'a>,
        existing: Option<&ContainerSeen>,
        generation: u64,
        shared: &mut Shared<'_>,
    ) -> Result<(), Refusal> {
        let mut after = self.before_stop(fate);
        let (id, name) = match existing {
            Some(there) => (there.id.clone(), there.name.clone()),
            None => {
                let new = self.make(fate, 1, generation, Comes::First, shared)?;
                after.push(new.create);
                after.extend(self.attach(&new.id, new.lines, vec![new.create]));
                (new.id, new.name)
            }
        };
        let undo = Undo::Irreversible("a one-shot that ran cannot be undone: what it wrote stays".into());
        // A deadline of nobody's choosing would kill a long migration in its middle.
        let index = self.push(id, Act::Run { name, deadline_ms: 0 }, after, None, undo);
        self.mark(fate.key, index, index);
        Ok(())
    }
}
