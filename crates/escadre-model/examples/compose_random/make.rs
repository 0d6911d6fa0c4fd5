//! Values for the places of the schema, by chance.
//!
//! In: a place and its path. Out: a tree, and which forms of which places were made.
//! **Invariant**: without `odd`, what is made is meant to be accepted: what excludes another thing is chosen once per case.
//! Not here: whole projects (case), what is wrong on purpose (spoil).

use super::case::plain;
use super::chance::Chance;
use super::spec::{Form, Object, Place};
use super::tree::{List, Map, Raw, Style, Text, Tree, raw, text};
use super::words::{self, CONFIGS, FRACTIONS, MODELS, NETWORKS, SECRETS, SERVICES, VOLUMES};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a case decides once, so that its files do not contradict each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choices {
    /// Keys that are left out in this case, below the path given.
    left_out: BTreeSet<&'static str>,
    /// What each named entry of a section is made of: `secrets.key` -> `file`.
    kinds: BTreeMap<String, &'static str>,
}

/// Of each group one is chosen; the others are left out.
const EXCLUSIVE: &[&[&str]] = &[
    &["services.*.network_mode", "services.*.networks"],
    &["services.*.build.dockerfile", "services.*.build.dockerfile_inline"],
    &["services.*.scale", "services.*.deploy.replicas", "services.*.container_name"],
    &["services.*.cpus", "services.*.deploy.resources.limits"],
    &["services.*.mem_limit", "services.*.deploy.resources.limits"],
    &["services.*.pids_limit", "services.*.deploy.resources.limits"],
    &["services.*.gpus.[].count", "services.*.gpus.[].device_ids"],
    &[
        "services.*.deploy.resources.reservations.devices.[].count",
        "services.*.deploy.resources.reservations.devices.[].device_ids",
    ],
    &["services.*.platform", "services.*.build.platforms"],
    &["services.*.mem_reservation", "services.*.deploy.resources.reservations.memory"],
];

/// Makes values.
pub(crate) struct Maker {
    pub(crate) chance: Chance,
    pub(crate) choices: Choices,
    /// Tags and partial entries may stand here: the file is laid over another.
    pub(crate) over: bool,
    /// Words that are probably refused may be chosen, and what excludes each other may meet.
    pub(crate) odd: bool,
    /// The service that is being written, and those it may refer to.
    pub(crate) service: &'static str,
    /// Services a reference may name.
    pub(crate) others: Vec<&'static str>,
    /// Variables of the case; texts hide in them now and then.
    pub(crate) variables: BTreeMap<String, String>,
    /// One text in so many hides in a variable; 0: none.
    pub(crate) hide: usize,
    /// One attribute of a service in so many is written.
    pub(crate) sparse: usize,
    /// Profiles that the case switches on.
    pub(crate) profiles: Vec<&'static str>,
    /// What was made: paths with their forms.
    pub(crate) made: BTreeSet<String>,
}

