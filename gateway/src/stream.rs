//! A session over HTTP, for networks that block sockets: pushes come on a stream of server-sent events, commands are requests of
//! their own. Behind both is a connection like any other.

use crate::command::connect::Wanted;
use crate::connection::Connection;
use crate::connection::outbox::Left;
use crate::encoded::Form;
use crate::gateway::Gateway;
use crate::incoming::Message;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokenim_domain::log::MessageLog;
use tokenim_domain::name::Device;
use tokenim_domain::token::Identity;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::command::Connect;
use tokenim_protocol::envelope::{self, Incoming, Malformed};

/// The id of the reply to a `connect` that was no envelope.
const CONNECT_ID: u64 = 0;

/// An open stream: its connection lives as long.
#[derive(Debug)]
pub struct Stream<L: MessageLog> {
    gateway: Gateway<L>,
    connection: Arc<Connection>,
    pending: VecDeque<Bytes>,
}

impl<L: MessageLog> Drop for Stream<L> {
    fn drop(&mut self) {
        self.gateway.remove(&self.connection);
    }
}

impl<L: MessageLog> Stream<L> {
    /// The next events; `None` once the last one, `close`, is out.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.connection.register(context.waker());
        if let Some(bytes) = self.pending.pop_front() {
            return Poll::Ready(Some(bytes));
        }
        let mut drained = Vec::new();
        let left = self.connection.drain(&mut drained);
        self.pending = drained.into();
        match self.pending.pop_front() {
            Some(bytes) => Poll::Ready(Some(bytes)),
            None if matches!(left, Left::Finished | Left::Gone) => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl<L: MessageLog> Gateway<L> {
    /// Opens a stream as `connect` does; its first event is the reply. `origin` is the page that asks, where one does.
    ///
    /// Errors: those of `connect`; `address_limit`.
    pub async fn open_stream(
        &self,
        connect: Connect<'_>,
        address: Option<IpAddr>,
        origin: Option<&str>,
    ) -> Result<Stream<L>> {
        let wanted = Wanted::read(connect)?;
        let guest = self.guest(address)?;
        let connection = self.accept(Form::Events);
        let stream = Stream { gateway: self.clone(), connection, pending: VecDeque::new() };
        let connection = &stream.connection;
        connection.set_guest(guest);
        if let Some(origin) = origin {
            connection.set_origin(origin.into());
        }
        let attach = connection.begin_attach().ok_or(Code::Draining)?;
        self.attach_or_note(connection, CONNECT_ID, &wanted).await?;
        self.receive_held(connection, attach);
        Ok(stream)
    }

    /// Handles one envelope of the device that has a stream here; its reply. A pong has none: `{}`.
    ///
    /// Errors: `stream_ended`; `forbidden` for a token of other rights than the stream's; `invalid_request` for what is no envelope or has the id of an unanswered one;
    /// `outcome_unknown` where the stream ended before the answer.
    pub async fn stream_command(&self, identity: &Identity, device: &Device, text: &str) -> Result<String> {
        let connection = self.stream_of(identity, device).ok_or(Code::StreamEnded)?;
        let session = connection.session().ok_or(Code::StreamEnded)?;
        if identity.caps != session.identity.caps || identity.credential() != session.identity.credential() {
            let wrong = "the stream was opened with a token of other rights; open one with this token, or `refresh` it";
            return Err(Error::new(Code::Forbidden).says(wrong));
        }
        connection.hear(self.now_seconds());
        let id = match envelope::read(text) {
            Ok(Incoming::Pong) => return Ok("{}".to_owned()),
            Ok(Incoming::Command { id, .. }) | Err(Malformed { id: Some(id), .. }) => id,
            Err(Malformed { id: None, message, .. }) => return Err(Error::new(Malformed::CODE).says(message)),
        };
        let answer = connection
            .expect_answer(id)
            .ok_or_else(|| Error::new(Code::InvalidRequest).says("a command with this `id` is not answered yet"))?;
        self.receive(&connection, Message::Json(text)).map_err(|_| Error::new(Malformed::CODE))?;
        answer.await.map_err(|_| Code::OutcomeUnknown.into())
    }

    /// The newest stream of a device.
    fn stream_of(&self, identity: &Identity, device: &Device) -> Option<Arc<Connection>> {
        let mut newest: Option<Arc<Connection>> = None;
        self.inner.registry.slot(identity.app, &identity.user).each(|connection| {
            let is_older = newest.as_ref().is_some_and(|newest| newest.id > connection.id);
            let is_theirs = || connection.session().is_some_and(|session| session.device == *device);
            if connection.form == Form::Events && !is_older && is_theirs() {
                newest = Some(connection.clone());
            }
        });
        newest
    }
}
