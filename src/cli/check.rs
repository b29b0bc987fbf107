//! `tokenim check`.

use super::{Failure, place, say, settings};
use crate::config::Config;
use crate::tls::Tls;
use tokenim_store::Store;

/// By now the configuration has been read, so it is valid; what is left is to show it and to try the data folder.
pub async fn run(config: Config) -> Result<(), Failure> {
    crate::telemetry::filter(&config.log)?;
    let tls = Tls::load(&config.server)?;
    tokenim_dashboard::check_public_origin(config.server.public_origin(), tls.is_some())?;
    say(&config.to_toml())?;
    let data = place(&config);
    say(&match Store::pending_migrations(&settings(&config)).await? {
        None => format!("# {data} holds no database yet; the first start makes it"),
        Some(0) => format!("# {data} opens, and its schema is up to date"),
        Some(pending) => format!("# {data} opens; the next start applies {pending} migrations to it"),
    })?;
    say("# the configuration is valid")
}