impl Maker {
    /// A maker that begins with a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let odd = chance.one_in(3);
        let mut choices = Choices::default();
        for group in EXCLUSIVE {
            let kept = chance.below(group.len());
            choices.left_out.extend(group.iter().enumerate().filter(|(at, _)| *at != kept).map(|(_, path)| *path));
        }
        for name in SECRETS {
            choices.kinds.insert(
                format!("secrets.{name}"),
                chance.of(&["file", "environment", "external", "file", "environment"]),
            );
        }
        for name in CONFIGS {
            choices.kinds.insert(format!("configs.{name}"), chance.of(&["file", "environment", "content", "external"]));
        }
        for (section, names) in [("networks", NETWORKS), ("volumes", VOLUMES)] {
            for name in names {
                let kind = if chance.one_in(5) { "external" } else { "own" };
                choices.kinds.insert(format!("{section}.{name}"), kind);
            }
        }
        let profiles = match chance.below(4) {
            0 => vec![],
            1 => vec!["one", "two", "3"],
            2 => vec![chance.of(&["one", "two", "3"])],
            _ => vec!["*"],
        };
        // Without all of them, a service that another one needs may be switched off.
        if profiles.len() < 3 && profiles != ["*"] && !chance.one_in(25) {
            choices.left_out.insert("services.*.profiles");
        }
        let hide = [0, 0, 12, 5][chance.below(4)];
        let sparse = [30, 15, 8, 60][chance.below(4)];
        let variables = [("TAG", "v1"), ("EMPTY", ""), ("PORT", "8090"), ("FLAG", "true"), ("DOLLAR", "${TAG}$$")];
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self {
            chance,
            choices,
            over: false,
            odd,
            service: "",
            others: Vec::new(),
            variables,
            hide,
            sparse,
            profiles,
            made: BTreeSet::new(),
        }
    }

    /// A value for a place.
    pub(crate) fn value(&mut self, path: &str, place: &Place) -> Tree {
        let steps: Vec<&str> = path.split('.').collect();
        // Names of services hold dots of their own.
        let pattern = path;
        let forms: Vec<&Form> = place.forms.iter().filter(|form| usable(&steps, form, self.odd)).collect();
        let Some(form) = forms.get(self.chance.below(forms.len())) else { return raw("null") };
        self.made.insert(format!("{pattern}: {}", form.name()));
        if let Some(value) = self.reference(&steps, form) {
            return value;
        }
        match form {
            Form::Null => raw("null"),
            Form::Bool => raw(self.chance.of(&["true", "false", "True", "FALSE"])),
            Form::Integer => self.number(&steps),
            Form::Number if self.chance.one_in(3) && fraction_fits(&steps) => raw(self.chance.of(FRACTIONS)),
            Form::Number => self.number(&steps),
            Form::Text { choices } if choices.is_empty() => self.word(&steps),
            Form::Text { choices } => {
                let words: Vec<&str> = choices.iter().map(String::as_str).collect();
                let word = self.chance.of(&words).to_owned();
                self.text(word)
            }
            Form::List { of, unique } => self.list(path, of, *unique),
            Form::Object(object) => self.object(path, object),
        }
    }

    fn number(&mut self, steps: &[&str]) -> Tree {
        if self.odd && self.chance.one_in(60) {
            let soup = self.chance.one_in(2);
            return Raw(if soup {
                words::number_soup(&mut self.chance)
            } else {
                self.chance.of(words::WILD).to_owned()
            });
        }
        raw(self.chance.of(words::numbers(steps)))
    }

    fn word(&mut self, steps: &[&str]) -> Tree {
        if self.odd && self.chance.one_in(60) {
            return match self.chance.below(3) {
                0 => text(self.chance.of(words::odd(steps))),
                1 => text(words::soup(&[], &mut self.chance)),
                _ => text(words::soup(steps, &mut self.chance)),
            };
        }
        let word = self.chance.of(words::good(steps));
        // Dollar signs of the words are doubled already.
        if word.contains('$') { text(word) } else { self.text(word.to_owned()) }
    }

    /// A text, now and then in a style of its own or hidden in a variable.
    fn text(&mut self, word: String) -> Tree {
        if self.hide > 0 && self.chance.one_in(self.hide) {
            return self.hidden(&word);
        }
        match self.chance.below(12) {
            0 => Tree::Styled(Style::Single, word),
            1 => Tree::Styled(Style::Double, word),
            2 => Tree::Styled(Style::Literal, word),
            _ => Text(word),
        }
    }

    /// A text that becomes `word` when variables are filled in.
    fn hidden(&mut self, word: &str) -> Tree {
        let number = self.variables.len();
        let name = format!("V{number}");
        // What a default may hold without being read in another way.
        let simple = !word.contains(['}', '{', '\n', '"', '\'', '\\']);
        let form = match self.chance.below(if simple { 9 } else { 2 }) {
            0 => format!("${{{name}}}"),
            1 => format!("${{{name}:-other}}"),
            2 => return text(format!("${{NONE:-{word}}}")),
            3 => return text(format!("${{NONE-{word}}}")),
            4 => return text(format!("${{TAG:+{word}}}")),
            5 => return text(format!("${{EMPTY:-{word}}}")),
            6 => return text(format!("${{NONE:-${{EMPTY:-{word}}}}}")),
            7 => {
                let cut = word.char_indices().nth(1).map_or(word.len(), |(at, _)| at);
                self.variables.insert(name.clone(), word[cut..].to_owned());
                return text(format!("{}${{{name}-}}", &word[..cut]));
            }
            _ => format!("${name}"),
        };
        self.variables.insert(name, word.to_owned());
        text(form)
    }

    /// Places that name other entries.
    fn reference(&mut self, steps: &[&str], form: &Form) -> Option<Tree> {
        let names: Vec<&'static str> = match steps {
            ["services" | "jobs", _, "networks", "[]"] | ["services", _, "pre_start", "[]", "networks", "[]"] => {
                NETWORKS.to_vec()
            }
            [.., "models", "[]"] => MODELS.to_vec(),
            [.., "configs", "[]"] | [.., "configs", "[]", "source"] => CONFIGS.to_vec(),
            [.., "secrets", "[]"] | [.., "secrets", "[]", "source"] => SECRETS.to_vec(),
            [.., "depends_on", "[]"] => self.others.clone(),
            [.., "volumes_from", "[]"] => self.others.iter().copied().chain(["container:x"]).collect(),
            [.., "links", "[]"] => self.others.clone(),
            [.., "network_mode" | "ipc" | "pid" | "uts"] if self.chance.one_in(3) => self.others.clone(),
            _ => return None,
        };
        if !matches!(form, Form::Text { .. }) {
            return None;
        }
        if names.is_empty() {
            // Nothing comes after the last service.
            return matches!(steps, [.., "[]"]).then(|| text("container:y"));
        }
        let name = if self.odd && self.chance.one_in(60) { "nowhere" } else { self.chance.of(&names) };
        let last = steps.last().copied().unwrap_or_default();
        let before = steps.len().checked_sub(2).and_then(|at| steps.get(at)).copied().unwrap_or_default();
        let coin = self.chance.one_in(2);
        Some(self.text(match (last, before) {
            ("network_mode" | "ipc" | "pid" | "uts", _) => format!("service:{name}"),
            (_, "links") if coin => format!("{name}:alias"),
            (_, "volumes_from") if coin && !name.contains(':') => format!("{name}:ro"),
            _ => name.to_owned(),
        }))
    }

    fn list(&mut self, path: &str, of: &Rc<Place>, unique: bool) -> Tree {
        let inner = format!("{path}.[]");
        let mut items: Vec<Tree> = Vec::new();
        // Tags within a list reach nothing: items have no names. Hidden texts may turn out to be the same one twice.
        let over = std::mem::take(&mut self.over);
        let hide = self.hide;
        if unique && !self.chance.one_in(8) {
            self.hide = 0;
        }
        let mut count = self.chance.below(4);
        if path.ends_with(".test") {
            let first = self.chance.of(&["CMD", "CMD-SHELL", "NONE"]);
            items.push(text(if self.odd && self.chance.one_in(6) { "curl" } else { first }));
        }
        if path.ends_with("capabilities") || path.ends_with("include.path") {
            count = count.max(1);
        }
        if unique && path.ends_with("include.path") {
            count = 1;
        }
        for _ in 0..count {
            let item = self.value(&inner, of);
            if plain(&item) == "container:y" {
                continue;
            }
            let twice = items.iter().any(|known| key_of(path, known) == key_of(path, &item));
            if !twice || self.odd && self.chance.one_in(40) {
                items.push(item);
            }
        }
        self.over = over;
        self.hide = hide;
        List(items)
    }

    fn object(&mut self, path: &str, object: &Object) -> Tree {
        let mut entries: Vec<(String, Tree)> = Vec::new();
        let kind = self.choices.kinds.get(&self.section(path)).copied();
        for (name, place) in &object.fields {
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let required = object.required.contains(name) && !(self.over && path.matches('.').count() == 1);
            if !(required || self.wants(path, name, &inner, kind)) {
                continue;
            }
            let value = self.tagged(&inner, place);
            entries.push((name.clone(), value));
        }
        if let Some(free) = &object.free {
            entries.extend(self.named(path, free));
        }
        if let Some(kind) = kind.filter(|kind| *kind != "own") {
            add_kind(&mut entries, kind, &mut self.chance);
        }
        consistent(path, &mut entries, &mut self.chance, self.odd);
        if object.extensions && self.chance.one_in(25) {
            entries.push((
                "x-own".to_owned(),
                raw(self.chance.of(&["1", "{a: [1, b]}", "text", "null", "[x, {y: 1.50}]"])),
            ));
        }
        // Order is nothing; it must not become something.
        if entries.len() > 1 && self.chance.one_in(4) {
            let at = self.chance.below(entries.len());
            let entry = entries.remove(at);
            entries.push(entry);
        }
        Map(entries)
    }

    /// The name of the entry that is being made, below its section.
    fn section(&self, path: &str) -> String {
        match path.split_once('.') {
            Some((section, _)) if path.matches('.').count() == 1 => format!("{section}.{}", self.service),
            _ => String::new(),
        }
    }

    fn wants(&mut self, path: &str, name: &str, inner: &str, kind: Option<&str>) -> bool {
        if self.choices.left_out.contains(inner) && !(self.odd && self.chance.one_in(20)) {
            return false;
        }
        if let Some(kind) = kind {
            let exclusive = matches!(name, "file" | "environment" | "content" | "external" | "driver" | "driver_opts");
            if exclusive && kind != "own" {
                return self.odd && self.chance.one_in(30);
            }
            if kind == "external" {
                return (name == "name" || self.odd && self.chance.one_in(20)) && self.chance.one_in(2);
            }
            if name == "external" {
                return self.odd && self.chance.one_in(30);
            }
        }
        match (path, name) {
            // Written by `case`, or contradicting too much.
            ("services.*", "extends") | ("jobs.*", "extends") => false,
            ("services.*", "provider") => self.chance.one_in(60),
            ("services.*" | "jobs.*", "image") => !self.over || self.chance.one_in(4),
            ("services.*" | "jobs.*" | "services.*.pre_start.[]", _) => self.chance.one_in(self.sparse),
            ("services.*.credential_spec", "config") => self.chance.one_in(4),
            (_, "external") => false,
            ("networks.*" | "volumes.*" | "secrets.*" | "configs.*", _) => self.chance.one_in(4),
            ("services.*.build", _) => self.chance.one_in(5),
            _ => self.chance.one_in(2),
        }
    }

    /// A value that may carry a tag of an overriding file.
    pub(crate) fn tagged(&mut self, path: &str, place: &Place) -> Tree {
        if !(self.over && path.contains('.') && self.chance.one_in(16)) {
            return self.value(path, place);
        }
        if self.chance.one_in(2) {
            return raw(self.chance.of(&["!reset null", "!reset []", "!reset {}", "!reset x"]));
        }
        self.over = false;
        let value = self.value(path, place);
        self.over = true;
        Tree::Tagged("!override".to_owned(), Box::new(value))
    }

    /// A mapping whose keys people choose.
    fn named(&mut self, path: &str, place: &Rc<Place>) -> Vec<(String, Tree)> {
        let steps: Vec<&str> = path.split('.').collect();
        let others = self.others.clone();
        let (names, all): (&[&'static str], bool) = match steps.as_slice() {
            ["services"] => (SERVICES, true),
            ["jobs"] => (&["nightly"], true),
            ["networks"] => (NETWORKS, true),
            ["volumes"] => (VOLUMES, true),
            ["configs"] => (CONFIGS, true),
            ["secrets"] => (SECRETS, true),
            ["models"] => (MODELS, true),
            [.., "networks"] => (NETWORKS, false),
            [.., "models"] => (MODELS, false),
            [.., "ulimits"] => (&["nofile", "nproc", "core"], false),
            [.., "depends_on"] => (&others, false),
            [.., "environment"] => (&["A", "TAG", "UNSET", "k.dot", "z-dash", "LONG_NAME", "sp ace"], false),
            [.., "additional_contexts"] => (&["a", "b"], false),
            [.., "ssh"] => (&["default", "key"], false),
            _ => (&["A", "TAG", "UNSET", "k.dot", "z-dash"], false),
        };
        let mut entries = Vec::new();
        let top = steps.len() == 1;
        let before = self.service;
        for (at, name) in names.iter().enumerate() {
            if !(all && !self.over || self.chance.one_in(2)) {
                continue;
            }
            if top {
                self.service = name;
                self.others = if path == "services" { names[at + 1..].to_vec() } else { Vec::new() };
            }
            let inner = format!("{path}.*");
            let value = self.tagged(&inner, place);
            entries.push(((*name).to_owned(), value));
        }
        if top {
            self.service = before;
            self.others.clear();
        }
        if !all && self.odd && self.chance.one_in(20) {
            let key = self.chance.of(&["", "a b", "é", "x-own", "9", "A.B-c_d", "nowhere"]);
            entries.push((key.to_owned(), self.value(&format!("{path}.*"), place)));
        }
        entries
    }
}

