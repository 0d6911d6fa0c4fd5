//! The door's small parts; calls against a real engine are in `tests/it`.

use super::*;

#[test]
fn queries_are_encoded() {
    let call = Call::get("look", "/x").query("filters", r#"{"label":["a=b"]}"#).query("all", "true");
    assert_eq!(call.query, "filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D&all=true");
}

#[test]
fn an_engines_words_are_one_short_line() {
    assert_eq!(words(br#"{"cause":"x","message":"no such\n container"}"#), "no such container");
    assert_eq!(words("\u{1b}[31mplain".as_bytes()), "[31mplain");
    assert!(words("x".repeat(10_000).as_bytes()).chars().count() <= WORDS + 2);
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_unreachable_and_worth_a_retry() {
    let door = Door::new("podman", "/nonexistent/podman.sock", Policy::Open);
    let error = door.json(Call::get("ask", "/_ping")).await.err();
    assert!(matches!(&error, Some(Error::Unreachable { .. })), "{error:?}");
    assert_eq!((door.calls(), door.mutating()), (1, 0));
}

#[tokio::test]
async fn the_policy_sees_the_final_payload_before_it_leaves() {
    let door = Door::new("podman", "/nonexistent/podman.sock", Policy::Restricted);
    let call = Call::post("create container x", "/v1.41/containers/create")
        .json(serde_json::json!({"HostConfig": {"Privileged": true}}));
    let error = door.json(call).await.err();
    assert!(matches!(&error, Some(Error::Refused { status: 403, .. })), "{error:?}");
    assert_eq!(door.mutating(), 0);
}

#[tokio::test]
async fn stopping_what_has_ended_meanwhile_is_no_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("engine.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    });
    let door = Door::new("podman", &socket, Policy::Open);
    let answer = door.bytes(Call::post("stop container x", "/v1.41/containers/x/stop")).await;
    assert!(answer.is_ok(), "{answer:?}");
}
