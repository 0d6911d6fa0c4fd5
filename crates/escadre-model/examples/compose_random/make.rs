//! Projects that nobody wrote: from the tables, by chance.
//!
//! In: a seed and a count. Out: folders of cases.
//! **Invariant**: a case depends on its seed and number alone.
//! Not here: comparing. Source of what may stand where: the loader's tables.

use crate::schema::{Keys, Object, Pairs, ROOT, SERVICE, Shape, tables as t};
use std::fmt::Write as _;
use std::path::Path;

/// Chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most.max(1) as u64).unwrap_or_default()
    }

    /// One in `of`.
    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// A tree to be written as YAML.
#[derive(Clone)]
enum Tree {
    /// As it stands.
    Raw(String),
    /// A text, quoted where it has to be.
    Text(String),
    Map(Vec<(String, Tree)>),
    List(Vec<Tree>),
}

use Tree::{List, Map, Raw, Text};

fn text(words: impl Into<String>) -> Tree {
    Text(words.into())
}

const SERVICES: &[&str] = &["web", "db", "my_job", "a.b"];
const NETWORKS: &[&str] = &["front", "back", "default"];
const VOLUMES: &[&str] = &["data", "cache"];
const VARIABLES: &[&str] = &["TAG", "EMPTY", "UNSET", "PORT", "FLAG"];
const WORDS: &[&str] = &[
    "x", "alpha", "a b", "yes", "1", "0x10", "true", "~", "null", "a=b", "a: b", "", "é", "1.5", "a,b", "$$x", "-",
    "on",
];

struct Maker {
    chance: Chance,
    /// One in this many values is not what the table asks for; 0: none.
    wild: usize,
    /// Whether tags of overriding files may stand here.
    over: bool,
    /// Whether words that are probably refused may be chosen.
    odd: bool,
    /// The service that is being written.
    service: &'static str,
}

impl Maker {
    fn scalar(&mut self) -> Tree {
        let word = self.chance.of(WORDS);
        if self.chance.one_in(6) { self.variable() } else { text(word) }
    }

    fn variable(&mut self) -> Tree {
        let name = self.chance.of(VARIABLES);
        let forms = ["${N}", "$N", "${N:-x}", "${N-x}", "${N:+y}", "${N+y}", "p${N}s", "${N:-${TAG}}", "${N:?gone}"];
        let forms = if self.odd || name == "TAG" { &forms[..] } else { &forms[..8] };
        text(self.chance.of(forms).replace('N', name))
    }

    /// Something of any type.
    fn wild(&mut self) -> Tree {
        match self.chance.below(8) {
            0 => Raw("null".to_owned()),
            1 => Raw(self.chance.of(&["true", "no", "False", "on"]).to_owned()),
            2 => Raw(self
                .chance
                .of(&["0", "1", "-1", "010", "0o17", "0x1F", "1_000", "99999999999999999999"])
                .to_owned()),
            3 => Raw(self.chance.of(&["1.5", "1e3", ".5", "2.0", "1."]).to_owned()),
            4 => List(vec![]),
            5 => Map(vec![]),
            6 => List(vec![self.scalar(), self.scalar()]),
            _ => self.scalar(),
        }
    }

    fn several(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> Tree) -> Tree {
        let count = self.chance.below(most + 1);
        let mut items: Vec<Tree> = Vec::new();
        // Tags within a list reach nothing: items have no names.
        let over = std::mem::take(&mut self.over);
        for _ in 0..count {
            let item = make(self);
            if self.odd && self.chance.one_in(30) || !items.iter().any(|known| as_text(known) == as_text(&item)) {
                items.push(item);
            }
        }
        self.over = over;
        List(items)
    }

