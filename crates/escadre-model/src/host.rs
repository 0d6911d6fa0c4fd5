//! Host names: the one form in which they are compared, and who can vouch for them.
//!
//! In: a name as people write it, in letters of any script (`bücher.example`) or as DNS carries it (`xn--bcher-kva.example`).
//! Out: the form of DNS, lower case; whether a public authority can certify it.
//! **Invariant:** two spellings of one name give one text; what is no name gives a reason.
//! Not here: the names that come in requests (`routes::normal_host`), which are bytes and need no reasons.
//! Tests: `host/tests.rs`.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Why a text is no host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// A star in it.
    #[error("it is a wildcard; each name is written out, so that every name belongs to one instance")]
    Wildcard,
    /// It ends with a dot.
    #[error("it ends with a dot")]
    Dot,
    /// A port, a path or a scheme is in it.
    #[error("it holds more than a name (a port, a path, a scheme)")]
    More,
    /// Letters beyond ASCII that make no internationalised name.
    #[error("it is no internationalised name (IDNA)")]
    International,
    /// Not made of labels.
    #[error("its parts are 1 to 63 letters, digits and inner hyphens, 253 in all")]
    Labels,
}

/// Who can say that a name is somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Anybody's resolver finds it: a public authority certifies it.
    Public,
    /// It ends in a name that the public DNS will never have: a local authority can certify it, a public one cannot.
    Private,
    /// An address, or a name of one part: nobody certifies it.
    Bare,
}

/// Endings that are not in the public DNS: RFC 2606, 6761, 6762, 8375; ICANN's `internal`; and those it will not
/// delegate because they are used inside (name collision reports: `home`, `corp`, `mail`) or are in every second router.
/// The local authority is trusted for these and for no others.
pub const PRIVATE: &[&str] =
    &["localhost", "test", "internal", "example", "invalid", "local", "home.arpa", "lan", "home", "corp", "intranet"];

/// A host name as it is compared: as DNS carries it, lower case.
///
/// # Errors
/// When it is none, and why.
pub fn read(written: &str) -> Result<Arc<str>, HostError> {
    if written.is_empty() {
        return Err(HostError::Empty);
    }
    if written.contains('*') {
        return Err(HostError::Wildcard);
    }
    if written.contains([':', '/', '@', '?', '#', '[', ']']) {
        return Err(HostError::More);
    }
    if written.ends_with('.') {
        return Err(HostError::Dot);
    }
    let ascii = if written.is_ascii() && !has_international_label(written) {
        written.to_ascii_lowercase()
    } else {
        // Dots and digits of other scripts are mapped, mixed-up letters refused: what browsers do.
        idna::domain_to_ascii_strict(written).map_err(|_| HostError::International)?
    };
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if ascii.len() > 253 || !ascii.split('.').all(label) {
        return Err(HostError::Labels);
    }
    Ok(ascii.into())
}

/// A name for people: with its letters, where it has any beyond ASCII.
#[must_use]
pub fn shown(host: &str) -> String {
    if !has_international_label(host) {
        return host.to_owned();
    }
    let (letters, result) = idna::domain_to_unicode(host);
    // A name that only looks like another one is shown as DNS has it.
    if result.is_ok() { format!("{letters} ({host})") } else { host.to_owned() }
}

fn has_international_label(host: &str) -> bool {
    host.split('.').any(|label| label.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("xn--")))
}

/// Who can certify a name, given as [`read`] gives it.
#[must_use]
pub fn reach(host: &str) -> Reach {
    let ends_in = |ending: &&str| {
        host.strip_suffix(*ending).is_some_and(|head| head.strip_suffix('.').is_some_and(|head| !head.is_empty()))
    };
    if is_address(host) {
        Reach::Bare
    } else if host == "localhost" || PRIVATE.iter().any(ends_in) {
        Reach::Private
    } else if host.contains('.') {
        Reach::Public
    } else {
        Reach::Bare
    }
}

/// Whether it is an address of the internet protocol, in brackets or not.
#[must_use]
pub fn is_address(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || host.trim_matches(['[', ']']).parse::<Ipv6Addr>().is_ok()
}
