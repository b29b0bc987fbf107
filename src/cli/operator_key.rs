//! `tokenim admin operator-key`.

use super::{Failure, open_existing, say};
use crate::config::Config;
use clap::{Args, Subcommand};
use serde_json::json;
use tokenim_control::operator_keys;
use tokenim_domain::id::KeyId;
use tokenim_domain::{Code, Error};
use tokenim_protocol::time::rfc3339;
use tokenim_store::{OperatorKey, Store};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a key; its secret is shown once.
    Create(Create),
    /// List the keys, revoked ones too.
    List,
    /// Revoke a key: a running server refuses it within 2 seconds.
    Revoke(Revoke),
}

/// Flags of `create`.
#[derive(Debug, Args)]
pub struct Create {
    /// What the key is for.
    #[arg(long)]
    name: String,
    /// Print id and secret as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Flags of `revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    /// The key's id, `key_…`, as `list` shows it.
    id: String,
}

pub async fn run(config: Config, verb: Verb) -> Result<(), Failure> {
    let store = open_existing(&config).await?.store;
    let done = act(&store, verb).await;
    store.close().await;
    done
}

async fn act(store: &Store, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create(flags) => {
            let (key, secret) = operator_keys::create(store, &flags.name).await?;
            if flags.json {
                return say(&json!({"id": key.id, "secret": secret.expose()}).to_string());
            }
            say(&format!("operator key {}", key.id))?;
            say(&format!("secret       {}   (shown once; opens every org)", secret.expose()))
        }
        Verb::List => store.list_operator_keys().await?.iter().try_for_each(|key| say(&line(key))),
        Verb::Revoke(flags) => {
            let id: KeyId = flags.id.parse().map_err(|()| Error::new(Code::NotFound))?;
            let key = operator_keys::revoke(store, id).await?;
            say(&format!("{} is revoked", key.id))
        }
    }
}

fn line(key: &OperatorKey) -> String {
    let used = key.last_used_ms.map_or("never used".to_owned(), |at| format!("used {}", rfc3339(at)));
    let state = key.revoked_ms.map_or(used, |at| format!("revoked {}", rfc3339(at)));
    format!("{}  {}  {}  created {}  {state}", key.id, key.hint, key.name, rfc3339(key.created_ms))
}
