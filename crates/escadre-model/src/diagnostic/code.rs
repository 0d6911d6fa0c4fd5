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
    // E02: command line
    E0201 "the command line is not understood";
    E0202 "an option has a value it cannot have";
    E0203 "there is no such verb";
    E0205 "it is not said which instance";
    E0206 "there is no such instance or service";
    E0207 "a question cannot be asked without a terminal";
    E0208 "the answer was not a yes";
    E0209 "there is no such code";
    E0290 "a verb is not built yet";
    // E03: plan, apply and engine
    E0301 "the engine does not answer";
    E0302 "there is no such plan";
    E0303 "an instance changed after the plan was made";
    E0304 "what an instance wants changed after the plan was made";
    E0305 "what a plan was made for is gone";
    E0306 "there are no files to read";
    E0307 "the work tree has uncommitted changes";
    E0311 "an instance is locked";
    E0312 "the plan leaves an instance alone";
    E0313 "there is no earlier state to go back to";
    E0314 "nothing is on record that could be started or stopped";
    E0321 "a name, port or subnet is taken";
    E0322 "there is no free address";
    E0323 "another fleet has this name";
    E0324 "what runs cannot be taken over";
    E0325 "the edge that runs is of another version";
    E0326 "an image cannot be had";
    E0328 "systemd cannot keep the edge";
    // E04: Compose files
    E0401 "a Compose file is not a mapping";
    E0402 "a Compose attribute is not known";
    E0403 "a Compose attribute has the wrong type";
    E0404 "a Compose attribute is missing";
    E0405 "a Compose attribute has a value that is not allowed";
    E0406 "a variable is not well formed";
    E0407 "a variable that is needed is not set";
    E0408 "a text is not the number or boolean that is wanted";
    E0409 "a file that is referred to cannot be read";
    E0410 "a circle of references";
    E0411 "two files cannot be merged";
    E0412 "a short form cannot be read";
    E0413 "a reference to nothing";
    E0414 "two attributes contradict each other";
    E0415 "a service has neither image nor build";
    E0416 "a project name is not valid";
    E0417 "there is no Compose file, or it is empty";
    E0418 "an environment file cannot be read";
    E0419 "two mounts have one target";
    E0420 "a secret stands where it cannot be kept secret";
    E0421 "an entry is listed twice";
    E0422 "a project grows too large";
    E0423 "a file lies on another machine";
    E0430 "an engine cannot give what a Compose attribute asks for";
    E0431 "a path outside the repository is not granted";
    E0432 "a file that a service needs is not there";
    E0433 "an image's reference is none that an engine takes";
    // E05: fleet files
    E0501 "a name is not valid";
    E0502 "a name is taken twice";
    E0503 "a name differs from its file";
    E0504 "a file does not belong here";
    E0505 "a reference leads to nothing";
    E0506 "a parameter has no value";
    E0507 "a parameter is not known";
    E0508 "a parameter's value is not valid";
    E0509 "the fleet wants another version of Escadre";
    E0510 "a word is reserved and not built yet";
    E0511 "a parameter or secret is declared wrongly";
    E0512 "an endpoint is declared wrongly";
    E0513 "two endpoints claim the same host name";
    E0514 "two services claim the same port";
    E0515 "a path leads out of where it may";
    E0516 "a file is missing";
    E0517 "a file cannot be read";
    E0518 "there are too many files";
    E0519 "a variable leads to nothing";
    E0520 "there is no fleet here";
    E0521 "a path of the host is not granted";
    E0522 "nobody certifies a host name";
    E0523 "endpoints of one host name disagree about TLS";
    E0524 "two instances take over the same thing";
    E0525 "an instance is larger than a host can carry";
    E0526 "two services have one host name";
    E0527 "a label is Escadre's own";
    // E06: secrets
    E0601 "a secret is not encrypted";
    E0602 "a secret belongs somewhere else";
    E0603 "a secret cannot be decrypted";
    E0604 "an identity cannot be used";
    E0605 "a recipient is not valid";
    E0606 "a secret has no value";
    E0607 "a secret is used where plain text is needed";
    E0608 "a certificate that was brought cannot be used";
    // W03: what a plan wants known
    W0301 "an instance runs that no file speaks of";
    W0302 "a list was not read whole";
    W0303 "whether a secret changed cannot be known";
    W0304 "a volume is kept although nothing uses it";
    W0305 "something carries our labels and is not on record";
    W0306 "a volume was made with other settings";
    W0307 "docker compose works against Escadre";
    W0308 "containers are known by their ids alone";
    W0309 "a service keeps data in a volume without a name";
    W0310 "a container of a Compose project is in no file";
    W0311 "something is not brought back by a rollback";
    W0312 "a service cannot be started or stopped by itself";
    // W04: Compose files
    W0401 "`version` has no effect";
    W0402 "a variable is not set";
    W0403 "a boolean is spelled the old way";
    W0404 "`external.name` is deprecated";
    W0405 "several Compose files stand side by side";
    W0406 "a secret stands in plain text";
    W0407 "names of services differ in capitals alone";
    W0408 "a path leads out of the project";
    W0430 "a Compose attribute is only approximated";
    // W05: fleet files
    W0501 "a secrets file belongs to nobody";
    W0502 "a secret is used by nobody";
    W0503 "a registry's password has no value";
    W0504 "an override belongs to no environment";
    W0505 "a certificate that was brought ends soon";
    W0506 "an acknowledgement fits nothing";
    // C01: verdicts on Compose keys
    C0101 "an attribute works as the specification says";
    C0102 "published ports belong to the edge";
    C0103 "a container's name becomes an alias";
    C0104 "updates are decided by plan and gates";
    C0105 "an attribute is for the developer's machine";
    C0106 "an attribute is not done yet";
    C0107 "an attribute belongs to another system";
    C0108 "a secret or config that the engine cannot keep";
    C0109 "logs are always rotated";
    C0110 "an attribute belongs to a Swarm";
    C0113 "models and providers";
    C0114 "the engine's socket";
    C0115 "an attribute is limited without root";
    C0116 "addresses are planned";
    C0119 "an attribute that not every engine honours";
    C0120 "a step before the start is a job";
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
