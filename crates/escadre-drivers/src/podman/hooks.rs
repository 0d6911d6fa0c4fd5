//! Hooks: commands that a container was made with, run in it when it has started and before it is told to stop.
//!
//! In: a container's name. Out: nothing, or how a hook failed.
//! **Invariant:** one after the other, in their order; each ends or is given up after a bounded time. They run at least once for a start: whose answer was lost, or
//! who was interrupted, runs them again.
//! Not here: what they are (`escadre_render::engine::hooks`).
//! Tests: `tests/it`.

use super::look::Exec;
use super::{Engine, gate};
use escadre_engine::ports::{Error, Event, Job};
use escadre_render::engine::hooks::{self, Hook, When};
use std::sync::Arc;
use std::time::Duration;

/// The longest that a hook after the start may take.
const AFTER_START: Duration = Duration::from_secs(600);
/// How much of what a hook says is kept.
const SAID: usize = 2_000;

impl Engine {
    /// Runs what is to run when a container has started.
    ///
    /// # Errors
    /// A failed gate when one ends with another code than 0, or not in time.
    pub(super) async fn started_hooks(&self, job: &Job<'_>, name: &str) -> Result<(), Error> {
        let Some(entry) = self.inspect(name).await? else { return Ok(()) };
        for hook in hooks::read(&entry, When::PostStart) {
            let told = format!("post_start: {}", hook.command.join(" "));
            job.progress.tell(Event::StepNews(job.step.on.clone(), job.step.index, told.as_str().into()));
            if let Err(why) = self.hook(name, &hook, AFTER_START).await? {
                return Err(self.gate_error(job, name, format!("did not start well: {told} {why}")).await);
            }
        }
        Ok(())
    }

    /// Has it hooks that run when it has started?
    pub(super) async fn has_started_hooks(&self, name: &str) -> Result<bool, Error> {
        Ok(self.inspect(name).await?.is_some_and(|entry| !hooks::read(&entry, When::PostStart).is_empty()))
    }

    /// Runs what is to run before a container is told to stop, within the time it may take to stop. Whatever becomes of them: it stops. What went
    /// wrong is told, and is the answer.
    pub(super) async fn stopping_hooks(
        &self,
        job: &Job<'_>,
        name: &str,
        entry: &serde_json::Value,
        grace: Duration,
    ) -> Option<Arc<str>> {
        let mut wrong = Vec::new();
        for hook in hooks::read(entry, When::PreStop) {
            // One that cannot even be begun is no reason either to leave a container running that shall stop.
            let why = match self.hook(name, &hook, grace).await {
                Ok(Ok(())) => continue,
                Ok(Err(why)) => why,
                Err(error) => error.to_string(),
            };
            let told = format!("pre_stop: {} {why}", hook.command.join(" "));
            job.progress.tell(Event::StepNews(job.step.on.clone(), job.step.index, told.as_str().into()));
            wrong.push(told);
        }
        (!wrong.is_empty()).then(|| wrong.join("; ").into())
    }

    /// Runs one; the inner error says how it ended.
    async fn hook(&self, name: &str, hook: &Hook, longest: Duration) -> Result<Result<(), String>, Error> {
        let exec = Exec {
            command: hook.command.clone(),
            tty: false,
            stdin: false,
            user: hook.user.clone(),
            folder: hook.folder.clone(),
            environment: hook.environment.clone(),
            privileged: hook.privileged,
        };
        let mut said = Vec::new();
        let mut errors = Vec::new();
        let run = async {
            let session = self.exec(name, &exec).await?;
            self.converse(session, tokio::io::empty(), &mut said, &mut errors).await
        };
        let code = match tokio::time::timeout(longest, run).await {
            Ok(Ok(code)) => code,
            // The container has no such program, or ended meanwhile.
            Ok(Err(Error::Refused { message, .. })) => return Ok(Err(format!("cannot be run: {message}"))),
            Ok(Err(error)) => return Err(error),
            Err(_) => return Ok(Err(format!("did not end within {}", gate::words(longest)))),
        };
        if code == 0 {
            return Ok(Ok(()));
        }
        errors.extend(said);
        let text: String = String::from_utf8_lossy(&errors).chars().take(SAID).collect();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let colon = if text.is_empty() { "" } else { ": " };
        Ok(Err(format!("ended with code {code}{colon}{text}")))
    }
}
