//! Live messages: begun as any message, grown by rows that are only added, ended as an amendment.

use super::append::Batch;
use super::{allowed, member_role, range, send};
use crate::{fault, sql};
use sea_orm::{ConnectionTrait, QueryResult, Value};
use tokenim_domain::limits::{LIVE_MESSAGES_MAX, LIVE_PIECES_MAX};
use tokenim_domain::log::live::{self, body_bytes, escape, text_from, text_of, unescape, wrong_offset};
use tokenim_domain::log::{
    AppRef, Credential, Delta, Draft, EventBody, Grown, Growth, Idle, LiveText, Outcome, Piece, TextQuery,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Error, Result, group};

/// Begins a live message: a message, and a first piece where it says something already. The outer result is the database's.
pub(super) async fn begin(batch: &Batch<'_>, draft: Draft) -> Result<Result<Outcome>> {
    let values = [draft.app.app.into(), draft.conversation.as_str().into()];
    let counted = sql::row(&batch.tx, COUNT, values).await?;
    let live = counted.map_or(Ok(0), |row| sql::get::<i64>(&row, "live"))?;
    let credential = draft.credential.clone();
    let sent = send::send(batch, vec![draft], live < LIVE_MESSAGES_MAX as i64).await?.remove(0);
    if let Ok(Outcome::Sent(sent)) = &sent
        && let Some(event) = &sent.event
        && let EventBody::Message { body, .. } = &event.body
    {
        let (at, text) = (at(event.app, &event.conversation, event.seq), text_of(body)?);
        let size = text.len() as i64;
        let more: [Value; 6] = [
            size.into(),
            (body.len() as i64).into(),
            i64::from(size > 0).into(),
            batch.now_ms.into(),
            credential.key.into(),
            credential.label.as_deref().into(),
        ];
        run(batch, BEGIN, at.iter().cloned().chain(more)).await?;
        if size > 0 {
            let piece: [Value; 3] = [0i64.into(), size.into(), escape(&text).into()];
            run(batch, ADD, at.into_iter().chain(piece)).await?;
        }
    }
    Ok(sent)
}

/// Adds a piece at the end of a live message. The outer result is the database's.
///
/// What is stored already is answered before anything can refuse it, as a repeat of a send is.
pub(super) async fn grow(batch: &Batch<'_>, growth: Growth) -> Result<Result<Outcome>> {
    let Growth { app, conversation, actor, target, piece } = growth;
    let at = at(app, &conversation, target);
    let who: Value = actor.as_ref().map_or("", User::as_str).into();
    let found = sql::row(&batch.tx, FIND, at.iter().cloned().chain([who])).await?;
    let Some(found) = found else { return Ok(Err(Code::NotFound.into())) };
    let size = allowed!(judge(&found, actor.as_ref())?);
    let Piece { offset, text } = piece;
    let offset = offset.unwrap_or(size);
    // Checked before anything is added to it: a client may name any number.
    if offset > size {
        return Ok(Err(wrong_offset(size)));
    }
    let end = offset + text.len() as i64;
    if offset < size {
        let is_stored = end <= size && holds(batch, &at, (offset, end), &text).await?;
        return Ok(if is_stored {
            Ok(Outcome::Grown(Grown { offset: end, delta: None }))
        } else {
            Err(wrong_offset(size))
        });
    }
    allowed!(may_speak(&found, actor.as_ref(), batch.now_ms)?);
    let pieces: i64 = sql::get(&found, "pieces")?;
    if pieces >= LIVE_PIECES_MAX {
        let wrong = format!("a live message takes at most {LIVE_PIECES_MAX} pieces; end it and go on in another");
        return Ok(Err(Error::new(Code::LimitReached).says(wrong)));
    }
    let escaped = escape(&text);
    let now = sql::get::<i64>(&found, "body_bytes")? as usize;
    let bytes = allowed!(body_bytes(now - live::body("").len() + escaped.len())) as i64;
    let to: [Value; 4] = [end.into(), bytes.into(), batch.now_ms.into(), size.into()];
    one(run(batch, GROW, at.iter().cloned().chain(to)).await?)?;
    let piece: [Value; 3] = [offset.into(), end.into(), escaped.into()];
    run(batch, ADD, at.into_iter().chain(piece)).await?;
    let epoch = sql::get(&found, "epoch")?;
    let delta = Delta { app, conversation, epoch, target, offset, text: text.into() };
    Ok(Ok(Outcome::Grown(Grown { offset: end, delta: Some(delta) })))
}

