//! The private listener: metrics and health, for the machine's keepers only.

use crate::metrics::{Health, Metrics};
use actix_server::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokenim_store::Store;

/// How long the database may take to answer before this node counts as not ready.
const PING_MAX: Duration = Duration::from_secs(2);

/// Minutes of usage that wait at this many make the node not ready: what it serves now may never be counted.
const UNTOLD_MINUTES_MAX: usize = 2;

/// What the private pages look at.
#[derive(Clone)]
pub struct State {
    /// The store, for readiness.
    pub store: Store,
    /// Whether this node may be sent traffic.
    pub ready: Arc<AtomicBool>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// Serves `/healthz` (the process runs), `/readyz` (it may be sent traffic) and `/metrics` (Prometheus text format).
///
/// Errors: what the machine refused.
pub fn serve(listener: TcpListener, state: State) -> io::Result<Server> {
    let state = web::Data::new(state);
    let app = move || {
        App::new()
            .app_data(state.clone())
            .route("/healthz", web::get().to(async || HttpResponse::Ok().body("ok\n")))
            .route("/readyz", web::get().to(ready))
            .route("/metrics", web::get().to(metrics))
    };
    Ok(HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

impl State {
    /// Whether this node may be sent traffic.
    pub async fn health(&self) -> Health {
        if !self.ready.load(Ordering::Relaxed) {
            return Health::Draining;
        }
        match tokio::time::timeout(PING_MAX, self.store.ping()).await {
            Ok(Ok(())) if self.metrics.untold_minutes() < UNTOLD_MINUTES_MAX => Health::Ready,
            Ok(Ok(())) => Health::Behind,
            _ => Health::NoStore,
        }
    }
}

async fn ready(state: web::Data<State>) -> HttpResponse {
    match state.health().await {
        Health::Ready => HttpResponse::Ok().body("ready\n"),
        Health::Draining => HttpResponse::ServiceUnavailable().body("draining\n"),
        Health::NoStore => HttpResponse::ServiceUnavailable().body("the database does not answer\n"),
        Health::Behind => HttpResponse::ServiceUnavailable().body("the database does not take what was counted\n"),
    }
}

async fn metrics(state: web::Data<State>) -> HttpResponse {
    let health = state.health().await;
    // A database that does not answer is told as such; what waits in it is not known then.
    let backlog = tokio::time::timeout(PING_MAX, state.store.backlog()).await.ok().and_then(Result::ok);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(state.metrics.text(health, backlog))
}
