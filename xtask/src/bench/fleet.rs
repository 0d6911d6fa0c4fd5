//! A fleet of any size, written to a folder: one product of twenty services (or five small ones for a real engine), many instances.
//!
//! In: a folder, how many instances, which product. Out: fleet.yaml, a product, instances.
//! **Invariant:** the same numbers give the same bytes; every instance differs in two values, as customers do.
//! Not here: reading it (`escadre_model`), timing (`plan`, `engine`).
//! Tests: every benchmark reads it back without a finding.

use anyhow::{Context, Result};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Which product the instances are of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// Twenty services with health checks, volumes, configs, networks and an anchor: for reading and planning.
    Desk,
    /// Five services on one small static image: for a real engine.
    Small,
}

/// The engine's socket.
pub(crate) const SOCKET: &str = "/run/podman/podman.sock";
/// The name of every fleet here; what carries it on the engine is ours to remove.
pub(crate) const FLEET: &str = "escadrebench";

/// Writes a fleet, whose target is the engine behind this socket.
pub(crate) fn write(folder: &Path, instances: usize, product: Product, image: &str, socket: &str) -> Result<()> {
    head(folder, socket)?;
    let (name, compose, endpoints) = match product {
        Product::Desk => {
            ("desk", desk(image), "endpoints:\n  portal: { service: svc-00, port: 80, hosts: [\"${DOMAIN}\"] }\n")
        }
        Product::Small => {
            ("small", small(image), "endpoints:\n  portal: { service: web, port: 8080, hosts: [\"${DOMAIN}\"] }\n")
        }
    };
    put(
        &folder.join(format!("products/{name}/product.yaml")),
        &format!(
            "product: {name}\nparameters:\n  DOMAIN: {{ type: hostname, required: true }}\n  SEATS: {{ type: integer, default: 50, min: 1, max: 5000 }}\n  LOG_LEVEL: {{ type: choice, choices: [debug, info], default: info }}\n{endpoints}"
        ),
    )?;
    put(&folder.join(format!("products/{name}/compose.yaml")), &compose)?;
    put(&folder.join(format!("products/{name}/files/desk.toml")), "session_timeout = 30\n")?;
    for index in 0..instances {
        put(
            &folder.join(format!("instances/tenant-{index:05}.yaml")),
            &format!(
                "instance: tenant-{index:05}\nproduct: {name}\nenvironment: production\nvalues: {{ DOMAIN: tenant-{index:05}.example, SEATS: {} }}\n",
                10 + index % 90
            ),
        )?;
    }
    Ok(())
}

/// Writes fleet.yaml alone: the same fleet behind another socket.
pub(crate) fn head(folder: &Path, socket: &str) -> Result<()> {
    put(
        &folder.join("fleet.yaml"),
        &format!(
            "fleet: {FLEET}\nid: 0b5e55ed\nenvironments:\n  integration: {{}}\n  production: {{ values: {{ LOG_LEVEL: info }} }}\ntargets:\n  host-1: {{ podman: \"unix://{socket}\", edge: {{ http: 18980, https: 18943 }}, pool: 10.180.0.0/16 }}\ndefaults: {{ target: host-1 }}\n"
        ),
    )
}

