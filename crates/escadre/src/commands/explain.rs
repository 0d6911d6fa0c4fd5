//! `escadre explain`: the page of a code.
//!
//! In: a code. Out: its page, or the list of all. **Invariant**: works without files, engine or network.
//! Not here: the pages (`escadre-model`). Tests: `tests/it`.

use crate::args::about::Explain;
use crate::exit::{Done, Exit, Fault};
use crate::terminal::Terminal;
use crate::terminal::table::Table;
use escadre_model::diagnostic::{Code, nearest};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of the list.
pub(crate) const SCHEMA: &str = "escadre.codes/1";

/// Codes as JSON.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Codes {
    /// Always `escadre.codes/1`.
    schema: &'static str,
    /// The codes asked for.
    codes: Vec<Page>,
}

/// A code as JSON.
#[derive(Serialize, JsonSchema)]
struct Page {
    /// The code, as `E0101`.
    code: &'static str,
    /// What it means, in a few words.
    title: &'static str,
    /// Its page, in Markdown.
    page: &'static str,
}

/// Prints the page.
///
/// # Errors
/// When there is no such code.
pub(crate) fn run(args: &Explain, terminal: &Terminal) -> Done {
    let asked: Vec<Code> = match &args.code {
        None => Code::ALL.to_vec(),
        Some(text) => vec![Code::find(text).ok_or_else(|| unknown(text))?],
    };
    if args.form.json {
        let page = |code: &Code| Page { code: code.as_str(), title: code.title(), page: code.page() };
        terminal.json(&Codes { schema: SCHEMA, codes: asked.iter().map(page).collect() })?;
    } else if let ([code], Some(_)) = (asked.as_slice(), &args.code) {
        terminal.data(code.page())?;
    } else {
        let mut table = Table::words(0, 2);
        for code in asked {
            table.row([code.as_str(), code.title()]);
        }
        terminal.data(&table.paint(terminal.out))?;
    }
    Ok(Exit::Done)
}

fn unknown(text: &str) -> Fault {
    let message = format!("there is no code \"{}\"", text.chars().take(40).collect::<String>().escape_debug());
    let near = nearest(&text.to_uppercase(), Code::ALL.iter().map(|code| code.as_str()));
    let hint =
        near.map_or("all codes: escadre explain".to_owned(), |code| format!("did you mean: escadre explain {code}"));
    Fault::usage_hint(Code::E0209, message, hint)
}
