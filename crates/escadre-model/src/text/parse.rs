//! From bytes to trees.
//!
//! In: a file's name and bytes. Out: one [`Node`] per document, and findings.
//! **Invariant**: work and memory are bounded by [`Limits`]; aliases are shared, never copied; no input panics. A large file is parsed on a second thread, with the
//! same result.
//! Not here: files, meaning.
//! Tests: `tests.rs`.

use super::recent::Recent;
use super::{Key, Mapping, Node, Scalar, Style, Text, Value};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::parallel;
use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, Tag};
use std::collections::HashMap;
use std::sync::Arc;

/// What one file may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes in the file.
    pub bytes: usize,
    /// Nodes as written; an alias counts once, what it refers to is not counted again.
    pub visits: usize,
    /// Nodes once aliases and merge keys stand for what they refer to.
    pub expanded: usize,
    /// Levels of nesting, aliases included.
    pub depth: usize,
}

impl Default for Limits {
    /// 3 MB (what Kubernetes takes in one request), 100,000 nodes as written (what Compose's reference loader visits),
    /// 1,000,000 expanded, 128 levels.
    fn default() -> Self {
        Self { bytes: 3_000_000, visits: 100_000, expanded: 1_000_000, depth: 128 }
    }
}

/// Bytes of a file that is worth a second thread.
const LARGE: usize = 100_000;

/// Reads all documents of a file. On an error the documents before it are returned, and a finding says where it stopped.
/// A file without any document gives none.
pub fn parse(file: &str, bytes: &[u8], limits: Limits) -> (Vec<Node>, Vec<Diagnostic>) {
    let Read { documents, findings, .. } = read(file, bytes, limits);
    (documents, findings)
}

/// What a file says.
#[derive(Debug)]
pub(crate) struct Read {
    /// Its documents, as far as they could be read.
    pub(crate) documents: Vec<Node>,
    /// What is wrong.
    pub(crate) findings: Vec<Diagnostic>,
    /// Nothing in it has a tag that is not one of YAML's own, every key is a text, and every number finite: who looks for such things need not.
    pub(crate) is_plain: bool,
}

/// As [`parse`], and what else is known then.
pub(crate) fn read(file: &str, bytes: &[u8], limits: Limits) -> Read {
    let name: Arc<str> = file.into();
    match decode(&name, bytes, limits) {
        Ok(text) => built(name, text, limits, text.len() >= LARGE),
        Err(finding) => Read { documents: Vec::new(), findings: vec![*finding], is_plain: true },
    }
}

/// The trees of a text; a large one is parsed on a thread of its own.
pub(super) fn built(name: Arc<str>, text: &str, limits: Limits, is_large: bool) -> Read {
    let mut builder = Builder::new(name, limits);
    let each = |next: Next<'_>| builder.next(next, text);
    if is_large {
        parallel::ahead(|give| events(text, limits, give), each);
    } else {
        events(text, limits, each);
    }
    Read { documents: builder.documents, findings: builder.findings, is_plain: builder.is_plain }
}

/// What the parser says next.
type Next<'t> = Result<(Event<'t>, granit_parser::Span), granit_parser::ScanError>;

/// Parses a text; goes on as long as `each` says so.
fn events<'t>(text: &'t str, limits: Limits, mut each: impl FnMut(Next<'t>) -> bool) {
    // The parser's own limits are one above ours, so that ours speak.
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: limits.depth + 1,
        block_nesting_limit: limits.depth + 1,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    while parser.next_event().is_some_and(&mut each) {}
}

/// Reads a file that must hold exactly one document.
pub fn parse_one(file: &str, bytes: &[u8], limits: Limits) -> (Option<Node>, Vec<Diagnostic>) {
    let (mut documents, mut findings) = parse(file, bytes, limits);
    if !findings.is_empty() {
        return (None, findings);
    }
    if documents.len() > 1 {
        findings.push(
            Diagnostic::error(Code::E0116, format!("{file} holds {} documents, one is wanted", documents.len()))
                .at(&documents[1].span),
        );
        return (None, findings);
    }
    if documents.is_empty() {
        findings.push(Diagnostic::error(Code::E0116, format!("{file} is empty")).at(&Span::whole(&file.into())));
    }
    (documents.pop(), findings)
}

type Step<T = ()> = Result<T, Box<Diagnostic>>;

