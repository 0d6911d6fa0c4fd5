//! What the edge itself answers: small pages for people, one line for programs.
//!
//! In → Out: what happened + whether a browser asks → a response.
//!
//! **Invariant**: no page says what else is served here, nor anything the client sent (nothing to inject into): of one
//! that is stopped or starting it says the instance's name. Nothing is cached.
//!
//! Not here: whether it counts as a failure (`http`).
//!
//! Tests: `pages/tests.rs`, `tests/it/`.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

#[cfg(test)]
mod tests;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// No route has this host and path.
    Unknown,
    /// The route has no backend and nobody said it would come back.
    Stopped,
    /// Parked, and it took too long; or the waiting room is full.
    Starting {
        /// When to try again.
        retry_seconds: u64,
    },
    /// No backend took the connection, or it broke it before it answered.
    Unreachable,
    /// The backend did not answer in time.
    Slow,
    /// The request's body is larger than the route allows.
    TooLarge,
    /// The client stopped sending its body.
    Unfinished,
    /// The request contradicts HTTP.
    BadRequest,
    /// HTTP on an address of TLS, for a host that has no certificate.
    NoTls,
    /// The host is served here, but not on this connection.
    Misdirected,
}

impl Page {
    fn words(self) -> (StatusCode, &'static str, &'static str, &'static str) {
        match self {
            Page::Unknown => {
                (StatusCode::NOT_FOUND, "Nothing here", "This address is not in use.", "destination_not_found")
            }
            Page::Stopped => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Stopped",
                "This site is stopped at the moment.",
                "destination_unavailable",
            ),
            Page::Starting { .. } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Starting",
                "This site is being started. Please try again in a moment.",
                "destination_unavailable",
            ),
            Page::Unreachable => {
                (StatusCode::BAD_GATEWAY, "No answer", "This site did not take the request.", "connection_terminated")
            }
            Page::Slow => (
                StatusCode::GATEWAY_TIMEOUT,
                "No answer in time",
                "This site did not answer in time.",
                "http_response_timeout",
            ),
            Page::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "Too large",
                "What was sent is larger than this site accepts.",
                "http_request_denied",
            ),
            Page::Unfinished => (
                StatusCode::REQUEST_TIMEOUT,
                "Not complete",
                "The request did not arrive completely.",
                "http_request_error",
            ),
            Page::BadRequest => {
                (StatusCode::BAD_REQUEST, "Not understood", "The request is not valid HTTP.", "http_request_error")
            }
            Page::NoTls => (
                StatusCode::BAD_REQUEST,
                "Not understood",
                "HTTP was spoken where HTTPS is expected.",
                "http_request_error",
            ),
            Page::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "Another address",
                "This connection is not for this address.",
                "http_request_denied",
            ),
        }
    }

    /// Whether the connection is closed afterwards: what follows on it cannot be trusted or would have to be read.
    fn closes(self) -> bool {
        matches!(self, Page::TooLarge | Page::Unfinished | Page::BadRequest | Page::NoTls | Page::Misdirected)
    }

    /// When it is worth trying again.
    fn retry_seconds(self) -> Option<u64> {
        match self {
            Page::Starting { retry_seconds } => Some(retry_seconds.max(1)),
            Page::Stopped => Some(60),
            _ => None,
        }
    }

    /// The title and the sentence, of somebody who has a name.
    fn of(self, name: &str) -> Option<(String, &'static str)> {
        match self {
            Page::Stopped => Some((format!("{name} is stopped"), "It does not run at the moment.")),
            Page::Starting { .. } => {
                Some((format!("{name} is starting"), "It will be here in a moment. This page reloads by itself."))
            }
            _ => None,
        }
    }

    /// The response; `asked` are the request's headers, `of` the name of whom it is about.
    pub(crate) fn respond(self, asked: &HeaderMap, of: Option<&str>) -> Response<Bytes> {
        let (status, title, sentence, error) = self.words();
        let named = of.and_then(|name| self.of(name));
        let html = wants_html(asked);
        let (kind, body) = if html {
            let (title, sentence) = named.unwrap_or((title.to_owned(), sentence));
            ("text/html; charset=utf-8", document(&escaped(&title), sentence, self))
        } else {
            let line = named.map_or_else(|| sentence.to_owned(), |(title, _)| format!("{title}."));
            ("text/plain; charset=utf-8", format!("{line}\n"))
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        // RFC 9209: programs can tell our answer from the backend's.
        if let Ok(value) = HeaderValue::from_str(&format!("escadre; error={error}")) {
            headers.insert(HeaderName::from_static("proxy-status"), value);
        }
        if let Some(seconds) = self.retry_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Whether a page is rather read as HTML than as plain text (RFC 9110, 12.5.1): a browser says so by name; a program
/// that takes anything gets a line.
fn wants_html(asked: &HeaderMap) -> bool {
    let (mut html, mut plain) = (0.0_f32, 0.0_f32);
    let all = asked.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    for range in all.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
        match kind.as_str() {
            "text/html" | "application/xhtml+xml" => html = html.max(weight),
            "text/plain" => plain = plain.max(weight),
            _ => {}
        }
    }
    html > 0.0 && html >= plain
}

/// As text of a document: a route's id may be anything.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn document(title: &str, sentence: &str, page: Page) -> String {
    let again = match page {
        Page::Starting { retry_seconds } => {
            format!("<meta http-equiv=\"refresh\" content=\"{}\">", retry_seconds.clamp(1, 5))
        }
        _ => String::new(),
    };
    let link = if page.retry_seconds().is_some() { "<p><a href=\"\">Try again</a></p>" } else { "" };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">{again}<title>{title}</title>\
         <style>:root{{color-scheme:light dark}}body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;\
         margin:20vh auto;padding:0 1rem;overflow-wrap:anywhere}}h1{{font-size:1.6rem;font-weight:600}}</style></head>\
         <body><main><h1>{title}</h1><p>{sentence}</p>{link}</main></body></html>\n"
    )
}
