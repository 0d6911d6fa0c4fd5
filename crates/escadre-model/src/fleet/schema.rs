//! JSON Schemas of our files, for editors: every word with what it means.
//!
//! In: nothing. Out: one schema (draft 2020-12) for each kind of file.
//! **Invariant:** a key that the reader knows is in the schema and the other way round; unknown keys are false.
//! Not here: the checks that need several files.
//! Tests: `tests/it/schema.rs`.

use super::parameter::ParameterType;
use super::reserved::{self, Word};
use serde_json::{Map, Value, json};

const NAME: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$";

/// All schemas: the file's kind (`fleet`, `product`, `instance`, `zone`, `channels`) and its schema.
pub fn schema() -> Vec<(&'static str, Value)> {
    vec![
        ("fleet", document("fleet", "fleet.yaml: who the fleet is", fleet())),
        ("product", document("product", "products/NAME/product.yaml: what instances are instances of", product())),
        ("instance", document("instance", "instances/NAME.yaml: one instance", instance())),
        ("zone", document("zone", "zones/NAME.yaml: what instances of one kind of place have in common", zone())),
        (
            "channels",
            document(
                "channels",
                "products/NAME/channels.yaml: which release an environment runs",
                json!({"type": "object", "additionalProperties": {"enum": ["tree"], "description": "what the files say; releases are reserved"}}),
            ),
        ),
    ]
}

fn document(kind: &str, title: &str, schema: Value) -> Value {
    let mut all = Map::new();
    all.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    all.insert("$id".to_owned(), json!(format!("https://escadre.dev/schema/{kind}.json")));
    all.insert("title".to_owned(), json!(title));
    if let Value::Object(schema) = schema {
        all.extend(schema);
    }
    Value::Object(all)
}

/// A mapping with exactly these keys; a key that ends with `!` must be there. Reserved words are known, and refused.
fn mapping<const N: usize>(keys: [(&str, Value); N], reserved: &[Word]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, schema) in keys {
        let name = key.strip_suffix('!').unwrap_or(key);
        if name != key {
            required.push(json!(name));
        }
        properties.insert(name.to_owned(), schema);
    }
    for word in reserved {
        let about = format!("Reserved and not built yet: {}.", word.means);
        properties.insert(word.key.to_owned(), json!({"not": {}, "description": about}));
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if let (false, Value::Object(map)) = (required.is_empty(), &mut schema) {
        map.insert("required".to_owned(), Value::Array(required));
    }
    schema
}

/// Keys that people choose.
fn named(about: &str, of: Value) -> Value {
    json!({"type": ["object", "null"], "description": about, "additionalProperties": of})
}

fn scalar(about: &str) -> Value {
    json!({"type": ["string", "number", "boolean"], "description": about})
}

fn name(about: &str) -> Value {
    json!({"type": ["string", "number", "boolean"], "pattern": NAME, "description": about})
}

fn words(about: &str, of: &[&str]) -> Value {
    json!({"enum": of, "description": about})
}

fn texts(about: &str) -> Value {
    json!({"description": about, "anyOf": [scalar(""), {"type": "array", "items": scalar("")}]})
}

fn flag(about: &str) -> Value {
    json!({"type": "boolean", "description": about})
}

fn port(about: &str) -> Value {
    json!({"type": ["integer", "string"], "minimum": 1, "maximum": 65535, "description": about})
}

fn nullable(mut schema: Value) -> Value {
    if let Value::Object(map) = &mut schema {
        map.insert("type".to_owned(), json!(["object", "null"]));
    }
    schema
}

fn values() -> Value {
    named("Values of parameters: the Compose variables of their names.", scalar("A value, taken as written."))
}

fn labels() -> Value {
    named("Labels, for --where and for people.", scalar("A label."))
}

