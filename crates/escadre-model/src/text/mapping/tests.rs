use super::{FEW, Mapping};
use crate::diagnostic::Span;
use crate::text::{Key, Node, Scalar, Value};
use indexmap::IndexMap;
use proptest::prelude::*;

/// What can be done to a mapping; keys are few, so that they meet.
#[derive(Clone, Debug)]
enum Act {
    Insert(u8, u8),
    Remove(u8),
    /// Keeps the keys that this number does not divide.
    Retain(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (0..60u8, any::<u8>()).prop_map(|(key, value)| Act::Insert(key, value)),
        2 => (0..60u8).prop_map(Act::Remove),
        1 => (2..9u8).prop_map(Act::Retain),
    ]
}

fn name(key: u8) -> String {
    // Keys of one length and of several.
    if key.is_multiple_of(2) { format!("key-{key:03}") } else { format!("k{key}") }
}

fn text(node: Option<Node>) -> Option<String> {
    node.as_ref().and_then(Node::as_str).map(str::to_owned)
}

proptest! {
    /// Whatever is done, it holds what an `IndexMap` holds, in the same order, below the bound, over it and back.
    #[test]
    fn as_an_index_map(acts in prop::collection::vec(act(), 0..200)) {
        let span = Span::whole(&"f".into());
        let (mut ours, mut theirs) = (Mapping::new(), IndexMap::<String, String>::new());
        for act in acts {
            match act {
                Act::Insert(key, value) => {
                    let before = ours.insert(Key::new(name(key), &span), Node::text(value.to_string(), &span));
                    prop_assert_eq!(text(before), theirs.insert(name(key), value.to_string()));
                }
                Act::Remove(key) => {
                    let before = ours.remove(&name(key));
                    prop_assert_eq!(text(before), theirs.shift_remove(&name(key)));
                }
                Act::Retain(number) => {
                    let keep = |key: &str| key.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u8>().unwrap_or(0) % number != 0;
                    ours.retain(|key, _| keep(&key.text));
                    theirs.retain(|key, _| keep(key));
                }
            }
            let listed: Vec<_> = ours.iter().map(|(key, value)| (key.text.to_string(), value.as_str().unwrap_or_default().to_owned())).collect();
            prop_assert_eq!(&listed, &theirs.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(ours.places.is_some(), ours.len() > FEW);
            for key in 0..60 {
                prop_assert_eq!(ours.get(&name(key)).and_then(Node::as_str), theirs.get(&name(key)).map(String::as_str));
            }
        }
    }
}

/// A replaced entry keeps its position and its key's place.
#[test]
fn a_replaced_key_keeps_its_place() {
    let (first, second) = (Span::whole(&"first".into()), Span::whole(&"second".into()));
    let mut mapping: Mapping =
        [(Key::new("a", &first), Node::null(&first)), (Key::new("b", &first), Node::null(&first))]
            .into_iter()
            .collect();
    mapping.insert(Key::new("a", &second), Node::new(Value::Scalar(Scalar::plain("1")), &second));
    let shown: Vec<_> =
        mapping.iter().map(|(key, value)| format!("{}@{} {}", key.text, key.span.file, value.span.file)).collect();
    assert_eq!(shown, ["a@first second", "b@first first"]);
}
