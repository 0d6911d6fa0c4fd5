//! What the files say: finding them, reading them, resolving and rendering every instance.
//!
//! In: the working folder, `-f`, `--rev`. Out: [`Source`] (where the files are), [`Wanted`] (what they want of each instance).
//! **Invariant:** an instance that cannot be read is a finding and is not planned; the others go on; nothing outside a fleet's repository is read.
//! Not here: the engine (`world`).
//! Tests: `tests/it`.

use super::certificates;
use super::keys::{self, Keyring};
use crate::args::shared::Files;
use crate::exit::{Exit, Fault};
use crate::settings::Settings;
use escadre_drivers::age::Vault;
use escadre_drivers::folder::{OpenFolder, WorkTree};
use escadre_drivers::git;
use escadre_engine::ports::Secrets;
use escadre_model::compose::{self, Variables};
use escadre_model::desired::Desired;
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::fleet::{self, Fleet, Target};
use escadre_model::hash::Hash;
use escadre_model::hash::KeyedHash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::parallel::Threads;
use escadre_model::resolve::{self, Cache, Keys, SingleInput};
use escadre_model::resolved::Resolved;
use escadre_model::secret::{Secret, SecretRef};
use escadre_model::tree::{Entry, Tree};
use escadre_render::engine::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// A fleet: the folder of fleet.yaml.
    Fleet(PathBuf),
    /// A plain Compose project: its folder and files.
    Single {
        /// The folder of the first file.
        folder: PathBuf,
        /// Absolute paths, in order.
        files: Vec<String>,
    },
}

/// A fleet, or a fleet of one, as read.
pub(super) struct Read {
    /// Where from.
    pub(super) source: Source,
    /// The fleet, unless it is one of one.
    pub(super) fleet: Option<Arc<Fleet>>,
    /// What answers by path.
    tree: Arc<dyn Tree>,
    /// The commit; empty outside Git.
    pub(super) commit: Arc<str>,
    /// Hash of uncommitted files; `None`: clean.
    pub(super) dirty: Option<Hash>,
    /// With `--rev`: in what the work tree differs from that commit, in words; empty: in nothing.
    beside: String,
    /// What was found while reading.
    pub(super) findings: Vec<Diagnostic>,
}

/// What the files want.
pub(super) struct Wanted {
    /// The fleet's name; a fleet of one is called like its project.
    pub(super) fleet: Name,
    /// Who the fleet is.
    pub(super) origin: Arc<str>,
    /// Beside a plain Compose file: its name.
    pub(super) single: Option<String>,
    /// Relative paths in findings begin here.
    pub(super) root: PathBuf,
    /// The commit; empty outside Git.
    pub(super) commit: Arc<str>,
    /// Hash of uncommitted files; `None`: clean.
    pub(super) dirty: Option<Hash>,
    /// Instances as the files decide them.
    pub(super) resolved: Vec<Resolved>,
    /// The same in the target's words.
    pub(super) desired: Vec<Desired>,
    /// Instances whose target or environment requires a commit.
    pub(super) strict: BTreeSet<InstanceId>,
    /// With `--rev`: in what the work tree differs from that commit, in words; empty: in nothing.
    pub(super) beside: String,
    /// Was the list of instances read whole?
    pub(super) listed: bool,
    /// What was found.
    pub(super) findings: Vec<Diagnostic>,
    /// Values of secrets.
    pub(super) secrets: Arc<dyn Secrets>,
}

impl Wanted {
    /// What the record alone says of a fleet: no file is read, so nobody is taken for gone.
    pub(super) fn of_record(fleet: Name, root: PathBuf) -> Self {
        Self {
            fleet,
            origin: "".into(),
            single: None,
            root,
            commit: "".into(),
            dirty: None,
            resolved: Vec::new(),
            desired: Vec::new(),
            strict: BTreeSet::new(),
            beside: String::new(),
            listed: false,
            findings: Vec::new(),
            secrets: Arc::new(Held(BTreeMap::new())),
        }
    }
}

/// What Compose's discovery asks, answered by the host's folders.
pub(super) struct Host<'t>(pub(super) &'t dyn Tree);

