//! Idempotency: a POST with an `Idempotency-Key` runs once, and its repeats get the first answer.

use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::Authority;
use crate::fault::Fault;
use crate::post::{Once, Post};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, web};
use std::future::Future;
use std::str::FromStr;
use tokenim_domain::secret::sha256;
use tokenim_domain::{Code, Error};
use tokenim_store::{Begun, Remembered, Space};

/// Milliseconds after which a repeat of a running request is worth another try.
const RUNNING_RETRY_MS: u64 = 1_000;
/// What the repeat of a request is told that began and left no answer.
const LOST: &str =
    "what became of the request with this Idempotency-Key is not known: look what is there, then use another key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The part of a POST that its work needs.
pub(crate) struct Job<A, B> {
    /// Who asks.
    pub(crate) caller: A,
    /// What for.
    pub(crate) body: B,
    /// The same number for every run of one idempotent request, to make ids from: a run whose end was lost in a crash
    /// is repeated, and must not make a second object.
    pub(crate) seed: Option<u128>,
}

impl<A: Authority + Send, B: Send + 'static> Post<A, B> {
    /// Runs the work and answers with its JSON; with an `Idempotency-Key`, only if it did not run before.
    ///
    /// Such work runs in a task of its own: the caller who hangs up is the one who will repeat.
    /// Errors: the work's own; `idempotency_mismatch`, `idempotency_in_progress`; `outcome_unknown` where it began and must
    /// not run again.
    /// Source: docs/PROTOCOL.md §9.
    pub(crate) async fn once<F, R>(self, api: &web::Data<Api>, work: F) -> Answer
    where
        F: FnOnce(web::Data<Api>, Job<A, B>) -> R + Send + 'static,
        R: Future<Output = Result<String, Fault>> + Send,
    {
        let (caller, body) = (self.caller, self.body);
        let Some(once) = self.once else {
            return work(api.clone(), Job { caller, body, seed: None }).await.map(answer::ok);
        };
        let (state, request_id) = (api.clone(), self.request_id.0.to_string());
        let run = async move {
            let (space, store, doc) = (caller.space(), state.store.clone(), state.doc.clone());
            if let Some(answer) = begin(&state, space, &once).await? {
                return Ok((answer, true));
            }
            let seed = Some(seed(space, &once));
            let outcome = work(state, Job { caller, body, seed }).await;
            let answer = Settled { store: &store, space, once: &once, doc: &doc }.settle(outcome, &request_id).await?;
            Ok((answer, false))
        };
        match api.tasks.spawn_on(run, &api.core).await {
            Ok(result) => result.map(|(remembered, replayed)| response(remembered, replayed)),
            Err(panic) => Err(Error::internal(panic).into()),
        }
    }

    /// The same for work on the thing whose id the path has; text that is no id names nothing.
    ///
    /// Errors: `not_found`; as [`Post::once`].
    pub(crate) async fn once_at<I, F, R>(self, api: &web::Data<Api>, path: web::Path<String>, work: F) -> Answer
    where
        I: FromStr + Send,
        F: FnOnce(web::Data<Api>, I, Job<A, B>) -> R + Send + 'static,
        R: Future<Output = Result<String, Fault>> + Send,
    {
        self.once(api, move |api, job| async move {
            let id = path.parse().map_err(|_| Fault::from(Code::NotFound))?;
            work(api, id, job).await
        })
        .await
    }
}

/// The first answer, if there is one.
async fn begin(api: &Api, space: Space, once: &Once) -> Result<Option<Remembered>, Fault> {
    match api.store.begin_idempotent(space, &once.key, once.request_hash).await? {
        Begun::Fresh => Ok(None),
        Begun::Done(remembered) => Ok(Some(remembered)),
        Begun::Running => Err(Error::new(Code::IdempotencyInProgress).retry_after(RUNNING_RETRY_MS).into()),
        Begun::Lost => Err(Error::new(Code::OutcomeUnknown).says(LOST).into()),
        Begun::Mismatch => Err(Code::IdempotencyMismatch.into()),
    }
}

/// Differs where the space, the key or the request does.
fn seed(space: Space, once: &Once) -> u128 {
    let owner = match space {
        Space::App(app) => app.app.to_string(),
        Space::Org(org) => org.to_string(),
    };
    let text = format!("{owner}\n{}\n{:02x?}", once.key, once.request_hash);
    sha256(text.as_bytes()).first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}

struct Settled<'a> {
    store: &'a tokenim_store::Store,
    space: Space,
    once: &'a Once,
    doc: &'a str,
}

impl Settled<'_> {
    /// Remembers an answer that is final; frees the key after one that is not, unless the work may be done and must not be
    /// done again.
    async fn settle(&self, outcome: Result<String, Fault>, request_id: &str) -> Result<Remembered, Fault> {
        let answer = match outcome {
            Ok(json) => Remembered { status: StatusCode::OK.as_u16(), body: json.into_bytes() },
            Err(fault) if fault.is_final() => {
                fault.log(request_id);
                Remembered { status: fault.code().row().status, body: fault.json(request_id, self.doc) }
            }
            Err(fault) if fault.code() == Code::OutcomeUnknown && !self.space.runs_again() => return Err(fault),
            Err(fault) => {
                self.note(self.store.abandon_idempotent(self.space, &self.once.key).await, request_id);
                return Err(fault);
            }
        };
        self.note(self.store.finish_idempotent(self.space, &self.once.key, &answer).await, request_id);
        Ok(answer)
    }

    /// The work is done and its answer stands; the key stays taken until the store frees it by age.
    fn note(&self, kept: tokenim_domain::Result<()>, request_id: &str) {
        if let Err(fault) = kept {
            tracing::error!(request_id, %fault, "the answer of an idempotent request was not remembered");
        }
    }
}

fn response(remembered: Remembered, replayed: bool) -> HttpResponse {
    let status = StatusCode::from_u16(remembered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = answer::text(status, remembered.body);
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
