//! `[mail]`: how mail leaves, and as whom.

use super::{Fault, content};
use crate::cli::Failure;
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokenim_domain::clock::Clock;
use tokenim_domain::secret::Secret;
use tokenim_jobs::mail::{Mailer, Outbox, Smtp, SmtpSettings, check_sender};

/// What is printed for a password that is set.
const HIDDEN: &str = "(hidden)";
/// The folder inside the data folder that mails are written to.
const FOLDER: &str = "mail";

/// `[mail]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Whether it leaves at all.
    pub transport: Transport,
    /// The sender.
    pub from: String,
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection to it is protected.
    pub security: Security,
    /// The user name there; empty = the server wants none.
    pub username: String,
    /// The password there.
    pub password: Password,
    /// PEM file of the authorities to trust; empty = the machine's.
    pub ca_file: PathBuf,
}

/// Where mails go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Into the data folder.
    File,
    /// To a mail server.
    Smtp,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after the greeting.
    StartTls,
    /// Not at all, on this machine only.
    None,
}

/// A password that is printed nowhere.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// The text, for the one place that needs it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HIDDEN)
    }
}

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { HIDDEN })
    }
}

impl Mail {
    /// What is wrong with it, as far as that can be told without a network.
    pub(super) fn check(&self) -> Result<(), Fault> {
        check_sender(&self.from).map_err(|error| content("mail.from", &error.message))?;
        if self.transport == Transport::File {
            return Ok(());
        }
        if self.host.is_empty() {
            return Err(content("mail.host", "is needed with the transport smtp"));
        }
        if self.security == Security::None && !is_loopback(&self.host) {
            return Err(content("mail.security", "may be none only for a server on a loopback address"));
        }
        if self.username.is_empty() != self.password.0.is_empty() {
            return Err(content("mail.username", "and mail.password are given together"));
        }
        Ok(())
    }

    /// The folder that mails are written to, where they do not leave.
    pub fn outbox(&self, data: &Path) -> Option<Outbox> {
        (self.transport == Transport::File).then(|| Outbox::new(data.join(FOLDER)))
    }

    /// What sends mail, with links that begin with `origin`.
    ///
    /// Errors: a file of authorities that can't be read or holds none.
    pub fn mailer(&self, data: &Path, origin: &str, clock: Arc<dyn Clock>) -> Result<Mailer, Failure> {
        let transport = match self.outbox(data) {
            Some(outbox) => tokenim_jobs::mail::Transport::File(outbox),
            None => tokenim_jobs::mail::Transport::Smtp(self.smtp()?),
        };
        Ok(Mailer::new(&self.from, origin, transport, clock)?)
    }

    fn smtp(&self) -> Result<Smtp, Failure> {
        let security = match self.security {
            Security::Tls => tokenim_jobs::mail::Security::Tls,
            Security::StartTls => tokenim_jobs::mail::Security::StartTls,
            Security::None => tokenim_jobs::mail::Security::None,
        };
        let credentials = || (self.username.clone(), Secret::new(self.password.0.clone()));
        let authorities = (!self.ca_file.as_os_str().is_empty()).then(|| std::fs::read(&self.ca_file)).transpose();
        let what = || format!("mail.ca_file {}", self.ca_file.display());
        Ok(Smtp::new(SmtpSettings {
            host: self.host.clone(),
            port: self.port,
            security,
            credentials: (!self.username.is_empty()).then(credentials),
            authorities: authorities.map_err(|source| Failure::Io { what: what(), source })?,
        })?)
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
