//! Logs of containers that are no more: kept for a while, for whoever asks the next day.
//!
//! In: the last lines of a container that is about to be removed. Out: `logs/FLEET/INSTANCE/CONTAINER-SECONDS.log` of the state folder.
//! **Invariant:** what is kept is bounded in age and in bytes; a log that cannot be kept never keeps a container from going.
//! Not here: logs of containers that are there (`look`), the last lines of what failed (the journal has them, too).
//! Tests: `kept/tests.rs`, `tests/it/life.rs`.

use super::{Engine, disk};
use escadre_model::ids::InstanceId;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long they are kept.
const AGE: Duration = Duration::from_secs(14 * 24 * 3600);
/// How many bytes are kept in all; the oldest go first.
const BYTES: u64 = 1 << 30;
/// The last lines of one container.
const LINES: usize = 2000;

impl Engine {
    /// Keeps the last lines of a container that is about to go.
    pub(super) async fn keep_log(&self, instance: &InstanceId, name: &str) {
        // Neither an engine that cannot tell nor a full disk may stop a removal: what failed is in the journal as well.
        let Ok((lines, _)) = self.last_lines(name, LINES).await else { return };
        if lines.is_empty() {
            return;
        }
        let logs = self.settings.state.join("logs");
        let folder = logs.join(instance.fleet.as_str()).join(instance.instance.as_str());
        let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
        let now = SystemTime::now();
        let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let kept = disk::ensure_dir(&folder, 0o700)
            .and_then(|()| disk::write_atomic(&folder.join(format!("{name}-{seconds}.log")), text.as_bytes(), 0o600));
        // Once in the life of a process is often enough for an age of days; what cannot be removed now is tried by the next.
        if kept.is_ok() && !self.swept.swap(true, Ordering::Relaxed) {
            drop(sweep(&logs, now, AGE, BYTES));
        }
    }
}

/// Removes what is too old, then the oldest until the rest fits.
fn sweep(logs: &Path, now: SystemTime, age: Duration, bytes: u64) -> io::Result<()> {
    let mut all: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for fleet in entries(logs)? {
        for instance in entries(&fleet)? {
            for file in entries(&instance)? {
                let seen = std::fs::symlink_metadata(&file)?;
                if seen.is_file() {
                    all.push((seen.modified()?, seen.len(), file));
                }
            }
        }
    }
    all.sort_by(|a, b| b.cmp(a));
    let mut sum = 0_u64;
    for (written, length, file) in all {
        sum = sum.saturating_add(length);
        if sum > bytes || now.duration_since(written).is_ok_and(|since| since > age) {
            std::fs::remove_file(file)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !std::fs::symlink_metadata(folder)?.is_dir() {
        return Ok(Vec::new());
    }
    std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

#[cfg(test)]
mod tests;
