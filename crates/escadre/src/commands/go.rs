//! What up, down and apply have in common: ask, do with progress, report.
//!
//! In: a ground and its plan. Out: what became of it. **Invariant**: nothing is done without a yes; a report is printed whatever happened.
//! Not here: making the plan (`wire`). Tests: `tests/it`.

use crate::exit::{Done, Exit, Fault};
use crate::settings::Settings;
use crate::terminal::ask::{self, Question};
use crate::terminal::progress::Painter;
use crate::terminal::{Terminal, plan_text, report};
use crate::wire::{self, Ground, Manner};
use escadre_plan::plan::{Consent, InstancePlan};
use std::time::Duration;

/// The longest wait for somebody else's lock with `--wait`.
pub(super) const WAIT: Duration = Duration::from_secs(24 * 3600);

/// What was typed about the manner.
pub(super) struct Typed {
    /// `--yes`.
    pub(super) yes: bool,
    /// `--json`.
    pub(super) json: bool,
    /// How it is done.
    pub(super) manner: Manner,
}

/// The instances that something is done to.
pub(super) fn moving(ground: &Ground) -> usize {
    ground.plan.instances.iter().filter(|one| goes(one)).count()
}

fn goes(one: &InstancePlan) -> bool {
    one.refused.is_none() && one.consent != Consent::Nothing
}

/// Asks, unless `--yes` was typed.
///
/// # Errors
/// Exit code 3 when the answer is no, or there is nobody to ask.
pub(super) fn consent(question: Option<Question>, typed: &Typed, terminal: &Terminal) -> Result<(), Fault> {
    match question {
        Some(question) if !typed.yes => ask::ask(&question, terminal),
        _ => Ok(()),
    }
}

/// Does it, with progress, and reports.
///
/// # Errors
/// When it could not begin.
pub(super) async fn carry_out(ground: &Ground, typed: &Typed, settings: &Settings, terminal: &Terminal) -> Done {
    // Before anything is changed.
    if let Some(said) = wire::settle_edge(ground).await?.filter(|_| !typed.json) {
        terminal.say(&format!("{said}\n"));
    }
    let moving: Vec<&str> =
        ground.plan.instances.iter().filter(|one| goes(one)).map(|one| one.instance.instance.as_str()).collect();
    let painter = Painter::new(terminal, &moving, typed.json);
    let progress: std::sync::Arc<dyn escadre_engine::ports::Progress> = std::sync::Arc::clone(&painter) as _;
    let ended = tokio::select! {
        ended = wire::carry_out(settings, ground, &typed.manner, progress) => ended,
        () = interrupted(&painter, &ground.plan.id) => {
            painter.finish();
            let id = &ground.plan.id;
            terminal.say(&format!("Stopped at once. What stands in the middle is on record: escadre resume {id}\n"));
            return Ok(Exit::World);
        }
    };
    painter.finish();
    let ended = ended?;
    if typed.json {
        terminal.json(&ended)?;
    } else {
        terminal.say(&format!("\n{}", report::paint(&ended, terminal.err)));
    }
    Ok(Exit::of(ended.exit))
}

/// Shows the plan, asks and does it: what `rollback`, `restart`, `start` and `stop` have in common.
///
/// # Errors
/// Refusals, the world.
pub(super) async fn at_once(
    mut ground: Ground,
    manner: crate::args::shared::Manner,
    json: bool,
    settings: &Settings,
    terminal: &Terminal,
) -> Done {
    ground.around.saved = false;
    complain(&ground, terminal);
    if !json {
        terminal.say(&plan_text::paint(&ground.plan, &ground.around, terminal.err));
    }
    let question = ask::of(&ground.plan);
    if question.is_none() {
        if json {
            terminal.json(&ground.plan)?;
        }
        let refused = ground.plan.instances.iter().any(|one| one.refused.is_some());
        return Ok(with_findings(if refused { Exit::Refused } else { Exit::Done }, &ground));
    }
    let wait = if manner.wait { WAIT } else { Duration::ZERO };
    let typed = Typed { yes: manner.yes, json, manner: Manner { wait, ..Manner::default() } };
    consent(question, &typed, terminal)?;
    let exit = carry_out(&ground, &typed, settings, terminal).await?;
    Ok(with_findings(exit, &ground))
}

/// The first Ctrl-C is told what it does (the wire stops gently); it comes to its end at the second.
async fn interrupted(painter: &Painter, plan: &str) {
    if tokio::signal::ctrl_c().await.is_err() {
        return std::future::pending().await;
    }
    painter.note(&format!(
        "Ctrl-C: what has begun is finished, nothing more begins; escadre resume {plan} goes on. Again: stop at once."
    ));
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}

/// Errors of some instances: they are said, and the others go on.
pub(super) fn complain(ground: &Ground, terminal: &Terminal) {
    if !ground.findings.is_empty() {
        terminal.findings(&ground.findings, ground.sources.0.as_ref());
    }
}

/// The end of a verb that did what it could: wrong files of some instances still count.
pub(super) fn with_findings(exit: Exit, ground: &Ground) -> Exit {
    let wrong = escadre_model::diagnostic::has_errors(&ground.findings);
    if exit == Exit::Done && wrong { Exit::Files } else { exit }
}
