//! Tests of times.
use super::*;

#[test]
fn lengths() {
    let ms = |ms| short(Duration::from_millis(ms));
    assert_eq!(
        (ms(49), ms(600), ms(18_400), ms(59_960), ms(396_000)),
        ("0.0 s".into(), "0.6 s".into(), "18.4 s".into(), "1 min 0 s".into(), "6 min 36 s".into())
    );
    assert_eq!(ms(3_720_000), "1 h 2 min");
    let s = |s| long(Duration::from_secs(s));
    assert_eq!((s(3), s(420), s(39_600), s(604_800)), ("3 s".into(), "7 min".into(), "11 h".into(), "7 days".into()));
}

#[test]
fn moments_are_local() {
    let now = Now::fixed();
    assert_eq!(now.moment("2026-11-20T13:08:46.123Z"), "14:08");
    assert_eq!(now.exact("2026-11-20T13:08:46Z"), "14:08:46");
    assert_eq!(now.moment("2026-11-13T08:20:00Z"), "2026-11-13 09:20");
    assert_eq!(now.spoken("2026-11-20T13:08:46Z"), "today at 14:08");
    assert_eq!(now.age("2026-11-13T08:20:00Z").as_deref(), Some("7 days"));
    assert_eq!(now.moment("yesterday"), "yesterday");
    assert_eq!(now.age("yesterday"), None);
    assert_eq!(now.clock(), "14:15:02");
}
