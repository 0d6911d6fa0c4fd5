//! What a routes file may and may not say.

use super::*;

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn web(id: &str, host: &str) -> Route {
    Route::new(id, vec![host.to_owned()])
}

#[test]
fn written_and_read_again_is_the_same() {
    let mut routes = Routes::empty(7);
    routes.http_listen = everywhere(80);
    let mut route = web("f/acme/portal", "acme.localhost");
    route.backends.push(Backend::new("c1", address("10.1.0.2:80")));
    routes.routes.push(route);
    routes.tcp.push(TcpRoute::new("f/acme/db", address("0.0.0.0:5432")));
    assert_eq!(Routes::parse(&routes.to_bytes().expect("bytes")), Ok(routes));
}

#[test]
fn unknown_fields_and_missing_ones_are_tolerated() {
    // The schema before this one is read too.
    let text = br#"{"schema":"escadre.routes/1","generation":3,"colour":"blue",
        "routes":[{"id":"a","hosts":["a.test"],"weight":3,"backends":[{"id":"x","address":"10.0.0.1:1"}]}]}"#;
    let routes = Routes::parse(text).expect("readable");
    assert_eq!(routes.routes[0].park_ms, DEFAULT_PARK_MS);
    assert_eq!(routes.routes[0].backends[0].state, BackendState::Active);
}

#[test]
fn another_schema_is_refused() {
    let newer = Routes::parse(br#"{"schema":"escadre.routes/3","generation":"not even a number"}"#);
    assert_eq!(newer, Err(RoutesError::NewerSchema("escadre.routes/3".into())));
    let other = Routes::parse(br#"{"schema":"escadre.plan/1"}"#);
    assert_eq!(other, Err(RoutesError::WrongSchema("escadre.plan/1".into())));
    for text in ["", "[]", "{", "{\"schema\":1}", "null", "{\"schema\":\"escadre.routes/1\"}"] {
        assert!(matches!(Routes::parse(text.as_bytes()), Err(RoutesError::Unreadable(_))), "{text}");
    }
}

#[test]
fn two_claims_to_one_host_and_path_name_both() {
    let mut routes = Routes::empty(1);
    routes.routes.push(web("f/a/portal", "Shop.Test."));
    routes.routes.push(web("f/b/portal", "shop.test"));
    let text = Routes::parse(&routes.to_bytes().expect("bytes")).expect_err("refused").to_string();
    assert!(text.contains("f/a/portal and f/b/portal both claim shop.test"), "{text}");
    routes.routes[1].path = Some("/api/".into());
    assert!(routes.conflicts().is_empty());
    routes.routes[0].path = Some("/api".into());
    assert_eq!(routes.conflicts().len(), 1);
}

#[test]
fn two_claims_to_one_address_name_both() {
    let mut routes = Routes::empty(1);
    routes.http_listen = everywhere(80);
    routes.tcp.push(TcpRoute::new("f/a/tcp", address("127.0.0.1:80")));
    routes.tcp.push(TcpRoute::new("f/b/tcp", address("[::1]:81")));
    routes.tcp.push(TcpRoute::new("f/c/tcp", address("127.0.0.1:81")));
    let conflict =
        Conflict::Listen { first: "http_listen".into(), second: "f/a/tcp".into(), address: address("127.0.0.1:80") };
    assert_eq!(routes.conflicts(), vec![conflict]);
}

#[test]
fn ids_and_backends_are_unique() {
    let mut routes = Routes::empty(1);
    routes.routes.push(web("f/a/portal", "a.test"));
    routes.routes.push(web("f/a/portal", "b.test"));
    routes.routes[0].backends.push(Backend::new("c", address("10.0.0.1:80")));
    routes.routes[1].backends.push(Backend::new("c", address("10.0.0.2:80")));
    assert_eq!(routes.conflicts().len(), 2);
    routes.routes[1].backends[0].address = address("10.0.0.1:81");
    assert_eq!(routes.conflicts(), vec![Conflict::RouteId("f/a/portal".into())]);
}

#[test]
fn hosts_and_paths_are_judged() {
    for (written, normal) in [
        ("Acme.Localhost", Some("acme.localhost")),
        ("acme.localhost.", Some("acme.localhost")),
        ("[::1]", Some("[::1]")),
        ("127.0.0.1", Some("127.0.0.1")),
        ("my_app.test", Some("my_app.test")),
        ("", None),
        (".", None),
        ("a..b", None),
        ("a b", None),
        ("user@host", None),
        ("*.customer.test", None),
        ("-a.test", None),
        ("a/b", None),
        ("[::1", None),
        ("é.test", None),
    ] {
        assert_eq!(normal_host(written).as_deref(), normal, "{written}");
    }
    assert_eq!(normal_path(None).as_deref(), Some(""));
    assert_eq!(normal_path(Some("/")).as_deref(), Some(""));
    assert_eq!(normal_path(Some("/api/")).as_deref(), Some("/api"));
    for bad in ["", "api", "/a?b", "/a#b", "/a b", "/\u{e9}"] {
        assert_eq!(normal_path(Some(bad)), None, "{bad}");
    }
}

#[test]
fn where_certificates_come_from_is_written_in_words() {
    let mut routes = Routes::empty(1);
    let mut route = web("f/a/portal", "a.test");
    route.tls = Some(Tls::File { id: "0123abcd".into() });
    route.plain = Some(Plain::Serve);
    routes.routes.push(route);
    let bytes = routes.to_bytes().expect("bytes");
    let text = String::from_utf8_lossy(&bytes);
    let tls: String = text.split_whitespace().collect();
    assert!(tls.contains(r#""tls":{"from":"file","id":"0123abcd"},"plain":"serve""#), "{text}");
    assert_eq!(Routes::parse(&bytes), Ok(routes.clone()));
    for bad in ["../../../etc/shadow", "a/b-c-d-e", "short", "0123abcd.pem", ""] {
        routes.routes[0].tls = Some(Tls::File { id: bad.into() });
        assert!(matches!(&routes.conflicts()[..], [Conflict::BadCertificate { .. }]), "{bad}");
    }
}
