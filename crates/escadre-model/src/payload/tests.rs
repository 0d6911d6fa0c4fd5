//! Words and their holes: those of secrets stay, those of late variables are filled as if they had never been there.
use super::*;
use crate::text::{Late, LateVariables};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn holes_are_listed_and_filled() {
    let url = text(&Text::from_pieces([
        Piece::Literal("postgres://u:".into()),
        Piece::Secret(SecretRef::new("pw")),
        Piece::Literal("@db".into()),
    ]));
    let payload = Payload::new(&json!({ "Env": [url, "A=b"] }));
    assert_eq!(payload.secrets(), &BTreeSet::from([SecretRef::new("pw")]));
    let filled = payload.fill(&|_| Some(Secret::new(b"s3".to_vec()))).unwrap();
    assert_eq!(filled, json!({ "Env": ["postgres://u:s3@db", "A=b"] }));
    assert_eq!(payload.fill(&|_| None), Err(Error::Unset("pw".into())));
    let text = serde_json::to_string(&payload).unwrap();
    assert_eq!(text, payload.json());
    let again: Payload = serde_json::from_str(&text).unwrap();
    assert_eq!((&again, again.secrets()), (&payload, payload.secrets()));
}

/// A piece: letters, a secret, or a late variable by its slot.
fn piece() -> impl Strategy<Value = (u8, String, usize)> {
    (0_u8..3, "[a\"\\\\\u{1}é/]{0,3}", 0_usize..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn words_filled_later_are_those_spelled_at_once(pieces in prop::collection::vec(piece(), 0..6), values in ["[a\"\\\\\u{1}é/]{1,3}", "b", "\\$text"]) {
        let late: Vec<Late> = LateVariables::new(["A", "B", "C"].map(Into::into)).holes().map(|(_, hole)| hole).collect();
        let values: Arc<[Arc<str>]> = values.iter().map(|value| value.as_str().into()).collect();
        let spelled = |now: bool| {
            Text::from_pieces(pieces.iter().map(|(kind, letters, slot)| match kind {
                0 => Piece::Literal(letters.as_str().into()),
                1 => Piece::Secret(SecretRef::new(letters.as_str())),
                _ if now => Piece::Literal(Arc::clone(&values[*slot])),
                _ => Piece::Late(late[*slot].clone()),
            }))
        };
        let (now, later) = (spelled(true), spelled(false));
        prop_assert_eq!(later.fill(&values), now.clone());
        let value = |spelled: &Text| json!({ "Env": [text(spelled), "x"], "n": 1.5, "\"k": [null, true, {}] });
        let filled = Payload::of(Arc::new(Words::new(&value(&later))), Arc::clone(&values));
        prop_assert_eq!(filled.json(), value(&now).to_string());
        prop_assert_eq!(&filled, &Payload::new(&value(&now)));
        let again: Payload = serde_json::from_str(&filled.json()).unwrap();
        prop_assert_eq!(again.secrets(), filled.secrets());
    }
}
