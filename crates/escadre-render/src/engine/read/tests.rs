//! Reading back, from answers recorded on Podman 4.3.1 (and one spelled as Docker 20.10 does), cut down.

use super::*;
use escadre_model::ids::Kind;
use serde_json::json;

const ID: &str = "652bfb3265768cb4f91dda913fd827e0f84ea74fe3d6f89526174d695d982828";
const IMAGE: &str = "ac56b69efd4510e4df98a7af73e605efb256c14436fa1e0109bf06f23fb34ad4";

fn all_labels() -> Value {
    json!({
        "dev.escadre.addresses": "pod-rec=10.225.1.3", "dev.escadre.fleet": "totem", "dev.escadre.generation": "3",
        "dev.escadre.instance": "france", "dev.escadre.origin": "id:1", "dev.escadre.replica": "1",
        "dev.escadre.schema": "1", "dev.escadre.service": "web", "dev.escadre.volume.data": "totem_france_data",
        "io.buildah.version": "1.28.2",
    })
}

/// The same container in the four answers that show it.
fn four() -> [Value; 4] {
    let endpoint =
        json!({"IPAMConfig": null, "Aliases": ["652bfb326576"], "Gateway": "10.225.1.1", "IPAddress": "10.225.1.3"});
    let state = json!({"Status": "running", "Running": true, "Pid": 4845, "ExitCode": 0,
        "StartedAt": "2026-11-21T03:01:38.505259688Z", "Health": {"Status": "", "FailingStreak": 0, "Log": null}});
    [
        json!({"Id": ID, "Image": "localhost/escadre-test/base:v1", "ImageID": IMAGE, "Labels": all_labels(), "ExitCode": 0,
            "Names": ["pod-rec1"], "Networks": ["pod-rec"], "StartedAt": 1_795_230_098, "State": "running", "Status": ""}),
        json!({"Id": ID, "Names": ["/pod-rec1"], "Image": "localhost/escadre-test/base:v1", "ImageID": format!("sha256:{IMAGE}"),
            "Labels": all_labels(), "State": "running", "Status": "Up Less than a second",
            "NetworkSettings": {"Networks": {"pod-rec": endpoint}}, "Name": "", "Config": null}),
        json!({"Id": ID, "State": state, "Image": format!("sha256:{IMAGE}"), "Name": "/pod-rec1", "RestartCount": 0,
            "Config": {"Labels": all_labels()}, "NetworkSettings": {"Networks": {"pod-rec": endpoint}}}),
        json!({"Id": ID, "State": state, "Image": IMAGE, "ImageName": "localhost/escadre-test/base:v1", "Name": "pod-rec1",
            "RestartCount": 0, "Config": {"Labels": all_labels()}, "NetworkSettings": {"Networks": {"pod-rec": endpoint}}}),
    ]
}

#[test]
fn a_container_is_the_same_from_every_answer() {
    let all: Vec<_> = four().iter().map(|entry| container(entry).expect("ours")).collect();
    let [first, rest @ ..] = all.as_slice() else { panic!("four answers") };
    assert_eq!(first.seen.id.to_string(), "totem/france/service/web/1/g3");
    assert_eq!(first.seen.image.as_ref(), format!("sha256:{IMAGE}"));
    assert_eq!(first.seen.started.as_ref(), "2026-11-21T03:01:38Z");
    assert_eq!(first.seen.volumes.get("data").map(AsRef::as_ref), Some("totem_france_data"));
    for one in rest {
        assert_eq!(one.seen.fields, first.seen.fields);
        assert_eq!(
            (&one.seen.name, &one.seen.image, &one.seen.phase),
            (&first.seen.name, &first.seen.image, &Phase::Running)
        );
        assert_eq!((&one.seen.addresses, one.seen.health), (&first.seen.addresses, Health::None));
    }
}