    /// A value for a shape; `key` helps to make sense.
    fn value(&mut self, key: &str, shape: &Shape) -> Tree {
        if self.wild > 0 && self.chance.one_in(self.wild) {
            return self.wild();
        }
        match shape {
            Shape::Text | Shape::TextOrNull => self.words(key),
            Shape::TextOrNumber => self.number(),
            Shape::TextOrBool => {
                if self.chance.one_in(2) {
                    self.boolean()
                } else {
                    text("mode=max")
                }
            }
            Shape::Choice(words) => text(self.chance.of(words)),
            Shape::Rule(..) if key == "pull_policy" => {
                text(self.chance.of(&["always", "if_not_present", "missing", "every_12h", "daily", "every_1w2d"]))
            }
            Shape::Rule(..) => text(self.chance.of(&["box", "my.box", "Box_1"])),
            Shape::Bool { text, .. } | Shape::OptOut { text } => {
                if *text && self.chance.one_in(5) {
                    Text(self.chance.of(&["true", "false", "yes", "on", "${FLAG}"]).to_owned())
                } else {
                    self.boolean()
                }
            }
            Shape::Int(integer) => {
                let lowest = if integer.least < 0 && self.chance.one_in(4) { "-1" } else { "3" };
                if integer.text && self.chance.one_in(4) {
                    text(self.chance.of(&["7", "0", "${PORT}", "010"]))
                } else if integer.fraction && self.chance.one_in(6) {
                    Raw("2.0".to_owned())
                } else {
                    Raw(self.chance.of(&["0", "1", "100", lowest]).to_owned())
                }
            }
            Shape::Float { fraction, .. } => match self.chance.below(4) {
                0 => text(self.chance.of(&["0.5", "1", "0.123456789"])),
                1 if *fraction => Raw(self.chance.of(&["0.25", "1.50", "0.1"]).to_owned()),
                _ => Raw(self.chance.of(&["0", "1", "50"]).to_owned()),
            },
            Shape::Bytes { number, .. } => {
                if *number && self.chance.one_in(3) {
                    Raw(self.chance.of(&["0", "1024", "60"]).to_owned())
                } else {
                    text(
                        self.chance.of(&["64m", "1g", "512M", "1.5G", "100", "0", "2kb", "1 gb", "1Gi", "-1", "10MiB"]),
                    )
                }
            }
            Shape::Duration { .. } => {
                text(self.chance.of(&["10s", "1m30s", "0s", "1h", "500ms", "1.5s", "2d", "1w", "0", "100us"]))
            }
            Shape::Mode | Shape::TmpfsMode => match self.chance.below(3) {
                0 => Raw(self.chance.of(&["0440", "0o440", "288", "1777"]).to_owned()),
                _ => text(self.chance.of(&["0440", "777", "0"])),
            },
            Shape::DeviceCount => {
                if self.chance.one_in(2) {
                    text(self.chance.of(&["all", "2"]))
                } else {
                    Raw("1".to_owned())
                }
            }
            Shape::Object(object) => self.object(object),
            Shape::Short(word, object) => {
                if self.chance.one_in(2) {
                    self.words(word)
                } else {
                    self.object(object)
                }
            }
            Shape::Dict(keys, of) => self.dict(key, *keys, of),
            Shape::Named(of) => self.named(key, of),
            Shape::List { of, .. } => self.several(3, |maker| maker.value(key, of)),
            Shape::Texts { .. } => self.several(3, |maker| maker.item(key)),
            Shape::TextOrTexts { .. } => {
                if self.chance.one_in(2) {
                    self.item(key)
                } else {
                    self.several(3, |maker| maker.item(key))
                }
            }
            Shape::TextsOrNumbers => self.several(3, |maker| {
                if key == "expose" {
                    match maker.chance.below(3) {
                        0 => Raw("80".to_owned()),
                        1 => text("3000"),
                        _ => text("8000-8010/udp"),
                    }
                } else {
                    maker.number()
                }
            }),
            Shape::Command => self.command(),
            Shape::HealthTest => match self.chance.below(5) {
                0 => List(vec![text("CMD"), text("true")]),
                1 => List(vec![text("CMD-SHELL"), text("a || b")]),
                2 => List(vec![text("NONE")]),
                3 => text("curl -f http://x/ || exit 1"),
                _ => List(vec![text("true"), self.scalar()]),
            },
            Shape::Pairs(pairs) => self.pairs(*pairs),
            Shape::Options { null } => {
                let null = *null;
                self.map(|maker| match maker.chance.below(4) {
                    0 => Raw("5".to_owned()),
                    1 => Raw("1.5".to_owned()),
                    2 if null => Raw("null".to_owned()),
                    _ => maker.scalar(),
                })
            }
            Shape::MultiOptions => self.map(|maker| match maker.chance.below(4) {
                0 => maker.number(),
                1 => maker.boolean(),
                2 => maker.several(2, Self::number),
                _ => maker.scalar(),
            }),
            Shape::Hosts => {
                if self.chance.one_in(2) {
                    self.several(3, |maker| {
                        text(maker.chance.of(&[
                            "a:1.2.3.4",
                            "b=1.2.3.5",
                            "c=[::1]",
                            "d:::1",
                            "a=host-gateway",
                            "e=::2",
                        ]))
                    })
                } else {
                    Map(vec![
                        ("a".to_owned(), text("1.2.3.4")),
                        ("b".to_owned(), List(vec![text("::1"), text("1.1.1.1")])),
                    ])
                }
            }
            Shape::Ulimit => {
                if self.chance.one_in(2) {
                    Raw("1024".to_owned())
                } else {
                    self.object(&t::ULIMIT)
                }
            }
            Shape::Ports => {
                self.several(3, |maker| if maker.chance.one_in(4) { maker.object(&t::PORT) } else { maker.port() })
            }
            Shape::Port => self.object(&t::PORT),
            Shape::Volume => {
                if self.chance.one_in(4) {
                    self.mount()
                } else {
                    self.volume()
                }
            }
            Shape::Device => {
                if self.chance.one_in(3) {
                    self.object(&t::DEVICE)
                } else {
                    text(self.chance.of(&[
                        "/dev/a",
                        "/dev/a:/dev/b",
                        "/dev/a:/dev/b:rw",
                        "/dev/a:r",
                        "vendor.com/class=x",
                    ]))
                }
            }
            Shape::FileReference => {
                let source = if key == "configs" { "conf" } else { "key" };
                if self.chance.one_in(2) {
                    text(source)
                } else {
                    match self.object(&t::FILE_REFERENCE) {
                        Map(mut entries) => {
                            entries.retain(|(name, _)| name != "source");
                            entries.push(("source".to_owned(), text(source)));
                            Map(entries)
                        }
                        other => other,
                    }
                }
            }
            Shape::EnvFiles => match self.chance.below(3) {
                0 => text("a.env"),
                1 => List(vec![text("a.env"), text("./b.env")]),
                _ => List(vec![
                    Map(vec![("path".to_owned(), text("gone.env")), ("required".to_owned(), Raw("false".to_owned()))]),
                    text("b.env"),
                ]),
            },
            Shape::DependsOn => {
                let others = self.others();
                if self.chance.one_in(2) {
                    self.several(2, |maker| text(maker.chance.of(others)))
                } else {
                    let other = self.chance.of(others).to_owned();
                    Map(vec![(other, self.object(&t::DEPENDENCY))])
                }
            }
            Shape::Build => {
                if self.chance.one_in(3) {
                    text(self.chance.of(&[".", "./dir", "https://x.example/y.git#main", "../up"]))
                } else {
                    self.object(&t::BUILD)
                }
            }
            Shape::Gpus => {
                if self.chance.one_in(2) {
                    text("all")
                } else {
                    self.several(2, |maker| maker.object(&t::GPU))
                }
            }
            Shape::External => self.boolean(),
            Shape::Schedule => {
                if self.chance.one_in(2) {
                    text("0 3 * * *")
                } else {
                    self.object(&t::SCHEDULE)
                }
            }
        }
    }

