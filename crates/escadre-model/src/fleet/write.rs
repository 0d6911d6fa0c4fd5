//! Text that is written for people, and small edits of what people wrote.
//!
//! In: names, values, encrypted blocks, the text of a file. Out: new text, comments and order kept.
//! **Invariant:** an edit is read again before it is given back: it changed what was asked and nothing else, or it is refused.
//! Not here: files, encryption (`escadre_drivers`), questions to people (the binary).
//! Tests: `write/tests.rs`.

use super::{Fleet, Generate, Product, SecretDeclaration};
use crate::name::Name;
use crate::text::{Limits, Node, Value, parse_one};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// A file to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Its path in the tree.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// Why a text cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not valid as it stands.
    #[error("{0} cannot be edited before it is mended: {1}")]
    Invalid(String, String),
    /// Its form is one that is edited by people only.
    #[error("{0} is written in a way that only a person can edit; change {1} there by hand")]
    ByHand(String, String),
}

/// A new fleet: fleet.yaml with one environment after the other, a target, and the recipients of its secrets.
pub fn new_fleet(name: &Name, id: &str, address: &str, recipients: &[(Name, String)]) -> Vec<NewFile> {
    let mut text = format!(
        "fleet: {name}\nid: {id}                      # two fleets of one name are told apart by it\n\
         environments:                     # in the order in which changes travel\n  integration: {{}}\n  production: {{}}\n\
         targets:\n  host-1: {{ podman: {} }}\ndefaults: {{ target: host-1 }}\n",
        quote(address)
    );
    text.push_str("recipients:                       # who can read the secrets\n");
    for (name, recipient) in recipients {
        // Writing to a String cannot fail; so below.
        let _ = writeln!(text, "  {name}: {}", quote(recipient));
    }
    if recipients.is_empty() {
        text.truncate(text.len() - "recipients:                       # who can read the secrets\n".len());
    }
    vec![NewFile { path: super::FILE.to_owned(), text }]
}

/// A new product: product.yaml, and a Compose file unless there is one to be taken over.
pub fn new_product(name: &Name, compose: Option<&str>) -> Vec<NewFile> {
    let folder = format!("products/{name}");
    let product = format!(
        "product: {name}\n# title: for people\nparameters:                       # a parameter is the Compose variable of its name\n\
         \x20 DOMAIN: {{ type: hostname, required: true, help: \"where people go\" }}\n\
         # secrets:\n#   db_password: {{ generate: password, length: 32 }}     # a file under /run/secrets\n\
         # endpoints:\n#   portal: {{ service: web, port: 80, hosts: [\"${{DOMAIN}}\"] }}\n\
         # sizes:\n#   small: {{ web: {{ cpus: 0.5, memory: 256M }} }}\n"
    );
    let services =
        "services:\n  web:\n    image: docker.io/library/nginx:1.27\n    environment:\n      DOMAIN: ${DOMAIN}\n";
    vec![
        NewFile { path: format!("{folder}/product.yaml"), text: product },
        NewFile { path: format!("{folder}/compose.yaml"), text: compose.unwrap_or(services).to_owned() },
    ]
}

/// What is asked for a new instance.
#[derive(Clone, Debug)]
pub struct NewInstance<'n> {
    /// Its name.
    pub name: &'n Name,
    /// Its environment.
    pub environment: &'n Name,
    /// Its size, if any.
    pub size: Option<&'n Name>,
    /// Values that are known already.
    pub values: BTreeMap<Arc<str>, Arc<str>>,
}

/// A new instance of a product: its file, with every parameter that has no value yet as a comment that says what it is for.
pub fn new_instance(product: &Product, new: &NewInstance<'_>) -> NewFile {
    let mut text =
        format!("instance: {}\nproduct: {}\nenvironment: {}\n", new.name, product.name.value, new.environment);
    if let Some(size) = new.size {
        let _ = writeln!(text, "size: {size}");
    }
    if !product.parameters.is_empty() {
        text.push_str("values:\n");
    }
    for (name, parameter) in &product.parameters {
        let help = parameter.help.as_ref().map_or_else(String::new, |help| format!(": {}", one_line(help)));
        let required = if parameter.required { ", required" } else { "" };
        let about = format!("# {}{required}{help}", parameter.kind.word());
        match (new.values.get(name), &parameter.default) {
            (Some(value), _) => {
                let _ = writeln!(text, "  {name}: {}", quote(value));
            }
            (None, Some(default)) => {
                let _ = writeln!(text, "  # {name}: {}      {about}", quote(&default.value));
            }
            (None, None) => {
                let _ = writeln!(text, "  # {name}:      {about}");
            }
        }
    }
    NewFile { path: format!("instances/{}.yaml", new.name), text }
}

/// The secrets of a product that are made for a new instance, and how.
pub fn secrets_made(product: &Product) -> impl Iterator<Item = (&Arc<str>, &Generate)> {
    product.secrets.iter().filter_map(|(name, secret)| Some((name, secret.generate.as_ref()?)))
}

