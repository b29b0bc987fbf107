//! What a client's message does: one envelope, one command, one answer.

use crate::command;
use crate::connection::Connection;
use crate::gateway::Gateway;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokenim_domain::log::MessageLog;
use tokenim_domain::{Code, Error};
use tokenim_protocol::command::Command;
use tokenim_protocol::envelope::{self, Cause, Incoming, Malformed};
use tokenim_protocol::msgpack::{self, Decoded};

/// Milliseconds after which a command that is one too many may be tried again: some of the others are answered by then.
const OPEN_RETRY_MS: u64 = 100;

/// A client's message, as its subprotocol has it.
#[derive(Debug, Clone, Copy)]
pub enum Message<'a> {
    /// JSON.
    Json(&'a str),
    /// MessagePack.
    MessagePack(&'a [u8]),
}

impl Message<'_> {
    /// Its bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Message::Json(text) => text.len(),
            Message::MessagePack(bytes) => bytes.len(),
        }
    }
}

/// A message that waits until its connection is attached.
#[derive(Debug)]
pub enum Held {
    /// JSON.
    Json(Box<str>),
    /// MessagePack.
    MessagePack(Box<[u8]>),
}

impl Held {
    pub(crate) fn message(&self) -> Message<'_> {
        match self {
            Held::Json(text) => Message::Json(text),
            Held::MessagePack(bytes) => Message::MessagePack(bytes),
        }
    }
}

impl From<Message<'_>> for Held {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Json(text) => Held::Json(text.into()),
            Message::MessagePack(bytes) => Held::MessagePack(bytes.into()),
        }
    }
}

impl<L: MessageLog> Gateway<L> {
    /// Handles one message of a connection. Replies are queued; the caller flushes the socket afterwards.
    ///
    /// Errors: the cause to close with, for an envelope that can't even be answered.
    pub fn receive(&self, connection: &Arc<Connection>, message: Message<'_>) -> Result<(), Cause> {
        if connection.hold(message) { Ok(()) } else { self.handle(connection, message) }
    }

    /// Handles what came while the connection tried to attach, in order.
    pub(crate) fn receive_held(&self, connection: &Arc<Connection>, attach: u32) {
        while let Some(held) = connection.next_held(attach) {
            if let Err(cause) = self.handle(connection, held.message()) {
                connection.close_malformed(cause, self.now_seconds());
            }
        }
        connection.wake();
    }

    fn handle(&self, connection: &Arc<Connection>, message: Message<'_>) -> Result<(), Cause> {
        match message {
            Message::Json(text) => self.envelope(connection, text, None),
            Message::MessagePack(bytes) => {
                let Decoded { json, flaw } = msgpack::decode(bytes).map_err(|_| Cause::NoMessagePack)?;
                self.envelope(connection, &json, flaw)
            }
        }
    }

    /// Handles an envelope; a flaw is what it held and JSON can't say.
    fn envelope(&self, connection: &Arc<Connection>, text: &str, flaw: Option<&str>) -> Result<(), Cause> {
        let envelope = envelope::read(text);
        let taken = match &envelope {
            Ok(Incoming::Command { .. }) | Err(Malformed { id: Some(_), .. }) => {
                self.take_command(connection, text.len())
            }
            Ok(Incoming::Pong) | Err(Malformed { id: None, .. }) => self.take_unanswered(connection, text.len()),
        };
        if let Ok(Incoming::Command { id, .. }) | Err(Malformed { id: Some(id), .. }) = &envelope
            && let Err(error) = taken
        {
            connection.reply(*id, &self.refusal(connection, *id, &error));
            return Ok(());
        }
        match (envelope, flaw) {
            (Ok(Incoming::Pong), _) => {
                self.close_over(connection, taken);
                Ok(())
            }
            (Ok(Incoming::Command { id, name, body }), None) => {
                self.command(connection, id, &name, body);
                Ok(())
            }
            (Ok(Incoming::Command { id, .. }), Some(flaw)) => {
                self.malformed(connection, id, flaw.to_owned());
                Ok(())
            }
            (Err(Malformed { id: Some(id), message, .. }), _) => {
                self.malformed(connection, id, message);
                Ok(())
            }
            (Err(Malformed { id: None, cause, .. }), _) => Err(cause),
        }
    }

    /// Takes a control frame of the transport from what its connection may say. Nothing answers that it is over them, so it is closed.
    pub fn take_control(&self, connection: &Connection, bytes: usize) {
        self.close_over(connection, self.take_unanswered(connection, bytes));
    }