fn decode<'b>(file: &Arc<str>, bytes: &'b [u8], limits: Limits) -> Step<&'b str> {
    let whole = Span::whole(file);
    if bytes.len() > limits.bytes {
        let message = format!("{file} has {} bytes, {} are the most", bytes.len(), limits.bytes);
        return Err(Box::new(Diagnostic::error(Code::E0102, message).at(&whole)));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(Box::new(
            Diagnostic::error(Code::E0101, format!("{file} is UTF-16, UTF-8 is wanted"))
                .at(&whole)
                .hint("save it as UTF-8"),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = place(file, bytes, error.valid_up_to());
        Diagnostic::error(Code::E0101, format!("{file} is not UTF-8 from here on")).at(&place).hint("save it as UTF-8")
    })?;
    let forbidden = |b: &u8| *b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r') || *b == 0x7f;
    if let Some(found) = bytes.iter().position(forbidden) {
        let message = format!("{file} holds the control character U+{:04X}", bytes[found]);
        return Err(Box::new(Diagnostic::error(Code::E0103, message).at(&place(file, bytes, found))));
    }
    Ok(text)
}

/// The place of a byte offset.
fn place(file: &Arc<str>, bytes: &[u8], offset: usize) -> Span {
    let before = &bytes[..offset.min(bytes.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let begin = before.iter().rposition(|b| *b == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[begin..]).chars().count() + 1;
    Span {
        file: Arc::clone(file),
        line: small(line),
        column: small(column),
        start: small(offset),
        end: small(offset + 1),
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A collection that is still open.
struct Open {
    kind: OpenKind,
    span: Span,
    tag: Option<Arc<str>>,
    anchor: usize,
    size: usize,
    height: usize,
}

enum OpenKind {
    Sequence(Vec<Node>),
    Mapping { mapping: Mapping, merges: Vec<Node>, key: Option<(Key, bool)> },
}

/// Collections that are being filled grow; those that are complete are moved out in their exact size, and what they grew in is used again.
#[derive(Default)]
struct Spare {
    sequences: Vec<Vec<Node>>,
    mappings: Vec<Mapping>,
}

/// What an anchor stands for, with its expanded size and its height in levels.
#[derive(Clone)]
struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

struct Builder {
    file: Arc<str>,
    limits: Limits,
    documents: Vec<Node>,
    findings: Vec<Diagnostic>,
    stack: Vec<Open>,
    spare: Spare,
    recent: Recent,
    is_plain: bool,
    anchors: HashMap<usize, Anchored>,
    visits: usize,
    expanded: usize,
}

impl Builder {
    fn new(file: Arc<str>, limits: Limits) -> Self {
        Self {
            file,
            limits,
            documents: Vec::new(),
            findings: Vec::new(),
            stack: Vec::new(),
            spare: Spare::default(),
            recent: Recent::new(),
            is_plain: true,
            anchors: HashMap::new(),
            visits: 0,
            expanded: 0,
        }
    }

    fn span(&self, span: &granit_parser::Span) -> Span {
        Span {
            file: Arc::clone(&self.file),
            line: small(span.start.line()),
            column: small(span.start.col() + 1),
            start: small(span.start.byte_offset().unwrap_or_else(|| span.start.index())),
            end: small(span.end.byte_offset().unwrap_or_else(|| span.end.index())),
        }
    }

    fn syntax(&self, error: &granit_parser::ScanError, text: &str) -> Diagnostic {
        let marker = error.marker();
        let span = self.span(&granit_parser::Span::empty(*marker));
        let words = error.info();
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => return self.too_deep(&span),
            ErrorKind::UnknownAnchor => {
                let message = "this alias refers to an anchor that is not written before it";
                return Diagnostic::error(Code::E0108, message).at(&span);
            }
            _ => {}
        }
        let finding = Diagnostic::error(Code::E0104, format!("not valid YAML: {words}")).at(&span);
        let line = text.lines().nth(marker.line().saturating_sub(1)).unwrap_or("");
        if line.trim_start_matches(' ').starts_with('\t') {
            finding.hint("indent with spaces, not tabs")
        } else {
            finding
        }
    }

    fn too_deep(&self, span: &Span) -> Diagnostic {
        Diagnostic::error(Code::E0107, format!("nested deeper than {} levels", self.limits.depth)).at(span)
    }

    /// Takes what the parser says; whether there is more to be read.
    fn next(&mut self, next: Next<'_>, text: &str) -> bool {
        let step = match next {
            Ok((event, place)) => self.event(event, &place),
            Err(error) => Err(Box::new(self.syntax(&error, text))),
        };
        step.map_err(|finding| self.findings.push(*finding)).is_ok()
    }

    fn event(&mut self, event: Event<'_>, place: &granit_parser::Span) -> Step {
        match event {
            Event::DocumentStart(..) => {
                self.anchors.clear();
                self.stack.clear();
                (self.visits, self.expanded) = (0, 0);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let span = self.span(place);
                self.visit(&span)?;
                // Written as `\0`; no program takes an argument, a variable or a path with one in it.
                if text.contains('\0') {
                    let message = "a text holds the control character U+0000";
                    return Err(Box::new(Diagnostic::error(Code::E0103, message).at(&span)));
                }
                let node = scalar(self.recent.share(text.as_ref()), style, tag.as_deref(), span);
                self.is_plain &= node.tag.is_none() && !node.as_scalar().is_some_and(Scalar::is_endless);
                if let Some(tag) = tag.as_deref().filter(|tag| !fits(tag, &node)) {
                    let message = format!("`{text}` is not what its tag `{}` says", tag.original());
                    self.findings.push(Diagnostic::error(Code::E0109, message).at(&node.span));
                }
                self.finish(node, anchor, 1, 1)?;
            }
            Event::Alias(id) => self.alias(id, place)?,
            Event::SequenceStart(_, anchor, tag) => {
                let items = self.spare.sequences.pop().unwrap_or_default();
                self.open(OpenKind::Sequence(items), anchor, tag.as_deref(), place)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                let mapping = self.spare.mappings.pop().unwrap_or_default();
                self.open(OpenKind::Mapping { mapping, merges: Vec::new(), key: None }, anchor, tag.as_deref(), place)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(place)?,
            _ => {}
        }
        Ok(())
    }

    fn visit(&mut self, span: &Span) -> Step {
        self.visits += 1;
        self.expand(1, span)?;
        if self.visits > self.limits.visits {
            let message = format!("more than {} nodes in one document", self.limits.visits);
            return Err(Box::new(Diagnostic::error(Code::E0106, message).at(span)));
        }
        Ok(())
    }

    fn expand(&mut self, nodes: usize, span: &Span) -> Step {
        self.expanded = self.expanded.saturating_add(nodes);
        if self.expanded > self.limits.expanded {
            let message = format!("more than {} nodes once aliases are expanded", self.limits.expanded);
            return Err(Box::new(Diagnostic::error(Code::E0106, message).at(span)));
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, place: &granit_parser::Span) -> Step {
        let span = self.span(place);
        self.visit(&span)?;
        let Some(Anchored { node, size, height }) = self.anchors.get(&id).cloned() else {
            let message = "this alias stands inside its own anchor";
            return Err(Box::new(Diagnostic::error(Code::E0108, message).at(&span)));
        };
        if self.stack.len() + height > self.limits.depth {
            return Err(Box::new(self.too_deep(&span)));
        }
        self.expand(size, &span)?;
        self.finish(node, 0, size, height)
    }

    fn open(&mut self, kind: OpenKind, anchor: usize, tag: Option<&Tag>, place: &granit_parser::Span) -> Step {
        let span = self.span(place);
        self.visit(&span)?;
        if self.stack.len() >= self.limits.depth {
            return Err(Box::new(self.too_deep(&span)));
        }
        let tag = tag.and_then(custom);
        self.is_plain &= tag.is_none();
        self.stack.push(Open { kind, span, tag, anchor, size: 1, height: 1 });
        Ok(())
    }

    fn close(&mut self, place: &granit_parser::Span) -> Step {
        let end = self.span(place).end;
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let Open { kind, mut span, tag, anchor, size, height } = open;
        span.end = span.end.max(end);
        let value = match kind {
            OpenKind::Sequence(mut grown) => {
                let items = Vec::from_iter(grown.drain(..));
                self.spare.sequences.push(grown);
                Value::Sequence(Arc::new(items))
            }
            OpenKind::Mapping { mapping: mut grown, merges, .. } => {
                for merge in &merges {
                    self.merge(&mut grown, merge)?;
                }
                let mapping = grown.take();
                self.spare.mappings.push(grown);
                Value::Mapping(Arc::new(mapping))
            }
        };
        self.finish(Node { value, span, tag, raw: None }, anchor, size, height)
    }

    /// Adds what `<<` brings: keys that are not written beside it, earlier sources winning.
    fn merge(&mut self, mapping: &mut Mapping, source: &Node) -> Step {
        match &source.value {
            Value::Mapping(entries) => {
                self.expand(entries.len(), &source.span)?;
                for (key, node) in entries.iter() {
                    if !mapping.contains(&key.text) {
                        mapping.insert(key.clone(), node.clone());
                    }
                }
                Ok(())
            }
            Value::Sequence(items) if items.iter().all(|item| item.as_mapping().is_some()) => {
                items.iter().try_for_each(|item| self.merge(mapping, item))
            }
            _ => {
                let message = format!("`<<` takes a mapping or a list of mappings, here is {}", source.kind());
                Err(Box::new(Diagnostic::error(Code::E0111, message).at(&source.span)))
            }
        }
    }

    /// Puts a complete node where it belongs.
    fn finish(&mut self, node: Node, anchor: usize, size: usize, height: usize) -> Step {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { node: node.clone(), size, height });
        }
        let Some(open) = self.stack.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.size = open.size.saturating_add(size);
        open.height = open.height.max(height + 1);
        match &mut open.kind {
            OpenKind::Sequence(items) => items.push(node),
            OpenKind::Mapping { mapping, merges, key } => match key.take() {
                None => {
                    // A quoted `<<` is a key like any other.
                    let merges = matches!(&node.value, Value::Scalar(scalar) if scalar.style == super::Style::Plain && scalar.as_str() == Some("<<"));
                    let name = as_key(node)?;
                    self.is_plain &= !name.typed;
                    *key = Some((name, merges));
                }
                Some((name, true)) => {
                    merges.push(node);
                    // A second `<<` is a duplicate like any other.
                    if merges.len() > 1 {
                        let message = "`<<` is written twice in one mapping";
                        return Err(Box::new(
                            Diagnostic::error(Code::E0105, message).at(&name.span).hint("write `<<: [*a, *b]`"),
                        ));
                    }
                }
                Some((name, false)) => {
                    if let Some(first) = mapping.key(&name.text) {
                        let finding =
                            Diagnostic::error(Code::E0105, format!("the key `{}` is written twice", name.text))
                                .label(&name.span, "again here")
                                .label(&first.span, "first here");
                        // The first value stays; reading goes on, so that everything wrong is found at once.
                        self.findings.push(finding);
                    } else {
                        mapping.insert(name, node);
                    }
                }
            },
        }
        Ok(())
    }
}

fn as_key(node: Node) -> Step<Key> {
    let (text, typed): (Arc<str>, bool) = match &node.value {
        Value::Null => ("null".into(), true),
        Value::Scalar(scalar) => {
            (scalar.text.letters().unwrap_or_default(), !matches!(scalar.resolve(), super::Resolved::Text))
        }
        Value::Sequence(_) | Value::Mapping(_) => {
            let message = format!("a key must be a text, here is {}", node.kind());
            return Err(Box::new(Diagnostic::error(Code::E0110, message).at(&node.span)));
        }
    };
    Ok(Key { text, span: node.span, typed, origin: super::Origin::Written })
}

/// The tag as written, unless it is one of YAML's core tags.
fn custom(tag: &Tag) -> Option<Arc<str>> {
    (tag.core_suffix().is_none() && tag.original() != "!").then(|| tag.original().into())
}

/// Whether a scalar reads as what a core tag before it says.
fn fits(tag: &Tag, node: &Node) -> bool {
    let reads = node.as_scalar().map_or(super::Resolved::Null, super::Scalar::resolve);
    match tag.core_suffix() {
        Some("int") => matches!(reads, super::Resolved::Integer(_)),
        Some("float") => matches!(reads, super::Resolved::Integer(_) | super::Resolved::Float(_)),
        Some("bool") => matches!(reads, super::Resolved::Bool(_)),
        Some("null") => matches!(reads, super::Resolved::Null),
        _ => true,
    }
}

fn scalar(text: Arc<str>, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Node {
    let style = if style == ScalarStyle::Plain { Style::Plain } else { Style::Quoted };
    let style = match tag {
        Some(tag) => match tag.core_suffix() {
            Some("str") => Style::Quoted,
            Some("int" | "float" | "bool" | "null") => Style::Plain,
            _ if tag.original() == "!" => Style::Quoted,
            _ => style,
        },
        None => style,
    };
    // `!!float 3` is a number that may have a fraction.
    let whole = || text.bytes().all(|byte| byte.is_ascii_digit());
    let scalar = match tag.and_then(Tag::core_suffix) {
        Some("float") if !text.is_empty() && whole() => Scalar { text: Text::from(format!("{text}.0")), style },
        _ => Scalar { text: Text::from(text), style },
    };
    let value = if matches!(scalar.resolve(), super::Resolved::Null) { Value::Null } else { Value::Scalar(scalar) };
    Node { value, span, tag: tag.and_then(custom), raw: None }
}
