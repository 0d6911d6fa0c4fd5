//! Whom to believe.

use http::header::HeaderName;

use super::*;

fn map(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
    }
    headers
}

fn client(peer: &str, lines: &[(&'static str, &str)]) -> Client {
    let trusted: Vec<Cidr> = ["10.0.0.0/8", "2001:db8:1::/48"].map(|n| n.parse().expect("a network")).into();
    Client::of(&map(lines), SocketAddr::new(peer.parse().expect("an address"), 5000), 80, false, &trusted)
}

fn chain(peer: &str, written: &[&str]) -> String {
    let lines: Vec<_> = written.iter().map(|line| ("x-forwarded-for", *line)).collect();
    client(peer, &lines).chain().map(|ip| ip.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn only_what_trusted_hops_wrote_is_believed() {
    for (peer, written, believed) in [
        // Not a proxy of ours: it speaks of itself.
        ("9.9.9.9", &["1.1.1.1"][..], "9.9.9.9"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("10.0.0.1", &["1.1.1.1"], "1.1.1.1 10.0.0.1"),
        // The client wrote the left one, the proxy the right one.
        ("10.0.0.1", &["6.6.6.6, 1.1.1.1"], "1.1.1.1 10.0.0.1"),
        ("10.0.0.1", &["6.6.6.6", "1.1.1.1"], "1.1.1.1 10.0.0.1"),
        // Two proxies of ours.
        ("10.0.0.1", &["6.6.6.6, 1.1.1.1 , 10.0.0.2"], "1.1.1.1 10.0.0.2 10.0.0.1"),
        ("::ffff:10.0.0.1", &["1.1.1.1"], "1.1.1.1 10.0.0.1"),
        ("2001:db8:1::1", &["2001:db8:2::2"], "2001:db8:2::2 2001:db8:1::1"),
        ("10.0.0.1", &["[2001:db8:2::2]:443"], "2001:db8:2::2 10.0.0.1"),
        ("10.0.0.1", &["1.1.1.1:1234"], "1.1.1.1 10.0.0.1"),
        // Nonsense ends it.
        ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", &["1.1.1.1, \u{fc}, 10.0.0.3"], "10.0.0.3 10.0.0.1"),
        ("10.0.0.1", &[""], "10.0.0.1"),
        ("10.0.0.1", &[",,,"], "10.0.0.1"),
    ] {
        assert_eq!(chain(peer, written), believed, "{peer} {written:?}");
    }
    let endless = vec!["10.0.0.9"; 10_000].join(",");
    assert_eq!(chain("10.0.0.1", &[&endless]).split(' ').count(), MOST_HOPS + 1);
}

#[test]
fn the_proxy_says_how_the_client_came() {
    let how = |peer, lines: &[(&'static str, &str)]| {
        let client = client(peer, lines);
        (client.tls, client.port, client.host.map(|h| h.to_str().expect("text").to_owned()))
    };
    assert_eq!(how("10.0.0.1", &[("x-forwarded-proto", "https")]), (true, 443, None));
    assert_eq!(how("10.0.0.1", &[("x-forwarded-proto", "HTTPS"), ("x-forwarded-port", "8443")]), (true, 8443, None));
    assert_eq!(how("9.9.9.9", &[("x-forwarded-proto", "https"), ("x-forwarded-port", "1")]), (false, 80, None));
    assert_eq!(how("10.0.0.1", &[("x-forwarded-proto", "https, http")]), (false, 80, None));
    assert_eq!(how("10.0.0.1", &[("x-forwarded-proto", "https"), ("x-forwarded-proto", "http")]), (false, 80, None));
    assert_eq!(how("10.0.0.1", &[("x-forwarded-host", "A.test:1")]), (false, 80, Some("A.test:1".into())));
    for bad in ["a.test\"; x", "a test", "a.test, b.test", ""] {
        assert_eq!(how("10.0.0.1", &[("x-forwarded-host", bad)]), (false, 80, None), "{bad}");
    }
    assert_eq!(how("9.9.9.9", &[("x-forwarded-host", "a.test")]), (false, 80, None));
}
