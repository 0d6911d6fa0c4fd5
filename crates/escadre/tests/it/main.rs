//! The binary as a black box: here what works without files and without an engine, beside it the suites on a real one.
//!
//! In: command lines. Out: exit code, standard output, standard error.
//! **Invariant**: data on standard output, everything else on standard error; no command line panics.
//! Not here: an engine (the suites on a real one).

mod acme;
mod adopt;
mod apps;
mod back;
mod bad;
mod boot;
mod build;
mod compose_peer;
mod crossed;
mod edge;
mod fleet;
mod hooks;
mod https;
mod import;
#[cfg(feature = "kill-points")]
mod kill;
mod presence;
mod reboot;
mod refused;
mod registry;
mod room;
mod stranger;
mod transcripts;
mod trouble;
mod update;
mod ways;
mod world;
mod write;

use std::io::Read;
use std::process::{Command, Output, Stdio};

fn escadre(line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_escadre"))
        .args(line)
        .env_clear()
        .env("COLUMNS", "80")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it ended by itself")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("text")
}

#[test]
fn help_is_data_and_hides_what_is_not_built() {
    for line in [&["--help"][..], &["help"], &["help", "up"], &["up", "--help"], &["-h"], &["--version"]] {
        let output = escadre(line);
        assert_eq!((code(&output), err(&output).as_str()), (0, ""), "{line:?}");
        assert!(!out(&output).is_empty(), "{line:?}");
    }
    let help = out(&escadre(&["help"]));
    for hidden in ["restore", "backup", "completions", "worker", "serve"] {
        assert!(!help.contains(hidden), "{hidden} is in the help");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "the help fits 80 columns:\n{help}");
}

#[test]
fn bad_command_lines_end_with_2_and_say_why() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "error[E0201]: a verb is missing\n  = help: all verbs: escadre help\n"),
        (&["upp"], "error[E0203]: there is no verb \"upp\"\n  = help: did you mean: escadre up\n"),
        (&["zebra"], "error[E0203]: there is no verb \"zebra\"\n  = help: all verbs: escadre help\n"),
        (&["restore", "larch", "--from", "x"], "error[E0290]: escadre restore will bring saved data back; "),
        (&["secret", "lift"], "error[E0290]: escadre secret lift will move a password out of a Compose file; "),
        (&["proxy", "renew"], "error[E0201]: the following required arguments were not provided: <HOST>\n"),
        (&["explain", "E0999"], "error[E0209]: there is no code \"E0999\"\n"),
        (&["secret", "set", "acme"], "error[E0201]: which secret of acme?\n"),
        (&["secret", "show", "--reveal"], "error[E0201]: --reveal shows one secret"),
        (&["up", "larch", "./x"], "error[E0201]: \"./x\" is a path, and a path stands alone\n"),
        (&["why", "larch/web", "birch"], "error[E0201]: two instances are compared whole: larch/web and birch\n"),
    ];
    for (line, begin) in cases {
        let output = escadre(line);
        assert_eq!((code(&output), out(&output).as_str()), (2, ""), "{line:?}");
        let said = err(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        let begin = begin.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.starts_with(&begin), "{line:?}:\n{said}");
    }
    for line in [
        &["up", "--jsn"][..],
        &["apply"],
        &["apply", "xyz"],
        &["--nothing"],
        &["new"],
        &["exec", "larch/db"],
        &["logs", "--since", "soon"],
    ] {
        let output = escadre(line);
        assert_eq!(code(&output), 2, "{line:?}");
        assert!(err(&output).starts_with("error[E020"), "{line:?}:\n{}", err(&output));
    }
}

#[test]
fn odd_words_never_panic() {
    let long = "x".repeat(100_000);
    for word in ["", " ", "\u{1b}[2J", "é", "日本", "-", "--", "\n", "../..", long.as_str()] {
        for line in [
            &[word][..],
            &["up", word],
            &["explain", word],
            &["why", word],
            &["apply", word],
            &["schema", word],
            &["logs", "--since", word],
        ] {
            let output = escadre(line);
            assert_ne!(code(&output), 255, "{line:?}: {}", err(&output));
            assert!(!err(&output).contains('\u{1b}'), "{line:?} reaches the terminal unescaped");
        }
    }
}

#[test]
fn explain_prints_pages_and_the_list() {
    let page = escadre(&["explain", "e0101"]);
    assert_eq!(code(&page), 0);
    assert!(out(&page).starts_with("# E0101: a file is not UTF-8 text\n"));
    let list = out(&escadre(&["explain"]));
    assert!(list.contains("E0290  a verb is not built yet\n"));
    let json: serde_json::Value = serde_json::from_str(&out(&escadre(&["explain", "E0101", "--json"]))).expect("JSON");
    assert_eq!((json["schema"].as_str(), json["codes"][0]["code"].as_str()), (Some("escadre.codes/1"), Some("E0101")));
}

#[test]
fn schemas_completions_and_manual_pages_are_generated() {
    let names = out(&escadre(&["schema"]));
    assert!(names.lines().any(|name| name == "status"));
    for name in names.lines() {
        let text = out(&escadre(&["schema", name]));
        let schema: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert!(schema.get("title").is_some() || schema.get("$schema").is_some(), "{name}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = escadre(&["completions", shell]);
        assert_eq!(code(&script), 0);
        assert!(out(&script).contains("status") && !out(&script).contains("restore"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("man");
    let path = path.to_str().expect("a path");
    assert_eq!(code(&escadre(&["man", path])), 0);
    assert!(std::path::Path::new(path).join("escadre-up.1").exists());
    assert_eq!(code(&escadre(&["man", "/proc/nothing/here"])), 4, "a folder that cannot be made is the world's fault");
}

#[test]
fn a_reader_who_leaves_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_escadre"))
        .args(["explain", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!((child.wait().expect("it ends").code(), said.as_str()), (Some(0), ""));
}

#[test]
fn colour_goes_to_terminals_only() {
    let plain = escadre(&["upp"]);
    assert!(!err(&plain).contains('\u{1b}'));
    let forced =
        Command::new(env!("CARGO_BIN_EXE_escadre")).arg("upp").env("CLICOLOR_FORCE", "1").output().expect("it runs");
    assert!(err(&forced).contains('\u{1b}'));
    let refused = Command::new(env!("CARGO_BIN_EXE_escadre"))
        .arg("upp")
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1")
        .output()
        .expect("it runs");
    assert!(!err(&refused).contains('\u{1b}'));
}

#[test]
fn doctor_looks_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let output = escadre(&["--state", state.to_str().expect("a path"), "doctor", "--json"]);
    assert!([0, 4].contains(&code(&output)), "{}", err(&output));
    let json: serde_json::Value = serde_json::from_str(&out(&output)).expect("JSON");
    assert_eq!(json["schema"], "escadre.doctor/1");
    for check in json["checks"].as_array().expect("checks") {
        assert!(check["state"] != "bad" || check["mend"].is_string() || check["name"] == "state folder", "{check}");
    }
    assert!(!state.exists(), "doctor made the state folder");
}

#[cfg(not(feature = "kill-points"))]
#[test]
fn killed_at_every_point_of_an_update() {
    world::skip("kill", "the binary has no kill points: --features escadre/kill-points");
}
