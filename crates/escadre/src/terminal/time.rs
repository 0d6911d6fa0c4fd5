//! Times and lengths of time, as people read them.
//!
//! In: RFC 3339 texts, durations. Out: `18.4 s`, `4 min`, `7 days`, `14:08`, `2026-11-13 09:20`.
//! **Invariant**: a text that is no time is shown as it is, never dropped.
//! Not here: what time it is (the callers pass `now`). Tests: `time/tests.rs`.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::time::Duration;

/// Now and here.
#[derive(Clone, Debug)]
pub(crate) struct Now {
    /// The moment.
    pub(crate) at: Timestamp,
    /// The time zone people read.
    pub(crate) zone: TimeZone,
}

impl Now {
    /// This moment, in the system's time zone.
    pub(crate) fn here() -> Self {
        Self { at: Timestamp::now(), zone: TimeZone::system() }
    }

    /// A moment that stands still, for tests.
    #[cfg(test)]
    pub(crate) fn fixed() -> Self {
        Self {
            at: "2026-11-20T13:15:02Z".parse().unwrap_or(Timestamp::UNIX_EPOCH),
            zone: TimeZone::fixed(jiff::tz::offset(1)),
        }
    }

    /// The moment for a headline: `2026-11-20 14:15 CET`.
    pub(crate) fn headline(&self) -> String {
        self.at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// The time of day: `14:15:02`.
    pub(crate) fn clock(&self) -> String {
        self.at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// A recorded moment: `14:08` today, else `2026-11-13 09:20`.
    pub(crate) fn moment(&self, text: &str) -> String {
        self.format(text, "%H:%M", "%Y-%m-%d %H:%M")
    }

    /// A recorded moment with seconds.
    pub(crate) fn exact(&self, text: &str) -> String {
        self.format(text, "%H:%M:%S", "%Y-%m-%d %H:%M:%S")
    }

    /// For a sentence: `today at 14:08`, else `on 2026-11-13 at 09:20`.
    pub(crate) fn spoken(&self, text: &str) -> String {
        self.format(text, "today at %H:%M", "on %Y-%m-%d at %H:%M")
    }

    /// A moment to the minute: `14:08` today, else `2026-11-13 09:20`.
    pub(crate) fn minute(&self, at: Timestamp) -> String {
        self.moment(&at.to_string())
    }

    /// How long ago a recorded moment is: `7 min`, `7 days`; nothing if it is no time.
    pub(crate) fn age(&self, text: &str) -> Option<String> {
        let then: Timestamp = text.parse().ok()?;
        let seconds = self.at.as_second().saturating_sub(then.as_second()).max(0);
        Some(long(Duration::from_secs(seconds.unsigned_abs())))
    }

    fn format(&self, text: &str, today: &str, else_: &str) -> String {
        let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
        let then: Zoned = at.to_zoned(self.zone.clone());
        let same = then.date() == self.at.to_zoned(self.zone.clone()).date();
        then.strftime(if same { today } else { else_ }).to_string()
    }
}

/// A day: `2026-11-26`, in UTC.
pub(crate) fn day(at: std::time::SystemTime) -> String {
    Timestamp::try_from(at).map_or_else(|_| "an unknown day".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// A measured time: `0.6 s`, `18.4 s`, `6 min 36 s`.
pub(crate) fn short(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    if tenths < 600 {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let seconds = (time.as_millis() + 500) / 1000;
    if seconds < 3600 {
        return format!("{} min {} s", seconds / 60, seconds % 60);
    }
    format!("{} h {} min", seconds / 3600, seconds / 60 % 60)
}

/// An age: `3 s`, `7 min`, `11 h`, `7 days`.
pub(crate) fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
