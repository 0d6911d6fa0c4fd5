//! Tests of environment files.
use super::*;

struct Before;

impl Lookup for Before {
    fn value(&self, name: &str) -> Option<&Text> {
        static KNOWN: std::sync::LazyLock<Text> = std::sync::LazyLock::new(|| Text::from("known"));
        (name == "KNOWN").then(|| &*KNOWN)
    }
}

fn read(text: &str, raw: bool) -> (Vec<(String, String)>, Vec<String>) {
    let mut findings = Vec::new();
    let lines = parse(&".env".into(), text.as_bytes(), raw, (&Before, &Nothing), &mut findings);
    let shown = lines.into_iter().map(|line| (line.key, line.text.display().into_owned())).collect();
    (shown, findings.iter().map(ToString::to_string).collect())
}

#[test]
fn reads_every_form() {
    let table = [
        ("A=1", "1"),
        ("export A = 1 ", "1"),
        ("A: 1", "1"),
        ("A=a b # c", "a b"),
        ("A=a#b", "a#b"),
        ("A='a $KNOWN # b'", "a $KNOWN # b"),
        ("A=\"a\\n$KNOWN\"", "a\nknown"),
        ("A=\"\\$KNOWN\"", "$KNOWN"),
        ("A=$KNOWN-${NO:-x}", "known-x"),
        ("A='it\\'s'", "it's"),
        ("A=\"two\nlines\"", "two\nlines"),
        ("A=", ""),
        ("# c\n\nA=1\r", "1"),
        ("\u{feff}A=1", "1"),
    ];
    for (text, wanted) in table {
        let (lines, findings) = read(text, false);
        assert_eq!(findings, [""; 0], "{text}");
        assert_eq!(lines, [("A".to_owned(), wanted.to_owned())], "{text}");
    }
    assert_eq!(read("B=1\nA=${B}2", false).0[1].1, "12");
    assert_eq!(read("KNOWN\nUNKNOWN\n", false).0, [("KNOWN".to_owned(), "known".to_owned())]);
    assert_eq!(read("A='x' # $KNOWN", true).0[0].1, "'x' # $KNOWN");
}

#[test]
fn names_the_line_of_an_error() {
    assert_eq!(read("A=1\nB C=2", false).1, [".env:2:1: error[E0418]: the variable's name `B C` holds a space"]);
    assert_eq!(read("A='x", false).1, [".env:1:1: error[E0418]: a quoted value is not closed"]);
    assert_eq!(read("A;B=1", false).1.len(), 1);
    assert_eq!(read("A=\0", false).1.len(), 1);
}
