//! `escadre logs`: what services say.
//!
//! In: options. Out: lines. **Invariant**: it ends when nobody reads any more.
//! Not here: asking the engine. Tests: `tests/it`.

use crate::args::inside::Logs;
use crate::args::shared::Files;
use crate::exit::{Done, Exit};
use crate::settings::{Selection, Settings};
use crate::terminal::Terminal;
use crate::views::log::{self, Wanted};
use crate::wire::{self, Ask};
use escadre_engine::ports::LogQuery;

/// Runs the verb.
///
/// # Errors
/// Files, command line, the world.
pub(super) async fn run(args: &Logs, settings: &Settings, terminal: &Terminal) -> Done {
    let mut names: Vec<_> = args.places.iter().map(|place| place.instance.clone()).collect();
    names.dedup();
    let services: Vec<&String> = args.places.iter().filter_map(|place| place.service.as_ref()).collect();
    let query = LogQuery {
        // The engine filters by one service; several are filtered below.
        service: match (args.places.as_slice(), services.as_slice()) {
            ([_], [one]) => Some(one.as_str().into()),
            _ => None,
        },
        follow: args.follow,
        since: args.since.as_ref().map(|since| since.seconds(jiff::Timestamp::now())),
        tail: args.tail,
        ..LogQuery::default()
    };
    let files = Files { file: args.file.clone(), ..Files::default() };
    let ask = Ask { files, selection: Selection::new(&names, &args.filter), ..Ask::default() };
    let (mut lines, single) = wire::logs(settings, &ask, args.plan.as_deref(), query).await?;
    let mut wanted = Wanted { grep: args.grep.clone(), single, json: args.form.json, wide: 0 };
    loop {
        let line = tokio::select! {
            line = lines.recv() => line,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(line) = line else { return Ok(Exit::Done) };
        let (instance, service) = (&line.container.instance.instance, &line.container.resource.key);
        let named = args.places.is_empty()
            || args.places.iter().any(|place| {
                place.instance == *instance && place.service.as_ref().is_none_or(|key| key.as_str() == service.as_ref())
            });
        if !named {
            continue;
        }
        // Names of a length not met before move the column once.
        wanted.wide = wanted.wide.max(log::who(&line, single).len()).min(40);
        if let Some(text) = log::paint(&line, &wanted, terminal.out) {
            terminal.data(&text)?;
        }
    }
}
