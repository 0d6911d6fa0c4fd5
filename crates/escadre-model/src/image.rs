//! References of images: the one grammar that engines and registries read them by.
//!
//! In: a text such as `registry.example.org:5000/desk/api:4.2.1@sha256:…`. Out: its parts, or why no engine takes it.
//! **Invariant:** what is accepted here, distribution's reference grammar accepts, and the other way round, but for one thing: an image's bare id of 64
//! hexadecimal digits is a name here. Source: github.com/distribution/reference, `reference.go` and `regexp.go`; `normalize.go` for the registry.
//! Not here: which registry is meant where none is named (`escadre-drivers`).
//! Tests: `image/tests.rs`.

#[cfg(test)]
mod tests;

/// The parts of a reference, as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<'t> {
    /// The registry, with its port; `None`: none is named.
    pub registry: Option<&'t str>,
    /// The path in the registry.
    pub path: &'t str,
    /// The tag.
    pub tag: Option<&'t str>,
    /// The digest, with its algorithm.
    pub digest: Option<&'t str>,
}

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// White space in it.
    #[error("it has a space in it")]
    Space,
    /// A scheme before it.
    #[error("it begins with a scheme: registries are named without")]
    Scheme,
    /// Capitals in the path.
    #[error("the path in a registry has no capitals")]
    Capitals,
    /// The registry's host or port.
    #[error("what stands before the first slash is no host with a port")]
    Registry,
    /// The path's components.
    #[error(
        "the parts of its path are lower-case letters and digits, with single dots, one or two underscores or hyphens between them"
    )]
    Path,
    /// The tag.
    #[error("its tag is 1 to 128 letters, digits, underscores, dots and hyphens, and begins with none of the last two")]
    Tag,
    /// The digest.
    #[error("its digest is no `sha256:` with 64 hexadecimal digits")]
    Digest,
    /// Too long.
    #[error("its name has more than 255 characters")]
    Long,
}

impl<'t> Reference<'t> {
    /// Reads a reference.
    ///
    /// # Errors
    /// When no engine would take it.
    pub fn parse(text: &'t str) -> Result<Self, ImageError> {
        if text.is_empty() {
            return Err(ImageError::Empty);
        }
        if text.contains(char::is_whitespace) {
            return Err(ImageError::Space);
        }
        if text.contains("://") {
            return Err(ImageError::Scheme);
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(ImageError::Digest);
        }
        let (registry, rest) = match rest.split_once('/') {
            Some((first, rest)) if is_registry(first) => (Some(first), rest),
            _ => (None, rest),
        };
        if registry.is_some_and(|registry| !is_host(registry)) {
            return Err(ImageError::Registry);
        }
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        if path.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(ImageError::Capitals);
        }
        if !path.split('/').all(is_component) {
            return Err(ImageError::Path);
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ImageError::Tag);
        }
        if registry.map_or(0, |registry| registry.len() + 1) + path.len() > 255 {
            return Err(ImageError::Long);
        }
        Ok(Self { registry, path, tag, digest })
    }

    /// Registry and path, without tag and digest.
    pub fn repository(&self) -> String {
        self.registry.map_or_else(|| self.path.to_owned(), |registry| format!("{registry}/{}", self.path))
    }
}

/// What stands before the first slash is a registry if it looks like a host; else it is the beginning of a path.
fn is_registry(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let digits = |port: &str| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit());
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let named = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => !address.is_empty() && address.chars().all(|c| c.is_ascii_hexdigit() || c == ':'),
        None => host.split('.').all(label),
    };
    named && port.is_none_or(digits)
}

/// Runs of lower-case letters and digits, with one dot, one or two underscores, or any number of hyphens between two of them.
fn is_component(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut between = text.split(plain).filter(|part| !part.is_empty());
    let separator = |part: &str| matches!(part, "." | "_" | "__") || part.chars().all(|c| c == '-');
    text.starts_with(plain) && text.ends_with(plain) && between.all(separator)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(word) && text.len() <= 128 && text.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

/// An algorithm and at least 32 hexadecimal digits; those of SHA-256 and SHA-512 have their own lengths.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, digits)) = text.split_once(':') else { return false };
    let hex = digits.chars().all(|c| c.is_ascii_hexdigit());
    let length = match algorithm {
        "sha256" => digits.len() == 64,
        "sha384" => digits.len() == 96,
        "sha512" => digits.len() == 128,
        _ => digits.len() >= 32,
    };
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    hex && length && algorithm.split(['-', '_', '+', '.']).all(part)
}
