//! Units of systemd: what starts the edge and the instances at boot.
//!
//! In: this program, the edge's folder, for whom. Out: unit files, and systemd told about them.
//! **Invariant:** a unit that belongs to another edge is never overwritten or removed; what cannot take effect is not written.
//! Not here: what is said about it (`escadre`), the edge itself.
//! Tests: `systemd/tests.rs`; with a real systemd in `crates/escadre/tests/it/boot.rs`.

use crate::exec::{Call, Error as ExecError, Program};
use crate::files;
use std::path::{Path, PathBuf};

#[cfg(test)]
mod tests;

/// The edge's unit.
pub const EDGE: &str = "escadre-proxy.service";
/// The unit that starts the instances again.
pub const INSTANCES: &str = "escadre-start.service";
/// Where systemd says that it runs.
const RUNS: &str = "/run/systemd/system";
/// Where lingering users are listed, one empty file each.
const LINGER: &str = "/var/lib/systemd/linger";

/// Why a unit could not be tended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Systemd is not what started this machine.
    #[error("systemd does not run here")]
    Absent,
    /// The unit there is another edge's.
    #[error("{} starts the edge of {}", .path.display(), .folder)]
    Foreign {
        /// The unit file.
        path: PathBuf,
        /// The other edge's folder.
        folder: String,
    },
    /// A path cannot be written into a unit file.
    #[error("{} cannot stand in a unit file: it is no text of one line", .0.display())]
    Path(PathBuf),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] files::Error),
    /// systemctl refused.
    #[error("systemd refused")]
    Refused(#[from] ExecError),
}

/// For whom units are: who calls, and where things are for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// The machine's own units; otherwise those of the user.
    pub root: bool,
    /// Where a user's units are: `systemd/user` in it. For root it is not looked at.
    pub config: PathBuf,
    /// `XDG_RUNTIME_DIR`, through which a user's systemd is reached.
    pub runtime: Option<PathBuf>,
    /// The user's name, for lingering.
    pub user: String,
}

/// The units of one edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    whose: Whose,
    program: PathBuf,
    state: Option<PathBuf>,
    folder: PathBuf,
}

/// What became of a unit file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was not there.
    Added,
    /// It was another one.
    Updated,
    /// It was the same.
    NotNeeded,
}

impl Units {
    /// The units of the edge in `folder` and of the instances of this machine (those of the state folder `state`, if one was named), started from
    /// this program.
    pub fn new(whose: Whose, program: PathBuf, state: Option<PathBuf>, folder: PathBuf) -> Self {
        Self { whose, program, state, folder }
    }

    /// The folder of the unit files.
    pub fn place(&self) -> PathBuf {
        if self.whose.root { "/etc/systemd/system".into() } else { self.whose.config.join("systemd/user") }
    }

    /// The file of a unit.
    pub fn path(&self, unit: &str) -> PathBuf {
        self.place().join(unit)
    }