/// Bytes of the text it holds, where the actor may add to it. The outer result is the database's.
fn judge(found: &QueryResult, actor: Option<&User>) -> Result<Result<i64>> {
    if actor.is_some() && sql::get::<Option<String>>(found, "role")?.is_none() {
        return Ok(Err(Code::NotFound.into()));
    }
    let joined: Option<i64> = sql::get(found, "joined_seq")?;
    let seq: Option<i64> = sql::get(found, "target")?;
    let is_seen = seq.is_some_and(|seq| joined.is_none_or(|first| seq >= first));
    if !is_seen {
        return Ok(Err(no_message()));
    }
    if sql::get::<Option<i64>>(found, "deleted_seq")?.is_some() {
        return Ok(Err(no_message().says("the message at `target` is deleted")));
    }
    let sender: Option<String> = sql::get(found, "sender")?;
    if actor.is_some_and(|actor| Some(actor.as_str()) != sender.as_deref()) {
        return Ok(Err(Error::new(Code::Forbidden).says("only its sender may add to a live message")));
    }
    Ok(sql::get::<Option<i64>>(found, "size")?.ok_or_else(|| Code::NotLive.into()))
}

/// Whether the actor may say something there now, as of a send. The outer result is the database's.
fn may_speak(found: &QueryResult, actor: Option<&User>, now_ms: i64) -> Result<Result<()>> {
    let role: Option<String> = sql::get(found, "role")?;
    let (Some(_), Some(role)) = (actor, role) else { return Ok(Ok(())) };
    allowed!(group::check_speech(member_role(&role)?, sql::get(found, "muted_until_ms")?, now_ms));
    Ok(if sql::get(found, "is_blocked")? { Err(Code::Blocked.into()) } else { Ok(()) })
}

/// The body of a live message that ends with this piece. The outer result is the database's.
pub(super) async fn last_body(batch: &Batch<'_>, at: &[Value; 3], size: i64, last: &Piece) -> Result<Result<Box<str>>> {
    if last.offset.is_some_and(|offset| offset != size) {
        return Ok(Err(wrong_offset(size)));
    }
    let escaped = escaped(batch, at).await? + &escape(&last.text);
    Ok(body_bytes(escaped.len()).map(|_| live::body(&escaped)))
}

/// Forgets a live message that held so many bytes, or however many, and its pieces.
///
/// Errors: one that [`fault::is_meeting`] knows where it has grown since.
pub(super) async fn forget(batch: &Batch<'_>, at: &[Value; 3], size: Option<i64>) -> Result<()> {
    let gone = run(batch, FORGET, at.iter().cloned().chain([size.into()])).await?;
    if size.is_some() {
        one(gone)?;
    }
    run(batch, FORGET_PIECES, at.iter().cloned()).await.map(drop)
}

/// The key of a message, as statements here take it.
pub(super) fn at(app: AppRef, conversation: &Conversation, seq: i64) -> [Value; 3] {
    [app.app.into(), conversation.as_str().into(), seq.into()]
}