/// What two items of a list may not share.
fn key_of(path: &str, item: &Tree) -> String {
    let key = |words: &str| -> String {
        let by = |sign: char| words.split(sign).next().unwrap_or_default().to_owned();
        match path.rsplit('.').next() {
            Some(
                "environment"
                | "labels"
                | "args"
                | "annotations"
                | "sysctls"
                | "options"
                | "additional_contexts"
                | "ssh",
            ) => by('='),
            _ => words.to_owned(),
        }
    };
    match item {
        Raw(word) | Text(word) | Tree::Styled(_, word) => key(word),
        Map(entries) => {
            let of = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, value)| plain(value));
            of("target").or_else(|| of("source")).or_else(|| of("path")).unwrap_or_else(|| plain(item))
        }
        other => plain(other),
    }
}

fn usable(steps: &[&str], form: &Form, odd: bool) -> bool {
    match (steps, form) {
        _ if odd => true,
        // The other loader panics.
        ([.., "pid"], Form::Null) => false,
        // Its schema accepts what its decoder refuses.
        (
            [.., "weight"]
            | [.., "tmpfs", "mode"]
            | [.., "build", "ulimits", _]
            | [.., "build", "ulimits", _, "soft" | "hard"],
            Form::Text { .. },
        ) => false,
        ([.., "ssh" | "additional_contexts", "*"], Form::Number | Form::Bool | Form::Null) => false,
        // Null where a list or mapping is merged later is refused; the odd cases have it.
        (["services", _], Form::Null) => false,
        // A weakness of the other loader: texts and fractions that its decoder then refuses.
        ([.., "external"], Form::Object(_)) => false,
        _ => true,
    }
}

