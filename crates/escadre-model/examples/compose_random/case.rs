//! Whole projects: files, variables, profiles.
//!
//! In: a seed and the schema. Out: a [`Case`]; its files; its text as a case of `tests/cases/compose/`.
//! **Invariant**: a case depends on its seed alone.
//! Not here: single values (make), what is wrong on purpose (spoil).

use super::chance::Chance;
use super::make::Maker;
use super::spec::{Form, Object, Place};
use super::tree::{Frame, Layout, List, Map, Tree, flow, raw, text};
use super::{spoil, words};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// YAML documents.
    Yaml(Vec<Tree>),
    /// Lines.
    Lines(Vec<String>),
    /// As it stands.
    #[cfg_attr(not(test), expect(dead_code, reason = "kept cases are compared by the tests"))]
    Bytes(Vec<u8>),
}

/// A project.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) files: Vec<(String, Body)>,
    /// Compose files, in order.
    pub(crate) order: Vec<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) layout: Layout,
    /// Forms of places that were made.
    pub(crate) made: BTreeSet<String>,
    /// Something may be wrong on purpose.
    pub(crate) odd: bool,
}

impl Case {
    /// A case of files that are written already.
    #[cfg_attr(not(test), expect(dead_code, reason = "kept cases are compared by the tests"))]
    pub(crate) fn of(files: Vec<(String, Body)>) -> Self {
        Self {
            files,
            order: Vec::new(),
            env: BTreeMap::new(),
            profiles: Vec::new(),
            layout: Layout::PLAIN,
            made: BTreeSet::new(),
            odd: true,
        }
    }

    /// The text of a file.
    pub(crate) fn text(&self, body: &Body) -> String {
        String::from_utf8_lossy(&self.bytes(body)).into_owned()
    }

    /// The bytes of a file.
    pub(crate) fn bytes(&self, body: &Body) -> Vec<u8> {
        let text = match body {
            Body::Bytes(bytes) => return bytes.clone(),
            Body::Yaml(documents) => self.layout.file(documents),
            Body::Lines(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
        };
        text.into_bytes()
    }

    /// The case as one file for `tests/cases/compose/`, without the expectation.
    pub(crate) fn as_case(&self) -> String {
        let mut out = String::new();
        for (name, value) in &self.env {
            let _ = writeln!(out, "env: {name}={value}");
        }
        if !self.profiles.is_empty() {
            let _ = writeln!(out, "profiles: {}", self.profiles.join(" "));
        }
        if self.order != ["compose.yaml"] {
            let _ = writeln!(out, "files: {}", self.order.join(" "));
        }
        if self.files.iter().any(|(path, _)| path == ".env") {
            out.push_str("dotenv: yes\n");
        }
        for (path, body) in &self.files {
            let _ = write!(out, "//- /{path}\n{}", self.text(body));
        }
        out
    }
}

/// A tree as text, to compare it by.
pub(crate) fn plain(tree: &Tree) -> String {
    let mut out = String::new();
    match tree {
        Tree::Raw(word) | Tree::Text(word) | Tree::Styled(_, word) => out.push_str(word),
        other => flow(other, &mut out),
    }
    out
}

struct Project<'s> {
    maker: Maker,
    root: &'s Object,
    files: Vec<(String, Body)>,
}

/// Makes the case of a seed.
pub(crate) fn make(seed: u64, schema: &Place) -> Case {
    let maker = Maker::new(seed.wrapping_mul(7919));
    let Some(Form::Object(root)) = schema.forms.first() else {
        panic!("the schema's root is a mapping");
    };
    Project { maker, root, files: Vec::new() }.make()
}

