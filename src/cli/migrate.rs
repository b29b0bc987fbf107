//! `tokenim migrate`.

use super::{Failure, open_beside, say};
use crate::config::Config;

pub async fn run(config: Config) -> Result<(), Failure> {
    let opened = open_beside(&config).await?;
    opened.store.close().await;
    say(&match opened.migrated {
        0 => "the schema is up to date".to_owned(),
        1 => "1 migration applied".to_owned(),
        many => format!("{many} migrations applied"),
    })
}
