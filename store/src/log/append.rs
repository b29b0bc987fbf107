//! One batch, one transaction: the order of its writes, and what a lost answer means.

use super::tally::Tally;
use super::{amend, change, create, cursor, govern, listed, live, postgres, send, sqlite};
use crate::{Store, fault, sql};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult};
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokenim_domain::id::{AppId, MessageId};
use tokenim_domain::log::{AppRef, Commit, Credential, Event, EventBody, MessageAct, Outcome, Watermark, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::{Code, Error, Result, sabotage};

/// Attempts on PostgreSQL to commit a batch that met another node's: the first without locks, the others with them.
const ATTEMPTS_MAX: u32 = 5;
/// How long PostgreSQL may take for what comes before COMMIT; beyond it nothing was stored.
const APPEND_WAIT: Duration = Duration::from_secs(10);

/// A conversation, as keys of the log name it; its order is the order of locks.
pub(super) type Key = (AppId, Conversation);

/// The head of a conversation's log, as the transaction moves it.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) epoch: i64,
    /// The seq it was found at.
    pub(super) found_seq: i64,
    pub(super) seq: i64,
    pub(super) msg_no: i64,
    pub(super) last_ms: i64,
    pub(super) units_cum: i64,
}

/// A transaction of the log and what it has gathered to write.
pub(super) struct Batch<'a> {
    pub(super) store: &'a Store,
    pub(super) tx: DatabaseTransaction,
    /// Database time of the whole batch, milliseconds since 1970.
    pub(super) now_ms: i64,
    /// Whether it locked the heads of its conversations before its look-ups.
    is_locked: bool,
    /// Units that this attempt took from allowances.
    taken: &'a Mutex<Vec<(Allowance, i64)>>,
    /// What its changes add to the tallies of conversations.
    tally: Mutex<Tally>,
}

/// An event that has its seq, with what its row needs beside it.
pub(super) struct Placed {
    pub(super) event: Arc<Event>,
    pub(super) id: MessageId,
    pub(super) units_cum: i64,
    pub(super) credential: Option<Credential>,
}

/// Commits a batch. An error before COMMIT is definite; one from COMMIT itself is not.
///
/// This is the one place where a batch that met another node's on PostgreSQL is tried again: a head that moved since it was
/// looked up, a repeat or a conversation stored meanwhile, a deadlock. SQLite has one writer, whom nobody meets.
pub(super) async fn append(store: &Store, mut batch: Vec<Write>) -> Commit {
    let mut attempt = 1;
    let commit = loop {
        let again = (store.log_writer.is_postgres() && attempt < ATTEMPTS_MAX).then(|| batch.clone());
        match commit_once(store, batch, attempt > 1).await {
            Commit::Failed(error) if fault::is_meeting(&error) => match again {
                Some(again) => batch = again,
                None => break Commit::Failed(error),
            },
            other => break other,
        }
        attempt += 1;
    };
    store.in_flight.store(i64::MAX, Ordering::SeqCst);
    commit
}

/// One attempt. One that is rolled back gives back what it took from allowances.
async fn commit_once(store: &Store, batch: Vec<Write>, locked: bool) -> Commit {
    let taken = Mutex::default();
    let commit = attempt(store, batch, locked, &taken).await;
    if let Commit::Failed(_) = &commit {
        for (allowance, units) in taken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            allowance.give_back(units);
        }
    }
    commit
}

async fn attempt(store: &Store, batch: Vec<Write>, locked: bool, taken: &Mutex<Vec<(Allowance, i64)>>) -> Commit {
    let prepared = async {
        let tx = sql::begin(&store.log_writer).await?;
        // Told before the batch's own time is taken: a reading that misses this has an earlier time than the batch.
        store.in_flight.store(store.clock.now_ms(), Ordering::SeqCst);
        let batch_tx =
            Batch { store, tx, now_ms: store.clock.now_ms(), is_locked: locked, taken, tally: Mutex::default() };
        if locked {
            postgres::lock(&batch_tx.tx, &keys(&batch)).await?;
        }
        let outcomes = batch_tx.apply(batch).await?;
        let tally = std::mem::take(&mut *batch_tx.tally());
        tally.write(&batch_tx).await?;
        Ok::<_, Error>((batch_tx.tx, outcomes))
    };
    match in_time(store, APPEND_WAIT, prepared).await {
        None => Commit::Failed(fault::query(crate::db::gone("the database did not take the batch in time"))),
        Some(Err(error)) => Commit::Failed(error),
        Some(Ok((tx, outcomes))) => match sql::commit(tx).await {
            Ok(()) => Commit::Committed(outcomes),
            Err(error) => Commit::Unknown(error),
        },
    }
}

/// What work brings, if PostgreSQL does it in time. A file is waited for: it answers or fails by itself.
async fn in_time<T>(store: &Store, wait: Duration, work: impl Future<Output = T>) -> Option<T> {
    if store.log_writer.is_postgres() { tokio::time::timeout(wait, work).await.ok() } else { Some(work.await) }
}

