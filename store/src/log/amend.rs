//! Edits, deletions, reactions, pins and ends: looked up one by one, then an event of the log and the mark it leaves.

use super::append::{Batch, Head};
use super::send::{conflict, same_json};
use super::{allowed, attachment, live as stored, member_role, range, row, upload};
use crate::sql::Text;
use crate::{fault, sql};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use std::collections::HashMap;
use tokenim_domain::id::MessageId;
use tokenim_domain::limits::{PINS_MAX, REACTIONS_PER_MESSAGE_MAX};
use tokenim_domain::log::{
    Amended, Amendment, Emoji, Event, EventBody, MessageAct, MessageState, Outcome, Piece, Pins, PinsQuery, Reaction,
    ReactionsQuery, Reactor, live,
};
use tokenim_domain::name::{ClientMsgId, User};
use tokenim_domain::role::{ContentKind, ConversationKind};
use tokenim_domain::{Code, Error, Result, group};

/// The conversation's head, how the actor stands there, as of a send, the message with what became of it, and the event the actor's id was used for.
const FIND: &str = "
SELECT c.kind AS conversation_kind, c.epoch, c.last_seq, c.last_msg_no, c.last_ms, c.units_cum, m.role, m.joined_seq, m.muted_until_ms,
    b.app_id IS NOT NULL AS is_blocked, t.type AS target_type, t.sender AS target_sender, COALESCE(s.kind, t.kind) AS kind, COALESCE(s.body, t.body) AS body,
    s.edited_seq, s.edited_ms, s.deleted_seq, s.deleted_ms, s.pinned_seq, s.replies, s.reactions, s.ended_seq, s.ended_ms,
    l.size AS live_size, r.seq AS reacted_seq,
    d.seq AS dup_seq, d.type AS dup_type, d.target AS dup_target, d.kind AS dup_kind, d.body AS dup_body, d.units AS dup_units
FROM conversation c
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.\"user\" = $3
LEFT JOIN user_block b ON b.app_id = c.app_id AND b.other = $3 AND b.\"user\" = CASE
    WHEN substr(c.pair, 1, length($3) + 1) = $3 || '|' THEN substr(c.pair, length($3) + 2)
    ELSE substr(c.pair, 1, length(c.pair) - length($3) - 1) END
LEFT JOIN message t ON t.app_id = c.app_id AND t.conversation_id = c.id AND t.seq = $4
LEFT JOIN message_state s ON s.app_id = c.app_id AND s.conversation_id = c.id AND s.seq = $4
LEFT JOIN live_message l ON l.app_id = c.app_id AND l.conversation_id = c.id AND l.seq = $4
LEFT JOIN reaction r ON r.app_id = c.app_id AND r.conversation_id = c.id AND r.\"user\" = $3 AND r.target = $4 AND r.emoji = $5
LEFT JOIN message d ON d.app_id = c.app_id AND d.conversation_id = c.id AND d.sender = $3 AND d.client_msg_id = $6
WHERE c.app_id = $1 AND c.id = $2";

/// Does what may be done to a message. The outer result is the database's, the inner one the answer.
///
/// A repeat is answered before anything can refuse it, as of a send (docs/PROTOCOL.md §4); so is what is so already.
pub(super) async fn amend(batch: &Batch<'_>, mut amendment: Amendment) -> Result<Result<Outcome>> {
    let Some(found) = sql::row(&batch.tx, FIND, key(&amendment)).await? else { return Ok(Err(Code::NotFound.into())) };
    if let Some(first) = first_result(&amendment, &found)? {
        return Ok(first.map(Outcome::Amended));
    }
    let state = allowed!(judge(&amendment, &found, batch.now_ms)?);
    if let Some(seq) = done_by(&amendment, &found, &state)? {
        return Ok(Ok(Outcome::Amended(Amended { seq, billed: 0, duplicate: false, event: None })));
    }
    allowed!(fits(batch, &mut amendment, &state, &found).await?);
    if let Err(code) = batch.take(&amendment.allowance, amendment.act.units()) {
        return Ok(Err(code.into()));
    }
    let event = append(batch, &amendment, &found).await?;
    mark(batch, &event, state, sql::get(&found, "live_size")?).await?;
    let billed = event.body.units();
    Ok(Ok(Outcome::Amended(Amended { seq: Some(event.seq), billed, duplicate: false, event: Some(event) })))
}

