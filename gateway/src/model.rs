//! The message log in memory: the port's second implementation, with faults that a test injects.

use crate::sim::weather::Weather;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokenim_domain::clock::Clock;
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::id::{AppId, MessageId};
use tokenim_domain::log::{
    About, Amended, Amendment, AppRef, BacklogQuery, Changed, ChangedQuery, Commit, ConversationView, Delta,
    DirectoryCursor, Draft, Entry, Event, EventBody, From, Governing, GroupAct, Grown, Growth, Idle, JoinRequest,
    Joined, ListQuery, Listed, LiveText, Member, MemberChange, MemberList, MembersQuery, MessageAct, MessageLog,
    NewConversation, Outcome, Page, Pins, PinsQuery, RangeQuery, ReactionsQuery, Reactor, Receipts, ReceiptsQuery,
    Seen, Sent, TextQuery, Watermark, Write, live,
};
use tokenim_domain::name::{Conversation, Device, User};
use tokenim_domain::role::{Change, ConversationKind, MemberRole};
use tokenim_domain::{Code, Error, Result};
use tokio::sync::Semaphore;

/// What happens to a batch beside or instead of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It commits, but the answer is lost.
    AnswerLost,
    /// It does not commit, and the answer is lost as well.
    CommitLost,
    /// It does not commit, and that is known.
    Failed,
    /// The log has a bug.
    Panic,
}