    /// Services that the one being written may refer to.
    fn others(&self) -> &'static [&'static str] {
        if self.service == "web" || self.odd { &["db", "my_job"] } else { &["a.b"] }
    }

    fn boolean(&mut self) -> Tree {
        Raw(self.chance.of(&["true", "false"]).to_owned())
    }

    fn number(&mut self) -> Tree {
        match self.chance.below(3) {
            0 => Raw("80".to_owned()),
            1 => text("8080"),
            _ => text(self.chance.of(&["9000-9002", "x", "${PORT}"])),
        }
    }

    fn command(&mut self) -> Tree {
        match self.chance.below(4) {
            0 => List(vec![text("sh"), text("-c"), self.scalar()]),
            1 => Raw("null".to_owned()),
            2 => text(""),
            _ => text(self.chance.of(&[
                "echo 'a b' c",
                "run --x=\"1 2\" y",
                "a\\ b c",
                "echo \"it's\"",
                "a 'b",
                "x  y",
                "a # b",
                "a\"b\"c",
                "a ; b",
                "a | b",
                "echo $$HOME `x`",
            ])),
        }
    }

    /// A text that makes sense for an attribute.
    fn words(&mut self, key: &str) -> Tree {
        let words: &[&str] = match key {
            "image" => &["nginx", "nginx:${TAG}", "reg.example:5000/a/b@sha256:aaaa", "a/b:1"],
            "network_mode" => &["host", "none", "bridge", "service:a.b"],
            "ipc" => &["host", "shareable", "service:a.b"],
            "pid" => &["host", "service:a.b"],
            "restart" => &["no", "always", "on-failure:3", "unless-stopped"],
            "path" | "file" | "context" => &["./a", "a.env", "/abs", "~/x", "../y", "."],
            "dockerfile" => &["Dockerfile", "sub/D.x", "../D"],
            "subnet" => &["10.0.0.0/24", "fd00::/64"],
            "protocol" => &["tcp", "udp"],
            "source" => &["data", "./x", "/abs/y", "~/z"],
            "target" => &["/t", "/t/u/", "t", "C:\\x"],
            "service" => &["web", "db"],
            "mac_address" => &["02:42:ac:11:65:43"],
            "condition" | "failure_action" => &["none", "on-failure", "any"],
            "name" | "driver" => &["local", "x_${TAG}", "bridge", "n1"],
            "mode" => &["replicated", "host", "ingress"],
            _ => return self.scalar(),
        };
        text(self.chance.of(words))
    }

    /// A member of a list of texts.
    fn item(&mut self, key: &str) -> Tree {
        let words: &[&str] = match key {
            "cap_add" | "cap_drop" => &["ALL", "NET_ADMIN", "SYS_TIME"],
            "profiles" => &["one", "two"],
            "dns" => &["1.1.1.1", "8.8.8.8"],
            "volumes_from" => &["a.b", "a.b:ro", "container:x"],
            "links" => &["a.b", "a.b:alias"],
            "external_links" => &["other", "other:alias"],
            "tmpfs" => &["/run", "/tmp:size=64m", "/x:mode=755,uid=1"],
            "label_file" => &["a.env"],
            "platforms" => &["linux/amd64", "linux/arm64"],
            _ => return self.scalar(),
        };
        text(self.chance.of(words))
    }

    fn port(&mut self) -> Tree {
        match self.chance.below(6) {
            0 => Raw("80".to_owned()),
            1 => text("${PORT}:80"),
            2 => text("3000-3002:4000-4002"),
            _ => text(self.chance.of(&[
                "8080:80",
                "127.0.0.1:8001:8001/udp",
                "80",
                "9000-9001",
                "[::1]:6000:7000",
                "0.0.0.0::90",
                "7000-7009:80",
                ":81",
                "1:2/sctp",
                "3000-3005",
                "22:22/tcp",
                "8081:80/TCP",
                "a:80",
                "80:b",
                "70000:1",
                "::1:80:81",
            ][..if self.odd { 16 } else { 12 }])),
        }
    }

    fn volume(&mut self) -> Tree {
        text(self.chance.of(&[
            "data:/d",
            "./src:/s:ro",
            "/abs:/a:rw,z",
            "cache:/c:nocopy",
            "/anon",
            "~/h:/h",
            "../u:/u:rslave",
            "data:/d2:ro,volume-nocopy",
            ".:/dot",
            "${TAG}:/v",
            "C:\\x:/w",
            "./x:/s",
            "data:/d/",
            "data:/d:bogus",
            "./src:/s:cached",
            "a/b:/c",
        ]))
    }

    fn mount(&mut self) -> Tree {
        let kind = self.chance.of(&["bind", "volume", "tmpfs", "image"]);
        let mut entries =
            vec![("type".to_owned(), text(kind)), ("target".to_owned(), text(self.chance.of(&["/t", "/u/", "/s"])))];
        match kind {
            "bind" => entries.push(("source".to_owned(), text(self.chance.of(&["./b", "/b", "~/b"])))),
            "volume" => entries.push(("source".to_owned(), text("data"))),
            "image" => entries.push(("source".to_owned(), text("alpine"))),
            _ => {}
        }
        for (name, object) in [
            ("bind", &t::MOUNT_BIND),
            ("volume", &t::MOUNT_VOLUME),
            ("tmpfs", &t::MOUNT_TMPFS),
            ("image", &t::MOUNT_IMAGE),
        ] {
            if name == kind && self.chance.one_in(2) {
                entries.push((name.to_owned(), self.object(object)));
            }
        }
        Map(entries)
    }

    fn pairs(&mut self, pairs: Pairs) -> Tree {
        if self.chance.one_in(2) {
            let contexts = pairs == Pairs::Contexts;
            return self.several(4, |maker| match maker.chance.below(if contexts { 3 } else { 4 }) {
                0 => text("A=1"),
                1 => text("B=x=${TAG}"),
                2 => text("LONG_NAME= y "),
                _ => text(maker.chance.of(&["TAG", "UNSET", "C="])),
            });
        }
        self.map(|maker| match maker.chance.below(6) {
            0 => Raw("5".to_owned()),
            1 => Raw("1.50".to_owned()),
            2 => maker.boolean(),
            3 => Raw("null".to_owned()),
            _ => maker.scalar(),
        })
    }

    fn map(&mut self, mut value: impl FnMut(&mut Self) -> Tree) -> Tree {
        let mut entries = Vec::new();
        for key in ["A", "TAG", "UNSET", "k.dot", "z-dash"] {
            if self.chance.one_in(3) {
                entries.push((key.to_owned(), value(self)));
            }
        }
        Map(entries)
    }

    fn dict(&mut self, key: &str, keys: Keys, of: &Shape) -> Tree {
        let names: &[&str] = match (key, keys) {
            (_, Keys::Words) => &["nofile", "nproc"],
            ("services", _) => SERVICES,
            ("networks", _) => NETWORKS,
            ("volumes", _) => VOLUMES,
            ("configs", _) => &["conf"],
            ("secrets", _) => &["key"],
            ("models", _) => &["llm"],
            _ => &["A", "B"],
        };
        let all = matches!(key, "services" | "networks" | "volumes" | "configs" | "secrets" | "models");
        let mut entries = Vec::new();
        for name in names {
            if all && !self.over || self.chance.one_in(2) {
                if key == "services" {
                    self.service = name;
                }
                entries.push(((*name).to_owned(), self.value(name, of)));
            }
        }
        Map(entries)
    }

    fn named(&mut self, key: &str, of: &Shape) -> Tree {
        let names: &[&str] = if key == "networks" { NETWORKS } else { &["llm"] };
        let list = self.chance.one_in(2);
        let chosen: Vec<&str> = names.iter().copied().filter(|_| self.chance.one_in(2)).collect();
        if list {
            return List(chosen.into_iter().map(text).collect());
        }
        let entries = chosen.into_iter().map(|name| {
            let value = if self.chance.one_in(3) { Raw("null".to_owned()) } else { self.value("", of) };
            (name.to_owned(), value)
        });
        Map(entries.collect())
    }

    fn object(&mut self, object: &Object) -> Tree {
        let mut entries = Vec::new();
        let service = std::ptr::eq(object, &raw const SERVICE);
        let fields: Vec<_> = object.parts.iter().flat_map(|part| part.iter()).collect();
        let few = if service { 25 } else { 2 };
        let external = fields.iter().any(|(name, _)| *name == "external") && self.chance.one_in(4);
        for (name, shape) in fields {
            let wanted = object.required.contains(name) || service && *name == "image" && !self.over;
            // A service that extends is chosen by `project`, includes and jobs by nothing yet.
            let taken = |other: &str| entries.iter().any(|(name, _): &(String, Tree)| name == other);
            let clash = match *name {
                "external" => true,
                "network_mode" => taken("networks") || self.service == "a.b",
                "ipc" | "pid" | "volumes_from" | "links" | "depends_on" => self.service == "a.b",
                "device_ids" => taken("count"),
                "dockerfile_inline" => taken("dockerfile"),
                "container_name" => true,
                "scale" => taken("deploy"),
                _ => external && !matches!(*name, "name"),
            };
            if clash && !self.odd {
                continue;
            }
            let needed = matches!(*name, "target" | "source")
                && (std::ptr::eq(object, &raw const t::PORT) && *name == "target"
                    || std::ptr::eq(object, &raw const t::DEVICE));
            let wanted = wanted || needed;
            if matches!(*name, "extends" | "triggers" | "credential_spec" | "provider")
                || !wanted && !self.chance.one_in(few)
            {
                continue;
            }
            if std::ptr::eq(object, &raw const t::SECRET) || std::ptr::eq(object, &raw const t::CONFIG) {
                continue;
            }
            let tagged = self.over && self.chance.one_in(12);
            let over = self.over;
            self.over = over && !tagged;
            let value = self.value(name, shape);
            self.over = over;
            entries.push(((*name).to_owned(), if tagged { self.tagged(&value) } else { value }));
        }
        if std::ptr::eq(object, &raw const t::SECRET) || std::ptr::eq(object, &raw const t::CONFIG) {
            entries.push(match self.chance.below(3) {
                0 => ("file".to_owned(), self.words("file")),
                1 => ("environment".to_owned(), text("TAG")),
                _ => ("external".to_owned(), Raw("true".to_owned())),
            });
        }
        if external && !entries.iter().any(|(name, _)| name == "external") {
            entries.push(("external".to_owned(), Raw("true".to_owned())));
        }
        if object.extensions && self.chance.one_in(12) {
            entries.push(("x-own".to_owned(), self.wild()));
        }
        if self.wild > 0 && self.chance.one_in(self.wild) {
            entries.push((self.chance.of(&["bogus", "imge", "Image"]).to_owned(), self.scalar()));
        }
        Map(entries)
    }

    fn tagged(&mut self, value: &Tree) -> Tree {
        if self.chance.one_in(2) {
            return Raw("!reset null".to_owned());
        }
        Raw(format!("!override {}", as_text(value)))
    }

    /// A whole file.
    fn file(&mut self) -> Tree {
        let mut entries = Vec::new();
        for (name, shape) in ROOT.parts.iter().flat_map(|part| part.iter()) {
            match *name {
                "include" | "jobs" | "models" => continue,
                "version" | "name" if !self.chance.one_in(8) => continue,
                "name" => entries.push(("name".to_owned(), text(self.chance.of(&["proj", "p-${TAG}", "My.Proj"])))),
                "version" => entries.push(("version".to_owned(), text("3.8"))),
                _ => entries.push(((*name).to_owned(), self.value(name, shape))),
            }
        }
        if !self.over {
            entries.push(("models".to_owned(), Map(vec![("llm".to_owned(), self.object(&t::MODEL))])));
        }
        Map(entries)
    }

    fn extends(&mut self, root: &mut Tree, from: &str) {
        let Map(entries) = root else { return };
        let Some((_, Map(services))) = entries.iter_mut().find(|(name, _)| name == "services") else { return };
        let Some((_, Map(service))) = services.iter_mut().find(|(name, _)| name == "web") else { return };
        let form = if from.is_empty() {
            if self.chance.one_in(2) { text("db") } else { Map(vec![("service".to_owned(), text("db"))]) }
        } else {
            Map(vec![("file".to_owned(), text(from)), ("service".to_owned(), text(self.chance.of(&["web", "db"])))])
        };
        service.push(("extends".to_owned(), form));
    }
}

