//! What a watch makes of what it sees, without an engine.
use super::*;

fn pair(port: u16, called: &str) -> (SocketAddr, SocketAddr) {
    (SocketAddr::new([10, 0, 0, 9].into(), port), called.parse().unwrap())
}

const OLD: &str = "10.0.0.2:80";
const NEW: &str = "10.0.0.3:80";

fn after(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn nobody_calls() {
    let mut calls = Calls::from(&[pair(1, OLD)], &[]);
    calls.see(after(1.0), &[pair(1, OLD)], &[]);
    assert_eq!(calls.verdict(after(1.9), 0), Verdict::Open);
    assert_eq!(calls.verdict(after(2.0), 0), Verdict::Unknown, "a connection that stays says nothing");
}

#[test]
fn one_that_goes_on_calling_the_former_address() {
    let mut calls = Calls::from(&[pair(1, OLD)], &[]);
    calls.see(after(3.0), &[pair(2, OLD)], &[]);
    assert_eq!(calls.verdict(after(5.0), 0), Verdict::Open, "Go's resolver would still do that");
    calls.see(after(5.6), &[pair(2, OLD)], &[pair(3, NEW)]);
    assert_eq!(calls.verdict(after(5.6), 0), Verdict::Open, "that was a call of before");
    calls.see(after(5.7), &[pair(4, OLD)], &[]);
    assert_eq!(calls.verdict(after(5.7), 0), Verdict::Known(Lookup::Once));
}

#[test]
fn one_that_finds_the_new_address() {
    let mut calls = Calls::from(&[], &[pair(1, NEW)]);
    for at in 2..4 {
        calls.see(after(f64::from(at)), &[], &[pair(u16::try_from(at).unwrap(), NEW)]);
    }
    assert_eq!(calls.verdict(after(7.0), 0), Verdict::Open);
    assert_eq!(calls.verdict(after(7.5), 0), Verdict::Known(Lookup::Again));
    assert_eq!(calls.verdict(after(7.5), 10_000), Verdict::Unknown, "one of the three may have been its own check");
    calls.see(after(7.4), &[], &[pair(9, NEW)]);
    assert_eq!(calls.verdict(after(7.5), 10_000), Verdict::Known(Lookup::Again));
}
