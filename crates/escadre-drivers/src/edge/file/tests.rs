//! Routes in and out of a table; an edge that runs is in `tests/it`.

use super::*;
use escadre_edge::control::Counters;
use escadre_model::desired::TcpRoute as Wanted;
use escadre_model::routes::ProxyProtocol;

fn web(generation: u64) -> ResourceId {
    let name = |text| Name::new(text).expect("a name");
    let instance = InstanceId::new(name("totem"), name("france"));
    instance.resource(ResourceKey::new(Kind::Service, "my_web")).container(1, generation)
}

fn tcp(published: u16, host: &str) -> Route {
    Route::Tcp(Wanted {
        service: "my_web".into(),
        port: 80,
        host: host.into(),
        published,
        proxy_protocol: None,
        source: None,
    })
}

fn target(generation: u64) -> RouteTarget {
    let address = SocketAddr::from(([10, 0, 0, 2], 80));
    RouteTarget {
        spec: Hash::of("s"),
        backends: vec![(web(generation), address)],
        published: Some(40_000),
        starting: false,
    }
}

#[test]
fn a_backend_is_read_back_as_it_was_called() {
    assert_eq!(resource_of(&web(3).to_string()), Some(web(3)));
    assert_eq!(resource_of("nonsense"), None);
    assert_eq!(
        route_of("totem/france/port-80@6").map(|(id, key)| (id.to_string(), key)),
        Some(("totem/france".to_owned(), "port-80".into()))
    );
}

#[test]
fn a_port_everywhere_is_two_listeners_and_goes_as_one() {
    let mut routes = Routes::empty(0);
    put(&mut routes, "totem/france/port-8080", &tcp(8080, ""), None, &target(1));
    assert_eq!(
        routes.tcp.iter().map(|route| route.listen.to_string()).collect::<Vec<_>>(),
        ["0.0.0.0:8080", "[::]:8080"]
    );
    assert!(routes.conflicts().is_empty());
    put(&mut routes, "totem/france/port-8080", &tcp(8080, "127.0.0.1"), None, &target(2));
    assert_eq!(routes.tcp.len(), 1);
    let Route::Tcp(told) = tcp(8080, "127.0.0.1") else { panic!("a TCP route") };
    let told = Route::Tcp(Wanted { proxy_protocol: Some(ProxyProtocol::V2), ..told });
    put(&mut routes, "totem/france/port-8080", &told, None, &target(2));
    assert_eq!(routes.tcp.iter().map(|route| route.proxy_protocol).collect::<Vec<_>>(), [Some(ProxyProtocol::V2)]);
    take_out(&mut routes, "totem/france/port-8080");
    assert!(routes.tcp.is_empty());
    put(&mut routes, "x", &tcp(0, "127.0.0.1"), None, &target(1));
    assert_eq!(routes.tcp.first().map(|route| route.listen.port()), Some(40_000), "any port is the planned one");
}

#[test]
fn counters_are_told_by_instance_and_both_halves_of_a_port_together() {
    let one = |id: &str, requests, cut| Counters { id: id.into(), requests, cut, ..Counters::default() };
    let routes =
        vec![one("totem/france/port-80", 3, 1), one("totem/france/port-80@6", 2, 0), one("totem/france/web", 7, 0)];
    let traffic = traffic_of(&Stats { worker: 1, uptime_ms: 1, since_ms: 9, crashes: 0, routes });
    let carried = traffic.of(&web(1).instance);
    assert_eq!((traffic.life, carried.requests, carried.failed()), (9, 12, 1));
    assert_eq!(traffic.routes[&web(1).instance].len(), 2);
}