/// The secrets of a product that people must set.
pub fn secrets_asked(product: &Product) -> impl Iterator<Item = (&Arc<str>, &SecretDeclaration)> {
    product.secrets.iter().filter(|(_, secret)| secret.generate.is_none())
}

/// The path of the secrets file of an instance: beside its file, whatever its form.
pub fn secrets_path(fleet: &Fleet, instance: &Name) -> Option<String> {
    let instance = fleet.instances.get(instance)?;
    if let Some(file) = &instance.secrets {
        return Some(file.file.to_string());
    }
    let is_folder = instance.file.ends_with("/instance.yaml");
    Some(if is_folder {
        format!("{}/secrets.yaml", instance.folder)
    } else {
        format!("{}/{}.secrets.yaml", instance.folder, instance.name.value)
    })
}

/// Sets or replaces an encrypted block in the text of a secrets file; an empty text is a new file.
///
/// # Errors
/// When the file cannot be read, or is not written as keys at the beginning of lines.
pub fn set_secret(file: &str, text: &str, name: &str, block: &str) -> Result<String, EditError> {
    let mut entry = format!("{}: |\n", quote_key(name));
    for line in block.trim().lines() {
        let _ = writeln!(entry, "  {}", line.trim());
    }
    edit_entry(file, text, name, &entry, &|got| {
        got.and_then(Json::as_str).is_some_and(|got| same_lines(block.trim(), got))
    })
}

/// Takes a secret out of the text of a secrets file.
///
/// # Errors
/// As [`set_secret`].
pub fn remove_secret(file: &str, text: &str, name: &str) -> Result<String, EditError> {
    edit_entry(file, text, name, "", &|got| got.is_none())
}

/// Sets a top-level key of a file to what stands in `entry` (whole lines, the key included), or adds it at the end.
///
/// # Errors
/// As [`set_secret`].
pub fn put(file: &str, text: &str, key: &str, entry: &str) -> Result<String, EditError> {
    let wanted = read(file, entry)?.get(key).map(Node::to_json);
    edit_entry(file, text, key, entry, &|got| got == wanted.as_ref())
}

/// Replaces the lines of a top-level key, or adds them at the end.
fn edit_entry(
    file: &str,
    text: &str,
    name: &str,
    entry: &str,
    fits: &dyn Fn(Option<&Json>) -> bool,
) -> Result<String, EditError> {
    let by_hand = || EditError::ByHand(file.to_owned(), name.to_owned());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_new = text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'));
    let mut expected = if is_new { Json::Object(serde_json::Map::new()) } else { read(file, text)?.to_json() };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let found =
        if is_new { None } else { read(file, text)?.as_mapping().and_then(|mapping| mapping.key(name).cloned()) };
    let edited = match found {
        Some(key) if key.span.column != 1 => return Err(by_hand()),
        Some(key) => {
            let first = (key.span.line as usize).saturating_sub(1);
            // The value is what is indented below its key; blank lines at its end belong to what follows.
            let mut end = first + 1;
            for (i, line) in lines.iter().enumerate().skip(first + 1) {
                if line.starts_with([' ', '\t']) {
                    end = i + 1;
                } else if !line.trim().is_empty() {
                    break;
                }
            }
            let before: String = lines.iter().take(first).copied().collect();
            let after: String = lines.iter().skip(end).copied().collect();
            format!("{before}{entry}{after}")
        }
        None => format!("{}{entry}", ended(text)),
    };
    let Json::Object(map) = &mut expected else { return Err(by_hand()) };
    map.remove(name);
    if edited.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return if map.is_empty() { Ok(edited) } else { Err(by_hand()) };
    }
    let now = read(file, &edited).map_err(|_| by_hand())?;
    let Json::Object(mut got) = now.to_json() else { return Err(by_hand()) };
    let value = got.remove(name);
    if fits(value.as_ref()) && got == *map { Ok(edited) } else { Err(by_hand()) }
}

fn same_lines(a: &str, b: &str) -> bool {
    a.trim().lines().map(str::trim).eq(b.trim().lines().map(str::trim))
}

/// What `set` changes in an instance's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot<'s> {
    /// A key of the instance itself: `state`, `size`, `target`, `zone`, `environment`.
    Key(&'s str),
    /// The value of a parameter.
    Value(&'s str),
}

/// The keys of an instance that `set` may change.
pub const SETTABLE: &[&str] = &["state", "size", "target", "zone", "environment"];

impl<'s> Slot<'s> {
    /// What a word typed by a person means for a product: a parameter of that name first, then a key of the instance.
    pub fn of(product: &Product, word: &'s str) -> Option<Self> {
        if product.parameter(word).is_some() {
            return Some(Slot::Value(word));
        }
        SETTABLE.contains(&word).then_some(Slot::Key(word))
    }

    fn word(self) -> &'s str {
        match self {
            Slot::Key(word) | Slot::Value(word) => word,
        }
    }
}

