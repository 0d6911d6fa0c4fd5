//! Gates in full, for who must find out why one was not passed: what is asked, how often, and when it has failed.
//!
//! In: an instance's plan, and what it wants. Out: a sentence.
//! **Invariant:** a health check with a secret in it is not spelled out.
//! Not here: deciding gates and their names in plans (`escadre_plan::gate`). Tests: `tests/it/ways`.

use crate::terminal::plan_text::shown;
use crate::terminal::time;
use escadre_model::desired::{Desired, HealthCheck, Shown};
use escadre_plan::plan::InstancePlan;
use escadre_plan::step::{Act, PlannedGate};
use std::time::Duration;

/// The gate of a service in full; as the plan names it where no step waits for it (a one-shot).
pub(super) fn words(plan: &InstancePlan, desired: Option<&Desired>, service: &str) -> Option<String> {
    let gates = plan.steps.iter().filter(|step| &*step.on.resource.key == service);
    let gate = gates.filter_map(|step| match &step.act {
        Act::Gate { gate, .. } => Some(gate),
        _ => None,
    });
    // The first proves the new version; one that follows watches it (`monitor`).
    let named = || Some(plan.changes.iter().find(|change| &*change.on.key == service)?.gate.as_ref()?.to_string());
    match gate.into_iter().next() {
        None | Some(PlannedGate::Alive { .. }) => named(),
        Some(PlannedGate::Healthy { check, deadline_ms }) => Some(check_words(check, *deadline_ms, desired, service)),
        Some(PlannedGate::PortOpen { times, deadline_ms, .. }) => {
            Some(format!("{}, {times} looks in a row, within {}", named()?, spoken(*deadline_ms)))
        }
    }
}

fn check_words(check: &HealthCheck, deadline_ms: u64, desired: Option<&Desired>, service: &str) -> String {
    let tries = match check.retries {
        0 | 1 => "1 failure".to_owned(),
        several => format!("{several} failures in a row"),
    };
    let grace = spoken(check.start_period_ms.max(check.interval_ms));
    format!(
        "healthcheck{}, every {}; {tries} after the first {grace} are too many, or {} without success",
        test(desired, service).map(|test| format!(" \"{test}\"")).unwrap_or_default(),
        spoken(check.interval_ms),
        spoken(deadline_ms)
    )
}

/// The test as the files have it, if all of it may be shown; that of an image stands in the image.
fn test(desired: Option<&Desired>, service: &str) -> Option<String> {
    let (resource, _) = desired?.service(service)?;
    let fields: Vec<_> =
        resource.fields().into_iter().filter(|field| field.path.starts_with("healthcheck.test")).collect();
    let plain = |value: &Shown| matches!(value, Shown::Plain(_));
    if fields.is_empty() || !fields.iter().all(|field| plain(&field.value)) {
        return None;
    }
    let words = fields.iter().map(|field| shown(Some(&field.value))).collect::<Vec<_>>().join(" ");
    let said = words.strip_prefix("CMD ").or_else(|| words.strip_prefix("CMD-SHELL ")).map(str::to_owned);
    Some(said.unwrap_or(words))
}

fn spoken(ms: u64) -> String {
    time::long(Duration::from_millis(ms))
}
