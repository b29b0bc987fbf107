//! The first steps of an app, for the page that watches them: which library connected, sent and received, and what was
//! refused last. Kept in memory, on this node, and only while somebody watches: an app nobody watches costs one load.

use crate::connection::Session;
use lru::LruCache;
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AppId;
use tokenim_domain::token::Unverified;
use tokenim_domain::{Code, Error};

/// Apps watched at once; another pushes out the one that was looked at longest ago.
const APPS_MAX: NonZeroUsize = NonZeroUsize::new(1_000).expect("not zero");
/// How long an app is recorded after somebody looked last.
const WATCHED_FOR: Duration = Duration::from_secs(3_600);
/// Libraries told apart per app; a new one pushes out the one that connected longest ago.
const LIBRARIES_MAX: usize = 8;
/// Characters kept of a library's name.
pub const LIBRARY_CHARS_MAX: usize = 64;

/// How far one library came, milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Name and version, as `connect` told them; empty where it told none.
    pub library: Box<str>,
    /// When it connected first.
    pub connected_ms: i64,
    /// When its first message was stored.
    pub sent_ms: Option<i64>,
    /// When it was handed its first message.
    pub received_ms: Option<i64>,
}

/// A `connect` that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub code: Code,
    /// The same in a sentence for the people of the app.
    pub message: Cow<'static, str>,
    /// By which library.
    pub library: Box<str>,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// What was seen of an app since it is watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// The libraries, the first to connect first.
    pub libraries: Vec<Progress>,
    /// The last refusal.
    pub refused: Option<Refused>,
}

/// A step that counts once per library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Connected,
    Sent,
    Received,
}

#[derive(Debug)]
struct Watched {
    until: Duration,
    steps: Steps,
}

/// The watched apps of a node; cheap to clone.
#[derive(Clone)]
pub struct Checkpoints {
    clock: Arc<dyn Clock>,
    /// Monotonic milliseconds until which any app is watched: what the hot path reads.
    until_ms: Arc<AtomicU64>,
    apps: Arc<Mutex<LruCache<AppId, Watched>>>,
}

impl std::fmt::Debug for Checkpoints {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Checkpoints")
    }
}

impl Checkpoints {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Checkpoints { clock, until_ms: Arc::default(), apps: Arc::new(Mutex::new(LruCache::new(APPS_MAX))) }
    }

    /// What was seen of an app; from now on, and for an hour after the last call, its steps are recorded.
    #[must_use]
    pub fn watch(&self, app: AppId) -> Steps {
        let until = self.clock.monotonic() + WATCHED_FOR;
        let mut apps = self.apps.lock().expect("no holder panics");
        let watched = apps.get_or_insert_mut(app, || Watched { until, steps: Steps::default() });
        watched.until = until;
        let until_ms = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        self.until_ms.fetch_max(until_ms, Ordering::Relaxed);
        watched.steps.clone()
    }

    /// Whether any app is watched.
    pub(crate) fn is_watching(&self) -> bool {
        // Zero in a node nobody ever watched, so the clock is read only where it matters.
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        until_ms != 0 && self.clock.monotonic().as_millis() < u128::from(until_ms)
    }

    /// Notes a step of a session.
    pub(crate) fn note(&self, session: &Session, step: Step) {
        self.with(session.identity.app.app, |steps, now_ms| {
            let library = session.library.as_deref().unwrap_or_default();
            let progress = progress(&mut steps.libraries, library, now_ms);
            match step {
                Step::Connected => {}
                Step::Sent => drop(progress.sent_ms.get_or_insert(now_ms)),
                Step::Received => drop(progress.received_ms.get_or_insert(now_ms)),
            }
        });
    }

    /// Notes a `connect` that was refused.
    pub(crate) fn refuse(&self, app: AppId, error: &Error, library: Option<&str>) {
        self.with(app, |steps, now_ms| {
            let (message, library) = (Unverified::tell(error), library.unwrap_or_default().into());
            steps.refused = Some(Refused { code: error.code, message, library, at_ms: now_ms });
        });
    }

    fn with(&self, app: AppId, change: impl FnOnce(&mut Steps, i64)) {
        if !self.is_watching() {
            return;
        }
        let mut apps = self.apps.lock().expect("no holder panics");
        // Only looking at the page keeps an app in the list.
        if let Some(watched) = apps.peek_mut(&app).filter(|watched| self.clock.monotonic() < watched.until) {
            change(&mut watched.steps, self.clock.now_ms());
        }
    }
}

/// The row of a library, made if it is new.
fn progress<'a>(libraries: &'a mut Vec<Progress>, library: &str, now_ms: i64) -> &'a mut Progress {
    let at = libraries.iter().position(|known| &*known.library == library).unwrap_or_else(|| {
        if libraries.len() == LIBRARIES_MAX {
            libraries.remove(0);
        }
        libraries.push(Progress { library: library.into(), connected_ms: now_ms, sent_ms: None, received_ms: None });
        libraries.len() - 1
    });
    &mut libraries[at]
}
