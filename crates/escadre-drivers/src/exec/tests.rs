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

#[test]
fn what_is_started_to_stay_says_when_it_fell_at_once() {
    let mut git = Call::new(Program::Git, ["no-such-word"]).detach().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while git.failed().is_none() {
        assert!(std::time::Instant::now() < until, "it ended and nobody says so");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let error = Call::own(Path::new("/nowhere/escadre"), ["proxy"]).detach().unwrap_err();
    assert!(matches!(error, Error::NotInstalled("escadre")), "{error:?}");
}

#[test]
fn what_is_started_to_stay_does_not_stand_in_the_callers_folder() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("where");
    let line = ["-P".as_ref(), "/proc/self/cwd".as_ref(), target.as_os_str()];
    let mut copy = Call::own(Path::new("/bin/cp"), line).detach().unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !target.is_symlink() {
        assert_eq!(copy.failed(), None);
        assert!(std::time::Instant::now() < until, "it does not end");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(std::fs::read_link(&target).unwrap(), Path::new("/"));
}
