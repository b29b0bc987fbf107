//! Domain events and entries as the wire's JSON; each event is encoded once, however many receive it.

use crate::encoded::Encoded;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::log::{
    About, Amended, Attachment, BodyPart, ConversationView, Entry, Event, EventBody, Grown, Listed, LiveText, Member,
    Mentions, MessageAct, MessageState, Page, Pins, Reactor, Receipts, Sent, Upload,
};
use tokenim_domain::name::User;
use tokenim_protocol::event::{self, Place};
use tokenim_protocol::reply::Json;

/// Appends the event object to `out`.
pub fn write_event(out: &mut String, event: &Event) {
    let place = Place {
        conversation: event.conversation.as_str(),
        epoch: event.epoch,
        seq: event.seq,
        msg_no: event.msg_no,
        at_ms: event.at_ms,
    };
    match &event.body {
        EventBody::Message { id, sender, client_msg_id, kind, body, about, state } => {
            let id = id.to_string();
            let (sender, client_msg_id) = (sender.as_str(), client_msg_id.as_str());
            let (kind, body) = (kind.as_str(), Some(&**body).filter(|body| !body.is_empty()));
            let mut more = more(about, state.as_deref());
            if let Some(large) = about.large.filter(|_| body.is_none()) {
                more.raw(",\"large\":{\"bytes\":").int(large.bytes);
                more.raw(",\"sha256\":").quoted(&large.sha256.to_string()).raw("}");
            }
            event::write_message(
                out,
                place,
                event::Message { id: &id, sender, client_msg_id, kind, body, more: &more },
            );
        }
        EventBody::Amended { target, actor, client_msg_id, act } => {
            let mut more = String::new();
            if let Some(id) = client_msg_id {
                more.raw(",\"client_msg_id\":").quoted(id.as_str());
            }
            write_act(&mut more, act);
            let actor = actor.as_ref().map(User::as_str);
            let amended = event::Amended { event_type: act.event_type(), target: *target, actor, more: &more };
            event::write_amended(out, place, amended);
        }
        EventBody::Member { change, actor, users, until_ms } => {
            let mut list = String::from("[");
            for (at, (user, role)) in users.iter().enumerate() {
                list.raw(if at > 0 { "," } else { "" }).raw("{\"user\":").quoted(user.as_str());
                if let Some(role) = role {
                    list.raw(",\"role\":").quoted(role.as_str());
                }
                list.raw("}");
            }
            list.push(']');
            let (change, actor) = (change.as_str(), actor.as_ref().map(User::as_str));
            event::write_member(out, place, event::Member { change, actor, users: &list, until_ms: *until_ms });
        }
        EventBody::Settings { actor, change } => {
            let settings = event::Settings {
                actor: actor.as_ref().map(User::as_str),
                name: change.name.as_ref().map(Option::as_deref),
                join: change.join.map(JoinRule::as_str),
                add: change.add.map(AddRule::as_str),
            };
            event::write_settings(out, place, settings);
        }
    }
}

/// What a message says beside its content and what became of it, as members of its object.
fn more(about: &About, state: Option<&MessageState>) -> String {
    let mut out = String::new();
    if let Some(seq) = about.reply_to {
        out.raw(",\"reply_to\":").int(seq);
    }
    match &about.mentions {
        None => {}
        Some(Mentions::Everyone) => {
            out.raw(",\"mentions\":\"*\"");
        }
        Some(Mentions::Users(users)) => {
            out.raw(",\"mentions\":[");
            list(&mut out, users, |out, user| {
                out.quoted(user.as_str());
            });
            out.raw("]");
        }
    }
    if about.silent {
        out.raw(",\"silent\":true");
    }
    if !about.attached.kept().is_empty() {
        out.raw(",\"attachments\":[");
        list(&mut out, about.attached.kept(), write_attachment);
        out.raw("]");
    }
    if about.live && state.is_none_or(|state| state.ended.is_none()) {
        out.raw(",\"live\":true");
    }
    if let Some(state) = state {
        write_state(&mut out, state);
    }
    out
}

