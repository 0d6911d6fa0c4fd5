//! Tests of units, hostile numbers included.
use super::*;

#[test]
fn sizes() {
    for (text, wanted) in
        [("512M", 536_870_912), ("1.5k", 1536), ("1 gb", 1 << 30), ("0", 0), ("-1", -1), ("2KiB", 2048), ("10b", 10)]
    {
        assert_eq!(bytes(text), Ok(wanted), "{text}");
    }
    for text in ["", "M", "-1M", "1xb", "1kbb", "9999999PB", "NaN", "1e400", "9223372036854775808", "inf", "1 2 M"] {
        assert!(bytes(text).is_err(), "{text}");
    }
}

#[test]
fn durations() {
    let table = [
        ("90s", "1m30s"),
        ("1h", "1h0m0s"),
        ("1.5s", "1.5s"),
        ("500ms", "500ms"),
        ("1d", "24h0m0s"),
        ("0", "0s"),
        ("1w", "168h0m0s"),
        ("-3s", "-3s"),
        ("1m30s500ms", "1m30.5s"),
        ("10us", "10µs"),
        ("7ns", "7ns"),
    ];
    for (text, wanted) in table {
        assert_eq!(nanoseconds(text).map(duration_text).as_deref(), Ok(wanted), "{text}");
    }
    for text in ["", "30", "s", "1x", "1.2.3s", "99999999999999999999s", "9223372036854775808ns", "1 s", "NaN"] {
        assert!(nanoseconds(text).is_err(), "{text}");
    }
}

#[test]
fn command_lines() {
    let table: [(&str, &[&str]); 8] = [
        ("echo hello  world", &["echo", "hello", "world"]),
        ("sh -c 'a b \"c\"' \"d 'e'\"", &["sh", "-c", "a b \"c\"", "d 'e'"]),
        (r"a\ b '\n' ''", &["a b", r"\n", ""]),
        ("a; b", &["a"]),
        ("a && b", &["a"]),
        ("echo $(a b) `c d`", &["echo", "$(a b)", "`c d`"]),
        ("run 2>err", &["run"]),
        ("", &[]),
    ];
    for (line, wanted) in table {
        assert_eq!(words(line).unwrap(), wanted, "{line}");
    }
    for line in ["'a", "\"a", "a\\", "f(x)", "$(a"] {
        assert!(words(line).is_err(), "{line}");
    }
}
