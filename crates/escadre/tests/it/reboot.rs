//! The machine goes down and comes up again: what ran runs again, and answers through the edge.
//!
//! In: a fleet on an engine of the test's own. Out: what a person would see after the boot.
//! **Invariant**: only what this engine started is killed and removed.
//! Not here: systemd, which starts it at boot (`boot`).

use super::presence;
use super::world::{IMAGE, Which, World, get, skip, until, world_at};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A Podman that shares nothing with the one of the other tests but its program: its store is in a folder, its `/run` is its own.
struct Machine {
    folder: tempfile::TempDir,
    service: Option<Child>,
}

impl Machine {
    fn new(test: &str) -> Option<Machine> {
        // Who allows no engine allows none of ours.
        Which::Podman.address(test)?;
        if !is_root() {
            skip(test, "an engine of its own needs root");
            return None;
        }
        let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
        let mut machine = Machine { folder, service: None };
        machine.boot();
        let archive = machine.at("images.tar");
        let saved = Command::new("podman")
            .args(["save", "--quiet", "--multi-image-archive", "--output"])
            .arg(&archive)
            .args([format!("{IMAGE}:v1"), format!("{IMAGE}:v2")])
            .status();
        assert!(saved.expect("podman").success(), "the images of the tests are there");
        machine.podman(&["load", "--quiet", "--input", archive.to_str().expect("text")]);
        Some(machine)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self) -> String {
        format!("unix://{}", self.at("podman.sock").display())
    }

    /// Asks its service.
    fn podman(&self, line: &[&str]) -> String {
        let mut command = Command::new("podman");
        command.args(["--remote", "--url", &self.socket()]).args(line).stdin(Stdio::null());
        String::from_utf8_lossy(&command.output().expect("podman").stdout).into_owned()
    }

    /// The machine comes up: `/run` is empty, the engine's service begins.
    fn boot(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.at("log")).expect("a log");
        let [lib, networks] = ["lib", "networks"].map(|name| self.at(name).display().to_string());
        let run = format!(
            "mount -t tmpfs run /run && exec podman --root {lib} --network-config-dir {networks} --cgroup-manager cgroupfs \
             --events-backend file system service --time=0 {}",
            self.socket()
        );
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &run]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.service = Some(command.current_dir("/").spawn().expect("unshare"));
        until("the engine answers", || std::os::unix::net::UnixStream::connect(self.at("podman.sock")).is_ok());
    }

    /// Everything that this engine started is killed, without a word before; what a boot empties is emptied.
    fn lose_power(&mut self) {
        let Some(mut service) = self.service.take() else { return };
        let links = self.podman(&["network", "ls", "--format", "{{.NetworkInterface}}"]);
        let space = space_of(service.id()).expect("a running process");
        let state = |id: &str| self.podman(&["container", "inspect", "--format", "{{.State.Pid}}", id]);
        let containers: Vec<String> = self.podman(&["ps", "--quiet"]).lines().map(state).collect();
        service.kill().expect("killed");
        service.wait().expect("ended");
        // What watches a container first, so that nothing is written down about its end: all that lives in the service's mounts.
        let all = std::fs::read_dir("/proc").expect("processes").flatten().map(|entry| entry.file_name());
        for pid in all.filter_map(|name| name.to_str()?.parse::<u32>().ok()) {
            if space_of(pid).as_ref() == Some(&space) {
                kill(&pid.to_string());
            }
        }
        containers.iter().for_each(|pid| kill(pid.trim()));
        for link in links.lines().filter(|link| link.starts_with("podman") && *link != "podman0") {
            quietly(Command::new("ip").args(["link", "delete", link]));
        }
        // Its mounts went with its last process.
        until("its last process is gone", || containers.iter().all(|pid| space_of_text(pid).is_none()));
        drop(std::fs::remove_file(self.at("podman.sock")));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.podman(&["rm", "--all", "--force", "--time", "0"]);
        self.podman(&["network", "prune", "--force"]);
        self.lose_power();
    }
}

/// The mounts that a process sees.
fn space_of(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()
}

fn space_of_text(pid: &str) -> Option<PathBuf> {
    space_of(pid.trim().parse().ok()?)
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0)
}

fn kill(pid: &str) {
    if pid != "0" && pid.parse::<u32>().is_ok() {
        quietly(Command::new("kill").args(["-9", pid]));
    }
}

