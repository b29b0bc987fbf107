//! Messages of a batch: looked up together, given seqs in order, refused one by one.

use super::append::{Batch, Head, Key, Placed};
use super::found::{First, Found};
use super::{attachment, postgres, sqlite, upload};
use crate::{fault, sql};
use sea_orm::DbBackend;
use std::collections::HashMap;
use tokenim_domain::id::{AppId, MessageId};
use tokenim_domain::limits::LIVE_MESSAGES_MAX;
use tokenim_domain::log::{About, Attached, Draft, Event, EventBody, Outcome, Sent};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::token::beyond_caps;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result, group, sabotage};

/// What identifies a message to its sender.
type Once = (AppId, Conversation, User, ClientMsgId);

/// Stores what may be stored of the drafts; `has_room` says whether live ones may be begun.
///
/// The order of checks is the protocol's (docs/PROTOCOL.md §4): a repeat is answered before anything can refuse it.
pub(super) async fn send(batch: &Batch<'_>, drafts: Vec<Draft>, has_room: bool) -> Result<Vec<Result<Outcome>>> {
    let found = match batch.engine() {
        DbBackend::Postgres => postgres::find_sends(&batch.tx, &drafts).await?,
        _ => sqlite::find_sends(&batch.tx, &drafts).await?,
    };
    let placed = Vec::with_capacity(drafts.len());
    let mut run = Run { batch, has_room, heads: HashMap::new(), placed, new: HashMap::new() };
    let mut outcomes = Vec::with_capacity(drafts.len());
    for (draft, found) in drafts.into_iter().zip(found) {
        outcomes.push(run.one(draft, found).await?.map(Outcome::Sent));
    }
    if !run.placed.is_empty() {
        batch.write(&run.placed, &run.heads).await?;
        count_replies(batch, &run.placed).await?;
        upload::keep(batch, &run.placed).await?;
        attachment::keep(batch, &run.placed).await?;
    }
    Ok(outcomes)
}

/// Counts replies at the messages they speak of.
async fn count_replies(batch: &Batch<'_>, placed: &[Placed]) -> Result<()> {
    for Placed { event, .. } in placed {
        let EventBody::Message { about: About { reply_to: Some(target), .. }, .. } = &event.body else { continue };
        let values = [event.app.app.into(), event.conversation.as_str().into(), (*target).into()];
        sql::run(&batch.tx, COUNT_REPLY, values).await.map_err(fault::query)?;
    }
    Ok(())
}

const COUNT_REPLY: &str = "
INSERT INTO message_state (app_id, conversation_id, seq, replies) VALUES ($1, $2, $3, 1)
ON CONFLICT (app_id, conversation_id, seq) DO UPDATE SET replies = message_state.replies + 1";

struct Run<'a> {
    batch: &'a Batch<'a>,
    /// Whether live messages may be begun.
    has_room: bool,
    heads: HashMap<Key, Head>,
    placed: Vec<Placed>,
    /// Messages of this very batch, which the look-up could not see.
    new: HashMap<Once, usize>,
}

