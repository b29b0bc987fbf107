//! A process's life: run, drain on a signal, end; a second signal or a task that dies ends it at once.

use crate::app::App;
use crate::cli::Failure;
use crate::config::Config;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Within this time a further signal is the same wish: a terminal and a supervisor may both pass it on.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
/// How long requests under way are waited for before the server is told to stop.
const REQUESTS_WAIT: Duration = Duration::from_secs(5);
/// How long the drain may last beyond its window before the process ends regardless: more than the waits in it together, which are
/// for connections that do not close, for requests, and for actix' own end.
const HARD_STOP: Duration = Duration::from_secs(20);

/// Runs until SIGTERM or SIGINT, then drains.
///
/// Errors: a server that ended by itself, or a drain that did not end in time.
pub async fn run_until_stopped(app: App, config: &Config, mut signals: Signals) -> Result<(), Failure> {
    let (public, private) = (app.public.handle(), app.private.handle());
    let App { store, gateway, api, jobs, public: public_server, private: private_server, tls, stop, ready } = app;
    let servers = async { tokio::try_join!(public_server, private_server) };
    tokio::pin!(servers);
    let mut tasks = tokio::task::JoinSet::new();
    let answered = CancellationToken::new();
    tasks.spawn(tokenim_billing::roll_up::run(store.clone(), stop.clone()));
    tasks.spawn(tokenim_jobs::runner::run(store.clone(), jobs, stop.clone()));
    tasks.spawn(crate::node::run(store.clone(), gateway.clone(), stop.clone()));
    tasks.spawn(crate::minutes::run(store.clone(), gateway.clone(), answered.clone()));
    tasks.spawn(tokenim_jobs::bodies::run(store.clone(), stop.clone()));
    if let (Some(tls), Some(asked)) = (tls, signals.hangup.take()) {
        tasks.spawn(tls.watch(asked, stop.clone()));
    }
    tokio::select! {
        ended = &mut servers => return Err(died(ended.err())),
        _ = tasks.join_next() => return Err(died(None)),
        () = gateway.died() => return Err(died(None)),
        () = signals.next() => {}
    }
    tracing::info!("draining");
    ready.store(false, Ordering::Relaxed);
    stop.cancel();
    let window = Duration::from_millis(config.gateway.drain_ms);
    let drain = async {
        gateway.drain(window).await;
        // Those whose callers left hold no connection for which the server would wait; of others there may always be one.
        let _: Result<(), _> = tokio::time::timeout(REQUESTS_WAIT, api.drain()).await;
        public.stop(true).await;
        api.drain().await;
        // Not before: what is counted until the last answer belongs to the last minute.
        answered.cancel();
        private.stop(false).await;
        tasks.join_all().await;
        store.close().await;
    };
    tokio::select! {
        // The servers must be polled for their stop to happen.
        ((), _) = async { tokio::join!(drain, servers) } => Ok(()),
        () = signals.next_after(SAME_SIGNAL) => Err(hard("a second signal came")),
        () = tokio::time::sleep(window + HARD_STOP) => Err(hard("the drain did not end in time")),
    }
}

fn died(error: Option<io::Error>) -> Failure {
    Failure::Io {
        what: "a part of the process ended by itself".to_owned(),
        source: error.unwrap_or_else(|| io::Error::other("no cause given")),
    }
}

fn hard(why: &str) -> Failure {
    Failure::Io { what: "stopped hard".to_owned(), source: io::Error::other(why.to_owned()) }
}

fn no_signals(source: io::Error) -> Failure {
    Failure::Io { what: "listening for signals".to_owned(), source }
}

/// The signals that are listened for, from when this is made: one that comes before ends the process as it ends any.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Asks that the certificate be read again.
    hangup: Option<Signal>,
}

impl Signals {
    /// Listens, for SIGHUP only where there is a certificate. Errors: the system's.
    pub fn new(has_certificate: bool) -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(no_signals);
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: has_certificate.then(|| listen(SignalKind::hangup())).transpose()?,
        })
    }

    /// The next signal that comes after a while; those before are ignored.
    async fn next_after(&mut self, while_: Duration) {
        let early = async {
            loop {
                self.next().await;
            }
        };
        // Only the time can end this.
        let _: Result<(), _> = tokio::time::timeout(while_, early).await;
        self.next().await;
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
