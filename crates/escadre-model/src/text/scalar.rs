//! Scalars: texts, possibly with secrets in them, and what plain ones read as.
//!
//! In: a text and how it was quoted. Out: [`Scalar`], [`Resolved`].
//! **Invariant**: a text with a secret in it never becomes one string here; the secret stays a named hole. Letters are not reached past a late variable.
//! Not here: interpolation, units.
//! Tests: `tests.rs`.

use super::late::{LONGEST, Late};
use std::borrow::Cow;
use std::sync::Arc;

pub use crate::secret::SecretRef;

/// A text, possibly with secrets and late variables in it.
///
/// Its letters are only reached by methods that ask the late variables in it, so that nothing can depend on a value without that being known.
#[derive(Clone, Debug)]
pub struct Text(Inner);

#[derive(Clone, Debug)]
enum Inner {
    /// Letters only.
    Plain(Arc<str>),
    /// Letters and holes, in order; at least one hole.
    Pieces(Arc<[Piece]>),
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Characters as they are.
    Literal(Arc<str>),
    /// The place where a secret goes.
    Secret(SecretRef),
    /// The place where the value of a late variable goes; it is not empty.
    Late(Late),
}

impl Text {
    /// A text that is nothing but a secret.
    pub fn secret(name: impl Into<Arc<str>>) -> Self {
        Text(Inner::Pieces(Arc::from([Piece::Secret(SecretRef(name.into()))])))
    }

    /// A text that is nothing but the value of a late variable.
    pub fn late(late: Late) -> Self {
        Text(Inner::Pieces(Arc::from([Piece::Late(late)])))
    }

    /// Joins pieces; neighbouring letters become one literal, and a text without holes becomes plain.
    pub fn from_pieces(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let mut joined: Vec<Piece> = Vec::new();
        let mut letters = String::new();
        for piece in pieces {
            match piece {
                Piece::Literal(text) => letters.push_str(&text),
                hole => {
                    if !letters.is_empty() {
                        joined.push(Piece::Literal(std::mem::take(&mut letters).into()));
                    }
                    joined.push(hole);
                }
            }
        }
        if joined.is_empty() {
            return Text(Inner::Plain(letters.into()));
        }
        if !letters.is_empty() {
            joined.push(Piece::Literal(letters.into()));
        }
        Text(Inner::Pieces(joined.into()))
    }

