//! Endpoints: under which names a service is reached from outside.
//!
//! In: `endpoints:` of product.yaml. Out: [`Endpoint`], host names before interpolation.
//! **Invariant:** an endpoint names one service and one port of it.
//! Not here: certificates (`tls:` other than `off` is reserved), routes of a running edge.
//! Tests: `tests.rs`.

use super::{reserved, scalar};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::text::{Fields, Node};
use std::sync::Arc;

/// An endpoint of a product.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where its key is written.
    pub span: Span,
    /// The service that answers.
    pub service: Spanned<Arc<str>>,
    /// Its port in the container.
    pub port: Spanned<u16>,
    /// Host names, with variables in them.
    pub hosts: Vec<Spanned<Arc<str>>>,
    /// Host names that are redirected to the first of `hosts`.
    pub redirect: Vec<Spanned<Arc<str>>>,
    /// Path prefix; `/` when none is written.
    pub path: Arc<str>,
    /// Largest request body, in bytes.
    pub body: Option<Spanned<u64>>,
    /// Longest wait for the first byte of an answer, in milliseconds.
    pub timeout: Option<Spanned<u64>>,
}

pub(super) fn read(key: &str, span: &Span, node: &Node, findings: &mut Vec<Diagnostic>) -> Option<Endpoint> {
    scalar::name(key, span, "an endpoint", findings);
    let mut fields = Fields::new(node, format!("endpoints.{key}"), findings);
    let service = fields.required_str("service");
    fields.required("port");
    let port = scalar::parsed(&mut fields, "port", "a port from 1 to 65535", scalar::port);
    fields.required("hosts");
    let hosts = fields.optional_strs("hosts").unwrap_or_default();
    let redirect = fields.optional_strs("redirect").unwrap_or_default();
    let path = scalar::parsed(&mut fields, "path", "a path that begins with /", |text| {
        let fits = text.starts_with('/') && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%'));
        fits.then(|| Arc::<str>::from(text))
    });
    let body = scalar::parsed(&mut fields, "body", "an amount of bytes such as 200M", scalar::bytes);
    let timeout = scalar::parsed(&mut fields, "timeout", "a time such as 60s", scalar::milliseconds);
    tls(&mut fields);
    let place = fields.span().clone();
    fields.finish();
    if hosts.is_empty() && node.get("hosts").is_some() {
        findings.push(Diagnostic::error(Code::E0512, format!("the endpoint \"{key}\" has no host name")).at(&place));
    }
    let path = path.map_or_else(|| "/".into(), |path| path.value);
    Some(Endpoint { span: span.clone(), service: service?, port: port?, hosts, redirect, path, body, timeout })
}

/// Only `off` works yet.
fn tls(fields: &mut Fields<'_, '_>) {
    let Some(node) = fields.optional("tls") else { return };
    let path = fields.path_of("tls");
    let finding = match node.as_str() {
        Some("off") => return,
        Some(word @ ("acme" | "local")) => reserved::not_built(&format!("`tls: {word}`"), "certificates"),
        None if node.get("secret").is_some() => reserved::not_built("`tls: { secret: … }`", "certificates"),
        _ => {
            Diagnostic::error(Code::E0115, format!("`{path}` must be `off`; `acme`, `local` and a secret are reserved"))
        }
    };
    fields.findings().push(finding.at(&node.span).path(path));
}