/// Whether the text from one byte up to another is this one; only the pieces there are read.
async fn holds(batch: &Batch<'_>, at: &[Value; 3], (from, to): (i64, i64), text: &str) -> Result<bool> {
    let rows = sql::rows(&batch.tx, PART, at.iter().cloned().chain([from.into(), to.into()])).await?;
    let Some(first) = rows.first() else { return Ok(text.is_empty()) };
    let before = from - sql::get::<i64>(first, "from_byte")?;
    let escaped: String = rows.iter().map(|row| sql::get::<String>(row, "text")).collect::<Result<_>>()?;
    let held = unescape(&escaped)?;
    let held = usize::try_from(before).ok().and_then(|before| held.as_bytes().get(before..before + text.len()));
    Ok(held == Some(text.as_bytes()))
}

async fn escaped(batch: &Batch<'_>, at: &[Value; 3]) -> Result<String> {
    let rows = sql::rows(&batch.tx, PIECES, at.iter().cloned()).await?;
    rows.iter().map(|row| sql::get::<String>(row, "text")).collect()
}

/// The text of a message that is or was live.
pub(super) async fn text(on: &impl ConnectionTrait, query: &TextQuery) -> Result<LiveText> {
    let first = range::first_visible(on, query.app, &query.conversation, query.viewer.as_ref()).await?;
    let at = at(query.app, &query.conversation, query.target);
    let rows = sql::rows(on, TEXT, at.into_iter().chain([query.offset.into()])).await?;
    let Some(found) = rows.first().filter(|_| query.target >= first) else { return Err(no_message()) };
    if let Some(ended) = sql::get::<Option<i64>>(found, "ended_seq")? {
        let text = text_of(&sql::get::<String>(found, "ended_body")?)?;
        let rest = text_from(&text, query.offset)?.to_owned();
        return Ok(LiveText { text: rest, offset: text.len() as i64, ended: Some(ended) });
    }
    let size = sql::get::<Option<i64>>(found, "size")?.ok_or(Code::NotLive)?;
    if query.offset > size {
        return Err(wrong_offset(size));
    }
    let mut text = String::new();
    for row in &rows {
        text += &unescape(sql::get::<Option<String>>(row, "text")?.as_deref().unwrap_or_default())?;
    }
    let before = size - text.len() as i64;
    let rest = text_from(&text, query.offset - before)?.to_owned();
    Ok(LiveText { text: rest, offset: size, ended: None })
}

/// Live messages that grew last within a time, the longest idle first.
pub(super) async fn idle(on: &impl ConnectionTrait, after_ms: i64, up_to_ms: i64, limit: u32) -> Result<Vec<Idle>> {
    let rows = sql::rows(on, IDLE, [after_ms.into(), up_to_ms.into(), i64::from(limit).into()]).await?;
    let idle = |row: &QueryResult| -> Result<Idle> {
        Ok(Idle {
            app: AppRef { org: sql::get(row, "org_id")?, app: sql::get(row, "app_id")? },
            conversation: Conversation::trusted(&sql::get::<String>(row, "conversation_id")?),
            target: sql::get(row, "seq")?,
            credential: Credential {
                key: sql::get(row, "key_id")?,
                label: sql::get::<Option<String>>(row, "label")?.map(Into::into),
            },
            grown_ms: sql::get(row, "grown_ms")?,
        })
    };
    rows.iter().map(idle).collect()
}

fn no_message() -> Error {
    Error::new(Code::NotFound).says("`target` is the seq of no message here").at("target")
}

/// Errors where another node was there first: nothing is as it was looked up.
fn one(touched: u64) -> Result<()> {
    if touched == 1 { Ok(()) } else { Err(Error::new(Code::Unavailable).because(fault::HeadMoved)) }
}

async fn run(batch: &Batch<'_>, text: &str, values: impl IntoIterator<Item = Value>) -> Result<u64> {
    sql::run(&batch.tx, text, values).await.map_err(fault::query)
}