fn as_text(tree: &Tree) -> String {
    let mut out = String::new();
    flow(tree, &mut out);
    out
}

fn plain(word: &str) -> bool {
    !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'/'))
        && word.bytes().any(|b| b.is_ascii_lowercase() && !b"xe".contains(&b))
        && !matches!(word, "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n")
}

fn quoted(word: &str, out: &mut String) {
    if plain(word) {
        out.push_str(word);
    } else {
        out.push_str(&serde_json::to_string(word).unwrap_or_default());
    }
}

fn flow(tree: &Tree, out: &mut String) {
    match tree {
        Raw(word) => out.push_str(word),
        Text(word) => quoted(word, out),
        List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                flow(item, out);
            }
            out.push(']');
        }
        Map(entries) => {
            out.push('{');
            for (at, (key, value)) in entries.iter().enumerate() {
                out.push_str(if at > 0 { ", " } else { "" });
                quoted(key, out);
                out.push_str(": ");
                flow(value, out);
            }
            out.push('}');
        }
    }
}

/// The upper levels as blocks, the rest in one line.
fn block(tree: &Tree, level: usize, out: &mut String) {
    let Map(entries) = tree else { return };
    for (key, value) in entries {
        let _ = write!(out, "{:1$}", "", level * 2);
        quoted(key, out);
        out.push(':');
        match value {
            Map(inner) if level < 3 && !inner.is_empty() => {
                out.push('\n');
                block(value, level + 1, out);
            }
            _ => {
                out.push(' ');
                flow(value, out);
                out.push('\n');
            }
        }
    }
}

