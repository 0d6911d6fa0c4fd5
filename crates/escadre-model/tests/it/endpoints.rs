//! Endpoints as people write them: names in any script, where certificates come from, and what is refused with which words.

use crate::fleet::Memory;
use escadre_model::desired::{CertificateSource, Https};
use escadre_model::diagnostic::Code;
use escadre_model::fleet::{self, AcmeSetting};
use escadre_model::resolve::{self, Cache, Keys};
use escadre_model::routes::Plain;
use escadre_model::secret::{HashKey, Secret};

const BLOCK: &str = "  -----BEGIN AGE ENCRYPTED FILE-----\n  YWdl\n  -----END AGE ENCRYPTED FILE-----\n";

/// What an instance has, by endpoint: names and certificates; and what was found.
type Said = (Vec<(String, Vec<String>, Option<Https>)>, Vec<(Code, String)>);

/// A fleet with these endpoints and one instance, `acme`, with this domain and these secrets.
fn tree(endpoints: &str, domain: &str, secrets: &[&str]) -> Memory {
    let mut tree = Memory::default()
        .with("fleet.yaml", "fleet: f\nid: 6f1c9a2e\nenvironments: { production: {} }\ntargets: { host-1: { podman: unix:///run/podman/podman.sock } }\n")
        .with(
            "products/desk/product.yaml",
            format!("product: desk\nparameters: {{ DOMAIN: {{ type: hostname }} }}\nendpoints:\n{endpoints}"),
        )
        .with("products/desk/compose.yaml", "services: { web: { image: web }, api: { image: api } }\n")
        .with("instances/acme.yaml", format!("instance: acme\nproduct: desk\nenvironment: production\nvalues: {{ DOMAIN: {domain} }}\n"));
    if !secrets.is_empty() {
        let text: String = secrets.iter().map(|name| format!("{name}: |\n{BLOCK}")).collect();
        tree = tree.with("instances/acme.secrets.yaml", text);
    }
    tree
}

/// What `acme` has, by endpoint, and what was found.
fn resolved(tree: &Memory) -> Said {
    let (fleet, mut findings) = fleet::read(tree);
    let reveal = |_: &fleet::Stored<'_>| Ok(Some(Secret::new(b"pem".to_vec())));
    let keys = Keys { hash_key: Some(HashKey::new([7; 32])), reveal: &reveal };
    let mut routes = Vec::new();
    if let Some(fleet) = &fleet {
        let (all, more) = resolve::all(fleet, ["acme"], tree, &keys, &Cache::new());
        findings.extend(more);
        for (key, route) in all.first().map(|one| one.endpoints.clone()).unwrap_or_default() {
            routes.push((key.to_string(), route.hosts.iter().map(ToString::to_string).collect(), route.tls));
        }
    }
    (routes, findings.into_iter().map(|finding| (finding.code, finding.to_string())).collect())
}

fn of(endpoints: &str, domain: &str) -> Said {
    resolved(&tree(endpoints, domain, &[]))
}

fn plain(from: CertificateSource) -> Option<Https> {
    Some(Https { from, plain: None, hsts_s: None })
}

#[test]
fn where_certificates_come_from() {
    let portal = |tls: &str| format!("  portal: {{ service: web, port: 80, hosts: [\"${{DOMAIN}}\"]{tls} }}\n");
    for (tls, domain, expected) in [
        ("", "help.acme.fr", plain(CertificateSource::Usual)),
        ("", "acme.localhost", plain(CertificateSource::Usual)),
        ("", "10.1.2.3", None),
        ("", "intranet", None),
        (", tls: off", "help.acme.fr", None),
        (", tls: local", "acme.internal", plain(CertificateSource::Local)),
        (", tls: acme", "help.acme.fr", plain(CertificateSource::Acme)),
        (
            ", tls: { by: acme, http: serve, hsts: 180d }",
            "help.acme.fr",
            Some(Https { from: CertificateSource::Acme, plain: Some(Plain::Serve), hsts_s: Some(15_552_000) }),
        ),
        (
            ", tls: { http: redirect }",
            "acme.localhost",
            Some(Https { from: CertificateSource::Usual, plain: Some(Plain::Redirect), hsts_s: None }),
        ),
    ] {
        let (routes, findings) = of(&portal(tls), domain);
        assert!(findings.is_empty(), "{tls} {domain}: {findings:?}");
        assert_eq!(routes[0].2, expected, "{tls} {domain}");
    }
}

