//! The batcher: whatever is queued commits together, one batch in flight. Where a commit takes long, those who were just answered are
//! given a moment to come back: else two halves of them take turns, and each waits for the other's commit
//! (docs/adr/0019-a-batch-waits-for-those-who-were-answered.md).

mod room;

use crate::connection::Connection;
use crate::places::{Place, Pool};
use room::{Pace, Room};
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::OrgId;
use tokenim_domain::limits::{ATTACHMENT_ENTRY_BYTES_MAX, FRAME_BYTES_MAX};
use tokenim_domain::log::{
    Amended, Amendment, AppRef, Commit, Governing, GroupAct, MessageAct, MessageLog, Outcome, Sent, Watermark, Write,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::{Code, Error, Result, sabotage};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Writes of one batch.
const BATCH_WRITES_MAX: usize = 256;
/// Bytes of events of one batch. A batch reaches a reader's queue in one piece, before its socket can write: so it is a
/// quarter of what a queue holds, and a burst does not make a prompt reader look slow.
const BATCH_BYTES_MAX: usize = 128 * 1024;
/// What an event's ids, names and numbers add to its body, about.
const EVENT_OVERHEAD_BYTES: usize = 400;
/// What a member event adds to the name of each user it tells of.
const MEMBER_OVERHEAD_BYTES: usize = 32;
/// The part of a commit's time that the next batch waits for those who were just answered.
const RETURN_PART: u32 = 5;
/// A shorter wait than this is none: a timer would make it longer than the commit.
const RETURN_MIN: Duration = Duration::from_millis(1);
/// It waits no longer: a commit that hangs tells nothing of how soon somebody comes back.
const RETURN_MAX: Duration = Duration::from_millis(20);
/// Batches that may wait for their delivery; a slow fan-out slows the commits, not the memory.
const COMMITTED_MAX: usize = 4;
/// Milliseconds a sender waits when the queue is full: several times what a full queue takes, since all who wait come back.
const OVERLOADED_RETRY_MS: u64 = 1_000;

/// Who waits for a write.
#[derive(Debug)]
pub enum Origin {
    /// A command of a connection.
    Command {
        /// The connection.
        connection: Arc<Connection>,
        /// The command's id.
        id: u64,
    },
    /// A call in this process.
    Call(oneshot::Sender<Result<Outcome>>),
}

/// A write on its way.
#[derive(Debug)]
pub struct Job {
    /// What to write.
    pub write: Write,
    /// Who waits.
    pub origin: Origin,
    /// The app it counts for, where it is paced.
    pub place: Option<Arc<Place>>,
}

/// A batch after its commit, in the order of its writes.
#[derive(Debug)]
pub struct Committed {
    /// Who waits for what.
    pub results: Vec<(Origin, Result<Outcome>)>,
    /// Beside each result, the watermark it moved: receipts are made of it.
    pub moves: Vec<Option<Watermark>>,
    /// Conversations whose writes may be stored or not: nobody knows what to deliver, so members are told to look.
    pub unknown: Vec<(AppRef, Conversation)>,
    /// Monotonic time of the hand-over to the log.
    pub begun: Duration,
    /// How long the log took.
    pub took: Duration,
}

/// The way into the batcher.
#[derive(Debug, Clone)]
pub struct Appender {
    queue: mpsc::Sender<Job>,
    room: Arc<Room>,
}

impl Appender {
    /// An appender, and the queue its task reads.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Job>) {
        let (queue, jobs) = mpsc::channel(room::WRITES_MAX);
        (Appender { queue, room: Arc::new(Room::new()) }, jobs)
    }

    /// Queues a write. What one caller queues commits in that order, but that a watermark may commit after the messages behind it.
    ///
    /// Errors: `overloaded`; `draining` once the node stops. The job is dropped then: whoever queued it tells its origin.
    pub fn submit(&self, job: Job) -> Result<()> {
        let refuse = |code: Code| Error::new(code).retry_after(OVERLOADED_RETRY_MS);
        let room = room_of(&job);
        if !self.room.take(room.0, room.1) {
            return Err(refuse(if self.queue.is_closed() { Code::Draining } else { Code::Overloaded }));
        }
        self.queue.try_send(job).map_err(|error| {
            self.room.give_back([room].into_iter());
            match error {
                TrySendError::Full(_) => refuse(Code::Overloaded),
                TrySendError::Closed(_) => refuse(Code::Draining),
            }
        })
    }

    /// Writes that wait for their batch, and how many may.
    pub fn queued(&self) -> (usize, usize) {
        self.room.writes()
    }

    /// Commits batches until told to stop, and then what is queued still.
    pub async fn run<L: MessageLog>(
        self,
        log: Arc<L>,
        clock: Arc<dyn Clock>,
        mut jobs: mpsc::Receiver<Job>,
        out: mpsc::Sender<Committed>,
        stop: CancellationToken,
    ) {
        let (mut pace, mut returning) = (Pace::new(), Returning::nobody());
        loop {
            if stop.is_cancelled() {
                jobs.close();
            }
            let first = tokio::select! {
                biased;
                first = jobs.recv() => first,
                () = stop.cancelled(), if !jobs.is_closed() => {
                    jobs.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let batch = gather(first, &mut jobs, &returning, &*clock).await;
            let begun = clock.monotonic();
            let writes = batch.len();
            self.room.give_back(batch.iter().map(room_of));
            let committed = commit(&*log, &*clock, batch).await;
            if out.send(committed).await.is_err() {
                return;
            }
            // The wait for the delivery too: it is what the next batch waits for.
            let now = clock.monotonic();
            let took = now.saturating_sub(begun);
            self.room.set(pace.note(writes, took));
            returning = Returning::after(took, now, writes + jobs.len());
        }
    }
}

/// The channel from the batcher to the delivery.
#[must_use]
pub fn committed() -> (mpsc::Sender<Committed>, mpsc::Receiver<Committed>) {
    mpsc::channel(COMMITTED_MAX)
}

/// Those whose writes just ended and who may come back at once, as who waits for an ack before the next message does.
struct Returning {
    /// Writes of a batch with all of theirs, and what was queued before they were answered.
    writes: usize,
    /// Until when they are waited for; monotonic.
    until: Duration,
}

impl Returning {
    fn nobody() -> Self {
        Returning { writes: 0, until: Duration::ZERO }
    }

    /// Those of a batch that took that long until now.
    fn after(took: Duration, now: Duration, writes: usize) -> Self {
        let wait = (took / RETURN_PART).min(RETURN_MAX);
        if wait < RETURN_MIN { Returning::nobody() } else { Returning { writes, until: now + wait } }
    }

    /// The next write, if it comes in time and the batch has not all that may come.
    async fn next(&self, batch: usize, jobs: &mut mpsc::Receiver<Job>, clock: &dyn Clock) -> Option<Job> {
        let left = self.until.saturating_sub(clock.monotonic());
        if batch >= self.writes || left.is_zero() {
            return None;
        }
        tokio::time::timeout(left, jobs.recv()).await.ok().flatten()
    }
}

async fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>, returning: &Returning, clock: &dyn Clock) -> Vec<Job> {
    let mut bytes = write_bytes(&first.write);
    let mut batch = vec![first];
    while batch.len() < BATCH_WRITES_MAX && bytes < BATCH_BYTES_MAX {
        let job = match jobs.try_recv() {
            Ok(job) => Some(job),
            Err(_) => returning.next(batch.len(), jobs, clock).await,
        };
        let Some(job) = job else { break };
        bytes += write_bytes(&job.write);
        batch.push(job);
    }
    join(&mut batch);
    if sabotage::is("batch_reordered") {
        batch.reverse();
    }
    batch
}

/// Puts messages before the watermarks among them: neighbours of one kind share their statements in the log, where what traffic
/// brings mixed would be many short runs. Whatever else comes keeps its place, and either side of it does.
fn join(batch: &mut [Job]) {
    let is_move = |job: &Job| matches!(job.write, Write::Move(_));
    let is_message = |job: &Job| matches!(&job.write, Write::Send(draft) if !draft.about.live);
    let runs = batch.split_mut(|job| !is_move(job) && !is_message(job));
    runs.for_each(|run| run.sort_by_key(is_move));
}

async fn commit<L: MessageLog>(log: &L, clock: &dyn Clock, mut batch: Vec<Job>) -> Committed {
    let lent = Lent::to(&mut batch, clock.now_ms());
    let (writes, origins): (Vec<_>, Vec<_>) = batch.into_iter().map(|job| (job.write, job.origin)).unzip();
    let moves = writes.iter().map(moved).collect();
    let mut touched: Vec<_> = writes.iter().filter_map(place).collect();
    let mut unknown = Vec::new();
    let begun = clock.monotonic();
    let commit = log.append(writes).await;
    let took = clock.monotonic().saturating_sub(begun);
    let results = match lent.settle(commit, clock.now_ms()) {
        Commit::Committed(outcomes) => origins.into_iter().zip(outcomes).collect(),
        Commit::Failed(error) => refuse_all(origins, &error),
        Commit::Unknown(error) => {
            touched.sort_unstable();
            touched.dedup();
            unknown = touched;
            let error = if sabotage::is("lost_answer_told_as_failure") { Code::Unavailable.into() } else { error };
            refuse_all(origins, &error)
        }
    };
    Committed { results, moves, unknown, begun, took }
}

/// What a batch may add to the quotas it counts in, from before its commit until after.
struct Lent {
    /// Each pool once.
    pools: Vec<(Arc<Pool>, Allowance)>,
    /// Beside each write that counts: its app, and its units.
    sends: Vec<Option<(Arc<Place>, i64)>>,
}

impl Lent {
    fn to(batch: &mut [Job], now_ms: i64) -> Self {
        let mut lent = Lent { pools: Vec::new(), sends: Vec::with_capacity(batch.len()) };
        for job in batch {
            let (Some((allowance, units)), Some(place)) = (job.write.metered(), job.place.take()) else {
                lent.sends.push(None);
                continue;
            };
            let known = lent.pools.iter().position(|(pool, _)| Arc::ptr_eq(pool, &place.pool));
            let at = known.unwrap_or_else(|| {
                lent.pools.push((place.pool.clone(), place.pool.lend(now_ms)));
                lent.pools.len() - 1
            });
            *allowance = lent.pools[at].1.clone();
            lent.sends.push(Some((place, units)));
        }
        lent
    }

    /// Counts what was stored. Where nobody knows, all of it counts until the store is asked.
    fn settle(self, mut commit: Commit, now_ms: i64) -> Commit {
        match &mut commit {
            Commit::Committed(outcomes) => {
                for (send, outcome) in self.sends.iter().zip(outcomes) {
                    let Some((place, _)) = send else { continue };
                    match outcome {
                        Ok(Outcome::Sent(Sent { event: Some(event), billed, .. })) => {
                            place.pool.count(*billed, event.at_ms);
                            place.pace.note(event.at_ms);
                        }
                        Ok(Outcome::Amended(Amended { event: Some(event), billed, .. })) => {
                            place.pool.count(*billed, event.at_ms);
                        }
                        Err(error) if error.code == Code::QuotaExceeded => {
                            *error = place.pool.refusal(now_ms);
                        }
                        Ok(_) | Err(_) => {}
                    }
                }
            }
            Commit::Failed(_) => {}
            Commit::Unknown(_) => {
                for (place, units) in self.sends.iter().flatten() {
                    place.pool.count(*units, now_ms);
                    place.doubt();
                }
            }
        }
        self.pools.iter().for_each(|(pool, _)| pool.settle());
        commit
    }
}

fn moved(write: &Write) -> Option<Watermark> {
    match write {
        Write::Move(watermark) => Some(watermark.clone()),
        Write::Send(_)
        | Write::Create(_)
        | Write::Change(_)
        | Write::Amend(_)
        | Write::Govern(_)
        | Write::Block(_)
        | Write::Grow(_) => None,
    }
}

/// One cause, told to each: an unknown outcome keeps its own code, so nobody takes it for a failure.
fn refuse_all(origins: Vec<Origin>, error: &Error) -> Vec<(Origin, Result<Outcome>)> {
    tracing::error!(code = error.code.as_str(), source = ?std::error::Error::source(error), writes = origins.len(), "a batch did not commit");
    origins.into_iter().map(|origin| (origin, Err(error.public_copy()))).collect()
}

/// The conversation it may have put an event into.
fn place(write: &Write) -> Option<(AppRef, Conversation)> {
    Some(match write {
        Write::Send(draft) => (draft.app, draft.conversation.clone()),
        Write::Create(new) => (new.app, new.id.clone()),
        Write::Change(change) => (change.app, change.conversation.clone()),
        Write::Amend(amendment) => (amendment.app, amendment.conversation.clone()),
        Write::Govern(asked) => (asked.app, asked.conversation.clone()),
        // What a live message grew by has no seq: who sees a gap asks for it.
        Write::Move(_) | Write::Block(_) | Write::Grow(_) => return None,
    })
}

/// Whose room a job takes, and how many bytes of it.
fn room_of(job: &Job) -> (OrgId, usize) {
    (job.write.app().org, write_bytes(&job.write))
}

/// About what a write takes here and in the queues of those who hear of it.
fn write_bytes(write: &Write) -> usize {
    let names = |users: &[User]| users.iter().map(|user| user.as_str().len() + MEMBER_OVERHEAD_BYTES).sum();
    EVENT_OVERHEAD_BYTES
        + match write {
            Write::Send(draft) => draft.body.len() + draft.about.attached.count() * ATTACHMENT_ENTRY_BYTES_MAX,
            Write::Create(new) => names(&new.members),
            Write::Change(change) => names(&change.users),
            Write::Amend(Amendment { act: MessageAct::Edit { body, .. }, .. }) => body.len(),
            Write::Govern(Governing { act: GroupAct::Decline(users), .. }) => names(users),
            Write::Grow(growth) => growth.piece.text.len(),
            // Its event holds the whole text, whose length the commit knows.
            Write::Amend(Amendment { act: MessageAct::End { .. }, .. }) => FRAME_BYTES_MAX,
            Write::Move(_) | Write::Amend(_) | Write::Govern(_) | Write::Block(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::world::SimClock;
    use tokenim_domain::clock::SystemClock;
    use tokenim_domain::id::{AppId, KeyId, OrgId};
    use tokenim_domain::log::{About, Credential, Draft, NewConversation};
    use tokenim_domain::name::ClientMsgId;
    use tokenim_domain::role::{ContentKind, ConversationKind};
    use uuid::Uuid;

    fn job(write: Write) -> Job {
        Job { write, origin: Origin::Call(oneshot::channel().0), place: None }
    }

    fn app() -> AppRef {
        AppRef { org: OrgId(Uuid::nil()), app: AppId(Uuid::nil()) }
    }

    fn group(name: &str, members: Vec<User>) -> Job {
        let (id, kind) = (Conversation::trusted(name), ConversationKind::Group);
        job(Write::Create(NewConversation { app: app(), id, kind, name: None, members, actor: None }))
    }

    fn message(client_msg_id: &str, live: bool) -> Job {
        job(Write::Send(Draft {
            app: app(),
            conversation: Conversation::trusted("c"),
            sender: User::trusted("alice"),
            client_msg_id: ClientMsgId::trusted(client_msg_id),
            prev: None,
            kind: ContentKind::Text,
            body: "{}".into(),
            about: About { live, ..About::default() },
            may_send: true,
            credential: Credential { key: KeyId(Uuid::nil()), label: None },
            allowance: Allowance::default(),
        }))
    }

    fn watermark(seq: i64) -> Job {
        let (conversation, user) = (Conversation::trusted("c"), User::trusted("bob"));
        job(Write::Move(Watermark { app: app(), conversation, user, read: Some(seq), received: None, held: None }))
    }

    fn name(job: &Job) -> String {
        match &job.write {
            Write::Send(draft) => draft.client_msg_id.as_str().to_owned(),
            Write::Move(watermark) => watermark.read.unwrap().to_string(),
            write => place(write).unwrap().1.as_str().to_owned(),
        }
    }

    async fn gathered(jobs: mpsc::Receiver<Job>) -> Vec<Job> {
        gathered_with(jobs, Returning::nobody(), &SystemClock::new()).await
    }

    async fn gathered_with(mut jobs: mpsc::Receiver<Job>, returning: Returning, clock: &dyn Clock) -> Vec<Job> {
        let first = jobs.try_recv().unwrap();
        gather(first, &mut jobs, &returning, clock).await
    }

    /// Milliseconds that a batch of up to three waited for whoever comes back, and its writes, where two come after 1 and 2 ms.
    async fn waited(took_ms: u64, had: usize) -> (u64, usize) {
        let (clock, (queue, jobs)) = (SimClock::new(), mpsc::channel(100));
        queue.try_send(message("0", false)).unwrap();
        let returning = Returning::after(Duration::from_millis(took_ms), clock.monotonic(), had);
        let come_back = async {
            for at in ["1", "2"] {
                tokio::time::sleep(Duration::from_millis(1)).await;
                // Refused where the batch is gone, and its queue with it.
                let _ = queue.try_send(message(at, false));
            }
            std::future::pending::<()>().await;
        };
        let batch = tokio::select! {
            batch = gathered_with(jobs, returning, &clock) => batch,
            () = come_back => unreachable!(),
        };
        (clock.monotonic().as_millis() as u64, batch.len())
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_those_who_were_just_answered_and_only_a_part_of_a_commit() {
        assert_eq!(waited(100, 3).await, (2, 3), "all are back");
        assert_eq!(waited(100, 4).await, (20, 3), "one stays away");
        assert_eq!(waited(100, 1).await, (0, 1), "nobody was answered but this one");
        assert_eq!(waited(4, 3).await, (0, 1), "a timer would last longer than the commit");
        assert_eq!(waited(10_000, 4).await, (20, 3), "it hung");
    }

    #[tokio::test]
    async fn messages_go_before_the_watermarks_among_them_and_nothing_else_moves() {
        let (queue, jobs) = mpsc::channel(100);
        let queued = [
            vec![watermark(1), message("a", false), watermark(2), message("b", false), group("g", Vec::new())],
            vec![watermark(3), message("live", true), watermark(4), message("c", false), message("d", false)],
        ];
        queued.into_iter().flatten().for_each(|job| queue.try_send(job).unwrap());
        let batch: Vec<_> = gathered(jobs).await.iter().map(name).collect();
        assert_eq!(batch, ["a", "b", "1", "2", "g", "3", "live", "c", "d", "4"]);
    }

    #[tokio::test]
    async fn a_batch_of_large_groups_is_as_bounded_as_one_of_large_bodies() {
        let (queue, jobs) = mpsc::channel(100);
        for at in 0..100 {
            let members =
                (0..1_000).map(|user| User::trusted(&format!("somebody_with_a_long_name_{user:04}"))).collect();
            queue.try_send(group(&format!("c{at}"), members)).unwrap();
        }
        assert!((2..=4).contains(&gathered(jobs).await.len()));
    }
}
