//! What a batch does to the conversations in memory.

use super::{Log, Logs};
use std::sync::Arc;
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::id::MessageId;
use tokenim_domain::log::{
    About, Amended, Amendment, AppRef, ConversationView, Delta, Draft, Event, EventBody, Governing, GroupAct, Grown,
    Growth, Idle, JoinRequest, Joined, Member, MemberChange, MessageAct, NewConversation, Outcome, Sent, Watermark,
    Write, live,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, MemberRole};
use tokenim_domain::token::beyond_caps;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Result};

pub(super) fn apply(state: &mut Logs, write: Write) -> Result<Outcome> {
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

fn send(state: &mut Logs, draft: Draft) -> Result<Sent> {
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
    if !draft.may_send {
        return Err(beyond_caps(Cap::Send));
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
fn amend(state: &mut Logs, amendment: Amendment) -> Result<Amended> {
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
fn grow(state: &mut Logs, growth: Growth) -> Result<Grown> {
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
fn govern(state: &mut Logs, asked: Governing) -> Result<Outcome> {
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

fn create(state: &mut Logs, new: NewConversation) -> Outcome {
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

fn change_members(state: &mut Logs, change: MemberChange) -> Result<Option<Arc<Event>>> {
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

fn advance(state: &mut Logs, watermark: &Watermark) -> Result<bool> {
    let log = state.get_mut(&(watermark.app.app, watermark.conversation.clone())).ok_or(Code::NotFound)?;
    let member = log.members.get_mut(&watermark.user).ok_or(Code::NotFound)?;
    let before = (member.read, member.received);
    member.read = member.read.max(watermark.read.unwrap_or(0));
    member.received = member.received.max(watermark.received.unwrap_or(0)).max(member.read);
    Ok((member.read, member.received) != before)
}
