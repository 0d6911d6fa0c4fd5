//! Compose projects: files in, findings and the normalised model out.

use crate::case::{self, Case};
use escadre_model::compose::verdicts::{Capabilities, Kind};
use escadre_model::compose::{Cache, Files, Options, Project, ReadError, discover, load};
use escadre_model::diagnostic::Diagnostic;
use escadre_model::text::Text;
use std::fmt::Write as _;
use std::sync::Arc;

struct InCase<'c>(&'c Case);

impl Files for InCase<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        if path.starts_with("/outside") {
            return Err(ReadError("outside the repository".to_owned()));
        }
        Ok(path.strip_prefix("/w").and_then(|path| self.0.files.get(path)).map(|bytes| Arc::from(bytes.as_slice())))
    }
}

fn loaded(case: &Case) -> (Option<Project>, Vec<Diagnostic>) {
    let mut options = Options::new("/w", Vec::new());
    options.home = Some("/home/u".to_owned());
    let mut findings = Vec::new();
    for (key, value) in &case.settings {
        let pair = || value.split_once('=').unwrap();
        match key.as_str() {
            "env" => options.environment.set(pair().0, pair().1, None),
            "secret" => options.environment.set(value.as_str(), Text::secret(value.as_str()), None),
            "profiles" => options.profiles.extend(value.split(' ').map(str::to_owned)),
            "files" => options.files.extend(value.split(' ').map(str::to_owned)),
            "project" => options.project_name = Some(value.clone()),
            "dotenv" => options.use_dot_env = value == "yes",
            "show" => {}
            other => panic!("unknown setting {other}"),
        }
    }
    if options.files.is_empty() {
        options.files = discover("/w", &InCase(case), &mut findings).unwrap();
    }
    let cache = Cache::new();
    let (project, more) = load(&options, &InCase(case), &cache);
    // A second load from the same cache gives the same.
    let (again, same) = load(&options, &InCase(case), &cache);
    assert_eq!(more, same);
    assert_eq!(project.as_ref().map(Project::to_json), again.as_ref().map(Project::to_json));
    findings.extend(more);
    (project, findings)
}

fn shown(case: &Case) -> String {
    let (project, findings) = loaded(case);
    let mut out = String::new();
    for finding in findings {
        writeln!(out, "{finding}").unwrap();
        for label in finding.labels.iter().skip(1) {
            writeln!(out, "    {}: {}", label.span, label.text).unwrap();
        }
    }
    let show = case.settings.iter().find(|(key, _)| key == "show").map_or("model", |(_, value)| value.as_str());
    match (project, show) {
        (None, _) => {}
        (Some(project), "model") => {
            writeln!(out, "{}", serde_json::to_string_pretty(&project.to_json()).unwrap()).unwrap();
        }
        (Some(project), "verdicts") => {
            for verdict in project.verdicts(&Capabilities::default()) {
                if verdict.kind != Kind::Exact {
                    writeln!(
                        out,
                        "{} {} {:?} {}: {}",
                        verdict.span.short(),
                        verdict.path,
                        verdict.kind,
                        verdict.code,
                        verdict.text
                    )
                    .unwrap();
                }
            }
        }
        (Some(project), path) => {
            // One part of the model, to keep the case short.
            let json = project.to_json();
            for path in path.split(' ') {
                let part = path.split('.').fold(&json, |json, step| &json[step]);
                writeln!(out, "{path}: {}", serde_json::to_string_pretty(part).unwrap()).unwrap();
            }
        }
    }
    out
}

#[test]
fn cases() {
    case::run("compose", shown);
}
