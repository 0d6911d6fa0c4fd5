//! References and registries' words.

use super::*;

#[test]
fn short_references_mean_what_compose_means() {
    assert_eq!(full_name("redis"), "docker.io/library/redis");
    assert_eq!(full_name("bitnami/redis:7"), "docker.io/bitnami/redis:7");
    assert_eq!(full_name("localhost/x:1"), "localhost/x:1");
    assert_eq!(full_name("registry.example.org/x"), "registry.example.org/x");
    assert_eq!(full_name("127.0.0.1:5000/x"), "127.0.0.1:5000/x");
}

#[test]
fn an_image_is_found_however_it_is_written() {
    let all = |name: &str| spellings(name).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        all("docker.io/library/redis:latest"),
        ["library/redis:latest", "redis:latest", "library/redis", "redis", "docker.io/library/redis"]
    );
    assert_eq!(all("localhost/shop:v1"), ["shop:v1"]);
    assert_eq!(all("redis:7"), ["docker.io/library/redis:7"]);
    assert_eq!(all("registry.example.org/x:1"), Vec::<String>::new());
}

#[test]
fn only_what_may_pass_is_tried_again() {
    assert!(passing("reading manifest: toomanyrequests: You have reached your limit"));
    assert!(passing("invalid status code from registry 503 (Service Unavailable)"));
    assert!(!passing("manifest unknown"));
    assert!(!passing("unauthorized: authentication required"));
}

#[test]
fn only_this_host_is_spoken_to_without_tls() {
    assert!(on_this_host("127.0.0.1:5000") && on_this_host("localhost:5000") && on_this_host("[::1]:5000"));
    assert!(!on_this_host("registry.example.org") && !on_this_host("10.0.0.1:5000"));
}

#[test]
fn without_a_tag_one_image_is_meant() {
    assert!(is_untagged("docker.io/library/redis") && is_untagged("127.0.0.1:5000/shop/web"));
    assert!(!is_untagged("redis:7") && !is_untagged("shop/web@sha256:0123") && !is_untagged("127.0.0.1:5000/web:1"));
}

#[test]
fn who_is_not_let_in_is_told_so() {
    for words in [
        "unauthorized: authentication required",
        "Head \"http://127.0.0.1:5000/v2/x/manifests/1\": no basic auth credentials",
        "denied: requested access to the resource is denied",
    ] {
        assert!(advice(words, "127.0.0.1:5000/x:1").contains("wants other credentials"), "{words}");
    }
}
