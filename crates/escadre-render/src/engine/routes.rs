//! Routes and ports: what the edge carries, and what the engine must publish itself.
//!
//! In: endpoints and `ports`. Out: routes by key; engine ports by service.
//! **Invariant:** a published TCP port belongs to the edge unless it was written as the host's own.
//! Not here: backends (`escadre-plan`), traffic (`escadre-edge`).
//! Tests: `render/tests.rs`.

use super::render::Render;
use super::value;
use escadre_model::compose::Service as Written;
use escadre_model::desired::{EnginePort, Route, TcpRoute};
use escadre_model::diagnostic::{Code, Diagnostic, nearest};
use escadre_model::routes::ProxyProtocol;
use escadre_model::text::Node;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More ports than this in one service are published by the engine: each would be a listener of the edge.
const MANY: usize = 64;

/// The published TCP ports of a shape.
pub(super) fn published(render: &mut Render<'_>) -> BTreeMap<Arc<str>, Route> {
    let shape = render.shape;
    let mut routes: BTreeMap<Arc<str>, Route> = BTreeMap::new();
    for written in shape.project.services() {
        let own = own_network(written).is_some();
        for port in ports(written) {
            let asked = told(render, written, port.node);
            let path = || format!("services.{}.ports", written.name);
            if !own || by_engine(written, &port) {
                if asked.is_some() {
                    let message = "the engine publishes this port itself (`mode: host`, a network of its own, not TCP, or one of very many), and tells nobody who connects";
                    render.refuse(port.node, &path(), message);
                }
                continue;
            }
            let served = |(service, open): &(Arc<str>, u16)| service == written.name && *open == port.target;
            // In a fleet the endpoint is the way in; the port would only be there for developers.
            if !shape.single && shape.served.iter().any(served) {
                if asked.is_some() {
                    let message =
                        "an endpoint leads to this port: it is not opened, and requests say who asks in `Forwarded`";
                    render.approximate(port.node, &path(), message);
                }
                continue;
            }
            let key: Arc<str> = match (port.published, port.host.is_empty()) {
                (0, _) => format!("port-any-{}-{}", written.name, port.target).into(),
                (published, true) => format!("port-{published}").into(),
                (published, false) => format!("port-{}-{published}", port.host).into(),
            };
            let route = TcpRoute {
                service: Arc::clone(written.name),
                port: port.target,
                host: Arc::clone(&port.host),
                published: port.published,
                proxy_protocol: asked,
                source: Some(value::source(port.node)),
            };
            if let Some(Route::Tcp(first)) = routes.get(&key)
                && first.service != route.service
            {
                let message = format!("port {} is published by {} already", port.published, first.service);
                render.refuse(port.node, &path(), message);
                continue;
            }
            routes.insert(key, Route::Tcp(route));
        }
    }
    routes
}

/// How a port's service wants to be told who connects: `x-escadre: { proxy_protocol: v2 }` beside it.
fn told(render: &mut Render<'_>, written: Written<'_>, port: &Node) -> Option<ProxyProtocol> {
    const WORD: &str = "proxy_protocol";
    let own = port.get("x-escadre")?;
    let path = format!("services.{}.ports.x-escadre", written.name);
    let Some(words) = own.as_mapping() else {
        let message = format!("`x-escadre` beside a port must be a mapping, here is {}", own.kind());
        render.findings.push(Diagnostic::error(Code::E0403, message).at(&own.span).path(path));
        return None;
    };
    for (key, _) in words.iter().filter(|(key, _)| &*key.text != WORD) {
        let message = format!("unknown attribute `{}` in `x-escadre` beside a port", key.text);
        let finding = Diagnostic::error(Code::E0402, message).at(&key.span).path(path.clone());
        render.findings.push(match nearest(&key.text, [WORD]) {
            Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
            None => finding.hint(format!("known there: {WORD}")),
        });
    }
    let asked = words.get(WORD)?;
    match asked.as_str() {
        Some("v1") => Some(ProxyProtocol::V1),
        Some("v2") => Some(ProxyProtocol::V2),
        _ => {
            let finding =
                Diagnostic::error(Code::E0405, format!("`{WORD}` is `v1` or `v2`")).at(&asked.span).path(path);
            render.findings.push(finding.hint("`v1` is a line of text, `v2` is bytes: write what the service reads"));
            None
        }
    }
}

/// A service's network mode when it is not the host's or another's: its own.
fn own_network(written: Written<'_>) -> Option<()> {
    match written.str("network_mode") {
        None | Some("bridge") => Some(()),
        Some(_) => None,
    }
}

/// Ports the engine publishes for a service.
pub(super) fn by_the_engine(written: Written<'_>) -> Vec<EnginePort> {
    if own_network(written).is_none() {
        return Vec::new();
    }
    let mut all: Vec<EnginePort> = ports(written)
        .filter(|port| by_engine(written, port))
        .map(|port| EnginePort {
            host: port.host,
            published: port.published,
            target: port.target,
            protocol: port.protocol,
        })
        .collect();
    all.sort_by(|a, b| (a.target, &a.protocol, a.published).cmp(&(b.target, &b.protocol, b.published)));
    all.dedup();
    all
}

/// TCP ports of a service that others can reach: published, exposed, of an endpoint.
pub(super) fn reachable(render: &Render<'_>, written: Written<'_>) -> Vec<u16> {
    let published = ports(written).filter(|port| port.protocol.as_ref() == "tcp").map(|port| port.target);
    let endpoints = render.shape.served.iter().filter(|(service, _)| service == written.name);
    let exposed = written.strs("expose").filter_map(|text| match text.split_once('/') {
        Some((port, "tcp")) => port.parse().ok(),
        Some(_) => None,
        None => text.parse().ok(),
    });
    let mut all: Vec<u16> = published.chain(endpoints.map(|(_, port)| *port)).chain(exposed).collect();
    all.sort_unstable();
    all.dedup();
    all
}

struct Port<'a> {
    host: Arc<str>,
    published: u16,
    target: u16,
    protocol: Arc<str>,
    host_mode: bool,
    node: &'a Node,
}

fn ports<'a>(written: Written<'a>) -> impl Iterator<Item = Port<'a>> {
    written.list("ports").iter().filter_map(|node| {
        let text = |key: &str| node.get(key).and_then(Node::as_str);
        let target = node.get("target").and_then(value::integer).and_then(|port| u16::try_from(port).ok())?;
        // A range of host ports for one container port means any of them: the first is taken.
        let first = text("published").unwrap_or_default().split('-').next().unwrap_or_default();
        let host = match text("host_ip") {
            None | Some("0.0.0.0") => "",
            Some(host) => host,
        };
        Some(Port {
            host: host.into(),
            published: first.parse().unwrap_or(0),
            target,
            protocol: text("protocol").unwrap_or("tcp").into(),
            host_mode: text("mode") == Some("host"),
            node,
        })
    })
}

fn by_engine(written: Written<'_>, port: &Port<'_>) -> bool {
    port.host_mode || port.protocol.as_ref() != "tcp" || written.list("ports").len() > MANY
}
