use super::*;

#[test]
fn names_are_taken_as_written() {
    for good in ["no", "a", "france-production", "7", &"x".repeat(63)] {
        assert_eq!(Name::new(good).map(String::from).as_deref(), Ok(good));
    }
}

#[test]
fn what_is_outside_the_grammar_is_refused() {
    let cases: [(&str, Error); 8] = [
        ("", Error::Empty),
        ("-rf", Error::Edge),
        ("a-", Error::Edge),
        ("2.10", Error::Character("\".\"".into())),
        ("Foo", Error::Character("\"F\"".into())),
        ("a;b", Error::Character("\";\"".into())),
        ("caf\u{e9}", Error::Character("\"\\u{e9}\"".into())),
        (&"x".repeat(64), Error::TooLong(64)),
    ];
    for (text, why) in cases {
        assert_eq!(Name::new(text), Err(why), "{text}");
    }
    assert!(Name::new("my_app").is_err());
    assert!(Name::project("my_app").is_ok());
    assert!(Name::project("_app").is_err());
}
