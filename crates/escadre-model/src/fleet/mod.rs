//! The fleet: what people write in a repository, read whole.
//!
//! In: a `Tree`. Out: a [`Fleet`] in which every value knows where it was written, and every finding of every file at once.
//! **Invariant:** one bad instance never hides the others: it is kept by name in [`Fleet::broken`], so that nobody takes it for gone.
//! Not here: Compose files (`compose`), values put together (`resolve`), decryption (`escadre_drivers::age`).
//! Tests: `tests.rs`, `tests/cases/fleet-*.case`.

mod check;
mod edge;
mod endpoint;
mod folder;
mod head;
mod instance;
mod parameter;
mod product;
mod reserved;
mod scalar;
mod schema;
mod secrets_file;
mod size;
#[cfg(test)]
mod tests;
mod version;
pub mod write;
mod zone;

pub use edge::{AcmeSetting, EdgeSettings, LETS_ENCRYPT};
pub use endpoint::{Endpoint, Tls, TlsBy};
pub use head::{Environment, Registry, Target, TargetKind};
pub use instance::Instance;
pub use parameter::{Parameter, ParameterType};
pub use product::{COMPOSE_FILES, Generate, Product, SecretDeclaration, usual_certificate};
pub use scalar::{bytes, milliseconds};
pub use schema::schema;
pub use secrets_file::{ARMOUR_BEGIN, ARMOUR_END, Scope, SecretsFile, Stored};
pub use size::{Resources, Size};
pub use zone::Zone;

pub(crate) use check::outside;
pub(crate) use folder::{folder_of, join, refused};

use crate::diagnostic::{Code, Diagnostic, Span, Spanned};
use crate::name::Name;
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The file that makes a repository a fleet.
pub const FILE: &str = "fleet.yaml";

/// The key that hashes secrets, encrypted to the recipients, beside [`FILE`].
pub const HASH_KEY_FILE: &str = "fleet.age";

/// The version of Escadre that `requires:` is compared with.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A fleet as its files say.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// Its name.
    pub name: Spanned<Name>,
    /// `id:`, written by `new fleet`: two fleets of one name are told apart by it.
    pub id: Option<Spanned<Arc<str>>>,
    /// Environments in promotion order.
    pub environments: Vec<Arc<Environment>>,
    /// Targets by name.
    pub targets: BTreeMap<Name, Arc<Target>>,
    /// The target of instances that name none.
    pub default_target: Option<Spanned<Name>>,
    /// The zone of instances that name none.
    pub default_zone: Option<Spanned<Name>>,
    /// Registries by host.
    pub registries: BTreeMap<Arc<str>, Registry>,
    /// Who can read the secrets: name → age recipient or SSH public key.
    pub recipients: BTreeMap<Name, Spanned<Arc<str>>>,
    /// Products by name.
    pub products: BTreeMap<Name, Arc<Product>>,
    /// Instances by name, broken ones included as far as they could be read.
    pub instances: BTreeMap<Name, Arc<Instance>>,
    /// Zones by name.
    pub zones: BTreeMap<Name, Arc<Zone>>,
    /// `fleet.secrets.yaml`.
    pub secrets: Option<Arc<SecretsFile>>,
    /// Instances with errors, and names of instance files that could not be read at all. None of them may be planned, none is gone.
    pub broken: BTreeSet<Arc<str>>,
    /// A part of the fleet could not be listed or read, so that what is missing here may well exist.
    pub incomplete: bool,
}

impl Fleet {
    /// The environment of that name.
    pub fn environment(&self, name: &str) -> Option<&Arc<Environment>> {
        self.environments.iter().find(|environment| environment.name.value.as_str() == name)
    }

    /// The instance of that name.
    pub fn instance(&self, name: &str) -> Option<&Arc<Instance>> {
        self.instances.get(&Name::new(name).ok()?)
    }

    /// The product of an instance.
    pub fn product_of(&self, instance: &Instance) -> Option<&Arc<Product>> {
        self.products.get(&instance.product.value)
    }

    /// The zone of an instance: its own, else the default.
    pub fn zone_of(&self, instance: &Instance) -> Option<&Arc<Zone>> {
        let name = instance.zone.as_ref().or(self.default_zone.as_ref())?;
        self.zones.get(&name.value)
    }

    /// The target of an instance: its own, else its zone's, else the default, else the only one there is.
    pub fn target_of(&self, instance: &Instance) -> Option<&Arc<Target>> {
        let zone = self.zone_of(instance).and_then(|zone| zone.target.as_ref());
        match instance.target.as_ref().or(zone).or(self.default_target.as_ref()) {
            Some(name) => self.targets.get(&name.value),
            None if self.targets.len() == 1 => self.targets.values().next(),
            None => None,
        }
    }

    /// Where the value of a secret stands for an instance: its own file beats its environment's, which beats the fleet's.
    pub fn secret(&self, instance: &Instance, name: &str) -> Option<Stored<'_>> {
        let instance = self.instances.get(&instance.name.value)?;
        let environment = self.environment(instance.environment.value.as_str());
        let own = instance.secrets.as_deref();
        let shared = environment.and_then(|environment| environment.secrets.as_deref());
        [own, shared, self.secrets.as_deref()].into_iter().flatten().find_map(|file| file.stored(name))
    }

    /// The value of a secret of the whole fleet, such as a registry's password.
    pub fn fleet_secret(&self, name: &str) -> Option<Stored<'_>> {
        self.secrets.as_deref()?.stored(name)
    }

    /// Every encrypted value of the fleet, for `rekey` and `secret who`.
    pub fn stored(&self) -> impl Iterator<Item = Stored<'_>> {
        let environments = self.environments.iter().filter_map(|environment| environment.secrets.as_deref());
        let instances = self.instances.values().filter_map(|instance| instance.secrets.as_deref());
        self.secrets.as_deref().into_iter().chain(environments).chain(instances).flat_map(SecretsFile::all)
    }
}

/// Reads a fleet. `None`: there is no fleet.yaml that could be read as one, and a finding says why. Broken instances are findings, not the end.
pub fn read(tree: &dyn Tree) -> (Option<Fleet>, Vec<Diagnostic>) {
    let mut reader = folder::Reader::new(tree);
    let Some(head) = head::read(&mut reader) else {
        let findings = reader.finish();
        if findings.is_empty() {
            let none = Diagnostic::error(Code::E0520, "there is no fleet.yaml here");
            return (None, vec![none.at(&Span::whole(&FILE.into())).hint("escadre new fleet")]);
        }
        return (None, findings);
    };
    let (products, unread_products) = product::read_all(&mut reader);
    let zones = zone::read_all(&mut reader);
    let found = instance::read_all(&mut reader);
    // Without a name the rest is read all the same, so that everything wrong is found at once.
    let nameless = head.name.is_none();
    let Some(name) = head.name.or_else(|| Some(Spanned::new(Name::new("nameless").ok()?, Span::whole(&FILE.into()))))
    else {
        return (None, reader.finish());
    };
    let mut fleet = Fleet {
        name,
        id: head.id,
        environments: head.environments,
        targets: head.targets,
        default_target: head.default_target,
        default_zone: head.default_zone,
        registries: head.registries,
        recipients: head.recipients,
        products,
        instances: found.instances,
        zones,
        secrets: head.secrets,
        broken: found.unreadable,
        incomplete: reader.incomplete(),
    };
    let context = check::Context { foreign_secrets: head.foreign_secrets, unread_products };
    let findings = check::check(&mut fleet, reader.finish(), &context);
    ((!nameless).then_some(fleet), findings)
}
