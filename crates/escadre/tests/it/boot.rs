//! systemd keeps the edge: in a container of its own, with systemd as its first process.
//!
//! In: the binary, the units it writes, clients that ask all the time. Out: that nobody notices, and what systemd says.
//! **Invariant**: the systemd of this machine is never spoken to.
//! Not here: instances after a boot (`reboot`), the units' text (`escadre_drivers::systemd`).

use super::world::{podman, skip, until};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Debian with systemd; `scripts/images test` makes it.
const IMAGE: &str = "localhost/escadre-test/systemd:12";
const FOLDER: &str = "/var/lib/escadre/podman/edge";

/// One route to the server of [`serve`].
const ROUTES: &str = r#"{"schema":"escadre.routes/2","generation":1,"http_listen":["127.0.0.1:8080"],"routes":[{"id":"f/a/web","hosts":["a.localhost"],"backends":[{"id":"a","address":"127.0.0.1:8081"}]}]}"#;

/// A machine that booted with systemd.
struct Machine(String);

impl Machine {
    fn boot(test: &str) -> Option<Machine> {
        super::world::Which::Podman.address(test)?;
        if podman(&["image", "ls", "-q", IMAGE]).is_empty() {
            skip(test, &format!("needs the image {IMAGE} (scripts/images test)"));
            return None;
        }
        let machine = Machine(format!("bb{}-{test}", std::process::id()));
        let program = format!("{}:/usr/local/bin/escadre:ro", env!("CARGO_BIN_EXE_escadre"));
        let line = ["run", "--detach", "--name", &machine.0, "--systemd=always", "--privileged", "--network", "none"];
        podman(&[&line[..], &["--volume", &program, IMAGE, "/sbin/init"]].concat());
        if !machine.is_up() {
            skip(test, &format!("systemd does not come up in a container here: {}", podman(&["logs", &machine.0])));
            return None;
        }
        Some(machine)
    }

    /// systemd has started everything that is to be started.
    fn is_up(&self) -> bool {
        let asked = std::time::Instant::now();
        while asked.elapsed() < std::time::Duration::from_secs(60) {
            let state = self.try_run(&["systemctl", "is-system-running"]);
            if ["running", "degraded"].contains(&String::from_utf8_lossy(&state.stdout).trim()) {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        false
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new("podman");
        command.args(["exec", &self.0]).args(line).stdin(Stdio::null());
        command
    }

    fn try_run(&self, line: &[&str]) -> Output {
        self.command(line).output().expect("podman")
    }

    /// Runs it there; what it printed.
    #[track_caller]
    fn run(&self, line: &[&str]) -> String {
        let output = self.try_run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{line:?}: {out}\n{err}\n{}", self.log());
        out
    }

    fn log(&self) -> String {
        let log = self.try_run(&["sh", "-c", &format!("cat {FOLDER}/edge.log; journalctl --no-pager -n 30")]);
        String::from_utf8_lossy(&log.stdout).into_owned()
    }

    fn write(&self, path: &str, text: &str) {
        self.run(&["sh", "-c", &format!("mkdir -p \"$(dirname {path})\" && printf '%s' '{text}' > {path}")]);
    }

    /// A property of the edge's unit.
    fn unit(&self, property: &str) -> String {
        self.run(&["systemctl", "show", "escadre-proxy", "--value", "--property", property]).trim().to_owned()
    }

    fn status(&self) -> serde_json::Value {
        let said = self.try_run(&["escadre", "proxy", "status", "--json", "--dir", FOLDER]);
        serde_json::from_slice(&said.stdout).unwrap_or_default()
    }

    fn holder(&self) -> String {
        self.status()["holder"]["pid"].to_string()
    }

    fn answers(&self) -> bool {
        let said =
            self.try_run(&["curl", "--silent", "--fail", "--header", "Host: a.localhost", "http://127.0.0.1:8080/"]);
        String::from_utf8_lossy(&said.stdout).trim() == "hello"
    }

    /// Clients that ask all the time; each answer is a line.
    fn load(&self) {
        let ask = "while [ ! -e /tmp/stop ]; do curl --silent --output /dev/null --write-out '%{http_code}\\n' --header 'Host: a.localhost' http://127.0.0.1:8080/ >> /tmp/load; done; touch /tmp/stopped";
        self.run(&["systemd-run", "--quiet", "sh", "-c", ask]);
        until("it asks", || !self.try_run(&["cat", "/tmp/load"]).stdout.is_empty());
    }

    /// How many answers were counted; none failed.
    #[track_caller]
    fn load_ends(&self) -> usize {
        self.run(&["touch", "/tmp/stop"]);
        until("it stopped", || self.try_run(&["test", "-e", "/tmp/stopped"]).status.success());
        let all = self.run(&["cat", "/tmp/load"]);
        self.run(&["rm", "/tmp/load", "/tmp/stop", "/tmp/stopped"]);
        let failed: Vec<&str> = all.lines().filter(|code| *code != "200").collect();
        assert!(failed.is_empty(), "{failed:?} of {}\n{}", all.lines().count(), self.log());
        all.lines().count()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        podman(&["rm", "--force", "--time", "0", &self.0]);
    }
}

fn serve(machine: &Machine) {
    machine.write("/srv/index.html", "hello");
    machine.write(
        "/etc/systemd/system/backend.service",
        "[Service]\nExecStart=/bin/busybox httpd -f -p 127.0.0.1:8081 -h /srv\n[Install]\nWantedBy=multi-user.target\n",
    );
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "enable", "--now", "backend"]);
    machine.write(&format!("{FOLDER}/routes.json"), ROUTES);
}

