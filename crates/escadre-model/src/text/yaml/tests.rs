//! Tests of YAML text: what is written is read again by our own reader as the same value.

use super::document;
use crate::text::{Limits, parse_one};
use serde_json::{Value, json};

fn again(value: &Value) -> (String, Value) {
    let text = document(value);
    let (node, findings) = parse_one("x.yaml", text.as_bytes(), Limits::default());
    assert!(findings.is_empty(), "{findings:?}\n{text}");
    let value = node.expect("a document").to_json();
    (text, value)
}

#[test]
fn it_is_read_again_as_it_was() {
    let odd = [
        "",
        " ",
        "no",
        "Yes",
        "y",
        "~",
        "null",
        "1.10",
        "0o17",
        "1e3",
        "12:30",
        "0x1f",
        ".inf",
        "- a",
        "a: b",
        "a #b",
        "#",
        "*a",
        "&a",
        "!t",
        "%",
        "@a",
        "`",
        "'",
        "\"",
        "\\",
        "line\nline\n",
        "tab\tx",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é 日本 🦊",
        "${VAR:-x}",
        "$$HOME",
        "{a}",
        "[b]",
        "a,b",
        "---",
        "...",
        "<<",
        "=",
        "-",
        "?",
        ":",
        "trailing ",
        "http://a:80/x?y=z",
        "/path",
        "image:1.27@sha256:0",
    ];
    let mut map: serde_json::Map<String, Value> = odd.iter().map(|text| ((*text).to_owned(), json!(text))).collect();
    // Our reader merges below that key, quoted or not; as a value it is a text like any other.
    map.shift_remove("<<");
    map.insert("list".to_owned(), json!(odd.to_vec()));
    map.insert(
        "deep".to_owned(),
        json!({"a": [[1, [2, {"x": [], "y": {}}]], {"k": null, "l": [true, -3, 0.5]}, [], {}], "b": {"c": {"d": "e"}}}),
    );
    let value = Value::Object(map);
    let (text, read) = again(&value);
    assert_eq!(read, value, "{text}");
}

#[test]
fn it_is_as_a_person_would_write_it() {
    let value = json!({"name": "shop", "services": {"web": {"ports": [{"target": 80}, {"target": 81, "mode": "host"}], "tty": true, "version": "1.10"}}});
    let wanted = "name: shop\nservices:\n  web:\n    ports:\n      - target: 80\n      - mode: host\n        target: 81\n    tty: true\n    version: \"1.10\"\n";
    let (text, read) = again(&value);
    assert_eq!(read, value);
    let mut lines: Vec<&str> = text.lines().collect();
    let mut expected: Vec<&str> = wanted.lines().collect();
    // The order of keys is the map's.
    lines.sort_unstable();
    expected.sort_unstable();
    assert!(lines == expected || text.contains("      - target: 81\n        mode: host\n"), "{text}");
}
