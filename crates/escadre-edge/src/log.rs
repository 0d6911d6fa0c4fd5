//! The edge's log: one line for each event that changes what is served.
//!
//! In → Out: a sentence → a line with UTC time, role and process id in `edge.log`.
//!
//! **Invariant**: no line per request; the file is moved to `edge.log.1` at 1 MiB, so two files bound the disk. A log
//! that cannot be written never stops traffic.
//!
//! Not here: counters (`flight`), an access log (a later issue).
//!
//! Tests: `tests/it/`.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

const MAX_BYTES: u64 = 1024 * 1024;

/// Where events are told.
#[derive(Debug)]
pub(crate) struct Log {
    role: String,
    path: PathBuf,
    file: Mutex<Option<File>>,
}

impl Log {
    pub(crate) fn open(path: &Path, role: String) -> Log {
        Log { role, path: path.to_owned(), file: Mutex::new(open(path).ok()) }
    }

    /// Writes one line.
    pub(crate) fn say(&self, sentence: &str) {
        let Ok(mut file) = self.file.lock() else { return };
        // The other process may have moved the file away: what counts is what the path names now.
        let moved = match (file.as_ref().map(File::metadata), fs::metadata(&self.path)) {
            (Some(Ok(ours)), Ok(theirs)) => {
                use std::os::unix::fs::MetadataExt;
                ours.ino() != theirs.ino()
            }
            _ => true,
        };
        if fs::metadata(&self.path).is_ok_and(|m| m.len() > MAX_BYTES) {
            // If this fails the file only grows on; the next line tries again.
            let _grows = fs::rename(&self.path, self.path.with_extension("log.1"));
            *file = open(&self.path).ok();
        } else if moved {
            *file = open(&self.path).ok();
        }
        if let Some(file) = file.as_mut() {
            let line = format!("{} {}[{}] {sentence}\n", now(), self.role, std::process::id());
            // A full disk must not stop traffic.
            let _lost = file.write_all(line.as_bytes());
        }
    }
}

pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    utc(since.as_secs(), since.subsec_millis())
}

/// Seconds since 1970 as RFC 3339 (days to civil date, proleptic Gregorian calendar counted from 1 March).
pub(crate) fn utc(seconds: u64, millis: u32) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest % 3_600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_civil() {
        assert_eq!(super::utc(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(super::utc(951_782_400, 7), "2000-02-29T00:00:00.007Z");
        assert_eq!(super::utc(1_795_225_333, 0), "2026-11-21T01:42:13.000Z");
    }
}
