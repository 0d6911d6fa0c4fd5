//! Tests of the text layer: spans, limits, hostile input, typed getters.
use super::*;
use crate::diagnostic::{Code, Diagnostic};

fn read(text: &str) -> (Vec<Node>, Vec<Diagnostic>) {
    parse("t.yaml", text.as_bytes(), Limits::default())
}

fn one(text: &str) -> Node {
    let (mut nodes, findings) = read(text);
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(nodes.len(), 1);
    nodes.remove(0)
}

fn codes(bytes: &[u8]) -> Vec<Code> {
    parse("t.yaml", bytes, Limits::default()).1.iter().map(|finding| finding.code).collect()
}

#[test]
fn remembers_where_values_are_written() {
    let node = one("services:\n  web:\n    image: nginx\n    ports: ['80:80']\n");
    let image = node.at("services.web.image").unwrap();
    assert_eq!((image.span.line, image.span.column), (3, 12));
    assert_eq!(image.span.short(), "t.yaml:3");
    assert_eq!(node.at("services.web.ports.0").unwrap().as_str(), Some("80:80"));
}

#[test]
fn plain_scalars_read_by_the_core_rules_and_keep_their_text() {
    let table = [
        ("no", Resolved::Text),
        ("2.10", Resolved::Float(2.1)),
        ("0o10", Resolved::Integer(8)),
        ("010", Resolved::Integer(8)),
        ("0x1F", Resolved::Integer(31)),
        ("1_000", Resolved::Integer(1000)),
        ("-3", Resolved::Integer(-3)),
        ("1e3", Resolved::Float(1000.0)),
        ("12:30:45", Resolved::Text),
        ("True", Resolved::Bool(true)),
        ("tRue", Resolved::Text),
        ("18446744073709551615", Resolved::Integer(18_446_744_073_709_551_615)),
        ("1.2.3", Resolved::Text),
        ("-", Resolved::Text),
        (".", Resolved::Text),
        ("infinity", Resolved::Text),
        ("1e400", Resolved::Text),
        ("-0", Resolved::Float(-0.0)),
    ];
    for (text, wanted) in table {
        let scalar = Scalar::plain(text);
        assert_eq!(scalar.resolve(), wanted, "{text}");
        assert_eq!(scalar.as_str(), Some(text));
    }
    assert_eq!(Scalar::text("true").resolve(), Resolved::Text);
    assert!(one("~").is_null());
}

#[test]
fn merge_keys_fill_what_is_not_written() {
    let node = one("a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: [*a, *b], x: 9}\n");
    assert_eq!(node.at("c").unwrap().to_json(), serde_json::json!({"x": 9, "y": 2, "z": 4}));
}

#[test]
fn duplicate_keys_are_named_with_both_places() {
    let (_, findings) = read("a: 1\nb: 2\n\"a\": 3\nb: 4\n");
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].code, Code::E0105);
    assert_eq!(findings[0].labels.iter().map(|label| label.span.line).collect::<Vec<_>>(), [3, 1]);
}

#[test]
fn hostile_input_has_its_code() {
    assert_eq!(codes(b"a: \xff"), [Code::E0101]);
    assert_eq!(codes(b"\xff\xfea\0"), [Code::E0101]);
    assert_eq!(codes(b"\xed\xa0\x80"), [Code::E0101]);
    assert_eq!(codes(b"a: \0"), [Code::E0103]);
    assert_eq!(codes(b"a:\n\tb: 1"), [Code::E0104]);
    assert_eq!(codes(b"a: [1"), [Code::E0104]);
    assert_eq!(codes(b"a: &a [*a]"), [Code::E0108]);
    assert_eq!(codes(b"a: *nowhere"), [Code::E0108]);
    assert_eq!(codes(b"? [a]\n: 1"), [Code::E0110]);
    assert_eq!(codes(b"a: {<<: 3}"), [Code::E0111]);
    assert_eq!(codes(&vec![b' '; 3_000_001]), [Code::E0102]);
    assert_eq!(codes(&b"[".repeat(10_000)), [Code::E0107]);
    assert_eq!(codes(&b"- ".repeat(10_000)), [Code::E0107]);
    assert_eq!(codes(&b"{a: ".repeat(10_000)), [Code::E0107]);
    assert_eq!(codes(b"- x\n".repeat(100_001).as_slice()), [Code::E0106]);
}