impl compose::Files for Host<'_> {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, compose::ReadError> {
        match self.0.entry(path) {
            Ok(Entry::File { bytes, .. }) => Ok(Some(bytes)),
            Ok(_) => Ok(None),
            // The caller names the path.
            Err(escadre_model::tree::Error::Unreadable { why, .. }) => Err(compose::ReadError(why.to_string())),
            Err(error) => Err(compose::ReadError(error.to_string())),
        }
    }
}

/// Secrets of a fleet of one: read with its files.
struct Held(BTreeMap<SecretRef, Secret>);

impl Secrets for Held {
    fn reveal(&self, _: &InstanceId, name: &SecretRef, _: Option<&KeyedHash>) -> Option<Secret> {
        self.0.get(name).cloned()
    }
}

/// Finds the files: `-f`, else the nearest fleet.yaml upwards, else the nearest Compose file.
///
/// # Errors
/// Exit code 1 when there is nothing.
pub(super) fn find(settings: &Settings, files: &Files, start: Option<&Path>) -> Result<Source, Fault> {
    let named = settings.compose_files(files);
    let start = start.map_or_else(|| settings.folder.clone(), |path| settings.folder.join(path));
    if let Some(first) = named.first() {
        return Ok(single(first, &named));
    }
    if start.is_file() {
        return Ok(single(&start, std::slice::from_ref(&start)));
    }
    if let Some(folder) = start.ancestors().find(|folder| folder.join(fleet::FILE).is_file()) {
        return Ok(Source::Fleet(folder.to_owned()));
    }
    let open = OpenFolder::new(&start);
    let mut findings = Vec::new();
    let shown = start.to_string_lossy().into_owned();
    let found = compose::discover(&shown, &Host(&open), &mut findings);
    match found {
        Ok(found) if !found.is_empty() => {
            let folder = Path::new(&found[0]).parent().map_or_else(|| start.clone(), Path::to_owned);
            Ok(Source::Single { folder, files: found })
        }
        _ => {
            let message =
                format!("there is neither a fleet.yaml nor a compose.yaml in {} or above it", start.display());
            let finding = Diagnostic::error(Code::E0306, message)
                .hint("begin with: escadre new fleet NAME")
                .hint("or name a Compose file: escadre up -f FILE");
            Err(Fault::Findings(Exit::Files, vec![finding]))
        }
    }
}

fn single(first: &Path, all: &[PathBuf]) -> Source {
    let folder = first.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    Source::Single { folder, files: all.iter().map(|path| path.to_string_lossy().into_owned()).collect() }
}

impl Source {
    /// Relative paths begin here.
    pub(super) fn root(&self) -> &Path {
        match self {
            Source::Fleet(root) => root,
            Source::Single { folder, .. } => folder,
        }
    }
}

impl Read {
    /// Reads what stands at a source: the work tree, or a commit of it.
    ///
    /// # Errors
    /// When the folder or the commit cannot be opened, or there is no fleet in it.
    pub(super) fn from(source: Source, files: &Files) -> Result<Self, Fault> {
        let root = source.root().to_owned();
        let world = |error: &dyn std::fmt::Display| Fault::world(anyhow::anyhow!("{error}"));
        let Source::Fleet(_) = &source else {
            let tree: Arc<dyn Tree> = Arc::new(OpenFolder::new(&root));
            return Ok(Self {
                source,
                fleet: None,
                tree,
                commit: "".into(),
                dirty: None,
                beside: String::new(),
                findings: Vec::new(),
            });
        };
        let mut beside = String::new();
        let (tree, commit, dirty): (Arc<dyn Tree>, Arc<str>, Option<Hash>) = if let Some(rev) = &files.rev {
            let tree = git::GitTree::open(&root, rev).map_err(|error| {
                let finding = Diagnostic::error(Code::E0202, format!("--rev {rev}: {error}"))
                    .hint("commits that there are: git log --oneline");
                Fault::Findings(Exit::CommandLine, vec![finding])
            })?;
            let commit = Arc::clone(tree.commit());
            let head = git::head(&root).map_err(|error| world(&error))?;
            beside = differs(&commit, head.commit.as_deref(), head.dirty.is_some());
            (Arc::new(tree), commit, None)
        } else {
            let tree = WorkTree::open(&root).map_err(|error| world(&error))?;
            let head = if tree.is_repository() { Some(git::head(&root).map_err(|error| world(&error))?) } else { None };
            let commit = head.as_ref().and_then(|head| head.commit.clone()).unwrap_or_else(|| "".into());
            (Arc::new(tree), commit, head.and_then(|head| head.dirty))
        };
        let (fleet, findings) = fleet::read(tree.as_ref());
        Ok(Self { source, fleet: fleet.map(Arc::new), tree, commit, dirty, beside, findings })
    }

