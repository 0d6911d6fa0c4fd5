//! `requires:` in fleet.yaml: which versions of Escadre may work on this fleet.
//!
//! In: `">=0.1, <0.2"`. Out: whether a version is among them.
//! **Invariant:** a requirement that cannot be read is an error, never "any version".
//! Not here: versions of products and images.
//! Tests: `tests.rs`.

/// A version of up to three numbers; missing ones are 0.
fn version(text: &str) -> Option<[u64; 3]> {
    let mut numbers = [0; 3];
    // A pre-release counts as the version it leads to.
    for (count, part) in text.split('-').next()?.split('.').enumerate() {
        *numbers.get_mut(count)? = part.parse().ok()?;
    }
    Some(numbers)
}

/// Whether `ours` is allowed; `None`: the requirement cannot be read.
pub(super) fn allows(requirement: &str, ours: &str) -> Option<bool> {
    let ours = version(ours)?;
    let mut allowed = true;
    for part in requirement.split(',') {
        let part = part.trim();
        let split = part.find(|c: char| c.is_ascii_digit())?;
        let (sign, wanted) = part.split_at(split);
        let wanted = version(wanted.trim())?;
        allowed &= match sign.trim() {
            ">=" => ours >= wanted,
            ">" => ours > wanted,
            "<=" => ours <= wanted,
            "<" => ours < wanted,
            "=" | "==" | "" => ours == wanted,
            _ => return None,
        };
    }
    Some(allowed)
}