fn write_attachment(out: &mut String, file: &Attachment) {
    out.raw("{\"id\":").quoted(&file.id.to_string()).raw(",\"name\":").text(file.name.as_str());
    out.raw(",\"content_type\":").quoted(file.content_type.as_str()).raw(",\"bytes\":").int(file.bytes);
    out.raw(",\"sha256\":").quoted(&file.sha256.to_string()).raw("}");
}

fn write_state(out: &mut String, state: &MessageState) {
    for (name, mark) in [("ended", state.ended), ("edited", state.edited), ("deleted", state.deleted)] {
        if let Some(mark) = mark {
            out.raw(",").quoted(name).raw(":{\"seq\":").int(mark.seq).raw(",\"at\":").time(mark.at_ms).raw("}");
        }
    }
    if let Some(seq) = state.pinned {
        out.raw(",\"pinned\":").int(seq);
    }
    if state.replies > 0 {
        out.raw(",\"replies\":").int(state.replies);
    }
    if !state.reactions.is_empty() {
        out.raw(",\"reactions\":[");
        list(out, &state.reactions, |out, one| {
            out.raw("{\"emoji\":").text(one.emoji.as_str()).raw(",\"count\":").int(one.count);
            out.raw(if one.mine { ",\"mine\":true}" } else { "}" });
        });
        out.raw("]");
    }
}

fn write_act(out: &mut String, act: &MessageAct) {
    match act {
        MessageAct::Edit { body, .. } | MessageAct::End { body, .. } if body.is_empty() => {}
        MessageAct::Edit { kind, body } | MessageAct::End { kind, body, .. } => {
            out.raw(",\"kind\":").quoted(kind.as_str()).raw(",\"body\":").raw(body);
        }
        MessageAct::Delete => {}
        MessageAct::React { emoji, on, count } => {
            let change = if *on { "added" } else { "removed" };
            out.raw(",\"change\":").quoted(change);
            if !emoji.as_str().is_empty() {
                out.raw(",\"emoji\":").text(emoji.as_str()).raw(",\"count\":").int(*count);
            }
        }
        MessageAct::Pin { on } => {
            out.raw(",\"change\":").quoted(if *on { "added" } else { "removed" });
        }
    }
}

/// Appends items with commas between them.
fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (at, item) in items.iter().enumerate() {
        out.raw(if at > 0 { "," } else { "" });
        write(out, item);
    }
}

/// The ok value of `edit`, `delete`, `react`, `pin` and `stream.end`.
#[must_use]
pub fn amended(amended: &Amended) -> String {
    let flag = |on| if on { "true" } else { "false" };
    let mut out = String::from("{\"changed\":");
    out.raw(flag(amended.event.is_some()));
    if let Some(seq) = amended.seq {
        out.raw(",\"seq\":").int(seq);
    }
    out.raw(",\"duplicate\":").raw(flag(amended.duplicate)).raw(",\"billed\":").int(amended.billed).raw("}");
    out
}

/// The ok value of `stream.append`.
#[must_use]
pub fn grown(grown: &Grown) -> String {
    format!("{{\"offset\":{}}}", grown.offset)
}

/// The ok value of `stream.get`.
#[must_use]
pub fn live_text(live: &LiveText) -> String {
    let mut out = String::from("{\"text\":");
    out.text(&live.text).raw(",\"offset\":").int(live.offset);
    if let Some(seq) = live.ended {
        out.raw(",\"ended\":").int(seq);
    }
    out.raw("}");
    out
}

/// The ok value of `reactions`; `next` is the place of a page that others follow.
#[must_use]
pub fn reactions(reactors: &[Reactor], has_more: bool) -> String {
    let mut out = String::from("{\"items\":[");
    list(&mut out, reactors, |out, one| {
        out.raw("{\"user\":").quoted(one.user.as_str()).raw(",\"emoji\":").text(one.emoji.as_str());
        out.raw(",\"seq\":").int(one.seq).raw("}");
    });
    out.raw("]");
    if let Some(last) = reactors.last().filter(|_| has_more) {
        out.raw(",\"next\":").int(last.seq);
    }
    out.raw("}");
    out
}

