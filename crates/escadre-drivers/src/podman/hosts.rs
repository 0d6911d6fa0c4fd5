//! Hosts files: the names of an instance's services, for each set of networks one file that is bind-mounted at /etc/hosts.
//!
//! In: lines to be set. Out: files rewritten in place, and the former lines for undoing.
//! **Invariant:** a line ends with `# WHO`; a new line of the same one replaces the old; other lines are never touched.
//! Not here: which names go where (`escadre-plan`).
//! Tests: `hosts/tests.rs`, `tests/it`.

use super::{Engine, disk, outcome};
use escadre_engine::ports::{Changed, Error, Job, Outcome};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind};
use escadre_model::observed::{ContainerSeen, EngineId};
use escadre_plan::step::{HostLine, Placement};
use escadre_render::engine::{create, read};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What every hosts file begins with.
const BASE: &[(&str, &str)] =
    &[("127.0.0.1", "localhost"), ("::1", "localhost ip6-localhost ip6-loopback"), ("ff02::1", "ip6-allnodes")];

/// A former line: what undoing brings back; no text means there was none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Former {
    hosts: String,
    who: String,
    line: Option<String>,
}

/// The lines of a hosts file, each with whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lines(Vec<(String, String)>);

impl Lines {
    fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (content, who) = line.rsplit_once('#')?;
            Some((who.trim().to_owned(), content.trim_end().to_owned()))
        };
        Self(text.lines().filter_map(line).collect())
    }

    fn spelled(&self) -> String {
        self.0.iter().map(|(who, content)| format!("{content}\t# {who}\n")).collect()
    }

    fn get(&self, who: &str) -> Option<&String> {
        self.0.iter().find(|(whose, _)| whose == who).map(|(_, content)| content)
    }

    /// Sets or takes away the line of one; the former one comes back.
    fn set(&mut self, who: &str, content: Option<String>) -> Option<String> {
        let at = self.0.iter().position(|(whose, _)| whose == who);
        match (at, content) {
            (Some(at), Some(content)) => self.0.get_mut(at).map(|(_, old)| std::mem::replace(old, content)),
            (Some(at), None) => Some(self.0.remove(at).1),
            (None, Some(content)) => {
                self.0.push((who.to_owned(), content));
                None
            }
            (None, None) => None,
        }
    }
}

/// A line of a service (`web/1`), not one of ours about a container, that leads to an address of this one.
fn leads_to(who: &str, content: &str, seen: &ContainerSeen) -> bool {
    let address = content.split_whitespace().next().and_then(|text| text.parse::<IpAddr>().ok());
    who.contains('/') && address.is_some_and(|address| seen.addresses.values().any(|has| *has == address))
}

fn spell(address: impl std::fmt::Display, names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    format!("{address}\t{}", names.join(" "))
}

impl Engine {
    /// The path of the hosts file of a set of networks.
    pub(super) fn hosts_path(&self, instance: &InstanceId, hosts: &str) -> PathBuf {
        let plain = hosts.len() <= 80 && hosts.chars().all(|c| c.is_ascii_alphanumeric() || "-_+.".contains(c));
        let name = if plain { hosts.to_owned() } else { Hash::of(hosts).short().to_owned() };
        self.folder(Kind::Config, instance).join(format!("hosts-{name}"))
    }

    fn edit(&self, path: &Path, change: impl FnOnce(&mut Lines)) -> Result<bool, Error> {
        let host = |source| Error::Host { act: format!("write the hosts file {}", path.display()).into(), source };
        let now = disk::read(path).map_err(host)?;
        let mut lines = Lines::parse(&String::from_utf8_lossy(now.as_deref().unwrap_or_default()));
        for (address, names) in BASE {
            if lines.get(&format!("base {address}")).is_none() {
                lines.set(&format!("base {address}"), Some(spell(address, &[names])));
            }
        }
        change(&mut lines);
        let text = lines.spelled();
        if now.as_deref() == Some(text.as_bytes()) {
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            disk::ensure_dir(folder, 0o700).map_err(host)?;
        }
        disk::write_in_place(path, text.as_bytes()).map_err(host)?;
        Ok(true)
    }

    /// The file exists before a container is made that sees it, with the `extra_hosts` of its service.
    pub(super) async fn seed_hosts(&self, job: &Job<'_>, placement: &Placement, hosts: &str) -> Result<(), Error> {
        let _one = self.hosts.lock().await;
        let key = &job.step.on.resource.key;
        let mut extra = Vec::new();
        if let Some((_, service)) = job.desired.service(key) {
            for (name, address) in &service.extra_hosts {
                extra.push((name.clone(), self.gateway(placement, address).await?));
            }
        }
        self.edit(&self.hosts_path(&job.step.on.instance, hosts), |lines| {
            let prefix = format!("extra {key} ");
            lines.0.retain(|(who, _)| !who.starts_with(&prefix));
            for (name, address) in extra {
                lines.set(&format!("{prefix}{name} {address}"), Some(spell(&address, &[&name])));
            }
        })?;
        Ok(())
    }

    /// `host-gateway` in Compose is the host as its containers see it: the gateway of their network.
    async fn gateway(&self, placement: &Placement, address: &str) -> Result<String, Error> {
        if address != "host-gateway" {
            return Ok(address.to_owned());
        }
        let Some(on) = placement.networks.first() else { return Ok("127.0.0.1".to_owned()) };
        let entry = self.find_network(&on.name).await?;
        let found = entry.as_ref().map(read::subnets).unwrap_or_default();
        Ok(found.first().and_then(|subnet| create::gateway(subnet)).unwrap_or_else(|| "127.0.0.1".to_owned()))
    }

