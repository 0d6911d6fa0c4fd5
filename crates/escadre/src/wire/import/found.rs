//! What docker compose runs here.
//!
//! In: the engine's lists and inspections, the files that labels name. Out: [`Found`] projects; those that cannot be brought in, with the reason.
//! **Invariant:** nothing is changed by looking.
//! Not here: which belong together (`escadre_model::propose`).
//! Tests: `tests/it/import.rs`.

use super::super::files::Host;
use super::super::world::World;
use crate::exit::Fault;
use crate::settings::Settings;
use escadre_drivers::folder::OpenFolder;
use escadre_drivers::podman::Inspected;
use escadre_engine::ports::{Driver as _, Scope};
use escadre_model::compose::{self, Options};
use escadre_model::desired::Former;
use escadre_model::diagnostic::has_errors;
use escadre_model::name::Name;
use escadre_model::observed::{EngineId, ProjectSeen};
use escadre_model::propose::{Copy, flatten, repository};
use escadre_render::engine::differences::Made;
use escadre_render::engine::running::{image, otherwise};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A project that runs.
pub(super) struct Found {
    /// Its name.
    pub(super) project: String,
    /// The image of each service, without its tag.
    pub(super) images: BTreeMap<String, String>,
    /// How it is compared.
    pub(super) copy: Copy,
    /// What its files said of what runs otherwise: path → text before.
    pub(super) said: BTreeMap<String, Option<String>>,
    /// Its volumes: key → the engine's name.
    pub(super) volumes: BTreeMap<String, String>,
    /// Its containers: service → engine's id.
    pub(super) containers: Vec<(String, EngineId)>,
    /// What they look like.
    pub(super) inspected: Arc<Inspected>,
    /// Secrets of the Compose file: name → bytes.
    pub(super) secrets: BTreeMap<String, Option<Vec<u8>>>,
    /// What will be otherwise: a sentence each.
    pub(super) otherwise: Vec<String>,
    /// What runs it.
    pub(super) former: Former,
}

/// All projects but those that an instance of the fleet has already; and those that cannot be brought in, with the reason.
pub(super) async fn all(
    world: &World,
    open: &OpenFolder,
    settings: &Settings,
    adopted: &BTreeMap<String, Name>,
) -> Result<(Vec<Found>, Vec<(String, String)>), Fault> {
    let observed = world.engine.observe(&Scope::Instances(Vec::new()), &BTreeSet::new()).await.map_err(Fault::world)?;
    let mut left = Vec::new();
    let mut projects: Vec<(&Arc<str>, &ProjectSeen)> = Vec::new();
    for (name, seen) in &observed.host.projects {
        match adopted.get(&**name) {
            Some(instance) => left.push((name.to_string(), format!("it is the instance {instance} already"))),
            None if seen.containers.is_empty() => {}
            None => projects.push((name, seen)),
        }
    }
    let ids: Vec<EngineId> =
        projects.iter().flat_map(|(_, seen)| &seen.containers).map(|one| one.engine.clone()).collect();
    let inspected = Arc::new(world.engine.inspect_all(ids).await.map_err(Fault::world)?);
    let mut found = Vec::new();
    for (name, seen) in projects {
        match one(name, seen, open, settings, &inspected) {
            Ok(one) => found.push(one),
            Err(why) => left.push((name.to_string(), why)),
        }
    }
    Ok((found, left))
}

fn label<'v>(container: &'v Value, key: &str) -> &'v str {
    let labels = container.pointer("/Config/Labels");
    labels.and_then(|labels| labels.get(format!("com.docker.compose.project.{key}"))?.as_str()).unwrap_or_default()
}

fn one(
    name: &str,
    seen: &ProjectSeen,
    open: &OpenFolder,
    settings: &Settings,
    inspected: &Arc<Inspected>,
) -> Result<Found, String> {
    // The newest call of docker compose knows best where the files are.
    let newest =
        seen.containers.iter().max_by_key(|one| &one.started).and_then(|one| inspected.containers.get(&one.engine));
    let Some(newest) = newest else { return Err("its containers went while they were looked at".to_owned()) };
    let folder = label(newest, "working_dir").trim_end_matches('/').to_owned();
    let files: Vec<String> =
        label(newest, "config_files").split(',').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    if folder.is_empty() || files.is_empty() {
        return Err("its containers do not say where its Compose file is".to_owned());
    }
    let host = Host(open);
    for file in &files {
        if !matches!(compose::Files::read(&host, file), Ok(Some(_))) {
            return Err(format!("its Compose file {file} is not there any more"));
        }
    }
    let mut options = Options::new(folder, files);
    options.project_name = Some(name.into());
    options.home = settings.environment.get("HOME").cloned();
    let given: Vec<&str> = label(newest, "environment_file").split(',').filter(|path| !path.is_empty()).collect();
    options.use_dot_env = given.is_empty();
    let mut findings = Vec::new();
    for path in given.iter().rev() {
        // One that is gone says nothing; what runs does.
        let _ = options.environment.add_file(path, &host, &mut findings);
    }
    let loading = Options { profiles: vec!["*".to_owned()], ..options.clone() };
    let (project, findings) = compose::load(&loading, &host, &compose::Cache::new());
    let Some(project) = project.filter(|_| !has_errors(&findings)) else {
        let why = findings.iter().find(|finding| finding.is_error()).map_or("", |finding| &finding.message);
        return Err(format!("its Compose file cannot be read: {why}"));
    };
    let says: BTreeMap<String, String> =
        flatten(&project).into_iter().map(|(path, value)| (path, value.text())).collect();
    let (mut runs, mut images) = (BTreeMap::new(), BTreeMap::new());
    let mut services = BTreeSet::new();
    let mut containers = Vec::new();
    for one in &seen.containers {
        let service = one.id.resource.key.to_string();
        let Some(container) = inspected.containers.get(&one.engine) else { continue };
        containers.push((service.clone(), one.engine.clone()));
        if project.service(&service).is_none() || !services.insert(service.clone()) {
            continue;
        }
        let made = Made { container, image: inspected.image_of(container) };
        runs.extend(otherwise(&service, &says, made));
        let of = image(container).or_else(|| says.get(&format!("services.{service}.image")).cloned());
        images.insert(service, repository(&of.unwrap_or_default()).to_owned());
    }
    if services.is_empty() {
        return Err("none of its containers is in its Compose file any more".to_owned());
    }
    let secrets = project.entries("secrets").map(|(key, entry)| {
        let text = |word: &str| entry.get(word).and_then(escadre_model::text::Node::as_str);
        let value = text("file").and_then(|path| super::super::write::bring::read(open, path));
        let variable =
            || project.variables.get(text("environment")?)?.text.as_str().map(|text| text.as_bytes().to_vec());
        (key.text.to_string(), value.or_else(variable))
    });
    Ok(Found {
        project: name.to_owned(),
        images,
        said: runs.keys().map(|path| (path.clone(), says.get(path).cloned())).collect(),
        volumes: seen.volumes.iter().map(|one| (one.key.key.to_string(), one.name.to_string())).collect(),
        containers,
        inspected: Arc::clone(inspected),
        secrets: secrets.collect(),
        otherwise: Vec::new(),
        former: Former::Compose,
        copy: Copy { project: name.to_owned(), options, services, runs },
    })
}
