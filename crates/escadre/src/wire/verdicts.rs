//! What becomes of the keys of the Compose files, for people.
//!
//! In: resolved instances. Out: verdicts with what is acknowledged, counts, findings.
//! **Invariant:** an acknowledged verdict is told only when verdicts are asked for, and never fails.
//! Not here: the verdicts themselves (`escadre_model::compose::verdicts`).
//! Tests: `tests/it`.

use crate::terminal::plan_text::Verdicts;
use escadre_model::compose::verdicts::{Acknowledgement, Kind, Verdict, acknowledge};
use escadre_model::diagnostic::{Code, Diagnostic};
use escadre_model::resolved::Resolved;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was found of all products.
#[derive(Default)]
pub(crate) struct Judged {
    /// One for each key, of each product.
    pub(crate) verdicts: Vec<Verdict>,
    /// Acknowledgements that fit no verdict, secrets in plain text.
    pub(crate) beside: Vec<Diagnostic>,
    /// Each product is a Compose file alone, or a folder with product.yaml.
    single: bool,
}

/// The verdicts of every product; one instance stands for those that are made of the same files.
pub(super) fn judge(resolved: &[Resolved], rootless: bool) -> Judged {
    let mut judged = Judged { single: resolved.iter().all(|one| one.shape.single), ..Judged::default() };
    let mut files: BTreeSet<(&str, &[String])> = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut lists: BTreeMap<Arc<str>, (Vec<Acknowledgement>, Vec<Acknowledgement>)> = BTreeMap::new();
    for one in resolved.iter().filter(|one| files.insert((&*one.shape.product, &one.shape.project.files))) {
        let mut verdicts = one.verdicts(rootless);
        let unused: Vec<Acknowledgement> =
            acknowledge(&mut verdicts, &one.shape.acknowledged).into_iter().cloned().collect();
        let (all, used) = lists.entry(Arc::clone(&one.shape.product)).or_default();
        all.extend(one.shape.acknowledged.iter().filter(|one| !all.contains(one)).cloned().collect::<Vec<_>>());
        used.extend(one.shape.acknowledged.iter().filter(|one| !unused.contains(one)).cloned());
        judged.beside.extend(one.plain_secrets());
        judged
            .verdicts
            .extend(verdicts.into_iter().filter(|one| seen.insert((one.path.clone(), one.span.to_string()))));
    }
    for (all, used) in lists.into_values() {
        judged.beside.extend(all.into_iter().filter(|one| !used.contains(one)).map(|one| {
            let message = format!("`{}` is acknowledged, and no attribute is approximated or refused so", one.what);
            Diagnostic::warning(Code::W0506, message).at(&one.span).hint("remove it from the list")
        }));
    }
    judged
}

impl Judged {
    /// How many of each kind.
    pub(crate) fn count(&self) -> Verdicts {
        let of = |kind| self.verdicts.iter().filter(|verdict| verdict.kind == kind).count();
        Verdicts {
            exact: of(Kind::Exact),
            approximated: of(Kind::Approximated),
            platform: of(Kind::Platform),
            refused: of(Kind::Refused),
            acknowledged: self.verdicts.iter().filter(|verdict| verdict.acknowledged.is_some()).count(),
        }
    }

    /// Every verdict that is not exact as a finding. `strict`: what is approximated is a warning too.
    pub(crate) fn findings(&self, strict: bool) -> Vec<Diagnostic> {
        let told = self.verdicts.iter().filter(|verdict| verdict.kind != Kind::Exact);
        told.map(|verdict| self.finding(verdict, strict)).chain(self.beside.iter().cloned()).collect()
    }

    /// What is to be told beside a plan: the kind's word and the finding.
    pub(super) fn told(&self) -> Vec<(&'static str, Diagnostic)> {
        let told = self.verdicts.iter().filter(|verdict| verdict.kind != Kind::Exact && verdict.acknowledged.is_none());
        let told = told.map(|verdict| {
            // A plan shows word and key itself.
            let message = verdict.text.to_owned();
            (word(verdict.kind), Diagnostic { message, ..self.finding(verdict, false) })
        });
        told.collect()
    }

    /// What render says of a key that has a verdict is said by that.
    pub(super) fn says(&self, finding: &Diagnostic) -> bool {
        let Some(path) = finding.path.as_deref().filter(|_| finding.code == Code::W0430) else { return false };
        let at = |verdict: &Verdict| {
            verdict.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.verdicts.iter().any(|verdict| verdict.kind != Kind::Exact && at(verdict))
    }

    fn finding(&self, verdict: &Verdict, strict: bool) -> Diagnostic {
        let open = verdict.acknowledged.is_none();
        let fails = match verdict.kind {
            Kind::Refused => open,
            Kind::Approximated => open && strict,
            Kind::Exact | Kind::Platform => false,
        };
        let message = match &verdict.acknowledged {
            Some(span) => format!("{}; acknowledged in {}", verdict.text, span.short()),
            None => verdict.text.to_owned(),
        };
        // The key by its name: a line alone, without an excerpt, says what it speaks of.
        let message = format!("{} `{}`: {message}", word(verdict.kind), verdict.path);
        let make = if fails { Diagnostic::warning } else { Diagnostic::note };
        let mut finding = make(verdict.code, message).at(&verdict.span).path(verdict.path.as_str());
        if !verdict.instead.is_empty() && open {
            finding = finding.hint(format!("instead: {}", verdict.instead));
        }
        if fails && strict {
            let code = verdict.code;
            finding = finding.hint(if self.single {
                format!("or accept it, in the Compose file: x-escadre: {{ acknowledge: [{code}] }}")
            } else {
                format!("or accept it, in product.yaml: acknowledge: [{code}]")
            });
        }
        finding
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Exact => "exact",
        Kind::Approximated => "approximated",
        Kind::Platform => "platform",
        Kind::Refused => "refused",
    }
}
