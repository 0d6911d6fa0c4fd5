//! Tests with Git, which every developer has.
use super::*;

#[test]
fn a_program_answers_or_says_why_not() {
    let version = Call::new(Program::Git, ["version"]).run().unwrap();
    assert!(version.starts_with(b"git version"));
    let error = Call::new(Program::Git, ["rev-parse", "--verify", "nothing; echo x"]).within(Path::new("/")).run();
    assert!(matches!(error, Err(Error::Failed { .. })), "{error:?}");
}

#[test]
fn the_environment_is_ours() {
    let said = Call::new(Program::Git, ["var", "GIT_EDITOR"]).variable("GIT_EDITOR", "ours").run().unwrap();
    assert_eq!(said, b"ours\n");
}
