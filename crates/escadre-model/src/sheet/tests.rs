//! A filled sheet is what would have been made for the instance alone.
use super::*;
use crate::text::{LateVariables, Piece};

#[test]
fn fields_are_filled_for_each_instance() {
    let late = LateVariables::new(["DOMAIN"].map(Into::into));
    let domain = || Piece::Late(late.holes().next().expect("one").1);
    let text = |pieces: Vec<Piece>| Text::from_pieces(pieces);
    let secret = || Piece::Secret(SecretRef::new("pw"));
    let entry = |path: &str, value: Told| Entry { path: path.into(), value, source: None, raw: None };
    let sheet = Sheet {
        fields: vec![
            entry("a", Told::text("same".into())),
            entry("b", Told::text(text(vec![Piece::Literal("https://".into()), domain()]))),
            entry("c", Told::text(text(vec![domain(), secret()]))),
            entry("d", Told::row(vec!["serve".into(), text(vec![domain()]), "".into()])),
            entry("e", Told::row(vec!["serve".into(), "two words".into()])),
            entry("f", Told::Digest(text(vec![domain()]))),
        ],
        words: Arc::new(Words::new(&serde_json::json!({}))),
        body: None,
    };
    let values = |domain: &str, hash: Option<KeyedHash>| Values {
        late: [Arc::from(domain)].into(),
        secrets: hash.map(|hash| (SecretRef::new("pw"), hash)).into_iter().collect(),
    };
    let hash = KeyedHash::of(&crate::secret::HashKey::new([7; 32]), "x", &crate::secret::Secret::new(b"s".to_vec()));
    let shown = |values: &Values| sheet.fields(values).into_iter().map(|field| field.value).collect::<Vec<_>>();
    let plain = |text: &str| Shown::Plain(text.into());
    let digest = Shown::Plain(Hash::of("a.example").short().into());
    assert_eq!(
        shown(&values("a.example", Some(hash.clone()))),
        [
            plain("same"),
            plain("https://a.example"),
            Shown::Secret(hash),
            plain("serve a.example \"\""),
            plain("serve \"two words\""),
            digest
        ]
    );
    let unknown = values("b c", None);
    assert_eq!(shown(&unknown)[2..4], [Shown::Unknown, plain("serve \"b c\" \"\"")]);
    assert_eq!(sheet.fields.iter().filter(|entry| entry.is_unknown(&unknown)).count(), 1);
    assert_eq!(sheet.field("b", &unknown).expect("it is there").value, plain("https://b c"));
    assert_eq!(late.asked().count(), 0, "filling asks for nothing");
}
