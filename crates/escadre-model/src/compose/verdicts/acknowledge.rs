//! What somebody knows and accepts: `acknowledge:` in product.yaml, and below `x-escadre:` in a Compose file.
//!
//! In: acknowledgements and verdicts. Out: verdicts that say where they are acknowledged; acknowledgements that fit none.
//! **Invariant**: an acknowledgement changes what is told and what `--strict` refuses, never what is done.
//! Not here: where the lists are read from a fleet (`fleet::product`).
//! Tests: `tests.rs`, tests/cases/compose.

use super::{Kind, Verdict, table::matches};
use crate::compose::Project;
use crate::diagnostic::{Code, Diagnostic, Span, nearest};
use crate::text::Node;
use std::sync::Arc;

/// One that somebody wrote: a code (`C0102`), or an attribute's path with `*` for any text (`services.*.logging`), which speaks for all below it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// What is acknowledged.
    pub what: Arc<str>,
    /// Where that is written.
    pub span: Span,
}

impl Acknowledgement {
    /// Reads one.
    ///
    /// # Errors
    /// What is neither a code of a verdict nor the path of an attribute, as a finding.
    pub fn new(what: &str, span: &Span) -> Result<Self, Box<Diagnostic>> {
        let acknowledgement = Self { what: what.into(), span: span.clone() };
        if is_code(what) || SECTIONS.iter().any(|section| what.split('.').next() == Some(section)) {
            return Ok(acknowledgement);
        }
        let message = format!("`{what}` is neither the code of a verdict nor the path of an attribute");
        let finding = Diagnostic::error(Code::E0115, message).at(span);
        let codes = Code::ALL.iter().map(|code| code.as_str()).filter(|code| is_code(code));
        Err(Box::new(match nearest(what, codes) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint("write a code such as `C0102`, or a path such as `services.web.logging`"),
        }))
    }

    fn names(&self, verdict: &Verdict) -> bool {
        if is_code(&self.what) {
            return self.what.eq_ignore_ascii_case(verdict.code.as_str());
        }
        // The path itself, or one above it.
        let mut path = verdict.path.as_str();
        loop {
            if matches(&self.what, path) {
                return true;
            }
            match path.rsplit_once('.') {
                Some((above, _)) => path = above,
                None => return false,
            }
        }
    }
}

const SECTIONS: &[&str] =
    &["services", "networks", "volumes", "secrets", "configs", "models", "jobs", "include", "version", "name"];

/// Whether a text is the code of a verdict.
pub fn is_code(text: &str) -> bool {
    Code::find(text).is_some_and(|code| code.as_str().starts_with("C01"))
}

/// What the Compose files themselves acknowledge (`x-escadre: { acknowledge: [...] }`), and what is wrong there.
pub fn acknowledged(root: &Node, findings: &mut Vec<Diagnostic>) -> Vec<Acknowledgement> {
    let Some(own) = root.get("x-escadre") else { return Vec::new() };
    let Some(mapping) = own.as_mapping() else {
        let message = format!("`x-escadre` must be a mapping, here is {}", own.kind());
        findings.push(Diagnostic::error(Code::E0403, message).at(&own.span).path("x-escadre"));
        return Vec::new();
    };
    for (key, _) in mapping.iter().filter(|(key, _)| &*key.text != "acknowledge") {
        let finding = Diagnostic::error(Code::E0402, format!("unknown attribute `{}` in `x-escadre`", key.text));
        let finding = finding.at(&key.span).path(format!("x-escadre.{}", key.text));
        findings.push(match nearest(&key.text, ["acknowledge"]) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint("known there: acknowledge"),
        });
    }
    let Some(list) = mapping.get("acknowledge") else { return Vec::new() };
    let mut all = Vec::new();
    for item in list.as_sequence().unwrap_or(std::slice::from_ref(list)) {
        match item.as_str().map(|text| Acknowledgement::new(text, &item.span)) {
            Some(Ok(acknowledgement)) => all.push(acknowledgement),
            Some(Err(finding)) => findings.push(finding.path("x-escadre.acknowledge")),
            None => {
                let message = format!("`x-escadre.acknowledge` is a list of codes and paths, here is {}", item.kind());
                findings.push(Diagnostic::error(Code::E0403, message).at(&item.span).path("x-escadre.acknowledge"));
            }
        }
    }
    all
}

/// Marks what is acknowledged; the acknowledgements that fit nothing come back.
pub fn acknowledge<'a>(verdicts: &mut [Verdict], list: &'a [Acknowledgement]) -> Vec<&'a Acknowledgement> {
    let mut used = vec![false; list.len()];
    for verdict in verdicts.iter_mut().filter(|verdict| matches!(verdict.kind, Kind::Approximated | Kind::Refused)) {
        for (acknowledgement, used) in list.iter().zip(&mut used) {
            if acknowledgement.names(verdict) {
                verdict.acknowledged.get_or_insert_with(|| acknowledgement.span.clone());
                *used = true;
            }
        }
    }
    list.iter().zip(used).filter(|(_, used)| !used).map(|(acknowledgement, _)| acknowledgement).collect()
}

impl Project {
    /// What the Compose files acknowledge; what is wrong there was reported when they were loaded.
    pub fn acknowledgements(&self) -> Vec<Acknowledgement> {
        acknowledged(&self.root, &mut Vec::new())
    }
}
