//! Tests of questions.
use super::*;
use crate::views::samples;

#[test]
fn the_easy_answer_is_never_the_dangerous_one() {
    let (yes, no, number) = (Question::Yes("a".into()), Question::No("a".into()), Question::Number("a".into(), 40));
    assert!(agrees(&yes, "\n") && agrees(&yes, "Y\n") && !agrees(&yes, "n\n") && !agrees(&yes, "what\n"));
    assert!(!agrees(&no, "\n") && agrees(&no, "yes\n"));
    assert!(!agrees(&number, "\n") && !agrees(&number, "y\n") && !agrees(&number, "39\n") && agrees(&number, "40\n"));
}

#[test]
fn a_plan_gets_the_question_it_needs() {
    assert!(matches!(of(&samples::first_up()), Some(Question::Yes(_))));
    assert!(matches!(of(&samples::fleet()), Some(Question::Number(_, 40))));
    assert_eq!(of(&samples::nothing()), None);
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let look = super::super::Look::plain(80);
    let terminal = Terminal { out: look, err: look, interactive: false, live: false };
    let Err(Fault::Findings(exit, findings)) = ask(&Question::Yes("Go on?".into()), &terminal) else { panic!() };
    assert_eq!((exit.number(), findings[0].code), (3, Code::E0207));
}
