//! What a client's message does: one envelope, one command, one answer.

use crate::command;
use crate::connection::Connection;
use crate::gateway::Gateway;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokenim_domain::log::MessageLog;
use tokenim_domain::{Code, Error};
use tokenim_protocol::command::Command;
use tokenim_protocol::envelope::{self, Incoming, Malformed};

impl<L: MessageLog> Gateway<L> {
    /// Handles one text message of a connection. Replies are queued; the caller flushes the socket afterwards.
    ///
    /// Errors: the code to close with, for an envelope that can't even be answered.
    pub fn receive(&self, connection: &Arc<Connection>, text: &str) -> Result<(), Code> {
        if connection.hold(text) { Ok(()) } else { self.handle(connection, text) }
    }

    /// Handles what came while the connection tried to attach, in order.
    pub(crate) fn receive_held(&self, connection: &Arc<Connection>, attach: u32) {
        while let Some(text) = connection.next_held(attach) {
            if let Err(code) = self.handle(connection, &text) {
                self.close(connection, code);
            }
        }
        connection.wake();
    }

    fn handle(&self, connection: &Arc<Connection>, text: &str) -> Result<(), Code> {
        match envelope::read(text) {
            Ok(Incoming::Pong) => Ok(()),
            Ok(Incoming::Command { id, name, body }) => {
                self.command(connection, id, &name, body);
                Ok(())
            }
            Err(Malformed { id: Some(id), message }) => {
                connection.reply(self.refusal(connection, id, &Error::new(Malformed::CODE).says(message)));
                Ok(())
            }
            Err(Malformed { id: None, .. }) => Err(Malformed::CODE),
        }
    }

    fn command(&self, connection: &Arc<Connection>, id: u64, name: &str, body: &RawValue) {
        if !connection.open_command() {
            connection.reply(self.refusal(connection, id, &Code::TooManyOpenCommands.into()));
            return;
        }
        if let Err(error) = self.dispatch(connection, id, name, body) {
            connection.answer(self.refusal(connection, id, &error));
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
            Command::Typing => command::typing::run(&call),
            Command::Open => command::view::open(&call),
            Command::Passive => command::view::passive(&call),
            Command::Receipts => command::receipts::run(&call),
            Command::PresenceSet => command::presence::set(&call),
            Command::PresenceWatch => command::presence::watch(&call),
            Command::PresenceGet => command::presence::get(&call),
        }
    }
}
