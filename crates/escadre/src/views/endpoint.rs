//! Why an endpoint is as it is: where its names lead, and their certificates. The first sentence is the answer.
//!
//! In: [`Looked`] with what the edge told; one endpoint. Out: [`Endpoint`]; what of its certificates needs a person.
//! **Invariant**: what the edge did not tell is unknown, never well; a reason is only given where it was looked at.
//! Not here: services (`why_service`), asking the edge. Tests: `endpoint/tests.rs`.

use super::look::Looked;
use crate::terminal::style::{Look, count, hang};
use crate::terminal::time::{Now, long};
use escadre_edge::control::{CertificateFrom, CertificateStatus, Failing};
use escadre_model::desired::{Desired, HttpRoute, Route};
use escadre_model::host;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;

/// The schema of [`Endpoint`].
pub(crate) const SCHEMA: &str = "escadre.why-endpoint/1";

/// So many tries may fail before a person is called for a certificate that still holds.
const TRIES: u32 = 3;
/// A certificate that ends within this time and is not renewed calls a person at once; one that was brought, by any means.
const SOON: i64 = 21 * 86_400;

/// Why an endpoint is as it is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Endpoint {
    /// Always `escadre.why-endpoint/1`.
    schema: &'static str,
    /// `fir/portal`.
    place: String,
    /// Where it leads: `web:80`.
    leads_to: String,
    /// Its names, those that are redirected included.
    names: Vec<Name>,
}

/// One name of an endpoint.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Name {
    /// As DNS has it.
    host: String,
    /// The answer.
    answer: String,
    /// `works`, `missing`, `off`, `unknown`.
    certificate: &'static str,
    /// Where the certificate comes from: `local`, `acme`, `brought`.
    from: Option<&'static str>,
    /// Until when it holds, RFC 3339.
    ends: Option<String>,
    /// What is known, label by label.
    facts: Vec<super::why::Fact>,
    /// What to do, label by label.
    next: Vec<Next>,
}

/// Something to do.
#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Next {
    /// Before it: `ask the owner of the name for:`.
    words: String,
    /// A command, or a line to pass on.
    line: String,
}

/// Something about a certificate that needs a person: how urgent, in a sentence, and the next command.
pub(crate) struct Calls {
    pub(crate) urgency: u8,
    pub(crate) text: String,
    pub(crate) next: String,
}

/// An endpoint of an instance; nothing when there is none of that key.
pub(crate) fn build(looked: &Looked<'_>, desired: &Desired, key: &str) -> Option<Endpoint> {
    let Route::Http(route) = desired.routes.get(key)? else { return None };
    let instance = desired.instance.instance.as_str();
    let names = names(route).map(|host| {
        let told = looked.edge.and_then(|edge| edge.certificates.iter().find(|one| one.host == **host));
        name(host, route, told, looked, (instance, key))
    });
    Some(Endpoint {
        schema: SCHEMA,
        place: format!("{instance}/{key}"),
        leads_to: format!("{}:{}", route.service, route.port),
        names: names.collect(),
    })
}

/// What the edge told of one certificate, for those who asked for it by its name alone.
pub(crate) fn alone(told: &CertificateStatus, now: &Now) -> Name {
    certificate(told, now, None)
}

/// Does it work?
pub(crate) fn works(name: &Name) -> bool {
    name.certificate == "works"
}

fn names(route: &HttpRoute) -> impl Iterator<Item = &std::sync::Arc<str>> {
    route.hosts.iter().chain(&route.redirect)
}

fn name(
    host: &str,
    route: &HttpRoute,
    told: Option<&CertificateStatus>,
    looked: &Looked<'_>,
    owner: (&str, &str),
) -> Name {
    let shown = host::shown(host);
    if let Some(told) = told {
        return certificate(told, looked.now, Some(owner));
    }
    let (answer, certificate) = if route.tls.is_none() {
        (format!("{shown} is served without TLS, says its endpoint (`tls: off`)."), "off")
    } else if looked.edge.is_none() {
        (format!("What certificate {shown} has is not known: the edge does not run."), "unknown")
    } else {
        (format!("The edge does not carry {shown} over TLS yet."), "missing")
    };
    let next = match certificate {
        "off" => Vec::new(),
        _ => vec![Next { words: "bring it up:".into(), line: format!("escadre up {}", owner.0) }],
    };
    Name { host: host.to_owned(), answer, certificate, from: None, ends: None, facts: Vec::new(), next }
}

