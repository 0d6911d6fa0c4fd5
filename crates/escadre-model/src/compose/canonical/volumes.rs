//! Short forms of mounts: `data:/var/lib/db:ro`, `./conf:/etc/app`, `/cache`.
//!
//! In: a text. Out: [`Volume`].
//! **Invariant**: a source that begins with `.`, `/`, `~` or a drive letter is a bind, anything else a named volume.
//! Not here: resolving paths (paths).
//! Source: Compose Specification, services, `volumes`, short syntax.
//! Tests: tests/cases/compose.

/// A mount, as the short form says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Volume {
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) bind: bool,
    pub(crate) read_only: bool,
    pub(crate) no_copy: bool,
    /// A text of one or two letters, which names a target alone.
    pub(crate) bare: bool,
    pub(crate) propagation: Option<String>,
    pub(crate) selinux: Option<String>,
}

/// Reads the short form.
pub(crate) fn parse(text: &str) -> Result<Volume, String> {
    match text.len() {
        0 => return Err("a mount cannot be empty".to_owned()),
        1 | 2 => return Ok(Volume { target: text.to_owned(), bare: true, ..Volume::default() }),
        _ => {}
    }
    let sections = sections(text);
    if sections.iter().any(String::is_empty) {
        return Err(format!("`{text}` has an empty section between colons"));
    }
    let mut volume = Volume::default();
    match sections.as_slice() {
        [target] => volume.target.clone_from(target),
        [source, target] => {
            volume.source.clone_from(source);
            volume.target.clone_from(target);
        }
        [source, target, options] => {
            volume.source.clone_from(source);
            volume.target.clone_from(target);
            options.split(',').for_each(|option| apply(option, &mut volume));
        }
        _ => return Err(format!("`{text}` has too many colons")),
    }
    volume.bind = is_path(&volume.source);
    Ok(volume)
}

fn apply(option: &str, volume: &mut Volume) {
    match option {
        "ro" => volume.read_only = true,
        "rw" => volume.read_only = false,
        "nocopy" => volume.no_copy = true,
        "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
            volume.propagation = Some(option.to_owned())
        }
        "z" | "Z" => volume.selinux = Some(option.to_owned()),
        // Options of engines that do not exist here; the reference accepts them too.
        _ => {}
    }
}

/// Splits at colons, except after a drive letter and inside `${...}`.
fn sections(text: &str) -> Vec<String> {
    let mut sections = Vec::new();
    let mut section = String::new();
    let mut open = 0usize;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '$' if letters.peek() == Some(&'{') => {
                open += 1;
                section.push(letter);
            }
            '}' if open > 0 => {
                open -= 1;
                section.push(letter);
            }
            ':' if open == 0 && !is_drive(&section) => sections.push(std::mem::take(&mut section)),
            _ => section.push(letter),
        }
    }
    sections.push(section);
    sections
}

fn is_drive(section: &str) -> bool {
    let mut letters = section.chars();
    matches!((letters.next(), letters.next()), (Some(letter), None) if letter.is_alphabetic())
}

fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~']) || source.starts_with("\\\\") || {
        let mut letters = source.chars();
        matches!((letters.next(), letters.next()), (Some(letter), Some(':')) if letter.is_alphabetic())
    }
}
