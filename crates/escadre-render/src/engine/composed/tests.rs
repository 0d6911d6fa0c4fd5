//! Answers recorded from docker compose 2.40 on Podman 4.3.1, and one spelled as Docker 20.10 does, cut down.

use super::*;
use serde_json::json;

const ID: &str = "561888e79f9a7ecbdabe90c6543dfd14e2c1e6665ec3e70c7dd4ccbec0ed9221";
const UNNAMED: &str = "bce4eb8addb9bff2f5f7763ed4fbbcc28477d71beedda01cc873f2f91bebad9c";

fn all_labels() -> Value {
    json!({
        "com.docker.compose.config-hash": "b85f27", "com.docker.compose.container-number": "2", "com.docker.compose.oneoff": "False",
        "com.docker.compose.project": "acme", "com.docker.compose.project.config_files": "/srv/acme/a.yml,/srv/acme/b.yml",
        "com.docker.compose.project.working_dir": "/srv/acme", "com.docker.compose.service": "web", "dev.escadre.example.inputs": "x",
    })
}

#[test]
fn a_container_of_compose_on_podman_and_on_docker() {
    let libpod = json!({"Id": ID, "ImageID": "2ec6", "Names": ["acme-web-2"], "Networks": ["acme_default"], "Labels": all_labels(),
        "Ports": null, "StartedAt": 1_795_871_707, "State": "running", "Status": "healthy", "ExitCode": 0});
    let detail = json!({"Id": ID, "ImageID": "sha256:2ec6", "Names": ["/acme-web-2"], "Labels": all_labels(), "State": "running",
        "Status": "Up 2 minutes (healthy)",
        "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8081, "Type": "tcp"}, {"IP": "::", "PrivatePort": 80,
            "PublicPort": 8081, "Type": "tcp"}, {"PrivatePort": 8080, "Type": "tcp"}],
        "NetworkSettings": {"Networks": {"acme_default": {"IPAddress": "10.89.0.3"}}},
        "Mounts": [{"Type": "volume", "Name": UNNAMED, "Destination": "/anon"}, {"Type": "volume", "Name": "acme_data", "Destination": "/data"},
            {"Type": "bind", "Source": "/srv/acme/conf", "Destination": "/etc/conf"}]});
    for entry in [&libpod, &detail] {
        let (project, seen) = container(entry, &detail).expect("of Compose");
        let made = seen.compose.as_deref().expect("made by Compose");
        assert_eq!((project.as_str(), &*seen.name, seen.id.replica), ("acme", "acme-web-2", Some(2)));
        assert_eq!((&*made.folder, made.files.len(), made.number), ("/srv/acme", 2, 2));
        assert_eq!(seen.published.len(), 1, "{:?}", seen.published);
        assert_eq!((seen.published[0].published, seen.published[0].target), (8081, 80));
        assert_eq!(made.anonymous.get("/anon").map(AsRef::as_ref), Some(UNNAMED));
        assert_eq!(made.anonymous.len(), 1);
        assert_eq!(seen.addresses.get("acme_default").map(ToString::to_string).as_deref(), Some("10.89.0.3"));
        assert_eq!(seen.health, escadre_model::observed::Health::Healthy);
        assert!(seen.spec.is_none() && !seen.known);
    }
}

#[test]
fn what_is_ours_or_runs_once_is_not() {
    let mut all = all_labels();
    let entry = |all: &Value| json!({"Id": ID, "ImageID": "2ec6", "Names": ["x"], "Labels": all, "State": "running"});
    assert!(container(&entry(&all), &Value::Null).is_some());
    all["com.docker.compose.oneoff"] = json!("True");
    assert!(container(&entry(&all), &Value::Null).is_none());
    all["com.docker.compose.oneoff"] = json!("False");
    all["dev.escadre.schema"] = json!("1");
    assert!(container(&entry(&all), &Value::Null).is_none());
    assert!(
        container(&json!({"Id": ID, "Labels": {"com.docker.compose.project": "Not A Project"}}), &Value::Null)
            .is_none()
    );
}

#[test]
fn a_container_of_a_swarm_is_of_its_stack() {
    let labels = json!({"com.docker.stack.namespace": "desk", "com.docker.swarm.service.name": "desk_web", "com.docker.swarm.task.name": "desk_web.1.x"});
    let entry = json!({"Id": ID, "Names": ["/desk_web.1.x"], "Labels": labels, "State": "running"});
    let (stack, seen) = task(&entry).expect("of a stack");
    assert_eq!((&*stack, &*seen.service, seen.runs, &*seen.engine.0), ("desk", "web", true, ID));
    assert!(container(&entry, &Value::Null).is_none(), "it is none of Compose's");
    let ended = json!({"Id": ID, "Labels": entry["Labels"], "State": "exited"});
    assert!(task(&ended).is_some_and(|(_, seen)| !seen.runs), "the Swarm keeps it as long as the stack is there");
    assert!(task(&json!({"Id": ID, "Labels": all_labels()})).is_none());
}

#[test]
fn networks_and_volumes() {
    let podman = json!({"name": "acme_default", "id": "071a", "subnets": [{"subnet": "10.89.0.0/24", "gateway": "10.89.0.1"}],
        "labels": {"com.docker.compose.network": "default", "com.docker.compose.project": "acme"}});
    let docker = json!({"Name": "acme_default", "Id": "071a", "IPAM": {"Config": [{"Subnet": "172.18.0.0/16"}]},
        "Labels": {"com.docker.compose.network": "default", "com.docker.compose.project": "acme"}});
    for (entry, subnet) in [(podman, "10.89.0.0/24"), (docker, "172.18.0.0/16")] {
        let (project, seen) = network(&entry).expect("of Compose");
        assert_eq!(
            (project.as_str(), &*seen.key.key, &*seen.name, &*seen.subnets[0]),
            ("acme", "default", "acme_default", subnet)
        );
        assert!(seen.compose);
    }
    let entry = json!({"Name": "acme_data", "Labels": {"com.docker.compose.volume": "data", "com.docker.compose.project": "acme"}});
    let (_, seen) = volume(&entry).expect("of Compose");
    assert_eq!((&*seen.key.key, &*seen.name), ("data", "acme_data"));
    assert!(volume(&json!({"Name": UNNAMED, "Labels": {}})).is_none());
}
