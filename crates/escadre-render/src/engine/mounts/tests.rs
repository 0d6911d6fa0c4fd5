//! What a path is called within an instance.

use super::place;

#[test]
fn a_path_of_the_repository_outside_the_product_is_no_path_of_the_host() {
    let at = |path| place("/.fleet/products/desk", path);
    assert_eq!(at("/.fleet/products/desk/conf/a.toml").as_deref(), Some("conf/a.toml"));
    assert_eq!(at("/.fleet/products/desk").as_deref(), Some("."));
    assert_eq!(at("/.fleet/shared/logo.svg").as_deref(), Some(".fleet/shared/logo.svg"));
    assert_eq!(at("/.fleet/products/desktop/x").as_deref(), Some(".fleet/products/desktop/x"));
    assert_eq!((at("/etc"), at("/.fleetwood/x")), (None, None));
}

#[test]
fn two_paths_never_share_a_name() {
    let at = |path| place("/.fleet/products/desk", path);
    assert_ne!(at("/.fleet/products/desk/.fleet/shared/x"), at("/.fleet/shared/x"));
    assert_ne!(at("/.fleet/products/desk/shared/x"), at("/.fleet/shared/x"));
}
