//! The one list of job kinds, and who does each.

use crate::mail::Mailer;
use crate::runner::{Answer, Work};
use tokenim_domain::job::JobKind;
use tokenim_store::{Job, Store};

/// Everybody who does jobs.
#[derive(Debug)]
pub struct Jobs {
    store: Store,
    mailer: Mailer,
}

impl Jobs {
    /// Jobs of this store's queue.
    #[must_use]
    pub fn new(store: Store, mailer: Mailer) -> Self {
        Jobs { store, mailer }
    }
}

impl Work for Jobs {
    async fn run(&self, job: &Job) -> Answer {
        let payload = match self.store.open_job(job) {
            Ok(payload) => payload,
            Err(error) => return Answer::Retry(error.to_string()),
        };
        match JobKind::find(&job.kind) {
            Some(JobKind::Mail) => self.mailer.run(job, &payload).await,
            // A newer node may know it.
            None => Answer::Retry("this release knows no such kind of job".to_owned()),
        }
    }
}
