//! Where every value of a service comes from.
//!
//! In: [`Looked`], one service. Out: [`Service`]. **Invariant**: a secret is shown as a keyed hash, never as a value.
//! Not here: the instance (`why`). Tests: `why/tests.rs`.

use super::look::{Condition, Looked, current, phase_words};
use crate::terminal::plan_text::{short_id, shown};
use crate::terminal::style::{Look, cut, hang};
use crate::terminal::table::Table;
use escadre_model::desired::{Desired, Manner};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`Service`].
pub(crate) const SCHEMA: &str = "escadre.why-service/1";

/// Room for a place such as `products/shop/compose.yaml:14`.
const FROM: usize = 30;

/// Why a service is as it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Service {
    /// Always `escadre.why-service/1`.
    schema: &'static str,
    /// `larch/web`.
    place: String,
    /// The answer.
    answer: String,
    /// How it is.
    health: Condition,
    /// Its values, and where each comes from.
    values: Vec<Line>,
}

/// A value.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    /// Its path: `image`, `environment.DOMAIN`.
    path: String,
    /// What it is, as far as it may be shown.
    is: String,
    /// Where it comes from.
    from: String,
}

/// A service of an instance; nothing when there is none of that key.
pub(crate) fn build(looked: &Looked<'_>, desired: &Desired, key: &str) -> Option<Service> {
    let (resource, service) = desired.service(key)?;
    let health = looked.service(&desired.instance, key);
    let place = format!("{}/{key}", desired.instance.instance);
    let seen = current(looked.seen(&desired.instance), key);
    let mut values: Vec<Line> = Vec::new();
    for field in resource.fields() {
        let from = field.source.as_ref().map(ToString::to_string).unwrap_or_default();
        let from = match &field.raw {
            Some(raw) => format!("{from} as {}", cut(raw, 60)),
            None => from,
        };
        values.push(Line { path: field.path.to_string(), is: shown(Some(&field.value)), from });
    }
    let mut line = |path: &str, is: String, from: String| values.push(Line { path: path.to_owned(), is, from });
    match &service.manner {
        Manner::Beside => line("updated", "beside the old one".to_owned(), String::new()),
        Manner::StopFirst(why) => line("updated", "the old one stops first".to_owned(), why.to_string()),
    }
    for one in &seen {
        let age = looked.now.age(&one.started).map(|age| format!(", {age}")).unwrap_or_default();
        let restarts = if one.restarts > 0 { format!(", restarted {} times", one.restarts) } else { String::new() };
        line("container", format!("{}{age}{restarts}", phase_words(&one.phase)), one.name.to_string());
        line("image id", short_id(&one.image), String::new());
        let Some(made) = &one.compose else { continue };
        let how = if one.known { "adopted" } else { "not adopted yet" };
        line(how, "as docker compose made it, until its next update".to_owned(), made.folder.to_string());
        for other in &made.differs {
            let from = format!("so it runs; the files say {}", shown(other.wanted.as_ref()));
            let is = other.runs.as_ref().map_or_else(|| "another value, or none".to_owned(), |runs| shown(Some(runs)));
            line(&other.path, is, from);
        }
    }
    let wanted = looked.planned(&desired.instance).and_then(|plan| {
        plan.changes.iter().find(|change| change.on.key.as_ref() == key && !change.reasons.is_empty())
    });
    let differs = if wanted.is_some() {
        format!(" What runs is not what stands below: escadre plan {}", desired.instance.instance)
    } else {
        String::new()
    };
    let answer = match health {
        Condition::Running => format!("{place} runs; it has no health check.{differs}"),
        Condition::Unknown => format!("{place} could not be seen.{differs}"),
        other => format!("{place} is {}.{differs}", other.word()),
    };
    Some(Service { schema: SCHEMA, place, answer, health, values })
}

/// The service as text.
pub(crate) fn paint(service: &Service, look: Look) -> String {
    let mut table = Table::words(2, 3);
    table.head(["value", "is", "from"]);
    // The place of a value is worth more room than the end of a long one.
    let short = |path: &str| path.strip_prefix("environment.").unwrap_or(path).to_owned();
    let names = service.values.iter().map(|line| short(&line.path).len()).max().unwrap_or(0);
    let room = look.width.saturating_sub(names + 6 + FROM).max(20);
    for line in &service.values {
        table.row([short(&line.path), cut(&line.is, room).into_owned(), line.from.clone()]);
    }
    format!("{}\n{}", hang("", &service.answer, look.width), table.paint(look))
}
