//! Shapes: what instances have in common is loaded once.
//!
//! In: an instance and its values. Out: the [`Shape`] that it shares with others of its class, and its own values of the shape's late variables.
//! **Invariant:** a shape depends on nothing of an instance but its class and the values of variables that were asked for; one with errors is not shared,
//! so that every error is told of its own instance.
//! Not here: what is each instance's own (`mod.rs`), what a late variable is (`text::LateVariables`).
//! Tests: `escadre-plan/tests/it/shapes.rs`.

use super::values::{Given, source};
use super::{Work, bounds, clash, files, secrets};
use crate::compose::{self, Project};
use crate::diagnostic::{Diagnostic, has_errors};
use crate::name::Name;
use crate::resolved::Shape;
use crate::source::Source;
use crate::text::{LONGEST_LATE, LateVariables, Text};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Shapes that are remembered of one class. Where a variable that is different everywhere is asked for, each instance has a shape of its own, and
/// remembering them all would only cost memory.
const REMEMBERED: usize = 128;
/// The instance's and the project's name, as variables.
const INSTANCE: &str = "ESCADRE_INSTANCE";
const PROJECT: &str = "COMPOSE_PROJECT_NAME";
/// How many variables are called like the instance.
const OWN: usize = 2;

/// Everything of an instance that its shape depends on, the values of variables apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Class {
    product: Name,
    environment: Name,
    override_file: Option<Arc<str>>,
    profiles: Vec<Arc<str>>,
    size: Option<Name>,
    files: Vec<FileValue>,
    /// The variables that have a value.
    variables: Vec<Arc<str>>,
}

/// The value of a file parameter: it fills the config of its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FileValue {
    name: Arc<str>,
    value: Arc<str>,
    /// The path in the tree.
    path: Arc<str>,
    /// Where the value is written, which people see as the place of the config's content.
    source: Source,
}

/// A shape with what else was found on the way.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) shape: Arc<Shape>,
    /// Secrets that its texts have holes for.
    pub(super) used: Arc<BTreeSet<Arc<str>>>,
    /// What is said of every instance that has it.
    pub(super) findings: Arc<[Diagnostic]>,
    /// The instance's values of the late variables, by slot.
    pub(super) late: Arc<[Arc<str>]>,
}

/// What became of an attempt to make a shape with late variables.
#[derive(Clone, Debug)]
enum Attempt {
    /// It was made.
    Made(Made),
    /// Variables were asked for; they are noted.
    Asked,
    /// Something is wrong in the files: to be told of each instance.
    Faulty,
}

/// The values of the class's variables that are given; the others are late.
type Known = Vec<Option<Arc<str>>>;
type Place = Arc<OnceLock<Attempt>>;

/// What is remembered of one class.
#[derive(Debug, Default)]
struct Memory {
    /// Variables that were asked for.
    asked: BTreeSet<Arc<str>>,
    /// Shapes by what is given.
    made: HashMap<Known, Place>,
}

/// Shapes that were made.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    classes: Mutex<HashMap<Class, Memory>>,
}

impl Shapes {
    fn with<T>(&self, class: &Class, look: impl FnOnce(&mut Memory) -> T) -> T {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        match classes.get_mut(class) {
            Some(memory) => look(memory),
            None => look(classes.entry(class.clone()).or_default()),
        }
    }

    /// Notes variables that were asked for.
    fn learn(&self, class: &Class, late: &LateVariables) {
        self.with(class, |memory| memory.asked.extend(late.asked().cloned()));
    }

    /// The place of a shape, to be filled by the first who needs it while the others wait.
    fn place(&self, class: &Class, known: Known) -> Place {
        self.with(class, |memory| {
            if memory.made.len() >= REMEMBERED && !memory.made.contains_key(&known) {
                memory.made.clear();
            }
            Arc::clone(memory.made.entry(known).or_default())
        })
    }
}

/// A variable that may be late, and its value.
type Open = (Arc<str>, Arc<str>);

