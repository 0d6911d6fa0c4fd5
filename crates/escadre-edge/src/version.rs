//! Which version an edge is of: what it can read, and which of two is the older one.
//!
//! In → Out: this program, or what a running worker says → [`Version`].
//!
//! **Invariant**: a worker says its own version, not its holder's: the program may have been replaced since the holder
//! began.
//!
//! Not here: what becomes of an older one (the engine's driver has it upgraded).
//!
//! Tests: at the end of this file, `tests/it/process.rs`.

use escadre_model::routes::SCHEMA_NUMBER;
use serde::{Deserialize, Serialize};

/// The version of a worker's program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// As releases are counted, `1.2.3`.
    pub number: String,
    /// The newest schema of the routes file that it reads; it reads the one before as well.
    pub routes_schema: u32,
}

impl Version {
    /// This program's.
    #[must_use]
    pub fn ours() -> Version {
        Version { number: env!("CARGO_PKG_VERSION").to_owned(), routes_schema: SCHEMA_NUMBER }
    }

    /// Whether it came out before `other`. What says no readable number is as old as the schema it reads.
    #[must_use]
    pub fn is_older_than(&self, other: &Version) -> bool {
        (self.routes_schema, self.parts()) < (other.routes_schema, other.parts())
    }

    /// Whether it reads a routes file of this schema.
    #[must_use]
    pub fn reads(&self, schema: u32) -> bool {
        schema <= self.routes_schema && schema + 1 >= self.routes_schema
    }

    fn parts(&self) -> Vec<u64> {
        // What follows the number proper ("-rc.1") makes no difference.
        let number = self.number.split(['-', '+']).next().unwrap_or_default();
        number.split('.').map_while(|part| part.parse().ok()).collect()
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: &str, routes_schema: u32) -> Version {
        Version { number: number.to_owned(), routes_schema }
    }

    #[test]
    fn the_older_one_is_found_by_schema_and_number() {
        let of = |a, b| version(a, 2).is_older_than(&version(b, 2));
        for (older, newer) in [("0.9.0", "0.10.0"), ("0.1.9", "1.0.0"), ("1.2", "1.2.1"), ("", "0.1.0"), ("x", "0.0.1")]
        {
            assert!(of(older, newer) && !of(newer, older), "{older} {newer}");
        }
        assert!(!of("1.0.0", "1.0.0") && !of("1.0.0-rc.1", "1.0.0"));
        assert!(version("1.0.0", 1).is_older_than(&version("1.0.0", 2)));
        assert!(!Version::ours().is_older_than(&Version::ours()));
    }

    #[test]
    fn one_schema_back_is_read() {
        let two = version("1.0.0", 2);
        assert!(two.reads(2) && two.reads(1) && !two.reads(3));
        assert!(!version("1.0.0", 3).reads(1) && Version::ours().reads(SCHEMA_NUMBER));
    }
}
