//! Sketches: a `Desired` in a few words, for tests.
//!
//! In: services with images and what they need. Out: `Desired`, with specs as hashes of everything said.
//! **Invariant:** the same words give the same hashes; another word gives another spec.
//! Not here: reading files (`escadre-model`), spelling for an engine (`escadre-render`).
//! Tests: through all others.

use escadre_model::desired::{
    Adopts, After, Attachment, Body, Condition, Content, Desired, Field, File, Gate, HealthCheck, HttpRoute, Image,
    Manner, Network, NetworkMode, OnFailure, PullPolicy, Resource, Rollout, Route, Service, Shown, State, TcpRoute,
    Volume,
};
use escadre_model::hash::Hash;
use escadre_model::ids::{InstanceId, Kind, ResourceKey};
use escadre_model::name::Name;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One instance, in words.
#[derive(Clone, Debug, Default)]
pub struct Sketch {
    /// Fleet.
    pub fleet: String,
    /// Instance.
    pub instance: String,
    /// Its services, in any order.
    pub services: Vec<ServiceSketch>,
    /// `removed`, `stopped`, or running.
    pub state: Option<State>,
    /// The Compose project it takes over; its volumes keep the names they have there.
    pub adopts: Option<String>,
}

/// One service, in words.
#[derive(Clone, Debug, Default)]
pub struct ServiceSketch {
    /// Its key.
    pub key: String,
    /// Its image's reference.
    pub image: String,
    /// It is a job.
    pub job: bool,
    /// It has a health check.
    pub check: bool,
    /// It listens on this port, and has a route to it.
    pub port: Option<u16>,
    /// It publishes this port of its own at that of the host.
    pub publish: Option<(u16, u16)>,
    /// What it waits for.
    pub after: Vec<(String, Condition)>,
    /// Volumes it writes to.
    pub volumes: Vec<String>,
    /// Files it sees: key, content.
    pub files: Vec<(String, String)>,
    /// Any other value.
    pub values: BTreeMap<String, String>,
    /// How many.
    pub replicas: u32,
    /// The old container stops before the new one starts.
    pub stop_first: bool,
}