fn certificate(told: &CertificateStatus, now: &Now, owner: Option<(&str, &str)>) -> Name {
    let shown = host::shown(&told.host);
    let ends = told.ends_s.and_then(moment);
    let until = ends.map(|ends| {
        let left = ends.as_second() - now.at.as_second();
        let left = Duration::from_secs(left.max(0).unsigned_abs());
        format!("until {} ({})", now.minute(ends), long(left))
    });
    let by = told.issuer.as_ref().map(|issuer| format!(", by {issuer}")).unwrap_or_default();
    let (mut facts, mut next) = (Vec::new(), Vec::new());
    let mut fact = |label, text: String| facts.push(super::why::Fact { label, text });
    let renewed = told.next_s.and_then(moment).map(|at| now.minute(at));
    let answer = match (told.works, &told.problem, told.from) {
        (true, None, CertificateFrom::Local) => {
            format!(
                "{shown} has a certificate of this machine's own authority, which makes a new one when it is needed."
            )
        }
        (true, None, CertificateFrom::Brought) => {
            let until = until.unwrap_or_default();
            format!("{shown} has a certificate {until}{by}. It was brought; whoever brought it brings the next one.")
        }
        (true, None, _) => {
            let renewed = renewed.map(|at| format!(" It is renewed by itself on {at}.")).unwrap_or_default();
            format!("{shown} has a certificate {}{by}.{renewed}", until.unwrap_or_default())
        }
        (true, Some(_), _) => format!(
            "{shown} has a certificate {}. It does not renew, because {}.",
            until.unwrap_or_default(),
            because(told)
        ),
        (false, _, CertificateFrom::Brought | CertificateFrom::Local) => {
            format!(
                "{shown} has no certificate that works: {}.",
                told.problem.as_deref().unwrap_or("it is not known why")
            )
        }
        (false, _, _) if told.failed.is_none() => format!("{shown} has no certificate yet: it is being asked for."),
        (false, _, _) => format!("{shown} has no certificate, because {}.", because(told)),
    };
    if let Some(failed) = &told.failed {
        failing(told, failed, now, &mut fact);
        advise(told, failed, owner, &mut next);
    }
    if told.problem.is_some() && told.from == CertificateFrom::Brought {
        let (instance, key) = owner.unwrap_or(("INSTANCE", "ENDPOINT"));
        next.push(Next {
            words: "bring the next one:".into(),
            line: format!("cat CERTIFICATE CHAIN KEY | escadre secret set {instance} {key}.tls"),
        });
    }
    if !told.works {
        fact("until then", "it is served over http:// only".to_owned());
    } else if told.failed.is_some() {
        fact("until then", "it goes on with the certificate it has".to_owned());
    }
    Name {
        host: told.host.clone(),
        answer,
        certificate: if told.works { "works" } else { "missing" },
        from: match told.from {
            CertificateFrom::Local => Some("local"),
            CertificateFrom::Acme => Some("acme"),
            CertificateFrom::Brought => Some("brought"),
            CertificateFrom::Other => None,
        },
        ends: ends.map(|ends| ends.to_string()),
        facts,
        next,
    }
}

/// The reason in a few words: what was looked at here beats what the authority says.
fn because(told: &CertificateStatus) -> String {
    let said = told.problem.clone().unwrap_or_default();
    match &told.failed {
        Some(failed) if said.starts_with("the authority refuses it") => match leads(failed) {
            Leads::Nowhere => "the name leads to no address that this machine can find".to_owned(),
            Leads::Elsewhere => "the name does not lead to this host".to_owned(),
            Leads::Here | Leads::Unknown => "the authority refuses it".to_owned(),
        },
        _ => said.split_once(": ").map_or(said.clone(), |(first, _)| first.to_owned()),
    }
}

enum Leads {
    Here,
    Elsewhere,
    Nowhere,
    /// This machine has private addresses only: how it is reached from outside cannot be seen from here.
    Unknown,
}

fn leads(failed: &Failing) -> Leads {
    if failed.points_to.is_empty() {
        Leads::Nowhere
    } else if failed.points_to.iter().any(|at| failed.here.contains(at)) {
        Leads::Here
    } else if failed.here.iter().any(is_public) {
        Leads::Elsewhere
    } else {
        Leads::Unknown
    }
}

fn is_public(at: &IpAddr) -> bool {
    match at {
        IpAddr::V4(at) => !(at.is_private() || at.is_loopback() || at.is_link_local() || at.octets()[0] == 100),
        IpAddr::V6(at) => {
            !(at.is_loopback() || (at.segments()[0] & 0xfe00) == 0xfc00 || (at.segments()[0] & 0xffc0) == 0xfe80)
        }
    }
}

