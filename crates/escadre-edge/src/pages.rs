//! What the edge itself answers: small pages for people, one line for programs.
//!
//! In → Out: what happened + whether a browser asks → a response.
//!
//! **Invariant**: no page says what else is served here, nor anything the client sent (nothing to inject into). Nothing
//! is cached.
//!
//! Not here: whether it counts as a failure (`http`).
//!
//! Tests: `tests/it/`.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};

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
        }
    }

    /// Whether the connection is closed afterwards: what follows on it cannot be trusted or would have to be read.
    fn closes(self) -> bool {
        matches!(self, Page::TooLarge | Page::Unfinished | Page::BadRequest)
    }

    /// The response; `asked` are the request's headers.
    pub(crate) fn respond(self, asked: &HeaderMap) -> Response<Bytes> {
        let (status, title, sentence, error) = self.words();
        let html = asked.get(header::ACCEPT).and_then(|a| a.to_str().ok()).is_some_and(|a| a.contains("text/html"));
        let (kind, body) = if html {
            ("text/html; charset=utf-8", document(title, sentence, self))
        } else {
            ("text/plain; charset=utf-8", format!("{sentence}\n"))
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // RFC 9209: programs can tell our answer from the backend's.
        if let Ok(value) = HeaderValue::from_str(&format!("escadre; error={error}")) {
            headers.insert(HeaderName::from_static("proxy-status"), value);
        }
        if let Page::Starting { retry_seconds } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_seconds.max(1)));
        }
        if self.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn document(title: &str, sentence: &str, page: Page) -> String {
    let again = match page {
        Page::Starting { retry_seconds } => {
            format!("<meta http-equiv=\"refresh\" content=\"{}\">", retry_seconds.clamp(1, 5))
        }
        _ => String::new(),
    };
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">{again}<title>{title}</title>\
         <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem;\
         color-scheme:light dark}}h1{{font-size:1.6rem;font-weight:600}}</style></head>\
         <body><h1>{title}</h1><p>{sentence}</p></body></html>\n"
    )
}