impl Run<'_> {
    /// The outer result is the database's, the inner one the draft's own.
    async fn one(&mut self, mut draft: Draft, found: Found) -> Result<Result<Sent>> {
        let unknown = || Err(if draft.may_send { Code::NotFound.into() } else { beyond_caps(Cap::Send) });
        let Some(head) = found.head else { return Ok(unknown()) };
        if let Some(first) = self.first_result(&draft, found.first)?.filter(|_| !sabotage::is("no_dedup")) {
            return Ok(first);
        }
        let Some(role) = found.role.filter(|_| draft.may_send) else { return Ok(unknown()) };
        let role = super::member_role(&role)?;
        if let Err(error) = group::check_speech(role, found.muted_until_ms, self.batch.now_ms) {
            return Ok(Err(error));
        }
        if found.is_blocked {
            return Ok(Err(Code::Blocked.into()));
        }
        if !found.is_prev_stored && !self.prev_is_new(&draft) {
            return Ok(Err(Code::PreviousRefused.into()));
        }
        if !found.is_reply_stored && !self.target_is_new(&draft) {
            let wrong = "`reply_to` is the seq of no message here";
            return Ok(Err(Error::new(Code::NotFound).says(wrong).at("reply_to")));
        }
        if let Some(large) = &draft.about.large
            && !upload::is_open(&self.batch.tx, draft.app, large).await?
        {
            self.batch.look_again()?;
            return Ok(Err(upload::gone()));
        }
        match attachment::find(self.batch, &draft).await? {
            Ok(files) => draft.about.attached = Attached::Kept(files),
            Err(error) => {
                self.batch.look_again()?;
                return Ok(Err(error));
            }
        }
        if let Err(error) = self.take(&draft) {
            return Ok(Err(error));
        }
        let key = (draft.app.app, draft.conversation.clone());
        let head = self.heads.entry(key).or_insert_with(|| head.begin());
        Ok(Ok(place(self.batch, head, &mut self.placed, &mut self.new, draft)))
    }

    /// Takes what it counts. A live message counts when it ends, but is not begun where nothing is left.
    fn take(&self, draft: &Draft) -> Result<()> {
        if !draft.about.live {
            return Ok(self.batch.take(&draft.allowance, draft.units())?);
        }
        if !self.has_room {
            let wrong = format!("a conversation has at most {LIVE_MESSAGES_MAX} live messages at a time; end one");
            return Err(Error::new(Code::LimitReached).says(wrong));
        }
        draft.allowance.take(1)?;
        draft.allowance.give_back(1);
        Ok(())
    }

    /// The outer result is the database's.
    fn first_result(&self, draft: &Draft, stored: Option<First>) -> Result<Option<Result<Sent>>> {
        if let Some(at) = self.new.get(&once(draft)) {
            return Ok(Some(repeat_of(&self.placed[*at], draft)));
        }
        let Some(first) = stored else { return Ok(None) };
        let about = super::row::about_of(None, first.about.as_deref())?;
        // Of a deleted message the content is gone, so there is nothing left to compare.
        let is_gone = first.body.is_empty() && about.large.is_none();
        let same = is_gone || (first.kind == draft.kind.as_str() && same_content((&first.body, &about), draft));
        if first.event_type != super::row::MESSAGE || !same {
            return Ok(Some(Err(conflict())));
        }
        let First { seq, epoch, at_ms, units: billed, .. } = first;
        let seq = seq + i64::from(sabotage::is("repeat_has_new_seq"));
        Ok(Some(Ok(Sent { id: MessageId(first.id), seq, epoch, at_ms, billed, event: None })))
    }

    /// Whether a draft replies to nothing, or to a message of this very batch.
    fn target_is_new(&self, draft: &Draft) -> bool {
        let is_it = |event: &Event, seq: i64| {
            (event.app, &event.conversation, event.seq) == (draft.app, &draft.conversation, seq)
        };
        draft.about.reply_to.is_none_or(|seq| self.placed.iter().any(|placed| is_it(&placed.event, seq)))
    }

    /// Whether a draft has no predecessor, or one of this very batch.
    fn prev_is_new(&self, draft: &Draft) -> bool {
        draft.prev.as_ref().is_none_or(|prev| {
            let (app, conversation, sender, _) = once(draft);
            self.new.contains_key(&(app, conversation, sender, prev.clone()))
        })
    }
}

fn place(
    batch: &Batch<'_>,
    head: &mut Head,
    placed: &mut Vec<Placed>,
    new: &mut HashMap<Once, usize>,
    draft: Draft,
) -> Sent {
    new.insert(once(&draft), placed.len());
    let id = MessageId::new(&*batch.store.clock, &*batch.store.rng);
    let body = EventBody::Message {
        id,
        sender: draft.sender,
        client_msg_id: draft.client_msg_id,
        kind: draft.kind,
        body: draft.body,
        about: draft.about,
        state: None,
    };
    let billed = body.units();
    let one = batch.place(head, draft.app, &draft.conversation, id, body, Some(draft.credential));
    let sent = Sent {
        id,
        seq: one.event.seq,
        epoch: one.event.epoch,
        at_ms: one.event.at_ms,
        billed,
        event: Some(one.event.clone()),
    };
    placed.push(one);
    sent
}

fn repeat_of(first: &Placed, draft: &Draft) -> Result<Sent> {
    let EventBody::Message { kind, body, about, .. } = &first.event.body else { return Err(conflict()) };
    if *kind != draft.kind || !same_content((body, about), draft) {
        return Err(conflict());
    }
    let event = &first.event;
    Ok(Sent {
        id: first.id,
        seq: event.seq,
        epoch: event.epoch,
        at_ms: event.at_ms,
        billed: event.body.units(),
        event: None,
    })
}

fn once(draft: &Draft) -> Once {
    (draft.app.app, draft.conversation.clone(), draft.sender.clone(), draft.client_msg_id.clone())
}

pub(super) fn conflict() -> Error {
    Error::new(Code::Conflict).says("this client_msg_id was used for something else")
}

/// Whether a draft says what is stored: large bodies by their digests, others as JSON, files by their ids.
fn same_content((body, about): (&str, &About), draft: &Draft) -> bool {
    match (&about.large, &draft.about.large) {
        _ if about.live != draft.about.live || about.attached.ids() != draft.about.attached.ids() => false,
        (Some(stored), Some(new)) => stored.sha256 == new.sha256,
        (None, None) => same_json(body, &draft.body),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Equal as JSON: a library that writes keys in another order on its retry still repeats the same message.
pub(super) fn same_json(a: &str, b: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    a == b || (parse(a).is_some() && parse(a) == parse(b))
}