fn key(amendment: &Amendment) -> [Value; 6] {
    let emoji = match &amendment.act {
        MessageAct::React { emoji, .. } => emoji.as_str(),
        MessageAct::Edit { .. } | MessageAct::Delete | MessageAct::Pin { .. } | MessageAct::End { .. } => "",
    };
    [
        amendment.app.app.into(),
        amendment.conversation.as_str().into(),
        // No user and no id is an empty text.
        amendment.actor.as_ref().map_or("", User::as_str).into(),
        amendment.target.into(),
        emoji.into(),
        amendment.client_msg_id.as_ref().map_or("", ClientMsgId::as_str).into(),
    ]
}

fn first_result(amendment: &Amendment, found: &QueryResult) -> Result<Option<Result<Amended>>> {
    let Some(seq) = sql::get::<Option<i64>>(found, "dup_seq")? else { return Ok(None) };
    let (event_type, kind, body) = row::act_parts(&amendment.act);
    let (stored_kind, stored): (String, String) = (sql::get(found, "dup_kind")?, sql::get(found, "dup_body")?);
    let says_the_same = match &amendment.act {
        MessageAct::Edit { .. } => stored.is_empty() || same_json(&stored, &body),
        MessageAct::React { emoji, .. } => {
            let said: serde_json::Value = serde_json::from_str(&stored).unwrap_or_default();
            stored.is_empty() || said["emoji"] == emoji.as_str()
        }
        MessageAct::Delete | MessageAct::Pin { .. } => true,
        MessageAct::End { last, .. } => stored.is_empty() || ends_with(&stored, last),
    };
    let has_kind = stored_kind == kind || matches!(amendment.act, MessageAct::End { .. });
    let same = sql::get::<i64>(found, "dup_type")? == event_type
        && sql::get::<Option<i64>>(found, "dup_target")? == Some(amendment.target)
        && has_kind
        && says_the_same;
    if !same {
        return Ok(Some(Err(conflict())));
    }
    let billed = sql::get(found, "dup_units")?;
    Ok(Some(Ok(Amended { seq: Some(seq), billed, duplicate: true, event: None })))
}

/// Whether a body's text ends with a piece, and where that says.
fn ends_with(body: &str, last: &Piece) -> bool {
    // The id may have been used for anything, which need not have a text.
    let Ok(text) = live::text_of(body) else { return false };
    let before = text.strip_suffix(&*last.text).map(|before| before.len() as i64);
    before.is_some_and(|before| last.offset.is_none_or(|offset| offset == before))
}

/// Whether the actor may do it to what it names. The outer result is the database's.
fn judge(amendment: &Amendment, found: &QueryResult, now_ms: i64) -> Result<Result<MessageState>> {
    let role: Option<String> = sql::get(found, "role")?;
    let joined: Option<i64> = sql::get(found, "joined_seq")?;
    if amendment.actor.is_some() && role.is_none() {
        return Ok(Err(Code::NotFound.into()));
    }
    let kind: String = sql::get(found, "conversation_kind")?;
    let kind = ConversationKind::find(&kind).ok_or_else(|| Error::internal("unknown conversation kind"))?;
    let is_message = sql::get::<Option<i64>>(found, "target_type")? == Some(row::MESSAGE);
    if !is_message || joined.is_some_and(|first| amendment.target < first) {
        let wrong = "`target` is the seq of no message here";
        return Ok(Err(Error::new(Code::NotFound).says(wrong).at("target")));
    }
    let sender = User::trusted(&sql::get::<String>(found, "target_sender")?);
    let role = role.as_deref().map(member_role).transpose()?;
    allowed!(amendment.check(&sender, role, kind));
    if let Some(role) = role.filter(|_| amendment.act.is_speech()) {
        allowed!(group::check_speech(role, sql::get(found, "muted_until_ms")?, now_ms));
        if sql::get(found, "is_blocked")? {
            return Ok(Err(Code::Blocked.into()));
        }
    }
    Ok(Ok(row::state(found)?.unwrap_or_default()))
}

/// The seq of the event that made it so, where it is so already; the inner `None` where no event did.
fn done_by(amendment: &Amendment, found: &QueryResult, state: &MessageState) -> Result<Option<Option<i64>>> {
    let reacted: Option<i64> = sql::get(found, "reacted_seq")?;
    Ok(match &amendment.act {
        MessageAct::Delete => state.deleted.map(|mark| Some(mark.seq)),
        MessageAct::React { on: true, .. } => reacted.map(Some),
        MessageAct::React { on: false, .. } => reacted.is_none().then_some(None),
        MessageAct::Pin { on: true } => state.pinned.map(Some),
        MessageAct::Pin { on: false } => state.pinned.is_none().then_some(None),
        MessageAct::Edit { kind, body } => {
            let (now, content): (String, String) = (sql::get(found, "kind")?, sql::get(found, "body")?);
            let is_so = ContentKind::find(&now) == Some(*kind) && *content == **body;
            is_so.then(|| state.edited.map(|mark| mark.seq))
        }
        // A last piece that is not in it makes it another end.
        MessageAct::End { last, .. } => match state.ended {
            Some(mark) if state.edited.is_some() || ends_with(&sql::get::<String>(found, "body")?, last) => {
                Some(Some(mark.seq))
            }
            _ => None,
        },
    })
}

