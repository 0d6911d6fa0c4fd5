//! Tests of scalars, versions and paths; whole fleets are cases in `tests/cases`.
use super::*;

#[test]
fn amounts_are_read_as_compose_writes_them() {
    assert_eq!(bytes("200M"), Some(200 << 20));
    assert_eq!(bytes("512MiB"), Some(512 << 20));
    assert_eq!(bytes("1.5g"), Some(3 << 29));
    assert_eq!(bytes("1024"), Some(1024));
    for wrong in ["", "M", "-1M", "1X", "1e9", "99999999999999999999T", "1.2.3M"] {
        assert_eq!(bytes(wrong), None, "{wrong}");
    }
    assert_eq!(milliseconds("1h30m"), Some(5_400_000));
    assert_eq!(milliseconds("500ms"), Some(500));
    assert_eq!(milliseconds("1.5s"), Some(1500));
    for wrong in ["", "s", "5", "-5s", "5 s", "5y", "99999999999999d"] {
        assert_eq!(milliseconds(wrong), None, "{wrong}");
    }
}

#[test]
fn a_version_is_compared_by_numbers() {
    assert_eq!(version::allows(">=0.1, <0.2", "0.1.9"), Some(true));
    assert_eq!(version::allows(">=0.1, <0.2", "0.2.0"), Some(false));
    assert_eq!(version::allows("0.10.0", "0.10.0-rc1"), Some(true));
    assert_eq!(version::allows(">0.9", "0.10.0"), Some(true));
    assert_eq!(version::allows("~0.9", "0.10.0"), None);
    assert_eq!(version::allows("newest", "0.10.0"), None);
    assert_eq!(version::allows("", "0.10.0"), None);
}

#[test]
fn a_path_never_leads_out() {
    assert_eq!(folder::join("instances/acme", "files/a.toml").as_deref(), Some("instances/acme/files/a.toml"));
    assert_eq!(folder::join("instances/acme", "../../b").as_deref(), Some("b"));
    for wrong in ["../../../etc/passwd", "/etc/passwd", "~/x", "a\\..\\b", "x\0y"] {
        assert_eq!(folder::join("instances/acme", wrong), None, "{wrong}");
    }
}

#[test]
fn values_are_checked_against_their_type() {}
