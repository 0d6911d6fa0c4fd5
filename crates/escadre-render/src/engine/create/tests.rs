//! Bodies of create calls.

use super::*;

#[test]
fn a_gateway_is_the_first_address() {
    assert_eq!(gateway("10.210.0.64/26").as_deref(), Some("10.210.0.65"));
    assert_eq!(gateway("fd00::/64").as_deref(), Some("fd00::1"));
    assert_eq!(gateway("nonsense"), None);
}

#[test]
fn podman_hears_equal_limits() {
    let mut host = Map::from_iter([("Ulimits".to_owned(), json!([{"Name": "nofile", "Soft": 1024, "Hard": 4096}]))]);
    podman_quirks(&mut host);
    assert_eq!(host.get("Ulimits"), Some(&json!([{"Name": "nofile", "Soft": 1024, "Hard": 1024}])));
}

#[test]
fn a_check_with_spaces_in_an_argument_stays_whole_on_podman() {
    let spelled = |test: Value| {
        let mut body = Map::from_iter([("Healthcheck".to_owned(), json!({"Test": test}))]);
        podman_check(&mut body);
        body.get("Healthcheck").and_then(|check| check.get("Test")).cloned()
    };
    assert_eq!(spelled(json!(["CMD", "sh", "-c", "a \"b\""])), Some(json!([r#"["sh","-c","a \"b\""]"#])));
    assert_eq!(spelled(json!(["CMD", "true"])), Some(json!(["CMD", "true"])));
    assert_eq!(spelled(json!(["CMD-SHELL", "a b"])), Some(json!(["CMD-SHELL", "a b"])));
}
