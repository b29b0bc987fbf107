//! What is said live: to members who are connected, at once or not at all. It never holds up what is stored: the members of
//! a conversation nobody remembers are read beside the delivery, one reading at a time.

use super::{Delivery, LOAD_MAX, RECEIPT_MEMBERS_MAX};
use crate::audience::{Audience, Key};
use crate::bus::Bus;
use crate::connection::Connection;
use crate::encoded::Encoded;
use crate::live::{self, Asker, Heard, Said, View};
use crate::reply;
use lru::LruCache;
use std::future::Future;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::log::{AppRef, MemberList, MessageLog};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::limits::VIEWS_MAX;
use tokenim_protocol::reply::{Json, ok};

/// What may wait for a reading of members; beyond it it is shed.
const UNREAD_MAX: usize = 256;
/// How often a user is told to type in one conversation.
const TYPING_EVERY: Duration = Duration::from_secs(1);
/// Users and conversations whose typing was told lately; another one pushes out the one told longest ago.
const TYPING_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// A reading of member lists under way, and how many lists had been forgotten when it began.
struct Reading {
    wanted: Vec<(AppRef, Conversation)>,
    forgotten: u64,
    lists: Pin<Box<dyn Future<Output = Result<Vec<MemberList>>> + Send>>,
}

/// What the delivery keeps for what is said live.
pub(super) struct Live {
    /// Waits until the members of its conversation are read.
    unread: Vec<Said>,
    reading: Option<Reading>,
    /// When typing was told last.
    typing: LruCache<(Key, User), Duration>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Live {{ unread: {} }}", self.unread.len())
    }
}

/// What a reading brought, with the reading itself.
pub(super) struct Read {
    reading: Reading,
    lists: Result<Vec<MemberList>>,
}

impl Live {
    pub(super) fn new() -> Self {
        Live { unread: Vec::new(), reading: None, typing: LruCache::new(TYPING_MAX) }
    }

    /// Waits for the reading under way; for ever where there is none.
    pub(super) async fn read(&mut self) -> Read {
        let Some(reading) = &mut self.reading else { return std::future::pending().await };
        let lists = (&mut reading.lists).await;
        match self.reading.take() {
            Some(reading) => Read { reading, lists },
            None => std::future::pending().await,
        }
    }
}