    /// The letters, if there are no holes.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Inner::Plain(text) => Some(text),
            Inner::Pieces(_) => {
                self.ask();
                None
            }
        }
    }

    /// The letters as they are kept, if there are no holes: to be shared.
    pub(crate) fn letters(&self) -> Option<Arc<str>> {
        match &self.0 {
            Inner::Plain(text) => Some(Arc::clone(text)),
            Inner::Pieces(_) => {
                self.ask();
                None
            }
        }
    }

    /// Whether it has no letters. A hole always stands for some.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Inner::Plain(text) if text.is_empty())
    }

    /// How many bytes it may have at most, secrets apart.
    pub fn longest(&self) -> usize {
        let length = |piece: &Piece| match piece {
            Piece::Literal(text) => text.len(),
            Piece::Late(_) => LONGEST,
            Piece::Secret(_) => 0,
        };
        match &self.0 {
            Inner::Plain(text) => text.len(),
            Inner::Pieces(pieces) => pieces.iter().map(length).sum(),
        }
    }

    /// The text for people: a hole is shown as `<secret NAME>`.
    pub fn display(&self) -> Cow<'_, str> {
        match &self.0 {
            Inner::Plain(text) => Cow::Borrowed(text),
            Inner::Pieces(pieces) => {
                self.ask();
                let mut shown = String::new();
                for piece in pieces.iter() {
                    match piece {
                        Piece::Literal(text) => shown.push_str(text),
                        Piece::Secret(SecretRef(name)) => {
                            shown.push_str("<secret ");
                            shown.push_str(name);
                            shown.push('>');
                        }
                        // Whoever sees this is told to look again with the value.
                        Piece::Late(_) => shown.push('?'),
                    }
                }
                Cow::Owned(shown)
            }
        }
    }

    /// Whether it begins with this character; not where it begins with a secret.
    pub fn starts_with(&self, letter: char) -> bool {
        match &self.0 {
            Inner::Plain(text) => text.starts_with(letter),
            Inner::Pieces(pieces) => match pieces.first() {
                Some(Piece::Literal(first)) => first.starts_with(letter),
                _ => {
                    self.ask();
                    false
                }
            },
        }
    }

    /// What stands before the first of these characters, and what behind it; `None` behind it: the character is not in the text. Nothing where a secret
    /// stands before the character.
    pub fn split_once(&self, at: char) -> Option<(Arc<str>, Option<Text>)> {
        match &self.0 {
            Inner::Plain(text) => Some(match text.split_once(at) {
                Some((before, behind)) => (before.into(), Some(behind.into())),
                None => (Arc::clone(text), None),
            }),
            Inner::Pieces(pieces) => {
                if let Some((Piece::Literal(first), rest)) = pieces.split_first()
                    && let Some((before, begin)) = first.split_once(at)
                {
                    let begin = Piece::Literal(begin.into());
                    let behind = Text::from_pieces(std::iter::once(begin).chain(rest.iter().cloned()));
                    return Some((before.into(), Some(behind)));
                }
                self.ask();
                None
            }
        }
    }

    /// The pieces, a plain text being one.
    pub fn pieces(&self) -> Vec<Piece> {
        match &self.0 {
            Inner::Plain(text) => vec![Piece::Literal(Arc::clone(text))],
            Inner::Pieces(pieces) => pieces.to_vec(),
        }
    }

    /// The secrets named in it.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretRef> {
        self.holes().iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name),
            Piece::Literal(_) | Piece::Late(_) => None,
        })
    }

    /// Whether there are late variables in it.
    pub fn is_late(&self) -> bool {
        self.holes().iter().any(|piece| matches!(piece, Piece::Late(_)))
    }

    /// The text with these values of late variables, by slot.
    pub fn fill(&self, values: &[Arc<str>]) -> Text {
        if !self.is_late() {
            return self.clone();
        }
        let fill = |piece: &Piece| match piece {
            Piece::Late(late) => Piece::Literal(values.get(late.slot()).map_or_else(|| "".into(), Arc::clone)),
            other => other.clone(),
        };
        Text::from_pieces(self.holes().iter().map(fill))
    }

    fn holes(&self) -> &[Piece] {
        match &self.0 {
            Inner::Plain(_) => &[],
            Inner::Pieces(pieces) => pieces,
        }
    }

    fn ask(&self) {
        for piece in self.holes() {
            if let Piece::Late(late) = piece {
                late.ask();
            }
        }
    }

    /// The letters before the first hole, and the fewest bytes that the whole can have.
    fn begins(&self) -> (&str, usize) {
        match &self.0 {
            Inner::Plain(text) => (text, text.len()),
            Inner::Pieces(pieces) => {
                let begins = match pieces.first() {
                    Some(Piece::Literal(first)) => first,
                    _ => "",
                };
                let fewest = |piece: &Piece| match piece {
                    Piece::Literal(text) => text.len(),
                    Piece::Late(_) => 1,
                    Piece::Secret(_) => 0,
                };
                (begins, pieces.iter().map(fewest).sum())
            }
        }
    }

    /// Whether the two differ whatever the values of late variables are.
    fn surely_differs(&self, other: &Text) -> bool {
        let ((a, _), (b, _)) = (self.begins(), other.begins());
        let common = a.len().min(b.len());
        if a.as_bytes().get(..common) != b.as_bytes().get(..common) {
            return true;
        }
        // A plain text that is shorter than what the other has at least.
        matches!(&self.0, Inner::Plain(text) if text.len() < other.begins().1)
            || matches!(&other.0, Inner::Plain(text) if text.len() < self.begins().1)
    }
}

/// Two texts are equal when their letters are; where that hangs on the value of a late variable, it is asked.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Inner::Plain(a), Inner::Plain(b)) => a == b,
            (Inner::Pieces(a), Inner::Pieces(b)) if a == b => true,
            _ => {
                if (self.is_late() || other.is_late()) && !self.surely_differs(other) {
                    self.ask();
                    other.ask();
                }
                false
            }
        }
    }
}
impl Eq for Text {}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Text(Inner::Plain(text.into()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(Inner::Plain(text.into()))
    }
}

impl From<Arc<str>> for Text {
    fn from(text: Arc<str>) -> Self {
        Text(Inner::Plain(text))
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
    pub fn text(text: impl Into<Text>) -> Self {
        Self { text: text.into(), style: Style::Quoted }
    }

    /// A scalar that reads as what it looks like.
    pub fn plain(text: impl Into<Text>) -> Self {
        Self { text: text.into(), style: Style::Plain }
    }

    /// The text, if there are no secrets in it.
    pub fn as_str(&self) -> Option<&str> {
        self.text.as_str()
    }

    /// Whether the text has no letters.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text for people; see [`Text::display`].
    pub fn display(&self) -> Cow<'_, str> {
        self.text.display()
    }

    /// Whether it reads as a number that cannot be counted with: `.inf` and `.nan`.
    pub(crate) fn is_endless(&self) -> bool {
        let may_be = self.style == Style::Plain && self.as_str().is_some_and(|text| text.starts_with(['.', '+', '-']));
        may_be && matches!(self.resolve(), Resolved::Float(value) if !value.is_finite())
    }

    /// What it reads as: by the YAML 1.2 core rules, with the underscores, octal and binary forms that Compose files use.
    pub fn resolve(&self) -> Resolved {
        match (&self.text.0, self.style) {
            (Inner::Plain(text), Style::Plain) => resolve(text),
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
