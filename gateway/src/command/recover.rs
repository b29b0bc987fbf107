//! Recovery: per conversation an explicit outcome, and the backlog where it is whole (docs/PROTOCOL.md §6).

use crate::encode;
use crate::encoded::Form;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};
use tokenim_domain::log::{Entry, From, MessageLog, RangeQuery};
use tokenim_domain::name::Conversation;
use tokenim_domain::token::Identity;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Result, sabotage};
use tokenim_protocol::limits::{BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX};
use tokenim_protocol::reply::Json;

/// Where a client says it stands: conversation → epoch, seq.
pub(super) type Heads = BTreeMap<String, (i64, i64)>;

/// What became of one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything missed follows, up to the head.
    Recovered,
    /// Too much was missed: page it with `history`.
    TooFar,
    /// The numbering has a new incarnation: rewind to the seq before its first.
    EpochChanged,
    /// Not, or no more, a member.
    NotMember,
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Outcome::Recovered => "recovered",
            Outcome::TooFar => "too_far",
            Outcome::EpochChanged => "epoch_changed",
            Outcome::NotMember => "not_member",
        }
    }
}

/// The outcome for a client that stands at `at`, before bytes are counted.
pub(super) fn outcome(entry: &Entry, at: (i64, i64)) -> Outcome {
    let (epoch, seq) = at;
    if epoch != entry.epoch || seq > entry.head {
        return Outcome::EpochChanged;
    }
    let from = seq.max(entry.first - 1);
    if entry.head - from > i64::from(BACKLOG_EVENTS_MAX) { Outcome::TooFar } else { Outcome::Recovered }
}

/// What a connect replays.
#[derive(Debug)]
pub(super) struct Recovery {
    /// What the connection speaks.
    form: Form,
    /// The reply's `sync`: a JSON array with one outcome per head.
    pub(super) sync: String,
    /// Push frames, whole per conversation.
    pub(super) backlog: Vec<Bytes>,
    /// Conversations where the client holds a place of this log.
    pub(super) found: Vec<Found>,
    /// Per recovered conversation the seq the backlog reaches.
    pub(super) heads: Vec<(Conversation, i64)>,
}

/// A place that a client holds.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) conversation: Conversation,
    /// The seq it named.
    pub(super) at: i64,
    /// The seq of the last event.
    pub(super) head: i64,
    /// [`Outcome::Recovered`] or [`Outcome::TooFar`].
    pub(super) outcome: Outcome,
}

/// Reads what was missed. The connection is registered already, so nothing falls between this reading and the live events.
pub(super) async fn recover<L: MessageLog>(
    log: &L,
    identity: &Identity,
    heads: &Heads,
    form: Form,
) -> Result<Recovery> {
    let names = heads.keys().filter(|name| identity.allows(name, Cap::Read));
    let names = names.map(|name| Conversation::parse(name)).collect::<Result<Vec<_>>>()?;
    let entries = log.entries(identity.app, identity.user.clone(), names).await?;
    let entries: HashMap<&str, &Entry> = entries.iter().map(|entry| (entry.conversation.as_str(), entry)).collect();
    let mut recovery =
        Recovery { form, sync: String::from("["), backlog: Vec::new(), found: Vec::new(), heads: Vec::new() };
    let mut budget = BACKLOG_BYTES_MAX;
    for (name, at) in heads {
        recovery.sync.raw(if recovery.sync.len() > 1 { "," } else { "" }).raw("{\"conversation\":").quoted(name);
        let outcome = match entries.get(name.as_str()) {
            Some(entry) => match recovery.one(log, identity, entry, *at, &mut budget).await {
                // Removed since the entries were read.
                Err(error) if error.code == Code::NotFound => Outcome::NotMember,
                other => other?,
            },
            None => Outcome::NotMember,
        };
        recovery.sync.raw(",\"outcome\":").quoted(outcome.as_str()).raw("}");
    }
    recovery.sync.push(']');
    Ok(recovery)
}

impl Recovery {
    /// Recovers one conversation as a whole, or tells why not.
    async fn one<L: MessageLog>(
        &mut self,
        log: &L,
        identity: &Identity,
        entry: &Entry,
        at: (i64, i64),
        budget: &mut usize,
    ) -> Result<Outcome> {
        let (mut outcome, mut head) = (outcome(entry, at), entry.head);
        let above = at.1.max(entry.first - 1);
        if outcome == Outcome::Recovered && above == head {
            // Nothing was missed, as in most conversations of most reconnects.
            self.heads.push((entry.conversation.clone(), head));
        } else if outcome == Outcome::Recovered {
            let query = RangeQuery {
                app: identity.app,
                conversation: entry.conversation.clone(),
                viewer: Some(identity.user.clone()),
                thread: None,
                from: From::After(above + i64::from(sabotage::is("backlog_skips_first"))),
                limit: BACKLOG_EVENTS_MAX,
                bytes_max: *budget,
            };
            let page = log.read_range(query).await?;
            let last = page.events.last().map_or(above, |event| event.seq);
            let mut frames = BytesMut::new();
            page.events.iter().for_each(|event| frames.extend_from_slice(&self.form.encode(&encode::push_text(event))));
            if last < entry.head || frames.len() > *budget {
                outcome = Outcome::TooFar;
            } else {
                head = last;
                *budget -= frames.len();
                self.heads.push((entry.conversation.clone(), head));
                if !frames.is_empty() {
                    self.backlog.push(frames.freeze());
                }
            }
        }
        self.sync.raw(",\"epoch\":").int(entry.epoch).raw(",\"head\":").int(head).raw(",\"first\":").int(entry.first);
        if outcome == Outcome::EpochChanged {
            self.sync.raw(",\"epoch_first\":").int(epoch_first(entry, at));
        } else {
            self.found.push(Found { conversation: entry.conversation.clone(), at: at.1, head, outcome });
        }
        Ok(outcome)
    }
}

/// The seq before which the client may keep what it has. In the log's own epoch all up to the head is real. What a client has
/// from the epoch before it shares with the log up to where the epoch began; of any other epoch nothing is known.
pub(super) fn epoch_first(entry: &Entry, at: (i64, i64)) -> i64 {
    match at.0 {
        epoch if epoch == entry.epoch => entry.head + 1,
        epoch if entry.epoch_before == Some(epoch) => entry.epoch_first,
        _ => 1,
    }
}
