//! The JSON schema of the Compose Specification, as what may stand where.
//!
//! In: the schema, as the other loader answers it. Out: [`Place`]s, one below the other, and a list of all of them.
//! **Invariant**: nothing of our own tables is used, so that an attribute they forget is made all the same.
//! Not here: values that make sense (words).

use serde_json::Value;
use std::rc::Rc;

/// What may stand at a place: one of several forms.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) forms: Vec<Form>,
}

/// One form.
#[derive(Debug)]
pub(crate) enum Form {
    Null,
    Bool,
    Integer,
    Number,
    Text { choices: Vec<String> },
    List { of: Rc<Place>, unique: bool },
    Object(Object),
}

/// A mapping.
#[derive(Debug, Default)]
pub(crate) struct Object {
    /// Keys that are known, in the schema's order.
    pub(crate) fields: Vec<(String, Rc<Place>)>,
    /// What keys that people choose may hold.
    pub(crate) free: Option<Rc<Place>>,
    pub(crate) required: Vec<String>,
    /// `x-` keys are allowed.
    pub(crate) extensions: bool,
}

impl Form {
    /// The form in a word.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Form::Null => "null",
            Form::Bool => "boolean",
            Form::Integer => "integer",
            Form::Number => "number",
            Form::Text { .. } => "text",
            Form::List { .. } => "list",
            Form::Object(_) => "mapping",
        }
    }
}

/// Reads the schema.
pub(crate) fn compile(schema: &Value) -> Rc<Place> {
    Rc::new(Place { forms: forms(schema, schema) })
}

fn resolved<'s>(root: &'s Value, mut schema: &'s Value) -> &'s Value {
    while let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        schema = root.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null);
    }
    schema
}

fn forms(root: &Value, schema: &Value) -> Vec<Form> {
    let schema = resolved(root, schema);
    if schema.get("allOf").is_some() || schema.get("type").is_none() && schema.get("properties").is_some() {
        return vec![Form::Object(object(root, schema))];
    }
    if let Some(either) = schema.get("oneOf").or_else(|| schema.get("anyOf").filter(|_| schema.get("type").is_none())) {
        return either.as_array().into_iter().flatten().flat_map(|one| forms(root, one)).collect();
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect(),
        None => vec!["string", "integer", "object"],
    };
    types.into_iter().map(|kind| form(root, schema, kind)).collect()
}

fn form(root: &Value, schema: &Value, kind: &str) -> Form {
    match kind {
        "null" => Form::Null,
        "boolean" => Form::Bool,
        "integer" => Form::Integer,
        "number" => Form::Number,
        "array" => Form::List {
            of: Rc::new(Place { forms: forms(root, schema.get("items").unwrap_or(&Value::Null)) }),
            unique: schema.get("uniqueItems") == Some(&Value::Bool(true)),
        },
        "object" => Form::Object(object(root, schema)),
        _ => Form::Text {
            choices: schema
                .get("enum")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
        },
    }
}

fn object(root: &Value, schema: &Value) -> Object {
    let mut object = Object::default();
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten().chain([schema]) {
        let part = resolved(root, part);
        if part.get("allOf").is_some() && !std::ptr::eq(part, schema) {
            let inner = self::object(root, part);
            object.fields.extend(inner.fields);
            object.extensions |= inner.extensions;
            continue;
        }
        for (name, place) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
            object.fields.push((name.clone(), Rc::new(Place { forms: forms(root, place) })));
        }
        for (pattern, place) in part.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
            if pattern == "^x-" {
                object.extensions = true;
            } else {
                object.free = Some(Rc::new(Place { forms: forms(root, place) }));
            }
        }
        let required = part.get("required").and_then(Value::as_array).into_iter().flatten();
        object.required.extend(required.filter_map(Value::as_str).map(str::to_owned));
    }
    object
}

/// Every path with every form it may have: `services.*.ports.[]: text`.
pub(crate) fn all(place: &Place) -> Vec<String> {
    let mut out = Vec::new();
    visit(place, "", &mut out);
    out
}

fn visit(place: &Place, path: &str, out: &mut Vec<String>) {
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    for form in &place.forms {
        out.push(format!("{path}: {}", form.name()));
        match form {
            Form::List { of, .. } => visit(of, &below("[]"), out),
            Form::Object(object) => {
                object.fields.iter().for_each(|(name, place)| visit(place, &below(name), out));
                if let Some(free) = &object.free {
                    visit(free, &below("*"), out);
                }
            }
            _ => {}
        }
    }
}
