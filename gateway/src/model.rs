//! The message log in memory: the port's second implementation, with faults that a test injects.

mod write;

use crate::sim::weather::Weather;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AppId;
use tokenim_domain::log::{
    AppRef, BacklogQuery, Changed, ChangedQuery, Commit, DirectoryQuery, Entry, Event, EventBody, From, Idle,
    ListQuery, Listed, LiveText, Member, MemberList, MembersQuery, MessageLog, Outcome, Page, Pins, PinsQuery,
    RangeQuery, ReactionsQuery, Reactor, Receipts, ReceiptsQuery, Seen, Standing, TextQuery, Write, live,
};
use tokenim_domain::name::{Conversation, Device, User};
use tokenim_domain::role::ConversationKind;
use tokenim_domain::{Code, Error, Result};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use write::apply;

/// What happens to a batch beside or instead of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It commits, but the answer is lost.
    AnswerLost,
    /// It does not commit, and the answer is lost as well.
    CommitLost,
    /// The answer is lost, and it commits so much later, at the time at which it was asked.
    LandsLate(Duration),
    /// It does not commit, and that is known.
    Failed,
    /// The log has a bug.
    Panic,
}

/// Conversations in memory.
pub struct ModelLog {
    state: Arc<Mutex<Logs>>,
    faults: Mutex<VecDeque<Fault>>,
    failing_lists: AtomicUsize,
    failing_users: AtomicUsize,
    seen: Arc<Mutex<BTreeMap<(AppId, User), Seen>>>,
    alive_ms: AtomicI64,
    failing_saves: AtomicUsize,
    /// Commits that land late.
    late: TaskTracker,
    /// Permits to read a range; a test that holds them all stops readers where it wants them.
    pub reads: Semaphore,
    clock: Arc<dyn Clock>,
    /// What the node that uses it lives through, in simulation.
    weather: Option<Arc<Weather>>,
}

impl std::fmt::Debug for ModelLog {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ModelLog").field("state", &self.state).finish_non_exhaustive()
    }
}

type Logs = BTreeMap<(AppId, Conversation), Log>;

#[derive(Debug, Default, Clone)]
struct Log {
    /// When the batch is written that is about to be.
    now_ms: i64,
    events: Vec<Event>,
    members: BTreeMap<User, Member>,
    /// Texts of live messages, and what says who they are once they are idle.
    live: BTreeMap<i64, (String, Idle)>,
}

