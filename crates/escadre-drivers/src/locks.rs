//! Locks as files: one for each (fleet, instance), held by the kernel for a process and given back by it when the process ends, however it ends.
//!
//! In: an instance, and who wants it. Out: the lock, or who has it.
//! **Invariant:** the kernel's lock decides; what stands in the file is only told to others. A file is never removed: two processes could hold two files of one name.
//! Not here: waiting (`escadre_engine::apply`).
//! Tests: `locks/tests.rs`.

use async_trait::async_trait;
use escadre_engine::ports::{Attempt, Held, Holder, LockError, Locks};
use escadre_model::ids::InstanceId;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The most that is read of a holder's words.
const WORDS: u64 = 4096;

/// Locks in a folder.
pub struct FileLocks {
    folder: PathBuf,
}

struct Lock(Mutex<(File, Holder)>);

impl FileLocks {
    /// Locks in this folder, which is made when first needed.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn open(&self, instance: &InstanceId) -> io::Result<File> {
        std::fs::create_dir_all(&self.folder)?;
        // Names hold no separator, and no dot: fleet and instance cannot run into each other.
        let path = self.folder.join(format!("{}.{}", instance.fleet, instance.instance));
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
    }
}

fn say(file: &mut File, holder: &Holder) -> io::Result<()> {
    let words = serde_json::to_vec(holder)?;
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&words)
}

/// What the holder says of itself; nothing, if it has not said anything yet.
fn hear(file: &mut File) -> Holder {
    let mut words = String::new();
    let heard = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(WORDS).read_to_string(&mut words));
    let mut holder: Holder = heard.ok().and_then(|_| serde_json::from_str(&words).ok()).unwrap_or_default();
    holder.alive = Path::new("/proc").join(holder.pid.to_string()).exists();
    holder
}

impl Held for Lock {
    fn doing(&self, what: &str, at: &str) {
        let mut lock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, holder) = &mut *lock;
        (holder.doing, holder.told) = (what.into(), at.into());
        // Only told to others: the lock holds without it.
        let _ = say(file, holder);
    }
}

#[async_trait]
impl Locks for FileLocks {
    async fn attempt(&self, instance: &InstanceId, claim: &Holder) -> Result<Attempt, LockError> {
        let error = |source: io::Error| LockError { instance: instance.clone(), source };
        let mut file = self.open(instance).map_err(error)?;
        match file.try_lock() {
            Ok(()) => {
                let holder = Holder { pid: std::process::id(), alive: true, ..claim.clone() };
                say(&mut file, &holder).map_err(error)?;
                Ok(Attempt::Got(Box::new(Lock(Mutex::new((file, holder))))))
            }
            Err(TryLockError::WouldBlock) => Ok(Attempt::Busy(hear(&mut file))),
            Err(TryLockError::Error(source)) => Err(error(source)),
        }
    }
}

#[cfg(test)]
mod tests;