/// Whether there is room for it, and something to do it to; fills in what only the commit knows.
async fn fits(
    batch: &Batch<'_>,
    amendment: &mut Amendment,
    state: &MessageState,
    found: &QueryResult,
) -> Result<Result<()>> {
    let live_size: Option<i64> = sql::get(found, "live_size")?;
    let limit = |what: String| Ok(Err(Error::new(Code::LimitReached).says(what)));
    if state.deleted.is_some()
        && !matches!(amendment.act, MessageAct::React { on: false, .. } | MessageAct::Pin { on: false })
    {
        return Ok(Err(Error::new(Code::NotFound).says("the message was deleted").at("target")));
    }
    match &mut amendment.act {
        MessageAct::React { emoji, on, count } => {
            let now = state.reactions.iter().find(|one| one.emoji == *emoji).map_or(0, |one| one.count);
            *count = if *on { now + 1 } else { now - 1 };
            if *on && now == 0 && state.reactions.len() >= REACTIONS_PER_MESSAGE_MAX {
                return limit(format!("a message has at most {REACTIONS_PER_MESSAGE_MAX} different reactions"));
            }
        }
        MessageAct::Pin { on: true } => {
            let values = [amendment.app.app.into(), amendment.conversation.as_str().into()];
            let counted = sql::row(&batch.tx, COUNT_PINS, values).await?;
            let pins = counted.map_or(Ok(0), |row| sql::get::<i64>(&row, "pins"))?;
            if pins >= PINS_MAX as i64 {
                return limit(format!("a conversation has at most {PINS_MAX} pinned messages; take one away"));
            }
        }
        MessageAct::Edit { .. } if live_size.is_some() => {
            let wrong = "the message grows still; end it first";
            return Ok(Err(Error::new(Code::Conflict).says(wrong).at("target")));
        }
        MessageAct::End { last, kind, body } => {
            let Some(size) = live_size else { return Ok(Err(Code::NotLive.into())) };
            let at = stored::at(amendment.app, &amendment.conversation, amendment.target);
            *body = allowed!(stored::last_body(batch, &at, size, &std::mem::take(last)).await?);
            let of: String = sql::get(found, "kind")?;
            *kind = ContentKind::find(&of).ok_or_else(|| Error::internal("unknown content kind"))?;
        }
        MessageAct::Edit { .. } | MessageAct::Delete | MessageAct::Pin { on: false } => {}
    }
    Ok(Ok(()))
}

async fn append(batch: &Batch<'_>, amendment: &Amendment, found: &QueryResult) -> Result<std::sync::Arc<Event>> {
    let id = MessageId::new(&*batch.store.clock, &*batch.store.rng);
    let seq = sql::get(found, "last_seq")?;
    let mut head = Head {
        epoch: sql::get(found, "epoch")?,
        found_seq: seq,
        seq,
        msg_no: sql::get(found, "last_msg_no")?,
        last_ms: sql::get(found, "last_ms")?,
        units_cum: sql::get(found, "units_cum")?,
    };
    let body = EventBody::Amended {
        target: amendment.target,
        actor: amendment.actor.clone(),
        client_msg_id: amendment.client_msg_id.clone(),
        act: amendment.act.clone(),
    };
    let credential = Some(amendment.credential.clone());
    let placed = batch.place(&mut head, amendment.app, &amendment.conversation, id, body, credential);
    let event = placed.event.clone();
    let heads = HashMap::from([((amendment.app.app, amendment.conversation.clone()), head)]);
    batch.write(&[placed], &heads).await?;
    Ok(event)
}

