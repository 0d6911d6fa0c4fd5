use super::*;

#[test]
fn the_house_is_what_its_drawing_says() {
    let findings = check(&root()).unwrap();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn an_arrow_that_is_not_in_the_drawing_is_found() {
    let manifest = "[dependencies]\nescadre-engine.workspace = true\nserde.workspace = true\n\n[dev-dependencies]\nescadre-testkit.workspace = true\n";
    let findings = arrows("escadre-model", manifest);
    assert_eq!(
        findings,
        ["crates/escadre-model/Cargo.toml: the arrow escadre-model -> escadre-engine is not in the drawing"]
    );
    assert!(!arrows("escadre-portal", manifest).is_empty());
}

#[test]
fn a_door_in_the_wrong_room_is_found() {
    assert_eq!(
        arrows("escadre-plan", "[dependencies]\nsqlx = { workspace = true }\n"),
        ["crates/escadre-plan/Cargo.toml: sqlx is a door of escadre-drivers"]
    );
}

#[test]
fn a_file_without_a_header_is_found() {
    assert_eq!(header("crates/a/src/b.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(header("crates/a/src/b.rs", "//! What this is.\n//!\n//! In: a. Out: b.\n").len(), 3);
}

#[test]
fn empty_names_and_silent_skips_are_found() {
    assert_eq!(size_and_name("crates/a/src/util.rs", "").len(), 1);
    assert_eq!(size_and_name("crates/a/src/common/mod.rs", "").len(), 1);
    assert_eq!(words("crates/a/src/b.rs", concat!("#[ign", "ore]\n")).len(), 1);
    assert_eq!(words("crates/a/src/b.rs", concat!("#[all", "ow(dead_code)]\n")).len(), 1);
    assert_eq!(words("crates/a/src/b.rs", concat!("#![all", "ow(dead_code)]\n")).len(), 1);
}

#[test]
fn a_code_without_a_test_is_found() {
    let list = "    // E01\n    E0101 \"a\";\n    W0102 \"b\";\n            Code \"c\"\n";
    assert_eq!(
        codes(list, &["Code::E0101".to_owned()]),
        ["crates/escadre-model/src/diagnostic/code.rs: no test or case names W0102"]
    );
}

#[test]
fn programs_and_the_outside_in_the_wrong_room_are_found() {
    let start = "use std::process::Command;\n";
    assert_eq!(reaches("crates/escadre-drivers/src/podman/x.rs", start).len(), 1);
    assert!(reaches("crates/escadre-drivers/src/exec.rs", start).is_empty());
    assert!(reaches("crates/escadre-drivers/tests/it/x.rs", start).is_empty());
    assert_eq!(reaches("crates/escadre-plan/src/x.rs", "    let now = SystemTime::now();\n").len(), 1);
    assert!(reaches("crates/escadre-plan/src/x.rs", "// std::fs is banned\n").is_empty());
    assert!(reaches("crates/escadre-engine/src/x.rs", "use std::thread;\n").is_empty());
}
