//! `tokenim admin mail-test`.

use super::{Failure, open_existing, say};
use crate::config::Config;
use clap::Args;
use std::sync::Arc;
use tokenim_domain::clock::{Clock, SystemClock};
use tokenim_domain::id::JobId;
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::rng::SystemRng;
use tokenim_jobs::mail;

/// Flags of `admin mail-test`.
#[derive(Debug, Args)]
pub struct Flags {
    /// The address to send to.
    #[arg(long)]
    to: String,
    /// The language to write in.
    #[arg(long, default_value = "en", value_parser = ["en", "zh-CN"])]
    language: String,
    /// Leave the mail to the server, which sends it as it sends all others and tries again if need be.
    #[arg(long)]
    queue: bool,
}

pub async fn run(config: Config, flags: Flags) -> Result<(), Failure> {
    let clock = Arc::new(SystemClock::new());
    let (id, now_ms) = (JobId::new(&*clock, &SystemRng), clock.now_ms());
    let test = Mail { to: flags.to, language: flags.language, matter: Matter::Test };
    if flags.queue {
        let store = open_existing(&config).await?.store;
        store.enqueue_mail(None, &format!("test:{id}"), &test).await?;
        store.close().await;
        return say("queued; the server that runs on this data sends it");
    }
    // A test holds no link, so its origin is never used.
    let mailer = config.mail.mailer(&config.data.dir, "", clock)?;
    let sent = mailer.send(id, now_ms, &test).await;
    say(&sent.map_err(|failure| match failure {
        mail::Failure::Temporary(reason) => Failure::Mail(format!("{reason}; the server would try again")),
        mail::Failure::Permanent(reason) => Failure::Mail(format!("{reason}; the server would give it up")),
    })?)
}