#[test]
fn systemd_takes_the_edge_over_and_keeps_it() {
    let Some(machine) = Machine::boot("systemd") else { return };
    serve(&machine);
    // As `up` starts it: a process of its own.
    machine.run(&["escadre", "proxy", "--detach", "--dir", FOLDER]);
    until("the edge serves", || machine.answers());
    let detached = machine.holder();

    // It is taken over, upgraded and asked to reload, and nobody notices.
    machine.load();
    let said = machine.run(&["escadre", "proxy", "install", "--dir", FOLDER]);
    assert!(said.contains(&format!("took over from process {detached}, nothing was interrupted")), "{said}");
    assert!(said.contains("written    /etc/systemd/system/escadre-proxy.service"), "{said}");
    let main = machine.unit("MainPID");
    assert_eq!((machine.unit("ActiveState").as_str(), machine.holder()), ("active", main.clone()));
    machine.run(&[
        "systemd-analyze",
        "verify",
        "/etc/systemd/system/escadre-proxy.service",
        "/etc/systemd/system/escadre-start.service",
    ]);
    let again = machine.run(&["escadre", "proxy", "install", "--dir", FOLDER]);
    assert!(again.contains("as it was") && again.contains("is kept by systemd already"), "{again}");
    machine.run(&["systemctl", "reload", "escadre-proxy"]);
    machine.run(&["escadre", "proxy", "upgrade", "--dir", FOLDER]);
    assert_eq!((machine.unit("MainPID"), machine.holder()), (main.clone(), main.clone()), "the same process");
    assert!(machine.load_ends() > 10);
    // Its workers live where the unit's processes do.
    let worker = machine.status()["pid"].to_string();
    let group = machine.run(&["cat", &format!("/proc/{worker}/cgroup")]);
    assert!(group.contains("escadre-proxy.service"), "{group}");

    // It dies, comes back by itself, and nobody notices: systemd has its listener. It is stopped, and stays so.
    machine.load();
    for _ in 0..3 {
        let main = machine.unit("MainPID");
        machine.run(&["systemctl", "kill", "--kill-whom=main", "--signal=KILL", "escadre-proxy"]);
        until("it is back", || machine.unit("MainPID") != main && machine.holder() == machine.unit("MainPID"));
        assert_eq!(machine.unit("NFileDescriptorStore"), "1");
    }
    assert!(machine.load_ends() > 10);
    machine.run(&["escadre", "proxy", "stop", "--dir", FOLDER]);
    until("it is stopped", || machine.unit("ActiveState") == "inactive");
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert_eq!(
        (machine.unit("ActiveState").as_str(), machine.answers()),
        ("inactive", false),
        "longer than RestartSec"
    );
    assert_eq!(machine.unit("NFileDescriptorStore"), "0", "the port is free");
    // Who needs it starts the unit, not a second edge.
    machine.run(&["escadre", "proxy", "--detach", "--dir", FOLDER]);
    assert_eq!((machine.unit("ActiveState").as_str(), machine.unit("MainPID")), ("active", machine.holder()));
    assert!(machine.answers());

    // The machine boots.
    podman(&["restart", "--time", "5", &machine.0]);
    assert!(machine.is_up());
    until("it serves after the boot", || machine.answers());
    assert_eq!(machine.unit("ActiveState"), "active");
    let started = machine.run(&["systemctl", "show", "escadre-start", "--value", "--property", "Result"]);
    assert_eq!(started.trim(), "success", "{}", machine.log());

    // Another edge's unit is left alone; ours goes, and what runs goes on.
    let other = machine.try_run(&["escadre", "proxy", "install", "--dir", "/srv/other"]);
    assert_eq!(other.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&other.stderr).contains("E0328"), "{other:?}");
    let said = machine.run(&["escadre", "proxy", "uninstall", "--dir", FOLDER]);
    assert!(said.contains("runs on until"), "{said}");
    assert!(
        machine.answers()
            && !machine.try_run(&["test", "-e", "/etc/systemd/system/escadre-proxy.service"]).status.success()
    );
    machine.run(&["escadre", "proxy", "stop", "--dir", FOLDER]);
}

