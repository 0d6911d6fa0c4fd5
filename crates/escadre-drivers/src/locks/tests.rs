//! Lock files: one owner at a time, told to others, open again when the owner is gone.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::FileLocks;
use escadre_engine::ports::{Attempt, Holder, Locks};
use escadre_model::ids::InstanceId;
use escadre_model::name::Name;

fn id(name: &str) -> InstanceId {
    InstanceId::new(Name::new("desk").unwrap(), Name::new(name).unwrap())
}

#[tokio::test]
async fn one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let locks = FileLocks::new(&folder.path().join("locks"));
    let claim = Holder { by: "ops".into(), plan: "7c41e9".into(), ..Holder::default() };
    let Attempt::Got(held) = locks.attempt(&id("fr"), &claim).await.unwrap() else { panic!("it was free") };
    held.doing("proving", "2026-01-01T00:00:00Z");
    let Attempt::Busy(holder) = locks.attempt(&id("fr"), &claim).await.unwrap() else { panic!("it is held") };
    assert_eq!((holder.pid, &*holder.by, &*holder.doing, holder.alive), (std::process::id(), "ops", "proving", true));
    assert!(matches!(locks.attempt(&id("es"), &claim).await.unwrap(), Attempt::Got(_)));
    drop(held);
    // A program that another test starts at this moment holds every open file until it has begun.
    for _ in 0..200 {
        if let Attempt::Got(_) = locks.attempt(&id("fr"), &claim).await.unwrap() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was given back and is still held");
}
