//! The nodes that are connected here.

use std::collections::HashMap;
use std::sync::Mutex;

use landline_link::Down;
use landline_link::limits::{CLOSE_FAILED, CLOSE_REPLACED, CLOSE_REVOKED};
use landline_wire::ids::NodeId;
use quinn::{Connection, VarInt};
use tokio::sync::mpsc;

use crate::state::Kick;

/// Kicks and commands that may wait for one node's control stream. A node that is further behind loses its connection;
/// on the next one it lists its sessions again and is told anew which to end.
const QUEUE: usize = 4_096;

/// Connected nodes, by id.
#[derive(Default)]
pub(crate) struct Registry {
    live: Mutex<HashMap<NodeId, Live>>,
}

struct Live {
    connection: Connection,
    down: mpsc::Sender<Down>,
}

impl Registry {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<NodeId, Live>> {
        self.live.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A node connected; its older connection, if any, is closed. Gives what is to be sent on its control stream.
    pub(crate) fn enter(&self, node: NodeId, connection: &Connection) -> mpsc::Receiver<Down> {
        let (down, queue) = mpsc::channel(QUEUE);
        let older = self.lock().insert(node, Live { connection: connection.clone(), down });
        if let Some(older) = older {
            tracing::warn!(%node, "a node connected twice: the older connection is closed");
            older.connection.close(VarInt::from_u32(CLOSE_REPLACED), b"a newer connection of this node");
        }
        queue
    }

    /// A connection ended.
    pub(crate) fn leave(&self, node: NodeId, connection: &Connection) {
        let mut live = self.lock();
        if live.get(&node).is_some_and(|live| live.connection.stable_id() == connection.stable_id()) {
            live.remove(&node);
        }
    }

    /// A node's connection. `None`: it is not connected here.
    pub(crate) fn connection(&self, node: NodeId) -> Option<Connection> {
        self.lock().get(&node).map(|live| live.connection.clone())
    }

    /// Has a message sent on a node's control stream. `false`: the node is not connected here.
    pub(crate) fn send(&self, node: NodeId, message: Down) -> bool {
        let live = self.lock();
        let Some(live) = live.get(&node) else { return false };
        if live.down.try_send(message).is_err() {
            tracing::warn!(%node, "a node does not keep up with its control stream: its connection is closed");
            live.connection.close(VarInt::from_u32(CLOSE_FAILED), b"the control stream is too far behind");
        }
        true
    }

    /// Ends sessions. One whose node is connected elsewhere is found there when that node lists its sessions again.
    pub(crate) fn kick(&self, kicks: Vec<Kick>) {
        for Kick { node, agent, session, code } in kicks {
            self.send(node, Down::Kick { agent, session, code });
        }
    }

    /// Closes the connection of a revoked node.
    pub(crate) fn drop_revoked(&self, node: NodeId) {
        if let Some(live) = self.lock().remove(&node) {
            live.connection.close(VarInt::from_u32(CLOSE_REVOKED), b"revoked");
        }
    }
}
