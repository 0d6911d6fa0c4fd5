//! Bad files and bad worlds, where no engine is needed: each a clear error, all of them at once, and nothing changed.
//!
//! In: `tests/cases/bad.case`: several cases, each with files, a command line and what must be said. Out: exit code, standard error.
//! **Invariant**: what a case expects is in the output word for word, in that order; the files are as they were.
//! Not here: errors that only a running engine can make (`bad_world`). Tests: this is one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// A fleet without a mistake, which each case makes one in.
const SOUND: &[(&str, &str)] = &[
    (
        "fleet.yaml",
        "fleet: badly\nid: 7f1c9a2e\nenvironments:\n  integration: {}\n  production: {}\ntargets:\n  here: { podman: \"unix:///run/nobody.sock\" }\n",
    ),
    (
        "products/shop/product.yaml",
        "product: shop\nparameters:\n  DOMAIN: { type: hostname, required: true, help: \"where people go\" }\n  SEATS: { type: integer, default: 50 }\n",
    ),
    (
        "products/shop/compose.yaml",
        "services:\n  web:\n    image: localhost/shop/web:1\n    environment: { DOMAIN: \"${DOMAIN}\", SEATS: \"${SEATS}\" }\n  db:\n    image: localhost/shop/db:1\n",
    ),
    ("instances/ash.yaml", "instance: ash\nproduct: shop\nenvironment: production\nvalues: { DOMAIN: ash.example }\n"),
    ("instances/elm.yaml", "instance: elm\nproduct: shop\nenvironment: production\nvalues: { DOMAIN: elm.example }\n"),
];

/// One case of the table.
#[derive(Default)]
struct Case {
    name: String,
    /// Path and content; an existing file is replaced.
    files: Vec<(String, String)>,
    line: Vec<String>,
    exit: i32,
    /// In this order in what is said.
    says: Vec<String>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("=== ") {
            all.push(Case { name: name.to_owned(), ..Case::default() });
            continue;
        }
        let Some(case) = all.last_mut() else { continue };
        if let Some(path) = line.strip_prefix("--- ") {
            case.files.push((path.to_owned(), String::new()));
        } else if let Some(line) = line.strip_prefix("$ escadre ") {
            case.line = line.split(' ').map(str::to_owned).collect();
        } else if let Some(exit) = line.strip_prefix("exit ") {
            case.exit = exit.parse().expect("a number");
        } else if let Some(says) = line.strip_prefix("> ") {
            case.says.push(says.to_owned());
        } else if let Some((_, content)) = case.files.last_mut().filter(|_| case.line.is_empty()) {
            content.push_str(line);
            content.push('\n');
        }
    }
    all
}

fn sound() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (path, content) in SOUND {
        write(folder.path(), path, content.as_bytes());
    }
    folder
}

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
    fs::write(path, content).expect("the file is written");
}

fn escadre(root: &Path, line: &[&str], set: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_escadre"))
        .arg("--state")
        .arg(root.join(".state"))
        .args(line)
        .current_dir(root)
        .env_clear()
        .env("COLUMNS", "200")
        .env("PATH", "/usr/bin:/bin")
        .envs(set.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let text = String::from_utf8(both).expect("text");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Exit code, and the sentences in their order.
fn expect(name: &str, output: &Output, exit: i32, says: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(exit), "{name}: {said}");
    let mut rest = said.as_str();
    for want in says {
        let want = want.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(at) = rest.find(&want) else { panic!("{name}: \"{want}\" is not said (in this order):\n{said}") };
        rest = &rest[at + want.len()..];
    }
    assert!(!said.contains("panicked"), "{name}: {said}");
}

#[test]
fn the_sound_fleet_is_sound() {
    let root = sound();
    expect("sound", &escadre(root.path(), &["check"], &[]), 0, &["Nothing is wrong: 2 instances read."]);
}

#[test]
fn bad_files_are_told_with_place_reason_and_next_command() {
    let all = cases(include_str!("../cases/bad.case"));
    assert!(all.len() >= 15, "the table was read: {} cases", all.len());
    for case in &all {
        let root = sound();
        for (path, content) in &case.files {
            write(root.path(), path, content.as_bytes());
        }
        let line: Vec<&str> = case.line.iter().map(String::as_str).collect();
        let says: Vec<&str> = case.says.iter().map(String::as_str).collect();
        expect(&case.name, &escadre(root.path(), &line, &[]), case.exit, &says);
        for (path, content) in &case.files {
            let now = fs::read_to_string(root.path().join(path)).expect("it is still there");
            assert_eq!(&now, content, "{}: {path} is as it was", case.name);
        }
    }
}

#[test]
fn bytes_that_no_text_can_hold() {
    let root = sound();
    write(root.path(), "instances/oak.yaml", b"instance: \xff\xfe\n");
    let output = escadre(root.path(), &["check"], &[]);
    expect(
        "utf-8",
        &output,
        1,
        &["error[E0101]: instances/oak.yaml is not UTF-8", "--> instances/oak.yaml:1:11", "save it as UTF-8"],
    );

    let root = sound();
    let big = fs::File::create(root.path().join("instances/oak.yaml")).expect("a file");
    big.set_len(100 << 20).expect("a long one");
    let output = escadre(root.path(), &["check"], &[]);
    expect("100 MB", &output, 1, &["error[E0102]: instances/oak.yaml has 104857600 bytes, more than the limit of"]);

    let root = sound();
    std::os::unix::fs::symlink("/etc/passwd", root.path().join("instances/oak.yaml")).expect("a link");
    let output = escadre(root.path(), &["check"], &[]);
    expect("link", &output, 1, &["error[E0515]: instances/oak.yaml is a symbolic link"]);
    assert!(!said(&output).contains("root:"), "nothing of the other file is shown");
}

#[test]
fn an_alias_bomb_is_stopped_and_costs_nothing() {
    let root = sound();
    let mut bomb = "x-a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        bomb.push_str(&format!("x-{name}: &{name} [{}]\n", vec![format!("*{of}"); 10].join(", ")));
    }
    bomb.push_str("services: { web: { image: x } }\n");
    write(root.path(), "products/shop/compose.yaml", bomb.as_bytes());
    let began = std::time::Instant::now();
    let output = escadre(root.path(), &["check"], &[]);
    expect("bomb", &output, 1, &["error[E0106]", "nodes once aliases are expanded", "--> products/shop/compose.yaml:"]);
    assert!(began.elapsed().as_secs() < 10, "it is stopped while it is read");
}

