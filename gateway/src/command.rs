//! The commands, one file each: read the fields, check them, hand the work on.

pub mod amend;
pub mod chunk;
pub(crate) mod connect;
pub mod conversation;
pub mod govern;
mod held;
pub mod history;
pub mod listed;
pub mod ping;
pub mod presence;
pub mod receipts;
mod recover;
pub mod refresh;
pub mod send;
pub mod stream;
pub mod sync;
pub mod typing;
pub mod view;
pub mod watermark;

use crate::connection::{Connection, Session};
use crate::gateway::Gateway;
use crate::live::{Asker, Saying, What};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;
use tokenim_domain::log::{MessageLog, Write};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::limits::MEMBERS_PER_COMMAND_MAX;
use tokenim_protocol::{fields, reply::ok};

/// One command of an authenticated connection.
#[derive(Debug)]
pub struct Call<'a, L> {
    /// The gateway.
    pub gateway: &'a Gateway<L>,
    /// Where it came from and where the answer goes.
    pub connection: &'a Arc<Connection>,
    /// Who asks.
    pub session: Arc<Session>,
    /// The command's id.
    pub id: u64,
    /// Its fields, still text.
    pub body: &'a RawValue,
}

impl<'a, L: MessageLog> Call<'a, L> {
    /// The command's fields. Errors: `invalid_request`.
    fn fields<T: Deserialize<'a>>(&self) -> Result<T> {
        fields(self.body)
    }

    /// Whether the token allows this in a conversation. Errors: `forbidden`.
    fn allow(&self, conversation: &Conversation, cap: Cap) -> Result<()> {
        self.session.identity.allow(conversation.as_str(), cap)
    }

    /// Answers now.
    fn answer(&self, value: &str) {
        self.connection.answer(self.id, &ok(self.id, value));
    }

    /// Queues a write; its outcome is the answer.
    fn write(&self, write: Write) -> Result<()> {
        self.gateway.submit(write, (self.connection, &self.session, self.id))
    }

    /// Says something to the members of a conversation who are connected; the delivery answers.
    fn say(&self, conversation: Conversation, what: What) -> Result<()> {
        let identity = &self.session.identity;
        let saying = Saying { app: identity.app, conversation, user: identity.user.clone(), what };
        let (gateway, connection, id) = (self.gateway.clone(), self.connection.clone(), self.id);
        self.gateway.spawn(async move {
            let asker = Asker::Command { connection: connection.clone(), id };
            if let Err(error) = gateway.hand_over(saying, asker).await {
                note(&error);
                connection.answer(id, &gateway.refusal(&connection, id, &error));
                connection.wake();
            }
        });
        Ok(())
    }

    /// Answers once the task is done.
    fn later(&self, task: impl Future<Output = Result<String>> + Send + 'static) {
        self.answer_by(Connection::answer, task);
    }

    /// Answers with a token once the task is done.
    fn later_secret(&self, task: impl Future<Output = Result<String>> + Send + 'static) {
        self.answer_by(Connection::answer_secret, task);
    }

    /// Answers with a page of a large body once the task is done.
    fn later_bulk(&self, task: impl Future<Output = Result<String>> + Send + 'static) {
        self.answer_by(Connection::answer_bulk, task);
    }

    fn answer_by(
        &self,
        answer_by: fn(&Connection, u64, &str),
        task: impl Future<Output = Result<String>> + Send + 'static,
    ) {
        let (gateway, connection, id) = (self.gateway.clone(), self.connection.clone(), self.id);
        self.gateway.spawn(async move {
            let answer = match task.await {
                Ok(value) => ok(id, &value),
                Err(error) => {
                    note(&error);
                    gateway.refusal(&connection, id, &error)
                }
            };
            answer_by(&connection, id, &answer);
            connection.wake();
        });
    }
}

fn fields<'a, T: Deserialize<'a>>(body: &'a RawValue) -> Result<T> {
    fields::read(body.get()).map_err(|misfit| {
        let error = Error::new(Code::InvalidRequest).says(misfit.message);
        match misfit.param {
            Some(param) => error.at_path(param),
            None => error,
        }
    })
}

/// Logs an error once, where it is handled: ours loudly, the client's quietly.
fn note(error: &Error) {
    let source = std::error::Error::source(error);
    if error.code.row().status >= 500 {
        tracing::error!(code = error.code.as_str(), ?source, "a command failed");
    } else {
        tracing::debug!(code = error.code.as_str(), ?source, "a command was refused");
    }
}

/// What a page of a list by user goes on behind. Errors: `invalid_field` at `page`.
fn page_after(text: &str) -> Result<User> {
    User::parse(text).map_err(|_| no_page())
}

/// The error of a `page` that no list gave.
fn no_page() -> Error {
    Error::invalid("page", "`page` must be the `next` of the page before")
}

/// Parses users, each once. Errors: `invalid_field` at its place in the list.
fn distinct<'a>(field: &str, texts: impl Iterator<Item = &'a str>) -> Result<Vec<User>> {
    let mut seen = HashSet::new();
    let parsed = texts
        .enumerate()
        .filter(|(_, text)| seen.insert(*text))
        .map(|(at, text)| User::parse(text).map_err(|error| error.at_path(format!("{field}[{at}]"))));
    parsed.collect()
}

/// Parses distinct users. Errors: `invalid_field`, `limit_reached`.
fn users<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> Result<Vec<User>> {
    if texts.len() > MEMBERS_PER_COMMAND_MAX {
        return Err(Error::new(Code::LimitReached)
            .says(format!("one command names at most {MEMBERS_PER_COMMAND_MAX} members"))
            .at("members"));
    }
    distinct("members", texts)
}
