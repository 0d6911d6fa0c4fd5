//! The plan as Markdown, for a merge request.
//!
//! In: a [`Plan`] and its [`Around`]. Out: Markdown: the answer first, the details folded.
//! **Invariant**: a name or value cannot break out of its place: backticks and angle brackets are escaped.
//! Not here: the terminal's form (`plan_text`, `plan_groups`). Tests: `plan_text/tests.rs`.

use super::plan_groups::{answer, at_commit};
use super::plan_text::{Around, changing, reason_lines, refusal_words};
use super::style::count;
use escadre_plan::change::{Action, Change};
use escadre_plan::plan::Plan;

/// The plan as Markdown.
pub(crate) fn paint(plan: &Plan, around: &Around) -> String {
    let mut out = format!("### Plan {} for fleet {}{}\n\n", plan.id, plan.fleet, at_commit(plan));
    out.push_str(&format!("**{}**\n", answer(plan).join(" ")));
    let deleted: Vec<String> = plan
        .instances
        .iter()
        .flat_map(|i| changing(i).into_iter().map(move |change| (i, change)))
        .filter(|(_, change)| change.action == Action::Delete)
        .map(|(i, change)| format!("- `{}` {}\n", code(i.instance.instance.as_str()), code(&change.on.to_string())))
        .collect();
    if !deleted.is_empty() {
        out.push_str(&format!("\n#### Deleted ({})\n\n{}", deleted.len(), deleted.concat()));
    }
    let refused: Vec<_> = plan.instances.iter().filter_map(|i| Some((i, i.refused.as_ref()?))).collect();
    if !refused.is_empty() {
        out.push_str(&format!("\n#### Left alone ({})\n\n", refused.len()));
        for (instance, why) in refused {
            out.push_str(&format!("- `{}`: {}\n", instance.instance.instance, text(&refusal_words(why))));
        }
    }
    if !plan.outliers.is_empty() {
        out.push_str(&format!("\n#### Outliers ({})\n", plan.outliers.len()));
        for id in &plan.outliers {
            if let Some(instance) = plan.instances.iter().find(|i| i.instance == *id) {
                out.push_str(&format!("\n`{}`\n\n{}", id.instance, rows(&changing(instance), false)));
            }
        }
    }
    for group in plan.groups.iter().filter(|group| !group.instances.iter().all(|id| plan.outliers.contains(id))) {
        let changes: Vec<&Change> = group.changes.iter().filter(|c| !c.is_quiet()).collect();
        let number = group.instances.len();
        out.push_str(&format!("\n#### Group {}: {}\n\n", group.key, count(number, "instance")));
        out.push_str(&rows(&changes, number > 1));
        let names: Vec<String> = group.instances.iter().map(|id| format!("`{}`", id.instance)).collect();
        out.push_str(&format!("\n<details><summary>who</summary>\n\n{}\n\n</details>\n", names.join(" ")));
    }
    if !plan.notes.is_empty() || !around.findings.is_empty() {
        out.push_str("\n#### To know\n\n");
        for note in &plan.notes {
            out.push_str(&format!("- {}: {}\n", note.code, text(&note.text)));
        }
        for finding in &around.findings {
            out.push_str(&format!("- {}\n", text(&finding.to_string())));
        }
    }
    out
}

/// A table of changes.
fn rows(changes: &[&Change], group: bool) -> String {
    let mut out = "| what | on | why |\n|---|---|---|\n".to_owned();
    for change in changes {
        let why: Vec<String> = reason_lines(change, group).iter().map(|line| text(line)).collect();
        let on = code(&change.on.to_string());
        out.push_str(&format!("| {} | `{on}` | {} |\n", change.action.word(), why.join("<br>")));
    }
    out
}

/// A text that cannot become markup.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '|' | '[' | ']' => {
                out.push('\\');
                out.push(letter);
            }
            '\n' | '\r' => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

/// A text between backticks.
fn code(text: &str) -> String {
    text.replace(['`', '\n', '\r'], "'").replace('|', "\\|")
}