#[test]
fn engines_that_are_none() {
    let folder = sound();
    let root = folder.path();
    let one = root.join("one");
    write(root, "one/compose.yaml", b"services:\n  web: { image: localhost/x }\n");
    let help = "= help: what is wrong and what mends it: escadre doctor";

    let nowhere = format!("unix://{}/nowhere.sock", root.display());
    let output = escadre(&one, &["status", "-f", "compose.yaml"], &[("CONTAINER_HOST", &nowhere)]);
    expect(
        "nothing there",
        &output,
        4,
        &["error[E0301]", "does not answer at", "nowhere.sock", "No such file or directory", help],
    );

    write(root, "file", b"");
    fs::set_permissions(root.join("file"), fs::Permissions::from_mode(0o000)).expect("rights");
    let file = format!("unix://{}/file", root.display());
    let output = escadre(&one, &["status", "-f", "compose.yaml"], &[("CONTAINER_HOST", &file)]);
    expect("a file", &output, 4, &["does not answer at", "/file", help]);

    let output = escadre(&one, &["status", "-f", "compose.yaml"], &[("CONTAINER_HOST", "tcp://192.0.2.1:2375")]);
    expect("far away", &output, 4, &["tcp://192.0.2.1:2375", "only engines on this host are driven"]);

    let socket = root.join("garbage.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in listener.incoming().take(1) {
            let mut stream = stream.expect("a call");
            let mut asked = [0; 512];
            let _asked = stream.read(&mut asked);
            let _gone = stream.write_all(b"blah blah\n\n");
        }
    });
    let garbage = format!("unix://{}", socket.display());
    let output = escadre(&one, &["status", "-f", "compose.yaml"], &[("CONTAINER_HOST", &garbage)]);
    expect("garbage", &output, 4, &["does not answer at", "garbage.sock", help]);
    answering.join().expect("it answered once");
}

#[test]
fn a_folder_without_files() {
    let folder = TempDir::new().expect("a folder");
    let output = escadre(folder.path(), &["check"], &[]);
    let says = ["error[E0306]: there is neither a fleet.yaml nor a compose.yaml in", "escadre new fleet NAME"];
    expect("nothing", &output, 1, &says);
}

#[test]
fn commits_and_options_that_lead_nowhere() {
    let folder = sound();
    let root = folder.path();
    let git = |line: &[&str]| {
        let done = Command::new("git").args(line).current_dir(root).env("HOME", root).output();
        assert!(done.expect("git is installed").status.success(), "git {line:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-A"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"]);
    let output = escadre(root, &["check", "--rev", "nosuch"], &[]);
    expect("commit", &output, 2, &["error[E0202]: --rev nosuch: there is no commit \"nosuch\" here", "git log"]);
    expect("HEAD", &escadre(root, &["check", "--rev", "HEAD"], &[]), 0, &["Nothing is wrong"]);
    let output = escadre(root, &["up", "--pull", "sometimes"], &[]);
    expect("pull", &output, 2, &["sometimes", "always, missing, never"]);
}
