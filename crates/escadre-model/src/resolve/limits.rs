//! Sizes and file parameters, laid over the loaded project.
//!
//! In: a project, a size, values. Out: the project changed.
//! **Invariant:** a size beats the product's Compose file and its environment's; an instance's own override beats the size.
//! Not here: what limits mean to an engine.
//! Tests: `tests/it/resolve.rs`.

use super::values::Given;
use super::{Work, files, no_service};
use crate::compose::Project;
use crate::diagnostic::Span;
use crate::text::{Key, Mapping, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Work<'_> {
    pub(super) fn limits(&mut self, project: &mut Project) {
        let Some(size) = self.instance.size.as_ref().and_then(|size| self.product.sizes.get(&size.value)) else {
            return;
        };
        let own: Option<Arc<str>> = self.instance.override_file.as_ref().map(|file| Arc::clone(&file.value));
        for (service, resources) in &size.services {
            if project.disabled.contains(service) {
                continue;
            }
            if project.service(service).is_none() {
                let what = format!("the size {}", size.name.value);
                self.findings.push(no_service(&what, service, &resources.span, project));
                continue;
            }
            let Some(node) = project.root.mapping_mut().and_then(|root| root.get_mut("services")) else { continue };
            let Some(node) = node.mapping_mut().and_then(|services| services.get_mut(service)) else { continue };
            if let Some(cpus) = &resources.cpus {
                set(node, "cpus", "cpus", Node::plain(Arc::clone(&cpus.value), &cpus.span), own.as_deref());
            }
            if let Some(memory) = &resources.memory
                && let Some(bytes) = crate::fleet::bytes(&memory.value)
            {
                let mut value = Node::text(bytes.to_string(), &memory.span);
                value.raw = Some(Arc::clone(&memory.value));
                set(node, "mem_limit", "memory", value, own.as_deref());
            }
        }
    }

    /// A file parameter fills the config of its name.
    pub(super) fn fill_configs(&mut self, project: &mut Project, values: &BTreeMap<Arc<str>, Given>) {
        for (name, given) in values {
            let Some(path) = &given.file else { continue };
            if project.entry("configs", name).is_none() {
                continue;
            }
            let config = project.root.mapping_mut().and_then(|root| root.get_mut("configs"));
            let Some(config) = config.and_then(Node::mapping_mut).and_then(|configs| configs.get_mut(name)) else {
                continue;
            };
            let Some(config) = config.mapping_mut() else { continue };
            for other in ["content", "environment", "external"] {
                config.remove(other);
            }
            let mut value = Node::text(files::inside(path), &given.span);
            value.raw = Some(Arc::clone(&given.value.text));
            config.insert(Key::new("file", &given.span), value);
        }
    }
}

/// Sets `deploy.resources.limits.KEY` of a service and takes the short form away, unless the instance's own override says otherwise.
fn set(service: &mut Node, short: &str, key: &str, value: Node, own: Option<&str>) {
    let is_own = |node: Option<&Node>| node.is_some_and(|node| own == Some(&*node.span.file));
    if is_own(service.get(short)) || is_own(service.at(&format!("deploy.resources.limits.{key}"))) {
        return;
    }
    let Some(mapping) = service.mapping_mut() else { return };
    mapping.remove(short);
    let span = value.span.clone();
    let limits =
        ["deploy", "resources", "limits"].into_iter().try_fold(mapping, |mapping, step| inner(mapping, step, &span));
    if let Some(limits) = limits {
        limits.insert(Key::new(key, &span), value);
    }
}

fn inner<'m>(mapping: &'m mut Mapping, key: &str, span: &Span) -> Option<&'m mut Mapping> {
    if mapping.get(key).is_none_or(Node::is_null) {
        mapping.insert(Key::new(key, span), Node::mapping(Mapping::new(), span));
    }
    mapping.get_mut(key)?.mapping_mut()
}
