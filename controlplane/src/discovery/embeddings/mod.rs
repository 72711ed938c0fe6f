//! Meaning beside words: what agents say of themselves, and tasks, as vectors that an embeddings endpoint makes (the
//! `/embeddings` of OpenAI's API, which many servers speak). Off unless the operator names one.
//!
//! Owns `embeddings`. Invariants: an agent's texts go to the endpoint once for each wording and model, and nothing else does
//! but tasks; no request waits for an agent to be embedded, and a task's for a bounded time: without an answer discovery goes
//! by words alone.
//!
//! | module | |
//! |---|---|
//! | `vectors` | the vectors of all agents in memory, and which are nearest |
//! | `text` | what of an agent is embedded |
//! | `endpoint` | the questions, and what an answer must be |
//! | `follow` | how the vectors follow the directory |
//! | `task` | a task's vector |

mod endpoint;
mod follow;
pub(crate) mod store;
mod task;
mod text;
mod vectors;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Mutex, Notify};

use self::endpoint::Endpoint;
use self::follow::Follower;
use self::task::Tasks;
pub(super) use self::vectors::{Vector, Vectors};
use crate::config::Config;

pub use endpoint::NoVectors;
pub(crate) use follow::run;
pub use follow::{Stuck, catch_up};

/// The vectors and what makes them.
pub(crate) struct Embeddings {
    endpoint: Endpoint,
    vectors: Arc<RwLock<Vectors>>,
    tasks: Tasks,
    follower: Mutex<Follower>,
    bell: Notify,
}

impl Embeddings {
    /// Those of the settings' endpoint; `None` if they name none.
    pub(super) fn new(config: &Config) -> Option<Self> {
        let given = config.embeddings.as_ref()?;
        let endpoint = Endpoint::new(given, config.resolver.clone());
        Some(Self {
            endpoint,
            vectors: Arc::default(),
            tasks: Tasks::default(),
            // Following is one motion: two at once would ask for the same agents twice.
            follower: Mutex::default(),
            bell: Notify::new(),
        })
    }

    /// Says that the directory changed; after the commit.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// The vectors, for whoever looks at them on another thread.
    pub(super) fn shared(&self) -> Arc<RwLock<Vectors>> {
        self.vectors.clone()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Vectors> {
        self.vectors.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) -> RwLockReadGuard<'_, Vectors> {
        self.vectors.read().unwrap_or_else(PoisonError::into_inner)
    }
}
