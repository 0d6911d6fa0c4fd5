//! Endpoints: under which names a service is reached from outside.
//!
//! In: `endpoints:` of product.yaml. Out: [`Endpoint`], host names before interpolation.
//! **Invariant:** an endpoint names one service and one port of it.
//! Not here: whether a certificate can be had for a name (`resolve`), routes of a running edge.
//! Tests: `tests.rs`.

use super::{product, scalar};
use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::routes::Plain;
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
    /// How its names are served over TLS.
    pub tls: Tls,
}

/// `tls:` of an endpoint.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Where it is written, or where the endpoint is.
    pub span: Span,
    /// Where certificates come from.
    pub by: TlsBy,
    /// `http: redirect | serve`: what plain HTTP gets where a certificate works.
    pub plain: Option<Plain>,
    /// `hsts:`: for how long browsers shall remember to use TLS only, in seconds.
    pub hsts_s: Option<u64>,
}

/// Where the certificates of an endpoint come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsBy {
    /// Nothing is written: the local authority for private names, a public one for the others.
    Usual,
    /// `local`: this host's own authority.
    Local,
    /// `acme`: a public authority.
    Acme,
    /// `off`: there are none.
    Off,
    /// They are brought, as secrets.
    Secret {
        /// The secret with the certificate and its chain; the key too, unless that has a secret of its own.
        chain: Arc<str>,
        /// The secret with the key.
        key: Option<Arc<str>>,
    },
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
    let tls = tls(&mut fields, span);
    let place = fields.span().clone();
    fields.finish();
    if hosts.is_empty() && node.get("hosts").is_some() {
        findings.push(Diagnostic::error(Code::E0512, format!("the endpoint \"{key}\" has no host name")).at(&place));
    }
    let path = path.map_or_else(|| "/".into(), |path| path.value);
    Some(Endpoint { span: span.clone(), service: service?, port: port?, hosts, redirect, path, body, timeout, tls })
}

const WORDS: &str = "`acme`, `local`, `off`, or a mapping such as { secret: NAME }";

fn word(text: &str) -> Option<TlsBy> {
    match text {
        "acme" => Some(TlsBy::Acme),
        "local" => Some(TlsBy::Local),
        "off" => Some(TlsBy::Off),
        _ => None,
    }
}

/// A word, or a mapping with more.
fn tls(fields: &mut Fields<'_, '_>, endpoint: &Span) -> Tls {
    let mut tls = Tls { span: endpoint.clone(), by: TlsBy::Usual, plain: None, hsts_s: None };
    let Some(node) = fields.optional("tls") else { return tls };
    let path = fields.path_of("tls");
    tls.span = node.span.clone();
    if node.as_mapping().is_none() {
        match node.as_str().and_then(word) {
            Some(by) => tls.by = by,
            None => {
                let shown = scalar::shown(node.as_str().unwrap_or(node.kind()));
                let message = format!("`{path}` must be {WORDS}, here is \"{shown}\"");
                fields.findings().push(Diagnostic::error(Code::E0115, message).at(&node.span).path(path));
            }
        }
        return tls;
    }
    let mut inner = Fields::new(node, path, fields.findings());
    let by = scalar::parsed(&mut inner, "by", "`acme`, `local` or `off`", word);
    let chain = secret_name(&mut inner, "secret");
    let key = secret_name(&mut inner, "key");
    let plain = scalar::parsed(&mut inner, "http", "`redirect` or `serve`", |text| match text {
        "redirect" => Some(Plain::Redirect),
        "serve" => Some(Plain::Serve),
        _ => None,
    });
    let hsts = scalar::parsed(&mut inner, "hsts", "a time such as 180d", scalar::milliseconds);
    let (first, second) = (by.as_ref().map(|by| &by.span), chain.as_ref().map(|chain| &chain.span));
    let mut wrong = |message: &str, at: &Span| {
        inner.findings().push(Diagnostic::error(Code::E0512, message).at(at));
    };
    if let (Some(_), Some(at)) = (first, second) {
        wrong("a certificate comes from `by` or from a `secret`, not from both", at);
    }
    if let (None, Some(key)) = (second, &key) {
        wrong("`key` goes with `secret`, which holds the certificate", &key.span);
    }
    inner.finish();
    tls.by = match (by, chain) {
        (_, Some(chain)) => TlsBy::Secret { chain: chain.value, key: key.map(|key| key.value) },
        (Some(by), None) => by.value,
        (None, None) => TlsBy::Usual,
    };
    tls.plain = plain.map(|plain| plain.value);
    tls.hsts_s = hsts.map(|hsts| hsts.value / 1_000);
    tls
}

fn secret_name(fields: &mut Fields<'_, '_>, key: &'static str) -> Option<Spanned<Arc<str>>> {
    scalar::parsed(fields, key, "the name of a secret", |text| {
        product::is_secret_name(text).then(|| Arc::<str>::from(text))
    })
}