    /// The target that instances run on. All of one plan run on one target for now.
    pub(super) fn target(&self) -> Option<Arc<Target>> {
        let fleet = self.fleet.as_ref()?;
        let named = fleet.instances.values().find_map(|instance| fleet.target_of(instance).cloned());
        named.or_else(|| fleet.targets.values().next().cloned())
    }

    /// Decides and renders every instance that can be read. `state` is where the key of a fleet of one is kept; without it its secrets stay unknown.
    ///
    /// # Errors
    /// When a key that was named cannot be used.
    pub(super) fn want(
        self,
        settings: &Settings,
        files: &Files,
        facts: &Facts,
        state: Option<&Path>,
    ) -> Result<Wanted, Fault> {
        match (&self.source, &self.fleet) {
            (Source::Single { .. }, _) => self.want_single(settings, files, facts, state),
            (Source::Fleet(_), Some(fleet)) => {
                let fleet = Arc::clone(fleet);
                self.want_fleet(&fleet, settings, files, facts)
            }
            (Source::Fleet(root), None) => {
                let root = root.clone();
                Ok(Wanted {
                    fleet: Name::new("unread").map_err(Fault::bug)?,
                    origin: "".into(),
                    single: None,
                    root,
                    commit: self.commit,
                    dirty: self.dirty,
                    strict: BTreeSet::new(),
                    beside: self.beside,
                    resolved: Vec::new(),
                    desired: Vec::new(),
                    listed: false,
                    findings: self.findings,
                    secrets: Arc::new(Held(BTreeMap::new())),
                })
            }
        }
    }

    fn want_fleet(
        self,
        fleet: &Arc<Fleet>,
        settings: &Settings,
        files: &Files,
        facts: &Facts,
    ) -> Result<Wanted, Fault> {
        let mut findings = self.findings;
        let keyring = Keyring::of_fleet(settings, files.identity.as_deref(), fleet, self.tree.as_ref(), &mut findings)?;
        let vault = Vault::new(Arc::clone(fleet), Arc::clone(&keyring.identities));
        let reveal = |stored: &fleet::Stored<'_>| vault.reveal_stored(stored);
        let keys = Keys { hash_key: keyring.hash_key.clone(), reveal: &reveal };
        let (mut resolved, mut desired) = (Vec::new(), Vec::new());
        let mut strict = BTreeSet::new();
        let mut here: Option<&Arc<Target>> = None;
        let mut names = Vec::with_capacity(fleet.instances.len());
        for (name, instance) in &fleet.instances {
            // One plan is for one target; the instances of another would come to the wrong machine.
            let target = fleet.target_of(instance);
            if let (Some(target), Some(here)) = (target, here)
                && target.name.value != here.name.value
            {
                let message = format!(
                    "{name} is on target \"{}\", and this version plans one target at a time: \"{}\", that of the first instance",
                    target.name.value, here.name.value
                );
                let span = instance.target.as_ref().map_or(&instance.name.span, |target| &target.span);
                findings.push(
                    Diagnostic::error(Code::E0510, message)
                        .at(span)
                        .hint("a fleet of its own for each target, until then"),
                );
                continue;
            }
            here = here.or(target);
            names.push(name);
        }
        for spelled in
            escadre_render::engine::fleet(fleet, &names, self.tree.as_ref(), &keys, facts, Threads::of_machine())
        {
            findings.extend(spelled.findings);
            let Some((one, wanted)) = spelled.wanted else { continue };
            let judged = certificates::judge(&one, &vault);
            let unusable = escadre_model::diagnostic::has_errors(&judged);
            findings.extend(judged);
            if unusable {
                continue;
            }
            let environment =
                fleet.environments.iter().find(|known| known.name.value.as_str() == &*one.shape.environment);
            let required = environment.is_some_and(|known| known.require_commit);
            let target = fleet.instance(one.instance.instance.as_str()).and_then(|instance| fleet.target_of(instance));
            if required || target.is_some_and(|target| target.require_commit) {
                strict.insert(one.instance.clone());
            }
            desired.push(wanted);
            resolved.push(one);
        }
        findings.extend(resolve::clashes(fleet, &resolved));
        let listed = !fleet.incomplete && desired.len() == fleet.instances.len() && fleet.broken.is_empty();
        let origin = fleet
            .id
            .as_ref()
            .map_or_else(|| Arc::from(self.source.root().to_string_lossy()), |id| Arc::clone(&id.value));
        Ok(Wanted {
            fleet: fleet.name.value.clone(),
            origin,
            single: None,
            root: self.source.root().to_owned(),
            commit: self.commit,
            dirty: self.dirty,
            strict,
            beside: self.beside,
            resolved,
            desired,
            listed,
            findings: unique(findings),
            secrets: Arc::new(vault),
        })
    }

