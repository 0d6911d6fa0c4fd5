//! `extends`: a service that begins as another one.
//!
//! In: a document, the files it names. Out: the document with complete services.
//! **Invariant**: a circle is an error that names its members; paths of another file begin at that file's folder.
//! Not here: how two services merge (merge).
//! Source: Compose Specification, services, `extends`.
//! Tests: tests/cases/compose.

use super::include::{elsewhere, is_remote};
use super::load::{Loader, Scope};
use super::merge::merge;
use super::paths::{join, parent, relative};
use super::reset::Resets;
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::text::{Mapping, Node};
use std::collections::{BTreeSet, HashMap};

/// Services that extend one another in a row; each takes room on the stack.
const DEEPEST: usize = 64;

/// How a circle is told, and what stands between its members.
const CIRCLE: &str = "the services extend each other in a circle: ";
const STEP: &str = " -> ";

/// Services lent by a file, and what that file resets.
type Lent = Option<(Mapping, Resets)>;

/// Files that lend services, read once per model.
#[derive(Default)]
pub(crate) struct ExtendsCache {
    lent: HashMap<String, Lent>,
}

/// Where a service of this name is being completed.
#[derive(Clone)]
struct Place<'p> {
    file: String,
    /// Services of that file.
    section: &'p str,
    trail: Vec<(String, String)>,
}

