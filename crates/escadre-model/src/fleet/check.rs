//! What only the whole fleet shows: references to nothing, missing values, names taken twice.
//!
//! In: a [`Fleet`] whose files have been read. Out: findings; instances with errors are marked as broken.
//! **Invariant:** every check looks at every instance; the cost is linear in their number.
//! Not here: clashes of host names and ports, which are known only after interpolation (`resolve::clashes`).
//! Tests: `tests.rs`.

use super::parameter::{Parameter, ParameterType};
use super::{Fleet, Instance, Product, folder, scalar};
use crate::diagnostic::{Code, Diagnostic, Severity, Span, Spanned, nearest};
use crate::name::Name;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// A file that has no business where it is.
pub(super) fn stray(path: &str, why: &str) -> Diagnostic {
    let message =
        if why.starts_with("is ") { format!("{path} {why}") } else { format!("{path} does not belong here: {why}") };
    Diagnostic::error(Code::E0504, message).at(&Span::whole(&path.into()))
}

/// A secrets file without its instance or environment.
pub(super) fn nobodys_secrets(path: &str) -> Diagnostic {
    let message = format!("{path} belongs to no instance and no environment");
    Diagnostic::warning(Code::W0501, message).at(&Span::whole(&path.into()))
}

/// What the files say beyond the [`Fleet`].
pub(super) struct Context {
    /// Secrets files of no environment.
    pub(super) foreign_secrets: Vec<Arc<str>>,
    /// Products that could not be read: nothing is said about references to them or to their parameters.
    pub(super) unread_products: BTreeSet<Arc<str>>,
}

/// All cross checks. Takes what was found so far and gives everything, in the order of files and lines.
pub(super) fn check(fleet: &mut Fleet, mut findings: Vec<Diagnostic>, context: &Context) -> Vec<Diagnostic> {
    findings.extend(context.foreign_secrets.iter().map(|path| nobodys_secrets(path)));
    head(fleet, &mut findings);
    for product in fleet.products.values() {
        channels(fleet, product, &mut findings);
        overrides(fleet, product, &mut findings);
    }
    shared_values(fleet, context, &mut findings);
    for instance in fleet.instances.values() {
        one(fleet, instance, context, &mut findings);
    }
    taken_over_twice(fleet, &mut findings);
    unused_secrets(fleet, &mut findings);
    mark_broken(fleet, &findings);
    findings.sort_by(|a, b| place(a).cmp(&place(b)));
    findings
}

fn place(finding: &Diagnostic) -> (&str, u32, u32) {
    finding.span().map_or(("", 0, 0), |span| (&span.file, span.start, span.line))
}

/// What exists once can be taken over by one instance only: a Compose project, a volume under its name on the engine.
fn taken_over_twice(fleet: &Fleet, findings: &mut Vec<Diagnostic>) {
    let mut first: BTreeMap<(&str, &str), (&Instance, &Span)> = BTreeMap::new();
    for instance in fleet.instances.values() {
        let project = instance.adopts.iter().map(|(from, name)| (from.thing(), name));
        let volumes = instance.volumes.values().map(|name| ("volume", name));
        for (what, name) in project.chain(volumes) {
            let Some((other, span)) = first.insert((what, &name.value), (instance, &name.span)) else { continue };
            let message =
                format!("{} and {} both take the {what} {} over", other.name.value, instance.name.value, name.value);
            findings.push(
                Diagnostic::error(Code::E0524, message).label(&name.span, "again here").label(span, "first here"),
            );
        }
    }
}

/// A reference to something that must be there.
fn refer<'n>(
    what: &str,
    name: &Spanned<Name>,
    known: impl Iterator<Item = &'n str> + Clone,
    findings: &mut Vec<Diagnostic>,
) {
    if known.clone().any(|known| known == name.value.as_str()) {
        return;
    }
    let finding = Diagnostic::error(Code::E0505, format!("there is no {what} \"{}\"", name.value)).at(&name.span);
    findings.push(suggest(finding, name.value.as_str(), known));
}

/// Adds the nearest name, or the first ones there are.
fn suggest<'n>(finding: Diagnostic, word: &str, known: impl Iterator<Item = &'n str> + Clone) -> Diagnostic {
    if let Some(meant) = nearest(word, known.clone()) {
        return finding.hint(format!("did you mean `{meant}`?"));
    }
    let first: Vec<&str> = known.take(12).collect();
    if first.is_empty() { finding } else { finding.hint(format!("known here: {}", first.join(", "))) }
}

