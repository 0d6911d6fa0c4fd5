//! The same update by others: `docker compose up -d` with published ports; docker-rollout's method behind nginx.
//!
//! In: docker compose, nginx, the same images and load. Out: rows of the table.
//! **Invariant:** each in the way its makers describe, with what they need given to them: health checks are run where no systemd runs them, and the proxy hears of
//! every container that starts or ends at once.
//! Not here: what is counted (`update`).
//! Tests: both versions must have answered.

use super::{COMPOSE, Shown, THROUGH, at, folder, mix, port, under_load};
use crate::bench::fleet::{SOCKET, put};
use crate::bench::floor::{self, PROJECTS};
use crate::bench::measure;
use crate::bench::planning::seconds;
use crate::bench::table::{Row, Table};
use anyhow::{Context, Result, bail};
use escadre_testkit::load::{Kind, Target};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The first published ports.
const WEB: u16 = 19_100;
const LINES: u16 = 19_200;
/// How long docker-rollout waits for a new container to be healthy, in its looks a second apart.
const LOOKS: usize = 60;

/// Both ways.
pub(super) fn rows(table: &mut Table, scratch: &Path, program: &Path, instances: usize) -> Result<()> {
    floor::clear_projects(SOCKET)?;
    let shown = compose(scratch, program, instances);
    floor::clear_projects(SOCKET)?;
    row(table, &shown?, "`docker compose up -d` for one after the other, on ports that the engine publishes", true);
    if measure::output(Command::new("nginx").arg("-v")).is_err() {
        table.add(Row::missing("docker-rollout's method", "nginx is not there"));
        return Ok(());
    }
    let shown = rollout(scratch, program, instances);
    floor::clear_projects(SOCKET)?;
    row(
        table,
        &shown?,
        "docker-rollout's method (twice as many, wait for healthy, stop the old one) behind Debian's nginx; ports cannot be published",
        false,
    );
    Ok(())
}

fn row(table: &mut Table, shown: &Shown, what: &str, published: bool) {
    let mut kinds = THROUGH.to_vec();
    if published {
        kinds.push(Kind::Lines);
    }
    let took = seconds((shown.to - shown.from).as_secs_f64());
    table.add(Row::new(format!("the same with {what}"), shown.count(|_| true).to_string()).beside(format!(
        "in {took}; {}; answers within a second of the switch: {}; during the whole update: {}",
        shown.kinds(&kinds, |_| true),
        shown.millis(|piece| shown.at_switch(piece)),
        shown.millis(|piece| shown.during(piece))
    )));
}

/// One project of docker compose.
struct Project<'a> {
    program: &'a Path,
    folder: &'a Path,
    index: usize,
}

impl Project<'_> {
    fn name(&self) -> String {
        format!("{PROJECTS}{:02}", self.index)
    }

    fn call(&self, tag: &str, line: &[&str]) -> Result<String> {
        let mut command = Command::new(self.program);
        command.args(["-p", &self.name(), "-f", "compose.yaml"]).args(line).current_dir(self.folder);
        command.env("DOCKER_HOST", format!("unix://{SOCKET}")).env("TAG", tag);
        command.env("WEB", port(WEB, self.index).to_string()).env("LINES", port(LINES, self.index).to_string());
        measure::output(&mut command)
    }

    /// Ids of a service's containers.
    fn ids(&self, tag: &str, service: &str) -> Result<Vec<String>> {
        Ok(self.call(tag, &["ps", "--quiet", service])?.lines().map(str::to_owned).collect())
    }
}

fn compose(scratch: &Path, program: &Path, instances: usize) -> Result<Shown> {
    let folder = folder(scratch, "peer-compose")?;
    put(&folder.join("compose.yaml"), &COMPOSE.replace("PORTS", "    ports: [\"${WEB}:80\", \"${LINES}:7000\"]\n"))?;
    let each = |tag: &str| {
        (0..instances)
            .try_for_each(|index| Project { program, folder: &folder, index }.call(tag, &["up", "-d"]).map(drop))
    };
    each("v1")?;
    let targets = (0..instances).map(|index| target(index, Some(port(LINES, index)))).collect();
    awake(instances)?;
    under_load(targets, mix(true), 0, (instances, "v2"), || each("v2"))
}

fn target(index: usize, lines: Option<u16>) -> Target {
    let name = format!("{PROJECTS}{index:02}");
    Target { name: name.into(), http: at(port(WEB, index)), host: "bench.example".into(), lines: lines.map(at) }
}

