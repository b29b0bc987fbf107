//! Delivery to a mail server (RFC 5321), and what its answers mean: sent, later, or never.

use super::Failure;
use lettre::message::Message;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use std::time::Duration;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Error, Result};
use tokio::time::timeout;

/// How long connecting, TLS and signing in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long handing the mail over may take. Servers scan before they answer, and an answer that comes later is a mail that
/// arrives twice; with the time above it stays below a job's claim.
const SEND_TIMEOUT: Duration = Duration::from_secs(90);
/// How long the goodbye may take.
const QUIT_TIMEOUT: Duration = Duration::from_secs(2);
/// Replies that say "sign in first" (RFC 4954 §6): the mail is not at fault, the settings are.
const WANTS_SIGN_IN: [u16; 4] = [530, 534, 535, 538];

/// Where and how the server is reached.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// Name or address of the server; its certificate must have it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// Name and password, where the server wants them.
    pub credentials: Option<(String, Secret)>,
    /// PEM text of the authorities to trust instead of the machine's.
    pub authorities: Option<Vec<u8>>,
}

/// How a connection to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (RFC 8314 §3).
    Tls,
    /// TLS after the greeting, or nothing is sent.
    StartTls,
    /// Not at all.
    None,
}

/// A mail server. One connection per mail: transactional mail is rare, and a kept connection would be found dead.
#[derive(Clone)]
pub struct Smtp {
    host: String,
    port: u16,
    security: Security,
    /// Present unless the security is none.
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Smtp({}:{} {:?})", self.host, self.port, self.security)
    }
}

impl Smtp {
    /// A server, not connected to yet.
    ///
    /// Errors: `invalid_field` for authorities that are no certificates; `internal` where the machine's can't be read.
    pub fn new(settings: SmtpSettings) -> Result<Self> {
        let tls = match settings.security {
            Security::None => None,
            Security::Tls | Security::StartTls => Some(parameters(&settings)?),
        };
        let credentials = settings.credentials.map(|(name, word)| Credentials::new(name, word.expose().to_owned()));
        Ok(Smtp { host: settings.host, port: settings.port, security: settings.security, tls, credentials })
    }

    /// Hands a message over; returns the server's last answer.
    pub(super) async fn send(&self, message: &Message) -> Result<String, Failure> {
        let mut connection = match timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(connected) => connected?,
            Err(_) => return Err(Failure::Temporary(format!("no connection within {CONNECT_TIMEOUT:?}"))),
        };
        let text = message.formatted();
        match timeout(SEND_TIMEOUT, connection.send(message.envelope(), &text)).await {
            Ok(Ok(answer)) => {
                // The mail is accepted; how the goodbye goes changes nothing.
                let _ = timeout(QUIT_TIMEOUT, connection.quit()).await;
                let words = answer.message().collect::<Vec<_>>().join(" ");
                Ok(format!("{} {words}", answer.code()))
            }
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(Failure::Temporary(format!("no answer within {SEND_TIMEOUT:?}"))),
        }
    }

    /// A connection that is protected and signed in as configured. Whatever fails here is no mail's fault.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Failure> {
        let name = ClientId::default();
        let at_once = self.tls.clone().filter(|_| self.security == Security::Tls);
        let server = (self.host.as_str(), self.port);
        let connected = AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_TIMEOUT), &name, at_once, None).await;
        let mut connection = connected.map_err(|error| unready("connecting", &error))?;
        if let Some(tls) = self.tls.clone().filter(|_| self.security == Security::StartTls) {
            connection.starttls(tls, &name).await.map_err(|error| unready("STARTTLS", &error))?;
        }
        if let Some(credentials) = &self.credentials {
            let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], credentials).await;
            signed_in.map_err(|error| {
                tracing::error!(%error, "the mail server refuses the configured user name and password");
                unready("signing in", &error)
            })?;
        }
        Ok(connection)
    }
}

fn parameters(settings: &SmtpSettings) -> Result<TlsParameters> {
    let builder = TlsParameters::builder(settings.host.clone());
    let builder = match &settings.authorities {
        None => builder,
        Some(pem) => {
            let bad = |error: SmtpError| Error::invalid("ca_file", format!("no certificates: {error}"));
            let own = Certificate::from_pem(pem).map_err(bad)?;
            builder.certificate_store(CertificateStore::None).add_root_certificate(own)
        }
    };
    builder.build().map_err(Error::internal)
}

fn unready(doing: &str, error: &SmtpError) -> Failure {
    Failure::Temporary(format!("{doing}: {error}"))
}

/// What a failed hand-over means. A connection that broke, also after the whole mail was sent, tells nothing: the mail is
/// sent again under the same Message-ID.
fn refused(error: &SmtpError) -> Failure {
    let reason = error.to_string();
    let wants_sign_in = error.status().is_some_and(|code| WANTS_SIGN_IN.contains(&u16::from(code)));
    if wants_sign_in {
        tracing::error!(%error, "the mail server wants a user name and password");
    }
    // What the library itself refuses: an address or a text that this server cannot take.
    let never = error.is_permanent() || error.is_client();
    if never && !wants_sign_in { Failure::Permanent(reason) } else { Failure::Temporary(reason) }
}