impl ModelLog {
    /// An empty log, whose batches are written at this clock's time.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(ModelLog {
            state: Arc::default(),
            faults: Mutex::default(),
            failing_lists: AtomicUsize::new(0),
            failing_users: AtomicUsize::new(0),
            seen: Arc::default(),
            alive_ms: AtomicI64::new(0),
            failing_saves: AtomicUsize::new(0),
            late: TaskTracker::new(),
            reads: Semaphore::new(1_000),
            clock,
            weather: None,
        })
    }

    /// The same log, as a node sees it that lives through this.
    pub fn under(&self, weather: Arc<Weather>) -> Arc<Self> {
        let (state, seen) = (self.state.clone(), self.seen.clone());
        let fresh = Arc::into_inner(Self::new(weather.clock.clone())).expect("nobody else has it");
        Arc::new(ModelLog { state, seen, weather: Some(weather), ..fresh })
    }

    fn commit(&self, batch: Vec<Write>, fault: Option<Fault>) -> Commit {
        let (state, now_ms) = (self.state.clone(), self.now_ms());
        match fault {
            Some(Fault::Failed) => return Commit::Failed(Code::Unavailable.into()),
            Some(Fault::CommitLost) => {}
            Some(Fault::Panic) => panic!("the test asked for it"),
            Some(Fault::AnswerLost) => drop(write_all(&state, now_ms, batch)),
            Some(Fault::LandsLate(after)) => drop(self.late.spawn(async move {
                tokio::time::sleep(after).await;
                write_all(&state, now_ms, batch)
            })),
            None => return Commit::Committed(write_all(&state, now_ms, batch)),
        }
        Commit::Unknown(Code::OutcomeUnknown.into())
    }

    /// The way of a reading.
    async fn reach(&self) -> Result<()> {
        match &self.weather {
            Some(weather) => weather.read().await,
            None => Ok(()),
        }
    }

    /// What a reading found, on its way back: by then it may be out of date.
    async fn answer<T>(&self, found: T) -> T {
        if let Some(weather) = &self.weather {
            weather.travel().await;
        }
        found
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// The next batch meets this fault.
    pub fn fail_next(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// The next readings of member lists fail.
    pub fn fail_lists(&self, times: usize) {
        self.failing_lists.store(times, Ordering::SeqCst);
    }

    /// The next connects fail, not by their credential.
    pub fn fail_users(&self, times: usize) {
        self.failing_users.store(times, Ordering::SeqCst);
    }

    /// The next savings of who was seen fail.
    pub fn fail_saves(&self, times: usize) {
        self.failing_saves.store(times, Ordering::SeqCst);
    }

    /// All events of a conversation.
    pub fn events(&self, app: AppRef, conversation: &str) -> Vec<Event> {
        let key = (app.app, Conversation::trusted(conversation));
        self.state.lock().unwrap().get(&key).map(|log| log.events.clone()).unwrap_or_default()
    }
}

fn write_all(state: &Mutex<Logs>, now_ms: i64, batch: Vec<Write>) -> Vec<Result<Outcome>> {
    let mut state = state.lock().unwrap();
    state.values_mut().for_each(|log| log.now_ms = now_ms);
    batch.into_iter().map(|write| apply(&mut state, write)).collect()
}

fn standing(conversation: &Conversation, log: &Log, user: &User) -> Option<Standing> {
    let (member, last) = (log.members.get(user)?, log.events.last()?);
    Some(Standing {
        conversation: conversation.clone(),
        epoch: 1,
        epoch_first: 1,
        epoch_before: None,
        head: last.seq,
        msg_no: last.msg_no,
        first: member.joined,
    })
}

fn entry(conversation: &Conversation, log: &Log, user: &User) -> Option<Entry> {
    let member = log.members.get(user)?;
    Some(Entry {
        at: standing(conversation, log, user)?,
        kind: ConversationKind::Group,
        name: None,
        role: member.role,
        read: member.read,
        read_msg_no: 0,
        member_version: 1,
        last_ms: 0,
        last: log.events.last().cloned(),
    })
}

impl MessageLog for ModelLog {
    async fn append(&self, batch: Vec<Write>) -> Commit {
        let Some(weather) = &self.weather else { return self.commit(batch, self.faults.lock().unwrap().pop_front()) };
        weather.travel().await;
        let commit = self.commit(batch, weather.next_fault());
        weather.travel().await;
        commit
    }

    async fn read_range(&self, query: RangeQuery) -> Result<Page> {
        self.reach().await?;
        let _permit = self.reads.acquire().await.map_err(Error::internal)?;
        let found = || -> Result<Page> {
            let state = self.state.lock().unwrap();
            let log = state.get(&(query.app.app, query.conversation)).ok_or(Code::NotFound)?;
            let first = match &query.viewer {
                Some(viewer) => log.members.get(viewer).ok_or(Code::NotFound)?.joined,
                None => 1,
            };
            let From::After(above) = query.from else { unreachable!("the core pages forwards") };
            let events = log.events.iter().filter(|event| event.seq > above && event.seq >= first);
            let events = events.take(query.limit as usize).cloned().collect();
            Ok(Page { events, head: log.events.len() as i64, epoch: 1, first })
        };
        self.answer(found()).await
    }

    async fn read_backlog(&self, query: BacklogQuery) -> Result<Vec<Vec<Event>>> {
        self.reach().await?;
        let _permit = self.reads.acquire().await.map_err(Error::internal)?;
        let state = self.state.lock().unwrap().clone();
        let mut bytes = 0;
        let mut fits = |event: &&Event| {
            bytes += if let EventBody::Message { body, .. } = &event.body { body.len() } else { 0 };
            bytes <= query.bytes_max
        };
        let missed = query.missed.iter().map(|(conversation, above, head)| {
            let Some(log) = state.get(&(query.app.app, conversation.clone())) else { return Vec::new() };
            let Some(member) = log.members.get(&query.viewer) else { return Vec::new() };
            let first = member.joined.max(above + 1);
            let theirs = log.events.iter().filter(|event| (first..=*head).contains(&event.seq));
            theirs.take_while(&mut fits).cloned().collect()
        });
        self.answer(Ok(missed.collect())).await
    }

    async fn standings(&self, app: AppRef, user: User, of: Vec<Conversation>) -> Result<Vec<Standing>> {
        self.reach().await?;
        let found = || -> Result<Vec<Standing>> {
            let state = self.state.lock().unwrap();
            Ok(of.iter().filter_map(|name| standing(name, state.get(&(app.app, name.clone()))?, &user)).collect())
        };
        self.answer(found()).await
    }

    async fn directory(&self, query: DirectoryQuery) -> Result<Vec<Entry>> {
        self.reach().await?;
        let found = || -> Result<Vec<Entry>> {
            let state = self.state.lock().unwrap();
            let mine = state.iter().filter(|((of, _), _)| *of == query.app.app);
            let mut found: Vec<_> =
                mine.filter_map(|((_, name), log)| entry(name, log, &query.user)).take(query.limit).collect();
            let is_held = |at: &Standing| query.held.contains(&(at.conversation.to_string(), at.epoch, at.head));
            found.iter_mut().filter(|entry| is_held(&entry.at)).for_each(|entry| entry.last = None);
            Ok(found)
        };
        self.answer(found()).await
    }

    async fn member_lists(&self, of: Vec<(AppRef, Conversation)>) -> Result<Vec<MemberList>> {
        self.reach().await?;
        fail(&self.failing_lists)?;
        let found = || -> Result<Vec<MemberList>> {
            let state = self.state.lock().unwrap();
            let list = |(app, name): (AppRef, Conversation)| {
                let log = state.get(&(app.app, name)).cloned().unwrap_or_default();
                let members = log.members.values().map(|member| (member.user.clone(), member.joined)).collect();
                MemberList { as_of: log.events.len() as i64, members }
            };
            Ok(of.into_iter().map(list).collect())
        };
        self.answer(found()).await
    }

    async fn members(&self, query: MembersQuery) -> Result<Vec<Member>> {
        self.reach().await?;
        let state = self.state.lock().unwrap();
        let log = state.get(&(query.app.app, query.conversation)).ok_or(Code::NotFound)?;
        Ok(log.members.values().take(query.limit as usize).cloned().collect())
    }

    async fn reactions(&self, _: ReactionsQuery) -> Result<Vec<Reactor>> {
        Err(Code::NotSupported.into())
    }

    async fn pins(&self, _: PinsQuery) -> Result<Pins> {
        Err(Code::NotSupported.into())
    }

    async fn listed(&self, _: ListQuery) -> Result<Vec<Listed>> {
        Ok(Vec::new())
    }

    async fn check_speaker(&self, app: AppRef, conversation: Conversation, user: User) -> Result<()> {
        let state = self.state.lock().unwrap();
        let is_member = state.get(&(app.app, conversation)).is_some_and(|log| log.members.contains_key(&user));
        if is_member { Ok(()) } else { Err(Code::NotFound.into()) }
    }

    async fn cursors(&self, _: AppRef, _: User, _: Device, _: Vec<Conversation>) -> Result<Vec<(Conversation, i64)>> {
        Ok(Vec::new())
    }

    async fn is_user(&self, _: AppRef, _: User) -> Result<bool> {
        Ok(true)
    }

    async fn ensure_users(&self, _: AppRef, _: Vec<User>) -> Result<()> {
        self.reach().await?;
        fail(&self.failing_users)
    }

    async fn receipts(&self, query: ReceiptsQuery) -> Result<Receipts> {
        let state = self.state.lock().unwrap();
        let log = state.get(&(query.app.app, query.conversation)).ok_or(Code::NotFound)?;
        let then = || log.members.values().filter(|member| member.joined <= query.seq);
        let count = |of: fn(&Member) -> i64| then().filter(|member| of(member) >= query.seq).count() as i64;
        let (read, received) = (count(|member| member.read), count(|member| member.received));
        Ok(Receipts { members: then().count() as i64, read, received, page: Vec::new(), next: None })
    }

    async fn last_seen(&self, app: AppRef, users: Vec<User>) -> Result<Vec<Seen>> {
        let seen = self.seen.lock().unwrap();
        Ok(users.into_iter().filter_map(|user| seen.get(&(app.app, user)).cloned()).collect())
    }

    async fn save_seen(&self, rows: Vec<Seen>, now_ms: i64) -> Result<()> {
        fail(&self.failing_saves)?;
        self.alive_ms.fetch_max(now_ms, Ordering::SeqCst);
        let mut seen = self.seen.lock().unwrap();
        for row in rows {
            let key = (row.app.app, row.user.clone());
            if seen.get(&key).is_none_or(|old| old.version <= row.version) {
                seen.insert(key, row);
            }
        }
        Ok(())
    }

    async fn close_seen(&self) -> Result<()> {
        let alive_ms = self.alive_ms.load(Ordering::SeqCst);
        for row in self.seen.lock().unwrap().values_mut().filter(|row| row.is_open) {
            (row.is_open, row.seen_ms) = (false, row.seen_ms.max(alive_ms));
        }
        Ok(())
    }

    async fn changed(&self, query: ChangedQuery) -> Result<Vec<Changed>> {
        self.reach().await?;
        let found = || -> Result<Vec<Changed>> {
            let state = self.state.lock().unwrap();
            let theirs = |log: &Log| query.users.iter().any(|user| log.members.contains_key(user));
            let of = state.iter().filter(|((app, _), log)| *app == query.app.app && theirs(log));
            let mut changed: Vec<_> = of
                .filter_map(|((_, name), log)| log.events.last().map(|last| (name, last)))
                .map(|(name, last)| Changed { conversation: name.clone(), seq: last.seq, last_ms: last.at_ms })
                .filter(|one| (one.last_ms, &one.conversation) > (query.after.last_ms, &query.after.conversation))
                .collect();
            changed.sort_by_key(|one| (one.last_ms, one.conversation.clone()));
            changed.truncate(query.limit);
            Ok(changed)
        };
        self.answer(found()).await
    }

    async fn live_text(&self, query: TextQuery) -> Result<LiveText> {
        let state = self.state.lock().unwrap();
        let log = state.get(&(query.app.app, query.conversation)).ok_or(Code::NotFound)?;
        let (held, _) = log.live.get(&query.target).ok_or(Code::NotLive)?;
        let text = live::text_from(held, query.offset)?.to_owned();
        Ok(LiveText { text, offset: held.len() as i64, ended: None })
    }

    async fn idle(&self, after_ms: i64, up_to_ms: i64, limit: u32) -> Result<Vec<Idle>> {
        let state = self.state.lock().unwrap();
        let all = state.values().flat_map(|log| log.live.values()).map(|(_, idle)| idle);
        let mut idle: Vec<_> = all.filter(|one| one.grown_ms > after_ms && one.grown_ms <= up_to_ms).cloned().collect();
        idle.sort_by_key(|one| one.grown_ms);
        idle.truncate(limit as usize);
        Ok(idle)
    }
}

fn fail(times: &AtomicUsize) -> Result<()> {
    match times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
        Ok(_) => Err(Code::Unavailable.into()),
        Err(_) => Ok(()),
    }
}