/// Sets a value in the text of an instance's file; comments, order and everything else stay.
///
/// # Errors
/// When the file cannot be read, or its form cannot be edited without changing more than was asked.
pub fn set(file: &str, text: &str, slot: Slot<'_>, value: &str) -> Result<String, EditError> {
    let by_hand = || EditError::ByHand(file.to_owned(), slot.word().to_owned());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let root = read(file, text)?;
    let edited = match slot {
        Slot::Key(key) => match root.get(key).filter(|node| !node.is_null()) {
            Some(node) => replace(text, node, value),
            None if root.span.column == 1 && !text.trim_start().starts_with('{') => {
                Some(format!("{}{key}: {}\n", ended(text), quote(value)))
            }
            None => None,
        },
        Slot::Value(key) => set_value(text, &root, key, value),
    }
    .ok_or_else(by_hand)?;
    let mut expected = root.to_json();
    let Json::Object(map) = &mut expected else { return Err(by_hand()) };
    let now = read(file, &edited).map_err(|_| by_hand())?;
    let changed = match slot {
        Slot::Key(key) => {
            map.insert(key.to_owned(), now.get(key).map_or(Json::Null, Node::to_json));
            now.get(key)
        }
        Slot::Value(key) => {
            let changed = now.get("values").and_then(|values| values.get(key));
            let values = map.entry("values").or_insert(Json::Null);
            if values.is_null() {
                *values = Json::Object(serde_json::Map::new());
            }
            let Json::Object(values) = values else { return Err(by_hand()) };
            values.insert(key.to_owned(), changed.map_or(Json::Null, Node::to_json));
            changed
        }
    };
    let is_as_asked = changed.and_then(Node::as_str) == Some(value);
    if is_as_asked && now.to_json() == expected { Ok(edited) } else { Err(by_hand()) }
}

fn set_value(text: &str, root: &Node, key: &str, value: &str) -> Option<String> {
    let line = format!("{key}: {}", quote(value));
    let Some(values) = root.get("values").filter(|values| !values.is_null()) else {
        return match root.as_mapping()?.key("values") {
            // `values:` with nothing or only comments below it.
            Some(written) => {
                let end = line_end(text, written.span.end as usize);
                Some(format!("{}\n  {line}{}", text.get(..end)?, text.get(end..)?))
            }
            None => Some(format!("{}values:\n  {line}\n", ended(text))),
        };
    };
    if let Some(node) = values.get(key) {
        return replace(text, node, value);
    }
    let mapping = values.as_mapping()?;
    if text.get(values.span.start as usize..)?.starts_with('{') {
        let Some((_, last)) = mapping.iter().last() else {
            let (start, end) = (values.span.start as usize, values.span.end as usize);
            return Some(format!("{}{{ {line} }}{}", text.get(..start)?, text.get(end..)?));
        };
        let at = last.span.end as usize;
        return Some(format!("{}, {line}{}", text.get(..at)?, text.get(at..)?));
    }
    let indent = " ".repeat(mapping.iter().next().map_or(2, |(key, _)| key.span.column as usize - 1));
    let (_, last) = mapping.iter().last()?;
    let upto = text.get(..last.span.end as usize)?.trim_end().len();
    let at = line_end(text, upto);
    Some(format!("{}\n{indent}{line}{}", text.get(..at)?, text.get(at..)?))
}

fn replace(text: &str, node: &Node, value: &str) -> Option<String> {
    if !matches!(node.value, Value::Scalar(_) | Value::Null) {
        return None;
    }
    let (start, end) = (node.span.start as usize, node.span.end as usize);
    let end = start + text.get(start..end)?.trim_end().len();
    Some(format!("{}{}{}", text.get(..start)?, quote(value), text.get(end..)?))
}

/// The end of the line in which a byte stands.
fn line_end(text: &str, from: usize) -> usize {
    text.get(from..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| from + newline)
}

/// The text with a newline at its end.
fn ended(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

fn read(file: &str, text: &str) -> Result<Node, EditError> {
    let (node, findings) = parse_one(file, text.as_bytes(), Limits::default());
    node.filter(|node| node.as_mapping().is_some()).ok_or_else(|| {
        let why = findings.first().map_or_else(|| "it is no mapping".to_owned(), ToString::to_string);
        EditError::Invalid(file.to_owned(), why)
    })
}

/// A scalar as YAML writes it: plain where that reads back as the same text, else quoted.
pub fn quote(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/@+-".contains(&b))
        && !matches!(text, "null" | "Null" | "NULL");
    // Addresses may hold a colon where no blank follows.
    let address = text.contains("://")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/@+-:".contains(&b))
        && !text.ends_with(':');
    // A JSON string is a YAML string in double quotes.
    if plain || address { text.to_owned() } else { Json::from(text).to_string() }
}

fn quote_key(name: &str) -> String {
    quote(name)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
