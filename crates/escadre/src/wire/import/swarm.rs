//! What a Docker Swarm runs here.
//!
//! In: the lists of a manager. Out: its stacks as projects, with files that stand nowhere but in memory; what becomes otherwise, in words.
//! **Invariant:** nothing is changed by looking; the value of no secret is asked for.
//! Not here: the words of a Swarm (`escadre_render::engine::swarm`), which stacks belong together (`escadre_model::propose`).
//! Tests: `tests/it/import.rs`; `escadre_render`'s with recorded answers.

use super::found::Found;
use crate::exit::{Exit, Fault};
use crate::wire::world::World;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use escadre_engine::ports::{Driver as _, Error, Scope};
use escadre_model::compose::Options;
use escadre_model::desired::Former;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::name::Name;
use escadre_model::observed::{EngineId, TaskSeen};
use escadre_model::propose::{Copy, repository};
use escadre_model::text::yaml;
use escadre_model::tree::Memory;
use escadre_render::engine::swarm::{Lists, Stack, stacks};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Stacks that are brought in, those that are left with the reason, and the files of all.
type All = (Vec<Found>, Vec<(String, String)>, Memory);

/// All stacks but those that an instance of the fleet has already.
pub(super) async fn all(world: &World, adopted: &BTreeMap<String, Name>) -> Result<All, Fault> {
    let lists = world.engine.swarm().await.map_err(Fault::world)?;
    let Some([services, networks, configs, nodes]) = lists else {
        let finding = Diagnostic::error(Code::E0324, "this engine is no manager of a Docker Swarm")
            .hint("ask a manager: docker node ls says which nodes are")
            .hint("another engine: DOCKER_HOST=unix:///run/docker.sock escadre import swarm …");
        return Err(Fault::Findings(Exit::World, vec![finding]));
    };
    let observed = world.engine.observe(&Scope::Instances(Vec::new()), &BTreeSet::new()).await.map_err(Fault::world)?;
    let running = |tasks: &[TaskSeen]| tasks.iter().filter(|one| one.runs).cloned().collect::<Vec<_>>();
    let tasks: BTreeMap<&str, Vec<TaskSeen>> =
        observed.host.stacks.iter().map(|(stack, tasks)| (&**stack, running(tasks))).collect();
    let ids: Vec<EngineId> = tasks.values().flatten().map(|one| one.engine.clone()).collect();
    let inspected = Arc::new(world.engine.inspect_all(ids).await.map_err(Fault::world)?);
    let (mut files, mut found, mut left) = (Memory::default(), Vec::new(), Vec::new());
    for stack in stacks(&Lists { services, networks, configs, nodes }) {
        match adopted.get(&stack.name) {
            Some(instance) => left.push((stack.name, format!("it is the instance {instance} already"))),
            None => {
                let tasks = tasks.get(stack.name.as_str()).map_or(&[][..], Vec::as_slice);
                let containers = tasks.iter().map(|one| (one.service.to_string(), one.engine.clone())).collect();
                found.push(Found { containers, inspected: Arc::clone(&inspected), ..one(stack, &mut files)? });
            }
        }
    }
    Ok((found, left, files))
}

fn one(stack: Stack, files: &mut Memory) -> Result<Found, Fault> {
    let folder = format!("/{}", stack.name);
    let file = format!("{folder}/compose.yaml");
    files.put(&file[1..], yaml::document(&stack.compose));
    for (name, data) in &stack.configs {
        let data = STANDARD.decode(data).map_err(|error| {
            let why = format!("config {name} of stack {} is no base64: {error}", stack.name);
            Fault::world(Error::Bug { act: "list configs".into(), why: why.into() })
        })?;
        files.put(&format!("{}/configs/{name}", stack.name), data);
    }
    let mut options = Options::new(folder, vec![file]);
    options.project_name = Some(stack.name.as_str().into());
    Ok(Found {
        project: stack.name.clone(),
        images: stack.images.iter().map(|(service, image)| (service.clone(), repository(image).to_owned())).collect(),
        copy: Copy {
            project: stack.name,
            options,
            services: stack.images.keys().cloned().collect(),
            runs: BTreeMap::new(),
        },
        said: BTreeMap::new(),
        volumes: stack.volumes,
        containers: Vec::new(),
        inspected: Arc::default(),
        secrets: stack.secrets.into_iter().map(|name| (name, None)).collect(),
        otherwise: stack.otherwise,
        former: Former::Swarm,
    })
}
