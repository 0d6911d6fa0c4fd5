//! The servers that are compared: our edge, Debian's nginx in the same place, and one nginx behind both of them.
//!
//! In: a folder, the release binary, a certificate. Out: processes that serve, what they have cost, what they hold; they end with their values.
//! **Invariant:** both proxies have two threads or workers, the same upstream with kept connections, the same certificate, tell the upstream the same headers, and
//! log no requests.
//! Not here: loads (`load`), what is measured (`mod`).
//! Tests: every load counts answers that are not good.

use crate::bench::fleet::put;
use crate::bench::measure;
use anyhow::{Context, Result, bail, ensure};
use escadre_edge::control::{Client, Listening};
use escadre_edge::files;
use escadre_model::routes::{Backend, Plain, Route, Routes, Tls};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The name everything is asked for by; programs resolve it without DNS.
pub(super) const HOST: &str = "localhost";
/// What the upstream answers: about as much as an API does.
const BODY: usize = 1024;
/// Our threads, nginx's workers.
const THREADS: usize = 2;
/// How long a server may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);
/// After how long nginx has given up if a port is taken: it tries five times.
const SETTLED: Duration = Duration::from_millis(100);

/// The one behind the proxies.
const UPSTREAM: u16 = 19_400;
/// Where a proxy listens: plain and TLS.
#[derive(Clone, Copy)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) https: u16,
}
pub(super) const OURS: Ports = Ports { http: 19_401, https: 19_402 };
pub(super) const NGINX: Ports = Ports { http: 19_403, https: 19_404 };

pub(super) fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A certificate for [`HOST`] that both serve.
pub(super) struct Certificate {
    pub(super) chain: PathBuf,
    key: PathBuf,
    both: String,
}

impl Certificate {
    pub(super) fn make(folder: &Path) -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).context("make a certificate")?;
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        put(&chain, &made.cert.pem())?;
        put(&key, &made.signing_key.serialize_pem())?;
        Ok(Self { chain, key, both: format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem()) })
    }
}

/// A process and all that it started, as far as they live.
fn family(root: u32) -> Result<Vec<u32>> {
    let mut parents = BTreeMap::new();
    for entry in fs::read_dir("/proc").context("read /proc")?.flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // One that ended meanwhile is nobody's child.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let after = stat.rsplit_once(')').map(|(_, after)| after).unwrap_or_default();
        if let Some(parent) = after.split_whitespace().nth(1).and_then(|parent| parent.parse::<u32>().ok()) {
            parents.insert(process, parent);
        }
    }
    let mut all = vec![root];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        all.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(process, _)| *process));
        next += 1;
    }
    Ok(all)
}

/// Processor seconds that a process and all that it started have used.
pub(super) fn cpu_seconds(root: u32) -> Result<f64> {
    family(root)?.into_iter().map(measure::cpu_seconds_of).sum()
}

/// Memory of a process and all that it started, pages that are shared counted in parts, in bytes.
pub(super) fn memory(root: u32) -> Result<f64> {
    let of = |process: u32| measure::kilobytes(Path::new(&format!("/proc/{process}/smaps_rollup")), "Pss:");
    family(root)?.into_iter().map(|process| of(process).map(|bytes| bytes as f64)).sum()
}

/// Sends a signal to a process.
pub(super) fn signal(which: &str, process: u32) -> Result<()> {
    measure::output(Command::new("kill").args([which, &process.to_string()])).map(drop)
}

