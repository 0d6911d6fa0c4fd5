//! `escadre check`: everything that is wrong, at once.
//!
//! In: a path or nothing. Out: findings. **Invariant**: warnings stop nothing, unless --strict.
//! Not here: reading. Tests: `tests/it`.

use crate::args::about::Check;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::plan_text::Verdicts;
use crate::terminal::style::count;
use crate::terminal::{Terminal, findings};
use crate::wire::{self, Ask};
use escadre_model::diagnostic::{Diagnostic, Severity};

/// Runs the verb.
///
/// # Errors
/// When there are no files.
pub(super) async fn run(args: &Check, settings: &Settings, terminal: &Terminal) -> Done {
    let path = args.path.as_ref().map(|path| settings.folder.join(path));
    let read = wire::read(settings, &Ask { files: args.files.clone(), path, ..Ask::default() }).await?;
    // What is approximated is worth knowing when it is asked for; what is refused, always.
    let verdicts = read.judged.findings(args.strict);
    let list: Vec<Diagnostic> = read
        .findings
        .into_iter()
        .chain(verdicts)
        .filter(|finding| args.verdicts || finding.severity != Severity::Note)
        .collect();
    let counts = args.verdicts.then(|| read.judged.count());
    if args.form.json {
        terminal.json(&findings::json(&list))?;
    } else if args.short {
        terminal.data(&findings::lines(&list))?;
    } else {
        terminal.findings(&list, read.sources.0.as_ref());
        terminal.say(&sum(&list, counts, read.instances));
    }
    let stops = |finding: &Diagnostic| finding.is_error() || (args.strict && finding.severity == Severity::Warning);
    Ok(if list.iter().any(stops) { Exit::Files } else { Exit::Done })
}

/// The last line.
fn sum(list: &[Diagnostic], verdicts: Option<Verdicts>, instances: usize) -> String {
    let mut out = String::new();
    if let Some(verdicts) = verdicts {
        let nothing = verdicts.keys() == 0 && list.iter().any(Diagnostic::is_error);
        out = if nothing {
            "No key is judged before the errors are mended.\n".to_owned()
        } else {
            format!("{}\n", verdicts.sentence())
        };
    }
    if list.is_empty() {
        out.push_str(&format!("Nothing is wrong: {} read.\n", count(instances, "instance")));
    }
    out
}
