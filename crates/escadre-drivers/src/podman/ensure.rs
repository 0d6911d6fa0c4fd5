//! What containers stand on: networks, volumes, files of the state folder.
//!
//! In: ensuring and removing steps. Out: outcomes.
//! **Invariant:** something of the same name that is not this instance's is never touched: it is [`Error::Taken`].
//! Not here: images (`images`), hosts files (`hosts`).
//! Tests: `tests/it`.

use super::door::{Call, encode};
use super::{Engine, disk, is_absent, outcome};
use escadre_engine::ports::{Changed, Error, Job, Outcome};
use escadre_model::desired::{Body, Content, File, Resource};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceKey};
use escadre_model::observed::EngineId;
use escadre_model::secret::SecretRef;
use escadre_render::engine::{create, labels, read};
use serde_json::Value;
use std::path::{Component, Path, PathBuf};

/// Engines have no code for a subnet that another network has: Podman ends with 500, Docker with 403 or 400, each with words.
fn crossed(error: Error, subnet: &str) -> Error {
    let words = ["is already used on the host", "is already being used by", "verlaps with other one"];
    match &error {
        Error::Refused { message, .. } if words.iter().any(|word| message.contains(word)) => {
            Error::Crossed { what: format!("subnet {subnet}").into(), by: message.clone() }
        }
        _ => error,
    }
}

impl Engine {
    pub(super) fn resource<'a>(job: &'a Job<'_>) -> Result<&'a Resource, Error> {
        job.desired.resources.get(&job.step.on.resource).ok_or_else(|| Error::Bug {
            act: format!("perform a step on {}", job.step.on).into(),
            why: "the instance has no such resource".into(),
        })
    }

    pub(super) async fn ensure_network(
        &self,
        job: &Job<'_>,
        name: &str,
        subnet: Option<&str>,
    ) -> Result<Outcome, Error> {
        let found = self.find_network(name).await?;
        let Some(subnet) = subnet else {
            return match found {
                Some(_) => Ok(outcome(Changed::NotNeeded)),
                None => Err(self.missing("network", name)),
            };
        };
        if let Some(entry) = found {
            same_owner(&entry, &job.step.on.instance, &job.desired.origin, "network", name)?;
            if !read::subnets(&entry).iter().any(|has| has.as_ref() == subnet) {
                return Err(Error::Taken {
                    what: format!("network {name}").into(),
                    by: format!("one with the subnet {}", read::subnets(&entry).join(", ")).into(),
                });
            }
            self.know_bridge(&job.step.on.instance, &entry).await;
            return Ok(Outcome { engine: id_of(&entry), ..outcome(Changed::NotNeeded) });
        }
        let resource = Self::resource(job)?;
        let body = create::network(job.desired, &job.step.on, resource, name, subnet);
        let call = Call::post(format!("create network {name}"), self.compat("/networks/create")).json(body);
        let _turn = self.turn().await;
        let made = self.door.json(call).await.map_err(|error| crossed(error, subnet))?;
        if let Some(entry) = self.find_network(name).await? {
            self.know_bridge(&job.step.on.instance, &entry).await;
        }
        Ok(Outcome { engine: id_of(&made), ..outcome(Changed::Added) })
    }

    /// A network as the engine shows it; by Podman's own call, because Docker's takes 0.1 s there for one and 2 s for all.
    pub(super) async fn find_network(&self, name: &str) -> Result<Option<Value>, Error> {
        let act = format!("look for network {name}");
        match self.libpod(&format!("/networks/{}/json", encode(name))) {
            Some(path) => self.absent_or(Call::get(act, path)).await,
            None => self.absent_or(Call::get(act, self.compat(&format!("/networks/{}", encode(name))))).await,
        }
    }