fn head(fleet: &Fleet, findings: &mut Vec<Diagnostic>) {
    let targets = fleet.targets.keys().map(Name::as_str);
    if let Some(target) = &fleet.default_target {
        refer("target", target, targets.clone(), findings);
    }
    if let Some(zone) = &fleet.default_zone {
        refer("zone", zone, fleet.zones.keys().map(Name::as_str), findings);
    }
    for zone in fleet.zones.values() {
        if let Some(target) = &zone.target {
            refer("target", target, targets.clone(), findings);
        }
    }
    for (host, registry) in &fleet.registries {
        if let Some(password) = &registry.password
            && fleet.fleet_secret(&password.value).is_none()
        {
            let message =
                format!("the password of {host} is the fleet secret \"{}\", which has no value", password.value);
            let finding = Diagnostic::warning(Code::W0503, message).at(&password.span);
            findings.push(finding.hint(format!("escadre secret set fleet {}", password.value)));
        }
    }
}

fn channels(fleet: &Fleet, product: &Product, findings: &mut Vec<Diagnostic>) {
    let known = fleet.environments.iter().map(|environment| environment.name.value.as_str());
    for (environment, span) in &product.channels {
        if !known.clone().any(|known| known == &**environment) {
            let message = format!("there is no environment \"{}\"", scalar::shown(environment));
            findings.push(suggest(Diagnostic::error(Code::E0505, message).at(span), environment, known.clone()));
        }
    }
}

/// An override that is called almost like an environment is used by none. Others may be included by the Compose file.
fn overrides(fleet: &Fleet, product: &Product, findings: &mut Vec<Diagnostic>) {
    let known = || fleet.environments.iter().map(|environment| environment.name.value.as_str());
    for (name, path) in &product.overrides {
        if known().all(|known| known != &**name)
            && let Some(meant) = nearest(name, known())
        {
            let message = format!("{path} belongs to no environment");
            let finding = Diagnostic::warning(Code::W0504, message).at(&Span::whole(path));
            findings.push(finding.hint(format!("did you mean compose.{meant}.yaml?")));
        }
    }
}

/// Values of environments and zones serve all products: each must be a parameter of one of them at least, and fit all that have it.
fn shared_values(fleet: &Fleet, context: &Context, findings: &mut Vec<Diagnostic>) {
    let mut known: BTreeMap<&str, Vec<&Arc<Parameter>>> = BTreeMap::new();
    for product in fleet.products.values() {
        for (name, parameter) in &product.parameters {
            known.entry(name).or_default().push(parameter);
        }
    }
    let environments = fleet.environments.iter().flat_map(|environment| &environment.values);
    let zones = fleet.zones.values().flat_map(|zone| &zone.values);
    for (name, value) in environments.chain(zones) {
        match known.get(&**name) {
            Some(parameters) => parameters.iter().for_each(|parameter| check_value(name, parameter, value, findings)),
            None if !context.unread_products.is_empty() => {}
            None => {
                let message = format!("no product has a parameter \"{}\"", scalar::shown(name));
                let finding = Diagnostic::error(Code::E0507, message).at(&value.span);
                findings.push(suggest(finding, name, known.keys().copied()));
            }
        }
    }
}

fn check_value(name: &str, parameter: &Parameter, value: &Spanned<Arc<str>>, findings: &mut Vec<Diagnostic>) {
    if let Err(why) = parameter.check(&value.value) {
        let message = format!("{name} {why}, here is \"{}\"", scalar::shown(&value.value));
        let finding = Diagnostic::error(Code::E0508, message).at(&value.span).label(&parameter.span, "declared here");
        findings.push(match &parameter.help {
            Some(help) => finding.hint(format!("{name}: {help}")),
            None => finding,
        });
    }
}

fn one(fleet: &Fleet, instance: &Instance, context: &Context, findings: &mut Vec<Diagnostic>) {
    if !context.unread_products.contains(instance.product.value.as_str()) {
        refer("product", &instance.product, fleet.products.keys().map(Name::as_str), findings);
    }
    let environments = fleet.environments.iter().map(|environment| environment.name.value.as_str());
    refer("environment", &instance.environment, environments, findings);
    if let Some(zone) = &instance.zone {
        refer("zone", zone, fleet.zones.keys().map(Name::as_str), findings);
    }
    if let Some(target) = &instance.target {
        refer("target", target, fleet.targets.keys().map(Name::as_str), findings);
    } else if fleet.target_of(instance).is_none() && fleet.default_target.is_none() && !fleet.targets.is_empty() {
        let message = format!("\"{}\" names no target, and the fleet has several and no default", instance.name.value);
        let finding = Diagnostic::error(Code::E0505, message).at(&instance.name.span);
        findings.push(finding.hint("write `target:` here, or `defaults: { target: … }` in fleet.yaml"));
    }
    let Some(product) = fleet.product_of(instance) else { return };
    if let Some(size) = &instance.size {
        refer("size", size, product.sizes.keys().map(Name::as_str), findings);
    }
    values(fleet, instance, product, findings);
}

