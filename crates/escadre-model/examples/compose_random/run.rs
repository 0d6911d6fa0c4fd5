//! The comparison: many cases, each asked of both.
//!
//! In: the other loader, a seed, a count. Out: counts, coverage, each kind of difference once and shrunk.
//! **Invariant**: a difference that is not listed is kept in `found`.
//! Not here: making cases, comparing two answers.

use super::case::{self, Case};
use super::compare::{differences, kind, ours};
use super::listed::{self, Listed};
use super::peer::{Answer, Peer};
use super::shrink::shrink;
use super::spec::{self, Place};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cases that are asked at once, so that both sides always have something to do.
const AT_ONCE: u64 = 16;

/// Kinds of differences that are shrunk; more are counted only.
const MOST_KINDS: usize = 60;

impl Drop for Run {
    fn drop(&mut self) {
        // What is left in a folder for temporary files hurts nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A kind of difference that no list names.
pub(crate) struct Found {
    pub(crate) difference: String,
    /// The seed, or the name, of the first project that shows it.
    pub(crate) first: String,
    pub(crate) count: usize,
    /// The smallest project that shows it.
    pub(crate) smallest: Option<Case>,
}

/// A comparison that is going on.
pub(crate) struct Run {
    peer: Peer,
    /// What may stand where.
    pub(crate) schema: Rc<Place>,
    listed: Vec<Listed>,
    folder: PathBuf,
    /// Projects of which both make the same model.
    pub(crate) same: usize,
    both_refuse: usize,
    /// Why both refuse what is meant to be right, in the other loader's words.
    unmeant: BTreeMap<String, (usize, u64)>,
    /// Cases in which the other loader gave several answers, one of them ours.
    undecided: usize,
    explained: BTreeMap<usize, usize>,
    explained_cases: usize,
    /// Unlisted differences by kind.
    pub(crate) found: BTreeMap<String, Found>,
    /// Forms of places in projects that both accept, with how often.
    covered: BTreeMap<String, usize>,
}

impl Run {
    /// Starts the other loader and asks it for the schema.
    pub(crate) fn start(program: &Path) -> std::io::Result<Self> {
        let mut peer = Peer::start(program)?;
        let schema = spec::compile(&peer.schema()?);
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("escadre-compose-random-{}-{number}", std::process::id()));
        let listed = listed::read(include_str!("../../tests/compose-differences.txt"));
        Ok(Self {
            peer,
            schema,
            listed,
            folder,
            same: 0,
            both_refuse: 0,
            unmeant: BTreeMap::new(),
            undecided: 0,
            explained: BTreeMap::new(),
            explained_cases: 0,
            found: BTreeMap::new(),
            covered: BTreeMap::new(),
        })
    }

    /// Compares the cases of `count` seeds; `told` hears how far it is.
    pub(crate) fn cases(&mut self, seed: u64, count: u64, mut told: impl FnMut(&str)) -> std::io::Result<()> {
        let begin = std::time::Instant::now();
        let mut next = 0;
        while next < count {
            let seeds: Vec<u64> = (next..count.min(next + AT_ONCE)).map(|at| seed.wrapping_add(at)).collect();
            let cases: Vec<Case> = seeds.iter().map(|seed| case::make(*seed, &self.schema)).collect();
            for (slot, case) in cases.iter().enumerate() {
                self.ask(case, slot)?;
            }
            let ours: Vec<Answer> =
                cases.iter().enumerate().map(|(slot, case)| ours(case, &self.place(slot))).collect();
            let mut open = Vec::new();
            for (slot, (case, ours)) in cases.iter().zip(&ours).enumerate() {
                let theirs = self.peer.answer()?;
                let found = differences(case, &theirs, ours, &self.place(slot));
                if self.count(
                    case,
                    seeds.get(slot).copied().unwrap_or_default(),
                    &self.place(slot),
                    &theirs,
                    ours,
                    &found,
                ) {
                    open.push((slot, found));
                }
            }
            for (slot, found) in open {
                let (Some(case), Some(ours), Some(seed)) = (cases.get(slot), ours.get(slot), seeds.get(slot)) else {
                    continue;
                };
                self.look(case, ours, &format!("seed {seed}"), &found)?;
            }
            next += AT_ONCE;
            if next % (AT_ONCE * 125) == 0 {
                told(&format!(
                    "{next} of {count}, {:.0} a second, {} kinds of differences",
                    next as f64 / begin.elapsed().as_secs_f64(),
                    self.found.len()
                ));
            }
        }
        Ok(())
    }

    /// Compares one project that somebody wrote.
    #[cfg_attr(not(test), expect(dead_code, reason = "kept cases are compared by the tests"))]
    pub(crate) fn compare(&mut self, case: &Case, name: &str) -> std::io::Result<()> {
        let (theirs, ours) = self.both(case)?;
        let found = differences(case, &theirs, &ours, &self.place(0));
        if self.count(case, 0, &self.place(0), &theirs, &ours, &found) {
            self.look(case, &ours, name, &found)?;
        }
        Ok(())
    }

    /// What both say of a case.
    pub(crate) fn both(&mut self, case: &Case) -> std::io::Result<(Answer, Answer)> {
        self.ask(case, 0)?;
        let theirs = self.peer.answer()?;
        Ok((theirs, ours(case, &self.place(0))))
    }

    fn place(&self, slot: usize) -> String {
        // The project's name is the folder's.
        self.folder.join(slot.to_string()).join("case").to_string_lossy().into_owned()
    }

    fn ask(&mut self, case: &Case, slot: usize) -> std::io::Result<()> {
        let place = self.place(slot);
        match std::fs::remove_dir_all(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&place)?;
        for (path, body) in &case.files {
            let path = Path::new(&place).join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, case.bytes(body))?;
        }
        self.peer
            .ask(&serde_json::json!({"folder": place, "files": case.order, "env": case.env, "profiles": case.profiles}))
    }

