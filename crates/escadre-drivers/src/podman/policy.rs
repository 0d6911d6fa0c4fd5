//! What a payload may hold, asked by the door for every call that changes something.
//!
//! In: a call. Out: nothing, or why it does not leave.
//! **Invariant:** it judges the final payload, whoever spelled it.
//! Not here: where a zone's policy is written (`escadre_model`).
//! Tests: `door/tests.rs`, `tests/it`.

use super::door::{Call, Payload};
use serde_json::Value;
use std::sync::Arc;

/// How much a payload may ask of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Everything: a fleet of one. Its plan names what is dangerous.
    #[default]
    Open,
    /// A zone without policy words. The fleet's own rules (granted binds) have been applied before.
    Baseline,
    /// Nothing that reaches out of the container: no privileges, no part of the host's own namespaces, no engine socket.
    Restricted,
}

impl Policy {
    /// Judges a call.
    ///
    /// # Errors
    /// The sentence that says why it does not leave.
    pub fn check(self, call: &Call) -> Result<(), Arc<str>> {
        let Payload::Json(body) = &call.body else { return Ok(()) };
        if self != Policy::Restricted {
            return Ok(());
        }
        if call.path.ends_with("/exec") && body.get("Privileged").and_then(Value::as_bool) == Some(true) {
            return Err("privileged commands are not allowed here".into());
        }
        if !call.path.ends_with("/containers/create") {
            return Ok(());
        }
        let host = |key: &str| body.get("HostConfig").and_then(|host| host.get(key));
        if host("Privileged").and_then(Value::as_bool) == Some(true) {
            return Err("privileged containers are not allowed here".into());
        }
        for key in ["NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode", "CgroupnsMode"] {
            if host(key).and_then(Value::as_str) == Some("host") {
                return Err(format!("{key} host is not allowed here").into());
            }
        }
        if host("Devices").and_then(Value::as_array).is_some_and(|devices| !devices.is_empty()) {
            return Err("devices of the host are not allowed here".into());
        }
        let dangerous = ["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "NET_ADMIN", "DAC_READ_SEARCH"];
        for capability in host("CapAdd").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let plain = capability.strip_prefix("CAP_").unwrap_or(capability);
            if dangerous.iter().any(|name| name.eq_ignore_ascii_case(plain)) {
                return Err(format!("the capability {capability} is not allowed here").into());
            }
        }
        for mount in host("Mounts").and_then(Value::as_array).into_iter().flatten() {
            let source = mount.get("Source").and_then(Value::as_str).unwrap_or_default();
            if source.ends_with("/docker.sock") || source.ends_with("/podman.sock") {
                return Err(format!("the engine's socket {source} is not allowed inside a container here").into());
            }
        }
        Ok(())
    }
}
