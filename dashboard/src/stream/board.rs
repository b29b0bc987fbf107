//! The live feeds of this node: each org and filter is read and rendered once a second, however many people watch.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokenim_domain::id::OrgId;
use tokenim_templates::language::Language;

use super::sample::{self, Sample};
use crate::{console::Console, fault::Fault, usage::query::Query};

/// Feeds at once on one node; each costs two short queries a second.
const FEEDS_MAX: usize = 2_000;

/// What tells two feeds apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FeedKey {
    pub(crate) org: OrgId,
    pub(crate) query: Query,
    pub(crate) language: Language,
    /// The console's own address, which the empty state prints.
    pub(crate) origin: String,
}

/// Feeds that somebody watches.
#[derive(Default)]
pub(crate) struct Board {
    feeds: Mutex<HashMap<FeedKey, Weak<Feed>>>,
}

/// One org and filter, with its latest second.
pub(crate) struct Feed {
    key: FeedKey,
    latest: tokio::sync::Mutex<Option<Tick>>,
}

/// The second in which a sample was taken, and the sample; none where the store refused.
struct Tick {
    second: u64,
    sample: Option<Arc<Sample>>,
}

impl Board {
    /// Joins a feed; none where the node has as many as it may.
    pub(crate) fn feed(&self, key: FeedKey) -> Option<Arc<Feed>> {
        let mut feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(feed) = feeds.get(&key).and_then(Weak::upgrade) {
            return Some(feed);
        }
        feeds.retain(|_, feed| feed.strong_count() > 0);
        if feeds.len() >= FEEDS_MAX {
            return None;
        }
        let feed = Arc::new(Feed { key: key.clone(), latest: tokio::sync::Mutex::new(None) });
        feeds.insert(key, Arc::downgrade(&feed));
        Some(feed)
    }
}

impl Feed {
    /// This second's sample: whoever asks first takes it, the others wait for it and share it.
    ///
    /// Errors: the store's, for whoever asked first, who logs it; none for those who would have shared the sample.
    pub(crate) async fn sample(&self, console: &Console) -> Result<Option<Arc<Sample>>, Fault> {
        let second = console.clock().monotonic().as_secs();
        let mut latest = self.latest.lock().await;
        if let Some(tick) = latest.as_ref().filter(|tick| tick.second == second) {
            return Ok(tick.sample.clone());
        }
        let taken = sample::take(console, &self.key).await.map(Arc::new);
        *latest = Some(Tick { second, sample: taken.as_ref().ok().cloned() });
        taken.map(Some)
    }
}
