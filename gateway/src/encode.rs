//! Domain events and entries as the wire's JSON; each event is encoded once, however many receive it.

use crate::frame;
use bytes::Bytes;
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::log::{ConversationView, Entry, Event, EventBody, Listed, Member, Page, Sent};
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

/// One entry of the directory, its object left open.
pub fn write_entry(out: &mut String, entry: &Entry) {
    out.raw("{\"conversation\":").quoted(entry.conversation.as_str()).raw(",\"kind\":").quoted(entry.kind.as_str());
    if let Some(name) = &entry.name {
        out.raw(",\"name\":").text(name);
    }
    out.raw(",\"epoch\":").int(entry.epoch).raw(",\"head\":").int(entry.head).raw(",\"msg_no\":").int(entry.msg_no);
    out.raw(",\"role\":").quoted(entry.role.as_str());
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
