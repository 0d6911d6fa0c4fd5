//! All stories, compared with their transcripts; `UPDATE=1 cargo test -p escadre-testkit stories` writes these anew.

#![expect(clippy::disallowed_methods, reason = "the stories are files beside the tests")]

use escadre_testkit::bench::paused;
use escadre_testkit::stories::{LINE, play};
use std::path::Path;

#[test]
fn all_stories() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worlds");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} stories", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let (script, wanted) = text.split_once(LINE).unwrap_or((&text, ""));
        let played = paused(play(script)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if played.trim() == wanted.trim() {
            continue;
        }
        if std::env::var("UPDATE").is_ok() {
            std::fs::write(&file, format!("{}\n{LINE}\n{played}", script.trim_end())).unwrap();
        } else {
            wrong.push(format!("{}\n{played}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{} stories differ:\n{}", wrong.len(), wrong.join("\n"));
}
