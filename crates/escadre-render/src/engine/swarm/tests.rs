//! Recorded answers of a manager of Docker 20.10 with three stacks in, Compose models out.

use super::*;

fn recorded() -> Lists {
    let all: Value = serde_json::from_str(include_str!("recorded/three-stacks.json")).expect("JSON");
    let part = |name: &str| all[name].clone();
    Lists { services: part("services"), networks: part("networks"), configs: part("configs"), nodes: part("nodes") }
}

#[test]
fn a_stack_is_a_compose_file() {
    let all = stacks(&recorded());
    let names: Vec<&str> = all.iter().map(|stack| stack.name.as_str()).collect();
    assert_eq!(names, ["desk", "desk-oak", "shop"]);
    let desk = &all[0];
    let wanted = json!({
        "services": {
            "db": {
                "image": "localhost/escadre-test/base:v1",
                "environment": { "POSTGRES_PASSWORD_FILE": "/run/secrets/db_password" },
                "volumes": [{ "type": "volume", "target": "/data", "source": "data" }],
                "secrets": [{ "source": "db_password", "target": "db_password" }],
                "networks": { "back": null },
                // The Swarm starts it again, though nobody wrote so; an engine would not.
                "deploy": { "restart_policy": { "condition": "any" } }
            },
            "web": {
                "image": "localhost/escadre-test/base:v1",
                "environment": { "API_TOKEN": "tok-plain-77", "DOMAIN": "help.acme.example" },
                "healthcheck": {
                    "test": ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/"], "interval": "2s", "retries": 3
                },
                "configs": [{ "source": "settings", "target": "/etc/desk.toml" }],
                "secrets": [{ "source": "db_password", "target": "db_password" }],
                "networks": { "back": null, "front": null },
                "ports": [{ "target": 8080, "published": "19081", "protocol": "tcp" }],
                "deploy": {
                    "labels": { "traefik.enable": "true" },
                    "update_config": { "parallelism": 1, "delay": "5s", "failure_action": "rollback", "order": "start-first" },
                    "restart_policy": { "condition": "any" },
                    "resources": { "limits": { "cpus": "0.5", "memory": "64M" } }
                }
            }
        },
        "networks": { "back": {}, "front": {} },
        "volumes": { "data": {} },
        "configs": { "settings": { "file": "./configs/settings" } },
        "secrets": { "db_password": { "file": "./secrets/db_password" } }
    });
    let got = &desk.compose;
    assert_eq!(*got, wanted, "{}", serde_json::to_string_pretty(got).unwrap_or_default());
    assert_eq!(desk.volumes["data"], "desk_data");
    assert_eq!(desk.configs["settings"], "YSA9IDEK");
    assert_eq!(all[1].volumes["data"], "desk-oak_data");
}

#[test]
fn what_means_nothing_on_one_host_is_told() {
    let all = stacks(&recorded());
    let told = |at: usize| all[at].otherwise.join("\n");
    for (at, part) in [
        (0, "web: placement node.role == manager is left out"),
        (0, "network front is an overlay"),
        (0, "port 19081 was published in mode host"),
        (2, "agent ran in mode global"),
        (2, "front: rollback_config is left out"),
        (2, "front: endpoint mode dnsrr"),
        (2, "front: placement"),
    ] {
        assert!(told(at).contains(part), "{part}\n{}", told(at));
    }
    // A dollar sign in a value is none of Compose's.
    assert_eq!(all[2].compose["services"]["front"]["environment"]["PRICE"], "5$$");
    assert!(all[2].compose.get("networks").is_none(), "the default network is Compose's own");
}

#[test]
fn any_answer_gives_stacks_or_none() {
    for odd in [
        json!(null),
        json!({}),
        json!([1, {}, { "Spec": { "Name": "x", "Mode": 3, "TaskTemplate": [] } }]),
        json!([{ "Spec": { "Labels": { STACK: "s" } } }]),
    ] {
        stacks(&Lists { services: odd.clone(), networks: odd.clone(), configs: odd.clone(), nodes: odd });
    }
    let lone = json!([{ "Spec": { "Name": "web", "TaskTemplate": { "ContainerSpec": { "Image": "a:1@sha256:00" } }, "Mode": { "Replicated": { "Replicas": 3 } } } }]);
    let all = stacks(&Lists { services: lone, ..Lists::default() });
    assert_eq!((all.len(), all[0].name.as_str()), (1, "web"));
    assert_eq!(
        all[0].compose["services"]["web"],
        json!({ "image": "a:1", "deploy": { "replicas": 3, "restart_policy": { "condition": "any" } } })
    );
}
