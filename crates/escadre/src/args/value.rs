//! Values of options, read strictly.
//!
//! In: one word. Out: a typed value, or why it is none (clap names the option).
//! **Invariant**: what could mean two things is refused.
//! Not here: which option takes which.
//! Tests: `tests.rs`.

use escadre_model::name::Name;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// `LABEL=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Before the first `=`.
    pub(crate) key: String,
    /// After it; may be empty.
    pub(crate) value: String,
}

impl FromStr for Pair {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() && key.trim() == key => {
                Ok(Pair { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err("it is written NAME=VALUE".to_owned()),
        }
    }
}

/// Which images are pulled before a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pull {
    /// Those that are here too, so that a tag means what the registry says now.
    Always,
    /// Those that are missing here.
    Missing,
    /// None: what is missing is refused.
    Never,
}

/// The name of an instance, environment or the like.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    Name::project(text).map_err(|error| error.to_string())
}

/// `INSTANCE` or `INSTANCE/SERVICE`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The instance.
    pub(crate) instance: Name,
    /// The service, if one is named.
    pub(crate) service: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.service {
            Some(service) => write!(out, "{}/{service}", self.instance),
            None => write!(out, "{}", self.instance),
        }
    }
}

impl FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (instance, service) = match text.split_once('/') {
            Some((instance, service)) => (instance, Some(service_key(service)?)),
            None => (text, None),
        };
        Ok(Place { instance: name(instance)?, service })
    }
}

/// A service's key, in Compose's grammar.
fn service_key(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || !text.chars().all(fits) {
        return Err("after the slash stands a service: letters, digits, dots, underscores, hyphens".to_owned());
    }
    Ok(text.to_owned())
}

/// `INSTANCE/SERVICE`, both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServicePlace {
    /// The instance.
    pub(crate) instance: Name,
    /// The service.
    pub(crate) service: String,
}

impl FromStr for ServicePlace {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse()? {
            Place { instance, service: Some(service) } => Ok(ServicePlace { instance, service }),
            Place { .. } => Err("it is written INSTANCE/SERVICE".to_owned()),
        }
    }
}

/// What `--destroy` names: `INSTANCE/volume/KEY` or `INSTANCE/secret/KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Doomed {
    /// The instance.
    pub(crate) instance: Name,
    /// `volume` or `secret`.
    pub(crate) kind: escadre_model::ids::Kind,
    /// Its key in the product.
    pub(crate) key: String,
}

impl FromStr for Doomed {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        use escadre_model::ids::Kind;
        let mut parts = text.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(instance), Some(kind @ ("volume" | "secret")), Some(key)) => {
                let kind = if kind == "volume" { Kind::Volume } else { Kind::Secret };
                Ok(Doomed { instance: name(instance)?, kind, key: service_key(key)? })
            }
            _ => Err("it is written INSTANCE/volume/KEY or INSTANCE/secret/KEY".to_owned()),
        }
    }
}

/// A saved plan: its id, or the file that `plan --out` wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PlanRef {
    /// The id of a plan in the state folder, lower case.
    Id(String),
    /// A file: anything with a slash or a dot in it.
    File(PathBuf),
}

impl fmt::Display for PlanRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanRef::Id(id) => out.write_str(id),
            PlanRef::File(path) => write!(out, "{}", path.display()),
        }
    }
}

impl FromStr for PlanRef {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains(['/', '.']) {
            return Ok(PlanRef::File(text.into()));
        }
        plan_id(text).map(PlanRef::Id)
    }
}

/// The id of a plan.
pub(crate) fn plan_id(text: &str) -> Result<String, String> {
    if (6..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err("a plan is named by its id (six digits 0-9 a-f) or by its file (./plan.json)".to_owned())
}

/// A moment: so long ago, or then.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Moment {
    /// So long before now.
    Ago(Duration),
    /// A point in time.
    At(jiff::Timestamp),
}

impl Moment {
    /// The moment in seconds since 1970.
    pub(crate) fn seconds(&self, now: jiff::Timestamp) -> i64 {
        match self {
            Moment::Ago(time) => now.as_second().saturating_sub(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)),
            Moment::At(at) => at.as_second(),
        }
    }
}

impl FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(time) = duration(text) {
            return Ok(Moment::Ago(time));
        }
        if let Ok(at) = text.parse::<jiff::Timestamp>() {
            return Ok(Moment::At(at));
        }
        let zoned =
            text.parse::<jiff::civil::DateTime>().and_then(|civil| civil.to_zoned(jiff::tz::TimeZone::system()));
        zoned
            .map(|zoned| Moment::At(zoned.timestamp()))
            .map_err(|_| "a time is written 10m, 2h, 7d, 2026-11-20 or 2026-11-20T14:02:10".to_owned())
    }
}

/// A length of time: `90s`, `10m`, `2h`, `7d`, `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a length of time is a number with a unit: 90s, 10m, 2h, 7d, 1h30m".to_owned();
    let mut seconds: u64 = 0;
    let mut number: Option<u64> = None;
    for letter in text.chars() {
        if let Some(digit) = letter.to_digit(10) {
            number = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(u64::from(digit)));
            number.ok_or_else(wrong)?;
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let part = number.take().and_then(|n| n.checked_mul(unit)).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
    }
    // A rest without a unit, or nothing at all.
    if number.is_some() || text.is_empty() {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}
