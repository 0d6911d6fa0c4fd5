//! Tests of the verdict table: complete, true to the specification's names, and printed.
use super::table::{TABLE, Where, matches, read};
use super::*;
use crate::compose::schema::attributes;
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn listed() -> BTreeSet<&'static str> {
    include_str!("../../../tests/compose-attributes.txt").lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn the_loader_knows_the_attributes_of_the_specification_and_no_others() {
    let known: BTreeSet<String> = attributes().into_iter().collect();
    let listed: BTreeSet<String> = listed().into_iter().map(str::to_owned).collect();
    let missing: Vec<&String> = listed.difference(&known).collect();
    let invented: Vec<&String> = known.difference(&listed).collect();
    assert!(missing.is_empty(), "not in the loader's tables: {missing:?}");
    assert!(invented.is_empty(), "not in the specification: {invented:?}");
}

#[test]
fn every_attribute_has_a_verdict() {
    assert!(TABLE.broken.is_empty(), "cannot be read: {:?}", TABLE.broken);
    let mut missing = Vec::new();
    // `services` says nothing by itself.
    for attribute in listed().into_iter().filter(|attribute| *attribute != "services") {
        let mut path = Some(attribute);
        // What is not exact speaks for all below it; what is exact speaks for itself alone.
        let line = std::iter::from_fn(|| {
            let now = path?;
            path = now.rsplit_once('.').map(|(above, _)| above);
            Some(now)
        });
        let found = line.map(|path| (path, TABLE.general(path))).find_map(|(path, line)| line.map(|line| (path, line)));
        match found {
            Some((path, line)) if path == attribute || line.kind != Kind::Exact => {}
            _ => missing.push(attribute),
        }
    }
    assert!(missing.is_empty(), "without a verdict: {missing:?}");
}

#[test]
fn every_line_is_of_an_attribute_and_says_what_it_should() {
    let listed = listed();
    for line in TABLE.lines() {
        assert!(listed.contains(line.attribute), "{} is no attribute", line.attribute);
        assert_eq!(line.text.is_empty(), line.kind == Kind::Exact, "{}: what happens", line.attribute);
        assert_eq!(line.instead.is_empty(), line.kind != Kind::Refused, "{}: what to do instead", line.attribute);
        assert_eq!(
            line.code == Code::C0101,
            matches!(line.kind, Kind::Exact) || line.attribute == "version",
            "{}",
            line.attribute
        );
        assert_eq!(line.kubernetes, "-", "{}", line.attribute);
    }
}

#[test]
fn every_line_can_be_reached() {
    let all = TABLE.lines();
    for line in all.iter().filter(|line| line.only == Where::Rootless) {
        // What is below speaks first.
        let below =
            |other: &&&Line| other.attribute.strip_prefix(line.attribute).is_some_and(|rest| rest.starts_with('.'));
        let other = all.iter().find(below).map(|line| line.attribute);
        assert_eq!(other, None, "{} has a condition, and lines below that answer first", line.attribute);
    }
}

#[test]
fn patterns_fit_texts() {
    for (pattern, text, fits) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*://*", "git://x", true),
        ("*b*", "a", false),
        ("*", "", true),
        ("a*c", "abcc", true),
    ] {
        assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
    }
}

/// The page, from the table.
fn page() -> String {
    let mut out = "# What becomes of every Compose attribute\n\n\
        Every key that a Compose file holds gets one of four verdicts. *exact*: as the specification says. *approximated*: the same purpose by other means, or nearly; how is said. \
        *platform*: the line has no effect of its own; who decides is said. *refused*: it is not done; what to write or do instead is said. `escadre check --verdicts` says it of your \
        files, with file and line; `escadre up` counts. With `--strict` whatever is approximated or refused fails, unless it is acknowledged: by its code or its path, in product.yaml or in the Compose file itself.\n\n\
        ```yaml\n# product.yaml                                   # compose.yaml\n\
        acknowledge: [C0102, services.web.logging]       # x-escadre: { acknowledge: [C0102] }\n```\n\n\
        A line with a condition holds where the value is one of those named, or where the engine runs without root; the first that fits holds. Kubernetes is no target yet.\n"
        .to_owned();
    for text in include_str!("table.txt").split("\n\n").skip(1) {
        let title = text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
        let _ = write!(out, "\n## {title}\n\n| attribute | verdict | what happens | code |\n|---|---|---|---|\n");
        text.lines().filter_map(read).for_each(|line| out.push_str(&row(&line)));
    }
    out
}

fn row(line: &Line) -> String {
    let only = match &line.only {
        Where::Always => String::new(),
        Where::Values(values) => {
            format!(" = {}", values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", "))
        }
        Where::Rootless => " (without root)".to_owned(),
        Where::Engine => " (published by the engine: `mode: host`, UDP, more than 64)".to_owned(),
        Where::Endpoint => " (where an endpoint leads)".to_owned(),
        Where::External => " (`external`)".to_owned(),
        Where::Filled => " (of a secret that the product fills)".to_owned(),
        Where::Single => " (a Compose file alone)".to_owned(),
    };
    let kind = serde_json::to_value(line.kind).unwrap_or_default();
    let instead = if line.instead.is_empty() { String::new() } else { format!("; instead: {}", line.instead) };
    let name = line.attribute.strip_prefix("services.*.").unwrap_or(line.attribute);
    format!("| `{name}`{only} | {} | {}{instead} | {} |\n", kind.as_str().unwrap_or_default(), line.text, line.code)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test compares the page with the table")]
fn the_page_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/compose.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, page()).unwrap();
    }
    assert!(std::fs::read_to_string(path).unwrap_or_default() == page(), "{path} is not current; UPDATE=1 writes it");
}