/// The ok value of `pins`.
#[must_use]
pub fn pins(pins: &Pins) -> String {
    let mut out = String::from("{\"items\":[");
    list(&mut out, &pins.events, write_event);
    out.raw("]");
    if let Some(next) = pins.next {
        out.raw(",\"next\":").int(next);
    }
    out.raw("}");
    out
}

/// The push of an event, for all who receive it.
#[must_use]
pub fn push(event: &Event) -> Encoded {
    Encoded::new(&push_text(event))
}

/// The push of an event, as text.
#[must_use]
pub fn push_text(event: &Event) -> String {
    let mut text = String::with_capacity(384);
    text.push_str("{\"push\":");
    write_event(&mut text, event);
    text.push('}');
    text
}

/// The ok value of `send`.
#[must_use]
pub fn sent(sent: &Sent) -> String {
    let mut out = String::with_capacity(160);
    out.raw("{\"id\":\"").raw(&sent.id.to_string()).raw("\",\"seq\":").int(sent.seq).raw(",\"epoch\":").int(sent.epoch);
    out.raw(",\"at\":").time(sent.at_ms).raw(",\"duplicate\":").raw(if sent.event.is_none() {
        "true"
    } else {
        "false"
    });
    out.raw(",\"billed\":").int(sent.billed).raw("}");
    out
}

/// The ok value of `chunk.begin`.
#[must_use]
pub fn upload(upload: &Upload) -> String {
    let mut out = String::from("{\"upload\":");
    out.quoted(&upload.id.to_string()).raw(",\"chunk_bytes\":").int(upload.chunk_bytes);
    out.raw(",\"chunks\":").int(upload.chunks).raw(",\"missing\":[");
    list(&mut out, &upload.missing, |out, (first, last)| {
        out.raw("[").int(*first).raw(",").int(*last).raw("]");
    });
    out.raw("],\"committed\":").raw(if upload.is_committed { "true}" } else { "false}" });
    out
}

/// The ok value of `chunk.commit` of an attachment.
#[must_use]
pub fn attachment(file: &Attachment) -> String {
    let mut out = String::from("{\"attachment\":");
    write_attachment(&mut out, file);
    out.raw("}");
    out
}

/// The ok value of `body.get`.
#[must_use]
pub fn body_part(part: &BodyPart) -> String {
    let mut out = String::from("{\"data\":");
    out.quoted(&STANDARD.encode(&part.data)).raw(",\"offset\":").int(part.offset).raw(",\"bytes\":").int(part.bytes);
    let is_done = part.offset + part.data.len() as i64 >= part.bytes;
    out.raw(",\"done\":").raw(if is_done { "true}" } else { "false}" });
    out
}

/// The ok value of `history`.
#[must_use]
pub fn page(page: &Page) -> String {
    let mut out = String::from("{\"items\":[");
    for (at, event) in page.events.iter().enumerate() {
        out.raw(if at > 0 { "," } else { "" });
        write_event(&mut out, event);
    }
    out.raw("],\"head\":")
        .int(page.head)
        .raw(",\"epoch\":")
        .int(page.epoch)
        .raw(",\"first\":")
        .int(page.first)
        .raw("}");
    out
}

/// A conversation as `conversation.create` and REST show it.
#[must_use]
pub fn conversation(view: &ConversationView) -> String {
    let mut out = String::from("{\"id\":");
    out.quoted(view.id.as_str()).raw(",\"kind\":").quoted(view.kind.as_str());
    if let Some(name) = &view.name {
        out.raw(",\"name\":").text(name);
    }
    out.raw(",\"epoch\":")
        .int(view.epoch)
        .raw(",\"last_seq\":")
        .int(view.last_seq)
        .raw(",\"messages\":")
        .int(view.last_msg_no);
    out.raw(",\"members\":").int(view.members);
    out.raw(",\"join\":").quoted(view.join.as_str()).raw(",\"add\":").quoted(view.add.as_str());
    out.raw(",\"created_at\":").time(view.created_ms);
    out.raw(",\"existed\":").raw(if view.existed { "true" } else { "false" }).raw("}");
    out
}