#[test]
fn alias_bombs_are_refused_and_shared_anchors_are_not() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 9].join(", ")));
    }
    assert_eq!(codes(bomb.as_bytes()), [Code::E0106]);

    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..200 {
        chain.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(codes(chain.as_bytes()), [Code::E0107]);

    let entries: String = (0..40).map(|n| format!("  K{n}: v\n")).collect();
    let mut fleet = format!("x-common: &common\n{entries}services:\n");
    for n in 0..1400 {
        fleet.push_str(&format!("  s{n}: {{environment: *common, labels: {{<<: *common, a: b}}}}\n"));
    }
    assert_eq!(codes(fleet.as_bytes()), []);
}

#[test]
fn keeps_tags_documents_and_line_endings() {
    let (nodes, findings) = read("\u{feff}a: !reset null\n---\nb: !!str 12\n---\n");
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(nodes.len(), 3);
    assert_eq!(nodes[0].at("a").unwrap().tag.as_deref(), Some("!reset"));
    assert_eq!(nodes[1].to_json(), serde_json::json!({"b": "12"}));
    assert_eq!(one("a: 1\r\nb: 2\r\n").to_json(), serde_json::json!({"a": 1, "b": 2}));
    assert_eq!(read("").0.len(), 0);
}

#[test]
fn texts_keep_their_secrets_as_holes() {
    let text = Text::from_pieces([
        Piece::Literal("postgres://app:".into()),
        Piece::Secret(SecretRef("DB".into())),
        Piece::Literal("@db".into()),
        Piece::Literal("/app".into()),
    ]);
    assert_eq!(text.as_str(), None);
    assert_eq!(text.display(), "postgres://app:<secret DB>@db/app");
    assert_eq!(text.pieces().len(), 3);
    assert_eq!(Text::from_pieces([Piece::Literal("a".into()), Piece::Literal("b".into())]), Text::from("ab"));
}

#[test]
fn fields_collect_everything_that_is_wrong() {
    let node = one("instance: 2.10\nprodct: desk\nstate: [on]\nseats: 9223372036854775808\nsize:\n");
    let mut findings = Vec::new();
    let mut fields = Fields::new(&node, "", &mut findings);
    assert_eq!(&*fields.required_str("instance").unwrap().value, "2.10");
    assert_eq!(fields.required_str("product"), None);
    assert_eq!(fields.optional_str("state"), None);
    assert_eq!(fields.optional_integer("seats"), None);
    assert_eq!(fields.optional_str("size"), None);
    fields.finish();
    let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "t.yaml:1:1: error[E0114]: `product:` is missing",
            "t.yaml:3:8: error[E0113]: `state` must be a text, here is a list",
            "t.yaml:4:8: error[E0113]: `seats` must be an integer, here is a number",
            "t.yaml:2:1: error[E0112]: unknown key `prodct` (did you mean `product`?)",
        ]
    );
}

#[test]
fn a_file_of_one_document_holds_one() {
    let limits = Limits::default();
    assert_eq!(parse_one("t", b"a: 1\n---\nb: 2", limits).1[0].code, Code::E0116);
    assert_eq!(parse_one("t", b"", limits).1[0].code, Code::E0116);
    assert!(parse_one("t", b"a: 1", limits).1.is_empty());
}

#[test]
fn a_text_parsed_on_a_second_thread_is_the_same() {
    let many: String = (0..3_000).map(|number| format!("k{number}: [v, 1]\n")).collect();
    let texts = [
        String::new(),
        many.clone(),
        format!("{many}---\n{many}k1: again\n"),
        // The reading ends at once, and much is left to be said.
        format!("? [no, key]\n: 1\n{many}"),
        format!("a: [1\n{many}"),
        format!("{many}b: *nothing\n{many}"),
    ];
    for text in texts {
        let read = |is_large| parse::built("t.yaml".into(), &text, Limits::default(), is_large);
        let (one, two) = (read(false), read(true));
        assert_eq!(format!("{two:?}"), format!("{one:?}"));
    }
}