    /// What a person types before a verb of systemctl: `systemctl`, or `systemctl --user`.
    pub fn systemctl(&self) -> &'static str {
        if self.whose.root { "systemctl" } else { "systemctl --user" }
    }

    /// Systemd started this machine, and the caller's own instance of it can be reached.
    pub fn systemd_runs(&self) -> bool {
        Path::new(RUNS).is_dir()
            && (self.whose.root
                || self.whose.runtime.as_ref().is_some_and(|runtime| runtime.join("systemd/private").exists()))
    }

    /// A user's units run only while that user is logged in.
    pub fn ends_at_logout(&self) -> bool {
        !self.whose.root && !Path::new(LINGER).join(&self.whose.user).exists()
    }

    /// The text of the edge's unit.
    ///
    /// # Errors
    /// When a path cannot stand in it.
    pub fn edge(&self) -> Result<String, Error> {
        let (program, folder) = (quoted(&self.program)?, quoted(&self.folder)?);
        let (target, network) = self.when();
        // A user may give nothing away that only root has.
        let rights =
            if self.whose.root { "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nProtectSystem=full\n" } else { "" };
        Ok(format!(
            "# Written by \"escadre proxy install\", which writes it anew. What is to stay: systemctl edit {EDGE}
[Unit]
Description=Escadre's edge: what carries the traffic of the instances
{network}StartLimitIntervalSec=0

[Service]
Type=notify
# An edge that runs already is taken over: its listeners and what it carries go on.
ExecStart={program} proxy --take-over --dir {folder}
ExecReload={program} proxy upgrade --dir {folder}
# One that was stopped stays stopped; one that died comes back.
Restart=on-failure
RestartSec=250ms
# Its listening sockets are kept meanwhile: who connects waits, and is not refused.
FileDescriptorStoreMax=4096
# The holder ends its workers in their order; those of one that died finish what they carry.
KillMode=process
TimeoutStartSec=60
TimeoutStopSec=30
LimitNOFILE=65536
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{rights}
[Install]
WantedBy={target}
"
        ))
    }

    /// The text of the unit that starts the instances again.
    ///
    /// # Errors
    /// When a path cannot stand in it.
    pub fn instances(&self) -> Result<String, Error> {
        let program = quoted(&self.program)?;
        let state = match &self.state {
            Some(state) => format!(" --state {}", quoted(state)?),
            None => String::new(),
        };
        let (target, network) = self.when();
        Ok(format!(
            "# Written by \"escadre proxy install\", which writes it anew. What is to stay: systemctl edit {INSTANCES}
[Unit]
Description=Escadre's instances: what ran and was not stopped is started again
{network}Wants=podman.socket
After=podman.socket docker.service {EDGE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={program}{state} start --boot
TimeoutStartSec=infinity
# The engine's helpers stay with the containers they serve.
KillMode=process

[Install]
WantedBy={target}
"
        ))
    }

    /// After what, and for which target: a user's systemd knows nothing of the network.
    fn when(&self) -> (&'static str, &'static str) {
        if self.whose.root {
            ("multi-user.target", "Wants=network-online.target\nAfter=network-online.target\n")
        } else {
            ("default.target", "")
        }
    }

    /// Whether the edge's unit is there, for this edge.
    pub fn is_installed(&self) -> bool {
        matches!(self.there(EDGE), Ok(Some(_)))
    }

    /// Whether a unit is started at boot (a user's: at login).
    pub fn is_enabled(&self, unit: &str) -> bool {
        self.place().join(format!("{}.wants", self.when().0)).join(unit).exists()
    }

    /// The unit that is there; another edge's is an error.
    fn there(&self, unit: &str) -> Result<Option<String>, Error> {
        let path = self.path(unit);
        let Some(bytes) = files::read(&path)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // Of the instances' unit nothing says whose it is, unless a state folder was named; it goes with the edge's.
        let (mark, ours) = match (unit, &self.state) {
            (EDGE, _) => (" --dir ", quoted(&self.folder)?),
            (_, Some(state)) => (" --state ", quoted(state)?),
            (_, None) => return Ok(Some(text)),
        };
        let started = text.lines().filter_map(|line| line.strip_prefix("ExecStart=")).find_map(|line| {
            let rest = line.split_once(mark)?.1;
            Some(rest.strip_suffix(" start --boot").unwrap_or(rest).to_owned())
        });
        match started {
            Some(other) if other != ours => Err(Error::Foreign { path, folder: other }),
            _ => Ok(Some(text)),
        }
    }

    /// Writes both units; the edge's first.
    ///
    /// # Errors
    /// When systemd does not run, a unit is another edge's, or a file cannot be written.
    pub fn write(&self) -> Result<[Written; 2], Error> {
        if !self.systemd_runs() {
            return Err(Error::Absent);
        }
        let wanted = [(EDGE, self.edge()?), (INSTANCES, self.instances()?)];
        let mut became = [Written::NotNeeded; 2];
        let there = [self.there(EDGE)?, self.there(INSTANCES)?];
        files::ensure_dir(&self.place(), 0o755)?;
        for ((became, (unit, text)), there) in became.iter_mut().zip(&wanted).zip(&there) {
            *became = match there {
                Some(there) if there == text => continue,
                Some(_) => Written::Updated,
                None => Written::Added,
            };
            files::write_atomic(&self.path(unit), text.as_bytes(), 0o644)?;
        }
        Ok(became)
    }

    /// Removes both units and their links; systemd forgets them. Says whether there was one.
    ///
    /// # Errors
    /// When a unit is another edge's, a file cannot be removed, or systemd refuses.
    pub fn remove(&self) -> Result<bool, Error> {
        let there: Vec<&str> = [self.there(EDGE)?.map(|_| EDGE), self.there(INSTANCES)?.map(|_| INSTANCES)]
            .into_iter()
            .flatten()
            .collect();
        if there.is_empty() {
            return Ok(false);
        }
        let runs = self.systemd_runs();
        if runs {
            self.call(&[&["disable"], there.as_slice()].concat())?;
        }
        for unit in there {
            files::remove(&self.path(unit))?;
        }
        if runs {
            self.call(&["daemon-reload"])?;
        }
        Ok(true)
    }

    /// Has systemd read the units and start them at boot.
    ///
    /// # Errors
    /// When it refuses.
    pub fn enable(&self) -> Result<(), Error> {
        self.call(&["daemon-reload"])?;
        self.call(&["enable", EDGE, INSTANCES])
    }

    /// Starts the edge's unit, which takes over an edge that runs; returns when it serves.
    ///
    /// # Errors
    /// When it does not come to serve.
    pub fn start(&self) -> Result<(), Error> {
        self.call(&["start", EDGE])
    }

    /// Whether the edge runs as this unit's.
    pub fn is_active(&self) -> bool {
        self.call(&["is-active", "--quiet", EDGE]).is_ok()
    }

    fn call(&self, words: &[&str]) -> Result<(), Error> {
        let user = (!self.whose.root).then_some("--user");
        let words: Vec<&str> = user.into_iter().chain(words.iter().copied()).collect();
        let mut call = Call::new(Program::Systemctl, words);
        if let Some(runtime) = self.whose.runtime.as_ref().filter(|_| !self.whose.root) {
            call = call.variable("XDG_RUNTIME_DIR", runtime);
        }
        call.run()?;
        Ok(())
    }
}

/// A path as a word of a command line in a unit (systemd.service(5), "Command lines").
fn quoted(path: &Path) -> Result<String, Error> {
    let refuse = || Error::Path(path.to_owned());
    let text = path.to_str().ok_or_else(refuse)?;
    if text.chars().any(char::is_control) {
        return Err(refuse());
    }
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '%' | '$' => out.extend([letter, letter]),
            '"' | '\\' => out.extend(['\\', letter]),
            _ => out.push(letter),
        }
    }
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%$".contains(letter);
    Ok(if out.chars().all(plain) { out } else { format!("\"{out}\"") })
}