/// The conversations a batch names, in the order they are locked in.
fn keys(batch: &[Write]) -> BTreeSet<Key> {
    let key = |write: &Write| {
        Some(match write {
            Write::Send(draft) => (draft.app.app, draft.conversation.clone()),
            Write::Create(new) => (new.app.app, new.id.clone()),
            Write::Change(change) => (change.app.app, change.conversation.clone()),
            Write::Move(to) => (to.app.app, to.conversation.clone()),
            Write::Amend(amendment) => (amendment.app.app, amendment.conversation.clone()),
            Write::Govern(asked) => (asked.app.app, asked.conversation.clone()),
            Write::Grow(growth) => (growth.app.app, growth.conversation.clone()),
            // A line of a user's own list is of no conversation.
            Write::Block(_) => return None,
        })
    };
    batch.iter().filter_map(key).collect()
}

/// Where a member's watermarks stand within a batch.
struct Stand {
    /// Read and received, as they were found.
    from: (i64, i64),
    is_tallied: bool,
    read: i64,
    received: i64,
}

impl Stand {
    fn of(row: &QueryResult) -> Result<Stand> {
        let from: (i64, i64) = (sql::get(row, "read_seq")?, sql::get(row, "received_seq")?);
        Ok(Stand { from, is_tallied: sql::get(row, "is_tallied")?, read: from.0, received: from.1 })
    }

    /// Moves them forward; what is read has been received. True where one moved.
    fn advance(&mut self, read: i64, received: i64) -> bool {
        let to = (self.read.max(read), self.received.max(received).max(read));
        let moved = to != (self.read, self.received);
        (self.read, self.received) = to;
        moved
    }
}

impl Batch<'_> {
    /// Whether what is not found may be what another node's batch took in this moment, a repeat's first try: then the attempt ends,
    /// and the next one looks again behind locks.
    ///
    /// Errors: one that [`fault::is_meeting`] knows.
    pub(super) fn look_again(&self) -> Result<()> {
        let is_met = self.store.log_writer.is_postgres() && !self.is_locked;
        if is_met { Err(Error::new(Code::Unavailable).because(fault::HeadMoved)) } else { Ok(()) }
    }

    /// Applies the writes in order; neighbours of one kind share their statements. The outer result is the database's.
    async fn apply(&self, batch: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut writes = batch.into_iter().peekable();
        while let Some(write) = writes.next() {
            match write {
                Write::Send(draft) if draft.about.live => outcomes.push(live::begin(self, draft).await?),
                Write::Send(first) => {
                    let mut drafts = vec![first];
                    let is_next = |next: &Write| matches!(next, Write::Send(draft) if !draft.about.live);
                    while let Some(Write::Send(draft)) = writes.next_if(is_next) {
                        drafts.push(draft);
                    }
                    outcomes.extend(send::send(self, drafts, true).await?);
                }
                Write::Move(first) => {
                    let mut moves = vec![first];
                    while let Some(Write::Move(watermark)) = writes.next_if(|next| matches!(next, Write::Move(_))) {
                        moves.push(watermark);
                    }
                    outcomes.extend(self.move_watermarks(&moves).await?);
                }
                Write::Create(new) => outcomes.push(create::create(self, new).await?),
                Write::Change(change) => outcomes.push(change::change(self, change).await?),
                Write::Amend(amendment) => outcomes.push(amend::amend(self, amendment).await?),
                Write::Govern(asked) => outcomes.push(govern::govern(self, asked).await?),
                Write::Block(block) => outcomes.push(listed::block(self, block).await?),
                Write::Grow(growth) => outcomes.push(live::grow(self, growth).await?),
            }
        }
        Ok(outcomes)
    }

    async fn move_watermarks(&self, moves: &[Watermark]) -> Result<Vec<Result<Outcome>>> {
        let rows = match self.engine() {
            DbBackend::Postgres => postgres::find_watermarks(&self.tx, moves).await?,
            _ => sqlite::find_watermarks(&self.tx, moves).await?,
        };
        let mut stands: HashMap<(AppId, &Conversation, &User), Stand> = HashMap::new();
        let mut outcomes = Vec::with_capacity(moves.len());
        for (to, row) in moves.iter().zip(&rows) {
            let Some(last) = sql::get::<Option<i64>>(row, "last_seq")? else {
                outcomes.push(Err(Code::NotFound.into()));
                continue;
            };
            let (read, received) = (to.read.unwrap_or(0), to.received.unwrap_or(0));
            if read.max(received) > last {
                outcomes.push(Err(Error::invalid("seq", "`seq` is beyond the conversation's last event")));
                continue;
            }
            let stand = stands.entry((to.app.app, &to.conversation, &to.user)).or_insert(Stand::of(row)?);
            outcomes.push(Ok(Outcome::Moved(stand.advance(read, received))));
        }
        let allowed = moves.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(to, _)| to);
        cursor::advance(self, &allowed.collect::<Vec<_>>()).await?;
        let moved = |((app, conversation, user), Stand { from, is_tallied, read, received })| {
            let to = (read, received);
            (from != to).then_some(Moved { app, conversation, user, from, to, is_tallied })
        };
        let moved: Vec<Moved> = stands.into_iter().filter_map(moved).collect();
        if moved.is_empty() {
            return Ok(outcomes);
        }
        let steps = match self.engine() {
            DbBackend::Postgres => postgres::move_watermarks(&self.tx, &moved).await?,
            _ => sqlite::move_watermarks(&self.tx, &moved).await?,
        };
        for Step { of, from, to } in steps {
            let Moved { app, conversation, .. } = moved[of];
            self.tally().step((app, conversation), from, to);
        }
        Ok(outcomes)
    }

    /// What the transaction's changes add to tallies so far.
    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes units of a draft from its allowance.
    pub(super) fn take(&self, allowance: &Allowance, units: i64) -> Result<(), Code> {
        allowance.take(units)?;
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).push((allowance.clone(), units));
        Ok(())
    }

    /// The engine that holds the log.
    pub(super) fn engine(&self) -> DbBackend {
        self.tx.get_database_backend()
    }

    /// Gives an event the next seq of its conversation.
    pub(super) fn place(
        &self,
        head: &mut Head,
        app: AppRef,
        conversation: &Conversation,
        id: MessageId,
        body: EventBody,
        credential: Option<Credential>,
    ) -> Placed {
        head.seq += 1 + i64::from(sabotage::is("seq_gap") && head.seq == 3);
        head.seq -= i64::from(sabotage::is("seq_used_twice") && head.seq == 3);
        head.msg_no += i64::from(body.is_message());
        head.last_ms = head.last_ms.max(self.now_ms);
        head.units_cum += body.units();
        let event = Event {
            app,
            conversation: conversation.clone(),
            epoch: head.epoch,
            seq: head.seq,
            msg_no: head.msg_no,
            at_ms: head.last_ms,
            body,
        };
        Placed { event: Arc::new(event), id, units_cum: head.units_cum, credential }
    }

    /// Writes events, their usage rows and the heads they moved.
    pub(super) async fn write(&self, placed: &[Placed], heads: &HashMap<Key, Head>) -> Result<()> {
        match self.engine() {
            DbBackend::Postgres => postgres::write(&self.tx, placed, &usage_runs(placed), heads).await,
            _ => sqlite::write(&self.tx, placed, &usage_runs(placed), heads).await,
        }
    }
}

