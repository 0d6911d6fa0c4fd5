//! Tests of edits: what was asked changes, comments stay.
use super::*;

const BLOCK: &str = "-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n";

fn edited(text: &str, slot: Slot<'_>, value: &str) -> String {
    set("instances/acme.yaml", text, slot, value).unwrap()
}

#[test]
fn a_value_is_set_wherever_it_stands() {
    let flow = "# acme\ninstance: acme # it\nvalues: { A: 1, B: two }   # values\n# end\n";
    assert_eq!(edited(flow, Slot::Value("A"), "9"), flow.replace("A: 1", "A: 9"));
    assert_eq!(edited(flow, Slot::Value("C"), "x y"), flow.replace("two", "two, C: \"x y\""));
    assert_eq!(edited(flow, Slot::Key("state"), "stopped"), format!("{flow}state: stopped\n"));
    let block = "instance: acme\nvalues:\n    A: 1   # first\n    B: \"two\" # second\n\n# end\nstate: running";
    assert_eq!(edited(block, Slot::Value("B"), "no"), block.replace("\"two\"", "no"));
    assert_eq!(edited(block, Slot::Value("C"), "3"), block.replace("# second", "# second\n    C: 3"));
    assert_eq!(edited(block, Slot::Key("state"), "removed"), block.replace("running", "removed"));
    assert_eq!(edited("instance: a\nvalues: {}\n", Slot::Value("A"), "1"), "instance: a\nvalues: { A: 1 }\n");
    assert_eq!(edited("instance: a", Slot::Value("A"), "null"), "instance: a\nvalues:\n  A: \"null\"\n");
    assert_eq!(edited("values:\n  # A:\nb: c\n", Slot::Value("A"), "1"), "values:\n  A: 1\n  # A:\nb: c\n");
}

#[test]
fn accents_line_endings_and_marks_do_not_move_an_edit() {
    let text = "\u{feff}# é à\r\ninstance: acme\r\nvalues: { NAME: \"Café\", B: ü } # é\r\n";
    let plain = text.trim_start_matches('\u{feff}');
    assert_eq!(edited(text, Slot::Value("B"), "Ö x"), plain.replace("B: ü", "B: \"Ö x\""));
    assert_eq!(edited(text, Slot::Value("NAME"), "x"), plain.replace("\"Café\"", "x"));
    let multi = "values:\n  A: |\n    one\n    two\n  B: x\n# end\n";
    assert!(set("f", multi, Slot::Value("A"), "one").is_err(), "a text of several lines is left to people");
    let last = "values:\n  B: x\n  A: |\n    one\n# end\n";
    assert_eq!(edited(last, Slot::Value("C"), "1"), "values:\n  B: x\n  A: |\n    one\n  C: 1\n# end\n");
}

#[test]
fn what_cannot_be_edited_is_left_to_people() {
    let error = set("f", "{ instance: a }", Slot::Key("size"), "small").unwrap_err();
    assert!(matches!(error, EditError::ByHand(..)));
    assert!(matches!(set("f", "a: [", Slot::Key("size"), "small"), Err(EditError::Invalid(..))));
    let anchored = "x: &a one\nvalues:\n  A: *a\n";
    // An alias would change what it stands for.
    assert!(set("f", anchored, Slot::Value("A"), "two").is_err());
    assert!(set("f", "values: [a]\n", Slot::Value("A"), "two").is_err());
}

#[test]
fn secrets_are_set_replaced_and_removed() {
    let one = set_secret("s", "", "a", BLOCK).unwrap();
    assert!(one.starts_with("a: |\n  -----BEGIN"));
    let two = set_secret("s", &format!("# ours\n{one}# about b\n"), "b.c", BLOCK).unwrap();
    let three = set_secret("s", &two, "a", &BLOCK.replace("YWdl", "YWdm")).unwrap();
    assert_eq!(three, two.replacen("YWdl", "YWdm", 1), "comments stay");
    assert_eq!(
        remove_secret("s", &three, "a").unwrap(),
        format!("# ours\n# about b\n{}", one.replace("a: |", "b.c: |"))
    );
    assert!(set_secret("s", "{ a: x }", "a", BLOCK).is_err());
    let fleet = crate::fleet::secrets_file::from_node(
        &read("s", &three).unwrap(),
        "s",
        crate::fleet::Scope::Fleet,
        "x",
        &mut Vec::new(),
    );
    assert_eq!(fleet.secrets.len(), 2);
}