const COUNT: &str = "SELECT count(*) AS live FROM live_message WHERE app_id = $1 AND conversation_id = $2";
const BEGIN: &str = "
INSERT INTO live_message (app_id, conversation_id, seq, size, body_bytes, pieces, grown_ms, key_id, label)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// The message, how the actor stands there, as of a send, and what the message holds while it is live.
const FIND: &str = "
SELECT c.epoch, m.role, m.joined_seq, m.muted_until_ms, b.app_id IS NOT NULL AS is_blocked,
    t.seq AS target, t.sender, s.deleted_seq, l.size, l.body_bytes, l.pieces
FROM conversation c
LEFT JOIN member m ON m.app_id = c.app_id AND m.conversation_id = c.id AND m.\"user\" = $4
LEFT JOIN user_block b ON b.app_id = c.app_id AND b.other = $4 AND b.\"user\" = CASE
    WHEN substr(c.pair, 1, length($4) + 1) = $4 || '|' THEN substr(c.pair, length($4) + 2)
    ELSE substr(c.pair, 1, length(c.pair) - length($4) - 1) END
LEFT JOIN message t ON t.app_id = c.app_id AND t.conversation_id = c.id AND t.seq = $3 AND t.type = 1
LEFT JOIN message_state s ON s.app_id = c.app_id AND s.conversation_id = c.id AND s.seq = $3
LEFT JOIN live_message l ON l.app_id = c.app_id AND l.conversation_id = c.id AND l.seq = $3
WHERE c.app_id = $1 AND c.id = $2";

/// The size it was looked up at vouches for it: another node that added to it, or ended it, moved that.
const GROW: &str = "
UPDATE live_message SET size = $4, body_bytes = $5, pieces = pieces + 1, grown_ms = $6
WHERE app_id = $1 AND conversation_id = $2 AND seq = $3 AND size = $7";
const ADD: &str = "
INSERT INTO live_piece (app_id, conversation_id, seq, from_byte, to_byte, text) VALUES ($1, $2, $3, $4, $5, $6)";
const PIECES: &str = "
SELECT text FROM live_piece WHERE app_id = $1 AND conversation_id = $2 AND seq = $3 ORDER BY from_byte";

const PART: &str = "
SELECT from_byte, text FROM live_piece
WHERE app_id = $1 AND conversation_id = $2 AND seq = $3 AND to_byte > $4 AND from_byte < $5 ORDER BY from_byte";

/// The row goes first: whoever adds to it on another node is waited for, and its piece is seen by the next statement.
const FORGET: &str = "
DELETE FROM live_message WHERE app_id = $1 AND conversation_id = $2 AND seq = $3 AND size = COALESCE($4, size)";
const FORGET_PIECES: &str = "DELETE FROM live_piece WHERE app_id = $1 AND conversation_id = $2 AND seq = $3";

/// One statement, so that its parts are of one time: pieces that reach beyond the offset, or the end.
const TEXT: &str = "
SELECT s.ended_seq, e.body AS ended_body, l.size, p.text
FROM message t
LEFT JOIN message_state s ON s.app_id = t.app_id AND s.conversation_id = t.conversation_id AND s.seq = t.seq
LEFT JOIN message e ON e.app_id = t.app_id AND e.conversation_id = t.conversation_id AND e.seq = s.ended_seq
LEFT JOIN live_message l ON l.app_id = t.app_id AND l.conversation_id = t.conversation_id AND l.seq = t.seq
LEFT JOIN live_piece p ON p.app_id = l.app_id AND p.conversation_id = l.conversation_id AND p.seq = l.seq AND p.to_byte > $4
WHERE t.app_id = $1 AND t.conversation_id = $2 AND t.seq = $3 AND t.type = 1 AND s.deleted_seq IS NULL
ORDER BY p.from_byte";

const IDLE: &str = "
SELECT a.org_id, l.app_id, l.conversation_id, l.seq, l.key_id, l.label, l.grown_ms
FROM live_message l JOIN app a ON a.id = l.app_id
WHERE l.grown_ms > $1 AND l.grown_ms <= $2 ORDER BY l.grown_ms LIMIT $3";
