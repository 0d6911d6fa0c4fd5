//! The shape of the journal's file, and how an older one becomes this one.
//!
//! In: a path. Out: a file of the schema this version knows, or why not.
//! **Invariant:** a newer file is only read; an older one is copied before it is changed (`store.schema-N`).
//! Not here: entries (`store`).
//! Tests: `store/tests.rs`.

use super::{failed, options};
use escadre_engine::ports::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Row};
use std::path::Path;

/// The schema this version writes.
const KNOWN: u32 = 1;

/// How a file of schema N (from 1) becomes one of N + 1: statements. None yet.
const STEPS: [&[&str]; 0] = [];

const CREATE: [&str; 5] = [
    "CREATE TABLE version (schema INTEGER NOT NULL)",
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, prev_hash TEXT NOT NULL, hash TEXT NOT NULL, schema INTEGER NOT NULL, \
     fleet TEXT NOT NULL, instance TEXT NOT NULL, plan TEXT NOT NULL, step INTEGER, phase TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX entries_by_instance ON entries (fleet, instance, seq)",
    "CREATE TABLE heads (fleet TEXT NOT NULL, instance TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (fleet, instance)) WITHOUT ROWID",
    "CREATE TABLE blobs (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID",
];

/// Makes sure that the file is there and of the known schema.
pub(super) async fn prepare(path: &Path) -> Result<(), StoreError> {
    prepare_as(path, KNOWN, &STEPS).await
}

/// The same for any known schema, so that migration is tested before there is one.
pub(super) async fn prepare_as(path: &Path, known: u32, steps: &[&[&str]]) -> Result<(), StoreError> {
    let found = if path.exists() { version(path).await? } else { 0 };
    if found > known {
        return Err(StoreError::Newer { at: path.display().to_string().into(), found, known });
    }
    if found == known {
        return Ok(());
    }
    let options = options(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed("make the journal"))?;
    let done = if found == 0 {
        create(&mut connection).await
    } else {
        migrate(&mut connection, path, found, known, steps).await
    };
    // A failure to close loses nothing: everything is committed.
    let _ = connection.close().await;
    done
}

/// The schema of a file, read without writing to it; 0: it is empty.
async fn version(path: &Path) -> Result<u32, StoreError> {
    // Without words on its manner of journalling: these would be written into it.
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(super::BUSY);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed("open the journal"))?;
    let there = sqlx::query("SELECT COUNT(*) FROM sqlite_master WHERE name = 'version'").fetch_one(&mut connection);
    let there: i64 = there.await.and_then(|row| row.try_get(0)).map_err(failed("read the journal's schema"))?;
    let found = if there == 0 {
        0
    } else {
        let row = sqlx::query("SELECT schema FROM version").fetch_one(&mut connection).await;
        row.and_then(|row| row.try_get::<i64, _>(0)).map_err(failed("read the journal's schema"))?
    };
    // It was only read.
    let _ = connection.close().await;
    Ok(u32::try_from(found).unwrap_or(u32::MAX))
}

async fn create(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = failed("make the journal");
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    // Another process may have been quicker.
    let there = sqlx::query("SELECT COUNT(*) FROM sqlite_master WHERE name = 'version'").fetch_one(&mut *transaction);
    let there: i64 = there.await.and_then(|row| row.try_get(0)).map_err(&failed)?;
    if there == 0 {
        for statement in CREATE {
            sqlx::query(statement).execute(&mut *transaction).await.map_err(&failed)?;
        }
        let insert = sqlx::query("INSERT INTO version (schema) VALUES (?)").bind(i64::from(KNOWN));
        insert.execute(&mut *transaction).await.map_err(&failed)?;
    }
    transaction.commit().await.map_err(&failed)
}

async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
    found: u32,
    known: u32,
    steps: &[&[&str]],
) -> Result<(), StoreError> {
    let copy = path.with_file_name(format!(
        "{}.schema-{found}",
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    ));
    if !copy.exists() {
        let vacuum = sqlx::query("VACUUM INTO ?").bind(copy.display().to_string());
        vacuum.execute(&mut *connection).await.map_err(failed("copy the journal before changing it"))?;
    }
    let failed = failed("change the journal's schema");
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(&failed)?;
    for number in found..known {
        let step = usize::try_from(number - 1).ok().and_then(|at| steps.get(at));
        for statement in step.copied().unwrap_or_default() {
            let statement = sqlx::AssertSqlSafe((*statement).to_owned());
            sqlx::query(statement).execute(&mut *transaction).await.map_err(&failed)?;
        }
    }
    let update = sqlx::query("UPDATE version SET schema = ?").bind(i64::from(known));
    update.execute(&mut *transaction).await.map_err(&failed)?;
    transaction.commit().await.map_err(&failed)
}
