//! Units of Compose files: sizes, durations, command lines.
//!
//! In: texts. Out: numbers and words, or what is wrong in a few words.
//! **Invariant**: nothing wraps around; what does not fit is refused.
//! Not here: which attribute takes which unit (schema).
//! Source: Compose Specification, "Specifying byte values" and "Specifying durations"; the reference where the two differ.
//! Tests: `units/tests.rs`.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// Bytes: `50M` is 50 MiB. A bare number may be negative (`-1` means without limit where an attribute allows it).
///
/// # Errors
/// What is wrong with the text, in a few words.
pub fn bytes(text: &str) -> Result<i64, String> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number);
    }
    let wrong = || format!("`{text}` is no size; write a number and one of b, k, m, g, t, p, such as `512M`");
    let split = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split + 1);
    let number = number.strip_suffix(' ').unwrap_or(number);
    let number = &*joined(number).ok_or_else(wrong)?;
    let digits =
        number.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+')) && !number.starts_with('+');
    let size: f64 = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
    let unit = unit.to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        "p" | "pb" | "pib" => 5,
        _ => return Err(wrong()),
    };
    let size = size * 1024f64.powi(power);
    if size >= 9_223_372_036_854_775_808.0 {
        return Err(format!("`{text}` is larger than 8 EiB"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked above; fractions of a byte are cut")]
    Ok(size as i64)
}

/// A number without the signs that part its digits for people: `1_000_000`. Nothing where one stands elsewhere.
pub(crate) fn joined(number: &str) -> Option<Cow<'_, str>> {
    if !number.contains('_') {
        return Some(Cow::Borrowed(number));
    }
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let bytes = number.as_bytes();
    let parts = |at: usize| at > 0 && digit(bytes.get(at - 1)) && digit(bytes.get(at + 1));
    let fits = bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || parts(at));
    fits.then(|| Cow::Owned(number.replace('_', "")))
}

/// A whole number as Go writes it: octal behind `0` or `0o`, in base 16 or 2 behind `0x` or `0b`, without a sign. Nothing where it is none.
pub(crate) fn go_integer(number: &str) -> Option<u32> {
    let lower = number.to_ascii_lowercase();
    let bases = [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)];
    let prefixed = bases.iter().find_map(|(prefix, base)| Some((lower.strip_prefix(prefix)?, *base)));
    let (digits, base) = match prefixed {
        Some(("", 8)) if lower == "0" => return Some(0),
        Some((digits, base)) => (digits.strip_prefix('_').unwrap_or(digits), base),
        None => (lower.as_str(), 10),
    };
    let parts = digits.split('_').all(|part| !part.is_empty() && part.chars().all(|digit| digit.is_digit(base)));
    if parts { u32::from_str_radix(&digits.replace('_', ""), base).ok() } else { None }
}

const UNITS: &[(&str, i64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// Nanoseconds of a duration such as `1m30s` or `1.5h`.
///
/// # Errors
/// What is wrong with the text, in a few words.
pub fn nanoseconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no duration; write numbers with units, such as `1m30s`");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = scaled(number, *unit).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail;
    }
    Ok(if negative { -total } else { total })
}

/// A decimal number times a unit, without wrapping.
fn scaled(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(unit)?;
    if !fraction.is_empty() {
        let part: f64 = format!("0.{fraction}").parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "below one unit, which is below 2^53"
        )]
        let part = (part * unit as f64).round() as i64;
        value = value.checked_add(part)?;
    }
    Some(value)
}

/// A duration in the one form that normalised models use: `1m30s`, `1h0m0s`, `500ms`, `0s`.
pub fn duration_text(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let total = nanoseconds.unsigned_abs();
    let decimal = |value: u64, unit: u64, name: &str| {
        let (whole, part) = (value / unit, value % unit);
        if part == 0 {
            return format!("{whole}{name}");
        }
        let width = unit.ilog10() as usize;
        format!("{whole}.{}{name}", format!("{part:0width$}").trim_end_matches('0'))
    };
    let body = match total {
        0 => "0s".to_owned(),
        1..1_000 => format!("{total}ns"),
        1_000..1_000_000 => decimal(total, 1_000, "µs"),
        1_000_000..1_000_000_000 => decimal(total, 1_000_000, "ms"),
        _ => {
            let seconds = total / 1_000_000_000;
            let rest = decimal(total % 60_000_000_000, 1_000_000_000, "s");
            match (seconds / 3_600, seconds / 60 % 60) {
                (0, 0) => rest,
                (0, minutes) => format!("{minutes}m{rest}"),
                (hours, minutes) => format!("{hours}h{minutes}m{rest}"),
            }
        }
    };
    format!("{sign}{body}")
}

/// A command line as words: quotes and backslashes as in a shell, nothing is run or expanded; what follows `;`, `&`, `|`, `<`
/// or `>` outside quotes is cut, as the reference does.
///
/// # Errors
/// What is wrong with the line, in a few words.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    #[derive(PartialEq)]
    enum Got {
        Nothing,
        Bare,
        Quoted,
    }
    let mut words = Vec::new();
    let mut word = String::new();
    let mut got = Got::Nothing;
    let (mut escaped, mut double, mut single, mut back, mut dollar) = (false, false, false, false, false);
    for letter in line.chars() {
        if escaped {
            word.push(letter);
            escaped = false;
            got = Got::Bare;
            continue;
        }
        match letter {
            '\\' if single => word.push(letter),
            '\\' => escaped = true,
            ' ' | '\t' | '\r' | '\n' => {
                if single || double || back || dollar {
                    word.push(letter);
                } else if got != Got::Nothing {
                    words.push(std::mem::take(&mut word));
                    got = Got::Nothing;
                }
            }
            '"' if !single && !dollar => {
                if double {
                    got = Got::Quoted;
                }
                double = !double;
            }
            '\'' if !double && !dollar => {
                if single {
                    got = Got::Quoted;
                }
                single = !single;
            }
            ';' | '&' | '|' | '<' | '>' if !(single || double || back || dollar) => {
                if letter == '>' && word.starts_with(|c: char| c.is_ascii_digit()) {
                    got = Got::Nothing;
                }
                break;
            }
            '(' if !single && !double && !back => {
                if dollar || !word.ends_with('$') {
                    return Err("a bracket outside quotes".to_owned());
                }
                dollar = true;
                word.push(letter);
            }
            _ => {
                if letter == '`' && !single && !double && !dollar {
                    back = !back;
                } else if letter == ')' && !single && !double && !back {
                    dollar = !dollar;
                }
                got = Got::Bare;
                word.push(letter);
            }
        }
    }
    if got != Got::Nothing {
        words.push(word);
    }
    if escaped || single || double || back || dollar {
        return Err("a quote is not closed".to_owned());
    }
    Ok(words)
}
