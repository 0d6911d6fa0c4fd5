//! How programs in the small world behave: scripted with their image, and computed from the time since their start.
//!
//! In: an image's words (`healthy 2s`, `exits 78 after 2s`), milliseconds since the start. Out: running, ended, healthy, listening.
//! **Invariant:** no state of its own: the same time since the start gives the same answer.
//! Not here: containers (`state`).
//! Tests: stories.

use escadre_model::observed::{Health, Lookup};
use std::sync::Arc;

/// What a program does after its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behaviour {
    /// It listens on these ports, after so many milliseconds; `None`: never.
    pub listens: Option<(Vec<u16>, u64)>,
    /// Its own health check.
    pub health: Check,
    /// It ends with this code after so many milliseconds; a service is then restarted by the engine.
    pub exits: Option<(i64, u64)>,
    /// What it prints.
    pub log: Vec<Arc<str>>,
    /// It calls the services it depends on all the time, and looks their addresses up so; `None`: it does not call anybody.
    pub calls: Option<Lookup>,
}

/// What an image's health check says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Check {
    /// There is none.
    #[default]
    None,
    /// Healthy after so many milliseconds.
    After(u64),
    /// Never healthy.
    Never,
    /// Healthy and unhealthy in turns of so many milliseconds, unhealthy first.
    Flaps(u64),
}

impl Behaviour {
    /// Ends after a time, with a code.
    pub fn exits(code: i64, after_ms: u64) -> Self {
        Self { exits: Some((code, after_ms)), ..Self::default() }
    }

    /// Runs, listens and is healthy after a time.
    pub fn healthy(after_ms: u64) -> Self {
        Self { listens: Some((vec![80], after_ms)), health: Check::After(after_ms), ..Self::default() }
    }

    /// Runs, and is never healthy nor listens.
    pub fn never() -> Self {
        Self { health: Check::Never, ..Self::default() }
    }

    /// The code it has ended with, so long after its start.
    pub fn ended(&self, ms: u64) -> Option<i64> {
        self.exits.filter(|(_, after)| ms >= *after).map(|(code, _)| code)
    }

    /// How often the engine has restarted it, so long after its first start.
    pub fn restarts(&self, ms: u64) -> u32 {
        let count = self.exits.map_or(0, |(_, after)| ms / after.max(1));
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The verdict of its check.
    pub fn verdict(&self, ms: u64) -> Health {
        match self.health {
            Check::None => Health::None,
            Check::After(after) if ms >= after => Health::Healthy,
            Check::After(_) => Health::Starting,
            Check::Never if ms < 10_000 => Health::Starting,
            Check::Never => Health::Unhealthy,
            Check::Flaps(period) if ms / period.max(1) % 2 == 1 => Health::Healthy,
            Check::Flaps(_) => Health::Starting,
        }
    }

    /// Does it listen on this port?
    pub fn open(&self, port: u16, ms: u64) -> bool {
        self.listens.as_ref().is_some_and(|(ports, after)| ports.contains(&port) && ms >= *after)
    }

    /// The behaviour that words describe: `listens 80,443 after 1s`, `healthy 2s`, `unhealthy`, `flaps 1s`, `exits 78 after 2s`, `calls once`,
    /// `calls again`, `says TEXT…`.
    ///
    /// # Errors
    /// The first word that is not understood.
    pub fn parse(words: &[&str]) -> Result<Self, String> {
        let mut behaviour = Self::default();
        let mut rest = words;
        while let Some((word, after)) = rest.split_first() {
            rest = match (*word, after) {
                ("listens", [ports, "after", time, rest @ ..]) => {
                    let ports = ports.split(',').map(|port| port.parse().map_err(|_| port.to_owned()));
                    behaviour.listens = Some((ports.collect::<Result<_, _>>()?, duration(time)?));
                    rest
                }
                ("healthy", [time, rest @ ..]) => {
                    behaviour.health = Check::After(duration(time)?);
                    rest
                }
                ("unhealthy", rest) => {
                    behaviour.health = Check::Never;
                    rest
                }
                ("flaps", [time, rest @ ..]) => {
                    behaviour.health = Check::Flaps(duration(time)?);
                    rest
                }
                ("exits", [code, "after", time, rest @ ..]) => {
                    behaviour.exits = Some((code.parse().map_err(|_| (*code).to_owned())?, duration(time)?));
                    rest
                }
                ("calls", ["once", rest @ ..]) => {
                    behaviour.calls = Some(Lookup::Once);
                    rest
                }
                ("calls", ["again", rest @ ..]) => {
                    behaviour.calls = Some(Lookup::Again);
                    rest
                }
                ("says", words) => {
                    behaviour.log.push(words.join(" ").into());
                    &[]
                }
                (other, _) => return Err(other.to_owned()),
            };
        }
        Ok(behaviour)
    }
}

/// Milliseconds of `2s`, `500ms`, `1m`.
///
/// # Errors
/// The text, when it is no duration.
pub fn duration(text: &str) -> Result<u64, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
    let found = units.iter().find_map(|(unit, ms)| Some((text.strip_suffix(unit)?, ms)));
    let (number, unit) = found.ok_or_else(|| text.to_owned())?;
    number.parse::<u64>().map(|number| number * unit).map_err(|_| text.to_owned())
}
