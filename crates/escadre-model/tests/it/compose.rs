//! Compose projects: files in, findings and the normalised model out.

use crate::case::{self, Case};
use escadre_model::compose::verdicts::{Capabilities, Kind, acknowledge};
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
            "project" => options.project_name = Some(value.as_str().into()),
            "dotenv" => options.use_dot_env = value == "yes",
            "show" | "unfold" => {}
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
    crate::late::compare(&options, &InCase(case));
    findings.extend(more);
    (project, findings)
}

pub(crate) fn shown(case: &Case) -> String {
    let (mut project, mut findings) = loaded(case);
    if let Some(project) = project.as_mut().filter(|_| case.settings.iter().any(|(key, _)| key == "unfold")) {
        project.unfold_steps(&mut findings);
    }
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
            let mut verdicts = project.verdicts(&Capabilities::default());
            let list = project.acknowledgements();
            let unused: Vec<String> =
                acknowledge(&mut verdicts, &list).iter().map(|one| one.what.to_string()).collect();
            for verdict in verdicts {
                let kind = serde_json::to_value(verdict.kind).unwrap();
                let mut line = format!("{} {} {}", verdict.span.short(), verdict.path, kind.as_str().unwrap());
                if verdict.kind != Kind::Exact {
                    write!(line, " {}: {}", verdict.code, verdict.text).unwrap();
                }
                if !verdict.instead.is_empty() {
                    write!(line, "; instead: {}", verdict.instead).unwrap();
                }
                if let Some(span) = verdict.acknowledged {
                    write!(line, " (acknowledged in {})", span.short()).unwrap();
                }
                writeln!(out, "{line}").unwrap();
            }
            unused.iter().for_each(|what| writeln!(out, "fits nothing: {what}").unwrap());
        }
        (Some(project), path) => {
            // One part of the model, to keep the case short.
            let mut json = project.to_json();
            json["steps"] = project.steps.iter().map(|(step, of)| format!("{step} of {of}")).collect();
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

#[test]
fn hostile_files_are_refused_or_mean_what_they_say() {
    case::run("hostile", |case| {
        let begin = std::time::Instant::now();
        let out = shown(case);
        assert!(begin.elapsed().as_secs() < 300, "{:?} took {:?}", case.settings, begin.elapsed());
        // What a bomb prints is not kept.
        if out.len() < 4_000 {
            out
        } else {
            format!("{}\n... {} bytes\n", out.chars().take(300).collect::<String>(), out.len())
        }
    });
}

/// One file, made here because it is too long to be written down.
struct Made(String);

impl Files for Made {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok((path == "/w/compose.yaml").then(|| Arc::from(self.0.as_bytes())))
    }
}

fn codes(file: String, variable: &str) -> Vec<&'static str> {
    let mut options = Options::new("/w", vec!["compose.yaml".to_owned()]);
    options.environment.set("A", variable, None);
    let (project, findings) = load(&options, &Made(file), &Cache::new());
    assert_eq!(project.is_none(), findings.iter().any(Diagnostic::is_error));
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn sizes_are_bounded() {
    let long = "x".repeat(100_000);
    let many = |count| format!("services: {{ web: {{ image: nginx, hostname: '{}' }} }}", "${A}".repeat(count));
    assert_eq!(codes(many(10), &long), [""; 0]);
    assert_eq!(codes(many(11), &long), ["E0422"]);
    let spread: String = (0..200).map(|n| format!("\n      K{n}: '${{A}}'")).collect();
    let codes_of_spread = codes(format!("services:\n  web:\n    image: nginx\n    environment:{spread}\n"), &long);
    assert!(codes_of_spread.contains(&"E0422"), "{codes_of_spread:?}");

    let chain = |count| {
        let services: String = (0..count).map(|n| format!("  s{n}: {{ extends: s{} }}\n", n + 1)).collect();
        format!("services:\n{services}  s{count}: {{ image: nginx }}\n")
    };
    assert_eq!(codes(chain(63), ""), [""; 0]);
    assert!(codes(chain(10_000), "").contains(&"E0422"));

    let row: String = (0..5_000).map(|n| format!("  s{n}: {{ image: x, depends_on: [s{}] }}\n", n + 1)).collect();
    assert_eq!(codes(format!("services:\n{row}  s5000: {{ image: x }}\n"), ""), [""; 0]);
}

#[test]
fn many_services_share_one_anchor() {
    let entries: String = (0..40).map(|n| format!("    K{n}: value\n")).collect();
    let mut file = format!("x-common: &common\n  image: nginx\n  environment:\n{entries}services:\n");
    for n in 0..1400 {
        writeln!(file, "  s{n}:\n    <<: *common\n    labels: {{ n: '{n}', text: '{}' }}", "long ".repeat(100))
            .unwrap();
    }
    assert_eq!(codes(file, ""), [""; 0]);
}