impl<L: MessageLog, B: Bus> Delivery<L, B> {
    /// Takes in what is not stored.
    pub(super) fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Said(said) => self.said(said),
            Heard::View(view) => self.view(view),
        }
    }

    /// A connection whose conversation is not remembered is found when its members are read.
    fn view(&mut self, view: View) {
        let View { app, conversation, connection, is_open, done } = view;
        let is_set = connection.set_view(&conversation, is_open);
        if let Some(audience) = self.audiences.get(&(app.app, conversation.clone())).filter(|_| is_set) {
            audience.set_view(&connection, is_open);
            if is_open {
                connection.resume(&conversation, audience.known());
            }
        }
        let limit =
            || Error::new(Code::LimitReached).says(format!("a connection switches at most {VIEWS_MAX} conversations"));
        // Whoever asked may have gone.
        drop(done.send(is_set.then_some(()).ok_or_else(limit)));
    }

    /// Tells what was said, now or once it is known to whom.
    fn said(&mut self, said: Said) {
        let key = (said.app.app, said.conversation.clone());
        if self.audiences.knows(&key) {
            self.tell(&key, said);
        } else if self.live.unread.len() < UNREAD_MAX {
            self.live.unread.push(said);
            self.begin_reading();
        } else {
            self.answer_said(said.asker, Err(live::shed()));
        }
        self.wake();
    }

    /// Takes member lists in and tells what waited for them.
    pub(super) fn take_read(&mut self, read: Read) {
        let Read { reading, lists } = read;
        let is_current = reading.forgotten == self.audiences.forgotten();
        let waited: Vec<Said> =
            self.live.unread.extract_if(.., |said| reading.wanted.iter().any(|wanted| is_of(said, wanted))).collect();
        match lists {
            Ok(lists) => {
                for ((app, conversation), list) in reading.wanted.into_iter().zip(lists) {
                    let is_new = !self.audiences.knows(&(app.app, conversation.clone()));
                    // A name that is no conversation is not remembered, so that nobody can fill the memory with names.
                    if is_new && is_current && !list.members.is_empty() {
                        self.audiences.remember(&self.node.registry, app, conversation, list);
                    }
                }
                for said in waited {
                    let key = (said.app.app, said.conversation.clone());
                    match self.audiences.knows(&key) {
                        true => self.tell(&key, said),
                        // Forgotten meanwhile, with many others: what is first to be shed does not wait for another reading.
                        false if !is_current => self.answer_said(said.asker, Err(live::shed())),
                        false => self.answer_said(said.asker, Err(Code::NotFound.into())),
                    }
                }
            }
            Err(error) => {
                waited.into_iter().for_each(|said| self.answer_said(said.asker, Err(error.public_copy())));
            }
        }
        self.begin_reading();
        self.wake();
    }

    fn begin_reading(&mut self) {
        if self.live.reading.is_some() || self.live.unread.is_empty() {
            return;
        }
        let mut wanted: Vec<_> = self.live.unread.iter().map(|said| (said.app, said.conversation.clone())).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted.truncate(LOAD_MAX);
        let (log, of) = (self.log.clone(), wanted.clone());
        let lists = Box::pin(async move { log.member_lists(of).await });
        self.live.reading = Some(Reading { wanted, forgotten: self.audiences.forgotten(), lists });
    }

    fn tell(&mut self, key: &Key, said: Said) {
        let now = self.node.seconds.clock().monotonic();
        let Some(audience) = self.audiences.get(key) else { return };
        let is_small = audience.members.len() <= RECEIPT_MEMBERS_MAX;
        // The store was asked a moment ago; what is known here is looked at where it costs little.
        if is_small && !audience.members.iter().any(|(slot, _)| slot.user == said.user) {
            return self.answer_said(said.asker, Err(Code::NotFound.into()));
        }
        let is_told = match said.is_typing {
            true => is_small && self.live.may_type(key, &said.user, now),
            false => true,
        };
        if is_told {
            broadcast(audience, &key.1, &said.push, said.asker.connection(), &mut self.touched);
        }
        if !said.is_typing {
            self.node.counters.ephemeral();
            self.node.metered.ephemeral(key.0);
        }
        self.answer_said(said.asker, Ok((said.is_typing, said.at_ms)));
    }

    /// Answers whether it is typing, and when it was said.
    fn answer_said(&mut self, asker: Asker, result: Result<(bool, i64), Error>) {
        if let Err(error) = &result {
            self.node.counters.refuse(error.code);
        }
        match asker {
            Asker::Command { connection, id } => {
                let text = match &result {
                    Ok((true, _)) => ok(id, "{}"),
                    Ok((false, at_ms)) => {
                        let mut out = String::from("{\"at\":");
                        out.time(*at_ms).raw(",\"billed\":0}");
                        ok(id, &out)
                    }
                    Err(error) => {
                        connection.note_refusal(error.code, self.node.seconds.clock());
                        reply::error(id, error)
                    }
                };
                connection.answer(id, &text);
                self.touched.push(connection);
            }
            // The caller may have gone; it was said all the same.
            Asker::Call(caller) => drop(caller.send(result.map(|(_, at_ms)| at_ms))),
        }
    }
}

impl Live {
    /// Whether this user's typing may be told in this conversation again, and if so notes that it is.
    fn may_type(&mut self, key: &Key, user: &User, now: Duration) -> bool {
        let typist = (key.clone(), user.clone());
        if self.typing.peek(&typist).is_some_and(|told| now.saturating_sub(*told) < TYPING_EVERY) {
            return false;
        }
        self.typing.put(typist, now);
        true
    }
}

fn is_of(said: &Said, wanted: &(AppRef, Conversation)) -> bool {
    (said.app, &said.conversation) == (wanted.0, &wanted.1)
}

/// Offers a push, given as JSON text, to every connection of the members but one. Nobody is waited for.
pub(super) fn broadcast(
    audience: &Audience,
    conversation: &Conversation,
    push: &str,
    but: Option<u64>,
    touched: &mut Vec<Arc<Connection>>,
) {
    let push = Encoded::new(push);
    let is_large = audience.is_large();
    let mut offer = |connection: &Arc<Connection>| {
        if but != Some(connection.id) && connection.offer(conversation, is_large, &push) {
            touched.push(connection.clone());
        }
    };
    if is_large {
        audience.open.iter().for_each(|(connection, _)| offer(connection));
    } else {
        audience.members.iter().for_each(|(slot, _)| slot.each(&mut offer));
    }
}
