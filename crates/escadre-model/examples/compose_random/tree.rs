//! YAML that is yet to be written.
//!
//! In: trees. Out: text, as blocks or in one line, in a layout that a case chooses.
//! **Invariant**: a text reads back as the same text, whatever it looks like; raw words are written as they are.
//! Not here: what stands in the trees.

use std::fmt::Write as _;

/// A value to be written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// As it stands: numbers, booleans, null, tags without a value.
    Raw(String),
    /// A text, quoted where it has to be.
    Text(String),
    /// A text in a style of its own.
    Styled(Style, String),
    Map(Vec<(String, Tree)>),
    List(Vec<Tree>),
    /// `&name value`.
    Anchor(String, Box<Tree>),
    /// `*name`.
    Alias(String),
    /// `!tag value`.
    Tagged(String, Box<Tree>),
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Style {
    Single,
    Double,
    Literal,
}

pub(crate) use Tree::{List, Map, Raw, Text};

/// A text.
pub(crate) fn text(words: impl Into<String>) -> Tree {
    Text(words.into())
}

/// A word as it stands.
pub(crate) fn raw(word: &str) -> Tree {
    Raw(word.to_owned())
}

/// How a case is laid out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The level from which on everything stands in one line.
    pub(crate) flow_from: usize,
    /// Spaces per level.
    pub(crate) indent: usize,
    /// Items of lists stand deeper than their key.
    pub(crate) deep_items: bool,
    /// Remarks and empty lines stand between keys.
    pub(crate) remarks: bool,
    /// How lines end, and what stands around documents.
    pub(crate) frame: Frame,
}

/// What stands around the documents of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Frame {
    Bare,
    /// Lines end as on Windows.
    Windows,
    /// A mark of the byte order stands first.
    Mark,
    /// `---` first, `...` last.
    Full,
    /// A directive, then `---`.
    Directive,
}

impl Layout {
    /// The plainest.
    pub(crate) const PLAIN: Self =
        Self { flow_from: 4, indent: 2, deep_items: true, remarks: false, frame: Frame::Bare };

    /// A file of documents.
    pub(crate) fn file(self, documents: &[Tree]) -> String {
        let texts: Vec<String> = documents.iter().map(|tree| self.document(tree)).collect();
        let text = texts.join("---\n");
        match self.frame {
            Frame::Bare => text,
            Frame::Windows => text.replace('\n', "\r\n"),
            Frame::Mark => format!("\u{feff}{text}"),
            Frame::Full => format!("---\n{text}...\n"),
            Frame::Directive => format!("%YAML 1.1\n---\n{text}"),
        }
    }

    /// A document.
    pub(crate) fn document(self, tree: &Tree) -> String {
        let mut out = String::new();
        match tree {
            Map(entries) if !entries.is_empty() => self.map(entries, 0, 0, &mut out),
            tree => {
                flow(tree, &mut out);
                out.push('\n');
            }
        }
        out
    }

    fn map(self, entries: &[(String, Tree)], level: usize, indent: usize, out: &mut String) {
        for (at, (key, value)) in entries.iter().enumerate() {
            if self.remarks && at % 3 == 1 {
                let _ = writeln!(out, "{:indent$}# {key}: 'x {{", "");
            }
            let _ = write!(out, "{:indent$}", "");
            write_key(key, out);
            out.push(':');
            self.value(value, level + 1, indent, out);
        }
    }

    /// What stands after a key or a dash; ends the line.
    fn value(self, value: &Tree, level: usize, indent: usize, out: &mut String) {
        let inline = |out: &mut String| {
            out.push(' ');
            flow(value, out);
            out.push_str(if self.remarks && level.is_multiple_of(2) { " # x\n" } else { "\n" });
        };
        match value {
            Map(entries) if level < self.flow_from && !entries.is_empty() => {
                out.push('\n');
                self.map(entries, level, indent + self.indent, out);
            }
            List(items) if level < self.flow_from && !items.is_empty() => {
                out.push('\n');
                let indent = indent + if self.deep_items { self.indent } else { 0 };
                for item in items {
                    let _ = write!(out, "{:indent$}-", "");
                    self.value(item, level + 1, indent, out);
                }
            }
            Tree::Anchor(name, inner) if level < self.flow_from => {
                let _ = write!(out, " &{name}");
                self.value(inner, level, indent, out);
            }
            Tree::Tagged(tag, inner) if level < self.flow_from => {
                let _ = write!(out, " {tag}");
                self.value(inner, level, indent, out);
            }
            Tree::Styled(Style::Literal, words) if level < self.flow_from && is_literal(words) => {
                let (body, chomp) = match words.strip_suffix('\n') {
                    Some(body) => (body, ""),
                    None => (words.as_str(), "-"),
                };
                let _ = writeln!(out, " |{chomp}");
                let indent = indent + self.indent;
                for line in body.split('\n') {
                    let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "{:indent$}{line}", "") };
                }
            }
            _ => inline(out),
        }
    }
}

/// Whether a text can stand in a block as it is.
fn is_literal(words: &str) -> bool {
    let body = words.strip_suffix('\n').unwrap_or(words);
    !body.is_empty()
        && !body.starts_with([' ', '\n', '\t'])
        && !body.ends_with('\n')
        && body.chars().all(|c| c == '\n' || c == '\t' || !c.is_control() && c != '\u{85}' && c != '\u{feff}')
}

fn write_key(key: &str, out: &mut String) {
    if key == "<<" { out.push_str("<<") } else { scalar(key, out) }
}

/// A tree in one line.
pub(crate) fn flow(tree: &Tree, out: &mut String) {
    match tree {
        Raw(word) => out.push_str(word),
        Text(words) | Tree::Styled(Style::Literal, words) => scalar(words, out),
        Tree::Styled(Style::Double, words) => double(words, out),
        Tree::Styled(Style::Single, words) if words.contains(|c: char| c.is_control()) => double(words, out),
        Tree::Styled(Style::Single, words) => {
            let _ = write!(out, "'{}'", words.replace('\'', "''"));
        }
        List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                flow(item, out);
            }
            out.push(']');
        }
        Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                write_key(key, out);
                out.push_str(": ");
                flow(value, out);
            }
            out.push('}');
        }
        Tree::Anchor(name, inner) => {
            let _ = write!(out, "&{name} ");
            flow(inner, out);
        }
        Tree::Alias(name) => {
            // The space keeps `*a,` and `*a:` apart.
            let _ = write!(out, "*{name} ");
        }
        Tree::Tagged(tag, inner) => {
            let _ = write!(out, "{tag} ");
            flow(inner, out);
        }
    }
}

fn scalar(words: &str, out: &mut String) {
    if is_plain(words) { out.push_str(words) } else { double(words, out) }
}

fn double(words: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(words).unwrap_or_default());
}

/// Whether a text can stand without quotes anywhere and still be a text.
fn is_plain(words: &str) -> bool {
    let Some(first) = words.chars().next() else { return false };
    let allowed = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | '+' | '=' | ':' | '$' | '@' | ' ' | '~' | ';')
    };
    let number = words.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | '_' | '-' | '+' | 'x' | 'o' | ':'));
    let lower = words.to_ascii_lowercase();
    (first.is_alphanumeric() || matches!(first, '/' | '.' | '$'))
        && !words.ends_with([' ', ':'])
        && !words.contains(": ")
        && words.chars().all(allowed)
        && !(number && (first.is_ascii_digit() || first == '.'))
        && !matches!(
            lower.as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n" | ".inf" | ".nan"
        )
}
