use super::*;
use serde_json::json;

#[test]
fn holes_are_listed_and_filled() {
    let url = text(&[
        Piece::Literal("postgres://u:".into()),
        Piece::Secret(SecretRef::new("pw")),
        Piece::Literal("@db".into()),
    ]);
    let payload = Payload::new(json!({ "Env": [url, "A=b"] }));
    assert_eq!(payload.secrets(), BTreeSet::from([SecretRef::new("pw")]));
    let filled = payload.fill(&|_| Some(Secret::new(b"s3".to_vec()))).unwrap();
    assert_eq!(filled, json!({ "Env": ["postgres://u:s3@db", "A=b"] }));
    assert_eq!(payload.fill(&|_| None), Err(Error::Unset("pw".into())));
}
