//! Mail: a job's payload becomes a letter in its reader's language, a message, and a delivery.

mod message;
mod outbox;
mod smtp;

pub use outbox::{KeptMail, Outbox};
pub use smtp::{Security, Smtp, SmtpSettings};

use crate::runner::Answer;
use lettre::message::Mailbox;
use std::sync::Arc;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::JobId;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::{Error, Result};
use tokenim_store::Job;
use tokenim_templates::language::Language;
use tokenim_templates::mail::{self as letter, Letter};
use tokenim_templates::time::Utc;

/// How mail leaves.
#[derive(Debug, Clone)]
pub enum Transport {
    /// It does not: it is written to a folder.
    File(Outbox),
    /// To a server that delivers it.
    Smtp(Smtp),
}

/// Why a mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may be later.
    Temporary(String),
    /// It never will be.
    Permanent(String),
}

/// Sends mails.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    origin: String,
    transport: Transport,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Mailer")
    }
}

/// Checks a sender as [`Mailer::new`] would.
///
/// Errors: `invalid_field` where it is neither `address` nor `Name <address>`.
pub fn check_sender(from: &str) -> Result<()> {
    sender(from).map(drop)
}

fn sender(from: &str) -> Result<Mailbox> {
    let reason = |error| Error::invalid("from", format!("{from:?} is neither an address nor Name <address>: {error}"));
    from.parse().map_err(reason)
}

impl Mailer {
    /// A mailer that writes as `from` (`address` or `Name <address>`), with links that begin with `origin`, as
    /// `https://console.example`.
    ///
    /// Errors: as [`check_sender`].
    pub fn new(from: &str, origin: &str, transport: Transport, clock: Arc<dyn Clock>) -> Result<Self> {
        let origin = origin.trim_end_matches('/').to_owned();
        Ok(Mailer { from: sender(from)?, origin, transport, clock })
    }

    /// Sends a mail; returns what the server answered, or where the mail was written.
    ///
    /// `id` makes the Message-ID, so that a mail which is sent again because its answer was lost is known to be the same one;
    /// `at_ms` is its date, milliseconds since 1970. Errors: [`Failure`], with the server's answer.
    pub async fn send(&self, id: JobId, at_ms: i64, mail: &Mail) -> Result<String, Failure> {
        let letter = self.write(mail).map_err(|error| Failure::Permanent(error.to_string()))?;
        let message = message::build(&self.from, &mail.to, id, at_ms, &letter).map_err(Failure::Permanent)?;
        match &self.transport {
            Transport::File(outbox) => outbox.keep(id, at_ms, &mail.to, &letter, message.formatted()).await,
            Transport::Smtp(smtp) => smtp.send(&message).await,
        }
    }

    pub(crate) async fn run(&self, job: &Job, payload: &[u8]) -> Answer {
        let mail: Mail = match serde_json::from_slice(payload) {
            Ok(mail) => mail,
            // A newer node may know it.
            Err(error) => return Answer::Retry(format!("this release cannot read the mail: {error}")),
        };
        if mail.expires_ms().is_some_and(|end| end <= self.clock.now_ms()) {
            return Answer::GiveUp("its link ended before it could be sent".to_owned());
        }
        match self.send(job.id, job.created_ms, &mail).await {
            Ok(_) => Answer::Done,
            Err(Failure::Temporary(reason)) => Answer::Retry(reason),
            Err(Failure::Permanent(reason)) => Answer::GiveUp(reason),
        }
    }

    fn write(&self, mail: &Mail) -> Result<Letter> {
        let language = Language::from_tag(&mail.language).unwrap_or(Language::En);
        let link = |path: &str| format!("{}{path}", self.origin);
        let until = |end_ms: &i64| Utc::from_ms(*end_ms);
        let written = match &mail.matter {
            Matter::VerifyAddress { path, expires_ms } => {
                letter::write(language, &letter::Matter::VerifyAddress { link: &link(path), until: until(expires_ms) })
            }
            Matter::ResetPassword { path, expires_ms } => {
                letter::write(language, &letter::Matter::ResetPassword { link: &link(path), until: until(expires_ms) })
            }
            Matter::PasswordChanged { at_ms, path } => {
                let at = Utc::from_ms(*at_ms);
                letter::write(language, &letter::Matter::PasswordChanged { at, link: &link(path) })
            }
            Matter::Invitation { org, inviter, role, path, expires_ms } => {
                let (link, until, role) = (&link(path), until(expires_ms), role.as_str());
                letter::write(language, &letter::Matter::Invitation { org, inviter, role, link, until })
            }
            Matter::AddressTaken { sign_in_path, reset_path } => {
                let (sign_in, reset) = (&link(sign_in_path), &link(reset_path));
                letter::write(language, &letter::Matter::AddressTaken { sign_in, reset })
            }
            Matter::KeyLeaked { org, key, hint, at_ms, path } => {
                let (at, link) = (Utc::from_ms(*at_ms), &link(path));
                letter::write(language, &letter::Matter::KeyLeaked { org, key, hint, at, link })
            }
            Matter::Test => letter::write(language, &letter::Matter::Test),
        };
        written.map_err(Error::internal)
    }
}
