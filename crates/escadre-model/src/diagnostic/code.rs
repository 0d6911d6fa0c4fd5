//! The closed list of codes, each with a title and a page.
//!
//! In: nothing. Out: [`Code`].
//! **Invariant**: a code is never re-used for another meaning; the compiler refuses a code without its page `codes/CODE.md`.
//! Groups: E01 text and YAML, E02 command line, E03 plan, apply and engine, E04 Compose, E05 fleet files, E06 secrets,
//! W0 warnings, C01 verdicts on Compose keys.
//! Not here: the findings themselves.
//! Tests: `tests.rs`.

use serde::{Serialize, Serializer};
use std::fmt;

macro_rules! codes {
    ($($code:ident $title:literal;)*) => {
        /// The stable code of a finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Code] = &[$(Code::$code),*];

            /// The code as people type it: `E0101`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$code => stringify!($code)),* }
            }

            /// What the code means, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$code => $title),* }
            }

            /// The page that explains it, in Markdown.
            pub fn page(self) -> &'static str {
                match self { $(Code::$code => include_str!(concat!("codes/", stringify!($code), ".md"))),* }
            }
        }
    };
}

// One line and one page `codes/CODE.md` make a new code.
codes! {
    // E01: text and YAML
    E0101 "a file is not UTF-8 text";
    E0102 "a file is too large";
    E0103 "a file holds a NUL or another control character";
    E0104 "a file is not valid YAML";
    E0105 "a key is written twice";
    E0106 "a file has too many nodes";
    E0107 "a file is nested too deeply";
    E0108 "an alias refers to nothing, or to itself";
    E0109 "a tag is not known here";
    E0110 "a key is not text";
    E0111 "a merge key does not hold a mapping";
    E0112 "a key is not known";
    E0113 "a value has the wrong type";
    E0114 "a key is missing";
    E0115 "a value is not valid";
    E0116 "a file must hold exactly one document";
    // E03: plan, apply and engine
    E0321 "a name, port or subnet is taken";
    E0322 "there is no free address";
    E0323 "another fleet has this name";
    W0301 "an instance runs that no file speaks of";
    W0302 "a list was not read whole";
    W0303 "whether a secret changed cannot be known";
    W0304 "a volume is kept although nothing uses it";
    W0305 "something carries our labels and is not on record";
    W0306 "a volume was made with other settings";
}

impl Code {
    /// Finds a code by its text, whatever its case.
    pub fn find(text: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
