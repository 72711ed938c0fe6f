//! A task's vector: asked for while the caller waits, so the wait is short, and an endpoint that failed is left alone for a
//! moment.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Embeddings, Vector};
use crate::state::Exchange;

/// How long a caller waits for its task's vector.
const PATIENCE: Duration = Duration::from_millis(800);
/// Milliseconds for which nobody waits after a failure.
const REST_MS: i64 = 5_000;
/// Tasks whose vectors are remembered; when there are more, all are forgotten.
const REMEMBERED: usize = 1_000;

/// Vectors of tasks that were asked for before.
#[derive(Debug, Default)]
pub(super) struct Tasks(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    vectors: HashMap<String, Vector>,
    rests_until: i64,
}

impl Embeddings {
    /// The vector of a task. `None`: there are no agents to compare it with, or it was not to be had in time.
    pub(in crate::discovery) async fn of_task(&self, exchange: &Exchange, task: &str) -> Option<Vector> {
        let dimensions = self.read().dimensions();
        if dimensions == 0 {
            return None;
        }
        let now_ms = exchange.clock.now_ms();
        let known = || self.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let known = known();
            if let Some(vector) = known.vectors.get(task).filter(|vector| vector.dimensions() == dimensions) {
                return Some(vector.clone());
            }
            if (0..=REST_MS).contains(&(known.rests_until - now_ms)) {
                return None;
            }
        }
        match self.endpoint.embed(&[task.to_owned()], PATIENCE).await {
            Ok(vectors) => {
                let vector = vectors.into_iter().next().flatten()?;
                let mut known = known();
                if known.vectors.len() >= REMEMBERED {
                    known.vectors.clear();
                }
                known.vectors.insert(task.to_owned(), vector.clone());
                Some(vector)
            }
            Err(error) => {
                tracing::warn!(%error, "a task was ranked by its words alone");
                exchange.metrics.embedding_failures.inc();
                known().rests_until = exchange.clock.now_ms() + REST_MS;
                None
            }
        }
    }
}
