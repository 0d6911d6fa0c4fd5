//! The edge of a target: where it answers, whom it asks for certificates, whom it believes.
//!
//! In: `edge:` of a target in fleet.yaml. Out: [`EdgeSettings`].
//! **Invariant:** what is not written has a default that is safe on the internet: an authority everybody trusts, no proxy that is believed, no log of requests.
//! Not here: endpoints, which say what is served; the edge itself (`escadre-edge`).
//! Tests: `tests/it/endpoints.rs`.

use super::scalar;
use crate::cidr::Cidr;
use crate::diagnostic::{Code, Diagnostic, Spanned};
use crate::text::Fields;
use std::sync::Arc;

/// The directory of Let's Encrypt, which is asked where nothing is written.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What fleet.yaml says about the edge of a target.
#[derive(Clone, Debug, Default)]
pub struct EdgeSettings {
    /// The port on which it answers HTTP, if written.
    pub http: Option<Spanned<u16>>,
    /// The port on which it answers HTTPS, if written.
    pub https: Option<Spanned<u16>>,
    /// Who certifies public names.
    pub acme: AcmeSetting,
    /// Proxies in front of it whose `X-Forwarded-*` are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Connections that one client may have at once; `None`: the edge's own number. Proxies that are believed are not counted.
    pub client_connections: Option<u32>,
    /// Most bytes of the access log, all of its files together; `None`: there is none.
    pub access_log: Option<u64>,
}

/// Who certifies public names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcmeSetting {
    /// `acme: off`: nobody is asked.
    Off,
    /// An authority that speaks ACME.
    At {
        /// Its directory.
        directory: Arc<str>,
        /// Whom it may write to.
        email: Option<Arc<str>>,
        /// A file of the repository with the certificates that its own server is judged by.
        ca: Option<Spanned<Arc<str>>>,
    },
}

impl Default for AcmeSetting {
    fn default() -> Self {
        AcmeSetting::At { directory: LETS_ENCRYPT.into(), email: None, ca: None }
    }
}

pub(super) fn read(fields: &mut Fields<'_, '_>) -> EdgeSettings {
    let mut settings = EdgeSettings::default();
    let Some(node) = fields.optional("edge") else { return settings };
    let path = fields.path_of("edge");
    let mut edge = Fields::new(node, path, fields.findings());
    settings.http = scalar::parsed(&mut edge, "http", "a port from 1 to 65535", scalar::port);
    settings.https = scalar::parsed(&mut edge, "https", "a port from 1 to 65535", scalar::port);
    if let (Some(http), Some(https)) = (&settings.http, &settings.https)
        && http.value == https.value
    {
        let message = format!("the edge cannot answer HTTP and HTTPS on one port, {}", http.value);
        edge.findings().push(Diagnostic::error(Code::E0115, message).at(&https.span));
    }
    settings.acme = acme(&mut edge);
    for written in edge.optional_strs("trusted_proxies").unwrap_or_default() {
        match written.value.parse() {
            Ok(network) => settings.trusted_proxies.push(network),
            Err(error) => {
                let path = edge.path_of("trusted_proxies");
                let message = format!("`{path}` holds networks such as 10.0.0.0/8: {error}");
                edge.findings().push(Diagnostic::error(Code::E0115, message).at(&written.span).path(path));
            }
        }
    }
    settings.client_connections =
        scalar::parsed(&mut edge, "client_connections", "a number from 1 to 1000000", |text| {
            text.parse().ok().filter(|number| (1..=1_000_000).contains(number))
        })
        .map(|found| found.value);
    settings.access_log = scalar::parsed(&mut edge, "access_log", "`off`, or its largest size such as 256M", |text| {
        if text == "off" { Some(None) } else { scalar::bytes(text).filter(|bytes| *bytes >= 1 << 20).map(Some) }
    })
    .and_then(|found| found.value);
    edge.finish();
    settings
}

fn acme(edge: &mut Fields<'_, '_>) -> AcmeSetting {
    let Some(node) = edge.optional("acme") else { return AcmeSetting::default() };
    let path = edge.path_of("acme");
    if node.as_mapping().is_none() {
        if node.as_str() != Some("off") {
            let shown = scalar::shown(node.as_str().unwrap_or(node.kind()));
            let message = format!(
                "`{path}` must be `off`, or a mapping such as {{ email: ops@example.org }}, here is \"{shown}\""
            );
            edge.findings().push(Diagnostic::error(Code::E0115, message).at(&node.span).path(path));
        }
        return AcmeSetting::Off;
    }
    let mut inner = Fields::new(node, path, edge.findings());
    let directory =
        scalar::parsed(&mut inner, "directory", "an address such as https://acme.example.org/directory", |text| {
            let rest = text.strip_prefix("https://")?;
            let fits = rest.len() <= 1_000 && !rest.starts_with('/') && rest.bytes().all(|b| b.is_ascii_graphic());
            fits.then(|| Arc::<str>::from(text))
        });
    let email = scalar::parsed(&mut inner, "email", "an address such as ops@example.org", |text| {
        let (local, domain) = text.rsplit_once('@')?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control();
        (!local.is_empty() && domain.contains('.') && text.chars().all(plain)).then(|| Arc::<str>::from(text))
    });
    let ca = inner.optional_str("ca");
    if let Some(ca) = &ca
        && super::join("", &ca.value).is_none()
    {
        let finding = super::outside("acme.ca", ca);
        inner.findings().push(finding);
    }
    inner.finish();
    AcmeSetting::At {
        directory: directory.map_or_else(|| LETS_ENCRYPT.into(), |directory| directory.value),
        email: email.map(|email| email.value),
        ca,
    }
}
