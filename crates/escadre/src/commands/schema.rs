//! `escadre schema`: JSON schemas of what Escadre prints with `--json`, and of the files people write.
//!
//! In: a name. Out: a JSON schema. **Invariant**: made from the types that are printed; docs/schema is compared with it by a test.
//! Not here: the types. Tests: `schema/tests.rs`.

use crate::args::about::Schema;
use crate::exit::{Done, Exit, Fault};
use crate::settings::Settings;
use crate::terminal::Terminal;
use crate::terminal::{findings, report};
use crate::views::{diff, drift, endpoint, history, log, ps, status, why, why_service};
use anyhow::Context;
use escadre_model::diagnostic::{Code, nearest};
use schemars::JsonSchema;
use serde_json::Value;

/// Name → schema, all of them.
pub(crate) fn all() -> Vec<(&'static str, Value)> {
    fn of<T: JsonSchema>(name: &'static str) -> (&'static str, Value) {
        (name, schemars::schema_for!(T).to_value())
    }
    let mut list = vec![
        of::<super::explain::Codes>("codes"),
        of::<findings::Json>("diagnostics"),
        of::<why::Differ>("differ"),
        of::<super::doctor::Doctor>("doctor"),
        of::<drift::Drift>("drift"),
        of::<diff::Difference>("diff"),
        of::<history::History>("history"),
        of::<log::Line<'_>>("log"),
        of::<escadre_plan::plan::Plan>("plan"),
        of::<ps::Ps>("ps"),
        of::<report::Ended>("report"),
        of::<crate::wire::Secrets>("secrets"),
        of::<status::Status>("status"),
        of::<why::Why>("why"),
        of::<endpoint::Endpoint>("why-endpoint"),
        of::<why_service::Service>("why-service"),
    ];
    list.extend(crate::wire::file_schemas());
    list
}

/// Prints or writes schemas.
///
/// # Errors
/// When there is no such schema, or the folder cannot be written.
pub(crate) fn run(args: &Schema, settings: &Settings, terminal: &Terminal) -> Done {
    let all = all();
    if let Some(folder) = &args.out {
        let folder = settings.folder.join(folder);
        let write = || -> anyhow::Result<()> {
            std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            for (name, schema) in &all {
                let path = folder.join(format!("{name}.json"));
                std::fs::write(&path, text(schema)).with_context(|| format!("cannot write {}", path.display()))?;
            }
            Ok(())
        };
        write().map_err(Fault::world)?;
        terminal.say(&format!("{} schemas are in {}\n", all.len(), folder.display()));
        return Ok(Exit::Done);
    }
    let Some(wanted) = &args.name else {
        let names: String = all.iter().map(|(name, _)| format!("{name}\n")).collect();
        terminal.data(&names)?;
        return Ok(Exit::Done);
    };
    let found = all.iter().find(|(name, _)| name == wanted);
    let Some((_, schema)) = found else {
        let near = nearest(wanted, all.iter().map(|(name, _)| *name));
        let hint =
            near.map_or("all names: escadre schema".to_owned(), |name| format!("did you mean: escadre schema {name}"));
        return Err(Fault::usage_hint(Code::E0202, format!("there is no schema \"{}\"", wanted.escape_debug()), hint));
    };
    terminal.data(&text(schema))?;
    Ok(Exit::Done)
}

/// A schema as it is printed and committed.
pub(crate) fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

#[cfg(test)]
mod tests;