#[test]
fn phases_and_health_in_every_spelling() {
    let [list, compat, inspect, _] = four();
    let with = |entry: &Value, key: &str, value: Value| {
        let mut entry = entry.clone();
        if let Some(map) = entry.as_object_mut() {
            map.insert(key.to_owned(), value);
        }
        container(&entry).map(|ours| (ours.seen.phase, ours.seen.health))
    };
    assert_eq!(with(&list, "Status", json!("unhealthy")), Some((Phase::Running, Health::Unhealthy)));
    assert_eq!(with(&list, "State", json!("configured")), Some((Phase::Created, Health::None)));
    assert_eq!(with(&compat, "Status", json!("Up 5 minutes (healthy)")), Some((Phase::Running, Health::Healthy)));
    assert_eq!(
        with(&compat, "Status", json!("Up 1 second (health: starting)")),
        Some((Phase::Running, Health::Starting))
    );
    let mut exited = compat.clone();
    if let Some(map) = exited.as_object_mut() {
        map.insert("State".to_owned(), json!("exited"));
    }
    assert_eq!(with(&exited, "Status", json!("Exited (137) 5 minutes ago")), Some((Phase::Exited(137), Health::None)));
    let state = json!({"Status": "exited", "ExitCode": 78, "StartedAt": "0001-01-01T00:00:00Z"});
    assert_eq!(with(&inspect, "State", state), Some((Phase::Exited(78), Health::None)));
}

#[test]
fn what_is_not_ours_is_nobody() {
    let [mut entry, ..] = four();
    if let Some(labels) = entry.get_mut("Labels").and_then(Value::as_object_mut) {
        labels.remove("dev.escadre.schema");
    }
    assert_eq!(container(&entry), None);
    for nonsense in [json!(null), json!([]), json!({"Labels": {"dev.escadre.schema": 1}}), json!({"Id": 3})] {
        assert_eq!(container(&nonsense), None);
        assert_eq!(network(&nonsense), None);
        assert_eq!(volume(&nonsense), None);
        assert_eq!(image(&nonsense).map(|image| image.id), None);
    }
}

#[test]
fn networks_in_both_spellings() {
    let labels = json!({"dev.escadre.schema": "1", "dev.escadre.fleet": "totem", "dev.escadre.instance": "france",
        "dev.escadre.network": "front", "dev.escadre.origin": "id:1"});
    let own = json!({"name": "pod-rec", "id": "42", "subnets": [{"subnet": "10.225.1.0/28", "gateway": "10.225.1.1"}], "labels": labels});
    let compat =
        json!({"Name": "pod-rec", "Id": "42", "IPAM": {"Config": [{"Subnet": "10.225.1.0/28"}]}, "Labels": labels});
    let (own, compat) = (network(&own).expect("ours"), network(&compat).expect("ours"));
    assert_eq!(own, compat);
    assert_eq!(own.seen.key.kind, Kind::Network);
    assert_eq!(own.seen.subnets, ["10.225.1.0/28".into()] as [Arc<str>; 1]);
}

#[test]
fn an_image_with_its_ports_and_its_check() {
    let entry = json!({"Id": format!("sha256:{IMAGE}"), "RepoTags": ["localhost/escadre-test/base:v1"],
        "RepoDigests": ["localhost/escadre-test/base@sha256:a9"], "Size": 2_137_173,
        "Config": {"ExposedPorts": {"8080/tcp": {}, "53/udp": {}},
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 7_000_000_000_u64}, "Labels": {"dev.escadre.build": "ab"}}});
    let seen = image(&entry).expect("an image");
    assert_eq!((seen.ports.as_slice(), seen.size), ([8080].as_slice(), 2_137_173));
    assert_eq!(seen.health.map(|check| (check.interval_ms, check.retries, check.timeout_ms)), Some((7000, 3, 30_000)));
    assert!(seen.build.is_some());
    assert_eq!(health_check(&json!({"Test": ["NONE"]})), None);
}

#[test]
fn moments_are_spelled_in_utc() {
    assert_eq!(instant(0), "1970-01-01T00:00:00Z");
    assert_eq!(instant(1_795_226_672), "2026-11-21T02:04:32Z");
    assert_eq!(instant(951_782_399), "2000-02-28T23:59:59Z");
    assert_eq!(instant(951_782_400), "2000-02-29T00:00:00Z");
}
