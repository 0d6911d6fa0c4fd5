//! Reading back, from answers recorded on Podman 4.3.1 and Docker 20.10.24 and cut down.

use super::*;

#[test]
fn moments_are_spelled_in_utc() {
    assert_eq!(instant(0), "1970-01-01T00:00:00Z");
    assert_eq!(instant(1_795_226_672), "2026-11-21T02:04:32Z");
    assert_eq!(instant(951_782_399), "2000-02-28T23:59:59Z");
    assert_eq!(instant(951_782_400), "2000-02-29T00:00:00Z");
}
