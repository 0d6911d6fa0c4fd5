//! What follows from entries.

use super::*;
use crate::ports::{Changed, Outcome};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceId, ResourceKey};
use escadre_model::name::Name;
use escadre_model::observed::{EngineId, HeldBy, Hold, JobEvidence, Outcome as Ended};
use std::sync::Arc;

fn on(kind: Kind, key: &str) -> ResourceId {
    let name = |text: &str| Name::new(text).unwrap_or_else(|error| panic!("{error}"));
    InstanceId::new(name("desk"), name("fr")).resource(ResourceKey::new(kind, key))
}

fn begun() -> Body {
    Body::Begun(Box::new(Begun { by: "ops".into(), ..Begun::of(Hash::of("d"), Hash::of("s")) }))
}

fn intent() -> Body {
    Body::Intent {
        on: on(Kind::Volume, "data"),
        act: "ensure volume".into(),
        before: Some(serde_json::json!({"there": false})),
    }
}

fn made(engine: &str) -> Body {
    let engine = EngineId(engine.into());
    let outcome = Outcome { engine: Some(engine.clone()), changed: Changed::Added, ..Outcome::default() };
    Body::Done(Box::new(Done { outcome, owns: Some((engine, on(Kind::Volume, "data"))), ..Done::default() }))
}

fn ran() -> Body {
    let evidence = JobEvidence { spec: Hash::of("spec"), image: "sha256:1".into() };
    Body::Done(Box::new(Done { job: Some(("migrate".into(), evidence)), ..Done::default() }))
}

fn receipt(memory: &Memory, outcome: Ended) -> Body {
    let (by, commit): (Arc<str>, Arc<str>) = ("ops".into(), "".into());
    let (desired, state) = (Hash::of("d"), memory.state.clone());
    Body::Receipt(Box::new(ReceiptBody {
        outcome,
        desired,
        by,
        commit,
        dirty: None,
        back: None,
        because: None,
        last_line: None,
        state,
    }))
}

fn fold(memory: &mut Memory, entries: &[(u64, Option<u32>, Body)]) {
    for (seq, step, body) in entries {
        // Through text and back, as from the store.
        let text = serde_json::to_string(body).unwrap_or_default();
        let body: Body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        memory.fold(*seq, &Arc::from("abc"), *step, &body);
    }
}

#[test]
fn an_intent_is_open_until_it_is_closed() {
    let mut memory = Memory::default();
    fold(&mut memory, &[(1, None, begun()), (2, Some(0), intent()), (3, Some(1), intent())]);
    assert_eq!(memory.open(), [2, 3]);
    fold(&mut memory, &[(4, Some(0), made("v1")), (5, Some(1), Body::Undone { frees: Vec::new() })]);
    assert_eq!(memory.open(), [] as [u64; 0]);
    let before = memory.run.as_ref().and_then(|run| match run.steps.get(&0) {
        Some(Standing::Done(outcome)) => outcome.before.clone(),
        _ => None,
    });
    assert_eq!(before, Some(serde_json::json!({"there": false})), "what was noted before is not lost");
}

#[test]
fn a_job_has_to_run_anew_when_the_volume_made_with_it_is_gone() {
    let mut memory = Memory::default();
    fold(&mut memory, &[(1, None, begun()), (2, Some(0), intent()), (3, Some(0), made("v1")), (4, Some(1), ran())]);
    assert_eq!(memory.state.jobs.len(), 1);
    let mut other = memory.clone();
    fold(&mut other, &[(5, Some(2), Body::Undone { frees: vec![EngineId("c9".into())] })]);
    assert_eq!(other.state.jobs.len(), 1, "a container that goes takes nothing with it");
    fold(&mut memory, &[(5, Some(0), Body::Undone { frees: vec![EngineId("v1".into())] })]);
    assert!(memory.state.jobs.is_empty() && memory.state.owned.is_empty());
}

#[test]
fn five_healthy_receipts_are_kept() {
    let mut memory = Memory::default();
    for seq in 1..=30 {
        let outcome = if seq % 3 == 0 { Ended::WentBack } else { Ended::Healthy };
        let body = receipt(&memory, outcome);
        fold(&mut memory, &[(seq, None, body)]);
    }
    let kept: Vec<u64> = memory.state.receipts.iter().map(|kept| kept.seq).collect();
    assert_eq!(kept, [30, 29, 28, 27, 26, 25, 24, 23], "newest first, down to the fifth healthy one");
}

#[test]
fn a_receipt_makes_older_entries_needless() {
    let mut memory = Memory::default();
    let by = HeldBy::Hand;
    let hold = Hold { against: None, by, because: "audit".into(), at: "".into() };
    fold(
        &mut memory,
        &[(1, None, begun()), (2, Some(0), intent()), (3, Some(0), made("v1")), (4, None, Body::Held(hold))],
    );
    let last = (5, None, receipt(&memory, Ended::Healthy));
    fold(&mut memory, std::slice::from_ref(&last));
    let mut short = Memory::default();
    fold(&mut short, &[last]);
    assert_eq!(memory, short);
    assert!(short.run.is_none() && short.state.hold.is_some() && short.state.owned.len() == 1);
}