/// What is gone already needs nothing.
fn quietly(command: &mut Command) {
    let _done = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

fn fleet(world: &World, address: &str) -> u16 {
    let http = world.fleet_at(address);
    let compose = "
services:
  web:
    image: IMAGE:v1
    command: [sh, -c, \"until wget -q -O /srv/api http://api:8080/; do sleep 0.1; done; exec run\"]
    depends_on: { api: { condition: service_healthy } }
  api:
    image: IMAGE:v2
    restart: unless-stopped
    volumes: [\"data:/data\"]
    healthcheck: { test: [CMD, wget, -q, -O, /dev/null, \"http://127.0.0.1:8080/\"], interval: 1s }
  idle: { image: IMAGE:v1 }
volumes: { data: }
";
    world.write("products/desk/compose.yaml", compose.replace("IMAGE", IMAGE));
    world.write(
        "products/desk/product.yaml",
        "product: desk\nendpoints:\n  portal: { service: web, port: 8080, tls: off, hosts: [\"${ESCADRE_INSTANCE}.test.localhost\"] }\n",
    );
    for one in ["elm", "fir"] {
        world.write(
            &format!("instances/{one}.yaml"),
            format!("instance: {one}\nproduct: desk\nenvironment: production\n"),
        );
    }
    http
}

/// The edge's processes end without a word.
fn kill_edge(world: &World) {
    let folder = world.state.join("edge");
    let said = world.run(&["proxy", "status", "--json", "--dir", folder.to_str().expect("text")]);
    let status: Value = serde_json::from_str(&said.out).expect("JSON");
    kill(&status["holder"]["pid"].to_string());
    kill(&status["pid"].to_string());
    until("the edge is dead", || !Path::new("/proc").join(status["pid"].to_string()).join("exe").exists());
}

/// The services of an instance that run.
fn running(machine: &Machine, instance: &str) -> Vec<String> {
    let filter = format!("label=dev.escadre.instance={instance}");
    let said = machine.podman(&["ps", "--filter", &filter, "--format", "{{index .Labels \"dev.escadre.service\"}}"]);
    let mut services: Vec<String> = said.lines().map(str::to_owned).collect();
    services.sort();
    services
}

#[test]
fn after_a_reboot_what_ran_answers_again_and_what_was_stopped_does_not() {
    // Two engines call their bridges alike, and a boot takes them away.
    let _alone = presence::alone();
    let Some(mut machine) = Machine::new("reboot") else { return };
    let world = world_at(Which::Podman, machine.socket(), "reboot");
    let http = fleet(&world, &machine.socket());
    world.up();
    world.run(&["stop", "fir", "--yes"]).ends(0);
    world.run(&["stop", "elm/idle", "--yes"]).ends(0);
    let answer = |one: &str| get(http, &format!("{one}.test.localhost"), "/api");
    assert_eq!(answer("elm"), Ok((200, "v2".to_owned())));

    for _ in 0..2 {
        machine.lose_power();
        kill_edge(&world);
        assert!(answer("elm").is_err(), "nothing is left to answer");
        machine.boot();
        // As the unit does: no file of the fleet is there.
        let mut start = world.command(&["start", "--boot"]);
        start.current_dir("/");
        super::world::ended(start).ends(0).says("The edge did not run: it is started").says("start");
        assert_eq!(answer("elm"), Ok((200, "v2".to_owned())));
        assert!(matches!(answer("fir"), Ok((503, _))), "{:?}", answer("fir"));
        assert_eq!(running(&machine, "elm"), ["api", "web"], "a service that was stopped stays so");
    }
    // Everything is as the files want it, but for what was stopped.
    world.run(&["up", "elm", "--yes"]).ends(0).says("idle");
    world.run(&["up", "elm", "--yes"]).ends(0).says("Nothing to do");
    machine.lose_power();
    kill_edge(&world);
    machine.boot();
    let mut start = world.command(&["start", "--boot"]);
    start.current_dir("/");
    super::world::ended(start).ends(0);
    assert_eq!(running(&machine, "elm"), ["api", "idle", "web"], "what was started again is no longer stopped");
    let mut again = world.command(&["start", "--boot"]);
    again.current_dir("/");
    super::world::ended(again).ends(0).never("did not run");
    world.run(&["start", "fir", "--yes"]).ends(0);
    assert_eq!(answer("fir"), Ok((200, "v2".to_owned())));
    world.run(&["proxy", "stop", "--dir", world.state.join("edge").to_str().expect("text")]).ends(0);
}
