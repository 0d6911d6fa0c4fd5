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
