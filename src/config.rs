//! Configuration: the embedded default, then a file, then the environment. Unknown keys are errors.

pub mod mail;
pub mod objects;

use crate::proxies::Proxies;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokenim_domain::secret::Secret;
use tokenim_gateway::limits::Limits;
use toml::{Table, Value};

const DEFAULT: &str = include_str!("tokenim.default.toml");
const ENV_PREFIX: &str = "TOKENIM_";
/// Milliseconds the drain may last; an orchestrator's patience is shorter.
const DRAIN_MS_MAX: u64 = 300_000;
/// Milliseconds a client may leave unread what it was sent; longer than this it is gone.
const UNREAD_MS_MAX: u32 = 3_600_000;
/// Worker threads; more than this is a typing error.
const WORKERS_MAX: usize = 512;

/// The whole configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where it listens.
    pub server: Server,
    /// Where the data is.
    pub data: Data,
    /// What holds it.
    pub database: Database,
    /// How connections are treated.
    pub gateway: Gateway,
    /// What one address, user, key and connection may do.
    pub limits: Limits,
    /// Where the bytes of large bodies are.
    pub objects: objects::Objects,
    /// How mail leaves.
    pub mail: mail::Mail,
    /// What is logged.
    pub log: Log,
}

/// `[server]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Console, REST and gateway.
    pub listen: SocketAddr,
    /// Metrics and health.
    pub private_listen: SocketAddr,
    /// Threads that serve connections; 0 = one per core.
    pub workers: usize,
    /// Scheme and host people open the console under; empty = loopback only.
    pub public_origin: String,
    /// Networks of proxies whose `X-Forwarded-For` is believed; none by default.
    pub trusted_proxies: Proxies,
    /// PEM file of the certificate and what leads to its root; empty = plain HTTP.
    pub tls_cert: PathBuf,
    /// PEM file of the certificate's key.
    pub tls_key: PathBuf,
}

/// `[data]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The data folder.
    pub dir: PathBuf,
}

/// `[database]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// Empty = a SQLite file in the data folder.
    pub url: DatabaseUrl,
}

/// The URL of a database; its password is shown nowhere.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The URL of a PostgreSQL database, if one is set.
    pub fn postgres(&self) -> Option<Secret> {
        Some(&self.0).filter(|url| !url.is_empty()).map(|url| Secret::new(url.clone()))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, query) = self.0.split_once('?').map_or((&*self.0, None), |(before, query)| (before, Some(query)));
        let (scheme, rest) = before.split_once("://").unwrap_or(("", before));
        let (login, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = login.split_once(':').map_or(login, |(user, _)| user);
        let at = if user.is_empty() { "" } else { "@" };
        write!(out, "{scheme}{}{user}{at}{place}", if scheme.is_empty() { "" } else { "://" })?;
        let shown = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.starts_with("password="));
        for (number, pair) in shown.enumerate() {
            write!(out, "{}{pair}", if number == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.to_string())
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `[gateway]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Milliseconds of the drain.
    pub drain_ms: u64,
    /// Milliseconds a client may leave unread what it was sent.
    pub unread_ms: u32,
}

/// `[log]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// What is logged.
    pub filter: String,
    /// How.
    pub format: Format,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What is wrong with the configuration, naming the key.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file can't be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the machine said.
        source: std::io::Error,
    },
    /// Text that is not TOML, a key that does not exist, or a value of a wrong type.
    #[error("{origin}: {message}")]
    Content {
        /// The file or the variable.
        origin: String,
        /// What is wrong.
        message: String,
    },
}

impl Gateway {
    /// How long a client may leave unread what it was sent; `None` = as long as TCP has patience.
    pub fn unread(&self) -> Option<Duration> {
        (self.unread_ms > 0).then(|| Duration::from_millis(self.unread_ms.into()))
    }
}

impl Server {
    /// The public origin, if one is set.
    pub fn public_origin(&self) -> Option<String> {
        Some(self.public_origin.clone()).filter(|origin| !origin.is_empty())
    }

