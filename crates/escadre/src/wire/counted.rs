//! What the edge counted while something was carried out: "0 of 74 requests failed" is counted, not hoped.
//!
//! In: the target, before and after. Out: requests of each instance, in the report.
//! **Invariant:** where nobody counted, or another life of the edge did, nothing is claimed.
//! Not here: counting (`escadre-edge`), the sentence (`terminal::report`). Tests: `tests/it/ways`.

use super::Ground;
use crate::terminal::report::{Ended, Requests};
use escadre_engine::ports::{Driver, Traffic};
use escadre_model::desired::{Desired, Route};

/// What was carried so far; nothing where nobody counts, or does not answer.
pub(super) async fn so_far(driver: &dyn Driver) -> Option<Traffic> {
    driver.traffic().await.ok().flatten()
}

/// Tells the report what was carried in between.
pub(super) fn tell(ended: &mut Ended, span: &Traffic, ground: &Ground) {
    for desired in &ground.desired {
        let Some(counted) = of(desired, span) else { continue };
        let name = desired.instance.instance.as_str();
        if let Some(failure) = ended.failures.iter_mut().find(|failure| failure.instance == name) {
            failure.traffic = Some(counted);
        } else if ended.done.iter().any(|done| done == name) && !ended.down.iter().any(|down| down == name) {
            ended.traffic.push((name.to_owned(), counted));
        }
    }
}

/// What was carried for an instance; nothing if nobody asked.
fn of(desired: &Desired, span: &Traffic) -> Option<Requests> {
    let carried = span.of(&desired.instance);
    let (all, failed, service_errors) = (carried.requests, carried.failed(), carried.service_errors);
    let connections = desired.routes.values().all(|route| matches!(route, Route::Tcp(_)));
    // One that arrived before and failed now is one of them.
    (all > 0 || failed > 0).then_some(Requests { all: all.max(failed), failed, service_errors, connections })
}