/// An instance's identity.
///
/// # Panics
/// When one of the names is none.
pub fn instance(fleet: &str, instance: &str) -> InstanceId {
    let name = |text: &str| Name::project(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    InstanceId::new(name(fleet), name(instance))
}

impl ServiceSketch {
    /// A service of an image.
    pub fn new(key: &str, image: &str) -> Self {
        Self { key: key.into(), image: image.into(), replicas: 1, ..Self::default() }
    }

    /// With a health check.
    pub fn check(mut self) -> Self {
        self.check = true;
        self
    }

    /// A job.
    pub fn job(mut self) -> Self {
        self.job = true;
        self
    }

    /// With a route to its port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The host's port leads to one of its own.
    pub fn publish(mut self, host: u16, port: u16) -> Self {
        self.publish = Some((host, port));
        self
    }

    /// It waits for another one.
    pub fn after(mut self, service: &str, condition: Condition) -> Self {
        self.after.push((service.into(), condition));
        self
    }

    /// It writes to a volume.
    pub fn volume(mut self, key: &str) -> Self {
        self.volumes.push(key.into());
        self
    }

    /// It sees a file.
    pub fn file(mut self, key: &str, content: &str) -> Self {
        self.files.push((key.into(), content.into()));
        self
    }

    /// The old container stops before the new one starts.
    pub fn stop_first(mut self) -> Self {
        self.stop_first = true;
        self
    }

    /// So many of them.
    pub fn replicas(mut self, count: u32) -> Self {
        self.replicas = count;
        self
    }

    /// It has a value.
    pub fn value(mut self, key: &str, value: &str) -> Self {
        self.values.insert(key.into(), value.into());
        self
    }
}

impl Sketch {
    /// An instance with services.
    pub fn new(fleet: &str, instance: &str, services: Vec<ServiceSketch>) -> Self {
        Self { fleet: fleet.into(), instance: instance.into(), services, state: None, adopts: None }
    }

    /// The same, in another state.
    pub fn state(mut self, state: State) -> Self {
        self.state = Some(state);
        self
    }

    /// The same, taking a Compose project over.
    pub fn adopts(mut self, project: &str) -> Self {
        self.adopts = Some(project.into());
        self
    }

    /// Its identity.
    pub fn id(&self) -> InstanceId {
        instance(&self.fleet, &self.instance)
    }

    /// Spelled out.
    pub fn desired(&self) -> Desired {
        let mut resources = BTreeMap::new();
        let mut routes = BTreeMap::new();
        let mut add = |kind: Kind, key: &str, spec: &dyn erased::Words, fields: Vec<Field>, body: Body| {
            let spec = Hash::of(spec.words());
            resources.insert(ResourceKey::new(kind, key), Resource::new(spec, fields, &serde_json::Value::Null, body));
        };
        let engine = |key: &str| Arc::from(format!("{}_{}_{key}", self.fleet, self.instance));
        let volumes = |key: &str| match &self.adopts {
            Some(project) => Arc::from(format!("{project}_{key}")),
            None => engine(key),
        };
        let network = Network { name: engine("default"), external: false, subnet: None };
        add(Kind::Network, "default", &"network", Vec::new(), Body::Network(network));
        for service in &self.services {
            for volume in &service.volumes {
                let body =
                    Body::Volume(Volume { name: volumes(volume), external: false, named: self.adopts.is_some() });
                add(Kind::Volume, volume, &"volume", Vec::new(), body);
            }
            for (key, content) in &service.files {
                let content = Content::Bytes { hash: Hash::of(content), bytes: content.as_bytes().into() };
                let words = format!("{content:?}");
                let body = Body::File(File { content, mode: 0o444, uid: None, gid: None });
                add(Kind::Config, key, &words.as_str(), Vec::new(), body);
            }
            let image = Image {
                reference: service.image.as_str().into(),
                pull: PullPolicy::Missing,
                build: None,
                platform: None,
            };
            add(Kind::Image, &service.image, &service.image.as_str(), Vec::new(), Body::Image(image));
            // What is published is the edge's: the container is the same without it.
            let words = format!("{service:?}");
            let published = format!(" publish: {:?},", service.publish);
            let words = words.replace(&published, "");
            add(
                Kind::Service,
                &service.key,
                &words.as_str(),
                service.fields(),
                Body::Service(Arc::new(service.body())),
            );
            if let Some(port) = service.port {
                let host = format!("{}.{}.localhost", service.key, self.instance);
                routes.insert(Arc::from(service.key.as_str()), Route::Http(service.route(port, &host)));
            }
            if let Some((published, port)) = service.publish {
                let (service, host) = (service.key.as_str().into(), "".into());
                let route = TcpRoute { service, port, host, published, proxy_protocol: None, source: None };
                routes.insert(format!("port-{published}").into(), Route::Tcp(route));
            }
        }
        Desired {
            instance: self.id(),
            origin: "id:test".into(),
            release: "tree".into(),
            state: self.state.unwrap_or(State::Running),
            environment: "".into(),
            labels: BTreeMap::new(),
            resources,
            routes,
            secrets: BTreeMap::new(),
            adopts: self.adopts.as_deref().map(|project| Adopts {
                from: escadre_model::desired::Former::Compose,
                project: project.into(),
                folder: None,
            }),
        }
    }
}

impl ServiceSketch {
    fn route(&self, port: u16, host: &str) -> HttpRoute {
        HttpRoute {
            service: self.key.as_str().into(),
            port,
            hosts: vec![host.into()],
            redirect: Vec::new(),
            path: "/".into(),
            body_limit: None,
            timeout_ms: None,
            tls: None,
            source: None,
        }
    }

    fn fields(&self) -> Vec<Field> {
        let field = |path: String, value: &str| Field {
            path: path.into(),
            value: Shown::Plain(value.into()),
            source: None,
            raw: None,
        };
        let mut fields: Vec<Field> =
            self.values.iter().map(|(key, value)| field(format!("environment.{key}"), value)).collect();
        fields.push(field("image".into(), &self.image));
        fields.sort_by(|one, other| one.path.cmp(&other.path));
        fields
    }

    fn body(&self) -> Service {
        let check = HealthCheck {
            test: vec!["CMD".into(), "check".into()],
            interval_ms: 1000,
            timeout_ms: 1000,
            retries: 3,
            start_period_ms: 0,
            start_interval_ms: 1000,
        };
        let gate = match (self.job, self.check) {
            (true, _) => Gate::ExitZero,
            (false, true) => Gate::Check(check),
            (false, false) => Gate::Unstated {
                disabled: false,
                ports: self.port.or(self.publish.map(|(_, port)| port)).into_iter().collect(),
                times: None,
            },
        };
        let after = self.after.iter().map(|(service, condition)| After {
            service: service.as_str().into(),
            condition: *condition,
            required: true,
            restart: false,
        });
        Service {
            image: self.image.as_str().into(),
            replicas: self.replicas.max(1),
            job: self.job,
            after: after.collect(),
            gate,
            manner: match (self.stop_first, self.volumes.first()) {
                (true, _) => Manner::StopFirst("its order is stop-first".into()),
                (false, Some(volume)) => Manner::StopFirst(format!("it writes to volume {volume}").into()),
                (false, None) => Manner::Beside,
            },
            networks: vec![Attachment {
                network: "default".into(),
                names: vec![self.key.as_str().into()],
                address: None,
            }],
            network_mode: NetworkMode::Own,
            shares: std::collections::BTreeMap::new(),
            volumes: self.volumes.iter().map(|key| (key.as_str().into(), true)).collect(),
            files: self.files.iter().map(|(key, _)| ResourceKey::new(Kind::Config, key.as_str())).collect(),
            extra_hosts: Vec::new(),
            stop_grace_ms: 10_000,
            engine_ports: Vec::new(),
            on_failure: OnFailure::GoBack,
            rollout: Rollout::default(),
        }
    }
}

/// Words of different kinds, hashed alike.
mod erased {
    /// Something with words.
    pub(super) trait Words {
        /// Its words.
        fn words(&self) -> String;
    }
    impl Words for &str {
        fn words(&self) -> String {
            (*self).to_owned()
        }
    }
}