/// The ok value of `conversation.members`; `next` is the last user of a page that others follow.
#[must_use]
pub fn members(members: &[Member], has_more: bool) -> String {
    let mut out = String::from("{\"items\":[");
    for (at, member) in members.iter().enumerate() {
        out.raw(if at > 0 { "," } else { "" })
            .raw("{\"user\":")
            .quoted(member.user.as_str())
            .raw(",\"role\":")
            .quoted(member.role.as_str());
        out.raw(",\"joined\":")
            .int(member.joined)
            .raw(",\"read\":")
            .int(member.read)
            .raw(",\"received\":")
            .int(member.received);
        if let Some(until_ms) = member.muted_until_ms {
            out.raw(",\"muted_until\":").time(until_ms);
        }
        out.raw("}");
    }
    end_page(&mut out, members.last().filter(|_| has_more).map(|last| &last.user));
    out
}

/// The ok value of a list of users; `next` is the last user of a page that others follow.
#[must_use]
pub fn listed(listed: &[Listed], has_more: bool) -> String {
    let mut out = String::from("{\"items\":[");
    for (at, one) in listed.iter().enumerate() {
        out.raw(if at > 0 { "," } else { "" }).raw("{\"user\":").quoted(one.user.as_str());
        out.raw(",\"at\":").time(one.at_ms);
        if let Some(actor) = &one.actor {
            out.raw(",\"actor\":").quoted(actor.as_str());
        }
        out.raw("}");
    }
    end_page(&mut out, listed.last().filter(|_| has_more).map(|last| &last.user));
    out
}

fn end_page(out: &mut String, next: Option<&User>) {
    out.raw("]");
    if let Some(next) = next {
        out.raw(",\"next\":").quoted(next.as_str());
    }
    out.raw("}");
}

/// The ok value of `receipts`, with the page where one was asked for.
#[must_use]
pub fn receipts(receipts: &Receipts, has_page: bool) -> String {
    let mut out = String::from("{\"members\":");
    out.int(receipts.members).raw(",\"read\":").int(receipts.read).raw(",\"received\":").int(receipts.received);
    if has_page {
        out.raw(",\"items\":[");
        for (at, one) in receipts.page.iter().enumerate() {
            out.raw(if at > 0 { "," } else { "" }).raw("{\"user\":").quoted(one.user.as_str());
            out.raw(",\"read\":").int(one.read).raw(",\"received\":").int(one.received).raw("}");
        }
        out.raw("]");
    }
    if let Some(next) = &receipts.next {
        out.raw(",\"next\":").quoted(next.as_str());
    }
    out.raw("}");
    out
}

/// One entry of the directory, its object left open.
pub fn write_entry(out: &mut String, entry: &Entry) {
    let at = &entry.at;
    out.raw("{\"conversation\":").quoted(at.conversation.as_str()).raw(",\"kind\":").quoted(entry.kind.as_str());
    if let Some(name) = &entry.name {
        out.raw(",\"name\":").text(name);
    }
    out.raw(",\"epoch\":").int(at.epoch).raw(",\"head\":").int(at.head).raw(",\"msg_no\":").int(at.msg_no);
    out.raw(",\"role\":").quoted(entry.role.as_str());
    out.raw(",\"first\":")
        .int(at.first)
        .raw(",\"read\":")
        .int(entry.read)
        .raw(",\"unread\":")
        .int(at.msg_no - entry.read_msg_no);
    out.raw(",\"member_version\":").int(entry.member_version).raw(",\"at\":").time(entry.last_ms);
    if let Some(last) = &entry.last {
        out.raw(",\"last\":");
        write_event(out, last);
    }
}
