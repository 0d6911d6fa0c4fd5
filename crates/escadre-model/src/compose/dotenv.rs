//! Environment files: `KEY=value` lines.
//!
//! In: bytes and the variables known already. Out: variables with the place of each, in order; findings.
//! **Invariant**: a value in single quotes is taken as it is; others may use variables that are known or written above.
//! Not here: which file is read, and what its variables are for.
//! Source: Compose Specification, "Env_file format"; the reference where it says more.
//! Tests: `dotenv/tests.rs`.

#[cfg(test)]
mod tests;

use super::interpolate::{Lookup, Problem, substitute};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::text::Text;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One variable of a file.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) text: Text,
    pub(crate) span: Span,
}

/// Variables known before, those written above in the same file, and those of files that this one overrides.
struct Known<'a> {
    before: &'a dyn Lookup,
    lines: &'a [Line],
    below: &'a dyn Lookup,
}

impl Lookup for Known<'_> {
    fn value(&self, name: &str) -> Option<&Text> {
        let here = || self.lines.iter().rev().find(|line| line.key == name).map(|line| &line.text);
        self.before.value(name).or_else(here).or_else(|| self.below.value(name))
    }
}

/// Reads an environment file. With `raw`, values are taken as they are: no quotes, comments or variables. Values may use what is known `before`, what stands
/// above in the file, and what is `below` it: the variables of files that this one overrides.
pub(crate) fn parse(
    file: &Arc<str>,
    bytes: &[u8],
    raw: bool,
    (before, below): (&dyn Lookup, &dyn Lookup),
    findings: &mut Vec<Diagnostic>,
) -> Vec<Line> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else {
        findings.push(Diagnostic::error(Code::E0101, format!("{file} is not UTF-8")).at(&Span::whole(file)));
        return Vec::new();
    };
    if text.contains('\0') {
        findings.push(
            Diagnostic::error(Code::E0103, format!("{file} holds the control character U+0000")).at(&Span::whole(file)),
        );
        return Vec::new();
    }
    let mut reader = Reader { file, text, at: 0, line: 1, lines: Vec::new(), before, below, raw };
    while let Some(finding) = reader.next() {
        // What follows an error may be inside an open quote; the rest of the file is not guessed at.
        if let Err(finding) = finding {
            findings.push(*finding);
            break;
        }
    }
    reader.lines
}

/// No variables.
pub(crate) struct Nothing;

impl Lookup for Nothing {
    fn value(&self, _: &str) -> Option<&Text> {
        None
    }
}

struct Reader<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    at: usize,
    line: u32,
    lines: Vec<Line>,
    before: &'a dyn Lookup,
    below: &'a dyn Lookup,
    raw: bool,
}