fn fraction_fits(steps: &[&str]) -> bool {
    matches!(
        steps,
        [
            ..,
            "cpus"
                | "max_failure_ratio"
                | "value"
                | "cpu_shares"
                | "cpu_quota"
                | "cpu_period"
                | "cpu_rt_period"
                | "cpu_rt_runtime"
                | "pids_limit"
                | "gw_priority"
                | "priority"
        ] | [.., "environment" | "labels" | "args" | "annotations" | "sysctls" | "driver_opts" | "options", "*"]
    )
}

fn add_kind(entries: &mut Vec<(String, Tree)>, kind: &str, chance: &mut Chance) {
    entries.retain(|(name, _)| name != kind);
    let value = match kind {
        "external" => raw(chance.of(&["true", "\"true\"", "true"])),
        "file" => text(chance.of(words::good(&["secrets", "key", "file"]))),
        "environment" => text(chance.of(&["TAG", "UNSET", "PORT"])),
        "content" => text(chance.of(&["plain", "with ${TAG}\n", "a: 1\nb: $$x\n"])),
        _ => text("vault"),
    };
    entries.push((kind.to_owned(), value));
}

/// Takes out of a mapping what cannot stand beside the rest.
fn consistent(path: &str, entries: &mut Vec<(String, Tree)>, chance: &mut Chance, odd: bool) {
    if odd && chance.one_in(20) {
        return;
    }
    let has = |entries: &[(String, Tree)], name: &str| entries.iter().any(|(key, _)| key == name);
    let of = |entries: &[(String, Tree)], name: &str| {
        entries.iter().find(|(key, _)| key == name).map(|(_, value)| plain(value)).unwrap_or_default()
    };
    let steps: Vec<&str> = path.split('.').collect();
    match steps.as_slice() {
        [.., "volumes", "[]"] if steps.len() > 2 => {
            let kind = of(entries, "type");
            entries.retain(|(key, _)| !matches!(key.as_str(), "bind" | "volume" | "tmpfs" | "image") || *key == kind);
            if !has(entries, "target") {
                entries.push(("target".to_owned(), text("/needed")));
            }
            entries.retain(|(key, _)| key != "source");
            match kind.as_str() {
                "bind" => {
                    entries.push(("source".to_owned(), text(chance.of(&["./x", "/abs/y", "~/z", "..", "C:\\y"]))))
                }
                "volume" if chance.one_in(3) => {}
                "volume" => entries.push(("source".to_owned(), text(chance.of(VOLUMES)))),
                "image" => entries.push(("source".to_owned(), text("alpine"))),
                _ => {}
            }
        }
        [.., "triggers"] if entries.is_empty() => entries.push(("manual".to_owned(), raw("true"))),
        [.., "jobs", _] if !has(entries, "triggers") => {
            entries.push(("triggers".to_owned(), Map(vec![("manual".to_owned(), raw("true"))])))
        }
        [.., "watch", "[]"] if !has(entries, "target") => entries.push(("target".to_owned(), text("/app"))),
        [.., "ports", "[]"] if !has(entries, "target") => entries.push(("target".to_owned(), raw("80"))),
        [.., "devices", "[]"] if !path.contains("deploy") && !has(entries, "target") => {
            entries.push(("target".to_owned(), text("/dev/t")));
        }
        [.., "configs" | "secrets", "[]"] if steps.len() > 2 && !has(entries, "source") => {
            entries.push(("source".to_owned(), text(if path.contains("configs") { "conf" } else { "key" })));
        }
        _ => {}
    }
}