impl Work<'_> {
    /// The shape that the instance shares with others of its class. `None`: it cannot be shared, and is to be made for the instance [`Work::alone`].
    pub(super) fn shared(&self, values: &BTreeMap<Arc<str>, Given>) -> Option<Made> {
        let (class, open) = (self.class(values), self.open(values));
        loop {
            let asked = self.cache.shapes.with(&class, |memory| memory.asked.clone());
            let late: Vec<&Open> = open.iter().filter(|(name, _)| !asked.contains(name)).collect();
            if late.is_empty() {
                return None;
            }
            let is_late = |name: &Arc<str>| late.iter().any(|(late, _)| late == name);
            let given = values.iter().map(|(name, given)| (!is_late(name)).then(|| Arc::clone(&given.value.text)));
            let own = open
                .iter()
                .skip(open.len().saturating_sub(OWN))
                .map(|(name, value)| (!is_late(name)).then(|| Arc::clone(value)));
            let place = self.cache.shapes.place(&class, given.chain(own).collect());
            match place.get_or_init(|| self.attempt(&class, values, &late)) {
                Attempt::Made(made) if made.shape.late.asked().next().is_none() => {
                    let late = late.iter().map(|(_, value)| Arc::clone(value)).collect();
                    return Some(Made { late, ..made.clone() });
                }
                // Whoever worked with it asked later than it was made.
                Attempt::Made(made) => self.cache.shapes.learn(&class, &made.shape.late),
                Attempt::Asked => {}
                Attempt::Faulty => return None,
            }
        }
    }

    /// The shape of this instance with all of its values; what is wrong is found in any case.
    pub(super) fn alone(&mut self, values: &BTreeMap<Arc<str>, Given>) -> Option<Made> {
        self.make(values, &[])
    }

    fn attempt(&self, class: &Class, values: &BTreeMap<Arc<str>, Given>, late: &[&Open]) -> Attempt {
        let mut work = Work { findings: Vec::new(), ..*self };
        let Some(made) = work.make(values, late).filter(|_| !has_errors(&work.findings)) else {
            return Attempt::Faulty;
        };
        if made.shape.late.asked().next().is_some() {
            self.cache.shapes.learn(class, &made.shape.late);
            return Attempt::Asked;
        }
        Attempt::Made(Made { findings: work.findings.into(), ..made })
    }

    fn class(&self, values: &BTreeMap<Arc<str>, Given>) -> Class {
        let instance = self.instance;
        let files = values.iter().filter_map(|(name, given)| {
            let (name, value, path) = (name.clone(), given.value.text.clone(), given.file.clone()?);
            Some(FileValue { name, value, path, source: source(&given.span) })
        });
        Class {
            product: instance.product.value.clone(),
            environment: instance.environment.value.clone(),
            override_file: instance.override_file.as_ref().map(|file| file.value.clone()),
            profiles: instance.profiles.iter().map(|profile| profile.value.clone()).collect(),
            size: instance.size.as_ref().map(|size| size.value.clone()),
            files: files.collect(),
            variables: values.keys().cloned().collect(),
        }
    }

    /// Variables that may be late: parameters first, then what is called like the instance.
    fn open(&self, values: &BTreeMap<Arc<str>, Given>) -> Vec<Open> {
        let is_secret = |name: &Arc<str>| self.product.secrets.get(name).is_some_and(|declared| declared.environment);
        let fits = |given: &Given| given.file.is_none() && (1..=LONGEST_LATE).contains(&given.value.text.len());
        let mut open: Vec<Open> = values
            .iter()
            .filter(|(name, given)| fits(given) && !is_secret(name))
            .map(|(name, given)| (Arc::clone(name), Arc::clone(&given.value.text)))
            .collect();
        let own: Arc<str> = self.instance.name.value.as_str().into();
        let names: [Arc<str>; OWN] = [INSTANCE.into(), PROJECT.into()];
        open.extend(names.map(|name| (name, Arc::clone(&own))));
        open
    }

    /// Makes a shape; what is wrong is found on the way.
    fn make(&mut self, values: &BTreeMap<Arc<str>, Given>, late: &[&Open]) -> Option<Made> {
        let late = LateVariables::new(late.iter().map(|(name, _)| Arc::clone(name)));
        let mut options = self.options(values)?;
        for (name, hole) in late.holes() {
            if &**name == PROJECT {
                options.project_name = Some(Text::late(hole.clone()));
            }
            options.environment.set(&**name, Text::late(hole), None);
        }
        let view = files::InTree::new(self.tree);
        let (project, findings) = compose::load(&options, &view, &self.cache.compose);
        self.findings.extend(findings);
        let mut project = project?;
        project.unfold_steps(&mut self.findings);
        self.profiles(&project);
        self.limits(&mut project);
        self.fill_configs(&mut project, values);
        self.strip(&mut project);
        let mut found = Vec::new();
        let grants = bounds::Grants { granted: Some(&|path: &str| self.granted(path)), file: &self.product.file };
        bounds::check(&project, &grants, &mut found);
        self.findings.extend(found);
        let contents = self.contents(&project);
        let builds = self.builds(&project);
        let served = self.served(&project);
        let ports = clash::ports(&project, &served, false);
        let used = secrets::used(&project);
        let product = self.product;
        let shape = Shape {
            single: false,
            acknowledged: product.acknowledged.iter().cloned().chain(project.acknowledgements()).collect(),
            product: product.name.value.as_str().into(),
            environment: self.instance.environment.value.as_str().into(),
            project,
            contents,
            shared_volumes: product.shared_volumes.iter().map(|volume| Arc::clone(&volume.value)).collect(),
            granted_binds: product.binds.iter().map(|bind| Arc::clone(&bind.value)).collect(),
            builds,
            served,
            ports,
            secrets: product.secrets.keys().cloned().collect(),
            sensitive: BTreeSet::new(),
            late,
        };
        Some(Made { shape: Arc::new(shape), used: Arc::new(used), findings: Arc::default(), late: Arc::default() })
    }

    /// Services and ports that endpoints lead to; an endpoint of a service that only others have is none.
    fn served(&self, project: &Project) -> Vec<(Arc<str>, u16)> {
        let all = self.product.endpoints.values();
        let there = all.filter(|endpoint| project.service(&endpoint.service.value).is_some());
        there.map(|endpoint| (Arc::clone(&endpoint.service.value), endpoint.port.value)).collect()
    }
}
