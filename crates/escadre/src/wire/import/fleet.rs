//! The fleet that the instances come to: the one that is here, or a new one.
//!
//! In: the working folder, what was typed. Out: [`Here`]; names of products and instances that are free.
//! **Invariant:** a name that is taken, or that two projects would have, is refused before anything is written.
//! Not here: the files (`written`).
//! Tests: `tests/it/import.rs`.

use super::found::Found;
use super::{Group, Wish, word};
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use crate::wire::write::begin::taken;
use crate::wire::write::fleet_here;
use crate::wire::write::secrets::unknown;
use escadre_model::desired::Former;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::fleet::{Fleet, Target};
use escadre_model::name::Name;
use escadre_model::propose::{common_name, own_name};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the fleet is, or is to be.
pub(super) struct Here {
    /// Its folder.
    pub(super) root: PathBuf,
    /// What is there already.
    pub(super) fleet: Option<Arc<Fleet>>,
    /// Its name.
    pub(super) name: Name,
}

impl Here {
    pub(super) fn of(settings: &Settings, wish: &Wish<'_>) -> Result<Self, Fault> {
        let is_there = settings.folder.ancestors().any(|folder| folder.join(escadre_model::fleet::FILE).is_file());
        if is_there {
            let (root, fleet, _) = fleet_here(settings)?;
            if let Some(name) = wish.fleet.filter(|name| **name != fleet.name.value) {
                let message = format!("here is the fleet \"{}\", and not \"{name}\"", fleet.name.value);
                return Err(Fault::usage_hint(Code::E0202, message, "leave --fleet out, or begin in an empty folder"));
            }
            if fleet.environment(wish.environment.as_str()).is_none() {
                let all = fleet.environments.iter().map(|one| one.name.value.as_str());
                return Err(unknown("environment", wish.environment.as_str(), all));
            }
            let name = fleet.name.value.clone();
            return Ok(Self { root, fleet: Some(fleet), name });
        }
        let folder = settings.folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let name = match wish.fleet {
            Some(name) => name.clone(),
            None => Name::new(&folder.replace('_', "-")).map_err(|_| {
                let message = format!("\"{folder}\" is no name for a fleet");
                Fault::usage_hint(Code::E0202, message, "name it: --fleet NAME")
            })?,
        };
        Ok(Self { root: settings.folder.clone(), fleet: None, name })
    }

    /// The target that instances get where nothing else is written.
    pub(super) fn target(&self) -> Option<Arc<Target>> {
        let fleet = self.fleet.as_ref()?;
        let usual = fleet.default_target.as_ref().and_then(|name| fleet.targets.get(&name.value));
        usual.or_else(|| fleet.targets.values().next()).cloned()
    }

    /// Projects, or stacks, that an instance has taken over already.
    pub(super) fn adopted(&self, from: Former) -> BTreeMap<String, Name> {
        let instances = self.fleet.iter().flat_map(|fleet| &fleet.instances);
        let taken = instances.filter_map(|(name, instance)| Some((name, instance.adopts.as_ref()?)));
        taken.filter(|(_, (of, _))| *of == from).map(|(name, (_, it))| (it.value.to_string(), name.clone())).collect()
    }

    /// The name of the product that these projects are copies of.
    pub(super) fn product(&self, wish: &Wish<'_>, members: &[&Found], before: &[Group<'_>]) -> Result<Name, Fault> {
        let names: Vec<&str> = members.iter().map(|one| one.project.as_str()).collect();
        let image = || {
            let first = members.first()?.images.values().next()?;
            first.rsplit('/').next().map(str::to_owned)
        };
        let only = || members.first().filter(|_| members.len() == 1).map(|one| one.project.replace('_', "-"));
        let name = match wish.product {
            Some(name) => name.clone(),
            None => {
                let words = common_name(&names).or_else(only).or_else(image).unwrap_or_default();
                Name::new(&words).map_err(|_| {
                    let message = format!("it is not clear what the product of {} is called", names.join(", "));
                    let hint = format!("escadre import {} --product NAME {}", word(wish.from), names.join(" "));
                    Fault::usage_hint(Code::E0202, message, hint)
                })?
            }
        };
        if let Some(there) = self.fleet.as_ref().and_then(|fleet| fleet.products.get(&name)) {
            return Err(taken("product", &name, &there.file));
        }
        if before.iter().any(|group| group.product == name) {
            let message = format!("two products would be called \"{name}\"");
            let hint = format!(
                "bring them in one after the other: escadre import {} --product NAME {}",
                word(wish.from),
                names.join(" ")
            );
            return Err(Fault::usage_hint(Code::E0502, message, hint));
        }
        Ok(name)
    }

    /// The names of the instances that projects become.
    pub(super) fn instances(
        &self,
        product: &Name,
        members: &[&Found],
        before: &[Group<'_>],
    ) -> Result<Vec<Name>, Fault> {
        let all: Vec<&str> = members.iter().map(|one| one.project.as_str()).collect();
        let mut names: Vec<Name> = Vec::new();
        let mut findings = Vec::new();
        for one in members {
            let own = own_name(&one.project, &all, product.as_str());
            let Ok(name) = Name::new(&own) else {
                let message = format!("\"{own}\", of the project {}, is no name for an instance", one.project);
                findings.push(Diagnostic::error(Code::E0501, message));
                continue;
            };
            let there = self.fleet.as_ref().and_then(|fleet| fleet.instances.get(&name));
            let twice = names.contains(&name) || before.iter().any(|group| group.instances.contains(&name));
            if there.is_some() || twice {
                // Its whole name is its own.
                let whole = Name::new(&one.project.replace('_', "-"));
                match whole.ok().filter(|whole| *whole != name && !names.contains(whole)) {
                    Some(whole) if there.is_none() => names.push(whole),
                    _ => {
                        let message =
                            format!("the project {} would be the instance \"{name}\", and there is one", one.project);
                        findings.push(
                            Diagnostic::error(Code::E0502, message).hint("leave it out, or rename the other one first"),
                        );
                    }
                }
                continue;
            }
            names.push(name);
        }
        if findings.is_empty() { Ok(names) } else { Err(Fault::Findings(Exit::CommandLine, findings)) }
    }
}
