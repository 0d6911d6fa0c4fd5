//! Which form of a page is given, and what it says to programs.

use super::*;

fn asked(accept: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !accept.is_empty() {
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("a value"));
    }
    headers
}

#[test]
fn browsers_read_html_and_programs_a_line() {
    for (accept, html) in [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
        ("TEXT/HTML", true),
        ("text/html;q=0", false),
        ("text/plain, text/html;q=0.5", false),
        ("text/plain;q=0.5, text/html", true),
        ("*/*", false),
        ("application/json", false),
        ("text/htmlx", false),
        ("text/html;q=nonsense", false),
        ("", false),
    ] {
        let response = Page::Stopped.respond(&asked(accept), None);
        let kind = response.headers().get(header::CONTENT_TYPE).expect("a kind").to_str().expect("text");
        assert_eq!(kind.starts_with("text/html"), html, "{accept}");
        assert_eq!(response.headers().get(header::VARY).expect("said"), "accept");
    }
}

#[test]
fn what_comes_back_says_when() {
    let headers = |page: Page| page.respond(&asked(""), None).headers().clone();
    assert_eq!(headers(Page::Stopped).get(header::RETRY_AFTER).expect("said"), "60");
    assert_eq!(headers(Page::Starting { retry_seconds: 0 }).get(header::RETRY_AFTER).expect("said"), "1");
    assert!(headers(Page::Unreachable).get(header::RETRY_AFTER).is_none());
    assert_eq!(Page::Misdirected.respond(&asked(""), None).status(), StatusCode::MISDIRECTED_REQUEST);
}

#[test]
fn a_page_is_a_whole_document_that_a_screen_reader_can_use() {
    let response = Page::Starting { retry_seconds: 3 }.respond(&asked("text/html"), Some("<acme>"));
    let text = String::from_utf8(response.into_body().to_vec()).expect("text");
    for part in [
        "<!doctype html>",
        "<html lang=\"en\">",
        "<title>&lt;acme&gt; is starting</title>",
        "<main><h1>&lt;acme&gt; is starting</h1>",
        "href=\"\"",
        // Of the body alone it would leave the canvas white, and pale links on it.
        ":root{color-scheme:light dark}",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