/// Until a process listens there.
fn awake(process: &mut Child, port: u16) -> Result<()> {
    let began = Instant::now();
    loop {
        // Somebody else may have the port: then it ends.
        if let Some(ended) = process.try_wait().context("look after a server")? {
            bail!("the server for port {port} has ended: {ended}");
        }
        if began.elapsed() > SETTLED && std::net::TcpStream::connect(at(port)).is_ok() {
            return Ok(());
        }
        ensure!(began.elapsed() < PATIENCE, "nobody listens on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Our edge.
pub(super) struct Ours {
    pub(super) holder: Child,
    pub(super) client: Client,
    pub(super) dir: PathBuf,
    binary: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Ours {
    /// Begins, and waits until it listens everywhere.
    pub(super) fn begin(binary: &Path, dir: &Path, routes: &Routes) -> Result<Self> {
        files::write_routes(dir, routes).context("write routes")?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
        let holder = hold(binary, dir)?;
        let ours = Self { holder, client: Client::new(dir), dir: dir.to_owned(), binary: binary.to_owned(), runtime };
        ours.awake(routes.generation)?;
        Ok(ours)
    }

    fn awake(&self, generation: u64) -> Result<()> {
        let began = Instant::now();
        loop {
            if let Ok(status) = self.ask(self.client.status())
                && status.generation >= generation
            {
                let failed = status.listeners.iter().find(|listener| listener.state != Listening::Listening);
                return failed.map_or(Ok(()), |failed| bail!("the edge does not listen: {failed:?}"));
            }
            ensure!(began.elapsed() < PATIENCE, "the edge does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Another holder after one that was killed.
    pub(super) fn begin_again(&mut self) -> Result<()> {
        // It was killed: how it ended is known.
        let _ = self.holder.wait();
        self.holder = hold(&self.binary, &self.dir)?;
        Ok(())
    }

    pub(super) fn ask<T>(&self, question: impl Future<Output = T>) -> T {
        self.runtime.block_on(question)
    }

    /// The process that carries traffic.
    pub(super) fn worker(&self) -> Result<u32> {
        Ok(self.ask(self.client.status())?.pid)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        // What does not end in order is killed; a worker without its holder ends by itself.
        let _ = self.ask(self.client.stop(Duration::from_secs(1)));
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn hold(binary: &Path, dir: &Path) -> Result<Child> {
    let mut command = Command::new(binary);
    command.args(["proxy", "--dir"]).arg(dir).stdin(Stdio::null());
    command.spawn().with_context(|| format!("start {}", binary.display()))
}

/// A route of ours to the upstream, with the certificate.
pub(super) fn route(number: usize, host: &str, certificate: &str) -> Route {
    let mut route = Route::new(format!("bench/t{number:04}/web"), vec![host.to_owned()]);
    route.tls = Some(Tls::File { id: certificate.to_owned() });
    route.plain = Some(Plain::Serve);
    route.backends.push(Backend::new(format!("t{number:04}"), at(UPSTREAM)));
    route
}

/// Routes of ours: one for [`HOST`], the others for names that nobody asks for.
pub(super) fn routes(dir: &Path, certificate: &Certificate, many: usize) -> Result<Routes> {
    let id = "benchcertificate";
    files::keep_brought(dir, id, certificate.both.as_bytes()).context("keep the certificate")?;
    let mut routes = Routes::empty(1);
    routes.http_listen.push(at(OURS.http));
    routes.https_listen.push(at(OURS.https));
    routes.routes.push(route(0, HOST, id));
    for number in 1..many {
        let mut other = route(number, &format!("t{number:04}.bench.example"), id);
        other.tls = None;
        other.plain = None;
        routes.routes.push(other);
    }
    Ok(routes)
}

/// An nginx.
pub(super) struct Nginx {
    folder: PathBuf,
    pub(super) process: Child,
}

impl Nginx {
    fn begin(folder: &Path, config: &str, port: u16) -> Result<Self> {
        put(&folder.join("nginx.conf"), config)?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error.log", "-g", "daemon off;"]);
        let process = command.stdin(Stdio::null()).spawn().context("start nginx")?;
        let mut nginx = Self { folder: folder.to_owned(), process };
        awake(&mut nginx.process, port)?;
        Ok(nginx)
    }

    /// The one behind both proxies.
    pub(super) fn upstream(folder: &Path) -> Result<Self> {
        let config = format!(
            "{}  keepalive_requests 1000000;\n  keepalive_timeout 3600s;\n  default_type text/plain;\n  server {{ listen 127.0.0.1:{UPSTREAM} backlog=4096; location / {{ return 200 \"{}\"; }} }}\n}}\n",
            head(1),
            "x".repeat(BODY)
        );
        Self::begin(folder, &config, UPSTREAM)
    }

    /// The one beside us.
    pub(super) fn proxy(folder: &Path, certificate: &Certificate, many: usize) -> Result<Self> {
        let mut config = head(THREADS);
        // Its own defaults where nothing is said; what is said is what is needed to do the same as we do.
        let _ = write!(
            config,
            "  keepalive_requests 1000000;\n  upstream up {{ server 127.0.0.1:{UPSTREAM}; keepalive 32; keepalive_requests 1000000; }}\n  proxy_http_version 1.1;\n  proxy_set_header Connection \"\";\n  proxy_set_header Host $http_host;\n  proxy_set_header X-Forwarded-For $remote_addr;\n  proxy_set_header X-Real-IP $remote_addr;\n  proxy_set_header X-Forwarded-Proto $scheme;\n  proxy_set_header X-Forwarded-Port $server_port;\n  proxy_set_header X-Forwarded-Host $http_host;\n  proxy_set_header Forwarded \"for=$remote_addr;host=\\\"$http_host\\\";proto=$scheme\";\n  ssl_certificate {};\n  ssl_certificate_key {};\n  ssl_protocols TLSv1.2 TLSv1.3;\n  server_names_hash_max_size 8192;\n  server {{ listen 127.0.0.1:{} backlog=4096; listen 127.0.0.1:{} ssl backlog=4096; server_name {HOST}; location / {{ proxy_pass http://up; }} }}\n",
            certificate.chain.display(),
            certificate.key.display(),
            NGINX.http,
            NGINX.https,
        );
        for number in 1..many {
            let _ = writeln!(
                config,
                "  upstream u{number} {{ server 127.0.0.1:{UPSTREAM}; keepalive 32; }}\n  server {{ listen 127.0.0.1:{}; server_name t{number:04}.bench.example; location / {{ proxy_pass http://u{number}; }} }}",
                NGINX.http
            );
        }
        config.push_str("}\n");
        Self::begin(folder, &config, NGINX.http)
    }
}

/// What stands above both; as many descriptors as this machine gives.
fn head(workers: usize) -> String {
    format!(
        "user root;\npid nginx.pid;\nerror_log error.log;\nworker_processes {workers};\nworker_rlimit_nofile 20000;\nevents {{ worker_connections 16000; }}\nhttp {{\n  access_log off;\n  client_body_temp_path body;\n  proxy_temp_path proxy;\n  fastcgi_temp_path fastcgi;\n  uwsgi_temp_path uwsgi;\n  scgi_temp_path scgi;\n"
    )
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its own way to end takes its workers along; if it is gone already, so are they.
        let _ = Command::new("nginx")
            .arg("-p")
            .arg(&self.folder)
            .args(["-c", "nginx.conf", "-e", "error.log", "-s", "stop"])
            .output();
        let _ = self.process.wait();
    }
}
