//! The files of the edge's folder.
//!
//! In → Out: a folder → the paths in it; [`Routes`] → `routes.json`, replaced atomically; the file → [`Routes`].
//!
//! **Invariant**: a reader of `routes.json` sees the whole old or the whole new file, also after a power cut; changes of
//! several writers follow one another, none is lost.
//!
//! Not here: the shape of the file (`escadre_model::routes`).
//!
//! Tests: `tests/it/`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use escadre_model::routes::{Route, Routes, RoutesError};

/// Largest routes file that is read: some 100,000 routes; a limit so that a wrong file cannot fill the memory.
const MAX_ROUTES_BYTES: u64 = 64 * 1024 * 1024;

/// Why a file of the edge could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {act} {path}", path = .path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The content is refused.
    #[error(transparent)]
    Routes(#[from] RoutesError),
}

impl FileError {
    pub(crate) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
        let path = path.to_owned();
        move |source| FileError::Io { act, path, source }
    }

    /// The whole chain as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            FileError::Io { source, .. } => format!("{self}: {source}"),
            FileError::Routes(inner) => inner.to_string(),
        }
    }
}

/// Where the routes are.
#[must_use]
pub fn routes_path(dir: &Path) -> PathBuf {
    dir.join("routes.json")
}

/// Where the control socket is.
#[must_use]
pub fn control_path(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Where the holder's process id is; the holder keeps a lock on this file while it lives.
#[must_use]
pub fn pid_path(dir: &Path) -> PathBuf {
    dir.join("edge.pid")
}

/// Where the log is.
#[must_use]
pub fn log_path(dir: &Path) -> PathBuf {
    dir.join("edge.log")
}

/// Where certificates that were brought are: chain and key together, called by the id that the routes name.
#[must_use]
pub fn brought_path(dir: &Path, id: &str) -> PathBuf {
    dir.join("tls").join("brought").join(format!("{id}.pem"))
}

/// Keeps a certificate that was brought (chain and key, PEM) for the routes that will name its id. One that is there
/// already is left as it is: the id is that of its content.
///
/// # Errors
/// When the system refuses.
pub fn keep_brought(dir: &Path, id: &str, text: &[u8]) -> Result<(), FileError> {
    let path = brought_path(dir, id);
    if let Some(folder) = path.parent() {
        make_dir(folder)?;
    }
    match fs::read(&path) {
        Ok(there) if there == text => Ok(()),
        _ => write_whole(&path, text, 0o600),
    }
}

/// Removes certificates that were brought and that no route names any more. Those written within the last minute stay:
/// somebody may be about to name them.
///
/// # Errors
/// When the system refuses.
pub fn forget_brought(dir: &Path, routes: &Routes) -> Result<(), FileError> {
    let folder = dir.join("tls").join("brought");
    let named: std::collections::BTreeSet<&str> = routes.routes.iter().filter_map(Route::brought).collect();
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::io("list", &folder)(error)),
    };
    for entry in listed.flatten() {
        let path = entry.path();
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
        if !named.contains(id) && age.is_some_and(|age| age > std::time::Duration::from_secs(60)) {
            fs::remove_file(&path).map_err(FileError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Makes the edge's folder (mode 0700) if it is missing.
///
/// # Errors
/// When the system refuses.
pub fn make_dir(dir: &Path) -> Result<(), FileError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(FileError::io("create", dir))
}

/// Replaces `routes.json`: written beside, synced, renamed, folder synced. Nobody is told; that is `load` on the
/// control socket.
///
/// # Errors
/// When the routes contradict themselves (nothing is written then), or the system refuses.
pub fn write_routes(dir: &Path, routes: &Routes) -> Result<(), FileError> {
    let conflicts = routes.conflicts();
    if !conflicts.is_empty() {
        return Err(RoutesError::Conflicts(conflicts).into());
    }
    let bytes = routes.to_bytes()?;
    make_dir(dir)?;
    write_whole(&routes_path(dir), &bytes, 0o600)
}

/// Replaces a file: written beside, synced, renamed, folder synced.
///
/// # Errors
/// When the system refuses; the file is as it was then.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    // One name per writing: two writers must not write into one another's file.
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let dir = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = dir.join(format!("{name}.{}-{count}.new", std::process::id()));
    let written = write_synced(&beside, bytes, mode).map_err(FileError::io("write", &beside));
    let renamed = written.and_then(|()| fs::rename(&beside, path).map_err(FileError::io("replace", path)));
    if let Err(error) = renamed {
        // The first failure is the one to report.
        let _leftover = fs::remove_file(&beside);
        return Err(error);
    }
    File::open(dir).and_then(|d| d.sync_all()).map_err(FileError::io("sync", dir))
}

/// Changes `routes.json` under a lock: reads it (absent is an empty table), lets `change` work on it, counts the
/// generation up, replaces it. Several processes may change different routes at the same time; none loses another's.
/// Gives what was written; nobody is told, that is `load` on the control socket. Blocks while another one writes.
///
/// # Errors
/// When the file that lies there is bad (it is not overwritten), the changed routes contradict themselves (nothing is
/// written then), or the system refuses.
pub fn update_routes(dir: &Path, change: impl FnOnce(&mut Routes)) -> Result<Routes, FileError> {
    make_dir(dir)?;
    // A file of its own: `routes.json` is replaced, a lock on it would be a lock on the past.
    let path = dir.join("routes.lock");
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
    let lock = open.map_err(FileError::io("open", &path))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
        .map_err(|errno| FileError::io("lock", &path)(errno.into()))?;
    let mut routes = read_routes(dir)?;
    let generation = routes.generation;
    change(&mut routes);
    routes.schema = escadre_model::routes::SCHEMA.to_owned();
    routes.generation = generation.saturating_add(1);
    write_routes(dir, &routes)?;
    Ok(routes)
}

fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads and checks `routes.json`; absent is an empty table of generation 0.
///
/// # Errors
/// When it cannot be read or is refused.
pub fn read_routes(dir: &Path) -> Result<Routes, FileError> {
    Ok(open_routes(dir)?.map_or_else(|| Routes::empty(0), |(routes, _)| routes))
}

/// The routes and the open file they were read from; the open file outlives a replacement of the path.
pub(crate) fn open_routes(dir: &Path) -> Result<Option<(Routes, File)>, FileError> {
    let path = routes_path(dir);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::io("read", &path)(error)),
    };
    let routes = read_from(&mut file, &path)?;
    Ok(Some((routes, file)))
}

/// Reads routes from an open file, wherever its cursor is.
pub(crate) fn read_from(file: &mut File, path: &Path) -> Result<Routes, FileError> {
    use std::io::Seek;
    let mut bytes = Vec::new();
    file.rewind()
        .and_then(|()| file.take(MAX_ROUTES_BYTES).read_to_end(&mut bytes))
        .map_err(FileError::io("read", path))?;
    Ok(Routes::parse(&bytes)?)
}
