//! What a client may not say, and what a backend is told instead.

use super::*;

fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"));
    }
    headers
}

fn told(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers.get_all(name).into_iter().map(|v| v.to_str().expect("text").to_owned()).collect()
}

#[test]
fn what_the_client_says_about_itself_is_replaced() {
    let mut headers = map(&[
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "7.7.7.7"),
        ("x_forwarded_for", "8.8.8.8"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/admin"),
        ("forwarded", "for=6.6.6.6"),
        ("x-real-ip", "6.6.6.6"),
        ("proxy", "http://evil"),
        ("accept", "text/html"),
    ]);
    let host = HeaderValue::from_static("Acme.Localhost:8080");
    let client = Client::of(&headers, "[2001:db8::1]:999".parse().expect("peer"), 8080, true, &[]);
    forward(&mut headers, &client, &host);
    assert_eq!(told(&headers, "x-forwarded-for"), ["2001:db8::1"]);
    assert_eq!(told(&headers, "x-forwarded-proto"), ["https"]);
    assert_eq!(told(&headers, "x-forwarded-host"), ["Acme.Localhost:8080"]);
    assert_eq!(told(&headers, "x-forwarded-port"), ["8080"]);
    assert_eq!(told(&headers, "forwarded"), ["for=\"[2001:db8::1]\";host=\"Acme.Localhost:8080\";proto=https"]);
    assert_eq!(told(&headers, "host"), ["Acme.Localhost:8080"]);
    for gone in ["x_forwarded_for", "x-forwarded-prefix", "proxy"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    assert_eq!(told(&headers, "accept"), ["text/html"]);
}

#[test]
fn what_a_trusted_proxy_says_is_passed_on() {
    let mut headers = map(&[
        ("x-forwarded-for", "6.6.6.6, 2001:db8::7, 10.0.0.2"),
        ("forwarded", "for=6.6.6.6;proto=https"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "www.acme.test"),
        ("x-forwarded-prefix", "/admin"),
    ]);
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    let client = Client::of(&headers, "10.0.0.1:999".parse().expect("peer"), 80, false, &trusted);
    forward(&mut headers, &client, &HeaderValue::from_static("acme.test"));
    assert_eq!(told(&headers, "host"), ["acme.test"]);
    assert_eq!(told(&headers, "x-forwarded-for"), ["2001:db8::7, 10.0.0.2, 10.0.0.1"]);
    assert_eq!(told(&headers, "x-real-ip"), ["2001:db8::7"]);
    assert_eq!(told(&headers, "x-forwarded-proto"), ["https"]);
    assert_eq!(told(&headers, "x-forwarded-port"), ["443"]);
    assert_eq!(told(&headers, "x-forwarded-host"), ["www.acme.test"]);
    let forwarded = "for=\"[2001:db8::7]\";host=\"www.acme.test\";proto=https, for=10.0.0.2, for=10.0.0.1";
    assert_eq!(told(&headers, "forwarded"), [forwarded]);
    assert!(!headers.contains_key("x-forwarded-prefix"));
}

#[test]
fn what_belongs_to_one_connection_stays_there() {
    let mut headers = map(&[
        ("connection", "close, X-Secret"),
        ("connection", "content-length, host"),
        ("x-secret", "1"),
        ("host", "a.test"),
        ("content-length", "3"),
        ("te", "trailers"),
        ("keep-alive", "timeout=5"),
        ("upgrade", "websocket"),
        ("proxy-connection", "keep-alive"),
    ]);
    strip_hop_by_hop(&mut headers);
    let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["content-length", "host"]);
}

#[test]
fn cookies_said_in_pieces_become_one() {
    let mut headers = map(&[("cookie", "a=1"), ("cookie", "b=2; c=3")]);
    let client = Client::of(&headers, "127.0.0.1:999".parse().expect("peer"), 80, true, &[]);
    forward(&mut headers, &client, &HeaderValue::from_static("a.test"));
    assert_eq!(told(&headers, "cookie"), ["a=1; b=2; c=3"]);
}

#[test]
fn an_upgrade_is_asked_for_by_both_headers() {
    let asked = |lines: &[(&'static str, &str)]| upgrade_of(&map(lines)).is_some();
    assert!(asked(&[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")]));
    assert!(!asked(&[("connection", "keep-alive"), ("upgrade", "websocket")]));
    assert!(!asked(&[("connection", "upgrade")]));
    assert!(!asked(&[("connection", "upgrade, http2-settings"), ("upgrade", "h2c")]));
}

#[test]
fn a_host_is_one_name() {
    for (written, host) in [
        ("Acme.Localhost:8080", Some(("acme.localhost", Some(8080)))),
        ("acme.localhost.", Some(("acme.localhost", None))),
        ("acme.localhost.:80", Some(("acme.localhost", Some(80)))),
        ("acme.localhost:", Some(("acme.localhost", None))),
        ("[::1]:80", Some(("[::1]", Some(80)))),
        ("[::1]", Some(("[::1]", None))),
        ("::1", None),
        ("a@b", None),
        ("a.test:+80", None),
        ("a.test:99999", None),
        ("a.test/x", None),
        ("a.test, b.test", None),
        ("", None),
    ] {
        let found = host_and_port(written);
        assert_eq!(found.as_ref().map(|(h, p)| (h.as_str(), *p)), host, "{written}");
    }
}
