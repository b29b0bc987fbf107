//! Composition: the one place where the rooms are put together.

mod entrance;
mod live;
mod plain;

use crate::cli::Failure;
use crate::config::Config;
use crate::proxies::Proxies;
use crate::tls::Tls;
use crate::{metrics, private};
use actix_http::{HttpService, Request};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_factory, fn_service, map_config,
};
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::web;
use entrance::Entrance;
use live::ConsoleGateway;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tokenim_api::Api;
use tokenim_dashboard::{Console, Ports};
use tokenim_domain::clock::Clock;
use tokenim_gateway::bus::LocalBus;
use tokenim_gateway::limits::Limits;
use tokenim_gateway::verifier::{Lookups, Verifier};
use tokenim_gateway::{Gateway, Parts, transport};
use tokenim_jobs::Jobs;
use tokenim_store::Store;
use tokio_util::sync::CancellationToken;

/// How long a client may take to send a request's head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle HTTP connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Seconds that requests under way are given when the server stops.
const SHUTDOWN_SECONDS: u64 = 5;
/// Sockets waiting to be accepted: a reconnect storm queues in the kernel, not in the clients' time-outs.
const BACKLOG: u32 = 4_096;
/// Connections per worker; the kernel's limit on open files is lower.
const CONNECTIONS_MAX: usize = 1_000_000;

/// The two sockets of a process.
#[derive(Debug)]
pub struct Listeners {
    /// Console, REST and gateway.
    pub public: TcpListener,
    /// Metrics and health.
    pub private: TcpListener,
}

/// A composed process, not yet running.
pub struct App {
    /// The store.
    pub store: Store,
    /// The gateway.
    pub gateway: Gateway<Store>,
    /// The JSON face, for its drain.
    pub api: Api,
    /// Does what the queue holds.
    pub jobs: Jobs,
    /// Serves the public socket.
    pub public: Server,
    /// Serves the private socket.
    pub private: Server,
    /// The certificate of the public socket, to be watched.
    pub tls: Option<Tls>,
    /// Ends the console's live streams and the workers.
    pub stop: CancellationToken,
    /// Whether this node may be sent traffic.
    pub ready: Arc<AtomicBool>,
}

/// Puts a process together on listeners that are bound already.
///
/// Errors: a public origin that is none; what the machine refused.
pub fn build(config: &Config, store: Store, listeners: Listeners, tls: Option<Tls>) -> Result<App, Failure> {
    let stop = CancellationToken::new();
    let gateway = gateway(&store, &config.limits);
    let origin = origin(config, &listeners.public, tls.as_ref())?;
    let mailer = config.mail.mailer(&config.data.dir, &origin, store.clock().clone())?;
    let jobs = Jobs::new(store.clone(), mailer);
    let requests = Arc::new(metrics::Requests::default());
    let api = Api::new(store.clone(), gateway.clone(), &origin);
    let console = web::Data::new(Console::new(Ports {
        store: store.clone(),
        live: Arc::new(ConsoleGateway {
            gateway: gateway.clone(),
            requests: requests.clone(),
            clock: store.clock().clone(),
        }),
        public_origin: config.server.public_origin(),
        tls: tls.is_some(),
        outbox: config.mail.outbox(&config.data.dir),
        stop: stop.clone(),
    })?);
    let ready = Arc::new(AtomicBool::new(true));
    let metrics = Arc::new(metrics::Metrics::new(gateway.clone(), requests.clone()));
    let private =
        private::serve(listeners.private, private::State { store: store.clone(), ready: ready.clone(), metrics })
            .map_err(refused)?;
    let entrance = Entrance::new(tls.as_ref().map(Tls::server_config), config.gateway.unread());
    let faces = Faces {
        api: api.clone(),
        console,
        requests,
        clock: store.clock().clone(),
        proxies: config.server.trusted_proxies.clone(),
    };
    let public = public(config, listeners.public, entrance, gateway.clone(), faces).map_err(refused)?;
    Ok(App { store, gateway, api, jobs, public, private, tls, stop, ready })
}

/// What links in mails begin with: the public origin, or this machine's own address; never what a request calls us.
pub fn origin(config: &Config, public: &TcpListener, tls: Option<&Tls>) -> Result<String, Failure> {
    if let Some(origin) = config.server.public_origin() {
        return Ok(origin);
    }
    let mut address = public.local_addr().map_err(refused)?;
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(format!("{scheme}://{address}"))
}

/// The gateway of a store.
pub fn gateway(store: &Store, limits: &Limits) -> Gateway<Store> {
    let verifier = Verifier::new(lookups(store), store.master().clone(), store.clock().clone());
    Gateway::start(Parts {
        log: Arc::new(store.clone()),
        bus: LocalBus::default(),
        verifier,
        terms: Arc::new(store.clone()),
        clock: store.clock().clone(),
        rng: store.rng().clone(),
        limits: *limits,
    })
}