impl Loader<'_> {
    /// Completes all services and jobs of a document.
    pub(crate) fn extend(
        &mut self,
        root: &mut Node,
        file: &str,
        scope: &Scope,
        cache: &mut ExtendsCache,
        resets: &Resets,
    ) {
        for section in ["services", "jobs"] {
            if let Some(node) = root.get(section).filter(|node| node.is_null()) {
                let message = format!("`{section}` must be a mapping, here is nothing");
                self.report(
                    Diagnostic::error(Code::E0403, message).at(&node.span).path(section).hint("remove the line"),
                );
            }
            let Some(entries) = root.get(section).and_then(Node::as_mapping) else { continue };
            let names: Vec<String> = entries
                .iter()
                .filter(|(_, entry)| entry.get("extends").is_some())
                .map(|(key, _)| key.text.to_string())
                .collect();
            if names.is_empty() {
                continue;
            }
            let Some(entries) = root.mapping_mut().and_then(|root| root.get_mut(section)).and_then(Node::mapping_mut)
            else {
                continue;
            };
            let place = Place { file: file.to_owned(), section, trail: Vec::new() };
            for name in names {
                self.complete_service(&name, entries, &place, scope, cache, resets);
            }
        }
    }

    /// Replaces the entry `name` by its complete form and returns that.
    fn complete_service(
        &mut self,
        name: &str,
        entries: &mut Mapping,
        place: &Place<'_>,
        scope: &Scope,
        cache: &mut ExtendsCache,
        resets: &Resets,
    ) -> Option<Node> {
        let service = entries.get(name)?.clone();
        let Some(extends) = service.get("extends").cloned() else { return Some(service) };
        if self.exhausted {
            return None;
        }
        let here = (place.file.clone(), name.to_owned());
        if place.trail.contains(&here) {
            let members = || place.trail.iter().chain([&here]);
            // Where all of them stand in one file, the place of the finding names it.
            let alone = members().all(|(file, _)| *file == here.0);
            let circle: Vec<String> =
                members().map(|(file, name)| if alone { name.clone() } else { format!("{name} in {file}") }).collect();
            let message = format!("{CIRCLE}{}", circle.join(STEP));
            // Every member of a circle leads round it; it is told once.
            let steps: BTreeSet<&str> = circle.iter().map(String::as_str).collect();
            let told = |finding: &Diagnostic| {
                finding
                    .message
                    .strip_prefix(CIRCLE)
                    .is_some_and(|told| told.split(STEP).collect::<BTreeSet<_>>() == steps)
                    && finding.labels.first().is_some_and(|label| !alone || label.span.file == extends.span.file)
            };
            if !self.findings.iter().any(told) {
                let path = format!("services.{name}.extends");
                self.report(Diagnostic::error(Code::E0410, message).at(&extends.span).path(path));
            }
            return None;
        }
        if place.trail.len() >= DEEPEST {
            let message =
                format!("`{name}` extends a service that extends another one, and so on, more than {DEEPEST} times");
            self.report(Diagnostic::error(Code::E0422, message).at(&extends.span));
            self.exhausted = true;
            return None;
        }
        let mut inner = place.clone();
        inner.trail.push(here);
        let target = extends.get("service").unwrap_or(&extends);
        let Some(base_name) = target.as_str() else {
            // The wrong type is reported by the check of the whole document.
            return Some(service);
        };
        let base =
            match extends.get("file").and_then(|file| file.as_str().map(|text| (text.to_owned(), file.span.clone()))) {
                None => {
                    if !entries.contains(base_name) {
                        self.missing(name, base_name, &target.span, entries, &place.file);
                        return Some(service);
                    }
                    self.complete_service(base_name, entries, &inner, scope, cache, resets)?
                }
                Some((file, span)) if is_remote(&file) => {
                    self.report(elsewhere(&file, &span).path(format!("services.{name}.extends")));
                    return None;
                }
                Some((file, span)) => {
                    let file = join(&scope.folder, &file);
                    let (mut lent, their_resets) = self.lent(&file, &span, scope, cache)?;
                    if !lent.contains(base_name) {
                        self.missing(name, base_name, &target.span, &lent, &file);
                        return Some(service);
                    }
                    inner.file = file;
                    self.complete_service(base_name, &mut lent, &inner, scope, cache, &their_resets)?
                }
            };
        if base.is_null() {
            return Some(service);
        }
        if base.as_mapping().is_none() {
            let message = format!("`{name}` extends `{base_name}`, which must be a mapping, here is {}", base.kind());
            let finding = Diagnostic::error(Code::E0403, message).at(&base.span);
            self.report(finding.path(format!("services.{name}.extends")));
            return Some(service);
        }
        let mut base = base;
        resets.apply_within(place.section, name, &mut base);
        if let Some(key) = service.as_mapping().and_then(|service| service.key("extends")).cloned() {
            let attribute = if place.section == "jobs" { "jobs.*.extends" } else { "services.*.extends" };
            self.use_up(format!("{}.{name}.extends", place.section), attribute, &key.span);
        }
        let mut merged = merge(base, service, &["services", "x"], &mut self.findings);
        if let Some(merged) = merged.mapping_mut() {
            merged.remove("extends");
        }
        if let Some(slot) = entries.get_mut(name) {
            *slot = merged.clone();
        }
        Some(merged)
    }

    fn missing(&mut self, name: &str, base: &str, span: &Span, known: &Mapping, file: &str) {
        let message = format!("`{name}` extends the service `{base}`, which is not in {file}");
        let finding = Diagnostic::error(Code::E0413, message).at(span).path(format!("services.{name}.extends"));
        self.report(match nearest(base, known.keys()) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding,
        });
    }

    fn lent(&mut self, file: &str, span: &Span, scope: &Scope, cache: &mut ExtendsCache) -> Lent {
        if let Some(known) = cache.lent.get(file) {
            return known.clone();
        }
        let folder = parent(file);
        let inner = Scope { base: relative(&scope.folder, &folder), folder, ..scope.clone() };
        let lent = self.lender(file, span, &inner).and_then(|(model, parsed)| {
            let resets = parsed.documents.last().map(|document| document.resets.clone()).unwrap_or_default();
            match model.get("services").and_then(Node::as_mapping) {
                Some(services) => Some((services.clone(), resets)),
                None => {
                    let message = format!("{file} has no services to extend");
                    self.report(Diagnostic::error(Code::E0413, message).at(span));
                    None
                }
            }
        });
        cache.lent.insert(file.to_owned(), lent.clone());
        lent
    }
}
