//! `connect`: who are you, and what did you miss.

use super::recover::{self, Heads, Recovery};
use super::{fields, note};
use crate::checkpoints::{LIBRARY_CHARS_MAX, Step};
use crate::connection::{Connection, Session, seconds_left};
use crate::gateway::Gateway;
use crate::watch;
use serde_json::value::RawValue;
use std::sync::Arc;
use tokenim_domain::key::random_base62;
use tokenim_domain::log::MessageLog;
use tokenim_domain::login::parse_platform;
use tokenim_domain::name::Device;
use tokenim_domain::token::{Identity, session};
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::command::Connect;
use tokenim_protocol::limits::{self, DIRECTORY_PAGE_MAX, reconnect};
use tokenim_protocol::reply::{Json, ok};

/// Characters of a device name that we make.
const DEVICE_CHARS: usize = 16;

/// What `connect` asks for, parsed.
pub(crate) struct Wanted {
    credential: Credential,
    device: Option<Device>,
    library: Option<Box<str>>,
    platform: Option<Box<str>>,
    heads: Heads,
}

enum Credential {
    Token(String),
    Session(String),
}

/// Starts attaching. The reply comes once the backlog is read.
pub fn run<L: MessageLog>(gateway: &Gateway<L>, connection: &Arc<Connection>, id: u64, body: &RawValue) -> Result<()> {
    let wanted = Wanted::read(fields(body)?)?;
    let attach = connection
        .begin_attach()
        .ok_or_else(|| Error::new(Code::InvalidRequest).says("this connection is connected already"))?;
    let (task_gateway, connection) = (gateway.clone(), connection.clone());
    gateway.spawn(async move {
        if let Err(error) = task_gateway.attach_or_note(&connection, id, &wanted).await {
            refuse(&task_gateway, &connection, id, &error);
        }
        task_gateway.receive_held(&connection, attach);
    });
    Ok(())
}

impl Wanted {
    pub(crate) fn read(connect: Connect<'_>) -> Result<Self> {
        let credential = match (connect.token, connect.session) {
            (Some(token), None) => Credential::Token(token.into_owned()),
            (None, Some(session)) => Credential::Session(session.into_owned()),
            _ => {
                return Err(
                    Error::new(Code::InvalidRequest).says("`connect` takes exactly one of `token` and `session`")
                );
            }
        };
        let device = connect.device.as_deref().map(Device::parse).transpose()?;
        let heads = recover::heads(connect.heads.unwrap_or_default())?;
        if !heads.keys().all(|name| tokenim_protocol::grammar::is_id(name)) {
            return Err(Error::invalid("heads", "`heads` holds something that is no conversation id"));
        }
        let library = connect.sdk.map(|name| name.chars().take(LIBRARY_CHARS_MAX).collect());
        let platform = connect.platform.as_deref().map(parse_platform).transpose()?;
        Ok(Wanted { credential, device, library, platform, heads })
    }
}

/// A refused credential ends the connection; anything else may be tried again until the deadline.
fn refuse<L: MessageLog>(gateway: &Gateway<L>, connection: &Connection, id: u64, error: &Error) {
    note(error);
    connection.answer(id, &gateway.refusal(connection, id, error));
    match error.code {
        Code::TokenInvalid
        | Code::TokenExpired
        | Code::TokenRevoked
        | Code::SessionInvalid
        | Code::OriginNotAllowed
        | Code::OrgSuspended
        | Code::AppSuspended
        | Code::RateLimited
        | Code::Forbidden
        | Code::ConnectionLimit => connection.close(error.code, error.retry_after_ms, gateway.inner.seconds.now()),
        _ => {
            connection.abandon_attach();
            connection.wake();
        }
    }
}

impl<L: MessageLog> Gateway<L> {
    /// Attaches, and tells the pages of the app where that was refused.
    pub(crate) async fn attach_or_note(&self, connection: &Arc<Connection>, id: u64, wanted: &Wanted) -> Result<()> {
        let result = self.attach(connection, id, wanted).await;
        if let Err(error) = &result {
            self.note_refusal(wanted, error).await;
        }
        result
    }

    /// Verifies, registers behind the gate, reads what was missed, and opens the gate.
    ///
    /// Source: docs/PROTOCOL.md §6; registering before reading is what leaves no hole between backlog and live events.
    async fn attach(&self, connection: &Arc<Connection>, id: u64, wanted: &Wanted) -> Result<()> {
        let inner = &self.inner;
        let generation = inner.places.generation();
        let (identity, resumed) = match &wanted.credential {
            Credential::Token(token) => (inner.verifier.verify_token(token).await?, false),
            Credential::Session(session) => (inner.verifier.verify_session(session).await?, true),
        };
        let device = self.device(&identity, wanted.device.clone())?;
        let place = inner.places.find(identity.app).await?;
        place.admit(connection.origin().as_deref())?;
        let slot = inner.registry.visit(identity.app, &identity.user);
        self.take_connect(&slot, &place)?;
        self.let_in(&slot, &place).await?;
        let signed = session::sign(&identity, &device, inner.verifier.master())?;
        let session = Session::new(identity, device, slot, place, wanted.library.clone(), wanted.platform.clone());
        if !connection.shut_gate(session.clone()) {
            return Ok(());
        }
        for older in inner.registry.attach(&session, connection, inner.limits.user_connections)? {
            self.close(&older, Code::Replaced);
        }
        let since_ms = inner.clock.now_ms();
        inner.metered.start(session.identity.app.app);
        self.arrive(connection, &session);
        let recovered = match recover::recover(&*inner.log, &session.identity, &wanted.heads, connection.form).await {
            Ok(recovery) => self.note_held((connection, &session), since_ms, &recovery).await.map(|()| recovery),
            Err(error) => Err(error),
        };
        let recovery = match recovered {
            Ok(recovery) => recovery,
            Err(error) => {
                // The gate is shut and the client is registered: neither can be taken back, so it starts over.
                connection.answer(id, &self.refusal(connection, id, &error));
                note(&error);
                self.close(connection, Code::InsufficientState);
                return Ok(());
            }
        };
        let checkpoints = &inner.checkpoints;
        checkpoints.note(&session, Step::Connected);
        if !recovery.backlog.is_empty() {
            checkpoints.note(&session, Step::Received);
        }
        let text = ok(id, &self.welcome(&session, signed.expose(), resumed, &recovery));
        connection.open_gate(&text, recovery.backlog, &recovery.heads, inner.seconds.now());
        self.look_again(connection, &session, generation).await;
        Ok(())
    }