impl Project<'_> {
    fn make(mut self) -> Case {
        let layout = self.layout();
        let mut main = self.whole();
        if self.one_in(3) {
            self.extend(&mut main);
        }
        if self.one_in(4) {
            self.include(&mut main);
        }
        if self.one_in(5) {
            share(&mut main, &mut self.maker.chance);
        }
        let mut documents = vec![main];
        let mut order = vec!["compose.yaml".to_owned()];
        if self.one_in(10) {
            let over = self.over();
            documents.push(over);
        }
        self.files.insert(0, ("compose.yaml".to_owned(), Body::Yaml(documents)));
        for name in ["over.yaml", "sub/more.yaml"] {
            if self.one_in(if order.len() == 1 { 2 } else { 6 }) {
                let mut over = self.over();
                if self.one_in(8) {
                    self.extend(&mut over);
                }
                self.files.push((name.to_owned(), Body::Yaml(vec![over])));
                order.push(name.to_owned());
            }
        }
        let env = self.environment();
        let profiles = self.maker.profiles.iter().map(|name| (*name).to_owned()).collect();
        let mut case =
            Case { files: self.files, order, env, profiles, layout, made: self.maker.made, odd: self.maker.odd };
        if self.maker.chance.one_in(5) {
            case.odd = true;
            spoil::spoil(&mut case, &mut self.maker.chance);
        }
        case
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.maker.chance.one_in(of)
    }

    fn layout(&mut self) -> Layout {
        let chance = &mut self.maker.chance;
        Layout {
            flow_from: [3, 4, 5, 20][chance.below(4)],
            indent: [2, 2, 4, 3][chance.below(4)],
            deep_items: chance.one_in(2),
            remarks: chance.one_in(6),
            frame: [Frame::Bare, Frame::Windows, Frame::Mark, Frame::Full, Frame::Directive][chance.below(9) % 5],
        }
    }

    fn keys(&mut self, wanted: impl Fn(&mut Chance, &str) -> bool) -> Tree {
        let mut entries = Vec::new();
        for (name, place) in &self.root.fields {
            if wanted(&mut self.maker.chance, name) {
                let value = self.maker.tagged(name, place);
                entries.push((name.clone(), value));
            }
        }
        if self.one_in(12) {
            entries.push(("x-top".to_owned(), raw("{a: [1, 2.50, true, null, '3'], b: {c: d}}")));
        }
        Map(entries)
    }

    /// A project that stands alone.
    fn whole(&mut self) -> Tree {
        self.maker.over = false;
        self.keys(|chance, name| match name {
            "include" => false,
            "name" | "version" | "jobs" => chance.one_in(8),
            _ => true,
        })
    }

    /// A file that is laid over another.
    fn over(&mut self) -> Tree {
        self.maker.over = true;
        let over = self.keys(|chance, name| match name {
            "include" => false,
            "version" | "jobs" => chance.one_in(12),
            "name" => chance.one_in(8),
            "services" => true,
            _ => chance.one_in(3),
        });
        self.maker.over = false;
        over
    }

    /// Services alone, in another file.
    fn lender(&mut self, path: &str) {
        let lender = self.keys(|_, name| name == "services");
        self.files.push((path.to_owned(), Body::Yaml(vec![lender])));
    }

    /// Lets services extend others: of this file, of another one, of one that extends on its part.
    fn extend(&mut self, root: &mut Tree) {
        let place = self.maker.chance.below(5);
        let path = ["", "", "base.yaml", "sub/base.yaml", "sub/base.yaml"][place];
        if !path.is_empty() && !self.files.iter().any(|(known, _)| known == path) {
            self.lender(path);
            if place == 4 {
                self.lender("sub/deep.yaml");
                if let Some((_, Body::Yaml(documents))) = self.files.iter_mut().find(|(known, _)| known == path)
                    && let Some(document) = documents.first_mut()
                {
                    add_extends(document, "web", extends("deep.yaml", "db", true));
                }
            }
        }
        let base = self.maker.chance.of(if path.is_empty() { &["db", "my_job"] } else { &["web", "db", "my_job"] });
        let long = self.one_in(2);
        add_extends(root, "web", extends(path, base, long));
        if path.is_empty() && self.one_in(3) {
            add_extends(root, base, extends("", "a.b", long));
        }
    }

    fn include(&mut self, root: &mut Tree) {
        let mut items = Vec::new();
        let mut inner = self.keys(|chance, name| match name {
            "include" | "version" => false,
            "name" => chance.one_in(10),
            _ => chance.one_in(2) || name == "services",
        });
        // The other loader refuses configs from the environment in what is included.
        if !self.maker.odd
            && let Some(configs) = section(&mut inner, "configs")
        {
            configs.retain(|(_, config)| !plain(config).contains("environment"));
        }
        // It takes the dot in the name of an included service for the end of the name.
        if let Some(services) = section(&mut inner, "services") {
            services.retain(|(name, _)| name != "a.b");
        }
        // Mostly entries of its own; now and then ones that the including file overrides.
        if !self.one_in(4) {
            rename(&mut inner);
        }
        if self.one_in(3) {
            self.deeper(&mut inner, &mut items);
        }
        self.files.push(("inc/compose.yaml".to_owned(), Body::Yaml(vec![inner])));
        self.files.push(("inc/a.env".to_owned(), lines(&["A=inner", "TAG=inner"])));
        self.files.push(("inc/b.env".to_owned(), lines(&["B=inner"])));
        self.files.push(("inc/sub/c.env".to_owned(), lines(&["C=inner"])));
        if self.one_in(3) {
            self.files.push(("inc/.env".to_owned(), lines(&["NONE=from_inner", "TAG=not_this", "FLAG=false"])));
        }
        items.push(match self.maker.chance.below(5) {
            0 => Map(vec![("path".to_owned(), text("inc/compose.yaml"))]),
            1 => Map(vec![
                ("path".to_owned(), List(vec![text("./inc/compose.yaml")])),
                ("project_directory".to_owned(), text(".")),
            ]),
            2 => Map(vec![
                ("path".to_owned(), text("inc/compose.yaml")),
                ("project_directory".to_owned(), text("inc")),
                ("env_file".to_owned(), text("inc/a.env")),
            ]),
            3 => {
                let mut over = self.over();
                if let Some(services) = section(&mut over, "services") {
                    services.retain(|(name, _)| name != "a.b");
                }
                self.files.push(("inc/over.yaml".to_owned(), Body::Yaml(vec![over])));
                Map(vec![
                    ("path".to_owned(), List(vec![text("inc/compose.yaml"), text("inc/over.yaml")])),
                    ("env_file".to_owned(), List(vec![text("inc/a.env"), text("a.env")])),
                ])
            }
            _ => text("inc/compose.yaml"),
        });
        if self.one_in(4) {
            let more = self.keys(|_, name| matches!(name, "networks" | "volumes" | "configs"));
            self.files.push(("inc/more.yaml".to_owned(), Body::Yaml(vec![more])));
            items.push(text("inc/more.yaml"));
        }
        if let Map(entries) = root {
            entries.insert(0, ("include".to_owned(), List(items)));
        }
    }

    /// An include within an include, which the outer project may name too.
    fn deeper(&mut self, inner: &mut Tree, items: &mut Vec<Tree>) {
        let mut deeper = self.keys(|chance, name| match name {
            "services" => true,
            "networks" | "volumes" | "secrets" => chance.one_in(2),
            _ => false,
        });
        rename(&mut deeper);
        rename(&mut deeper);
        if self.maker.odd && self.one_in(4) {
            let circle = self.maker.chance.of(&["compose.yaml", "../compose.yaml", "../../compose.yaml"]);
            add(&mut deeper, "include", List(vec![text(circle)]));
        }
        if self.one_in(3) {
            items.push(text("inc/deeper/compose.yaml"));
        }
        self.files.push(("inc/deeper/compose.yaml".to_owned(), Body::Yaml(vec![deeper])));
        for (path, line) in
            [("inc/deeper/a.env", "A=deeper"), ("inc/deeper/b.env", "B=deeper"), ("inc/deeper/sub/c.env", "C=deeper")]
        {
            self.files.push((path.to_owned(), lines(&[line])));
        }
        if self.one_in(3) {
            self.files.push(("inc/deeper/.env".to_owned(), lines(&["NONE=from_deeper", "DEEP=${NONE:-x}"])));
        }
        let long =
            Map(vec![("path".to_owned(), text("./deeper/compose.yaml")), ("env_file".to_owned(), text("a.env"))]);
        let item = if self.one_in(2) { text("deeper/compose.yaml") } else { long };
        add(inner, "include", List(vec![item]));
    }

    /// Environment files, `.env`, and the variables that the caller sets.
    fn environment(&mut self) -> BTreeMap<String, String> {
        let odd = self.maker.odd;
        let chance = &mut self.maker.chance;
        let pool = [
            "A=1",
            "LONG=\"x ${TAG} y\"",
            "Q='$TAG'",
            "# no",
            "export E=5 # c",
            "",
            "B=",
            "TAG",
            "D=${A:-none}",
            "F=a#b",
            "G: yaml",
            "H=\"a\\nb\"",
            "I='a\nb'",
            "J=\"{\\\"x\\\": 1}\"",
            "K=a\\nb",
            "L=  spaced  ",
            "UNSET",
            "M=\"$TAG\" # r",
            "N=x=y",
            "O=`x`",
            "P=${NONE:-d}",
            "A=2",
            "k.dot=1",
            "z-dash=2",
            "R=\"a\tb\"",
            "T=\"a\\$b\"",
            "U=$$x",
            "V=a 'b' c",
            "W=\"\"",
            "X=''",
        ];
        let bad = [
            "A B=1",
            "=x",
            "Y=\"open",
            "é=1",
            "Z='open",
            "A=${x",
            "%=1",
            "A=\"x\"y",
            "export",
            "a:b:c",
            "A =1",
            " A = 1",
            "S='it''s'",
        ];
        for path in ["a.env", "b.env", "sub/c.env", "sub/a.env", "sub/b.env", "sub/sub/c.env", "bad.env"] {
            let count = chance.below(6);
            let mut lines: Vec<String> = (0..count).map(|_| chance.of(&pool).to_owned()).collect();
            if odd && chance.one_in(3) {
                lines.push(words::line_soup(chance));
            }
            if path == "bad.env" || odd && chance.one_in(8) {
                lines.push(chance.of(&bad).to_owned());
            }
            self.files.push((path.to_owned(), Body::Lines(lines)));
        }
        let mut env = self.maker.variables.clone();
        if chance.one_in(4) {
            let mut lines = vec!["FROM_FILE=1".to_owned(), "FLAG=false".to_owned(), "A=${TAG}-dot".to_owned()];
            if chance.one_in(4) {
                lines.push(format!(
                    "COMPOSE_PROJECT_NAME={}",
                    chance.of(if odd { &["Bad Name", ""] } else { &["from-env"] })
                ));
            }
            for name in env.keys().filter(|name| name.starts_with('V')).cloned().collect::<Vec<_>>() {
                let value = env.get(&name).cloned().unwrap_or_default();
                if chance.one_in(3) && !value.contains(['\'', '\n', '\\']) {
                    env.remove(&name);
                    lines.push(format!("{name}='{value}'"));
                }
            }
            self.files.push((".env".to_owned(), Body::Lines(lines)));
        }
        env
    }
}