fn fleet() -> Value {
    let require = || words("commit: a work tree that differs from its commit is refused here.", &["commit"]);
    let environment = nullable(mapping([("values", values()), ("require", require())], reserved::ENVIRONMENT));
    let edge = edge();
    let target = mapping(
        [
            ("podman", scalar("Podman's socket: unix:///run/podman/podman.sock")),
            ("docker", scalar("Docker's socket: unix:///var/run/docker.sock")),
            ("edge", edge),
            ("pool", scalar("The addresses that networks are cut from: 10.210.0.0/16")),
            ("require", require()),
        ],
        reserved::TARGET,
    );
    let registry = mapping(
        [("user", scalar("The user.")), ("password", scalar("The name of the fleet secret with the password."))],
        &[],
    );
    mapping(
        [
            ("fleet!", name("The fleet's name.")),
            ("id", scalar("Written by `escadre new fleet`; two fleets of one name are told apart by it.")),
            ("requires", scalar("Versions of Escadre that may work here: \">=0.1, <0.2\".")),
            ("environments!", named("Environments, in the order in which changes travel.", environment)),
            ("targets", named("Where instances run.", target)),
            (
                "defaults",
                mapping(
                    [
                        ("target", name("For instances that name none.")),
                        ("zone", name("For instances that name none.")),
                    ],
                    &[],
                ),
            ),
            ("registries", named("How to log in to registries, by host.", registry)),
            (
                "recipients",
                named("Who can read the secrets: age recipients or ssh-ed25519 public keys.", scalar("A key.")),
            ),
        ],
        &[],
    )
}

/// Where the certificates of an endpoint come from: a word, or a mapping with more.
fn tls() -> Value {
    let about = "Where its certificates come from. Nothing: the local authority for private names (localhost, test, internal, …), a public one for the others; an instance with a secret ENDPOINT.tls brings its own.";
    // YAML 1.1 editors read a bare off as false.
    let word = json!({"enum": ["acme", "local", "off", false]});
    let more = mapping(
        [
            ("by", words("Where it comes from, as the word alone says it.", &["acme", "local", "off"])),
            ("secret", scalar("The secret with the certificate, its chain and its key (PEM).")),
            ("key", scalar("The secret with the key, where that is another one.")),
            ("http", words("What http:// gets where a certificate works.", &["redirect", "serve"])),
            ("hsts", scalar("For how long browsers shall remember to use https only: 180d")),
        ],
        &[],
    );
    json!({"description": about, "anyOf": [word, more]})
}

/// The edge of a target.
fn edge() -> Value {
    let acme = mapping(
        [
            ("directory", scalar("The authority's directory; Let's Encrypt's when absent.")),
            ("email", scalar("Whom the authority may write to.")),
            ("ca", scalar("A file of the repository with certificates that the authority's own server is judged by.")),
        ],
        &[],
    );
    let off = || json!({"enum": ["off", false]});
    let acme = json!({"description": "Who certifies public names (ACME, HTTP-01). Using an authority means accepting its terms.", "anyOf": [off(), acme]});
    let log = json!({"description": "A line of JSON for each request, in files of this size altogether: 256M; off when absent.", "anyOf": [off(), scalar("")]});
    mapping(
        [
            ("http", port("Where HTTP is answered.")),
            ("https", port("Where HTTPS is answered.")),
            ("acme", acme),
            (
                "trusted_proxies",
                texts("Networks of proxies in front, whose X-Forwarded-For, -Proto, -Host and -Port are believed."),
            ),
            (
                "client_connections",
                scalar(
                    "Connections that one client may have at once: 2500 when absent; trusted proxies are not counted.",
                ),
            ),
            ("access_log", log),
        ],
        &[],
    )
}