/// Writes cases `seed` to `seed + count`.
pub(crate) fn write(folder: &str, seed: u64, count: u64) -> std::io::Result<()> {
    for number in seed..seed.saturating_add(count) {
        let folder = Path::new(folder).join(format!("case{number:06}"));
        std::fs::create_dir_all(&folder)?;
        let mut maker =
            Maker { chance: Chance(number.wrapping_mul(7919)), wild: 0, over: false, odd: false, service: "" };
        if maker.chance.one_in(3) {
            maker.wild = 400;
        }
        maker.odd = maker.chance.one_in(4);
        let put = |name: &str, content: &str| std::fs::write(folder.join(name), content);
        let mut names = vec!["compose.yaml"];
        let shown = |tree: &Tree| {
            let mut out = String::new();
            block(tree, 0, &mut out);
            out
        };
        let mut root = maker.file();
        match maker.chance.below(6) {
            0 => maker.extends(&mut root, ""),
            1 => {
                put("base.yaml", &shown(&maker.file()))?;
                maker.extends(&mut root, "base.yaml");
            }
            _ => {}
        }
        put("compose.yaml", &shown(&root))?;
        if maker.chance.one_in(2) {
            names.push("over.yaml");
            maker.over = true;
            put("over.yaml", &shown(&maker.file()))?;
        }
        put("a.env", "A=1\nLONG=\"x ${TAG} y\"\nQ='$TAG'\n# no\nexport E=5 # c\n")?;
        put("b.env", "B=\nTAG\nD=${A:-none}\n")?;
        if maker.chance.one_in(4) {
            put(".env", "FROM_FILE=1\nFLAG=false\n")?;
        }
        let profiles: &[&str] = if maker.chance.one_in(2) { &["one"] } else { &[] };
        let env = serde_json::json!({"TAG": "v1", "EMPTY": "", "PORT": "8090", "FLAG": "true"});
        put("case.json", &serde_json::json!({"files": names, "env": env, "profiles": profiles}).to_string())?;
    }
    Ok(())
}
