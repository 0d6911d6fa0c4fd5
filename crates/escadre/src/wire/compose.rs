//! `compose config`: the normalised Compose model, as the reference prints it.
//!
//! In: Compose files, profiles, the environment. Out: JSON or YAML text, and what is worth knowing.
//! **Invariant:** it sees what Compose would see, and nothing is asked of an engine.
//! Not here: the reader (`escadre_model::compose`).
//! Tests: `tests/it`.

use super::files::Host;
use super::ground::sources;
use crate::args::about::{ComposeVerb, Format};
use crate::exit::{Exit, Fault, Sources};
use crate::settings::Settings;
use escadre_drivers::folder::OpenFolder;
use escadre_model::compose::{self, Cache, Options, Variables, paths};
use escadre_model::diagnostic::{Code, Diagnostic, Severity};
use escadre_model::text::yaml;

/// A normalised model.
pub(crate) struct Model {
    /// Its text.
    pub(crate) text: String,
    /// Warnings.
    pub(crate) findings: Vec<Diagnostic>,
    /// The texts they point into.
    pub(crate) sources: Sources,
}

/// The normalised Compose model.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn compose(settings: &Settings, verb: &ComposeVerb) -> Result<Model, Fault> {
    let ComposeVerb::Config { format, .. } = verb;
    let open = OpenFolder::new(&settings.folder);
    let host = Host(&open);
    let mut findings = Vec::new();
    let options = options(settings, verb, &host, &mut findings);
    let cache = Cache::new();
    let project = match options {
        Some(options) if !escadre_model::diagnostic::has_errors(&findings) => {
            let (project, more) = compose::load(&options, &host, &cache);
            for finding in more {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
            project
        }
        _ => None,
    };
    findings.retain(|finding| finding.severity != Severity::Note);
    let sources = sources(&settings.folder);
    let Some(project) = project else { return Err(Fault::Files(Exit::Files, findings, sources)) };
    for (first, key) in project.same_host_names() {
        let message =
            format!("the services {} and {} are one host name: escadre up refuses them", first.text, key.text);
        let finding = Diagnostic::warning(Code::W0407, message).label(&key.span, "this one");
        findings.push(finding.label(&first.span, "that one").hint("call one of them something else"));
    }
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&project).map_err(Fault::bug)? + "\n",
        Format::Yaml => yaml::document(&project.to_json()),
    };
    // The verb ends here and the process with it; to free the trees of a large file piece by piece takes a tenth of all its time.
    std::mem::forget((project, cache));
    Ok(Model { text, findings, sources })
}

/// What the words, the environment and `.env` say together; `None` after an error that is among the findings.
fn options(
    settings: &Settings,
    verb: &ComposeVerb,
    host: &Host<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Option<Options> {
    let ComposeVerb::Config { file, profile, env_file, project_name, project_directory, .. } = verb;
    let here = settings.folder.to_string_lossy().into_owned();
    let mut variables: Variables =
        settings.environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let mut files: Vec<String> = file.iter().map(|path| paths::join(&here, &path.to_string_lossy())).collect();
    let named = project_directory.as_ref().map(|path| paths::join(&here, &path.to_string_lossy()));
    let start = named.clone().or_else(|| files.first().map(|file| paths::parent(file))).unwrap_or_else(|| here.clone());
    // Later environment files stand over earlier ones, so they are read first.
    for path in env_file.iter().rev() {
        let path = paths::join(&here, &path.to_string_lossy());
        // The usual way to say: none at all.
        if path == "/dev/null" {
            continue;
        }
        if !add(&path, &mut variables, host, findings) {
            let message = format!("the environment file {path} is not there");
            findings.push(Diagnostic::error(Code::E0409, message));
            return None;
        }
    }
    if env_file.is_empty() {
        add(&paths::join(&start, ".env"), &mut variables, host, findings);
    }
    let set = |name: &str| {
        variables
            .get(name)
            .and_then(|variable| variable.text.as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    if files.is_empty()
        && let Some(listed) = set("COMPOSE_FILE")
    {
        let separator = set("COMPOSE_PATH_SEPARATOR").unwrap_or_else(|| ":".to_owned());
        files.extend(listed.split(&separator).filter(|path| !path.is_empty()).map(|path| paths::join(&here, path)));
    }
    if files.is_empty() {
        match compose::discover(named.as_deref().unwrap_or(&here), host, findings) {
            Ok(found) => files = found,
            Err(error) => {
                findings.push(Diagnostic::error(Code::E0409, format!("a Compose file cannot be read: {error}")));
                return None;
            }
        }
    }
    let mut profiles = profile.clone();
    if profiles.is_empty()
        && let Some(listed) = set("COMPOSE_PROFILES")
    {
        profiles.extend(listed.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
    }
    let working_dir = named.or_else(|| files.first().map(|file| paths::parent(file))).unwrap_or(here);
    let mut options = Options::new(working_dir, files);
    options.project_name = project_name.as_deref().map(Into::into);
    options.profiles = profiles;
    options.home = settings.environment.get("HOME").cloned();
    options.environment = variables;
    options.use_dot_env = env_file.is_empty();
    Some(options)
}

/// Adds an environment file; whether it is there.
fn add(path: &str, variables: &mut Variables, host: &Host<'_>, findings: &mut Vec<Diagnostic>) -> bool {
    match variables.add_file(path, host, findings) {
        Ok(found) => found,
        Err(error) => {
            findings.push(Diagnostic::error(Code::E0409, format!("{path} cannot be read: {error}")));
            true
        }
    }
}