/// A member's watermarks to write, read and received.
pub(super) struct Moved<'a> {
    pub(super) app: AppId,
    pub(super) conversation: &'a Conversation,
    pub(super) user: &'a User,
    /// As they were found.
    pub(super) from: (i64, i64),
    pub(super) to: (i64, i64),
    pub(super) is_tallied: bool,
}

/// How the watermarks of a member that is counted in a tally did move.
pub(super) struct Step {
    /// Its place in the list of moves.
    pub(super) of: usize,
    pub(super) from: (i64, i64),
    pub(super) to: (i64, i64),
}

/// A usage row: a run of one credential in one conversation.
pub(super) struct UsageRun<'a> {
    /// Its last event.
    pub(super) last: &'a Placed,
    pub(super) from: i64,
    pub(super) units: i64,
    pub(super) messages: i64,
    pub(super) bytes: i64,
}

/// One usage row per run of one credential in one conversation; the ranges tile the log.
fn usage_runs(placed: &[Placed]) -> Vec<UsageRun<'_>> {
    let mut open: HashMap<(AppId, &Conversation), usize> = HashMap::new();
    let mut runs: Vec<UsageRun<'_>> = Vec::new();
    for p in placed {
        let units = p.event.body.units();
        let bytes = match &p.event.body {
            EventBody::Message { about, .. } if about.live => 0,
            EventBody::Message { body, about, .. } => about.content_bytes(body),
            EventBody::Amended { act: MessageAct::Edit { body, .. } | MessageAct::End { body, .. }, .. } => body.len(),
            EventBody::Amended { .. } | EventBody::Member { .. } | EventBody::Settings { .. } => 0,
        };
        let key = (p.event.app.app, &p.event.conversation);
        let at = open.get(&key).copied().filter(|at| runs[*at].last.credential == p.credential);
        let at = at.unwrap_or_else(|| {
            runs.push(UsageRun { last: p, from: p.event.seq, units: 0, messages: 0, bytes: 0 });
            runs.len() - 1
        });
        open.insert(key, at);
        let run = &mut runs[at];
        let units = if sabotage::is("usage_doubled") { 2 * units } else { units };
        (run.last, run.units, run.bytes) = (p, run.units + units, run.bytes + bytes as i64);
        run.messages += i64::from(p.event.body.is_message());
    }
    runs
}
