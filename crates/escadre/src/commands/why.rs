//! `escadre why`: why something is as it is.
//!
//! In: an instance, a service, an endpoint, or two instances. Out: a view. **Invariant**: the first sentence is the answer.
//! Not here: the views. Tests: `tests/it`.

use crate::args::look::Why;
use crate::exit::{Done, Exit, Fault};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::terminal::time::Now;
use crate::views::{endpoint, why, why_service};
use crate::wire::{self, Ask, Ground};
use escadre_model::desired::{Desired, Route};
use escadre_model::diagnostic::{Code, nearest};
use std::collections::BTreeMap;

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Why, settings: &Settings, terminal: &Terminal) -> Done {
    if let Some(other) = args.other.as_ref().filter(|other| other.service.is_some() || args.place.service.is_some()) {
        let message = format!("two instances are compared whole: {} and {other}", args.place);
        let hint = format!("escadre why {} {}", args.place.instance, other.instance);
        return Err(Fault::usage_hint(Code::E0201, message, hint));
    }
    let names = std::iter::once(&args.place).chain(&args.other).map(|place| place.instance.clone()).collect();
    let selection = Selection { instances: names, ..Selection::default() };
    let ask = Ask { files: args.files.clone(), selection, ..Ask::default() };
    let ground = wire::ground(settings, &ask).await?;
    let now = Now::here();
    let looked = ground.looked(&now);
    let desired = ground.find(&args.place.instance)?;
    if let Some(other) = &args.other {
        let (other, none) = (ground.find(&other.instance)?, BTreeMap::new());
        let values = |one: &Desired| ground.values.get(&one.instance).unwrap_or(&none);
        let view = why::differ((desired, values(desired)), (other, values(other)));
        return show(terminal, args.form.json, &view, |view| why::paint_differ(view, terminal.out));
    }
    if let Some(key) = args.place.service.as_ref().filter(|key| desired.service(key).is_none())
        && let Some(view) = endpoint::build(&looked, desired, key)
    {
        return show(terminal, args.form.json, &view, |view| endpoint::paint(view, terminal.out));
    }
    if let Some(key) = &args.place.service {
        let view = why_service::build(&looked, desired, key).ok_or_else(|| unknown(&ground, args, key))?;
        return show(terminal, args.form.json, &view, |view| why_service::paint(view, terminal.out));
    }
    let none = BTreeMap::new();
    let view = why::build(&looked, desired, ground.values.get(&desired.instance).unwrap_or(&none));
    show(terminal, args.form.json, &view, |view| why::paint(view, terminal.out))
}

fn show<V: serde::Serialize>(terminal: &Terminal, json: bool, view: &V, paint: impl Fn(&V) -> String) -> Done {
    if json {
        terminal.json(view)?
    } else {
        terminal.data(&paint(view))?
    }
    Ok(Exit::Done)
}

/// There is no such service.
fn unknown(ground: &Ground, args: &Why, key: &str) -> Fault {
    let message = format!("{} has no service and no endpoint \"{key}\"", args.place.instance);
    let keys: Vec<String> = ground
        .find(&args.place.instance)
        .map(|desired| {
            let endpoints = desired.routes.iter().filter(|(_, route)| matches!(route, Route::Http(_)));
            let services = desired.services().map(|(key, _, _)| key.to_string());
            services.chain(endpoints.map(|(key, _)| key.to_string())).collect()
        })
        .unwrap_or_default();
    let hint = match nearest(key, keys.iter().map(String::as_str)) {
        Some(near) => format!("did you mean: escadre why {}/{near}", args.place.instance),
        None => format!("its services and endpoints: {}", keys.join(" ")),
    };
    Fault::usage_hint(Code::E0206, message, hint)
}