    /// Counts a case; whether it has a difference that is not listed.
    fn count(&mut self, case: &Case, seed: u64, place: &str, theirs: &Answer, ours: &Answer, found: &[String]) -> bool {
        if found.is_empty() {
            if theirs.is_ok() && ours.is_ok() {
                self.same += 1;
                for form in &case.made {
                    *self.covered.entry(form.clone()).or_default() += 1;
                }
            } else {
                self.both_refuse += 1;
                if let Err(words) = theirs
                    && !case.odd
                {
                    let seen = self.unmeant.entry(kind(&words.replace(place, "FOLDER"))).or_insert((0, seed));
                    seen.0 += 1;
                }
            }
            return false;
        }
        let lines: Vec<Option<usize>> =
            found.iter().map(|one| self.listed.iter().position(|line| line.names(one, case))).collect();
        if lines.iter().any(Option::is_none) {
            return true;
        }
        self.explained_cases += 1;
        for line in lines.into_iter().flatten() {
            *self.explained.entry(line).or_default() += 1;
        }
        false
    }

    /// Looks at a case with an unlisted difference: whether the other loader is sure, and what the smallest such case is.
    fn look(&mut self, case: &Case, ours_: &Answer, first: &str, found: &[String]) -> std::io::Result<()> {
        for _ in 0..6 {
            self.ask(case, 0)?;
            let again = self.peer.answer()?;
            // Paths of the slot must not differ.
            let mine = if ours_.is_ok() { ours(case, &self.place(0)) } else { ours_.clone() };
            let again = differences(case, &again, &mine, &self.place(0));
            if !again.iter().any(|one| !self.is_listed(one, case)) {
                self.undecided += 1;
                return Ok(());
            }
        }
        for one in found.iter().filter(|one| !self.is_listed(one, case)).collect::<Vec<_>>() {
            let kind = kind(one);
            if let Some(known) = self.found.get_mut(&kind) {
                known.count += 1;
                continue;
            }
            let smallest = if self.found.len() < MOST_KINDS { Some(self.smallest(case.clone(), &kind)?) } else { None };
            self.found.insert(kind, Found { difference: one.clone(), first: first.to_owned(), count: 1, smallest });
        }
        Ok(())
    }

    fn is_listed(&self, difference: &str, case: &Case) -> bool {
        self.listed.iter().any(|line| line.names(difference, case))
    }

    fn smallest(&mut self, case: Case, wanted: &str) -> std::io::Result<Case> {
        shrink(case, &mut |case| {
            let (theirs, ours) = self.both(case)?;
            Ok(differences(case, &theirs, &ours, &self.place(0)).iter().any(|one| kind(one) == wanted))
        })
    }

    /// Findings, counts, coverage.
    pub(crate) fn report(&self) -> String {
        let mut out = String::new();
        let mut found: Vec<&Found> = self.found.values().collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.count));
        for found in found {
            let _ = writeln!(out, "==> {} times, first in {}: {}", found.count, found.first, found.difference);
            if let Some(case) = &found.smallest {
                out.push_str(&case.as_case());
            }
        }
        for (line, count) in &self.explained {
            if let Some(line) = self.listed.get(*line) {
                let _ = writeln!(out, "listed, {count} times: {} | {}", line.pattern, line.columns[0]);
            }
        }
        let mut unmeant: Vec<_> = self.unmeant.iter().collect();
        unmeant.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        let refused: usize = unmeant.iter().map(|(_, (count, _))| count).sum();
        let _ = writeln!(out, "refused by both though nothing is wrong on purpose: {refused}, most of all:");
        for (words, (count, seed)) in unmeant.iter().take(12) {
            let _ = writeln!(out, "    {count} times, first with seed {seed}: {words}");
        }
        let all: BTreeSet<String> = spec::all(&self.schema).into_iter().collect();
        let covered = all.iter().filter(|form| self.covered.contains_key(*form)).count();
        let missing: Vec<&str> =
            all.iter().filter(|form| !self.covered.contains_key(*form)).map(String::as_str).collect();
        let _ = writeln!(
            out,
            "{covered} of {} forms of attributes stood in a project that both accept; not yet: {}",
            all.len(),
            missing.join(", ")
        );
        let differ: usize = self.found.values().map(|found| found.count).sum();
        let _ = writeln!(
            out,
            "same model: {}, refused by both: {}, the other loader undecided: {}, listed: {}, differ: {differ}",
            self.same, self.both_refuse, self.undecided, self.explained_cases
        );
        out
    }
}
