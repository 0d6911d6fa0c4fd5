//! The text of product.yaml.
//!
//! In: parameters, secrets, sizes, grants. Out: text for people, with a sentence where one helps.
//! **Invariant:** it is read again as what was given.
//! Not here: which parameters (`literals`, `escadre_render::import`).
//! Tests: `propose/tests.rs`.

use crate::fleet::write::quote;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A parameter to be declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its type's word.
    pub kind: &'static str,
    /// The value where an instance gives none.
    pub default: Option<String>,
    /// Every instance must give it.
    pub required: bool,
}

/// What the services of a size get: service → (processors, memory).
pub type Size = BTreeMap<String, (Option<String>, Option<String>)>;

/// A product to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub name: String,
    /// Parameters by name.
    pub parameters: BTreeMap<String, Parameter>,
    /// Secrets by name: does it go into the environment?
    pub secrets: BTreeMap<String, bool>,
    /// Sizes by name.
    pub sizes: BTreeMap<String, Size>,
    /// Folders of the host that services may bind.
    pub binds: Vec<String>,
}

impl Product {
    /// The text.
    pub fn text(&self) -> String {
        // Writing to a String cannot fail; so below.
        let mut text = format!("product: {}\n# title: for people\n", self.name);
        if !self.parameters.is_empty() {
            text.push_str("parameters:                       # a parameter is the Compose variable of its name\n");
        }
        for (name, one) in &self.parameters {
            let default = one.default.as_ref().map(|default| format!(", default: {}", quote(default)));
            let required = if one.required { ", required: true" } else { "" };
            let _ =
                writeln!(text, "  {}: {{ type: {}{}{required} }}", quote(name), one.kind, default.unwrap_or_default());
        }
        if self.secrets.is_empty() {
            text.push_str(
                "# secrets:\n#   db_password: { generate: password, length: 32 }     # a file under /run/secrets\n",
            );
        } else {
            text.push_str("secrets:                          # encrypted, for each instance or for all of them\n");
        }
        for (name, environment) in &self.secrets {
            let rule = if *environment { "{ as: environment }" } else { "{}" };
            let help = if *environment {
                "      # the variable of its name; a file under /run/secrets would be seen by fewer"
            } else {
                "      # { generate: password, length: 32 } makes one for each new instance"
            };
            let _ = writeln!(text, "  {}: {rule}{help}", quote(name));
        }
        self.tables(&mut text);
        text.push_str("# endpoints:\n#   portal: { service: web, port: 80, hosts: [\"${DOMAIN}\"] }\n");
        text
    }

    fn tables(&self, text: &mut String) {
        if self.sizes.is_empty() {
            text.push_str("# sizes:\n#   small: { web: { cpus: 0.5, memory: 256M } }\n");
        } else {
            text.push_str("sizes:                            # what services get; a size beats the Compose file\n");
        }
        for (name, services) in &self.sizes {
            let one = |(service, (cpus, memory)): (&String, &(Option<String>, Option<String>))| {
                let cpus = cpus.as_ref().map(|cpus| format!("cpus: {}", quote(cpus)));
                let memory = memory.as_ref().map(|memory| format!("memory: {}", quote(memory)));
                let both: Vec<String> = cpus.into_iter().chain(memory).collect();
                format!("{}: {{ {} }}", quote(service), both.join(", "))
            };
            let services: Vec<String> = services.iter().map(one).collect();
            let _ = writeln!(text, "  {name}: {{ {} }}", services.join(", "));
        }
        if !self.binds.is_empty() {
            let binds: Vec<String> = self.binds.iter().map(|bind| quote(bind)).collect();
            let _ = writeln!(
                text,
                "grants: {{ binds: [{}] }}      # folders of the host that services see",
                binds.join(", ")
            );
        }
    }
}

/// The type that a parameter of this name and these values most likely has.
pub fn type_of(name: &str, values: &[&str]) -> &'static str {
    let name = name.to_ascii_uppercase();
    let all = |fits: &dyn Fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| fits(value));
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if all(&|value| matches!(value, "true" | "false")) {
        return "boolean";
    }
    if all(&|value| value.parse::<i64>().is_ok_and(|number| number.to_string() == value)) {
        return "integer";
    }
    if all(&|value| is_url(value)) {
        return "url";
    }
    if has(&["MAIL"]) && all(&is_address) {
        return "email";
    }
    if has(&["DOMAIN", "HOST", "FQDN", "SITE"]) && all(&is_host) {
        return "hostname";
    }
    "string"
}

fn is_url(value: &str) -> bool {
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    rest.is_some_and(|rest| is_host(rest.split(['/', ':', '?', '#']).next().unwrap_or_default()))
}

fn is_address(value: &str) -> bool {
    value.split_once('@').is_some_and(|(who, host)| {
        !who.is_empty() && who.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b)) && is_host(host)
    })
}

/// A host name of at least two labels.
pub(super) fn is_host(value: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    value.contains('.')
        && value.split('.').all(label)
        && value.parse::<std::net::IpAddr>().is_err()
        && value.rsplit('.').next().is_some_and(|last| last.bytes().any(|b| b.is_ascii_lowercase()))
}