    /// The device is there from now on, unless its socket has ended meanwhile.
    fn arrive(&self, connection: &Connection, session: &Session) {
        let inner = &self.inner;
        let (identity, now_ms) = (&session.identity, inner.clock.now_ms());
        inner.presence.lock().arrive(connection.id, identity.app, &identity.user, &session.device, now_ms);
        if inner.registry.find(connection.id).is_none() {
            inner.presence.lock().leave(connection.id, now_ms);
        }
    }

    /// Ends a session that was verified before this node learned of a change which revokes it. Whoever learns of a change
    /// later finds the session by itself.
    pub(super) async fn look_again(&self, connection: &Connection, session: &Session, generation: u64) {
        if self.inner.places.generation() == generation {
            return;
        }
        match watch::look_again(&self.inner.verifier, session).await {
            Err(error) if watch::ends(&error) => self.close(connection, error.code),
            // With the store out of reach, the next look finds out.
            Err(_) => session.place.doubt(),
            Ok(()) => {}
        }
    }

    /// Tells the pages of the app why its client could not connect.
    async fn note_refusal(&self, wanted: &Wanted, error: &Error) {
        let Credential::Token(token) = &wanted.credential else { return };
        let Some(app) = self.inner.verifier.app_of(token).await else { return };
        self.inner.checkpoints.refuse(app.app, error, wanted.library.as_deref());
        if let Ok(place) = self.inner.places.find(app).await {
            place.refusals.note(self.inner.clock.now_ms(), error.code);
        }
    }

    fn device(&self, identity: &Identity, asked: Option<Device>) -> Result<Device> {
        match (&identity.device, asked) {
            (Some(bound), Some(asked)) if *bound != asked => {
                Err(Error::new(Code::TokenInvalid).says("the token is bound to another device"))
            }
            (Some(bound), _) => Ok(bound.clone()),
            (None, Some(asked)) => Ok(asked),
            (None, None) => Ok(Device::trusted(&format!("dev_{}", random_base62(DEVICE_CHARS, &*self.inner.rng)))),
        }
    }

    fn welcome(&self, session: &Session, signed: &str, resumed: bool, recovery: &Recovery) -> String {
        let now_ms = self.inner.clock.now_ms();
        let mut out = String::with_capacity(1024 + recovery.sync.len());
        out.raw("{\"session\":")
            .quoted(signed)
            .raw(",\"user\":")
            .quoted(session.identity.user.as_str())
            .raw(",\"device\":")
            .quoted(session.device.as_str());
        out.raw(",\"server_time\":").time(now_ms).raw(",\"resumed\":").raw(if resumed { "true" } else { "false" });
        out.raw(",\"expires_in_s\":").int(seconds_left(session.identity.expires_ms, now_ms));
        out.raw(",\"ping_interval_ms\":")
            .int(limits::PING_INTERVAL_SECONDS as i64 * 1000)
            .raw(",\"silence_ms\":")
            .int((limits::PING_INTERVAL_SECONDS + limits::PING_GRACE_SECONDS) as i64 * 1000);
        out.raw(",\"reconnect\":{\"first_ms\":")
            .int(reconnect::FIRST_MS as i64)
            .raw(",\"base_ms\":")
            .int(reconnect::BASE_MS as i64);
        out.raw(",\"cap_ms\":").int(reconnect::CAP_MS as i64).raw(",\"stable_ms\":").int(reconnect::STABLE_MS as i64);
        out.raw("},\"limits\":{\"frame_bytes\":")
            .int(limits::FRAME_BYTES_MAX as i64)
            .raw(",\"open_commands\":")
            .int(i64::from(limits::OPEN_COMMANDS_MAX));
        out.raw(",\"history_page\":")
            .int(i64::from(limits::HISTORY_PAGE_MAX))
            .raw(",\"heads\":")
            .int(DIRECTORY_PAGE_MAX as i64);
        out.raw(",\"backlog_events\":")
            .int(i64::from(limits::BACKLOG_EVENTS_MAX))
            .raw("},\"features\":[],\"sync\":")
            .raw(&recovery.sync)
            .raw("}");
        out
    }
}
