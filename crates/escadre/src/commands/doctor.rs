//! `escadre doctor`: what is wrong with this machine, and the command that mends it.
//!
//! In: the machine, looked at without changing anything. Out: a list of checks.
//! **Invariant**: it recommends and never does; every check that is not well has a reason and a command.
//! Not here: how the machine is looked at (`doctor/facts.rs`). Tests: `doctor/tests.rs`.

mod facts;

use crate::args::about;
use crate::exit::{Done, Exit};
use crate::settings::Settings;
use crate::terminal::style::{self, Look, hang};
use crate::terminal::{Terminal, style as paint};
use facts::{Engine, Facts};
use schemars::JsonSchema;
use serde::Serialize;

/// The schema of [`Doctor`].
const SCHEMA: &str = "escadre.doctor/1";
/// The oldest Podman that is known to work.
const OLDEST_PODMAN: (u32, u32) = (4, 3);
/// Files a host with many containers must be able to open.
const ENOUGH_FILES: u64 = 65_536;
/// Less room than this is used up by one image.
const ENOUGH_ROOM: u64 = 2 << 30;

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Doctor {
    /// Always `escadre.doctor/1`.
    schema: &'static str,
    /// Nothing is `bad`.
    well: bool,
    /// The checks, in a fixed order.
    checks: Vec<Check>,
}

/// One check.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Check {
    /// What was looked at.
    name: &'static str,
    /// `ok`, `warn` or `bad`.
    state: State,
    /// What was found.
    found: String,
    /// The command, or the act, that mends it.
    mend: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Well.
    Ok,
    /// Works, but something will not.
    Warn,
    /// Nothing will work.
    Bad,
}

/// Looks and says.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) async fn run(args: &about::Doctor, settings: &Settings, terminal: &Terminal) -> Done {
    let doctor = judge(&facts::gather(settings).await);
    if args.form.json {
        terminal.json(&doctor)?;
    } else {
        terminal.data(&text(&doctor, terminal.out))?;
    }
    Ok(if doctor.well { Exit::Done } else { Exit::World })
}

/// The checks as text: the answer, then what is not well, then what is.
fn text(doctor: &Doctor, look: Look) -> String {
    let of = |state| doctor.checks.iter().filter(move |check| check.state == state);
    let (bad, warn) = (of(State::Bad).count(), of(State::Warn).count());
    let mut out = match (bad, warn) {
        (0, 0) => "This machine is well.\n".to_owned(),
        (0, n) => format!("This machine works; {} worth knowing.\n", style::count(n, "thing")),
        (n, _) => format!("This machine is not ready: {} to mend.\n", style::count(n, "thing")),
    };
    for (state, painted) in [(State::Bad, paint::BAD), (State::Warn, paint::CARE), (State::Ok, paint::GOOD)] {
        if of(state).next().is_some() {
            out.push('\n');
        }
        for check in of(state) {
            let word = look.paint(
                painted,
                match state {
                    State::Bad => "bad ",
                    State::Warn => "warn",
                    State::Ok => "ok  ",
                },
            );
            out.push_str(&hang(&format!("  {word}  {:<12} ", check.name), &check.found, look.width));
            if let Some(mend) = &check.mend {
                out.push_str(&format!("{}{mend}\n", " ".repeat(21)));
            }
        }
    }
    out
}

/// From facts to checks.
fn judge(facts: &Facts) -> Doctor {
    let checks = vec![
        engine(facts),
        helpers(facts),
        firewall(facts),
        cgroups(facts),
        files(facts),
        tun(facts),
        ports(facts),
        boot(facts),
        state(facts),
        journal(facts),
        room(facts),
    ];
    Doctor { schema: SCHEMA, well: checks.iter().all(|check| check.state != State::Bad), checks }
}

fn check(name: &'static str, state: State, found: impl Into<String>, mend: Option<&str>) -> Check {
    Check { name, state, found: found.into(), mend: mend.map(str::to_owned) }
}

fn engine(facts: &Facts) -> Check {
    let start = if facts.systemd && facts.root {
        "systemctl enable --now podman.socket"
    } else if facts.systemd {
        "systemctl --user enable --now podman.socket"
    } else {
        "podman system service --time=0 &"
    };
    match &facts.engine {
        Engine::Answers { what, version, at } => {
            let number = |part: Option<&str>| part.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
            let mut parts = version.split('.');
            let known = (number(parts.next()), number(parts.next()));
            if what == "podman" && known < OLDEST_PODMAN {
                let found = format!("podman {version} at {at} is older than 4.3");
                return check("engine", State::Bad, found, Some("install Podman 4.3 or newer from your distribution"));
            }
            check("engine", State::Ok, format!("{what} {version} at {at}"), None)
        }
        Engine::Silent { at, why } => check("engine", State::Bad, format!("{at} does not answer: {why}"), Some(start)),
        Engine::Stopped => check("engine", State::Bad, "podman is installed and its service does not run", Some(start)),
        Engine::Missing => {
            let install = if facts.apt { "apt-get install podman" } else { "install podman from your distribution" };
            check("engine", State::Bad, "neither podman nor docker is installed", Some(install))
        }
    }
}

fn helpers(facts: &Facts) -> Check {
    let missing: Vec<&str> = [("netavark", facts.netavark), ("aardvark-dns", facts.aardvark)]
        .iter()
        .filter(|(_, is)| !is)
        .map(|(n, _)| *n)
        .collect();
    if missing.is_empty() {
        return check("networks", State::Ok, "netavark and aardvark-dns are installed", None);
    }
    if matches!(&facts.engine, Engine::Answers { what, .. } if what != "podman") {
        return check("networks", State::Ok, "the engine has networks of its own", None);
    }
    let mend = format!("apt-get install {}", missing.join(" "));
    let mend = if facts.apt { mend } else { format!("install {}", missing.join(" and ")) };
    check("networks", State::Bad, format!("{} not found", missing.join(" and ")), Some(&mend))
}

