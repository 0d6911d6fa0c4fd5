//! Sizes: how much each service gets, as a table under one name.
//!
//! In: `sizes:` of product.yaml. Out: [`Size`].
//! **Invariant:** a size beats the Compose file, service by service and value by value.
//! Not here: how a target spells limits.
//! Tests: `tests.rs`.

use super::scalar;
use crate::diagnostic::{Diagnostic, Span, Spanned};
use crate::name::Name;
use crate::text::{Fields, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A size of a product.
#[derive(Clone, Debug)]
pub struct Size {
    /// Its name.
    pub name: Spanned<Name>,
    /// Service key → what it gets.
    pub services: BTreeMap<Arc<str>, Resources>,
}

/// What one service gets.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Where the service is named.
    pub span: Span,
    /// Processors, as written (`0.5`); checked to be a positive number.
    pub cpus: Option<Spanned<Arc<str>>>,
    /// Memory, as written (`256M`); checked to be an amount of bytes.
    pub memory: Option<Spanned<Arc<str>>>,
}

pub(super) fn read(node: &Node, findings: &mut Vec<Diagnostic>) -> BTreeMap<Name, Arc<Size>> {
    let mut sizes = BTreeMap::new();
    let Some(mapping) = node.as_mapping() else {
        // Says that a mapping is wanted.
        Fields::new(node, "sizes", findings).finish();
        return sizes;
    };
    for (key, table) in mapping.iter() {
        let path = format!("sizes.{}", key.text);
        let services = services(table, &path, findings);
        if let Some(name) = scalar::name(&key.text, &key.span, "a size", findings) {
            sizes.insert(name.value.clone(), Arc::new(Size { name, services }));
        }
    }
    sizes
}

fn services(table: &Node, path: &str, findings: &mut Vec<Diagnostic>) -> BTreeMap<Arc<str>, Resources> {
    let Some(mapping) = table.as_mapping() else {
        Fields::new(table, path, findings).finish();
        return BTreeMap::new();
    };
    let mut services = BTreeMap::new();
    for (service, node) in mapping.iter() {
        let mut fields = Fields::new(node, format!("{path}.{}", service.text), findings);
        let positive = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0).map(|_| text.into());
        let cpus = scalar::parsed(&mut fields, "cpus", "a number of processors such as 0.5", positive);
        let memory = scalar::parsed(&mut fields, "memory", "an amount of memory such as 256M", |text| {
            scalar::bytes(text).filter(|bytes| *bytes > 0).map(|_| text.into())
        });
        fields.finish();
        services.insert(Arc::clone(&service.text), Resources { span: service.span.clone(), cpus, memory });
    }
    services
}