#[test]
fn a_certificate_of_ones_own_is_a_secret_and_its_value_counts() {
    let endpoints = "  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"], tls: acme }\n";
    let (routes, findings) = resolved(&tree(endpoints, "help.acme.fr", &["portal.tls"]));
    assert!(findings.is_empty(), "{findings:?}");
    let Some(Https { from: CertificateSource::Secret { chain, key: None, hash: Some(hash) }, .. }) = &routes[0].2
    else {
        panic!("{routes:?}");
    };
    assert_eq!(&*chain.0, "portal.tls");
    // Two secrets, by other names.
    let endpoints =
        "  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"], tls: { secret: site.pem, key: site.key } }\n";
    let (routes, findings) = resolved(&tree(endpoints, "help.acme.fr", &["site.pem", "site.key"]));
    assert!(findings.is_empty(), "{findings:?}");
    let Some(Https { from: CertificateSource::Secret { key: Some(key), hash: Some(both), .. }, .. }) = &routes[0].2
    else {
        panic!("{routes:?}");
    };
    assert!(&*key.0 == "site.key" && both != hash);
    // One that is named must be there.
    let (_, findings) = resolved(&tree(endpoints, "help.acme.fr", &["site.pem"]));
    assert!(
        matches!(&findings[..], [(Code::E0606, text)] if text.contains("no value of the secret site.key, the certificate of portal") && text.contains("escadre secret set acme site.key")),
        "{findings:?}"
    );
    // A name that shares the host shares the certificate.
    let endpoints = "  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"] }\n  api: { service: api, port: 80, hosts: [\"${DOMAIN}\"], path: /api }\n";
    let (routes, findings) = resolved(&tree(endpoints, "help.acme.fr", &["portal.tls"]));
    assert!(findings.is_empty() && routes[0].2 == routes[1].2 && routes[0].2 != plain(CertificateSource::Usual));
    // Off is off.
    let endpoints = "  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"], tls: off }\n";
    let (routes, findings) = resolved(&tree(endpoints, "help.acme.fr", &["portal.tls"]));
    assert!(routes[0].2.is_none() && matches!(&findings[..], [(Code::W0502, _)]), "{findings:?}");
}

#[test]
fn names_are_compared_as_dns_carries_them() {
    let endpoints = "  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"] }\n  api: { service: api, port: 80, hosts: [\"xn--bcher-kva.example\"] }\n";
    let (routes, findings) = of(endpoints, "Bücher.example");
    assert!(routes.is_empty());
    assert!(
        matches!(&findings[..], [(Code::E0513, text)] if text.contains("acme claims the host name bücher.example (xn--bcher-kva.example) twice")),
        "{findings:?}"
    );
    let (routes, findings) = of("  portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"] }\n", "straße.example");
    assert!(findings.is_empty() && routes[0].1 == ["xn--strae-oqa.example"], "{routes:?} {findings:?}");
}

#[test]
fn a_host_name_is_no_place_for_a_secret() {
    let endpoints = "  portal: { service: web, port: 80, hosts: [\"${TOKEN}.acme.fr\"] }\nsecrets: { TOKEN: { as: environment } }\n";
    let (routes, findings) = resolved(&tree(endpoints, "x.fr", &["TOKEN"]));
    assert!(routes.is_empty(), "{routes:?}");
    assert!(
        matches!(&findings[..], [(Code::E0607, text)] if text.contains("the host name \"${TOKEN}.acme.fr\" cannot hold a secret")),
        "{findings:?}"
    );
}

