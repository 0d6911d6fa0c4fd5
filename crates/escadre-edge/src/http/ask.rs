//! What a request is for.
//!
//! In → Out: a request's head → the host it is for, or nothing where it names none, or two.
//!
//! **Invariant**: one request is for one host, however it is said: `Host` (HTTP/1.1) or `:authority` (HTTP/2).
//!
//! Not here: whether that host is served (`table`).
//!
//! Tests: `tests/it/hostile.rs`, `tests/it/two.rs`.

use http::header::{self, HeaderValue};
use http::{Method, Request, Version};
use hyper::body::Incoming;

use crate::headers;

/// What a request is for.
pub(crate) struct Asked {
    /// Normalised.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// As the client wrote it, with the port.
    pub(crate) written: HeaderValue,
}

impl Asked {
    /// `None` if it is not a request to a server: no or several hosts, absolute form, CONNECT.
    pub(crate) fn of(request: &Request<Incoming>) -> Option<Asked> {
        let uri = request.uri();
        if request.method() == Method::CONNECT {
            return None;
        }
        if request.version() == Version::HTTP_2 {
            // Both may be said, if they say the same (RFC 9113, 8.3.1).
            let authority = uri.authority().map(|a| HeaderValue::from_str(a.as_str())).transpose().ok()?;
            let host = request.headers().contains_key(header::HOST).then(|| one_host(request)).flatten();
            if request.headers().contains_key(header::HOST) && host.is_none() {
                return None;
            }
            let said = |value: &HeaderValue| headers::host_and_port(value.to_str().ok()?);
            return match (authority, host) {
                (Some(authority), host) => {
                    let (name, port) = said(&authority)?;
                    let same = host.as_ref().is_none_or(|host| said(host) == Some((name.clone(), port)));
                    same.then_some(Asked { host: name, port, written: authority })
                }
                (None, Some(host)) => {
                    let (name, port) = said(&host)?;
                    Some(Asked { host: name, port, written: host })
                }
                (None, None) => None,
            };
        }
        if uri.authority().is_some() || uri.scheme().is_some() {
            return None;
        }
        let written = one_host(request)?;
        let (host, port) = headers::host_and_port(written.to_str().ok()?)?;
        Some(Asked { host, port, written })
    }
}

fn one_host(request: &Request<Incoming>) -> Option<HeaderValue> {
    let mut all = request.headers().get_all(header::HOST).into_iter();
    let one = all.next()?;
    all.next().is_none().then(|| one.clone())
}
