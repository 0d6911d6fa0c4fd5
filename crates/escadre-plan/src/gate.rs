//! Gates, decided: what a new container must show before it counts as working.
//!
//! In: the product's gate and the image as far as it is known. Out: a [`PlannedGate`] and the words for people.
//! **Invariant:** the product's check, else the image's, else an open port, else being alive; every wait has an end.
//! Not here: probing (`escadre-drivers`).
//! Tests: `tests/it/gates.rs`.

use crate::step::PlannedGate;
use escadre_model::desired::{Gate, HealthCheck};
use escadre_model::observed::ImageSeen;
use std::sync::Arc;

/// The shortest deadline of a gate, in milliseconds.
pub const DEADLINE_MS: u64 = 60_000;
/// How long a container must be alive when nothing better is known, in milliseconds.
pub const ALIVE_MS: u64 = 10_000;
/// How often in a row a port must be found open, and the milliseconds between.
pub const PORT_TIMES: (u32, u64) = (3, 1_000);

/// How long one of several ports must have been open, in milliseconds, until the others are not waited for any more: files publish and expose ports of
/// debuggers and of protocols that are switched off.
pub const ONE_PORT_MS: u64 = 10_000;

/// What is to be proven, and its name in plans; `None` for a one-shot, whose `Run` is its proof.
///
/// An image that is not on the engine yet may bring a check nobody can know of: then the words end in `(image not here yet)`. Times that were written
/// without a test are the image's check's; where it has none, they set the deadline of the open port that stands in its place.
pub fn decide(gate: &Gate, image: Option<&ImageSeen>) -> (Option<PlannedGate>, Arc<str>) {
    match gate {
        Gate::ExitZero => (None, "exit code 0".into()),
        Gate::Check(check) if is_none(check) => unstated(&[], image, false, None),
        // Journals before `times` have them here.
        Gate::Check(check) if check.test.is_empty() => unstated(&[], image, true, Some(check)),
        Gate::Check(check) => healthy(check.clone()),
        Gate::Unstated { disabled, ports, times } => unstated(ports, image, !*disabled, times.as_deref()),
    }
}

fn is_none(check: &HealthCheck) -> bool {
    check.test.first().is_some_and(|word| word.as_ref() == "NONE")
}

fn healthy(check: HealthCheck) -> (Option<PlannedGate>, Arc<str>) {
    let deadline_ms = deadline(&check);
    (Some(PlannedGate::Healthy { check, deadline_ms }), "healthcheck".into())
}

/// The time a check gives: its grace time, and as many looks as make it unhealthy, and one.
fn deadline(times: &HealthCheck) -> u64 {
    let tries = u64::from(times.retries).saturating_add(1);
    times.start_period_ms.saturating_add(tries.saturating_mul(times.interval_ms)).max(DEADLINE_MS)
}

fn unstated(
    ports: &[u16],
    image: Option<&ImageSeen>,
    checked: bool,
    times: Option<&HealthCheck>,
) -> (Option<PlannedGate>, Arc<str>) {
    if let Some(check) = image.and_then(|image| image.health.as_ref()).filter(|check| checked && !is_none(check)) {
        let test = check.test.clone();
        return healthy(times.map_or_else(|| check.clone(), |times| HealthCheck { test, ..times.clone() }));
    }
    let exposed = image.map(|image| image.ports.as_slice()).unwrap_or_default();
    let declared = ports.is_empty();
    let mut ports = if declared { exposed.to_vec() } else { ports.to_vec() };
    ports.sort_unstable();
    ports.dedup();
    let unseen = if image.is_none() { " (image not here yet)" } else { "" };
    if ports.is_empty() {
        let words = format!("alive for {} s{unseen}", ALIVE_MS / 1000);
        return (Some(PlannedGate::Alive { for_ms: ALIVE_MS }), words.into());
    }
    let listed = ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let or = match (declared, ports.len()) {
        (true, _) => format!(", or alive for {} s", ALIVE_MS / 1000),
        (false, 0 | 1) => String::new(),
        (false, _) => format!(", or one of them for {} s", ONE_PORT_MS / 1000),
    };
    let words = format!("port{} {listed} open{or}{unseen}", if ports.len() == 1 { "" } else { "s" });
    let (row, every_ms) = PORT_TIMES;
    let deadline_ms = times.map_or(DEADLINE_MS, deadline);
    let or_alive_ms = declared.then_some(ALIVE_MS);
    (Some(PlannedGate::PortOpen { ports, times: row, every_ms, deadline_ms, or_alive_ms }), words.into())
}