fn lines(words: &[&str]) -> Body {
    Body::Lines(words.iter().map(|line| (*line).to_owned()).collect())
}

fn extends(file: &str, service: &str, long: bool) -> Tree {
    if file.is_empty() && !long {
        return text(service);
    }
    let mut entries = vec![("service".to_owned(), text(service))];
    if !file.is_empty() {
        entries.push(("file".to_owned(), text(file)));
    }
    Map(entries)
}

fn add(root: &mut Tree, key: &str, value: Tree) {
    if let Map(entries) = root {
        entries.push((key.to_owned(), value));
    }
}

fn section<'t>(root: &'t mut Tree, name: &str) -> Option<&'t mut Vec<(String, Tree)>> {
    let Map(entries) = root else { return None };
    match entries.iter_mut().find(|(key, _)| key == name) {
        Some((_, Map(section))) => Some(section),
        _ => None,
    }
}

fn add_extends(root: &mut Tree, service: &str, extends: Tree) {
    let Some(services) = section(root, "services") else { return };
    let lone = !super::case::plain(&extends).contains("file")
        && !services.iter().any(|(name, _)| super::case::plain(&extends).contains(name.as_str()));
    if lone {
        return;
    }
    if let Some((_, Map(entries))) = services.iter_mut().find(|(name, _)| name == service)
        && !entries.iter().any(|(name, _)| name == "extends")
    {
        entries.push(("extends".to_owned(), extends));
    }
}