#[test]
fn a_users_edge_is_kept_by_the_users_systemd() {
    let Some(machine) = Machine::boot("systemd-user") else { return };
    machine.run(&["useradd", "--create-home", "ops"]);
    machine.run(&["loginctl", "enable-linger", "ops"]);
    let user = |line: &str| {
        let line = format!("export XDG_RUNTIME_DIR=/run/user/$(id -u) USER=ops HOME=/home/ops; {line}");
        machine.try_run(&["runuser", "-u", "ops", "--", "sh", "-c", &line])
    };
    until("the user's systemd runs", || {
        user("systemctl --user is-system-running | grep -E 'running|degraded'").status.success()
    });
    serve(&machine);
    let folder = "/home/ops/.local/state/escadre/podman/edge";
    let written = user(&format!("mkdir -p {folder} && printf '%s' '{ROUTES}' > {folder}/routes.json"));
    assert!(written.status.success(), "{written:?}");
    let said = user("escadre proxy install");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{text} {}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("/home/ops/.config/systemd/user/escadre-proxy.service"), "{text}");
    assert!(text.contains("at boot") && !text.contains("enable-linger"), "{text}");
    assert!(user("systemctl --user is-active escadre-proxy").status.success());
    until("it serves", || machine.answers());
    // His systemd keeps its listener, too.
    let kept = user("systemctl --user show escadre-proxy --value --property NFileDescriptorStore");
    assert_eq!(String::from_utf8_lossy(&kept.stdout).trim(), "1", "{kept:?}");
    let kill = "systemctl --user kill --kill-whom=main --signal=KILL escadre-proxy";
    let died = user(&format!("{kill} && curl --silent --fail --header 'Host: a.localhost' http://127.0.0.1:8080/"));
    assert_eq!(String::from_utf8_lossy(&died.stdout).trim(), "hello", "{died:?}");
    assert!(user("escadre proxy uninstall && escadre proxy stop").status.success());
    assert!(
        !Path::new("/etc/systemd/system/escadre-proxy.service").exists(),
        "the machine's own systemd is left alone"
    );
}