    /// A container finds itself by its own host name: the first twelve digits of its id, unless the product says another.
    pub(super) async fn own_line(
        &self,
        job: &Job<'_>,
        placement: &Placement,
        hosts: &str,
        id: &EngineId,
    ) -> Result<(), Error> {
        let Some(address) = placement.networks.iter().find_map(|on| on.address) else { return Ok(()) };
        let written = Self::resource(job)?;
        let words = written.payload().value();
        let create = words.get("create");
        let get = |key: &str| create.and_then(|create| create.get(key)).and_then(serde_json::Value::as_str);
        let name = get("Hostname").unwrap_or_else(|| id.0.get(..12).unwrap_or(&id.0));
        let names = match get("Domainname") {
            Some(domain) if !domain.is_empty() => vec![format!("{name}.{domain}"), name.to_owned()],
            _ => vec![name.to_owned()],
        };
        let _one = self.hosts.lock().await;
        self.edit(&self.hosts_path(&job.step.on.instance, hosts), |lines| {
            lines.set(&format!("own {}", placement.name), Some(spell(address, &names)));
        })?;
        Ok(())
    }

    pub(super) async fn attach(&self, instance: &InstanceId, lines: &[HostLine]) -> Result<Outcome, Error> {
        let _one = self.hosts.lock().await;
        let mut changed = false;
        for line in lines {
            let path = self.hosts_path(instance, &line.hosts);
            changed |= self.edit(&path, |all| {
                all.set(&line.who, Some(spell(line.address, &line.names)));
            })?;
        }
        Ok(outcome(if changed { Changed::Updated } else { Changed::NotNeeded }))
    }

    /// Undoes an attachment: the former lines come back. Without them (the answer was lost) only lines that are exactly this step's go.
    pub(super) async fn detach(
        &self,
        instance: &InstanceId,
        lines: &[HostLine],
        before: Option<&serde_json::Value>,
    ) -> Result<(), Error> {
        if let Some(before) = before {
            return self.put_back(instance, before).await;
        }
        let _one = self.hosts.lock().await;
        for line in lines {
            let content = spell(line.address, &line.names);
            self.edit(&self.hosts_path(instance, &line.hosts), |all| {
                if all.get(&line.who) == Some(&content) {
                    all.set(&line.who, None);
                }
            })?;
        }
        Ok(())
    }

    pub(super) async fn put_back(&self, instance: &InstanceId, before: &serde_json::Value) -> Result<(), Error> {
        let former: Vec<Former> = serde_json::from_value(before.clone())
            .map_err(|error| Error::Bug { act: "bring hosts lines back".into(), why: error.to_string().into() })?;
        self.restore_lines(instance, former).await
    }

    pub(super) async fn restore_lines(&self, instance: &InstanceId, former: Vec<Former>) -> Result<(), Error> {
        let _one = self.hosts.lock().await;
        for one in former.into_iter().rev() {
            self.edit(&self.hosts_path(instance, &one.hosts), |all| {
                all.set(&one.who, one.line);
            })?;
        }
        Ok(())
    }

    pub(super) fn attached(&self, instance: &InstanceId, lines: &[HostLine]) -> Result<bool, Error> {
        for line in lines {
            let all = self.lines_of(&self.hosts_path(instance, &line.hosts))?;
            if all.get(&line.who) != Some(&spell(line.address, &line.names)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The lines that these would replace.
    pub(super) fn former_lines(&self, instance: &InstanceId, lines: &[HostLine]) -> Result<Vec<Former>, Error> {
        let mut former = Vec::new();
        for line in lines {
            let all = self.lines_of(&self.hosts_path(instance, &line.hosts))?;
            let old = all.get(&line.who).cloned();
            former.push(Former { hosts: line.hosts.to_string(), who: line.who.to_string(), line: old });
        }
        Ok(former)
    }

    fn lines_of(&self, path: &Path) -> Result<Lines, Error> {
        let now = disk::read(path)
            .map_err(|source| Error::Host { act: format!("read {}", path.display()).into(), source })?;
        Ok(Lines::parse(&String::from_utf8_lossy(now.as_deref().unwrap_or_default())))
    }

    /// The lines of services that lead to this container, in every hosts file of the instance.
    pub(super) fn lines_to(&self, instance: &InstanceId, seen: &ContainerSeen) -> Result<Vec<Former>, Error> {
        let mut found = Vec::new();
        for (path, hosts) in self.hosts_files(instance) {
            for (who, content) in self.lines_of(&path)?.0 {
                if leads_to(&who, &content, seen) {
                    found.push(Former { hosts: hosts.clone(), who, line: Some(content) });
                }
            }
        }
        Ok(found)
    }

    /// Takes the lines of services that lead to this container away.
    pub(super) async fn forget(&self, instance: &InstanceId, seen: &ContainerSeen) -> Result<(), Error> {
        let _one = self.hosts.lock().await;
        for (path, _) in self.hosts_files(instance) {
            self.edit(&path, |all| all.0.retain(|(who, content)| !leads_to(who, content, seen)))?;
        }
        Ok(())
    }

    /// Takes a container's line about itself away.
    pub(super) async fn forget_own(&self, instance: &InstanceId, name: &str) -> Result<(), Error> {
        let _one = self.hosts.lock().await;
        for (path, _) in self.hosts_files(instance) {
            self.edit(&path, |all| {
                all.set(&format!("own {name}"), None);
            })?;
        }
        Ok(())
    }

    fn hosts_files(&self, instance: &InstanceId) -> Vec<(PathBuf, String)> {
        let Ok(entries) = std::fs::read_dir(self.folder(Kind::Config, instance)) else { return Vec::new() };
        let mut found: Vec<_> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().to_str()?.strip_prefix("hosts-")?.to_owned();
                Some((entry.path(), name))
            })
            .collect();
        found.sort();
        found
    }
}

#[cfg(test)]
mod tests;