    /// Closes a connection that says more than it may, where no answer could tell it.
    fn close_over(&self, connection: &Connection, taken: Result<(), Error>) {
        if let Err(error) = taken {
            self.inner.counters.refuse(error.code);
            connection.close(error.code, error.retry_after_ms, self.now_seconds());
        }
    }

    fn malformed(&self, connection: &Arc<Connection>, id: u64, message: String) {
        connection.reply(id, &self.refusal(connection, id, &Error::new(Malformed::CODE).says(message)));
    }

    fn command(&self, connection: &Arc<Connection>, id: u64, name: &str, body: &RawValue) {
        if !connection.open_command() {
            let error = Error::new(Code::TooManyOpenCommands).retry_after(OPEN_RETRY_MS);
            connection.reply(id, &self.refusal(connection, id, &error));
            return;
        }
        if let Err(error) = self.dispatch(connection, id, name, body) {
            connection.answer(id, &self.refusal(connection, id, &error));
            if error.code == Code::Unauthenticated {
                self.close(connection, error.code);
            }
        }
    }

    /// The visible table from command to function. A command that returns `Ok` answers by itself, now or later.
    fn dispatch(&self, connection: &Arc<Connection>, id: u64, name: &str, body: &RawValue) -> Result<(), Error> {
        let command = Command::find(name);
        if command == Some(Command::Connect) {
            return command::connect::run(self, connection, id, body);
        }
        let session = connection
            .session()
            .ok_or_else(|| Error::new(Code::Unauthenticated).says("the first command must be `connect`"))?;
        let call = command::Call { gateway: self, connection, session, id, body };
        match command.ok_or_else(|| Error::new(Code::UnknownCommand).says(format!("there is no command `{name}`")))? {
            Command::Connect => Err(Code::InvalidRequest.into()),
            Command::Refresh => command::refresh::run(&call),
            Command::Send => command::send::run(&call),
            Command::History => command::history::run(&call),
            Command::Sync => command::sync::run(&call),
            Command::Read => command::watermark::read(&call),
            Command::Received => command::watermark::received(&call),
            Command::ConversationCreate => command::conversation::create(&call),
            Command::ConversationAdd => command::conversation::add(&call),
            Command::ConversationRemove => command::conversation::remove(&call),
            Command::ConversationMembers => command::conversation::members(&call),
            Command::Ping => command::ping::run(&call),
            Command::Edit => command::amend::edit(&call),
            Command::Delete => command::amend::delete(&call),
            Command::React => command::amend::react(&call),
            Command::Reactions => command::amend::reactions(&call),
            Command::Pin => command::amend::pin(&call),
            Command::Pins => command::amend::pins(&call),
            Command::Typing => command::typing::run(&call),
            Command::ConversationUpdate => command::govern::update(&call),
            Command::ConversationJoin => command::govern::join(&call),
            Command::ConversationLeave => command::govern::leave(&call),
            Command::ConversationDecline => command::govern::decline(&call),
            Command::ConversationRole => command::govern::role(&call),
            Command::ConversationMute => command::govern::mute(&call),
            Command::ConversationBan => command::govern::ban(&call),
            Command::ConversationUnban => command::govern::unban(&call),
            Command::ConversationRequests => command::listed::requests(&call),
            Command::ConversationBans => command::listed::bans(&call),
            Command::Block => command::listed::block(&call),
            Command::Unblock => command::listed::unblock(&call),
            Command::Blocks => command::listed::blocks(&call),
            Command::Open => command::view::open(&call),
            Command::Passive => command::view::passive(&call),
            Command::Receipts => command::receipts::run(&call),
            Command::PresenceSet => command::presence::set(&call),
            Command::PresenceWatch => command::presence::watch(&call),
            Command::PresenceGet => command::presence::get(&call),
            Command::StreamBegin => command::stream::begin(&call),
            Command::StreamAppend => command::stream::append(&call),
            Command::StreamEnd => command::stream::end(&call),
            Command::StreamGet => command::stream::get(&call),
            Command::ChunkBegin => command::chunk::begin(&call),
            Command::ChunkPut => command::chunk::put(&call),
            Command::ChunkCommit => command::chunk::commit(&call),
            Command::ChunkAbort => command::chunk::abort(&call),
            Command::BodyGet => command::chunk::body(&call),
        }
    }
}