    pub(super) async fn absent_or(&self, call: Call) -> Result<Option<Value>, Error> {
        match self.door.json(call).await {
            // Podman 4.3 wraps one network in a list.
            Ok(Value::Array(mut list)) if list.len() == 1 => Ok(list.pop()),
            Ok(entry) => Ok(Some(entry)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn drop_network(
        &self,
        instance: &InstanceId,
        name: &str,
        engine: Option<&EngineId>,
    ) -> Result<Changed, Error> {
        let Some(entry) = self.find_network(name).await? else { return Ok(Changed::NotNeeded) };
        // An adopted one has no label of ours: it is known by its id alone.
        let ours =
            read::network(&entry).map_or(engine.is_some() && !is_labelled(&entry), |ours| &ours.instance == instance);
        if !ours || engine.is_some_and(|wanted| id_of(&entry).as_ref() != Some(wanted)) {
            return Ok(Changed::NotNeeded);
        }
        let path = self.compat(&format!("/networks/{}", encode(name)));
        self.gone(Call::delete(format!("remove network {name}"), path)).await
    }

    pub(super) async fn gone(&self, call: Call) -> Result<Changed, Error> {
        match self.door.bytes(call).await {
            Ok(_) => Ok(Changed::Updated),
            Err(error) if is_absent(&error) => Ok(Changed::NotNeeded),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn ensure_volume(&self, job: &Job<'_>, name: &str, external: bool) -> Result<Outcome, Error> {
        match (self.find_volume(name).await?, external) {
            (Some(_), true) => Ok(outcome(Changed::NotNeeded)),
            (None, true) => Err(self.missing("volume", name)),
            // A volume may have been made by Compose, or named in the instance's file: whose it is stands on the containers.
            (Some(entry), false) => {
                if let Some(ours) = read::volume(&entry)
                    && ours.instance != job.step.on.instance
                {
                    return Err(Error::Taken {
                        what: format!("volume {name}").into(),
                        by: format!("instance {}", ours.instance).into(),
                    });
                }
                Ok(outcome(Changed::NotNeeded))
            }
            (None, false) => {
                let resource = Self::resource(job)?;
                let body = create::volume(job.desired, &job.step.on, resource, name);
                let call = Call::post(format!("create volume {name}"), self.compat("/volumes/create")).json(body);
                self.door.json(call).await?;
                Ok(outcome(Changed::Added))
            }
        }
    }

    pub(super) async fn find_volume(&self, name: &str) -> Result<Option<Value>, Error> {
        let path = self.compat(&format!("/volumes/{}", encode(name)));
        self.absent_or(Call::get(format!("look for volume {name}"), path)).await
    }

    pub(super) async fn drop_volume(&self, instance: &InstanceId, name: &str) -> Result<Changed, Error> {
        let Some(entry) = self.find_volume(name).await? else { return Ok(Changed::NotNeeded) };
        if read::volume(&entry).is_none_or(|ours| &ours.instance != instance) {
            return Ok(Changed::NotNeeded);
        }
        self.remove_volume(name).await
    }

    pub(super) async fn remove_volume(&self, name: &str) -> Result<Changed, Error> {
        let path = self.compat(&format!("/volumes/{}", encode(name)));
        self.gone(Call::delete(format!("remove volume {name}"), path)).await
    }

    fn missing(&self, what: &str, name: &str) -> Error {
        Error::Refused {
            engine: self.door.engine(),
            act: format!("use {what} {name}").into(),
            message: format!(
                "it is external and does not exist: create it, or write its other name ({what}s: … name:)"
            )
            .into(),
            status: 404,
        }
    }

    /// The folder of an instance in the state folder.
    pub(super) fn folder(&self, kind: Kind, instance: &InstanceId) -> PathBuf {
        let part = if kind == Kind::Secret { "secrets" } else { "files" };
        self.settings.state.join(part).join(instance.fleet.as_str()).join(instance.instance.as_str())
    }

    /// The folder that an instance's services write into outside of volumes.
    pub(super) fn data(&self, instance: &InstanceId) -> PathBuf {
        self.settings.data.join(instance.fleet.as_str()).join(instance.instance.as_str())
    }

    /// The path of a file resource. `file` is the plan's word: it may not lead out of the instance's folder.
    pub(super) fn path_of(&self, key: &ResourceKey, instance: &InstanceId, file: &str) -> Result<PathBuf, Error> {
        let inside = Path::new(file);
        if file.is_empty() || !inside.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Error::Bug {
                act: format!("write {key}").into(),
                why: format!("{file} is no path below the instance's folder").into(),
            });
        }
        Ok(self.folder(key.kind, instance).join(inside))
    }

    pub(super) fn ensure_file(&self, job: &Job<'_>, file: &str) -> Result<Outcome, Error> {
        let (key, instance) = (&job.step.on.resource, &job.step.on.instance);
        let resource = Self::resource(job)?;
        let Body::File(wanted) = &resource.body else {
            return Err(Error::Bug { act: format!("write {key}").into(), why: "it is no file".into() });
        };
        let path = self.path_of(key, instance, file)?;
        let host = |source| Error::Host { act: format!("write {key} to {}", path.display()).into(), source };
        let before = exists(&path);
        // A secret's file is written again each time: what stands there may be half of a former value's life.
        if before && key.kind != Kind::Secret {
            return Ok(outcome(Changed::NotNeeded));
        }
        for folder in [self.settings.state.join("secrets"), self.settings.state.join("files")] {
            disk::ensure_dir(&folder, 0o700).map_err(host)?;
        }
        if let Some(folder) = path.parent() {
            disk::ensure_dir(folder, 0o700).map_err(host)?;
        }
        self.write_file(job, wanted, &path).map_err(|error| match error {
            Written::Disk(source) => host(source),
            Written::Other(error) => error,
        })
    }

    fn write_file(&self, job: &Job<'_>, wanted: &File, path: &Path) -> Result<Outcome, Written> {
        let changed = if exists(path) { Changed::NotNeeded } else { Changed::Added };
        let mode = wanted.mode & 0o7777;
        // Without root nobody can give files away; the modes must do then.
        let (uid, gid) = if self.api.rootless { (None, None) } else { (wanted.uid, wanted.gid) };
        match &wanted.content {
            Content::Bytes { hash, bytes } => {
                check(job, hash, bytes)?;
                disk::write_owned(path, bytes, mode, uid, gid)?;
            }
            Content::Secret { name, .. } => {
                let secret = job
                    .reveal(&SecretRef::new(name.as_ref()))
                    .ok_or_else(|| Error::Secret(escadre_model::payload::Error::Unset(name.clone())))?;
                if disk::read(path)?.is_some_and(|now| now == secret.reveal()) {
                    return Ok(outcome(Changed::NotNeeded));
                }
                disk::write_owned(path, secret.reveal(), mode, uid, gid)?;
            }
            Content::Folder { entries, bytes, .. } => {
                let beside = disk::beside(path);
                disk::ensure_dir(&beside, 0o755)?;
                for (inside, (hash, executable)) in entries {
                    if !Path::new(inside.as_ref()).components().all(|part| matches!(part, Component::Normal(_))) {
                        return Err(bug(job, &format!("{inside} leads out of the folder")));
                    }
                    let content =
                        bytes.get(hash).ok_or_else(|| bug(job, &format!("the content of {inside} is lost")))?;
                    check(job, hash, content)?;
                    let to = beside.join(inside.as_ref());
                    if let Some(folder) = to.parent() {
                        disk::ensure_dir(folder, 0o755)?;
                    }
                    disk::write_owned(&to, content, if *executable { 0o755 } else { 0o644 }, uid, gid)?;
                }
                std::fs::rename(&beside, path)?;
            }
        }
        Ok(outcome(changed))
    }

    pub(super) fn find_file(&self, job: &Job<'_>, file: &str) -> bool {
        let key = &job.step.on.resource;
        key.kind != Kind::Secret && self.path_of(key, &job.step.on.instance, file).is_ok_and(|path| exists(&path))
    }
}

/// Why a file was not written.
enum Written {
    Disk(std::io::Error),
    Other(Error),
}

impl From<std::io::Error> for Written {
    fn from(error: std::io::Error) -> Self {
        Written::Disk(error)
    }
}

impl From<Error> for Written {
    fn from(error: Error) -> Self {
        Written::Other(error)
    }
}

fn bug(job: &Job<'_>, why: &str) -> Written {
    Written::Other(Error::Bug { act: format!("write {}", job.step.on.resource).into(), why: why.into() })
}

/// Bytes do not travel with a receipt's JSON; whoever forgot to fetch them must not write an empty file.
fn check(job: &Job<'_>, hash: &Hash, bytes: &[u8]) -> Result<(), Written> {
    if Hash::of(bytes) == *hash { Ok(()) } else { Err(bug(job, "its content is not the one that was planned")) }
}

fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Does it carry labels of ours?
pub(super) fn is_labelled(entry: &Value) -> bool {
    let all = entry.get("Labels").or_else(|| entry.get("labels")).or_else(|| entry.get("Config")?.get("Labels"));
    all.and_then(|all| all.get(labels::LABEL_SCHEMA)).is_some()
}

pub(super) fn id_of(entry: &Value) -> Option<EngineId> {
    entry.get("Id").or_else(|| entry.get("id"))?.as_str().map(|id| EngineId(id.into()))
}

/// Is a thing of that name this instance's?
pub(super) fn same_owner(
    entry: &Value,
    instance: &InstanceId,
    origin: &str,
    what: &str,
    name: &str,
) -> Result<(), Error> {
    let all = entry.get("Labels").or_else(|| entry.get("labels")).or_else(|| entry.get("Config")?.get("Labels"));
    let whose = all.and_then(Value::as_object).and_then(labels::read);
    let by = match whose {
        Some(whose) if &whose.id.instance == instance && whose.origin.as_deref() == Some(origin) => return Ok(()),
        Some(whose) if &whose.id.instance == instance => {
            format!("another fleet of that name, from {}", whose.origin.unwrap_or_default())
        }
        Some(whose) => format!("instance {}", whose.id.instance),
        None => format!("a {what} that Escadre did not make"),
    };
    Err(Error::Taken { what: format!("{what} {name}").into(), by: by.into() })
}
