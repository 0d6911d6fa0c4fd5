//! Zones: what instances of one kind of place have in common.
//!
//! In: `zones/NAME.yaml`. Out: [`Zone`].
//! **Invariant:** policy words are reserved: a zone that asks for a policy which nobody enforces is refused.
//! Not here: policy, network, quota, budget, access.
//! Tests: `tests.rs`.

use super::folder::Reader;
use super::{reserved, scalar};
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::name::Name;
use crate::text::Fields;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A zone: labels, values and a target for the instances in it.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Its name, as its file is called.
    pub name: Spanned<Name>,
    /// Its file.
    pub file: Arc<str>,
    /// For people.
    pub title: Option<Spanned<Arc<str>>>,
    /// Labels that its instances inherit.
    pub labels: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
    /// Values of parameters; they beat the environment's and yield to the instance's.
    pub values: BTreeMap<Arc<str>, Spanned<Arc<str>>>,
    /// The target of its instances that name none.
    pub target: Option<Spanned<Name>>,
}

pub(super) fn read_all(reader: &mut Reader<'_>) -> BTreeMap<Name, Arc<Zone>> {
    let mut zones = BTreeMap::new();
    for file in reader.list("zones").iter().filter(|name| !name.starts_with('.')) {
        let path = format!("zones/{file}");
        let Some(stem) = file.strip_suffix(".yaml") else {
            reader.findings.push(super::check::stray(&path, "zones/ holds files called NAME.yaml"));
            continue;
        };
        if let Some(zone) = read(reader, &path, stem) {
            zones.insert(zone.name.value.clone(), Arc::new(zone));
        }
    }
    zones
}

fn read(reader: &mut Reader<'_>, path: &str, stem: &str) -> Option<Zone> {
    let node = reader.document(path)?;
    let mut fields = Fields::new(&node, "", &mut reader.findings);
    let name = scalar::required_name(&mut fields, "zone", "a zone");
    let title = fields.optional_str("title");
    let labels = scalar::texts(&mut fields, "labels");
    let values = scalar::texts(&mut fields, "values");
    let mut target = None;
    if let Some(defaults) = fields.optional("defaults") {
        let mut inner = Fields::new(defaults, "defaults", fields.findings());
        target = scalar::optional_name(&mut inner, "target", "a target");
        inner.finish();
    }
    reserved::refuse(&mut fields, &node, reserved::ZONE);
    fields.finish();
    let name = name?;
    same_as_file(&name, stem, "zone", &mut reader.findings);
    Some(Zone { name, file: path.into(), title, labels, values, target })
}

/// A name must be the one its file or folder has.
pub(super) fn same_as_file(name: &Spanned<Name>, stem: &str, what: &str, findings: &mut Vec<Diagnostic>) -> bool {
    let same = name.value.as_str() == stem;
    if !same {
        let message =
            format!("this {what} is called \"{}\", and its file or folder \"{}\"", name.value, scalar::shown(stem));
        findings.push(Diagnostic::error(Code::E0503, message).at(&name.span).hint("give both the same name"));
    }
    same
}
