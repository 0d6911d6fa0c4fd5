//! Tests of the verdict table.
use super::*;
use crate::compose::schema::{Object, ROOT, Shape};

/// The verdict that holds for a path: its own, or that of the nearest path above it.
fn holds(path: &str) -> Option<&'static Line> {
    let mut path = path;
    loop {
        if let Some(line) = find(path, None, &Capabilities::default()) {
            return Some(line);
        }
        path = path.rsplit_once('.')?.0;
    }
}

fn attributes(shape: &Shape, path: &str, depth: usize, out: &mut Vec<String>) {
    match shape {
        Shape::Object(object) => members(object, path, depth, out),
        Shape::Dict(_, of) => attributes(of, &format!("{path}.*"), depth, out),
        Shape::List { of, .. } => attributes(of, &format!("{path}.*"), depth, out),
        _ => {}
    }
}

fn members(object: &Object, path: &str, depth: usize, out: &mut Vec<String>) {
    for name in object.names() {
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        out.push(path.clone());
        if depth < 6
            && let Some(shape) = object.field(name)
        {
            attributes(shape, &path, depth + 1, out);
        }
    }
}

#[test]
fn every_attribute_has_a_verdict() {
    let mut paths = Vec::new();
    members(&ROOT, "", 0, &mut paths);
    // `services` itself must not have one, or it would speak for every attribute that was forgotten.
    let missing: Vec<&String> = paths.iter().filter(|path| *path != "services" && holds(path).is_none()).collect();
    assert!(paths.len() > 300, "{}", paths.len());
    assert!(missing.is_empty(), "without a verdict: {missing:?}");
}

#[test]
fn every_line_is_an_attribute_and_says_why() {
    let mut paths = Vec::new();
    members(&ROOT, "", 0, &mut paths);
    for line in TABLE {
        // Short forms hide the members of these from the walk above.
        let hidden = ["ports.*", "volumes.*.", "secrets.*", "configs.*", "build.", "networks.*", "ulimits.*"];
        let known = paths.iter().any(|path| path == line.path) || hidden.iter().any(|part| line.path.contains(part));
        assert!(known, "{} is no attribute", line.path);
        assert_eq!(line.text.is_empty(), line.kind == Kind::Exact, "{}", line.path);
    }
}
