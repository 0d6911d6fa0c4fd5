//! The schemas accept what the reader accepts, and refuse what it refuses.
#![expect(clippy::disallowed_methods, reason = "tests read the cases")]

use escadre_model::fleet::{schema, write};
use escadre_model::name::Name;
use escadre_model::text::{Limits, parse_one};
use serde_json::Value;
use std::fmt::Write as _;

/// As much of JSON Schema as ours use.
fn wrong(schema: &Value, value: &Value, path: &str, out: &mut String) {
    let mut say = |what: &str| writeln!(out, "{path}: {what}").unwrap();
    if schema.get("not").is_some() {
        return say("reserved");
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        let fits = |one: &Value| {
            let mut none = String::new();
            wrong(one, value, path, &mut none);
            none.is_empty()
        };
        if !any.iter().any(fits) {
            say("none of the forms");
        }
    }
    if let Some(of) = schema.get("enum").and_then(Value::as_array)
        && !of.contains(value)
    {
        say("not one of the words");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is = |wanted: &Value| wanted == kind || wanted == "number" && kind == "integer";
    let fits = match schema.get("type") {
        Some(Value::Array(all)) => all.iter().any(is),
        Some(one) => is(one),
        None => true,
    };
    if !fits {
        say(&format!("is {kind}"));
    }
    if let (Some(items), Some(all)) = (schema.get("items"), value.as_array()) {
        all.iter().for_each(|item| wrong(items, item, path, out));
    }
    let Some(map) = value.as_object() else { return };
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
        if !map.contains_key(required.as_str().unwrap()) {
            writeln!(out, "{path}: {required} is missing").unwrap();
        }
    }
    for (key, value) in map {
        let below = format!("{path}.{key}");
        match (schema.get("properties").and_then(|properties| properties.get(key)), schema.get("additionalProperties"))
        {
            (Some(schema), _) => wrong(schema, value, &below, out),
            (None, Some(Value::Bool(false))) => writeln!(out, "{below}: unknown").unwrap(),
            (None, Some(schema)) => wrong(schema, value, &below, out),
            (None, None) => {}
        }
    }
}

fn judged(kind: &str, text: &str) -> String {
    let all = schema();
    let (_, schema) = all.iter().find(|(name, _)| *name == kind).unwrap();
    let (node, findings) = parse_one(kind, text.as_bytes(), Limits::default());
    assert!(findings.is_empty(), "{findings:?}");
    let mut out = String::new();
    wrong(schema, &node.unwrap().to_json(), kind, &mut out);
    out
}

fn kind_of(path: &str) -> Option<&'static str> {
    match path {
        "fleet.yaml" => Some("fleet"),
        _ if path.ends_with("/product.yaml") => Some("product"),
        _ if path.ends_with("/channels.yaml") => Some("channels"),
        _ if path.starts_with("zones/") => Some("zone"),
        _ if path.starts_with("instances/") && !path.contains("secrets") && !path.contains("files/") => {
            Some("instance")
        }
        _ => None,
    }
}

fn files(case: &str) -> Vec<(String, String)> {
    let text =
        std::fs::read_to_string(format!("{}/tests/cases/fleet-{case}.case", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let (files, _) = text.split_once("\n--------------------\n").unwrap();
    format!("\n{files}\n")
        .split("\n==> ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn what_the_reader_accepts_is_valid() {
    let mut judged_files = 0;
    for (path, text) in files("good") {
        if let Some(kind) = kind_of(&path).filter(|_| !path.ends_with("compose.yaml")) {
            assert_eq!(judged(kind, &text), "", "{path}");
            judged_files += 1;
        }
    }
    assert!(judged_files >= 5);
}

#[test]
fn what_the_reader_refuses_as_unknown_or_reserved_is_not() {
    for (case, wanted) in [("unknown-keys", "unknown"), ("reserved", "reserved")] {
        let told: String = files(case)
            .iter()
            .filter_map(|(path, text)| Some(judged(kind_of(path).filter(|_| !path.ends_with("compose.yaml"))?, text)))
            .collect();
        assert!(told.matches(wanted).count() >= 3, "{case}: {told}");
    }
}

#[test]
fn every_word_says_what_it_is() {
    fn each(schema: &Value, path: &str) {
        for (key, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{key}");
            let has_more = value.get("properties").is_some();
            let about = value.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(has_more || !about.is_empty(), "{path} has no description");
            each(value, &path);
        }
        if let Some(more @ Value::Object(_)) = schema.get("additionalProperties") {
            each(more, path);
        }
    }
    for (kind, schema) in schema() {
        each(&schema, kind);
    }
}

#[test]
fn what_is_scaffolded_is_a_fleet() {
    let name = |text: &str| Name::new(text).unwrap();
    let mut tree = crate::fleet::Memory::default();
    let recipients = [(name("ops"), "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq".to_owned())];
    let files = write::new_fleet(&name("ours"), "6f1c9a2e", "unix:///run/podman/podman.sock", &recipients);
    for file in files.into_iter().chain(write::new_product(&name("desk"))) {
        if let Some(kind) = kind_of(&file.path) {
            assert_eq!(judged(kind, &file.text), "");
        }
        tree = tree.with(&file.path, file.text);
    }
    let (fleet, findings) = escadre_model::fleet::read(&tree);
    assert!(findings.is_empty(), "{findings:?}");
    let fleet = fleet.unwrap();
    let product = &fleet.products[&name("desk")];
    let (acme, production) = (name("acme"), name("production"));
    let mut new = write::NewInstance { name: &acme, environment: &production, size: None, values: Default::default() };
    let without = write::new_instance(product, &new);
    assert!(without.text.contains("# DOMAIN:      # hostname, required: where people go"), "{}", without.text);
    new.values.insert("DOMAIN".into(), "acme.example".into());
    let file = write::new_instance(product, &new);
    let tree = tree.with(&file.path, file.text);
    let (fleet, findings) = escadre_model::fleet::read(&tree);
    assert!(findings.is_empty(), "{findings:?}");
    let fleet = fleet.unwrap();
    assert_eq!(write::secrets_path(&fleet, &acme).as_deref(), Some("instances/acme.secrets.yaml"));
    let keys = escadre_model::resolve::Keys::none();
    let cache = escadre_model::resolve::Cache::new();
    let (resolved, findings) = escadre_model::resolve::instance(&fleet, "acme", &tree, &keys, &cache);
    assert!(resolved.is_some(), "{findings:?}");
}
