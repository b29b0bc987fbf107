//! What is said live to a conversation: pushed to its members who are connected, never stored, the first to be shed.

use crate::connection::Connection;
use crate::gateway::Gateway;
use std::sync::Arc;
use tokenim_domain::log::{AppRef, MessageLog};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::ContentKind;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::live::{self, Ephemeral};
use tokio::sync::{mpsc, oneshot};

/// What may wait for the delivery, which serves stored events first. A message among it is 64 KiB at most.
const WAITING_MAX: usize = 1_024;
/// Milliseconds after which what was shed is worth another try.
const SHED_RETRY_MS: u64 = 1_000;

/// Something a user says to the members of a conversation.
#[derive(Debug)]
pub struct Saying {
    /// The app.
    pub app: AppRef,
    /// Where.
    pub conversation: Conversation,
    /// Who says it; must be a member.
    pub user: User,
    /// What.
    pub what: What,
}

/// What is said.
#[derive(Debug)]
pub enum What {
    /// The user types, or has stopped.
    Typing {
        /// Whether it types.
        active: bool,
    },
    /// A message that is never stored.
    Message {
        /// The sender's id of it.
        client_msg_id: ClientMsgId,
        /// Content kind.
        kind: ContentKind,
        /// Content: JSON text.
        body: Box<str>,
    },
}

/// Who waits for the answer.
#[derive(Debug)]
pub(crate) enum Asker {
    /// A command of a connection.
    Command { connection: Arc<Connection>, id: u64 },
    /// A call in this process.
    Call(oneshot::Sender<Result<i64>>),
}

impl Asker {
    /// The connection that asked, which needs no push of what it said.
    pub(crate) fn connection(&self) -> Option<u64> {
        match self {
            Asker::Command { connection, .. } => Some(connection.id),
            Asker::Call(_) => None,
        }
    }
}

/// Something said, on its way to the members.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) app: AppRef,
    pub(crate) conversation: Conversation,
    pub(crate) user: User,
    /// Whether it tells of typing, else it is a message.
    pub(crate) is_typing: bool,
    /// The push: JSON text.
    pub(crate) push: String,
    /// When it was said, milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) asker: Asker,
}

impl Said {
    fn new(saying: Saying, at_ms: i64, asker: Asker) -> Self {
        let Saying { app, conversation, user, what } = saying;
        let (is_typing, push) = match what {
            What::Typing { active } => (true, live::typing(conversation.as_str(), user.as_str(), active)),
            What::Message { client_msg_id, kind, body } => {
                let message = Ephemeral {
                    conversation: conversation.as_str(),
                    sender: user.as_str(),
                    client_msg_id: client_msg_id.as_str(),
                    kind: kind.as_str(),
                    body: &body,
                    at_ms,
                };
                (false, live::ephemeral(&message))
            }
        };
        Said { app, conversation, user, is_typing, push, at_ms, asker }
    }
}

/// A connection that opens a conversation or becomes passive in it.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) app: AppRef,
    pub(crate) conversation: Conversation,
    pub(crate) connection: Arc<Connection>,
    pub(crate) is_open: bool,
    pub(crate) done: oneshot::Sender<Result<()>>,
}

/// What the delivery hears beside what is stored.
#[derive(Debug)]
pub(crate) enum Heard {
    Said(Said),
    View(View),
}

/// The way to the delivery beside what is stored.
pub(crate) fn channel() -> (mpsc::Sender<Heard>, mpsc::Receiver<Heard>) {
    mpsc::channel(WAITING_MAX)
}

/// What was said could not be told.
pub(crate) fn shed() -> Error {
    Error::new(Code::Overloaded).retry_after(SHED_RETRY_MS)
}

impl<L: MessageLog> Gateway<L> {
    /// Says something to the members of a conversation who are connected; when it was said, milliseconds since 1970.
    ///
    /// Nothing is promised of its arrival. Errors: `not_found` where the user is no member; `forbidden`, `muted`, `blocked`;
    /// `org_suspended`, `app_suspended`, `rate_limited`; `overloaded` where it was shed.
    pub async fn say(&self, saying: Saying) -> Result<i64> {
        let place = self.place(saying.app).await?;
        place.admit(None)?;
        let (done, outcome) = oneshot::channel();
        let is_message = matches!(saying.what, What::Message { .. });
        let queued = match self.take_turn(is_message.then_some(&*place)) {
            Ok(()) => self.hand_over(saying, Asker::Call(done)).await,
            Err(error) => Err(error),
        };
        queued.inspect_err(|error| self.inner.counters.refuse(error.code))?;
        outcome.await.unwrap_or_else(|_| Err(Code::Draining.into()))
    }

    /// Hands something to the delivery, which answers the asker.
    ///
    /// Errors: as of a send, where the user may say nothing there; `overloaded`. The asker is told by the caller then.
    pub(crate) async fn hand_over(&self, saying: Saying, asker: Asker) -> Result<()> {
        self.inner.log.check_speaker(saying.app, saying.conversation.clone(), saying.user.clone()).await?;
        let said = Said::new(saying, self.inner.clock.now_ms(), asker);
        self.inner.live.try_send(Heard::Said(said)).map_err(|_| shed())
    }

    /// Opens a conversation on a connection, or makes it passive, and returns once the delivery knows.
    ///
    /// Errors: `limit_reached` where the connection has switched as many as it may; `overloaded`.
    pub(crate) async fn switch(
        &self,
        connection: &Arc<Connection>,
        app: AppRef,
        conversation: Conversation,
        is_open: bool,
    ) -> Result<()> {
        let (done, switched) = oneshot::channel();
        let view = View { app, conversation, connection: connection.clone(), is_open, done };
        self.inner.live.try_send(Heard::View(view)).map_err(|_| shed())?;
        switched.await.unwrap_or_else(|_| Err(Code::Draining.into()))
    }
}