#[test]
fn what_is_wrong_has_its_code_and_says_what_to_do() {
    let one = |rest: &str| format!("  portal: {{ service: web, port: 80, {rest} }}\n");
    let host = |host: &str| one(&format!("hosts: [\"{host}\"]"));
    let table: Vec<(String, &str, Code, &str)> = vec![
        (host("*.acme.fr"), "x.fr", Code::E0519, "it is a wildcard; each name is written out"),
        (host("acme.fr."), "x.fr", Code::E0519, "it ends with a dot"),
        (host("acme.fr:80"), "x.fr", Code::E0519, "it holds more than a name"),
        (host("a..fr"), "x.fr", Code::E0519, "its parts are 1 to 63 letters"),
        (host("www.${DOMAIN}"), "a_b.fr", Code::E0508, "must be a host name"),
        (
            one("hosts: [acme.fr], tls: local"),
            "x.fr",
            Code::E0522,
            "no certificate for acme.fr: the local authority certifies private names only",
        ),
        (
            one("hosts: [acme.localhost], tls: acme"),
            "x.fr",
            Code::E0522,
            "no certificate for acme.localhost: no public authority",
        ),
        (one("hosts: [a.fr], redirect: [a.localhost], tls: acme"), "x.fr", Code::E0522, "for a.localhost"),
        (one("hosts: [\"10.0.0.1\"], tls: acme"), "x.fr", Code::E0522, "for 10.0.0.1"),
        (
            one("hosts: [a.fr], tls: none"),
            "x.fr",
            Code::E0115,
            "must be `acme`, `local`, `off`, or a mapping such as { secret: NAME }",
        ),
        (one("hosts: [a.fr], tls: { secrt: x }"), "x.fr", Code::E0112, "secret"),
        (one("hosts: [a.fr], tls: { by: acme, secret: x }"), "x.fr", Code::E0512, "not from both"),
        (one("hosts: [a.fr], tls: { key: x }"), "x.fr", Code::E0512, "`key` goes with `secret`"),
        (one("hosts: [a.fr], tls: { secret: \"../x\" }"), "x.fr", Code::E0115, "the name of a secret"),
        (one("hosts: [a.fr], tls: { http: no }"), "x.fr", Code::E0115, "`redirect` or `serve`"),
        (one("hosts: [a.fr], tls: { hsts: forever }"), "x.fr", Code::E0115, "a time such as 180d"),
        (
            format!(
                "{}  api: {{ service: api, port: 80, hosts: [a.fr], path: /api, tls: off }}\n",
                one("hosts: [a.fr]")
            ),
            "x.fr",
            Code::E0523,
            "the host name a.fr is served by two endpoints that say different things in `tls:`",
        ),
    ];
    for (endpoints, domain, code, words) in table {
        let (_, findings) = of(&endpoints, domain);
        assert!(
            findings.iter().any(|(found, text)| *found == code && text.contains(words)),
            "{endpoints}: {findings:?}"
        );
    }
}

/// The edge of a target, and what was found.
fn edge(text: &str) -> (Option<fleet::EdgeSettings>, Vec<(Code, String)>) {
    let fleet = format!(
        "fleet: f\nid: 6f1c9a2e\nenvironments: {{ production: {{}} }}\ntargets: {{ host-1: {{ podman: unix:///p.sock, edge: {text} }} }}\n"
    );
    let (fleet, findings) = fleet::read(&Memory::default().with("fleet.yaml", fleet));
    let settings = fleet.and_then(|fleet| fleet.targets.values().next().map(|target| target.edge.clone()));
    (settings, findings.into_iter().map(|finding| (finding.code, finding.to_string())).collect())
}

#[test]
fn the_edge_of_a_target_has_safe_defaults_and_says_what_is_wrong() {
    let (settings, findings) = edge("{}");
    let settings = settings.unwrap();
    assert!(findings.is_empty() && settings.trusted_proxies.is_empty() && settings.access_log.is_none());
    let AcmeSetting::At { directory, email: None, ca: None } = &settings.acme else { panic!("{settings:?}") };
    assert_eq!(&**directory, fleet::LETS_ENCRYPT);
    let (settings, findings) = edge(
        "{ http: 8080, https: 8443, acme: { directory: \"https://ca.internal/dir\", email: ops@example.org, ca: files/ca.pem }, trusted_proxies: [10.0.0.0/8, \"::1\"], client_connections: 200, access_log: 256M }",
    );
    let settings = settings.unwrap();
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((settings.access_log, settings.trusted_proxies.len()), (Some(256 << 20), 2));
    assert_eq!(settings.client_connections, Some(200));
    assert!(matches!(edge("{ acme: off, access_log: off }").0.unwrap().acme, AcmeSetting::Off));
    for (text, code, words) in [
        ("{ http: 80, https: 80 }", Code::E0115, "one port, 80"),
        ("{ acme: none }", Code::E0115, "must be `off`, or a mapping"),
        ("{ acme: { directory: \"http://ca.internal/\" } }", Code::E0115, "an address such as https://"),
        ("{ acme: { email: ops } }", Code::E0115, "an address such as ops@example.org"),
        ("{ acme: { ca: ../../etc/ca.pem } }", Code::E0515, "leads out of the repository"),
        ("{ acme: { mail: x } }", Code::E0112, "email"),
        ("{ trusted_proxies: [10.0.0.1/8] }", Code::E0115, "is no network such as 10.0.0.0/8"),
        ("{ client_connections: 0 }", Code::E0115, "a number from 1 to 1000000"),
        ("{ access_log: 12 }", Code::E0115, "its largest size such as 256M"),
        ("{ htps: 1 }", Code::E0112, "https"),
    ] {
        let (_, findings) = edge(text);
        assert!(findings.iter().any(|(found, said)| *found == code && said.contains(words)), "{text}: {findings:?}");
    }
}
