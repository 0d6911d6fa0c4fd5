//! What a manager of a Docker Swarm lists.
//!
//! In: nothing. Out: services, networks, configs, nodes, as the engine answers them.
//! **Invariant:** nothing here changes anything; the values of secrets cannot be asked for, and are not.
//! Not here: what the lists mean (`escadre_render::engine::swarm`).
//! Tests: `escadre/tests/it/import.rs`.

use super::Engine;
use super::door::Call;
use escadre_engine::ports::Error;
use escadre_render::engine::Dialect;
use serde_json::Value;

impl Engine {
    /// Services, networks, configs, nodes of the Swarm that this engine manages; `None` when it manages none.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn swarm(&self) -> Result<Option<[Value; 4]>, Error> {
        if self.api().dialect != Dialect::Docker {
            return Ok(None);
        }
        let info = self.door.json(Call::get("ask for the Swarm", self.compat("/info"))).await?;
        if info.pointer("/Swarm/ControlAvailable") != Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let ask = |what: &'static str| {
            self.door.json(Call::get(format!("list the Swarm's {what}"), self.compat(&format!("/{what}"))))
        };
        Ok(Some([ask("services").await?, ask("networks").await?, ask("configs").await?, ask("nodes").await?]))
    }
}