    /// The certificate's file and its key's, if the public port speaks TLS.
    ///
    /// Errors: one without the other.
    pub fn tls(&self) -> Result<Option<(&Path, &Path)>, Fault> {
        match (self.tls_cert.as_os_str().is_empty(), self.tls_key.as_os_str().is_empty()) {
            (true, true) => Ok(None),
            (false, false) => Ok(Some((&self.tls_cert, &self.tls_key))),
            (true, false) => Err(content("server.tls_key", "is given without server.tls_cert")),
            (false, true) => Err(content("server.tls_cert", "is given without server.tls_key")),
        }
    }
}

impl Config {
    /// Reads the configuration of this process.
    ///
    /// Errors: [`Fault`], naming the file or variable and the key.
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    pub fn load(file: Option<&Path>) -> Result<Self, Fault> {
        let text = file.map(|path| {
            std::fs::read_to_string(path).map_err(|source| Fault::File { path: path.display().to_string(), source })
        });
        let text = text.transpose()?;
        let origin = file.map_or(String::new(), |path| path.display().to_string());
        Self::merge(text.as_deref().map(|text| (origin.as_str(), text)), std::env::vars().collect())
    }

    /// The default, overridden by a file's text, overridden by variables.
    fn merge(file: Option<(&str, &str)>, env: BTreeMap<String, String>) -> Result<Self, Fault> {
        let mut table: Table = DEFAULT.parse().expect("the default is tested");
        if let Some((origin, text)) = file {
            let over: Table = text.parse().map_err(|error| not_toml(origin, text, &error))?;
            overlay(&mut table, over, origin)?;
        }
        for (name, text) in env {
            let Some((section, key)) = name.strip_prefix(ENV_PREFIX).and_then(|rest| rest.split_once("__")) else {
                continue;
            };
            let (section, key) = (section.to_lowercase(), key.to_lowercase());
            let old = table
                .get(&section)
                .and_then(|section| section.get(&key))
                .ok_or_else(|| content(&name, "there is no such key"))?;
            let value = parse_as(old, &text)
                .ok_or_else(|| content(&name, &format!("must be {} like the default", old.type_str())))?;
            set(&mut table, &section, &key, value);
        }
        let config: Config = Value::Table(table)
            .try_into()
            .map_err(|error: toml::de::Error| content("configuration", error.to_string().trim()))?;
        config.check()
    }

    fn check(self) -> Result<Self, Fault> {
        self.mail.check()?;
        self.objects.check()?;
        let limits = [
            ("gateway.drain_ms", self.gateway.drain_ms > DRAIN_MS_MAX),
            ("gateway.unread_ms", self.gateway.unread_ms > UNREAD_MS_MAX),
            ("server.workers", self.server.workers > WORKERS_MAX),
        ];
        if self.database.url.postgres().is_some_and(|url| !tokenim_store::is_postgres_url(url.expose())) {
            return Err(content("database.url", "must be empty or look like postgres://user:password@host:5432/name"));
        }
        match limits.into_iter().find(|(_, over)| *over) {
            Some((key, _)) => Err(content(key, "is too large")),
            None => Ok(self),
        }
    }

    /// What is in force, as a file that could be given.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("plain values")
    }
}

fn overlay(table: &mut Table, over: Table, origin: &str) -> Result<(), Fault> {
    for (section, keys) in over {
        let Value::Table(keys) = keys else { return Err(content(origin, &format!("`{section}` must be a section"))) };
        for (key, value) in keys {
            if table.get(&section).and_then(|known| known.get(&key)).is_none() {
                return Err(content(origin, &format!("there is no key `{section}.{key}`")));
            }
            set(table, &section, &key, value);
        }
    }
    Ok(())
}

fn set(table: &mut Table, section: &str, key: &str, value: Value) {
    if let Some(Value::Table(keys)) = table.get_mut(section) {
        keys.insert(key.to_owned(), value);
    }
}

