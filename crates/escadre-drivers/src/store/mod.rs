//! The journal on disk: one SQLite file in the state folder.
//!
//! In: entries and blobs. Out: the same, and what was asked of them.
//! **Invariant:** an acknowledged append survives a power cut (WAL, synchronous=FULL); processes that work on different instances share one chain; a file
//! of a newer schema is not written to.
//! Not here: what entries mean (`escadre_engine::journal`).
//! Tests: `store/tests.rs`: the chain, group commit, two handles, kill -9 while writing.

mod schema;

use async_trait::async_trait;
use escadre_engine::journal;
use escadre_engine::ports::{Blob, Entry, NewEntry, Phase, Store, StoreError};
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection, Row};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turn, oneshot};

/// How long one process waits for another one's write.
const BUSY: Duration = Duration::from_secs(30);
/// How many reads at once.
const READERS: u32 = 3;
/// How many values one statement asks for.
const MANY: usize = 400;
/// With less room than this an I/O error is one of a full disk: a page, and what SQLite keeps beside the file.
const LITTLE: u64 = 256 * 1024;
/// SQLite's primary result codes (<https://sqlite.org/rescode.html>).
const SQLITE_IOERR: u32 = 10;
const SQLITE_FULL: u32 = 13;

const COLUMNS: &str = "seq, prev_hash, hash, schema, fleet, instance, plan, step, phase, at, body";

/// The journal in a file.
pub struct SqliteStore {
    readers: SqlitePool,
    writer: Turn<SqliteConnection>,
    waiting: Mutex<Vec<Waiting>>,
    path: PathBuf,
}

/// An append that waits for its turn; whoever writes takes all of them in one transaction, so that many instances share one flush to disk.
struct Waiting {
    entries: Vec<NewEntry>,
    blobs: Vec<Blob>,
    answer: oneshot::Sender<Result<Vec<u64>, Unwritten>>,
}

/// Why an append was not written; all that waited for it are told.
type Unwritten = (ErrorKind, Arc<str>);

impl SqliteStore {
    /// Opens the journal at this path; makes it if it is not there. The folder must exist.
    ///
    /// # Errors
    /// When it is of a newer schema (then it is left as it is), damaged, or cannot be opened.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite calls it an I/O error when there is no room for its own files beside the journal.
        Self::open_at(path).await.map_err(|error| match (error, room(path)) {
            (StoreError::Failed { act, .. }, Some(room)) if room < LITTLE => {
                StoreError::Failed { act, source: std::io::Error::new(ErrorKind::StorageFull, full(path)).into() }
            }
            (error, _) => error,
        })
    }

    async fn open_at(path: &Path) -> Result<Self, StoreError> {
        schema::prepare(path).await?;
        let options = options(path);
        let writer = SqliteConnection::connect_with(&options).await.map_err(failed("open the journal"))?;
        let readers = SqlitePoolOptions::new().max_connections(READERS).min_connections(0);
        let readers = readers.connect_lazy_with(options);
        Ok(Self { readers, writer: Turn::new(writer), waiting: Mutex::default(), path: path.to_owned() })
    }

    fn take_waiting(&self) -> Vec<Waiting> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
}

/// Free bytes where a file lies.
fn room(path: &Path) -> Option<u64> {
    let seen = rustix::fs::statvfs(path.parent()?).ok()?;
    seen.f_bavail.checked_mul(seen.f_frsize)
}

/// That no room is left, and where.
fn full(path: &Path) -> String {
    let free = room(path).map(|free| format!(" ({} kB free)", free / 1024)).unwrap_or_default();
    format!("no room is left on the disk of {}{free}", path.parent().unwrap_or(path).display())
}

/// Why a write failed: a full disk in words that say which.
fn unwritten(path: &Path, error: &sqlx::Error) -> Unwritten {
    let code = error.as_database_error().and_then(|error| error.code()).and_then(|code| code.parse::<u32>().ok());
    let little = room(path).is_some_and(|room| room < LITTLE);
    match code.map(|code| code & 0xff) {
        Some(SQLITE_FULL) => (ErrorKind::StorageFull, full(path).into()),
        Some(SQLITE_IOERR) if little => (ErrorKind::StorageFull, full(path).into()),
        _ => (ErrorKind::Other, error.to_string().into()),
    }
}

fn failed(act: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| StoreError::Failed { act: act.into(), source: Box::new(source) }
}

async fn write(connection: &mut SqliteConnection, group: &mut [Waiting]) -> Result<Vec<Vec<u64>>, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let last = sqlx::query("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetch_optional(&mut *transaction);
    let (mut seq, mut prev) = match last.await? {
        Some(row) => (whole(row.try_get::<i64, _>(0)?), hash(row.try_get::<String, _>(1)?)),
        None => (0, journal::root()),
    };
    let mut all = Vec::with_capacity(group.len());
    for waiting in group {
        for (hash, bytes) in waiting.blobs.drain(..) {
            let insert = sqlx::query("INSERT OR IGNORE INTO blobs (hash, bytes) VALUES (?, ?)");
            insert.bind(hash.as_str().to_owned()).bind(bytes.to_vec()).execute(&mut *transaction).await?;
        }
        let mut seqs = Vec::with_capacity(waiting.entries.len());
        for entry in waiting.entries.drain(..) {
            let entry = journal::link(seq + 1, &prev, entry);
            (seq, prev) = (entry.seq, entry.hash.clone());
            insert(&mut transaction, &entry).await?;
            seqs.push(seq);
        }
        all.push(seqs);
    }
    transaction.commit().await?;
    Ok(all)
}