/// The same size of tenant as people have it for kustomize: a base of twenty deployments and services, a folder for each tenant.
pub(crate) fn write_kustomize(folder: &Path, tenants: usize) -> Result<()> {
    let mut objects = String::new();
    for index in 0..20 {
        // Writing to a String cannot fail.
        let _ = write!(
            objects,
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: svc-{index:02} }}\nspec:\n  replicas: 1\n  selector: {{ matchLabels: {{ app: svc-{index:02} }} }}\n  template:\n    metadata: {{ labels: {{ app: svc-{index:02} }} }}\n    spec:\n      containers:\n        - name: main\n          image: registry.example.org/desk/all:4.2.0\n          args: [serve, --name, svc-{index:02}]\n          env: [{{ name: ROLE, value: role-{index:02} }}]\n          envFrom: [{{ configMapRef: {{ name: tenant, optional: true }} }}]\n          resources: {{ limits: {{ cpu: 500m, memory: 256Mi }} }}\n          readinessProbe: {{ httpGet: {{ path: /healthz, port: 80 }} }}\n---\napiVersion: v1\nkind: Service\nmetadata: {{ name: svc-{index:02} }}\nspec:\n  selector: {{ app: svc-{index:02} }}\n  ports: [{{ port: 80 }}]\n---\n"
        );
    }
    put(&folder.join("base/objects.yaml"), &objects)?;
    put(&folder.join("base/kustomization.yaml"), "resources: [objects.yaml]\n")?;
    for index in 0..tenants {
        put(
            &folder.join(format!("tenant-{index:05}/kustomization.yaml")),
            &format!(
                "namespace: tenant-{index:05}\nresources: [../base]\nlabels: [{{ pairs: {{ tenant: tenant-{index:05} }} }}]\nimages: [{{ name: registry.example.org/desk/all, newTag: 4.3.0 }}]\npatches:\n  - target: {{ kind: Deployment, name: svc-00 }}\n    patch: |-\n      - {{ op: add, path: /spec/template/spec/containers/0/env/-, value: {{ name: DOMAIN, value: tenant-{index:05}.example }} }}\n"
            ),
        )?;
    }
    Ok(())
}

/// The compose file of the large product; also what the reference loader reads.
fn desk(image: &str) -> String {
    let mut text = format!(
        "x-common: &common\n  image: {image}\n  restart: unless-stopped\n  environment: &environment\n    DOMAIN: ${{DOMAIN}}\n    SEATS: ${{SEATS:-50}}\n    LOG_LEVEL: ${{LOG_LEVEL:-info}}\n    MAIL_FROM: no-reply@${{DOMAIN}}\n  logging:\n    driver: json-file\n    options: {{ max-size: 10m }}\n  deploy:\n    resources:\n      limits: {{ cpus: \"0.5\", memory: 256M }}\nservices:\n"
    );
    for index in 0..20 {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "  svc-{index:02}:\n    <<: *common\n    command: [\"serve\", \"--name\", \"svc-{index:02}\"]\n    environment:\n      <<: *environment\n      ROLE: role-{index:02}\n    expose: [\"80\"]\n    networks: [{}]\n    healthcheck:\n      test: [\"CMD\", \"/check\", \"http://127.0.0.1/healthz\"]\n      interval: 5s\n      timeout: 2s\n      retries: 3\n      start_period: 10s\n    configs:\n      - source: desk\n        target: /etc/desk/desk.toml\n",
            if index % 2 == 0 { "front, back" } else { "back" },
        );
        if index > 0 {
            let _ =
                write!(text, "    depends_on:\n      svc-{:02}: {{ condition: service_healthy }}\n", (index - 1) / 2);
        }
        if index % 5 == 4 {
            let _ = writeln!(text, "    volumes: [\"data-{index:02}:/var/lib/data\"]");
        }
    }
    text.push_str("networks: { front: {}, back: {} }\nvolumes: { data-04: {}, data-09: {}, data-14: {}, data-19: {} }\nconfigs: { desk: { file: files/desk.toml } }\n");
    text
}

/// Five services that start fast, on an image with a shell and an HTTP server.
pub(crate) fn small(image: &str) -> String {
    let mut text = String::from("services:\n");
    for name in ["db", "cache", "api", "worker", "web"] {
        let _ = write!(
            text,
            "  {name}:\n    image: {image}\n    command: [\"/bin/busybox\", \"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/\"]\n    environment: {{ DOMAIN: \"${{DOMAIN}}\", SEATS: \"${{SEATS}}\" }}\n    expose: [\"8080\"]\n    stop_grace_period: 1s\n"
        );
    }
    text
}

/// Writes a file, and the folders it is in.
pub(crate) fn put(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
