//! `escadre restart`, `start`, `stop`: services as they are, whatever the files want.
//!
//! In: options. Out: the plan, then the report. **Invariant**: without a name or a filter, only a fleet of one is touched.
//! Not here: what is done (`escadre_plan`). Tests: `tests/it/back.rs`.

use super::go;
use crate::args::back::Touch;
use crate::exit::{Done, Fault};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::style::count;
use crate::wire::{self, Ask, Instead};
use escadre_model::diagnostic::Code;
use escadre_plan::make::How;
use std::collections::{BTreeMap, BTreeSet};

/// Runs one of the three verbs.
///
/// # Errors
/// Files, command line, refusals, the world.
pub(super) async fn run(how: How, args: &Touch, settings: &Settings, terminal: &Terminal) -> Done {
    let mut services: BTreeMap<_, BTreeSet<std::sync::Arc<str>>> = BTreeMap::new();
    let mut whole = BTreeSet::new();
    for place in &args.places {
        let named = services.entry(place.instance.clone()).or_default();
        match &place.service {
            Some(service) => drop(named.insert(service.as_str().into())),
            None => drop(whole.insert(place.instance.clone())),
        }
    }
    // An instance that is named as a whole is meant as a whole.
    services.iter_mut().filter(|(name, _)| whole.contains(*name)).for_each(|(_, named)| named.clear());
    let instances: Vec<_> = services.keys().cloned().collect();
    let selection = Selection::new(&instances, &args.filter);
    let all = selection.is_all();
    let ask = Ask {
        files: args.files.clone(),
        selection,
        act: true,
        dirty: true,
        instead: Some(Instead::Touched(how, services)),
        named: all.then_some(which as fn(usize) -> Fault),
        ..Ask::default()
    };
    let ground = wire::ground(settings, &ask).await?;
    go::at_once(ground, args.manner, args.form.json, settings, terminal).await
}

/// Nobody said which.
fn which(instances: usize) -> Fault {
    let message = format!("which instance? This fleet has {}. Nothing was done (exit 2)", count(instances, "instance"));
    Fault::usage_hint(Code::E0205, message, "name them: INSTANCE, or INSTANCE/SERVICE; or choose: --where LABEL=VALUE")
}