/// The verifier's questions are the store's look-ups.
fn lookups(store: &Store) -> Lookups {
    let (signing, minters) = (store.clone(), store.clone());
    Lookups {
        signing: Arc::new(move |kid| {
            let store = signing.clone();
            Box::pin(async move { store.find_signing_key(kid).await })
        }),
        minter: Arc::new(move |app, key| {
            let store = minters.clone();
            Box::pin(async move { store.find_standing(app, key).await })
        }),
    }
}

/// What answers requests.
struct Faces {
    api: Api,
    console: web::Data<Console>,
    requests: Arc<metrics::Requests>,
    clock: Arc<dyn Clock>,
    proxies: Proxies,
}

/// Puts the client in the place of the proxy that speaks for it, before any face looks who asks.
fn name_client(request: &mut ServiceRequest, proxies: &Proxies) {
    let client = request.peer_addr().map(|peer| proxies.client(peer.ip(), request.headers()));
    if let (Some(peer), Some(client)) = (&mut request.head_mut().peer_addr, client) {
        peer.set_ip(client);
    }
}

/// One port for all: actix-web answers requests, and a request that asks for an upgrade becomes a connection of the gateway.
fn public(
    config: &Config,
    listener: TcpListener,
    entrance: Entrance,
    gateway: Gateway<Store>,
    faces: Faces,
) -> io::Result<Server> {
    let build = move || {
        let gateway = gateway.clone();
        let pages = || {
            let (requests, clock, proxies) = (faces.requests.clone(), faces.clock.clone(), faces.proxies.clone());
            let api = faces.api.clone();
            let app = actix_web::App::new().wrap_fn(move |mut request, pages| {
                name_client(&mut request, &proxies);
                let (requests, clock, begun) = (requests.clone(), clock.clone(), clock.monotonic());
                let answer = api.outlive(pages.call(request));
                async move {
                    let answer = answer.await.unwrap_or_else(|panic| Err(ErrorInternalServerError(panic)));
                    answer.inspect(|answer: &ServiceResponse| {
                        let took = clock.monotonic().saturating_sub(begun);
                        requests.count(answer.request().path(), answer.status().as_u16(), clock.now_ms(), took);
                    })
                }
            });
            let app = app.configure(tokenim_api::configure(&faces.api)).app_data(faces.console.clone());
            map_config(app.configure(tokenim_dashboard::configure), |_| AppConfig::default()).into_factory()
        };
        let (ignoring_upgrade, of_upgrade) = (pages(), faces.proxies.clone());
        let upgrade = fn_factory(move || {
            let (pages, gateway, proxies) = (ignoring_upgrade.new_service(()), gateway.clone(), of_upgrade.clone());
            async move {
                let pages = Rc::new(pages.await?);
                Ok::<_, ()>(fn_service(move |handed| upgraded(gateway.clone(), pages.clone(), proxies.clone(), handed)))
            }
        });
        let http = HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(REQUEST_TIMEOUT)
            // Who closes its side is gone: else a stream of events would last until something is written to it. What a request
            // asked for is done all the same, because it outlives its caller.
            .h1_allow_half_closed(false)
            .upgrade(upgrade)
            .finish(pages());
        let entrance = entrance.clone();
        fn_service(move |tcp| entrance.clone().enter(tcp)).and_then(http)
    };
    let server = Server::build()
        .disable_signals()
        .backlog(BACKLOG)
        .max_concurrent_connections(CONNECTIONS_MAX)
        .shutdown_timeout(SHUTDOWN_SECONDS);
    let server = if config.server.workers == 0 { server } else { server.workers(config.server.workers) };
    Ok(server.listen("tokenim", listener, build)?.run())
}

/// A WebSocket becomes a connection of the gateway; any other request is answered as if it had asked for no upgrade.
async fn upgraded<S>(
    gateway: Gateway<Store>,
    pages: Rc<S>,
    proxies: Proxies,
    handed: transport::Handed,
) -> Result<(), actix_web::Error>
where
    S: Service<Request, Response = ServiceResponse, Error = actix_web::Error>,
{
    let head = handed.0.head();
    let client = head.peer_addr.map(|peer| proxies.client(peer.ip(), head.headers()));
    if let Err((request, framed)) = transport::upgrade(gateway, handed, client) {
        let response = pages.call(request).await?;
        plain::answer(response.into(), framed).await?;
    }
    Ok(())
}

fn refused(source: io::Error) -> Failure {
    Failure::Io { what: "starting the server".to_owned(), source }
}
