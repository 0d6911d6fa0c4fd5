//! What is remembered of each name: tries, troubles, when to try again. It outlives the process.
//!
//! In → Out: an end of a try → the record on disk, and the moment of the next one.
//!
//! **Invariant**: waits grow with every failure and never fall below what the authority asked for. Nothing secret stands here.
//!
//! Not here: trying (`order`), who tries when (`keeper`).
//!
//! Tests: at the end of this file.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use escadre_model::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::files::{self, FileError};

const SCHEMA: &str = "escadre.acme/1";

/// Each wait is this many times the one before.
const GROWTH: u32 = 4;
/// The longest wait between two tries that failed.
pub(crate) const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// All names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(default)]
    schema: String,
    #[serde(default)]
    pub(crate) hosts: BTreeMap<String, HostRecord>,
    /// The authority itself: then nobody is tried.
    #[serde(default)]
    pub(crate) authority: Tries,
}

/// One name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostRecord {
    /// Whose certificate it has.
    #[serde(default)]
    pub(crate) directory: String,
    /// When the last try began: one that died with its process is not begun again at once.
    #[serde(default)]
    pub(crate) begun_ms: u64,
    #[serde(flatten)]
    pub(crate) tries: Tries,
}

/// Tries that failed, since the last one that did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tries {
    #[serde(default)]
    pub(crate) failed: u32,
    /// The first of them.
    #[serde(default)]
    pub(crate) since_ms: u64,
    #[serde(default)]
    pub(crate) last_ms: u64,
    /// Not before.
    #[serde(default)]
    pub(crate) next_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<Trouble>,
    /// What the name led to when it was last looked at.
    #[serde(default)]
    pub(crate) points_to: Vec<IpAddr>,
    /// This machine's own addresses then.
    #[serde(default)]
    pub(crate) here: Vec<IpAddr>,
}

/// Why a try failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub(crate) enum Trouble {
    /// The authority was asked, and looked, and refuses this name: its words.
    Refused(String),
    /// It has been asked too often.
    RateLimited(String),
    /// It cannot be reached, or answers nonsense.
    Unreachable(String),
    /// It wants something of the account first.
    Account(String),
    /// Something here: a disk, a key.
    Here(String),
    /// Of a newer version.
    Unknown,
}

/// A trouble on disk: a kind of a newer version takes nothing else of the record with it.
#[derive(Serialize, Deserialize)]
struct Written {
    kind: String,
    #[serde(default)]
    said: String,
}

impl From<Trouble> for Written {
    fn from(trouble: Trouble) -> Written {
        let (kind, said) = match trouble {
            Trouble::Refused(said) => ("refused", said),
            Trouble::RateLimited(said) => ("rate_limited", said),
            Trouble::Unreachable(said) => ("unreachable", said),
            Trouble::Account(said) => ("account", said),
            Trouble::Here(said) => ("here", said),
            Trouble::Unknown => ("unknown", String::new()),
        };
        Written { kind: kind.to_owned(), said }
    }
}

impl From<Written> for Trouble {
    fn from(written: Written) -> Trouble {
        let kind = match written.kind.as_str() {
            "refused" => Trouble::Refused,
            "rate_limited" => Trouble::RateLimited,
            "unreachable" => Trouble::Unreachable,
            "account" => Trouble::Account,
            "here" => Trouble::Here,
            _ => return Trouble::Unknown,
        };
        kind(written.said)
    }
}

impl Trouble {
    /// In words, for people.
    pub(crate) fn words(&self) -> String {
        match self {
            Trouble::Refused(said) => format!("the authority refuses it: {said}"),
            Trouble::RateLimited(said) => format!("the authority was asked too often: {said}"),
            Trouble::Unreachable(said) => format!("the authority does not work: {said}"),
            Trouble::Account(said) => format!("the authority refuses the account: {said}"),
            Trouble::Here(said) => format!("it cannot be kept here: {said}"),
            Trouble::Unknown => "for a reason that a newer version wrote down".to_owned(),
        }
    }
}

