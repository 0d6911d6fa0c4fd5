//! Tests of codes, suggestions and the one-line form.
use super::*;

#[test]
fn every_code_has_a_page_that_names_it() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# {code}: {}\n", code.title())), "{code}: the page's first line");
        assert!(page.lines().count() >= 5, "{code}: the page says too little");
        assert_eq!(Code::find(code.as_str()), Some(*code));
    }
    assert_eq!(Code::find("e0101"), Some(Code::E0101));
    assert_eq!(Code::find("E9999"), None);
}

#[test]
fn every_page_has_a_code() {
    #[expect(clippy::disallowed_methods, reason = "a test compares the list with the folder")]
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/diagnostic/codes")).unwrap();
    for entry in folder {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.strip_suffix(".md").unwrap();
        assert!(Code::find(code).is_some(), "{name} belongs to no code");
    }
}

#[test]
fn suggests_the_word_that_was_meant() {
    let keys = ["image", "privileged", "environment", "env_file"];
    assert_eq!(nearest("privilegd", keys), Some("privileged"));
    assert_eq!(nearest("imgae", keys), Some("image"));
    assert_eq!(nearest("enviroment", keys), Some("environment"));
    assert_eq!(nearest("zebra", keys), None);
    assert_eq!(nearest(&"x".repeat(100_000), keys), None);
}

#[test]
fn prints_one_line_and_serialises() {
    let span = Span { file: "a.yaml".into(), line: 3, column: 5, start: 20, end: 22 };
    let finding = Diagnostic::error(Code::E0112, "unknown key `imgae`").at(&span).hint("did you mean `image`?");
    assert_eq!(finding.to_string(), "a.yaml:3:5: error[E0112]: unknown key `imgae` (did you mean `image`?)");
    let json = serde_json::to_value(&finding).unwrap();
    assert_eq!(json["code"], "E0112");
    assert_eq!(json["labels"][0]["span"]["line"], 3);
}
