//! Domain events and entries as the wire's JSON; each event is encoded once, however many receive it.

use crate::frame;
use bytes::Bytes;
use tokenim_domain::log::{ConversationView, Entry, Event, EventBody, Member, Page, Receipts, Sent};
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
        EventBody::Message { id, sender, client_msg_id, kind, body } => {
            let id = id.to_string();
            let (sender, client_msg_id) = (sender.as_str(), client_msg_id.as_str());
            event::write_message(
                out,
                place,
                event::Message { id: &id, sender, client_msg_id, kind: kind.as_str(), body },
            );
        }
        EventBody::Member { change, actor, users } => {
            let mut list = String::from("[");
            for (at, (user, role)) in users.iter().enumerate() {
                list.raw(if at > 0 { "," } else { "" })
                    .raw("{\"user\":")
                    .quoted(user.as_str())
                    .raw(",\"role\":")
                    .quoted(role.as_str())
                    .raw("}");
            }
            list.push(']');
            event::write_member(
                out,
                place,
                event::Member { change: change.as_str(), actor: actor.as_ref().map(User::as_str), users: &list },
            );
        }
    }
}

/// The push frame of an event.
#[must_use]
pub fn push(event: &Event) -> Bytes {
    let mut text = String::with_capacity(384);
    text.push_str("{\"push\":");
    write_event(&mut text, event);
    text.push('}');
    frame::encode_text(&text)
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
            .int(member.received)
            .raw("}");
    }
    out.raw("]");
    if let Some(last) = members.last().filter(|_| has_more) {
        out.raw(",\"next\":").quoted(last.user.as_str());
    }
    out.raw("}");
    out
}

/// The ok value of `receipts`; with a page where `has_more` is given, which says whether another follows.
#[must_use]
pub fn receipts(receipts: &Receipts, has_more: Option<bool>) -> String {
    let mut out = String::from("{\"members\":");
    out.int(receipts.members).raw(",\"read\":").int(receipts.read).raw(",\"received\":").int(receipts.received);
    if has_more.is_some() {
        out.raw(",\"items\":[");
        for (at, one) in receipts.page.iter().enumerate() {
            out.raw(if at > 0 { "," } else { "" }).raw("{\"user\":").quoted(one.user.as_str());
            out.raw(",\"read\":").int(one.read).raw(",\"received\":").int(one.received).raw("}");
        }
        out.raw("]");
    }
    if let Some(last) = receipts.page.last().filter(|_| has_more == Some(true)) {
        out.raw(",\"next\":").quoted(last.user.as_str());
    }
    out.raw("}");
    out
}

/// One entry of the directory, its object left open.
pub fn write_entry(out: &mut String, entry: &Entry) {
    out.raw("{\"conversation\":").quoted(entry.conversation.as_str()).raw(",\"kind\":").quoted(entry.kind.as_str());
    if let Some(name) = &entry.name {
        out.raw(",\"name\":").text(name);
    }
    out.raw(",\"epoch\":").int(entry.epoch).raw(",\"head\":").int(entry.head).raw(",\"msg_no\":").int(entry.msg_no);
    out.raw(",\"first\":")
        .int(entry.first)
        .raw(",\"read\":")
        .int(entry.read)
        .raw(",\"unread\":")
        .int(entry.msg_no - entry.read_msg_no);
    out.raw(",\"member_version\":").int(entry.member_version).raw(",\"at\":").time(entry.last_ms);
    if let Some(last) = &entry.last {
        out.raw(",\"last\":");
        write_event(out, last);
    }
}