fn product() -> Value {
    let types: Vec<&str> = ParameterType::ALL.iter().map(|(word, _)| *word).collect();
    let parameter = nullable(mapping(
        [
            ("type", words("What its values must be; string when absent.", &types)),
            ("default", scalar("The value where nobody gives one.")),
            ("required", flag("Every instance must have a value.")),
            ("help", scalar("What it is for.")),
            ("min", scalar("The least value.")),
            ("max", scalar("The greatest value.")),
            ("choices", texts("The values of a choice.")),
        ],
        &[],
    ));
    let secret = nullable(mapping(
        [
            ("generate", words("How `new instance` makes one; absent: people set it.", &["password", "hex"])),
            (
                "length",
                json!({"type": ["integer", "string"], "minimum": 8, "maximum": 1024, "description": "How many characters; 32 when absent."}),
            ),
            ("alphabet", scalar("From which characters.")),
            ("as", words("Where it goes: a file under /run/secrets, or the environment.", &["file", "environment"])),
            ("help", scalar("What it is for.")),
        ],
        reserved::SECRET,
    ));
    let endpoint = mapping(
        [
            ("service!", scalar("The service that answers.")),
            ("port!", port("Its port in the container.")),
            ("hosts!", texts("Host names; variables are filled in.")),
            ("redirect", texts("Host names that are redirected to the first of hosts.")),
            ("path", scalar("The path prefix; / when absent.")),
            ("body", scalar("The largest request body: 200M")),
            ("timeout", scalar("The longest wait for an answer: 60s")),
            ("tls", tls()),
        ],
        &[],
    );
    let resources = mapping([("cpus", scalar("Processors: 0.5")), ("memory", scalar("Memory: 256M"))], &[]);
    let volume = mapping([("shared", flag("Two generations of a service may write it at once."))], &[]);
    mapping(
        [
            ("product!", name("The product's name, as its folder is called.")),
            ("title", scalar("For people.")),
            ("parameters", named("A parameter is the Compose variable of its name.", parameter)),
            ("secrets", named("A secret fills the Compose secret of its name.", secret)),
            ("endpoints", named("Under which names services are reached.", endpoint)),
            ("sizes", named("How much each service gets.", named("Services.", resources))),
            ("volumes", named("What Compose cannot say about volumes.", volume)),
            (
                "acknowledge",
                texts(
                    "Verdicts on Compose attributes that are known and accepted: codes such as C0102, or paths such as services.*.logging.",
                ),
            ),
            ("grants", mapping([("binds", texts("Absolute paths of the host that services may bind."))], &[])),
        ],
        reserved::PRODUCT,
    )
}

fn instance() -> Value {
    mapping(
        [
            ("instance!", name("Its name, as its file or folder is called.")),
            ("product!", name("Its product.")),
            ("environment!", name("Its environment.")),
            ("zone", name("Its zone; else the fleet's default.")),
            ("target", name("Where it runs; else its zone's, else the fleet's default.")),
            ("size", name("One of the product's sizes.")),
            ("values", values()),
            ("labels", labels()),
            ("profiles", texts("Compose profiles that only some customers have.")),
            ("override", scalar("A Compose override beside this file.")),
            ("state", words("Whether it shall run; removed is the tombstone.", &["running", "stopped", "removed"])),
            ("volumes", named("Volumes that have another name on the engine.", scalar("The name on the engine."))),
            (
                "adopt",
                mapping(
                    [
                        (
                            "project",
                            scalar("The Docker Compose project that this instance was: what runs of it is taken over."),
                        ),
                        (
                            "stack",
                            scalar(
                                "The Docker Swarm's stack whose place it takes: the plan says in what it will differ, and waits until the stack is gone.",
                            ),
                        ),
                    ],
                    &[],
                ),
            ),
        ],
        reserved::INSTANCE,
    )
}

fn zone() -> Value {
    mapping(
        [
            ("zone!", name("Its name, as its file is called.")),
            ("title", scalar("For people.")),
            ("labels", labels()),
            ("values", values()),
            ("defaults", mapping([("target", name("For its instances that name none."))], &[])),
        ],
        reserved::ZONE,
    )
}
