//! Recovery: per conversation an explicit outcome, and the backlog where it is whole (docs/PROTOCOL.md §6).

use crate::encode;
use crate::encoded::Form;
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, HashMap};
use tokenim_domain::log::{BacklogQuery, Event, From, MessageLog, RangeQuery, Standing};
use tokenim_domain::name::Conversation;
use tokenim_domain::token::Identity;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result, sabotage};
use tokenim_protocol::limits::{BACKLOG_BYTES_MAX, BACKLOG_EVENTS_MAX, DIRECTORY_PAGE_MAX};
use tokenim_protocol::reply::Json;

/// Events that are read at a time, of however many conversations: the database sorts them with their bodies.
const PORTION_EVENTS_MAX: i64 = 512;

/// Where a client says it stands: conversation → epoch, seq.
pub(super) type Heads = BTreeMap<String, (i64, i64)>;

/// Where a client says it stands.
///
/// Errors: `limit_reached` for more than a page of them, `invalid_field` for a number below 0; both at `heads`.
pub(super) fn heads(said: tokenim_protocol::command::Heads<'_>) -> Result<Heads> {
    if said.len() > DIRECTORY_PAGE_MAX {
        return Err(Error::new(Code::LimitReached)
            .says(format!("`heads` names at most {DIRECTORY_PAGE_MAX} conversations; page the rest with `sync`"))
            .at("heads"));
    }
    if said.values().any(|(epoch, seq)| *epoch < 0 || *seq < 0) {
        return Err(Error::invalid("heads", "`heads` holds pairs of an epoch and a seq, each 0 or more"));
    }
    Ok(said.into_iter().map(|(name, at)| (name.into_owned(), at)).collect())
}

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
pub(super) fn outcome(standing: &Standing, at: (i64, i64)) -> Outcome {
    let (epoch, seq) = at;
    if epoch != standing.epoch || seq > standing.head {
        return Outcome::EpochChanged;
    }
    let from = seq.max(standing.first - 1);
    if standing.head - from > i64::from(BACKLOG_EVENTS_MAX) { Outcome::TooFar } else { Outcome::Recovered }
}

/// What a connect replays.
#[derive(Debug)]
pub(super) struct Recovery {
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

/// A conversation in which a client says it stands.
struct Place<'a> {
    name: &'a str,
    /// Epoch and seq, as the client names them.
    at: (i64, i64),
    standing: Option<Standing>,
    outcome: Outcome,
    /// The seq up to which it has everything now.
    head: i64,
}

impl Place<'_> {
    /// Above which seq something is missing.
    fn above(&self) -> i64 {
        self.standing.as_ref().map_or(self.head, |standing| self.at.1.max(standing.first - 1))
    }

    fn missed(&self) -> i64 {
        if self.outcome == Outcome::Recovered { self.head - self.above() } else { 0 }
    }
}

/// Reads what was missed. The connection is registered already, so nothing falls between this reading and the live events.
pub(super) async fn recover<L: MessageLog>(
    log: &L,
    identity: &Identity,
    heads: &Heads,
    form: Form,
) -> Result<Recovery> {
    let mut places = places(log, identity, heads).await?;
    let mut reading = Reading { log, identity, form, budget: BACKLOG_BYTES_MAX, backlog: Vec::new() };
    let mut missed: Vec<_> = places.iter_mut().filter(|place| place.missed() > 0).collect();
    let mut rest = missed.as_mut_slice();
    while !rest.is_empty() {
        let (portion, later) = rest.split_at_mut(portion(rest));
        reading.portion(portion).await?;
        rest = later;
    }
    let mut recovery =
        Recovery { sync: String::from("["), backlog: reading.backlog, found: Vec::new(), heads: Vec::new() };
    places.into_iter().for_each(|place| recovery.tell(place));
    recovery.sync.push(']');
    Ok(recovery)
}

/// Where the client stands in each conversation it names, before anything is read.
async fn places<'a, L: MessageLog>(log: &L, identity: &Identity, heads: &'a Heads) -> Result<Vec<Place<'a>>> {
    let names = heads.keys().filter(|name| identity.allows(name, Cap::Read));
    let names = names.map(|name| Conversation::parse(name)).collect::<Result<Vec<_>>>()?;
    let standings =
        if names.is_empty() { Vec::new() } else { log.standings(identity.app, identity.user.clone(), names).await? };
    let mut standings: HashMap<_, _> =
        standings.into_iter().map(|standing| (standing.conversation.as_str().to_owned(), standing)).collect();
    let place = |(name, at): (&'a String, &(i64, i64))| {
        let standing = standings.remove(name);
        let outcome = standing.as_ref().map_or(Outcome::NotMember, |standing| outcome(standing, *at));
        let head = standing.as_ref().map_or(0, |standing| standing.head);
        Place { name, at: *at, standing, outcome, head }
    };
    Ok(heads.iter().map(place).collect())
}