fn values(fleet: &Fleet, instance: &Instance, product: &Product, findings: &mut Vec<Diagnostic>) {
    for (name, value) in &instance.values {
        match product.parameter(name) {
            Some(parameter) => {
                check_value(name, parameter, value, findings);
                if parameter.kind == ParameterType::File && folder::join(&instance.folder, &value.value).is_none() {
                    findings.push(outside(name, value));
                }
            }
            None => {
                let message = format!("{} has no parameter \"{}\"", product.name.value, scalar::shown(name));
                let finding = Diagnostic::error(Code::E0507, message).at(&value.span);
                let secret = product.secrets.contains_key(name);
                let known = product.parameters.iter().map(|(name, _)| &**name);
                findings.push(if secret {
                    finding.hint(format!("it is a secret: escadre secret set {} {name}", instance.name.value))
                } else {
                    suggest(finding, name, known)
                });
            }
        }
    }
    let environment = fleet.environment(instance.environment.value.as_str());
    let zone = fleet.zone_of(instance);
    for (name, parameter) in product.parameters.iter().filter(|(_, parameter)| parameter.required) {
        let given = instance.values.contains_key(name)
            || zone.is_some_and(|zone| zone.values.contains_key(name))
            || environment.is_some_and(|environment| environment.values.contains_key(name));
        if !given && instance.state != crate::desired::State::Removed {
            let message = format!("{} needs a value of {name}, and nobody gives one", instance.name.value);
            let finding = Diagnostic::error(Code::E0506, message).at(&instance.name.span);
            let finding = finding.label(&parameter.span, "required here");
            findings.push(match &parameter.help {
                Some(help) => finding.hint(format!("values: {{ {name}: … }}   # {help}")),
                None => finding.hint(format!("values: {{ {name}: … }}")),
            });
        }
    }
}

/// A file parameter that leads out of the repository.
pub(crate) fn outside(name: &str, value: &Spanned<Arc<str>>) -> Diagnostic {
    let message = format!("{name} leads out of the repository: \"{}\"", scalar::shown(&value.value));
    Diagnostic::error(Code::E0515, message).at(&value.span)
}

fn unused_secrets(fleet: &Fleet, findings: &mut Vec<Diagnostic>) {
    let registries: HashSet<&str> =
        fleet.registries.values().filter_map(|registry| registry.password.as_ref()).map(|name| &*name.value).collect();
    let wanted: HashSet<Arc<str>> = fleet.products.values().flat_map(|product| product.secret_names()).collect();
    let shared = fleet.environments.iter().filter_map(|environment| environment.secrets.as_deref());
    for stored in fleet.secrets.as_deref().into_iter().chain(shared).flat_map(super::SecretsFile::all) {
        if !wanted.contains(&**stored.name) && !registries.contains(&**stored.name) {
            findings.push(nobody_wants(stored.name, "no product and no registry", &stored.block.span));
        }
    }
    for instance in fleet.instances.values() {
        let (Some(file), Some(product)) = (instance.secrets.as_deref(), fleet.product_of(instance)) else { continue };
        let wanted = product.secret_names();
        for stored in file.all().filter(|stored| !wanted.contains(stored.name)) {
            let finding = nobody_wants(stored.name, product.name.value.as_str(), &stored.block.span);
            findings.push(match nearest(stored.name, wanted.iter().map(|name| &**name)) {
                Some(meant) => finding.hint(format!("did you mean `{meant}`?")),
                None => finding,
            });
        }
    }
}

fn nobody_wants(name: &str, who: &str, span: &Span) -> Diagnostic {
    let verb = if who.starts_with("no ") { "wants" } else { "does not want" };
    Diagnostic::warning(Code::W0502, format!("{who} {verb} a secret \"{}\"", scalar::shown(name))).at(span)
}

/// An instance is broken if its own files or those it depends on hold errors.
fn mark_broken(fleet: &mut Fleet, findings: &[Diagnostic]) {
    let files: BTreeSet<&str> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .filter_map(|finding| finding.span())
        .map(|span| &*span.file)
        .collect();
    if files.is_empty() {
        return;
    }
    let in_product =
        |product: &Product| files.range(&*product.folder..).next().is_some_and(|file| below(file, &product.folder));
    let products: BTreeSet<&Name> =
        fleet.products.iter().filter(|(_, product)| in_product(product)).map(|(name, _)| name).collect();
    let head = files.contains(super::FILE);
    let fleet_secrets = fleet.secrets.as_deref().is_some_and(|file| files.contains(&*file.file));
    let mut broken = Vec::new();
    for (name, instance) in &fleet.instances {
        let environment = fleet.environment(instance.environment.value.as_str());
        let secrets = [instance.secrets.as_deref(), environment.and_then(|e| e.secrets.as_deref())];
        let is_broken = head
            || fleet_secrets
            || files.contains(&*instance.file)
            || instance.override_file.as_ref().is_some_and(|file| files.contains(&*file.value))
            || !fleet.products.contains_key(&instance.product.value)
            || products.contains(&instance.product.value)
            || fleet.zone_of(instance).is_some_and(|zone| files.contains(&*zone.file))
            || secrets.into_iter().flatten().any(|file| files.contains(&*file.file));
        if is_broken {
            broken.push(Arc::<str>::from(name.as_str()));
        }
    }
    fleet.broken.extend(broken);
}

fn below(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