fn firewall(facts: &Facts) -> Check {
    if facts.iptables {
        return check("firewall", State::Ok, "iptables or nft is installed", None);
    }
    let mend = if facts.apt { "apt-get install iptables" } else { "install iptables" };
    check("firewall", State::Bad, "neither iptables nor nft is installed: networks cannot be made", Some(mend))
}

fn cgroups(facts: &Facts) -> Check {
    match &facts.controllers {
        None if facts.root => check("cgroups", State::Ok, "version 1", None),
        None => check(
            "cgroups",
            State::Warn,
            "version 1: limits of memory and processors do not hold without root",
            Some("boot with systemd.unified_cgroup_hierarchy=1"),
        ),
        Some(list) => {
            let missing: Vec<&str> =
                ["cpu", "memory", "pids"].into_iter().filter(|want| !list.iter().any(|has| has == want)).collect();
            if missing.is_empty() {
                check("cgroups", State::Ok, "version 2 with cpu, memory and pids", None)
            } else {
                let found = format!("version 2 without {}: such limits do not hold", missing.join(", "));
                check("cgroups", State::Warn, found, Some("delegate the controllers to this user or container"))
            }
        }
    }
}

fn files(facts: &Facts) -> Check {
    match facts.open_files {
        Some(limit) if limit < ENOUGH_FILES => {
            let found = format!("{} files may be open at once", style::grouped(limit));
            check("open files", State::Warn, found, Some("ulimit -n 65536"))
        }
        Some(u64::MAX) | None => check("open files", State::Ok, "no limit", None),
        Some(limit) => check("open files", State::Ok, format!("{} at once", style::grouped(limit)), None),
    }
}

fn tun(facts: &Facts) -> Check {
    match (facts.tun, facts.root) {
        (true, _) => check("tun device", State::Ok, "/dev/net/tun is there", None),
        (false, true) => check("tun device", State::Ok, "not there, and not needed by root", None),
        (false, false) => check(
            "tun device",
            State::Bad,
            "/dev/net/tun is missing: without root, networks need it",
            Some("modprobe tun"),
        ),
    }
}

fn ports(facts: &Facts) -> Check {
    let taken: Vec<String> = facts.ports_taken.iter().map(u16::to_string).collect();
    match (taken.is_empty(), facts.edge_runs) {
        (true, _) => check("ports", State::Ok, "80 and 443 are free", None),
        (false, true) => check("ports", State::Ok, format!("{} held, escadre proxy runs", taken.join(" and ")), None),
        (false, false) => check(
            "ports",
            State::Warn,
            format!(
                "somebody listens on {}; a fleet with endpoints needs them, or others named in fleet.yaml",
                taken.join(" and ")
            ),
            Some("ss -ltnp"),
        ),
    }
}

fn boot(facts: &Facts) -> Check {
    match facts.boot {
        facts::Boot::Nothing => check("boot", State::Ok, "no instance is reached here yet", None),
        facts::Boot::Starts => check("boot", State::Ok, "systemd starts the edge and the instances", None),
        facts::Boot::AtLogin => check(
            "boot",
            State::Warn,
            "systemd starts the edge and the instances when you log in, and ends them when you log out",
            Some("loginctl enable-linger"),
        ),
        facts::Boot::Nobody if facts.systemd => check(
            "boot",
            State::Warn,
            "after a boot nobody starts the edge, nor the instances",
            Some("escadre proxy install"),
        ),
        facts::Boot::Nobody => check(
            "boot",
            State::Warn,
            "after a boot nobody starts the edge, nor the instances, and systemd does not run here",
            Some("have this run at boot: escadre start --boot"),
        ),
    }
}

fn state(facts: &Facts) -> Check {
    let path = facts.state.path.display();
    match &facts.state.found {
        facts::Folder::Absent => check("state folder", State::Ok, format!("{path} is made at the first apply"), None),
        facts::Folder::Odd(why) => check("state folder", State::Bad, format!("{path}: {why}"), None),
        facts::Folder::Open(mode) => check(
            "state folder",
            State::Bad,
            format!("{path} has mode {mode:o}: others can read secrets"),
            Some(&format!("chmod 700 {path}")),
        ),
        facts::Folder::Foreign(uid) => check(
            "state folder",
            State::Bad,
            format!("{path} belongs to user {uid}"),
            Some(&format!("chown -R $(id -u) {path}")),
        ),
        facts::Folder::Well => check("state folder", State::Ok, format!("{path} is yours alone"), None),
    }
}

fn journal(facts: &Facts) -> Check {
    match &facts.journal {
        facts::Journal::Absent => check("journal", State::Ok, "nothing was applied here yet", None),
        facts::Journal::Whole(entries) => {
            let found = format!("{}, each linked to the one before", style::count(*entries, "record"));
            check("journal", State::Ok, found, None)
        }
        facts::Journal::Broken(why) => {
            let mend = "keep a copy of the state folder, then remove its store and run escadre recover";
            check("journal", State::Bad, why.as_str(), Some(mend))
        }
    }
}

fn room(facts: &Facts) -> Check {
    match facts.room {
        Some(bytes) if bytes < ENOUGH_ROOM => {
            check("disk", State::Warn, format!("{} MiB free", style::grouped(bytes >> 20)), Some("podman image prune"))
        }
        Some(bytes) => check("disk", State::Ok, format!("{} GiB free", style::grouped(bytes >> 30)), None),
        None => check("disk", State::Warn, "the free room cannot be told", Some("df -h")),
    }
}

#[cfg(test)]
mod tests;