/// How many of the places are read at once: one at least.
fn portion(places: &[&mut Place<'_>]) -> usize {
    let mut events = 0;
    let fitting = places.iter().take_while(|place| {
        events += place.missed();
        events <= PORTION_EVENTS_MAX
    });
    fitting.count().max(1)
}

/// A reading of the backlog, and what is left of its bytes.
struct Reading<'a, L> {
    log: &'a L,
    identity: &'a Identity,
    form: Form,
    budget: usize,
    backlog: Vec<Bytes>,
}

impl<L: MessageLog> Reading<'_, L> {
    async fn portion(&mut self, places: &mut [&mut Place<'_>]) -> Result<()> {
        let above = |place: &Place<'_>| place.above() + i64::from(sabotage::is("backlog_skips_first"));
        let missed = |place: &&mut Place<'_>| (Conversation::trusted(place.name), above(place), place.head);
        let query = BacklogQuery {
            app: self.identity.app,
            viewer: self.identity.user.clone(),
            missed: places.iter().map(missed).collect(),
            bytes_max: self.budget,
        };
        let read = self.log.read_backlog(query).await?;
        for (place, events) in places.iter_mut().zip(read) {
            if events.last().is_some_and(|event| event.seq == place.head) {
                self.take(place, &events);
            } else {
                self.singly(place).await?;
            }
        }
        Ok(())
    }

    /// Reads one that was cut: it is too large for what is left of the bytes, or the user is no member any more.
    async fn singly(&mut self, place: &mut Place<'_>) -> Result<()> {
        let query = RangeQuery {
            app: self.identity.app,
            conversation: Conversation::trusted(place.name),
            viewer: Some(self.identity.user.clone()),
            thread: None,
            from: From::After(place.above() + i64::from(sabotage::is("backlog_skips_first"))),
            limit: BACKLOG_EVENTS_MAX,
            bytes_max: self.budget,
        };
        match self.log.read_range(query).await {
            Ok(page) if page.events.last().is_some_and(|event| event.seq >= place.head) => {
                self.take(place, &page.events)
            }
            Ok(_) => place.outcome = Outcome::TooFar,
            // Removed since it was looked up where they stand.
            Err(error) if error.code == Code::NotFound => place.outcome = Outcome::NotMember,
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Queues a conversation's events, which reach its head, where there is room for all of them.
    fn take(&mut self, place: &mut Place<'_>, events: &[Event]) {
        let mut frames = BytesMut::new();
        events.iter().for_each(|event| frames.extend_from_slice(&self.form.encode(&encode::push_text(event))));
        if frames.len() > self.budget {
            place.outcome = Outcome::TooFar;
            return;
        }
        place.head = events.last().map_or(place.head, |event| event.seq);
        self.budget -= frames.len();
        self.backlog.push(frames.freeze());
    }
}

impl Recovery {
    /// Tells the outcome of one conversation.
    fn tell(&mut self, place: Place<'_>) {
        let Place { name, at, outcome, head, .. } = place;
        let sync = &mut self.sync;
        sync.raw(if sync.len() > 1 { "," } else { "" }).raw("{\"conversation\":").quoted(name);
        if let Some(standing) = place.standing.filter(|_| outcome != Outcome::NotMember) {
            sync.raw(",\"epoch\":")
                .int(standing.epoch)
                .raw(",\"head\":")
                .int(head)
                .raw(",\"first\":")
                .int(standing.first);
            match outcome {
                Outcome::EpochChanged => drop(sync.raw(",\"epoch_first\":").int(epoch_first(&standing, at))),
                Outcome::Recovered => self.heads.push((standing.conversation.clone(), head)),
                Outcome::TooFar | Outcome::NotMember => {}
            }
            if outcome != Outcome::EpochChanged {
                self.found.push(Found { conversation: standing.conversation, at: at.1, head, outcome });
            }
        }
        self.sync.raw(",\"outcome\":").quoted(outcome.as_str()).raw("}");
    }
}

/// The seq before which the client may keep what it has. In the log's own epoch all up to the head is real. What a client has
/// from the epoch before it shares with the log up to where the epoch began; of any other epoch nothing is known.
pub(super) fn epoch_first(standing: &Standing, at: (i64, i64)) -> i64 {
    match at.0 {
        epoch if epoch == standing.epoch => standing.head + 1,
        epoch if standing.epoch_before == Some(epoch) => standing.epoch_first,
        _ => 1,
    }
}
