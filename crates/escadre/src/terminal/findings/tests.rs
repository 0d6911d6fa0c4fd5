//! Tests of painted findings.
use super::*;
use escadre_model::diagnostic::{Code, Span};

const FILE: &str = "services:\n  web:\n    imgae: nginx\n    image: nginx\n";

fn finding() -> Diagnostic {
    let span = Span { file: "compose.yaml".into(), line: 3, column: 5, start: 21, end: 26 };
    Diagnostic::error(Code::E0112, "unknown key \"imgae\"").label(&span, "here").hint("did you mean \"image\"?")
}

#[test]
fn an_excerpt_shows_the_place() {
    let painted = one(&finding(), &|file| (file == "compose.yaml").then(|| FILE.to_owned()), Look::plain(80));
    let expected = "error[E0112]: unknown key \"imgae\"
 --> compose.yaml:3:5
  |
3 |     imgae: nginx
  |     ^^^^^ here
  |
  = help: did you mean \"image\"?
";
    assert_eq!(painted, expected);
}

#[test]
fn a_source_that_is_gone_or_changed_costs_the_excerpt_only() {
    let expected =
        "error[E0112]: unknown key \"imgae\"\n  --> compose.yaml:3:5  here\n  = help: did you mean \"image\"?\n";
    assert_eq!(one(&finding(), &|_| None, Look::plain(80)), expected);
    assert_eq!(one(&finding(), &|_| Some("short".into()), Look::plain(80)), expected);
    assert_eq!(one(&finding(), &|_| Some("é".repeat(40)), Look::plain(80)), expected, "an offset inside a letter");
}

#[test]
fn one_line_json_and_sum() {
    let list = [finding(), Diagnostic::warning(Code::E0105, "twice")];
    assert_eq!(lines(&list).lines().count(), 2);
    assert_eq!(summary(&list), "1 error, 1 warning");
    let json = serde_json::to_value(json(&list)).unwrap();
    assert_eq!(json["schema"], "escadre.diagnostics/1");
    assert_eq!(json["findings"][0]["places"][0]["line"], 3);
    let error = anyhow::anyhow!("no route to host").context("lyon-2 does not answer");
    assert_eq!(chain(&error, Look::plain(80)), "error: lyon-2 does not answer\n  because: no route to host\n");
}

#[test]
fn many_of_one_code_are_a_line_each_and_bury_nothing() {
    let source = |file: &str| (file == "compose.yaml").then(|| FILE.to_owned());
    let count = |list: &[Diagnostic]| {
        let painted = paint(list, &source, Look::plain(80));
        (
            painted.matches("here").count(),
            painted.matches("compose.yaml:3:5: error[E0112]: unknown key").count(),
            painted,
        )
    };
    let few: Vec<Diagnostic> = (0..MANY).map(|_| finding()).collect();
    let (excerpts, lines, _) = count(&few);
    assert_eq!((excerpts, lines), (MANY, 0));
    let mut many: Vec<Diagnostic> = (0..=MANY).map(|_| finding()).collect();
    many.push(Diagnostic::warning(Code::E0105, "another"));
    let (excerpts, lines, painted) = count(&many);
    assert_eq!((excerpts, lines), (FIRST, MANY + 1 - FIRST), "{painted}");
    assert!(painted.contains("\"?)\n\nwarning[E0105]: another\n"), "the lines are one block:\n{painted}");
    assert!(!painted.contains("\"?)\n\ncompose.yaml"), "no empty lines between them:\n{painted}");
}
