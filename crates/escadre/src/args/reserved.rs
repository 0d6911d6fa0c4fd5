//! Verbs that have a name and are not built yet, and words that are no verbs at all.
//!
//! In: the words that clap did not know. Out: one sentence and exit code 2.
//! **Invariant**: a reserved verb is refused by name, and no other output recommends it.
//! Not here: the verbs that work.
//! Tests: `tests.rs`.

use super::command;
use crate::exit::Fault;
use escadre_model::diagnostic::{Code, nearest};
use std::ffi::OsString;

/// Verb → what it will do.
pub(crate) const VERBS: &[(&str, &str)] = &[
    ("backup", "save an instance's data"),
    ("clone", "copy an instance with its data"),
    ("convert", "write plain files for another target"),
    ("export", "hand an instance's data over"),
    ("images", "list which image runs where"),
    ("leave", "give ownership up"),
    ("move", "move an instance to another target"),
    ("promote", "bring a release to the next environment"),
    ("release", "freeze a product with all its images"),
    ("render", "write plain files"),
    ("restore", "bring saved data back"),
    ("serve", "run the portal and the loop"),
    ("set", "edit an instance's file and keep its comments"),
    ("target", "manage targets"),
    ("top", "show what services use"),
];

/// Verbs on secrets.
const SECRET: &[(&str, &str)] =
    &[("lift", "move a password out of a Compose file"), ("who", "list who can decrypt what")];

/// The refusal of a first word.
pub(crate) fn refuse(words: &[OsString]) -> Fault {
    let known: Vec<String> =
        command().get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| verb.get_name().to_owned()).collect();
    refuse_among("", words, VERBS, &known)
}

/// The refusal of a word after `secret`.
pub(crate) fn refuse_secret(words: &[OsString]) -> Fault {
    refuse_among("secret ", words, SECRET, &["set", "show", "rotate", "rekey"].map(str::to_owned))
}

/// The refusal of a word after `proxy`.
pub(crate) fn refuse_proxy(words: &[OsString]) -> Fault {
    refuse_among(
        "proxy ",
        words,
        &[],
        &["install", "renew", "status", "stop", "uninstall", "upgrade"].map(str::to_owned),
    )
}

fn refuse_among(before: &str, words: &[OsString], reserved: &[(&str, &str)], known: &[String]) -> Fault {
    let word = words.first().map(|word| word.to_string_lossy().escape_debug().to_string()).unwrap_or_default();
    if let Some((verb, does)) = reserved.iter().find(|(verb, _)| *verb == word) {
        let message = format!("escadre {before}{verb} will {does}; this version cannot do it yet");
        return Fault::usage(Code::E0290, message);
    }
    let shown: String = word.chars().take(40).collect();
    let message = format!("there is no verb \"{before}{shown}\"");
    match nearest(&word, known.iter().map(String::as_str)) {
        Some(verb) => Fault::usage_hint(Code::E0203, message, format!("did you mean: escadre {before}{verb}")),
        None => Fault::usage_hint(
            Code::E0203,
            message,
            format!("all verbs: escadre help{}", &format!(" {before}").trim_end()),
        ),
    }
}
