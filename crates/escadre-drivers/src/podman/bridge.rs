//! Bridges: the host's end of a network keeps its hardware address.
//!
//! In: networks of an instance, as their interfaces on the host are called. Out: bridges whose address is set instead of borrowed.
//! **Invariant:** only bridges of networks that are ours are touched, and none gets another address than the one it has.
//! Not here: networks as resources (`ensure`).
//! Tests: `tests/it`.
//!
//! A bridge nobody gave a hardware address borrows the lowest one of its ports, and so changes it when a container comes or goes. Whoever spoke with the
//! host through it (every container behind the edge) goes on answering to the former one until the kernel looks it up again: open requests get no answer
//! for up to a minute. Docker sets an address; netavark (1.4) does not. Setting the address a bridge has to itself ends the borrowing.

use super::Engine;
use escadre_model::ids::InstanceId;
use escadre_render::engine::Dialect;
use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;

/// Interfaces of networks, by instance; with the index under which one has been given its address.
pub(super) type Bridges = BTreeMap<InstanceId, BTreeMap<String, Option<u32>>>;

impl Engine {
    /// Remembers the interface of a network of ours, as Podman shows it.
    pub(super) async fn know_bridge(&self, instance: &InstanceId, network: &Value) {
        let name = network.get("network_interface").and_then(Value::as_str).filter(|name| !name.is_empty());
        if let Some(name) = name.filter(|_| self.api.dialect == Dialect::Podman && !self.api.rootless) {
            self.bridges.lock().await.entry(instance.clone()).or_default().entry(name.to_owned()).or_default();
        }
    }

    /// The bridges of an instance keep their addresses from now on; says what could not be done. Those that do not exist yet have nothing to keep.
    pub(super) async fn keep_bridges(&self, instance: &InstanceId) -> Option<String> {
        let mut all = self.bridges.lock().await;
        let mine = all.get_mut(instance).filter(|mine| !mine.is_empty())?;
        keep(mine).await.err().map(|error| {
            let names = mine.keys().cloned().collect::<Vec<_>>().join(", ");
            format!("{names}: the hardware address is not kept, open requests may stall at an update: {error}")
        })
    }
}

async fn keep(bridges: &mut BTreeMap<String, Option<u32>>) -> io::Result<()> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let mut done = Ok(());
    for (name, kept) in bridges.iter_mut() {
        // One that is not there is no error: it comes with its network's first container.
        let Ok(Some(link)) = handle.link().get().match_name(name.clone()).execute().try_next().await else {
            *kept = None;
            continue;
        };
        let index = link.header.index;
        if *kept == Some(index) {
            continue;
        }
        if let Some(address) = address(&link) {
            let message = rtnetlink::LinkUnspec::new_with_index(index).address(address).build();
            match handle.link().set(message).execute().await {
                Ok(()) => *kept = Some(index),
                Err(error) => done = Err(io::Error::other(error)),
            }
        }
    }
    connection.abort();
    done
}

fn address(link: &LinkMessage) -> Option<Vec<u8>> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(address) if address.len() == 6 => Some(address.clone()),
        _ => None,
    })
}