fn addresses(all: &[IpAddr]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn failing(told: &CertificateStatus, failed: &Failing, now: &Now, fact: &mut impl FnMut(&'static str, String)) {
    let last = moment(failed.last_s).map(|at| now.minute(at)).unwrap_or_default();
    let to = if failed.points_to.is_empty() { "nothing".to_owned() } else { addresses(&failed.points_to) };
    fact("points to", format!("{to}, said by this machine's resolver at {last}"));
    match leads(failed) {
        Leads::Here => {}
        Leads::Unknown => fact(
            "should be",
            format!(
                "the address at which this machine is reached from outside; its own is {}",
                addresses(&failed.here)
            ),
        ),
        _ if failed.here.is_empty() => {}
        _ => fact("should be", format!("{}, this machine's own", addresses(&failed.here))),
    }
    let since = moment(failed.since_s).map(|at| now.minute(at)).unwrap_or_default();
    let tries = match failed.times {
        0 | 1 => "the only try".to_owned(),
        times => format!(
            "the first of {}",
            count(usize::try_from(times).unwrap_or(usize::MAX), "try").replace("trys", "tries")
        ),
    };
    let next = told.next_s.and_then(moment).map(|at| format!("; the next at {}", now.minute(at))).unwrap_or_default();
    fact("since", format!("{since}, {tries}{next}"));
    let said = told.problem.as_deref().unwrap_or_default();
    fact("authority", said.split_once(": ").map_or(said, |(_, words)| words).to_owned());
}

fn advise(told: &CertificateStatus, failed: &Failing, owner: Option<(&str, &str)>, next: &mut Vec<Next>) {
    let refused = told.problem.as_deref().is_some_and(|said| said.starts_with("the authority refuses it"));
    if refused && matches!(leads(failed), Leads::Nowhere | Leads::Elsewhere) {
        for at in failed.here.iter().filter(|at| is_public(at)) {
            let kind = if at.is_ipv4() { "A" } else { "AAAA" };
            next.push(Next {
                words: "ask the owner of the name for:".into(),
                line: format!("{}  {kind}  {at}", told.host),
            });
        }
    }
    let limited = told.problem.as_deref().is_some_and(|said| said.contains("was asked too often"));
    if !limited {
        let words = if next.is_empty() { "when it is mended:" } else { "then:" };
        next.push(Next { words: words.into(), line: format!("escadre proxy renew {}", told.host) });
    }
    if let Some((instance, key)) = owner {
        next.push(Next {
            words: "or bring one of your own:".into(),
            line: format!("escadre secret set {instance} {key}.tls"),
        });
    }
}

/// What of an instance's certificates needs a person.
pub(crate) fn calls(looked: &Looked<'_>, desired: &Desired) -> Vec<Calls> {
    let Some(edge) = looked.edge else { return Vec::new() };
    let name = desired.instance.instance.as_str();
    let mut all = Vec::new();
    for (key, route) in &desired.routes {
        let Route::Http(route) = route else { continue };
        for host in names(route) {
            let Some(told) = edge.certificates.iter().find(|one| one.host == **host) else { continue };
            let next = format!("escadre why {name}/{key}");
            let shown = host::shown(host);
            let left = told.ends_s.map(|ends| i64::try_from(ends).unwrap_or(i64::MAX) - looked.now.at.as_second());
            let ends = left.map(|left| long(Duration::from_secs(left.max(0).unsigned_abs()))).unwrap_or_default();
            let soon = left.is_some_and(|left| left < SOON);
            let failed = told.failed.as_ref().map_or(0, |failed| failed.times);
            let text = match (told.works, told.from) {
                (false, CertificateFrom::Acme) if told.failed.is_none() => continue,
                (false, _) => format!("{shown} has no certificate that works"),
                (true, CertificateFrom::Brought) if soon => {
                    format!("certificate of {shown}, which was brought, ends in {ends}")
                }
                (true, CertificateFrom::Acme) if failed >= TRIES || (failed > 0 && soon) => {
                    format!("certificate of {shown} ends in {ends} and does not renew")
                }
                (true, _) => continue,
            };
            all.push(Calls { urgency: if told.works { 3 } else { 2 }, text, next });
        }
    }
    all
}

fn moment(seconds: u64) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
}

/// The view as text.
pub(crate) fn paint(endpoint: &Endpoint, look: Look) -> String {
    let mut out = String::new();
    for (n, name) in endpoint.names.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        out.push_str(&paint_name(name, look));
    }
    out.push_str(&format!("\n  {:<12} {}\n", "leads to", endpoint.leads_to));
    out
}

/// One name as text.
pub(crate) fn paint_name(name: &Name, look: Look) -> String {
    let mut out = hang("", &name.answer, look.width);
    if !name.facts.is_empty() {
        out.push('\n');
    }
    for fact in &name.facts {
        out.push_str(&hang(&format!("  {:<12} ", fact.label), &fact.text, look.width));
    }
    if name.next.is_empty() {
        return out;
    }
    out.push('\n');
    let wide = name.next.iter().map(|next| next.words.len()).max().unwrap_or(0);
    for (n, next) in name.next.iter().enumerate() {
        let label = if n == 0 { "next" } else { "" };
        out.push_str(&format!("  {label:<12} {:<wide$}  {}\n", next.words, next.line));
    }
    out
}

#[cfg(test)]
mod tests;