impl Tries {
    /// It failed: when to try again, at the earliest when the authority says.
    pub(crate) fn fail(&mut self, trouble: Trouble, first: Duration, again: Option<SystemTime>, now: SystemTime) {
        if self.failed == 0 {
            self.since_ms = millis(now);
        }
        let wait = first.saturating_mul(GROWTH.saturating_pow(self.failed.min(16))).min(LONGEST);
        self.failed = self.failed.saturating_add(1);
        self.last_ms = millis(now);
        self.next_ms = millis(now + wait).max(again.map_or(0, millis));
        self.trouble = Some(trouble);
    }

    /// Not before.
    pub(crate) fn next(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.next_ms)
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis(moment: SystemTime) -> u64 {
    u64::try_from(moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// A part of a certificate's life by which its renewal is put off, another one for each name, so that a thousand names
/// that began on one day do not renew on one day.
pub(crate) fn jitter(host: &str, life: Duration) -> Duration {
    let hash = Hash::of(host);
    let share = hash.as_str().get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0);
    life / 24 * share / 0xffff
}

/// Where everything of this is.
pub(crate) fn folder(dir: &Path) -> PathBuf {
    dir.join("tls").join("acme")
}

impl Record {
    /// The record on disk; one that cannot be read is begun anew: it only holds back, it grants nothing.
    pub(crate) fn load(dir: &Path) -> Record {
        let read = std::fs::read(folder(dir).join("record.json")).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Writes it.
    pub(crate) fn save(&mut self, dir: &Path) -> Result<(), FileError> {
        SCHEMA.clone_into(&mut self.schema);
        let folder = folder(dir);
        files::make_dir(&folder)?;
        let path = folder.join("record.json");
        let bytes = serde_json::to_vec_pretty(self).map_err(|e| FileError::io("spell", &path)(e.into()))?;
        files::write_whole(&path, &bytes, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_day_and_the_authority_has_the_last_word() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut tries = Tries::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            tries.fail(Trouble::Refused("no".into()), Duration::from_secs(60), None, now);
            waits.push((tries.next_ms - 1_000_000_000) / 1_000);
        }
        assert_eq!(waits, [60, 240, 960, 3_840, 15_360, 61_440, 86_400, 86_400]);
        assert_eq!((tries.failed, tries.since_ms), (8, 1_000_000_000));
        let later = now + Duration::from_secs(7 * 24 * 3600);
        tries.fail(Trouble::RateLimited("later".into()), Duration::from_secs(60), Some(later), now);
        assert_eq!(tries.next(), later);
        let mut first = Tries::default();
        first.fail(Trouble::Refused("no".into()), Duration::from_secs(60), Some(now), now);
        assert_eq!(first.next_ms, 1_000_060_000, "sooner than we would is no reason to hurry");
    }

    #[test]
    fn renewals_are_spread() {
        let life = Duration::from_secs(90 * 24 * 3600);
        let all: Vec<u64> = (0..1_000).map(|n| jitter(&format!("i{n}.example.fr"), life).as_secs() / 3600).collect();
        assert!(all.iter().all(|hours| *hours <= 90), "at most the 24th part");
        let busiest = (0..90).map(|hour| all.iter().filter(|h| **h == hour).count()).max();
        assert!(busiest < Some(40), "{busiest:?} of 1,000 in one hour of 90");
        assert_eq!(jitter("a.fr", life), jitter("a.fr", life));
    }

    #[test]
    fn it_is_read_back_and_nonsense_is_a_beginning() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(Record::load(dir.path()), Record::default());
        let mut record = Record::default();
        let host = record.hosts.entry("a.fr".into()).or_default();
        host.tries.fail(Trouble::Refused("no".into()), Duration::from_secs(60), None, SystemTime::now());
        record.save(dir.path()).expect("written");
        assert_eq!(Record::load(dir.path()), record);
        let path = folder(dir.path()).join("record.json");
        for text in ["", "{", "[]", r#"{"hosts":7}"#] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(Record::load(dir.path()), Record::default(), "{text}");
        }
        std::fs::write(&path, r#"{"hosts":{"a.fr":{"failed":2,"trouble":{"kind":"newer","said":"x"}}}}"#).expect("w");
        assert_eq!(Record::load(dir.path()).hosts["a.fr"].tries.failed, 2);
    }
}