async fn insert(to: &mut SqliteConnection, entry: &Entry) -> Result<(), sqlx::Error> {
    let new = &entry.entry;
    sqlx::query(
        "INSERT INTO entries (seq, prev_hash, hash, schema, fleet, instance, plan, step, phase, at, body) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(entry.seq))
    .bind(entry.prev.as_str().to_owned())
    .bind(entry.hash.as_str().to_owned())
    .bind(i64::from(entry.schema))
    .bind(new.instance.fleet.as_str().to_owned())
    .bind(new.instance.instance.as_str().to_owned())
    .bind(new.plan.to_string())
    .bind(new.step.map(i64::from))
    .bind(new.phase.word())
    .bind(new.at.to_string())
    .bind(new.body.to_string())
    .execute(&mut *to)
    .await?;
    if new.phase == Phase::Receipt {
        sqlx::query("INSERT OR REPLACE INTO heads (fleet, instance, seq) VALUES (?, ?, ?)")
            .bind(new.instance.fleet.as_str().to_owned())
            .bind(new.instance.instance.as_str().to_owned())
            .bind(signed(entry.seq))
            .execute(to)
            .await?;
    }
    Ok(())
}

fn entry(row: &SqliteRow) -> Result<Entry, StoreError> {
    let seq = whole(row.try_get::<i64, _>(0).map_err(failed("read an entry"))?);
    let text = |column: usize| row.try_get::<String, _>(column).map_err(failed("read an entry"));
    let damaged = |why: String| StoreError::Damaged { seq, why: why.into() };
    let name = |column: usize| Name::project(&text(column)?).map_err(|error| damaged(error.to_string()));
    let number = |column: usize| row.try_get::<Option<i64>, _>(column).map_err(failed("read an entry"));
    let small = |value: i64| u32::try_from(value).map_err(|_| damaged(format!("{value} is out of range")));
    let word = text(8)?;
    let phase = Phase::of(&word).ok_or_else(|| damaged(format!("unknown phase \"{}\"", word.escape_default())))?;
    let new = NewEntry {
        instance: InstanceId::new(name(4)?, name(5)?),
        plan: text(6)?.into(),
        step: number(7)?.map(small).transpose()?,
        phase,
        at: text(9)?.into(),
        body: text(10)?.into(),
    };
    let schema = small(number(3)?.unwrap_or_default())?;
    Ok(Entry { seq, prev: hash(text(1)?), hash: hash(text(2)?), schema, entry: new })
}

/// A stored hash as it stands; a wrong one breaks the chain and is found there.
fn hash(text: String) -> Hash {
    serde_json::from_value(serde_json::Value::String(text)).unwrap_or_else(|_| Hash::of(""))
}

/// SQLite's numbers are signed; ours never get there.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, entries: Vec<NewEntry>, blobs: Vec<Blob>) -> Result<Vec<u64>, StoreError> {
        let (answer, mut mine) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(Waiting { entries, blobs, answer });
        {
            let mut writer = self.writer.lock().await;
            // Whoever had the turn before may have written ours too.
            if mine.is_empty() {
                let mut group = self.take_waiting();
                match write(&mut writer, &mut group).await {
                    Ok(all) => {
                        for (waiting, seqs) in group.into_iter().zip(all) {
                            // One whose owner is gone needs no answer.
                            let _ = waiting.answer.send(Ok(seqs));
                        }
                    }
                    Err(error) => {
                        let why = unwritten(&self.path, &error);
                        for waiting in group {
                            let _ = waiting.answer.send(Err(why.clone()));
                        }
                    }
                }
            }
        }
        let answer = mine.try_recv().unwrap_or_else(|_| Err((ErrorKind::Other, "the write was cut off".into())));
        let failed = |(kind, why): Unwritten| StoreError::Failed {
            act: "write the journal".into(),
            source: std::io::Error::new(kind, why.as_ref()).into(),
        };
        answer.map_err(failed)
    }

    async fn tail(&self, fleet: &Name, instance: Option<&Name>) -> Result<Vec<Entry>, StoreError> {
        let sql = "SELECT e.seq, e.prev_hash, e.hash, e.schema, e.fleet, e.instance, e.plan, e.step, e.phase, e.at, e.body \
             FROM entries e LEFT JOIN heads h ON h.fleet = e.fleet AND h.instance = e.instance \
             WHERE e.fleet = ?1 AND (?2 IS NULL OR e.instance = ?2) AND e.seq >= COALESCE(h.seq, 0) ORDER BY e.seq";
        let instance = instance.map(|name| name.as_str().to_owned());
        let query = sqlx::query(sql).bind(fleet.as_str().to_owned()).bind(instance);
        let rows = query.fetch_all(&self.readers).await.map_err(failed("read the journal"))?;
        rows.iter().map(entry).collect()
    }

    async fn history(&self, instance: &InstanceId) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE fleet = ? AND instance = ? ORDER BY seq");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = query.bind(instance.fleet.as_str().to_owned()).bind(instance.instance.as_str().to_owned());
        let rows = query.fetch_all(&self.readers).await.map_err(failed("read the journal"))?;
        rows.iter().map(entry).collect()
    }

    async fn entries(&self, seqs: &[u64]) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::with_capacity(seqs.len());
        for some in seqs.chunks(MANY) {
            let marks = vec!["?"; some.len()].join(", ");
            let sql = format!("SELECT {COLUMNS} FROM entries WHERE seq IN ({marks}) ORDER BY seq");
            let query = some.iter().fold(sqlx::query(sqlx::AssertSqlSafe(sql)), |query, seq| query.bind(signed(*seq)));
            let rows = query.fetch_all(&self.readers).await.map_err(failed("read the journal"))?;
            for row in &rows {
                entries.push(entry(row)?);
            }
        }
        Ok(entries)
    }

    async fn page(&self, after: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE seq > ? ORDER BY seq LIMIT ?");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(signed(after)).bind(i64::from(limit));
        let rows = query.fetch_all(&self.readers).await.map_err(failed("read the journal"))?;
        rows.iter().map(entry).collect()
    }

    async fn blobs(&self, hashes: &[Hash]) -> Result<BTreeMap<Hash, Arc<[u8]>>, StoreError> {
        let mut blobs = BTreeMap::new();
        for some in hashes.chunks(MANY) {
            let marks = vec!["?"; some.len()].join(", ");
            let sql = format!("SELECT hash, bytes FROM blobs WHERE hash IN ({marks})");
            let query = some
                .iter()
                .fold(sqlx::query(sqlx::AssertSqlSafe(sql)), |query, hash| query.bind(hash.as_str().to_owned()));
            let rows = query.fetch_all(&self.readers).await.map_err(failed("read blobs"))?;
            for row in &rows {
                let key = hash(row.try_get::<String, _>(0).map_err(failed("read a blob"))?);
                let bytes = row.try_get::<Vec<u8>, _>(1).map_err(failed("read a blob"))?;
                blobs.insert(key, bytes.into());
            }
        }
        Ok(blobs)
    }

    async fn last(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM entries").fetch_one(&self.readers).await;
        let row = row.map_err(failed("read the journal"))?;
        Ok(whole(row.try_get::<i64, _>(0).map_err(failed("read the journal"))?))
    }

    async fn instances(&self) -> Result<Vec<InstanceId>, StoreError> {
        let sql = "SELECT fleet, instance, MIN(seq) FROM entries GROUP BY fleet, instance ORDER BY fleet, instance";
        let rows = sqlx::query(sql).fetch_all(&self.readers).await.map_err(failed("read the journal"))?;
        let of = |row: &SqliteRow| {
            let failed = failed("read the journal");
            let seq = whole(row.try_get::<i64, _>(2).map_err(&failed)?);
            let name = |column: usize| {
                let text = row.try_get::<String, _>(column).map_err(&failed)?;
                Name::project(&text).map_err(|error| StoreError::Damaged { seq, why: error.to_string().into() })
            };
            Ok(InstanceId::new(name(0)?, name(1)?))
        };
        rows.iter().map(of).collect()
    }

    async fn blob_sizes(&self) -> Result<BTreeMap<Hash, u64>, StoreError> {
        let sql = "SELECT hash, LENGTH(bytes) FROM blobs";
        let rows = sqlx::query(sql).fetch_all(&self.readers).await.map_err(failed("read blobs"))?;
        let of = |row: &SqliteRow| {
            let failed = failed("read a blob");
            let key = hash(row.try_get::<String, _>(0).map_err(&failed)?);
            Ok((key, whole(row.try_get::<i64, _>(1).map_err(&failed)?)))
        };
        rows.iter().map(of).collect()
    }

    async fn forget(&self, blobs: &[Hash], last: u64) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock().await;
        let gone = forget(&mut writer, blobs, last).await.map_err(failed("remove blobs"))?;
        if gone {
            let shrunk = sqlx::query("VACUUM").execute(&mut *writer).await;
            shrunk.map_err(failed("shrink the journal's file (what was to go from it is gone)"))?;
        }
        Ok(gone)
    }
}

async fn forget(connection: &mut SqliteConnection, blobs: &[Hash], last: u64) -> Result<bool, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let newest = sqlx::query("SELECT COALESCE(MAX(seq), 0) FROM entries").fetch_one(&mut *transaction).await?;
    if whole(newest.try_get::<i64, _>(0)?) != last {
        return Ok(false);
    }
    for blob in blobs {
        let delete = sqlx::query("DELETE FROM blobs WHERE hash = ?").bind(blob.as_str().to_owned());
        delete.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests;