/// Leaves the mark of an event on its message.
async fn mark(batch: &Batch<'_>, event: &Event, state: MessageState, live_size: Option<i64>) -> Result<()> {
    let EventBody::Amended { target, actor, act, .. } = &event.body else { return Ok(()) };
    let at: [Value; 3] = [event.app.app.into(), event.conversation.as_str().into(), (*target).into()];
    let run = async |text: &str, more: Vec<Value>| {
        let values = at.iter().cloned().chain(more);
        sql::run(&batch.tx, text, values).await.map(drop).map_err(fault::query)
    };
    match act {
        MessageAct::Edit { kind, body } => {
            let more = vec![event.seq.into(), event.at_ms.into(), kind.as_str().into(), body.to_string().into()];
            run(EDIT, more).await?;
            run(upload::DROP_BODY, vec![batch.now_ms.into()]).await
        }
        MessageAct::Delete => {
            run(DELETE, vec![event.seq.into(), event.at_ms.into()]).await?;
            run(ERASE, vec![]).await?;
            run(upload::DROP_BODY, vec![batch.now_ms.into()]).await?;
            attachment::release(batch, &at).await?;
            run(ERASE_WORDS.on(&batch.tx), vec![row::EDITED.into(), row::REACTION.into(), row::ENDED.into()]).await?;
            run(DROP_REACTIONS, vec![]).await?;
            if live_size.is_some() { stored::forget(batch, &at, None).await } else { Ok(()) }
        }
        MessageAct::End { kind, body, .. } => {
            let more = vec![event.seq.into(), event.at_ms.into(), kind.as_str().into(), body.to_string().into()];
            run(END, more).await?;
            stored::forget(batch, &at, live_size).await
        }
        MessageAct::Pin { on } => run(PIN, vec![on.then_some(event.seq).into()]).await,
        MessageAct::React { emoji, on, count } => {
            let who: Vec<Value> = vec![actor.as_ref().map_or("", User::as_str).into(), emoji.as_str().into()];
            match on {
                true => run(ADD_REACTION, who.into_iter().chain([event.seq.into()]).collect()).await?,
                false => run(REMOVE_REACTION, who).await?,
            }
            let reactions = row::reactions_json(&counted(state.reactions, emoji, *count));
            run(SET_REACTIONS, vec![reactions.into()]).await
        }
    }
}

/// The reactions of a message once this one stands at `count`; a new one comes last.
fn counted(mut reactions: Vec<Reaction>, emoji: &Emoji, count: i64) -> Vec<Reaction> {
    match reactions.iter_mut().find(|one| one.emoji == *emoji) {
        Some(one) => one.count = count,
        None => reactions.push(Reaction { emoji: emoji.clone(), count, mine: false }),
    }
    reactions.retain(|one| one.count > 0);
    reactions
}

/// Who reacted to a message, in the order it was done.
pub(super) async fn reactions(on: &impl ConnectionTrait, query: &ReactionsQuery) -> Result<Vec<Reactor>> {
    let first = range::first_visible(on, query.app, &query.conversation, query.viewer.as_ref()).await?;
    let at: [Value; 3] = [query.app.app.into(), query.conversation.as_str().into(), query.target.into()];
    let is_message = query.target >= first && sql::row(on, IS_MESSAGE, at.clone()).await?.is_some();
    if !is_message {
        return Err(Error::new(Code::NotFound).says("`target` is the seq of no message here").at("target"));
    }
    let more: [Value; 3] =
        [query.after.into(), query.emoji.as_ref().map_or("", Emoji::as_str).into(), i64::from(query.limit).into()];
    let rows = sql::rows(on, LIST_REACTIONS, at.into_iter().chain(more)).await?;
    let reactor = |row: &QueryResult| -> Result<Reactor> {
        Ok(Reactor {
            user: User::trusted(&sql::get::<String>(row, "user")?),
            emoji: Emoji::trusted(&sql::get::<String>(row, "emoji")?),
            seq: sql::get(row, "seq")?,
        })
    };
    rows.iter().map(reactor).collect()
}

/// A page of the pinned messages, the last pinned first.
pub(super) async fn pins(on: &impl ConnectionTrait, query: &PinsQuery) -> Result<Pins> {
    let first = range::first_visible(on, query.app, &query.conversation, query.viewer.as_ref()).await?;
    let at = |before: i64| -> [Value; 4] {
        [query.app.app.into(), query.conversation.as_str().into(), first.into(), before.into()]
    };
    let values = at(query.before).into_iter().chain([(query.bytes_max as i64).into()]);
    let rows = sql::rows(on, LIST_PINS, values).await?;
    let mut events: Vec<Event> = rows.iter().map(|row| row::event_with_state(query.app, row)).collect::<Result<_>>()?;
    range::mark_mine(on, &mut events, query.viewer.as_ref()).await?;
    let last = rows.last().map(|row| sql::get::<i64>(row, "pinned_seq")).transpose()?;
    let next = match last {
        Some(last) if sql::row(on, HAS_PINS, at(last)).await?.is_some() => Some(last),
        _ => None,
    };
    Ok(Pins { events, next })
}