fn parse_as(old: &Value, text: &str) -> Option<Value> {
    match old {
        Value::Integer(_) => text.parse().ok().map(Value::Integer),
        Value::Boolean(_) => text.parse().ok().map(Value::Boolean),
        Value::Array(_) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Some(Value::Array(parts.map(|part| Value::String(part.to_owned())).collect()))
        }
        _ => Some(Value::String(text.to_owned())),
    }
}

/// Where a text stops being TOML: the line and the cause, not what stands there, which may be a secret.
fn not_toml(origin: &str, text: &str, error: &toml::de::Error) -> Fault {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    content(origin, &format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
}

fn content(origin: &str, message: &str) -> Fault {
    Fault::Content { origin: origin.to_owned(), message: message.to_owned() }
}

/// The server key of the app that `tokenim bench` loads.
#[expect(clippy::disallowed_methods, reason = "read beside the configuration: a key is no setting of the server")]
pub fn bench_key() -> Option<String> {
    std::env::var("TOKENIM_BENCH_KEY").ok()
}

/// Which bug the test battery seeds; only builds with the feature know the variable.
#[cfg(feature = "sabotage")]
#[expect(clippy::disallowed_methods, reason = "read beside the configuration, by test builds only")]
pub fn sabotage() -> Option<String> {
    std::env::var("TOKENIM_SABOTAGE").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(file: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::merge(Some(("test.toml", file)), env).map_err(|fault| fault.to_string())
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
        let config = with(
            "[gateway]\ndrain_ms = 5\n",
            &[("TOKENIM_SERVER__WORKERS", "3"), ("TOKENIM_OTHER", "x"), ("HOME", "/")],
        )
        .unwrap();
        assert_eq!((config.gateway.drain_ms, config.server.workers, config.server.listen.port()), (5, 3, 8080));
    }

    #[test]
    fn unknown_keys_and_wrong_types_name_their_place() {
        assert_eq!(
            with("[gateway]\ndrian_ms = 5\n", &[]).unwrap_err(),
            "test.toml: there is no key `gateway.drian_ms`"
        );
        assert_eq!(
            with("", &[("TOKENIM_GATEWAY__DRIAN", "5")]).unwrap_err(),
            "TOKENIM_GATEWAY__DRIAN: there is no such key"
        );
        assert_eq!(
            with("", &[("TOKENIM_SERVER__WORKERS", "many")]).unwrap_err(),
            "TOKENIM_SERVER__WORKERS: must be integer like the default"
        );
        assert!(with("[server]\nlisten = \"here\"\n", &[]).is_err());
        assert!(with("[gateway]\ndrain_ms = 9999999\n", &[]).is_err());
        assert!(with("server = 1", &[]).is_err() && with("[", &[]).is_err());
    }

    #[test]
    fn mail_needs_what_its_transport_needs_and_shows_no_password() {
        let smtp = "[mail]\ntransport = \"smtp\"\nhost = \"mail.example\"\n";
        let login = [("TOKENIM_MAIL__USERNAME", "im"), ("TOKENIM_MAIL__PASSWORD", "s3cret")];
        let config = with(smtp, &login).unwrap();
        assert!(!config.to_toml().contains("s3cret") && !format!("{config:?}").contains("s3cret"));
        assert!(config.to_toml().contains("password = \"(hidden)\""));
        for (file, env, named) in [
            ("[mail]\ntransport = \"smtp\"\n", &[][..], "mail.host"),
            (smtp, &[("TOKENIM_MAIL__SECURITY", "none")], "mail.security"),
            (smtp, &login[..1], "mail.username"),
            (smtp, &login[1..], "mail.username"),
            (smtp, &[("TOKENIM_MAIL__FROM", "nobody")], "mail.from"),
            (smtp, &[("TOKENIM_MAIL__TRANSPORT", "pigeon")], "mail.transport"),
            (smtp, &[("TOKENIM_MAIL__PORT", "70000")], "mail.port"),
        ] {
            let said = with(file, env).unwrap_err();
            assert!(said.contains(named), "{named}: {said}");
        }
        assert!(with(smtp, &[("TOKENIM_MAIL__HOST", "127.0.0.1"), ("TOKENIM_MAIL__SECURITY", "none")]).is_ok());
    }

    #[test]
    fn objects_need_what_their_kind_needs_and_show_no_secret() {
        let file = "[objects]\nkind = \"s3\"\nbucket = \"b\"\nregion = \"eu-west-1\"\naccess_key_id = \"id\"\n";
        let secret = [("TOKENIM_OBJECTS__SECRET_ACCESS_KEY", "s3cret")];
        let config = with(file, &secret).unwrap();
        assert!(!config.to_toml().contains("s3cret") && !format!("{config:?}").contains("s3cret"));
        for (file, env, named) in [
            (file, &[][..], "objects.secret_access_key"),
            ("[objects]\nkind = \"s3\"\n", &secret, "objects.bucket"),
            (file, &[secret[0], ("TOKENIM_OBJECTS__ENDPOINT", "ftp://x")], "objects.endpoint"),
            (file, &[secret[0], ("TOKENIM_OBJECTS__REGION", "")], "objects.region"),
            ("", &[("TOKENIM_OBJECTS__KIND", "tape")], "objects.kind"),
        ] {
            let said = with(file, env).unwrap_err();
            assert!(said.contains(named), "{named}: {said}");
        }
    }

    #[test]
    fn a_database_is_a_postgres_url_and_shows_no_password() {
        let url = "postgres://ann:s3:cr@t@db.example:5433/im?sslmode=verify-full&password=s3cret";
        let config = with("", &[("TOKENIM_DATABASE__URL", url)]).unwrap();
        assert_eq!(config.database.url.postgres().unwrap().expose(), url);
        assert_eq!(config.database.url.to_string(), "postgres://ann@db.example:5433/im?sslmode=verify-full");
        assert!(!config.to_toml().contains("s3") && !format!("{config:?}").contains("s3"));
        assert!(with("", &[]).unwrap().database.url.postgres().is_none());
        for wrong in ["mysql://a@b/c", "db.example", "postgres://a@b:port/c"] {
            let fault = with("", &[("TOKENIM_DATABASE__URL", wrong)]).unwrap_err();
            assert!(fault.starts_with("database.url: must be empty or"), "{fault}");
        }
    }

    #[test]
    fn trusted_proxies_are_networks_in_a_file_or_with_commas() {
        fn trusted(file: &str, env: &[(&str, &str)]) -> Result<Vec<String>, String> {
            with(file, env).map(|config| config.server.trusted_proxies.into())
        }
        assert_eq!(trusted("", &[]).unwrap(), [""; 0]);
        let both = ["10.0.0.0/8", "::1/128"];
        let by_file = "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n";
        assert_eq!(trusted(by_file, &[]).unwrap(), both);
        assert_eq!(trusted("", &[("TOKENIM_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1")]).unwrap(), both);
        assert_eq!(trusted(by_file, &[("TOKENIM_SERVER__TRUSTED_PROXIES", "")]).unwrap(), [""; 0]);
        for wrong in ["*", "10.0.0.1/8", "0.0.0.0/0", "proxy.example"] {
            let fault = trusted("", &[("TOKENIM_SERVER__TRUSTED_PROXIES", wrong)]).unwrap_err();
            assert!(fault.contains("server.trusted_proxies") && fault.contains(wrong), "{fault}");
        }
        assert!(trusted("[server]\ntrusted_proxies = \"10.0.0.0/8\"\n", &[]).is_err());
        let config = with(by_file, &[]).unwrap();
        assert_eq!(trusted(&config.to_toml(), &[]).unwrap(), both);
    }

    #[test]
    fn what_check_prints_can_be_read_back() {
        let config = with("", &[]).unwrap();
        assert!(with(&config.to_toml(), &[]).is_ok());
    }
}
