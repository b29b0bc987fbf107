//! The tasks of a run, on the one thread that makes the load: each may fail, and none outlives the set.

use crate::failure::Failure;
use tokio::task::{JoinError, JoinSet};

/// Tasks that end with a `T`. Dropping the set ends them.
pub struct Tasks<T>(JoinSet<Result<T, Failure>>);

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Tasks(JoinSet::new())
    }
}

impl<T: 'static> Tasks<T> {
    /// Starts one more.
    pub fn start(&mut self, task: impl Future<Output = Result<T, Failure>> + 'static) {
        self.0.spawn_local(task);
    }

    /// Waits for all of them, in the order they end. Errors: the first failure; the others are ended then.
    pub async fn all(&mut self) -> Result<Vec<T>, Failure> {
        let mut ended = Vec::with_capacity(self.0.len());
        while let Some(one) = self.0.join_next().await {
            ended.push(outcome(one)?);
        }
        Ok(ended)
    }

    /// What ended by now. Errors: as [`Tasks::all`].
    pub fn ended(&mut self) -> Result<Vec<T>, Failure> {
        let mut ended = Vec::new();
        while let Some(one) = self.0.try_join_next() {
            ended.push(outcome(one)?);
        }
        Ok(ended)
    }

    /// How many have not been told as ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn outcome<T>(ended: Result<Result<T, Failure>, JoinError>) -> Result<T, Failure> {
    ended.map_err(|error| Failure::new(format!("a task of the load failed: {error}")))?
}