type Step<T = ()> = Result<T, Box<Diagnostic>>;

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or_default();
        self.line += u32::try_from(passed.matches('\n').count()).unwrap_or(0);
        self.at += bytes;
    }

    fn span(&self, start: usize) -> Span {
        let clip = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Span { file: Arc::clone(self.file), line: self.line, column: 1, start: clip(start), end: clip(self.at) }
    }

    fn error(&self, message: String) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(Code::E0418, message).at(&self.span(self.at)))
    }

    /// Reads one variable; nothing at the end of the file.
    fn next(&mut self) -> Option<Step> {
        loop {
            let rest = self.rest();
            let begin = rest.find(|c: char| !c.is_whitespace())?;
            self.advance(begin);
            if !self.rest().starts_with('#') {
                break;
            }
            self.advance(self.rest().find('\n').unwrap_or(self.rest().len()));
        }
        Some(self.variable())
    }

    fn variable(&mut self) -> Step {
        if let Some(rest) = self.rest().strip_prefix("export")
            && rest.starts_with(is_blank)
        {
            let blank = rest.find(|c: char| !is_blank(c)).unwrap_or(rest.len());
            self.advance("export".len() + blank);
        }
        let start = self.at;
        let rest = self.rest();
        let (end, sign) = rest
            .char_indices()
            .find(|(_, c)| matches!(c, '=' | ':' | '\n'))
            .map_or((rest.len(), None), |(at, c)| (at, Some(c)));
        let name = rest.get(..end).unwrap_or_default();
        let key = name.trim_end();
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']') || is_blank(c);
        if let Some(wrong) = name.chars().find(|c| !fits(*c)) {
            let line = name.lines().next().unwrap_or_default();
            return Err(
                self.error(format!("`{}` cannot be part of a variable's name (in `{line}`)", wrong.escape_default()))
            );
        }
        if key.contains(' ') {
            return Err(self.error(format!("the variable's name `{key}` holds a space")));
        }
        let span = self.span(start);
        self.advance(end);
        if matches!(sign, None | Some('\n')) {
            // A name alone takes the value that is known already.
            if let Some(text) = self.before.value(key) {
                self.lines.push(Line { key: key.to_owned(), text: text.clone(), span });
            }
            return Ok(());
        }
        self.advance(1);
        let text = if self.raw { self.raw_value() } else { self.value()? };
        self.lines.push(Line { key: key.to_owned(), text, span });
        Ok(())
    }

    fn raw_value(&mut self) -> Text {
        let rest = self.rest();
        let end = rest.find('\n').unwrap_or(rest.len());
        let value = rest.get(..end).unwrap_or_default();
        self.advance(end);
        Text::from(value.strip_suffix('\r').unwrap_or(value))
    }

    fn value(&mut self) -> Step<Text> {
        let blank = self.rest().find(|c: char| !is_blank(c)).unwrap_or(self.rest().len());
        self.advance(blank);
        let rest = self.rest();
        match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => {
                let end = rest.find('\n').unwrap_or(rest.len());
                let line = rest.get(..end).unwrap_or_default();
                let value = line.split(" #").next().unwrap_or_default().trim_end();
                let value = self.fill(value)?;
                self.advance(end);
                Ok(value)
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Step<Text> {
        let body = self.rest().get(1..).unwrap_or_default();
        let mut value = String::new();
        let mut escaped = false;
        for (at, letter) in body.char_indices() {
            if letter == quote && !escaped {
                let value = if quote == '"' { self.fill(&escapes(&value))? } else { Text::from(value) };
                self.advance(1 + at + 1);
                return Ok(value);
            }
            if !escaped && letter == '\\' {
                escaped = true;
                continue;
            }
            if escaped {
                escaped = false;
                if letter != quote {
                    value.push('\\');
                }
            }
            value.push(letter);
        }
        Err(self.error("a quoted value is not closed".to_owned()))
    }

    fn fill(&self, value: &str) -> Step<Text> {
        let known = Known { before: self.before, lines: &self.lines, below: self.below };
        substitute(value, &known, &mut BTreeSet::new()).map_err(|problem| {
            self.error(match problem {
                Problem::Required(name, message) => format!("the variable `{name}` is needed: {message}"),
                Problem::Large => "the value grows larger than a megabyte".to_owned(),
                Problem::Malformed | Problem::Deep => {
                    "the value is not well formed; write `$$` for a dollar sign".to_owned()
                }
            })
        })
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// The escapes of double quotes: `\n` and friends, `\$` for a dollar sign, `\0` with up to three octal digits.
fn escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        let plain = match letters.peek() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some('\\') => '\\',
            Some('"') => '"',
            Some('$') => {
                letters.next();
                out.push_str("$$");
                continue;
            }
            Some('0') => {
                letters.next();
                let mut digits = String::new();
                while digits.len() < 3
                    && let Some(digit) = letters.next_if(|c| c.is_ascii_digit())
                {
                    digits.push(digit);
                }
                match u8::from_str_radix(&digits, 8) {
                    Ok(byte) if digits.len() == 3 => out.push(char::from(byte)),
                    _ => {
                        out.push_str("\\0");
                        out.push_str(&digits);
                    }
                }
                continue;
            }
            _ => {
                out.push('\\');
                continue;
            }
        };
        letters.next();
        out.push(plain);
    }
    out
}