const EDIT: &str = "
INSERT INTO message_state (app_id, conversation_id, seq, edited_seq, edited_ms, kind, body, replies) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
ON CONFLICT (app_id, conversation_id, seq)
DO UPDATE SET edited_seq = excluded.edited_seq, edited_ms = excluded.edited_ms, kind = excluded.kind, body = excluded.body";

const END: &str = "
INSERT INTO message_state (app_id, conversation_id, seq, ended_seq, ended_ms, kind, body, replies) VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
ON CONFLICT (app_id, conversation_id, seq)
DO UPDATE SET ended_seq = excluded.ended_seq, ended_ms = excluded.ended_ms, kind = excluded.kind, body = excluded.body";

/// Of a deleted message only its place, its sender, its number and what it counted stay.
const DELETE: &str = "
INSERT INTO message_state (app_id, conversation_id, seq, deleted_seq, deleted_ms, replies) VALUES ($1, $2, $3, $4, $5, 0)
ON CONFLICT (app_id, conversation_id, seq) DO UPDATE SET deleted_seq = excluded.deleted_seq, deleted_ms = excluded.deleted_ms,
    ended_seq = NULL, ended_ms = NULL, edited_seq = NULL, edited_ms = NULL, kind = NULL, body = NULL, pinned_seq = NULL, reactions = NULL";
const ERASE: &str =
    "UPDATE message SET body = '', about = NULL WHERE app_id = $1 AND conversation_id = $2 AND seq = $3";
macro_rules! erase_words {
    ($by:literal) => {
        concat!(
            "UPDATE message",
            $by,
            " SET body = '' WHERE app_id = $1 AND conversation_id = $2 AND target = $3 AND type IN ($4, $5, $6)"
        )
    };
}
/// SQLite is told the index, as of a thread's page (`range.rs`).
const ERASE_WORDS: Text = Text { sqlite: erase_words!(" INDEXED BY message_by_target"), postgres: erase_words!("") };
const DROP_REACTIONS: &str = "DELETE FROM reaction WHERE app_id = $1 AND conversation_id = $2 AND target = $3";

const PIN: &str = "
INSERT INTO message_state (app_id, conversation_id, seq, pinned_seq, replies) VALUES ($1, $2, $3, $4, 0)
ON CONFLICT (app_id, conversation_id, seq) DO UPDATE SET pinned_seq = excluded.pinned_seq";
const COUNT_PINS: &str = "
SELECT count(*) AS pins FROM message_state WHERE app_id = $1 AND conversation_id = $2 AND pinned_seq IS NOT NULL";
const LIST_PINS: &str = concat!(
    "SELECT * FROM (SELECT ",
    range::columns!(),
    ", ",
    range::bytes!(),
    " AS bytes, SUM(",
    range::bytes!(),
    ") OVER (ORDER BY s.pinned_seq DESC) AS running
FROM message_state s JOIN message m ON m.app_id = s.app_id AND m.conversation_id = s.conversation_id AND m.seq = s.seq
WHERE s.app_id = $1 AND s.conversation_id = $2 AND s.pinned_seq IS NOT NULL AND s.seq >= $3 AND s.pinned_seq < $4) AS page
WHERE running <= $5 OR running = bytes ORDER BY pinned_seq DESC"
);
const HAS_PINS: &str = "
SELECT seq FROM message_state WHERE app_id = $1 AND conversation_id = $2 AND pinned_seq IS NOT NULL AND seq >= $3 AND pinned_seq < $4 LIMIT 1";

const ADD_REACTION: &str = "
INSERT INTO reaction (app_id, conversation_id, target, \"user\", emoji, seq) VALUES ($1, $2, $3, $4, $5, $6)";
const REMOVE_REACTION: &str = "
DELETE FROM reaction WHERE app_id = $1 AND conversation_id = $2 AND target = $3 AND \"user\" = $4 AND emoji = $5";
const SET_REACTIONS: &str = "
INSERT INTO message_state (app_id, conversation_id, seq, reactions, replies) VALUES ($1, $2, $3, $4, 0)
ON CONFLICT (app_id, conversation_id, seq) DO UPDATE SET reactions = excluded.reactions";
const IS_MESSAGE: &str = "SELECT seq FROM message WHERE app_id = $1 AND conversation_id = $2 AND seq = $3 AND type = 1";
const LIST_REACTIONS: &str = "
SELECT \"user\", emoji, seq FROM reaction WHERE app_id = $1 AND conversation_id = $2 AND target = $3 AND seq > $4
AND ($5 = '' OR emoji = $5) ORDER BY seq LIMIT $6";