/// All of them answer.
fn awake(instances: usize) -> Result<()> {
    let began = Instant::now();
    for index in 0..instances {
        while TcpStream::connect_timeout(&at(port(WEB, index)), Duration::from_secs(1)).is_err() {
            if began.elapsed() > Duration::from_secs(60) {
                bail!("project {index} does not answer");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }
    Ok(())
}

/// Debian's nginx with an upstream for each project, told of containers as nginx-proxy's generator is: at each start and end.
struct Nginx {
    folder: PathBuf,
    process: Child,
    /// Project → addresses of its containers.
    upstreams: BTreeMap<usize, Vec<String>>,
}

impl Nginx {
    fn begin(folder: &Path, upstreams: BTreeMap<usize, Vec<String>>) -> Result<Self> {
        write(folder, &upstreams)?;
        let process =
            Command::new("nginx").arg("-p").arg(folder).args(["-c", "nginx.conf", "-g", "daemon off;"]).spawn();
        Ok(Self { folder: folder.to_owned(), process: process.context("start nginx")?, upstreams })
    }

    fn tell(&mut self, index: usize, addresses: Vec<String>) -> Result<()> {
        self.upstreams.insert(index, addresses);
        write(&self.folder, &self.upstreams)?;
        measure::output(Command::new("nginx").arg("-p").arg(&self.folder).args(["-c", "nginx.conf", "-s", "reload"]))
            .map(drop)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its own way to end takes its workers along; if it is gone already, so are they.
        let _ = Command::new("nginx").arg("-p").arg(&self.folder).args(["-c", "nginx.conf", "-s", "stop"]).output();
        let _ = self.process.wait();
    }
}

fn write(folder: &Path, upstreams: &BTreeMap<usize, Vec<String>>) -> Result<()> {
    let mut text = String::from(
        "user root;\npid nginx.pid;\nerror_log error.log;\nworker_processes 1;\nevents { worker_connections 4096; }\nhttp {\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n  proxy_http_version 1.1;\n  proxy_buffering off;\n  proxy_read_timeout 60s;\n  map $http_upgrade $proxy_connection { default upgrade; '' close; }\n  proxy_set_header Host $http_host;\n  proxy_set_header Upgrade $http_upgrade;\n  proxy_set_header Connection $proxy_connection;\n",
    );
    for (index, addresses) in upstreams {
        let servers: String = addresses.iter().map(|address| format!("server {address}:80; ")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  upstream project{index} {{ {servers}}}\n  server {{ listen {}; location / {{ proxy_pass http://project{index}; }} }}",
            port(WEB, *index)
        );
    }
    text.push_str("}\n");
    put(&folder.join("nginx.conf"), &text)
}

fn podman(line: &[&str]) -> Result<String> {
    Ok(measure::output(Command::new("podman").args(line))?.trim().to_owned())
}

fn addresses(ids: &[String]) -> Result<Vec<String>> {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    ids.iter().map(|id| podman(&["container", "inspect", "--format", format, id])).collect()
}

fn rollout(scratch: &Path, program: &Path, instances: usize) -> Result<Shown> {
    let folder = folder(scratch, "peer-rollout")?;
    put(&folder.join("compose.yaml"), &COMPOSE.replace("PORTS", ""))?;
    let mut upstreams = BTreeMap::new();
    for index in 0..instances {
        let project = Project { program, folder: &folder, index };
        project.call("v1", &["up", "-d"])?;
        upstreams.insert(index, addresses(&project.ids("v1", "web")?)?);
    }
    let mut nginx = Nginx::begin(&folder, upstreams)?;
    awake(instances)?;
    let targets = (0..instances).map(|index| target(index, None)).collect();
    under_load(targets, mix(false), 0, (instances, "v2"), || {
        (0..instances).try_for_each(|index| {
            let project = Project { program, folder: &folder, index };
            roll(&project, "api", |_| Ok(()))?;
            roll(&project, "web", |addresses| nginx.tell(index, addresses))
        })
    })
}

/// One service, as docker-rollout does it; the proxy hears of the containers there are.
fn roll(project: &Project<'_>, service: &str, mut tell: impl FnMut(Vec<String>) -> Result<()>) -> Result<()> {
    let old = project.ids("v2", service)?;
    let twice = format!("{service}={}", old.len() * 2);
    project.call("v2", &["up", "--detach", "--scale", &twice, "--no-recreate", service])?;
    let all = project.ids("v2", service)?;
    let new: Vec<String> = all.iter().filter(|id| !old.contains(id)).cloned().collect();
    tell(addresses(&all)?)?;
    for look in 0.. {
        // What systemd's timers do elsewhere: the check runs, and its verdict counts.
        if new.iter().all(|id| podman(&["healthcheck", "run", id]).is_ok()) {
            break;
        }
        if look == LOOKS {
            bail!("a new container is not healthy");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    let words = |verb: &'static str| [verb].into_iter().chain(old.iter().map(String::as_str)).collect::<Vec<_>>();
    podman(&words("stop"))?;
    tell(addresses(&new)?)?;
    podman(&words("rm")).map(drop)
}
