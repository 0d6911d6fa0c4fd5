//! Certificates that instances bring: judged before anything is planned.
//!
//! In: resolved instances, the values of their secrets. Out: findings; who has errors is not planned.
//! **Invariant:** a value that cannot be read here is no error: it is judged again where it is used.
//! Not here: what a certificate is (`escadre_edge::certificate`), how it reaches the edge (`escadre_drivers::edge`).
//! Tests: `tests/it/https.rs`.

use crate::terminal::time::day;
use escadre_drivers::edge::brought;
use escadre_engine::ports::Secrets;
use escadre_model::desired::{CertificateSource, HttpRoute};
use escadre_model::diagnostic::{Code, Diagnostic, Span};
use escadre_model::resolved::Resolved;
use escadre_model::secret::SecretRef;
use escadre_model::source::Source;

/// What is wrong with the certificates an instance brings.
pub(super) fn judge(one: &Resolved, secrets: &dyn Secrets) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for (key, route) in &one.endpoints {
        let Some(https) = &route.tls else { continue };
        let CertificateSource::Secret { chain, .. } = &https.from else { continue };
        let name = &one.instance.instance;
        let names = route.hosts.iter().chain(&route.redirect).map(AsRef::as_ref);
        let reveal = |secret: &SecretRef| secrets.reveal(&one.instance, secret, None);
        let again = format!("cat CERTIFICATE CHAIN KEY | escadre secret set {name} {chain}");
        match brought::judge(https, names, &reveal) {
            Ok(Some(brought)) => {
                let Some(ends) = brought.ends_soon else { continue };
                let message = format!("the certificate that {name} brings for {key} ends on {}", day(ends));
                findings.push(at(Diagnostic::warning(Code::W0505, message), one, chain, route).hint(again));
            }
            Ok(None) => {}
            Err(error) => {
                let message = format!("{name}: {error}");
                findings.push(at(Diagnostic::error(Code::E0608, message), one, chain, route).hint(again));
            }
        }
    }
    findings
}

/// Where the secret stands, and the endpoint that wants it.
fn at(finding: Diagnostic, one: &Resolved, secret: &SecretRef, route: &HttpRoute) -> Diagnostic {
    let span = |source: &Source| Span { line: source.line, ..Span::whole(&source.file) };
    let stored = one.secrets.get(&secret.0).and_then(|seen| seen.source.as_ref());
    let finding = match stored {
        Some(source) => finding.at(&span(source)),
        None => finding,
    };
    match &route.source {
        Some(source) => finding.label(&span(source), "for this endpoint"),
        None => finding,
    }
}
