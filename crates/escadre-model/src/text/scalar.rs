//! Scalars: texts, possibly with secrets in them, and what plain ones read as.
//!
//! In: a text and how it was quoted. Out: [`Scalar`], [`Resolved`].
//! **Invariant**: a text with a secret in it never becomes one string here; the secret stays a named hole.
//! Not here: interpolation, units.
//! Tests: `tests.rs`.

use std::borrow::Cow;
use std::sync::Arc;

pub use crate::payload::Piece;
pub use crate::secret::SecretRef;

/// A text, possibly with secrets in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Text {
    /// Letters only.
    Plain(Arc<str>),
    /// Letters and holes, in order; at least one hole.
    Pieces(Arc<[Piece]>),
}

impl Text {
    /// A text that is nothing but a secret.
    pub fn secret(name: impl Into<Arc<str>>) -> Self {
        Text::Pieces(Arc::from([Piece::Secret(SecretRef(name.into()))]))
    }

    /// Joins pieces; neighbouring letters become one literal, and a text without holes becomes plain.
    pub fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        let mut letters = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => letters.push_str(&text),
                Piece::Secret(name) => {
                    if !letters.is_empty() {
                        joined.push(Piece::Literal(std::mem::take(&mut letters).into()));
                    }
                    joined.push(Piece::Secret(name));
                }
            }
        }
        if joined.is_empty() {
            return Text::Plain(letters.into());
        }
        if !letters.is_empty() {
            joined.push(Piece::Literal(letters.into()));
        }
        Text::Pieces(joined.into())
    }

    /// The letters, if there are no holes.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Text::Plain(text) => Some(text),
            Text::Pieces(_) => None,
        }
    }

    /// The text for people: a hole is shown as `<secret NAME>`.
    pub fn display(&self) -> Cow<'_, str> {
        match self {
            Text::Plain(text) => Cow::Borrowed(text),
            Text::Pieces(pieces) => {
                let mut shown = String::new();
                for piece in pieces.iter() {
                    match piece {
                        Piece::Literal(text) => shown.push_str(text),
                        Piece::Secret(SecretRef(name)) => {
                            shown.push_str("<secret ");
                            shown.push_str(name);
                            shown.push('>');
                        }
                    }
                }
                Cow::Owned(shown)
            }
        }
    }

    /// The pieces, a plain text being one.
    pub fn pieces(&self) -> Vec<Piece> {
        match self {
            Text::Plain(text) => vec![Piece::Literal(Arc::clone(text))],
            Text::Pieces(pieces) => pieces.to_vec(),
        }
    }

    /// The secrets named in it.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        let pieces: &[Piece] = match self {
            Text::Plain(_) => &[],
            Text::Pieces(pieces) => pieces,
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name),
            Piece::Literal(_) => None,
        })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text::Plain(text.into())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text::Plain(text.into())
    }
}

/// How a scalar was written, as far as it matters for its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: reads as a number or a boolean if it looks like one.
    Plain,
    /// Quoted, or a block: always a text.
    Quoted,
}

/// A text, number or boolean as written.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    /// The text after YAML's own escapes.
    pub text: Text,
    /// Whether it was quoted.
    pub style: Style,
}

/// What a scalar reads as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resolved {
    /// Nothing.
    Null,
    /// `true` or `false`, in YAML 1.2's three spellings.
    Bool(bool),
    /// An integer.
    Integer(i128),
    /// A floating-point number; may be infinite or not a number.
    Float(f64),
    /// A text.
    Text,
}

impl Scalar {
    /// A text, whatever it looks like.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self { text: Text::Plain(text.into()), style: Style::Quoted }
    }

    /// A scalar that reads as what it looks like.
    pub fn plain(text: impl Into<Arc<str>>) -> Self {
        Self { text: Text::Plain(text.into()), style: Style::Plain }
    }

    /// The text, if there are no secrets in it.
    pub fn as_str(&self) -> Option<&str> {
        self.text.as_str()
    }

    /// The text for people; see [`Text::display`].
    pub fn display(&self) -> Cow<'_, str> {
        self.text.display()
    }

    /// What it reads as: by the YAML 1.2 core rules, with the underscores, octal and binary forms that Compose files use.
    pub fn resolve(&self) -> Resolved {
        match (&self.text, self.style) {
            (Text::Plain(text), Style::Plain) => resolve(text),
            _ => Resolved::Text,
        }
    }
}

fn resolve(text: &str) -> Resolved {
    let Some(first) = text.bytes().next() else { return Resolved::Null };
    match first {
        b'~' | b'n' | b'N' if matches!(text, "~" | "null" | "Null" | "NULL") => Resolved::Null,
        b't' | b'T' if matches!(text, "true" | "True" | "TRUE") => Resolved::Bool(true),
        b'f' | b'F' if matches!(text, "false" | "False" | "FALSE") => Resolved::Bool(false),
        b'0'..=b'9' | b'+' | b'-' | b'.' => number(text),
        _ => Resolved::Text,
    }
}

fn number(text: &str) -> Resolved {
    match text {
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Resolved::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        // A zero with a sign is no integer, as in the programs that read these files.
        "-0" => return Resolved::Float(-0.0),
        _ => {}
    }
    // Longer digit strings are identifiers, and parsing them as numbers would lose them.
    if text.len() > 40 {
        return Resolved::Text;
    }
    let compact: Cow<'_, str> =
        if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    let (negative, digits) = match compact.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, compact.strip_prefix('+').unwrap_or(&compact)),
    };
    let radix = |prefix: &str, radix: u32| {
        digits.strip_prefix(prefix).and_then(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphanumeric())
                .then(|| i128::from_str_radix(rest, radix).ok())
                .flatten()
        })
    };
    let octal = || {
        let rest =
            digits.strip_prefix('0').filter(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))?;
        i128::from_str_radix(rest, 8).ok()
    };
    let decimal = || digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<i128>().ok()).flatten();
    let integer = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2)).or_else(octal);
    if let Some(value) = integer.or_else(|| if digits.starts_with('0') && digits.len() > 1 { None } else { decimal() })
    {
        let value = if negative { -value } else { value };
        // Beyond 64 bits a number is a float, as in the programs that read these files.
        return match value {
            v if v >= i128::from(i64::MIN) && v <= i128::from(u64::MAX) => Resolved::Integer(v),
            #[expect(clippy::cast_precision_loss, reason = "that is what a float is")]
            v => Resolved::Float(v as f64),
        };
    }
    let float = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    match compact.parse::<f64>() {
        Ok(value) if float && value.is_finite() => Resolved::Float(value),
        _ => Resolved::Text,
    }
}
