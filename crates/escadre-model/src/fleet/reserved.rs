//! Words that are reserved: known, documented, and refused with one sentence until they are built.
//!
//! In: a mapping. Out: a finding for each reserved word in it.
//! **Invariant:** no hint recommends a reserved word: it becomes known to `Fields` only where somebody wrote it.
//! Not here: words that work.
//! Tests: `tests.rs`.

use crate::diagnostic::{Code, Diagnostic};
use crate::text::{Fields, Node};

/// A word, and what it will say once it is built.
pub(super) struct Word {
    /// The key as written.
    pub(super) key: &'static str,
    /// What it is for.
    pub(super) means: &'static str,
}

macro_rules! words {
    ($(#[doc = $doc:literal] $list:ident: $($key:literal => $means:literal;)*)*) => {$(
        #[doc = $doc]
        pub(super) const $list: &[Word] = &[$(Word { key: $key, means: $means }),*];
    )*};
}

words! {
    #[doc = "In an environment of fleet.yaml."]
    ENVIRONMENT:
        "windows" => "when changes may reach this environment";
    #[doc = "In a target of fleet.yaml."]
    TARGET:
        "ssh" => "an engine on another host";
        "kubernetes" => "a cluster";
    #[doc = "In product.yaml."]
    PRODUCT:
        "kubernetes" => "a product made of Kubernetes manifests";
        "kustomize" => "a product made of a Kustomize base";
        "helm" => "a product made of a Helm chart";
        "from" => "a product in another repository at a pinned commit";
        "offers" => "what an instance lends to others";
        "uses" => "what an instance borrows from another";
        "rollout" => "waves in which a change reaches the fleet";
        "external" => "a service that runs elsewhere";
        "release" => "a frozen version of the product";
    #[doc = "In a secret of product.yaml."]
    SECRET:
        "rotate" => "how a secret is changed in a running service";
    #[doc = "In an instance."]
    INSTANCE:
        "release" => "a frozen version of the product for this instance";
        "from" => "an instance in another repository at a pinned commit";
        "offers" => "what this instance lends to others";
        "uses" => "what this instance borrows from another";
        "rollout" => "waves in which a change reaches the fleet";
        "windows" => "when changes may reach this instance";
        "external" => "a service that runs elsewhere";
    #[doc = "In a zone."]
    ZONE:
        "policy" => "what instances of this zone may ask of the engine";
        "network" => "the addresses and connections of this zone";
        "quota" => "how much instances of this zone may use";
        "budget" => "how much instances of this zone may cost";
        "access" => "who may see and change instances of this zone";
        "windows" => "when changes may reach this zone";
}

/// Refuses the reserved words that are written in this mapping.
pub(super) fn refuse(fields: &mut Fields<'_, '_>, node: &Node, words: &'static [Word]) {
    let Some(mapping) = node.as_mapping() else { return };
    for word in words {
        let Some(key) = mapping.key(word.key) else { continue };
        let path = fields.path_of(word.key);
        fields.ignore(word.key);
        let finding = not_built(&format!("`{}:`", word.key), word.means).at(&key.span).path(path);
        fields.findings().push(finding);
    }
}

/// The one sentence.
pub(super) fn not_built(what: &str, means: &str) -> Diagnostic {
    Diagnostic::error(Code::E0510, format!("{what} is reserved and not built yet ({means})"))
        .hint("leave it out for now")
}
