//! The live stream: one per page, at one sample a second, sent only where something changed.
use std::{sync::Arc, time::Duration};

use actix_web::{
    HttpResponse,
    http::{Method, header},
    web,
};
use bytes::Bytes;
use futures_util::stream;
use tokenim_domain::{
    Code, Error,
    actor::Action,
    id::{OrgId, SessionId},
};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{
    console::Console,
    fault::Fault,
    routes::{Answer, RouteSpec, Who, get},
    session,
    usage::query::Query,
    visit::Visit,
};

pub(crate) mod board;
pub(crate) mod delta;
pub(crate) mod event;
pub(crate) mod sample;
pub(crate) mod seats;
pub(crate) mod topics;

use board::{Feed, FeedKey};
use delta::Delta;
use seats::{Order, Seat};
use topics::Topics;

/// The stream's path.
pub(crate) const PATH: &str = "/console/stream";
pub(crate) const ROUTES: &[RouteSpec] = &[get(PATH, Who::May(Action::ReadUsage), |visit| Box::pin(open(visit)))];
/// Time between two samples.
const TICK: Duration = Duration::from_secs(1);
/// Ticks without a byte after which a comment is sent: 15 s.
const QUIET_TICKS_MAX: u32 = 15;
/// Ticks between two checks of the console session: 60 s.
const CHECK_TICKS: u32 = 60;

/// One viewer's stream.
struct Viewer {
    console: web::Data<Console>,
    session: SessionId,
    org: OrgId,
    feed: Arc<Feed>,
    seat: Seat,
    delta: Delta,
    ticks: Interval,
    quiet_ticks: u32,
    ticks_to_check: u32,
    is_over: bool,
}

/// Opens the stream of a page.
///
/// Every connection starts with the full state, so a reconnect needs no replay: the parts are states, not a log.
async fn open(visit: &Visit<'_>) -> Answer {
    let (query, topics) = Query::parse(visit.request.query_string())?;
    let topics = Topics::parse(topics.as_deref().unwrap_or(topics::ALL)).ok_or(Fault::Filter)?;
    if visit.request.method() == Method::HEAD {
        return Ok(HttpResponse::Ok().insert_header((header::CONTENT_TYPE, "text/event-stream")).finish());
    }
    let (session, org) = (visit.signed_in()?.id, visit.member()?.org);
    let key = FeedKey {
        org,
        query: Query { after: None, language: None, ..query },
        language: visit.language,
        origin: visit.origin(),
    };
    let feed = visit.console.board.feed(key).ok_or(Fault::Limited)?;
    feed.sample(visit.console).await?.ok_or_else(|| Error::new(Code::Unavailable))?;
    let seat = visit.console.seats.take(session).ok_or(Fault::Limited)?;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let viewer = Viewer {
        console: visit.console.clone(),
        session,
        org,
        feed,
        seat,
        delta: Delta::new(topics),
        ticks,
        quiet_ticks: 0,
        ticks_to_check: CHECK_TICKS,
        is_over: false,
    };
    let opening = stream::iter([Ok::<_, actix_web::Error>(Bytes::from_static(b": open\n\n"))]);
    let events =
        stream::unfold(viewer, |viewer| async { viewer.next().await.map(|(bytes, viewer)| (Ok(bytes), viewer)) });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(futures_util::StreamExt::chain(opening, events)))
}

impl Viewer {
    /// The next bytes to send, or none at the end.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        while !self.is_over {
            let stop = self.console.stop.clone();
            let bytes = tokio::select! {
                () = stop.cancelled() => return None,
                order = self.seat.order() => self.obey(order).await,
                _ = self.ticks.tick() => self.tick().await,
            };
            if let Some(bytes) = bytes {
                return Some((bytes, self));
            }
        }
        None
    }

    async fn obey(&mut self, order: Order) -> Option<Bytes> {
        match order {
            Order::Leave => self.end_with(event::ELSEWHERE),
            Order::CheckAgain => self.check_session().await,
        }
    }

    async fn tick(&mut self) -> Option<Bytes> {
        self.ticks_to_check -= 1;
        if self.ticks_to_check == 0 {
            self.ticks_to_check = CHECK_TICKS;
            if let Some(end) = self.check_session().await {
                return Some(end);
            }
        }
        let changes = match self.feed.sample(&self.console).await {
            Ok(Some(sample)) => self.delta.changes(&sample),
            Ok(None) => self.delta.stale(),
            Err(fault) => {
                fault.log_behind_stream();
                self.delta.stale()
            }
        };
        self.quiet_ticks = if changes.is_empty() { self.quiet_ticks + 1 } else { 0 };
        if !changes.is_empty() {
            return Some(Bytes::from(changes));
        }
        let is_due = self.quiet_ticks.is_multiple_of(QUIET_TICKS_MAX);
        is_due.then_some(Bytes::from_static(b": quiet\n\n"))
    }

    /// Ends the stream where its session has ended or looks at another org; a store that cannot be asked changes nothing yet.
    async fn check_session(&mut self) -> Option<Bytes> {
        let found = match self.console.store.find_console_session_by_id(self.session).await {
            Ok(found) => found,
            Err(error) => {
                Fault::from(error).log_behind_stream();
                return None;
            }
        };
        let now_ms = self.console.now_ms();
        let holds = found.is_some_and(|found| {
            session::is_current(&found, now_ms) && session::may(&found, self.org, Action::ReadUsage)
        });
        if holds { None } else { self.end_with(event::GONE) }
    }

    fn end_with(&mut self, name: &str) -> Option<Bytes> {
        self.is_over = true;
        Some(Bytes::from(event::named(self.console.now_ms(), name, "{}")))
    }
}