/// Gives the services of a file other names, and leaves out what refers to others.
fn rename(root: &mut Tree) {
    let Some(services) = section(root, "services") else { return };
    for (name, service) in services {
        name.insert_str(0, "in_");
        if let Map(entries) = service {
            entries.retain(|(name, value)| {
                !matches!(name.as_str(), "depends_on" | "links" | "volumes_from")
                    && !super::case::plain(value).contains("service:")
            });
        }
    }
}

/// Lets services share what they have: by aliases, and by merge keys.
fn share(root: &mut Tree, chance: &mut Chance) {
    let Some(services) = section(root, "services") else { return };
    let mut lent: Option<(String, Tree)> = None;
    let mut base: Vec<(String, Tree)> = Vec::new();
    let merge = chance.one_in(2);
    for (_, service) in services.iter_mut() {
        let Map(entries) = service else { continue };
        if merge && base.is_empty() {
            let plain = |name: &str| {
                matches!(
                    name,
                    "image"
                        | "labels"
                        | "environment"
                        | "command"
                        | "logging"
                        | "healthcheck"
                        | "restart"
                        | "deploy"
                        | "ulimits"
                )
            };
            base = entries
                .iter()
                .filter(|(name, value)| plain(name) && !matches!(value, Tree::Tagged(..)))
                .cloned()
                .collect();
            if !base.is_empty() {
                entries.retain(|(name, _)| !base.iter().any(|(known, _)| known == name));
                entries.push(("<<".to_owned(), Tree::Alias("base".to_owned())));
            }
            continue;
        }
        if !base.is_empty() && chance.one_in(2) {
            let alias = Tree::Alias("base".to_owned());
            entries.insert(0, ("<<".to_owned(), if chance.one_in(3) { List(vec![alias]) } else { alias }));
        } else if let Some((name, value)) = &lent
            && let Some((_, slot)) = entries.iter_mut().find(|(key, _)| key == name)
        {
            let _ = value;
            *slot = Tree::Alias("lent".to_owned());
        } else if lent.is_none() && !entries.is_empty() {
            let at = chance.below(entries.len());
            if let Some((name, slot)) = entries.get_mut(at)
                && !matches!(slot, Tree::Tagged(..))
            {
                lent = Some((name.clone(), slot.clone()));
                *slot = Tree::Anchor("lent".to_owned(), Box::new(slot.clone()));
            }
        }
    }
    if !base.is_empty()
        && let Map(entries) = root
    {
        entries.insert(0, ("x-base".to_owned(), Tree::Anchor("base".to_owned(), Box::new(Map(base)))));
    }
}
