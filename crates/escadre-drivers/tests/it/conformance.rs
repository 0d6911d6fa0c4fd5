//! The suite that every driver passes, on the real engine with a real edge.

use super::world::{IMAGE, Which, settings};
use async_trait::async_trait;
use escadre_drivers::edge::{EdgeFiles, Settings as EdgeSettings, Start};
use escadre_drivers::podman::Engine;
use escadre_engine::ports::Driver;
use escadre_model::compose::{Cache, Files, Options, ReadError, load};
use escadre_model::desired::{Desired, HealthCheck};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use escadre_model::resolved::{Resolved, Shape};
use escadre_plan::step::HostLine;
use escadre_render::engine::render;
use escadre_testkit::conformance::{Lab, Program, run};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

struct Real {
    which: Which,
    engine: Engine,
    edge: EdgeFiles,
    instance: InstanceId,
    state: tempfile::TempDir,
    third: u8,
}

struct One(String);
impl Files for One {
    fn read(&self, path: &str) -> Result<Option<Arc<[u8]>>, ReadError> {
        Ok((path == "/p/compose.yaml").then(|| self.0.as_bytes().into()))
    }
}

#[async_trait]
impl Lab for Real {
    fn driver(&self) -> &dyn Driver {
        &self.engine
    }

    fn desired(&self, program: Program) -> Desired {
        let command = match program {
            Program::Serves => "exec httpd -f -p 80".to_owned(),
            Program::Ends(code) => format!("echo ending; sleep 0.3; exit {code}"),
            Program::Sleeps => "trap 'exit 0' TERM; while :; do sleep 0.1; done".to_owned(),
        };
        let check = "healthcheck: { test: [CMD, 'true'], interval: 1s }";
        let check = if program == Program::Serves { check } else { "" };
        let port = 18_200 + u16::from(self.third);
        // A job is what somebody waits for: who waits is taken out again below.
        let waiter = match program {
            Program::Ends(_) => format!(
                "  waiter: {{ image: '{IMAGE}', depends_on: {{ web: {{ condition: service_completed_successfully }} }} }}\n"
            ),
            _ => String::new(),
        };
        let yaml = format!(
            "name: {}\nservices:\n  web:\n    image: '{IMAGE}'\n    command: [sh, -c, {}]\n    {check}\n    volumes: ['data:/data']\n    \
             configs: [conf]\n    ports: ['127.0.0.1:{port}:80']\n    stop_grace_period: 2s\n{waiter}volumes: {{ data: }}\n\
             configs: {{ conf: {{ content: 'a = 1' }} }}\n",
            self.instance.fleet,
            serde_json::Value::String(command),
        );
        let options = Options::new("/p", vec!["/p/compose.yaml".to_owned()]);
        let (project, findings) = load(&options, &One(yaml), &Cache::new());
        let project = project.unwrap_or_else(|| panic!("{findings:?}"));
        let shape = Shape::new("lab", project);
        let resolved = Resolved { origin: "id:conformance".into(), ..Resolved::new(self.instance.clone(), shape) };
        let (mut desired, findings) = render(&resolved, &self.engine.facts());
        assert!(findings.is_empty(), "{findings:?}");
        desired.resources.retain(|key, _| key.key.as_ref() != "waiter");
        let (_, route) = desired.routes.pop_first().expect("the published port");
        desired.routes = BTreeMap::from([("web".into(), route)]);
        desired
    }

    fn subnet(&self) -> (Arc<str>, [IpAddr; 3]) {
        let address = |last: u8| IpAddr::from([10, 223, self.third, last]);
        (format!("10.223.{}.0/28", self.third).into(), [address(2), address(3), address(4)])
    }

    fn check(&self) -> HealthCheck {
        HealthCheck {
            test: vec!["CMD".into(), "true".into()],
            interval_ms: 1000,
            timeout_ms: 5000,
            retries: 3,
            start_period_ms: 0,
            start_interval_ms: 1000,
        }
    }

    async fn foreign(&self, name: &str, there: bool) {
        let words: &[&str] = if there { &["create", "--name", name, IMAGE] } else { &["rm", "-f", name] };
        assert!(self.which.program().args(words).output().unwrap().status.success(), "{words:?}");
    }

    async fn lines(&self) -> Option<Vec<HostLine>> {
        let folder = self.state.path().join("files").join(self.instance.fleet.as_str());
        let path = folder.join(self.instance.instance.as_str()).join("hosts-default");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut lines: Vec<HostLine> = text
            .lines()
            .filter_map(|line| {
                let (content, who) = line.rsplit_once("\t# ")?;
                let mut words = content.split_whitespace();
                let address = words.next()?.parse().ok()?;
                let names = words.map(Into::into).collect();
                // Lines about localhost and about containers themselves are no names of services.
                who.contains('/').then(|| HostLine { hosts: "default".into(), who: who.into(), address, names })
            })
            .collect();
        lines.sort();
        Some(lines)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn podman_conforms() {
    conforms(Which::Podman).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_conforms() {
    conforms(Which::Docker).await;
}

async fn conforms(which: Which) {
    let Some(at) = which.at("conformance") else { return };
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("edge");
    let ours = std::env::current_exe().unwrap();
    let program = ours.parent().and_then(Path::parent).unwrap().join("examples/driven_edge");
    assert!(program.is_file(), "{} is built by cargo test", program.display());
    let start = Start { program, arguments: vec![dir.clone().into()], units: None };
    let edge = EdgeFiles::new(dir, Some(EdgeSettings::default()), Some(start));
    let engine = Engine::connect(settings(&state, at), Arc::new(edge.clone())).await.unwrap();
    let third = u8::try_from(std::process::id() % 125).unwrap() + if which == Which::Docker { 125 } else { 0 };
    let instance = InstanceId::new(Name::new("podconf").unwrap(), Name::new(&format!("lab{third}")).unwrap());
    let lab = Real { which, engine, edge, instance, state, third };
    let findings = run(&lab).await;
    let _ = lab.edge.client().stop(std::time::Duration::from_secs(1)).await;
    eprintln!(
        "conformance of {which:?}: {} checked, {} skipped: {:?}",
        findings.checked,
        findings.skipped.len(),
        findings.skipped
    );
    assert!(findings.wrong.is_empty(), "{:#?}", findings.wrong);
    assert!(findings.checked > 80, "{}", findings.checked);
}
