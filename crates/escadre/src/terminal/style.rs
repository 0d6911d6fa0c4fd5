//! How texts look: width and colour, and the few text tools every painter needs.
//!
//! In: texts. Out: texts. **Invariant**: without colour the bytes are plain; widths are counted in columns, not bytes.
//! Not here: printing (`terminal`), columns (`table`). Tests: `style/tests.rs`.

use anstyle::{AnsiColor, Style};
use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Failures, deletions.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Gaps, warnings, outliers.
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
/// What went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Headings.
pub(crate) const HEAD: Style = Style::new().bold();
/// What may be overlooked.
pub(crate) const QUIET: Style = Style::new().dimmed();

/// How a stream looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns, from 80 to 160.
    pub(crate) width: usize,
    /// Colour may be used.
    pub(crate) colour: bool,
}

impl Look {
    /// Plain text of that width.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Self {
        Self { width, colour: false }
    }

    /// A text in a style, if there is colour.
    pub(crate) fn paint<'t>(&self, style: Style, text: &'t str) -> Cow<'t, str> {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}").into() } else { text.into() }
    }
}

/// The width to paint for: COLUMNS, else the terminal's, else 80; between 80 and 160.
pub(crate) fn width(columns: Option<usize>, terminal: Option<usize>) -> usize {
    columns.or(terminal).unwrap_or(80).clamp(80, 160)
}

/// Columns a text takes; escape sequences take none.
pub(crate) fn columns(text: &str) -> usize {
    if !text.contains('\x1b') {
        return text.width();
    }
    let mut count = 0;
    let mut inside = false;
    for letter in text.chars() {
        match letter {
            '\x1b' => inside = true,
            'm' if inside => inside = false,
            _ if inside => {}
            _ => count += letter.width().unwrap_or(0),
        }
    }
    count
}

/// What came from outside, without control characters: a log line cannot move the cursor.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        text.chars().map(|c| if c.is_control() && c != '\t' { '?' } else { c }).collect::<String>().into()
    } else {
        text.into()
    }
}

/// A text of several lines without other control characters: what was typed or read cannot move the cursor.
pub(crate) fn readable(text: &str) -> Cow<'_, str> {
    if text.contains('\n') {
        text.split('\n').map(harmless).collect::<Vec<_>>().join("\n").into()
    } else {
        harmless(text)
    }
}

/// Cuts a text to so many columns; what was cut is shown as `..`.
pub(crate) fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if columns(text) <= most {
        return text.into();
    }
    let mut kept = String::new();
    let mut used = 0;
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if used + wide + 2 > most {
            break;
        }
        kept.push(letter);
        used += wide;
    }
    kept.push_str("..");
    kept.into()
}

/// Breaks a text at spaces into lines of at most so many columns; a longer word stays whole.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        // A line that fits keeps its inner spaces: they align columns.
        if columns(paragraph) <= most {
            lines.push(paragraph.trim_end().to_owned());
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && columns(&line) + 1 + columns(word) > most {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A text behind a first prefix; further lines are indented as far.
pub(crate) fn hang(prefix: &str, text: &str, width: usize) -> String {
    let indent = columns(prefix);
    let mut out = String::new();
    for (index, line) in wrap(text, width.saturating_sub(indent).max(20)).iter().enumerate() {
        let before = if index == 0 { prefix.to_owned() } else { " ".repeat(indent) };
        out.push_str(format!("{before}{line}").trim_end());
        out.push('\n');
    }
    out
}

/// `1 container`, `2 containers`.
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(number as u64)) }
}

/// A size: `812 KiB`, `41 MiB`, `1.2 GiB`.
pub(crate) fn bytes(size: u64) -> String {
    match size {
        0..1024 => format!("{size} B"),
        1024..1_048_576 => format!("{} KiB", size >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", size >> 20),
        _ => format!("{}.{} GiB", size >> 30, ((size % (1 << 30)) * 10) >> 30),
    }
}

/// `1,204,118`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Names: all of them up to 60 (or when all were asked for), else the first 20 and how to see the rest.
pub(crate) fn names(list: &[&str], all: bool) -> String {
    if all || list.len() <= 60 {
        return list.join(" ");
    }
    let first: Vec<&str> = list.iter().take(20).copied().collect();
    format!("{} and {} more (all: --names)", first.join(" "), grouped((list.len() - 20) as u64))
}

#[cfg(test)]
mod tests;
