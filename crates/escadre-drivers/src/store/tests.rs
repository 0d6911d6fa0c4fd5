//! The journal's file: chain, group commit, two handles on one file, schemas, and death while writing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{SqliteStore, schema};
use escadre_engine::journal;
use escadre_engine::ports::{NewEntry, Phase, Store, StoreError};
use escadre_model::hash::Hash;
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

fn id(name: &str) -> InstanceId {
    InstanceId::new(Name::new("desk").unwrap(), Name::new(name).unwrap())
}

fn entry(name: &str, phase: Phase, body: &str) -> NewEntry {
    let (plan, at) = ("abc123".into(), "2026-01-01T00:00:00Z".into());
    NewEntry { instance: id(name), plan, step: Some(3), phase, at, body: body.into() }
}

#[tokio::test]
async fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = SqliteStore::open(&path).await.unwrap();
    let blob: (Hash, Arc<[u8]>) = (Hash::of("x"), b"x".as_slice().into());
    let seqs = store.append(vec![entry("fr", Phase::Begun, "{}"), entry("es", Phase::Begun, "{}")], vec![blob.clone()]);
    assert_eq!(seqs.await.unwrap(), [1, 2]);
    store.append(vec![entry("fr", Phase::Receipt, "{}")], vec![blob.clone()]).await.unwrap();
    store.append(vec![entry("fr", Phase::Held, "{\"a\":\"é\"}")], Vec::new()).await.unwrap();
    let tail = store.tail(&id("fr").fleet, Some(&id("fr").instance)).await.unwrap();
    assert_eq!(tail.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(tail[1].entry, entry("fr", Phase::Held, "{\"a\":\"é\"}"));
    let all = store.tail(&id("fr").fleet, None).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(store.history(&id("fr")).await.unwrap().len(), 3);
    assert_eq!(store.entries(&[4, 1, 99]).await.unwrap().len(), 2);
    assert_eq!(store.blobs(&[blob.0.clone(), Hash::of("y")]).await.unwrap().len(), 1);
    assert_eq!(store.last().await.unwrap(), 4);
    assert_eq!(journal::verify(&store).await.unwrap(), 4);
}

#[tokio::test]
async fn blobs_go_unless_somebody_wrote_meanwhile_and_entries_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store")).await.unwrap();
    let blob = |text: &'static str| -> (Hash, Arc<[u8]>) { (Hash::of(text), text.as_bytes().into()) };
    store.append(vec![entry("fr", Phase::Begun, "{}")], vec![blob("old"), blob("needed")]).await.unwrap();
    let seen = store.last().await.unwrap();
    store.append(vec![entry("es", Phase::Begun, "{}")], Vec::new()).await.unwrap();
    assert_eq!(store.instances().await.unwrap(), [id("es"), id("fr")]);
    let sizes = [(Hash::of("old"), 3), (Hash::of("needed"), 6)].into();
    assert_eq!(store.blob_sizes().await.unwrap(), sizes);
    assert!(!store.forget(&[Hash::of("old")], seen).await.unwrap(), "an entry came after what was seen");
    assert_eq!(store.blob_sizes().await.unwrap(), sizes);
    assert!(store.forget(&[Hash::of("old")], store.last().await.unwrap()).await.unwrap());
    assert_eq!(store.blob_sizes().await.unwrap(), [(Hash::of("needed"), 6)].into());
    assert_eq!(journal::verify(&store).await.unwrap(), 2);
}

#[tokio::test]
async fn two_handles_share_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let one = Arc::new(SqliteStore::open(&path).await.unwrap());
    let other = Arc::new(SqliteStore::open(&path).await.unwrap());
    let mut set = tokio::task::JoinSet::new();
    for number in 0..60 {
        let store = if number % 2 == 0 { one.clone() } else { other.clone() };
        set.spawn(async move { store.append(vec![entry("fr", Phase::Intent, "{}"); 2], Vec::new()).await.unwrap() });
    }
    let mut seqs: Vec<u64> = set.join_all().await.into_iter().flatten().collect();
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=120).collect::<Vec<_>>());
    assert_eq!(journal::verify(one.as_ref()).await.unwrap(), 120);
}

#[tokio::test]
async fn a_changed_entry_breaks_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = SqliteStore::open(&path).await.unwrap();
    for _ in 0..3 {
        store.append(vec![entry("fr", Phase::Intent, "{}")], Vec::new()).await.unwrap();
    }
    sqlx::query("UPDATE entries SET body = '{ }' WHERE seq = 2").execute(&store.readers).await.unwrap();
    let error = journal::verify(&store).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { seq: 2, .. }), "{error}");
    sqlx::query("DELETE FROM entries WHERE seq = 2").execute(&store.readers).await.unwrap();
    assert!(matches!(journal::verify(&store).await.unwrap_err(), StoreError::Damaged { seq: 2, .. }));
}

#[tokio::test]
async fn a_newer_file_is_refused_untouched_and_an_older_one_copied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = SqliteStore::open(&path).await.unwrap();
    store.append(vec![entry("fr", Phase::Begun, "{}")], Vec::new()).await.unwrap();
    store.readers.close().await;
    drop(store);
    schema::prepare_as(&path, 2, &[&["ALTER TABLE blobs ADD COLUMN note TEXT"]]).await.unwrap();
    assert!(folder.path().join("store.schema-1").exists(), "it was copied first");
    let before = std::fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.err().unwrap();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
    assert_eq!(before, std::fs::read(&path).unwrap());
    let copy = SqliteStore::open(&folder.path().join("store.schema-1")).await.unwrap();
    assert_eq!(journal::verify(&copy).await.unwrap(), 1);
}

/// Not a test of its own: what the next test kills. It writes for ever and says what was acknowledged.
#[tokio::test]
async fn child_writes_for_ever() {
    let Ok(path) = std::env::var("ESCADRE_TEST_STORE") else { return };
    let store = SqliteStore::open(path.as_ref()).await.unwrap();
    loop {
        let seqs = store.append(vec![entry("fr", Phase::Intent, &"x".repeat(3000)); 3], Vec::new()).await.unwrap();
        use std::io::Write as _;
        writeln!(std::io::stderr(), "{}", seqs[2]).unwrap();
    }
}

#[tokio::test]
async fn killed_while_writing_the_chain_holds_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let mut last = 0;
    for round in 1..=12u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::child_writes_for_ever", "--nocapture", "--test-threads=1"])
            .env("ESCADRE_TEST_STORE", &path)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for (count, line) in lines.enumerate() {
            last = line.unwrap().parse().unwrap();
            if count as u64 >= round * 2 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let store = SqliteStore::open(&path).await.unwrap();
        let there = journal::verify(&store).await.unwrap();
        assert!(there >= last, "round {round}: {last} was acknowledged, {there} are there");
        assert_eq!(there % 3, 0, "round {round}: half an append is there");
    }
    assert!(last > 100, "only {last} entries: nothing was tried");
}
