//! `tokenim admin bootstrap`.

use super::{Failure, open_beside, place, say, settings};
use crate::config::Config;
use clap::Args;
use serde_json::json;
use std::io::{self, Read};
use tokenim_control::bootstrap::{Bootstrap, Bootstrapped, bootstrap};
use tokenim_domain::secret::Secret;
use tokenim_store::Store;

/// Bytes of a password read from stdin.
const PASSWORD_BYTES_MAX: u64 = 2_048;

/// Flags of `admin bootstrap`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The operator's e-mail address.
    #[arg(long)]
    email: String,
    /// Name of the org.
    #[arg(long)]
    org: String,
    /// Name of its first app.
    #[arg(long)]
    app: String,
    /// Print the ids and secrets as one line of JSON, the last line of the output.
    #[arg(long)]
    json: bool,
    /// Read the operator's console password from stdin instead of making one.
    #[arg(long)]
    password_stdin: bool,
}

pub async fn run(config: Config, flags: Flags) -> Result<(), Failure> {
    let password = flags.password_stdin.then(read_password).transpose()?;
    let is_new = Store::pending_migrations(&settings(&config)).await?.is_none();
    let store = open_beside(&config).await?.store;
    let wanted = Bootstrap { email: flags.email.clone(), org: flags.org, app: flags.app, password };
    let made = bootstrap(&store, wanted).await?;
    store.close().await;
    if is_new {
        say(&format!("a new database was made in {}", place(&config)))?;
    }
    if !made.org.account_is_new {
        say(&format!(
            "{} has an account already and keeps its password; this is another org of it, and it operates the service",
            flags.email
        ))?;
    }
    if let Some(password) = &made.password {
        say(&format!("console password of {} (shown once): {}", flags.email, password.expose()))?;
    }
    if flags.json { say(&as_json(&made)) } else { as_text(&made, &config) }
}

fn as_json(made: &Bootstrapped) -> String {
    let founded = &made.org;
    json!({
        "account": founded.account,
        "org": founded.app.org,
        "app": founded.app.app,
        "key": founded.key.expose(),
        "signing": {"kid": founded.signing.id, "secret": founded.signing.secret.expose()},
    })
    .to_string()
}

fn as_text(made: &Bootstrapped, config: &Config) -> Result<(), Failure> {
    let founded = &made.org;
    say(&format!("data folder    {}", place(config)))?;
    say(&format!("account        {}", founded.account))?;
    say(&format!("org            {}", founded.app.org))?;
    say(&format!("app            {}", founded.app.app))?;
    say(&format!("server key     {}   (shown once; for your backend only)", founded.key.expose()))?;
    say(&format!("signing kid    {}", founded.signing.id))?;
    say(&format!("signing secret {}   (shown once; signs user tokens)", founded.signing.secret.expose()))
}

fn read_password() -> Result<Secret, Failure> {
    let mut text = String::new();
    let read = io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|source| Failure::Io { what: "reading the password from stdin".to_owned(), source })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