/// Conversations in memory.
pub struct ModelLog {
    state: Arc<Mutex<BTreeMap<(AppId, Conversation), Log>>>,
    faults: Mutex<VecDeque<Fault>>,
    failing_lists: AtomicUsize,
    failing_users: AtomicUsize,
    seen: Arc<Mutex<BTreeMap<(AppId, User), Seen>>>,
    alive_ms: AtomicI64,
    failing_saves: AtomicUsize,
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
        match fault {
            Some(Fault::Failed) => return Commit::Failed(Code::Unavailable.into()),
            Some(Fault::CommitLost) => return Commit::Unknown(Code::OutcomeUnknown.into()),
            Some(Fault::Panic) => panic!("the test asked for it"),
            Some(Fault::AnswerLost) | None => {}
        }
        let mut state = self.state.lock().unwrap();
        state.values_mut().for_each(|log| log.now_ms = self.now_ms());
        let outcomes = batch.into_iter().map(|write| apply(&mut state, write)).collect();
        match fault {
            Some(Fault::AnswerLost) => Commit::Unknown(Code::OutcomeUnknown.into()),
            _ => Commit::Committed(outcomes),
        }
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

fn apply(state: &mut BTreeMap<(AppId, Conversation), Log>, write: Write) -> Result<Outcome> {
    match write {
        Write::Send(draft) => send(state, draft).map(Outcome::Sent),
        Write::Create(new) => Ok(create(state, new)),
        Write::Change(change) => change_members(state, change).map(Outcome::Changed),
        Write::Move(watermark) => advance(state, &watermark).map(Outcome::Moved),
        Write::Amend(amendment) => amend(state, amendment).map(Outcome::Amended),
        Write::Govern(asked) => govern(state, asked),
        Write::Block(block) => Ok(Outcome::Listed(block.is_blocked)),
        Write::Grow(growth) => grow(state, growth).map(Outcome::Grown),
    }
}

fn send(state: &mut BTreeMap<(AppId, Conversation), Log>, draft: Draft) -> Result<Sent> {
    let log = state.get_mut(&(draft.app.app, draft.conversation.clone())).ok_or(Code::NotFound)?;
    let stored = |id: &str| {
        log.events.iter().find(|event| matches!(&event.body, EventBody::Message { sender, client_msg_id, .. } if *sender == draft.sender && client_msg_id.as_str() == id))
    };
    if let Some(first) = stored(draft.client_msg_id.as_str()) {
        let EventBody::Message { id, body, .. } = &first.body else { unreachable!("found as a message") };
        let sent =
            Sent { id: *id, seq: first.seq, epoch: 1, at_ms: first.at_ms, billed: first.body.units(), event: None };
        return if *body == draft.body { Ok(sent) } else { Err(Code::Conflict.into()) };
    }
    if !log.members.contains_key(&draft.sender) {
        return Err(Code::NotFound.into());
    }
    // As it keeps no large bodies, there are no files to carry.
    if draft.about.attached.count() > 0 {
        return Err(Code::NotFound.into());
    }
    if draft.prev.as_ref().is_some_and(|prev| stored(prev.as_str()).is_none()) {
        return Err(Code::PreviousRefused.into());
    }
    let id = MessageId(uuid::Uuid::from_u128(log.events.len() as u128));
    let billed = draft.units();
    draft.allowance.take(billed)?;
    let Draft { app, conversation, sender, client_msg_id, kind, body, about, credential, .. } = draft;
    let body = EventBody::Message { id, sender, client_msg_id, kind, body, about, state: None };
    let event = push(log, app, &conversation, body);
    if let EventBody::Message { about: About { live: true, .. }, body, .. } = &event.body {
        let idle = Idle { app, conversation, target: event.seq, credential, grown_ms: event.at_ms };
        log.live.insert(event.seq, (live::text_of(body)?, idle));
    }
    Ok(Sent { id, seq: event.seq, epoch: 1, at_ms: 0, billed, event: Some(event) })
}

/// Appends the event; the model keeps no state of messages, its tests ask for none.
fn amend(state: &mut BTreeMap<(AppId, Conversation), Log>, amendment: Amendment) -> Result<Amended> {
    let log = state.get_mut(&(amendment.app.app, amendment.conversation.clone())).ok_or(Code::NotFound)?;
    let Amendment { app, conversation, actor, client_msg_id, target, mut act, allowance, .. } = amendment;
    let is_message = log.events.iter().any(|event| event.seq == target && event.body.is_message());
    if !is_message || actor.as_ref().is_some_and(|actor| !log.members.contains_key(actor)) {
        return Err(Code::NotFound.into());
    }
    if let MessageAct::End { last, body, .. } = &mut act {
        let (held, _) = log.live.get(&target).ok_or(Code::NotLive)?;
        let text = held.clone() + &std::mem::take(last).text;
        *body = live::body(&live::escape(&text));
    }
    allowance.take(act.units())?;
    if matches!(act, MessageAct::End { .. } | MessageAct::Delete) {
        log.live.remove(&target);
    }
    let event = push(log, app, &conversation, EventBody::Amended { target, actor, client_msg_id, act });
    Ok(Amended { seq: Some(event.seq), billed: event.body.units(), duplicate: false, event: Some(event) })
}

/// Adds to a live message; who asks may.
fn grow(state: &mut BTreeMap<(AppId, Conversation), Log>, growth: Growth) -> Result<Grown> {
    let Growth { app, conversation, target, piece, .. } = growth;
    let log = state.get_mut(&(app.app, conversation.clone())).ok_or(Code::NotFound)?;
    let (held, idle) = log.live.get_mut(&target).ok_or(Code::NotLive)?;
    let offset = held.len() as i64;
    if piece.offset.is_some_and(|named| named != offset) {
        return Err(live::wrong_offset(offset));
    }
    held.push_str(&piece.text);
    idle.grown_ms = log.now_ms;
    let delta = Delta { app, conversation, epoch: 1, target, offset, text: piece.text.into() };
    Ok(Grown { offset: held.len() as i64, delta: Some(delta) })
}

fn push(log: &mut Log, app: AppRef, conversation: &Conversation, body: EventBody) -> Arc<Event> {
    let (seq, messages) = log.events.last().map_or((0, 0), |last| (last.seq, last.msg_no));
    let msg_no = messages + i64::from(body.is_message());
    let event =
        Event { app, conversation: conversation.clone(), epoch: 1, seq: seq + 1, msg_no, at_ms: log.now_ms, body };
    log.events.push(event.clone());
    Arc::new(event)
}

fn join(log: &mut Log, users: &[(User, MemberRole)], seq: i64) {
    for (user, role) in users {
        log.members.insert(
            user.clone(),
            Member { user: user.clone(), role: *role, joined: seq, read: seq, received: seq, muted_until_ms: None },
        );
    }
}

/// What moves members; whoever asks may. A join of nobody's member is noted, and its owner told.
fn govern(state: &mut BTreeMap<(AppId, Conversation), Log>, asked: Governing) -> Result<Outcome> {
    let log = state.get_mut(&(asked.app.app, asked.conversation.clone())).ok_or(Code::NotFound)?;
    let (change, user) = match asked.act {
        GroupAct::Join => {
            let user = asked.actor.ok_or(Code::Forbidden)?;
            let owners = log.members.values().filter(|member| member.role == MemberRole::Owner);
            let moderators = owners.map(|owner| owner.user.clone()).collect();
            let request = JoinRequest { app: asked.app, conversation: asked.conversation, user, moderators };
            return Ok(Outcome::Joined(Joined::Requested(request)));
        }
        GroupAct::Ban(user) => (Change::Banned, user),
        GroupAct::Unban(user) => (Change::Unbanned, user),
        GroupAct::Update(_) | GroupAct::Decline(_) | GroupAct::Role(..) | GroupAct::Mute(..) => {
            return Ok(Outcome::Listed(false));
        }
    };
    let role = log.members.remove(&user).map(|member| member.role);
    let users = vec![(user, role)];
    let body = EventBody::Member { change, actor: asked.actor, users, until_ms: None };
    Ok(Outcome::Changed(Some(push(log, asked.app, &asked.conversation, body))))
}

fn create(state: &mut BTreeMap<(AppId, Conversation), Log>, new: NewConversation) -> Outcome {
    let log = state.entry((new.app.app, new.id.clone())).or_default();
    let existed = !log.events.is_empty();
    let event = (!existed).then(|| {
        let role = |at| if at == 0 { MemberRole::Owner } else { MemberRole::Member };
        let users: Vec<_> = new.members.iter().enumerate().map(|(at, user)| (user.clone(), role(at))).collect();
        join(log, &users, 1);
        let body =
            EventBody::Member { change: Change::Created, actor: new.actor, users: shown(&users), until_ms: None };
        push(log, new.app, &new.id, body)
    });
    let last_seq = log.events.len() as i64;
    let view = ConversationView {
        id: new.id,
        kind: new.kind,
        name: new.name,
        epoch: 1,
        last_seq,
        last_msg_no: 0,
        created_ms: 0,
        existed,
        join: JoinRule::Invite,
        add: AddRule::Admins,
        members: log.members.len() as i64,
    };
    Outcome::Created(view, event)
}

fn change_members(
    state: &mut BTreeMap<(AppId, Conversation), Log>,
    change: MemberChange,
) -> Result<Option<Arc<Event>>> {
    let log = state.get_mut(&(change.app.app, change.conversation.clone())).ok_or(Code::NotFound)?;
    let added = change.change == Change::Added;
    let users: Vec<_> = change
        .users
        .into_iter()
        .filter(|user| log.members.contains_key(user) != added)
        .map(|user| (user, MemberRole::Member))
        .collect();
    if users.is_empty() {
        return Ok(None);
    }
    let event = push(
        log,
        change.app,
        &change.conversation,
        EventBody::Member { change: change.change, actor: change.actor, users: shown(&users), until_ms: None },
    );
    if added {
        join(log, &users, event.seq);
    } else {
        users.iter().for_each(|(user, _)| drop(log.members.remove(user)));
    }
    Ok(Some(event))
}

fn shown(users: &[(User, MemberRole)]) -> Vec<(User, Option<MemberRole>)> {
    users.iter().map(|(user, role)| (user.clone(), Some(*role))).collect()
}

fn advance(state: &mut BTreeMap<(AppId, Conversation), Log>, watermark: &Watermark) -> Result<bool> {
    let log = state.get_mut(&(watermark.app.app, watermark.conversation.clone())).ok_or(Code::NotFound)?;
    let member = log.members.get_mut(&watermark.user).ok_or(Code::NotFound)?;
    let before = (member.read, member.received);
    member.read = member.read.max(watermark.read.unwrap_or(0));
    member.received = member.received.max(watermark.received.unwrap_or(0)).max(member.read);
    Ok((member.read, member.received) != before)
}

fn entry(conversation: &Conversation, log: &Log, user: &User) -> Option<Entry> {
    let (member, last) = (log.members.get(user)?, log.events.last()?);
    Some(Entry {
        conversation: conversation.clone(),
        kind: ConversationKind::Group,
        name: None,
        epoch: 1,
        epoch_first: 1,
        epoch_before: None,
        head: last.seq,
        msg_no: last.msg_no,
        first: member.joined,
        role: member.role,
        read: member.read,
        read_msg_no: 0,
        member_version: 1,
        last_ms: 0,
        last: Some(last.clone()),
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

    async fn entries(&self, app: AppRef, user: User, of: Vec<Conversation>) -> Result<Vec<Entry>> {
        self.reach().await?;
        let found = || -> Result<Vec<Entry>> {
            let state = self.state.lock().unwrap();
            Ok(of.iter().filter_map(|name| entry(name, state.get(&(app.app, name.clone()))?, &user)).collect())
        };
        self.answer(found()).await
    }

    async fn directory(&self, app: AppRef, user: User, _: Option<DirectoryCursor>, limit: usize) -> Result<Vec<Entry>> {
        self.reach().await?;
        let found = || -> Result<Vec<Entry>> {
            let state = self.state.lock().unwrap();
            let mine = state.iter().filter(|((of, _), _)| *of == app.app);
            Ok(mine.filter_map(|((_, name), log)| entry(name, log, &user)).take(limit).collect())
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
