//! `tokenim check`.

use super::{Failure, open, say};
use crate::config::Config;

/// By now the configuration has been read, so it is valid; what is left is to show it and to try the data folder.
pub async fn run(config: Config) -> Result<(), Failure> {
    crate::telemetry::filter(&config.log)?;
    tokenim_dashboard::check_public_origin(config.server.public_origin())?;
    say(&config.to_toml())?;
    if config.data.dir.exists() {
        let store = open(&config).await?.store;
        store.ping().await?;
        store.close().await;
        say(&format!("# {} opens, and its schema is up to date", config.data.dir.display()))?;
    } else {
        say(&format!("# {} does not exist yet; the first start makes it", config.data.dir.display()))?;
    }
    say("# the configuration is valid")
}