    fn want_single(
        self,
        settings: &Settings,
        files: &Files,
        facts: &Facts,
        state: Option<&Path>,
    ) -> Result<Wanted, Fault> {
        let Source::Single { folder, files: paths } = &self.source else {
            return Err(Fault::bug(anyhow::anyhow!("a fleet is not one of one")));
        };
        let input = single_input(settings, files, folder, paths);
        let key = state.map(keys::of_single).transpose()?;
        let (found, mut findings) = resolve::single(&input, self.tree.as_ref(), key.as_ref(), &Cache::new());
        let name =
            paths.first().and_then(|path| Path::new(path).file_name()).map(|name| name.to_string_lossy().into_owned());
        let mut wanted = Wanted {
            fleet: Name::new("unread").map_err(Fault::bug)?,
            origin: folder.to_string_lossy().into(),
            single: name,
            root: folder.clone(),
            commit: "".into(),
            dirty: None,
            strict: BTreeSet::new(),
            beside: String::new(),
            resolved: Vec::new(),
            desired: Vec::new(),
            listed: false,
            findings: Vec::new(),
            secrets: Arc::new(Held(BTreeMap::new())),
        };
        if let Some(single) = found {
            wanted.fleet = single.resolved.instance.fleet.clone();
            wanted.origin = Arc::clone(&single.resolved.origin);
            wanted.secrets = Arc::new(Held(single.secrets));
            let (spelled, more) = escadre_render::engine::render(&single.resolved, facts);
            wanted.listed = !escadre_model::diagnostic::has_errors(&more);
            findings.extend(more);
            if wanted.listed {
                wanted.desired.push(spelled);
                wanted.resolved.push(single.resolved);
            }
        }
        wanted.findings = unique(findings);
        Ok(wanted)
    }
}

/// In what the work tree differs from the commit that was read.
fn differs(commit: &str, head: Option<&str>, dirty: bool) -> String {
    let short = |commit: &str| commit.get(..7).unwrap_or(commit).to_owned();
    let other = head.filter(|head| *head != commit).map(|head| format!("is at commit {}", short(head)));
    let parts = other.into_iter().chain(dirty.then(|| "has uncommitted changes".to_owned()));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("The work tree {}; it was not read.", parts.join(" and ")) }
}

/// What a fleet of one is made of, from the command line and the surroundings.
pub(super) fn single_input(settings: &Settings, files: &Files, folder: &Path, paths: &[String]) -> SingleInput {
    SingleInput {
        folder: folder.to_string_lossy().into_owned(),
        files: paths.to_vec(),
        project_name: None,
        profiles: files.profile.clone(),
        environment: settings
            .environment
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect::<Variables>(),
        home: settings.environment.get("HOME").cloned(),
    }
}

/// Findings about a shared file are found once per instance; they are said once.
fn unique(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = std::collections::HashSet::new();
    findings.into_iter().filter(|finding| seen.insert(format!("{finding:?}"))).collect()
}
