//! Why a container is not what it shall be.
//!
//! In: a resource as wanted, and as the thing that runs was made from (a receipt tells). Out: [`Reason`]s, or that it cannot be known.
//! **Invariant:** "old" comes from a receipt whose spec is the label on the thing; without one the reason says so. A secret that cannot be compared changes nothing.
//! Not here: what follows from a reason (`diff`).
//! Tests: `tests/it/plans.rs`.

use crate::change::Reason;
use escadre_model::desired::{Body, Content, Resource, Shown};
use escadre_model::hash::Hash;
use escadre_model::ids::ResourceKey;
use escadre_model::observed::Record;
use escadre_model::sheet::View;
use std::cmp::Ordering;
use std::sync::Arc;

/// What comparing a spec gave.
pub(crate) enum Verdict {
    /// It was made from the same.
    Same,
    /// It was not, because …
    Differs(Vec<Reason>),
    /// The only difference may be a secret whose hash nobody can make now.
    CannotTell,
}

/// The resource as the receipt has it whose spec is this one.
pub(crate) fn made_from<'a>(record: &'a Record, key: &ResourceKey, spec: Option<&Hash>) -> Option<&'a Resource> {
    record
        .receipts
        .iter()
        .filter_map(|receipt| receipt.desired.resources.get(key))
        .find(|resource| Some(&resource.spec) == spec)
}

/// Compares what is wanted with the spec something was made from.
pub(crate) fn compare(record: &Record, key: &ResourceKey, wanted: &Resource, spec: Option<&Hash>) -> Verdict {
    if spec == Some(&wanted.spec) {
        return Verdict::Same;
    }
    let Some(old) = made_from(record, key, spec) else {
        return if holds_unknown(wanted) {
            Verdict::CannotTell
        } else {
            Verdict::Differs(vec![whole(spec, wanted, true)])
        };
    };
    let reasons = fields(old, wanted);
    match (reasons.is_empty(), holds_unknown(wanted)) {
        (true, true) => Verdict::CannotTell,
        (true, false) => Verdict::Differs(vec![whole(spec, wanted, false)]),
        (false, _) => Verdict::Differs(reasons),
    }
}

/// Is there a secret in it whose hash cannot be made now?
pub(crate) fn holds_unknown(resource: &Resource) -> bool {
    let content =
        matches!(&resource.body, Body::File(file) if matches!(file.content, Content::Secret { hash: None, .. }));
    content || resource.has_unknown()
}

/// The resource as a whole: no field says what the difference is.
fn whole(old: Option<&Hash>, wanted: &Resource, unknown: bool) -> Reason {
    let shown = |hash: &Hash| Shown::Plain(hash.short().into());
    Reason::Changed {
        path: "spec".into(),
        old: old.map(shown),
        new: Some(shown(&wanted.spec)),
        unknown,
        source: wanted.source().cloned(),
        raw: Some("".into()),
    }
}

/// Field by field; both lists are sorted by path.
fn fields(old: &Resource, new: &Resource) -> Vec<Reason> {
    let (mut before, mut after) = (old.views().peekable(), new.views().peekable());
    let mut reasons = Vec::new();
    loop {
        let order = match (before.peek(), after.peek()) {
            (None, None) => return reasons,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => a.path().cmp(b.path()),
        };
        let a = if order == Ordering::Greater { None } else { before.next() };
        let b = if order == Ordering::Less { None } else { after.next() };
        reasons.extend(field(a, b));
    }
}

fn field(old: Option<View<'_>>, new: Option<View<'_>>) -> Option<Reason> {
    let told = new.or(old)?;
    if let (Some(old), Some(new)) = (old, new)
        && old.same_value(new)
    {
        return None;
    }
    let shown = |view: Option<View<'_>>| view.map(|view| view.value().into_owned());
    match (shown(old), shown(new)) {
        (Some(_), Some(Shown::Unknown)) => None,
        (Some(Shown::Secret(_) | Shown::Unknown), Some(Shown::Secret(_))) => {
            Some(Reason::SecretChanged { name: told.path().clone(), source: told.source().cloned() })
        }
        (old, new) => Some(Reason::Changed {
            path: told.path().clone(),
            old,
            new,
            unknown: false,
            source: told.source().cloned(),
            raw: told.raw().cloned(),
        }),
    }
}

/// An image moved under its reference.
pub(crate) fn moved(reference: &Arc<str>, old: &Arc<str>, new: &Arc<str>) -> Reason {
    Reason::ImageMoved { reference: reference.clone(), old: old.clone(), new: new.clone() }
}
