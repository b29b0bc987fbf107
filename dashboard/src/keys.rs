//! Server keys of an app: listing, making, replacing and revoking them.
use std::collections::{BTreeMap, HashMap};

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::keys;
use tokenim_domain::{
    Error,
    actor::Action,
    id::KeyId,
    scope::{Scope, Scopes},
    secret::Secret,
};
use tokenim_store::{ApiKeyView, App};
use tokenim_templates::{
    flash::Flash,
    page::keys::{Age, KeyView, KeysPage, NewKeyForm, ScopeChoice, SecretPage, State, Used},
    problem::Problems,
    time::{DAY_MS, Utc},
};

use crate::{
    answer,
    fault::Fault,
    form::Form,
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::Visit,
};

/// Days after which a key that nobody used is asked about.
const IDLE_DAYS: i64 = 30;
/// Days a key may live, where it does not live for ever.
const DAYS_MAX: i64 = 3_650;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/console/apps/{app}/keys", Who::May(Action::ReadKeys), |visit| Box::pin(list(visit))),
    post("/console/apps/{app}/keys", Who::May(Action::ChangeKeys), |visit, form| Box::pin(create(visit, form)))
        .fresh()
        .shown_once(),
    post("/console/apps/{app}/keys/{key}/rotate", Who::May(Action::ChangeKeys), |visit, form| {
        Box::pin(rotate(visit, form))
    })
    .fresh()
    .shown_once(),
    post("/console/apps/{app}/keys/{key}/revoke", Who::May(Action::ChangeKeys), |visit, _| Box::pin(revoke(visit)))
        .fresh()
        .once(),
];

/// A new key as the form has it.
#[derive(Default)]
struct Entered {
    name: String,
    days: String,
    is_all: bool,
    scopes: Vec<Scope>,
}

/// How a key is replaced.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grace {
    grace_s: i64,
}

async fn list(visit: &mut Visit<'_>) -> Answer {
    let app = visit.app().await?;
    page(visit, &app, StatusCode::OK, Entered::default(), Problems::none()).await
}

async fn create(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let (app, entered) = (visit.app().await?, entered(form)?);
    match make(visit, &app, &entered).await {
        Ok((key, secret)) => secret_page(visit, &app, &key, &secret, None),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, &app, status, entered, problems).await
        }
    }
}

async fn make(visit: &Visit<'_>, app: &App, entered: &Entered) -> Result<(ApiKeyView, Secret), Fault> {
    let scopes =
        if entered.is_all { Scopes::All } else { Scopes::parse(entered.scopes.iter().map(|scope| scope.as_str()))? };
    let expires_ms = match entered.days.trim() {
        "" => None,
        days => {
            let days = days.parse().ok().filter(|days| (1..=DAYS_MAX).contains(days));
            Some(visit.now_ms + days.ok_or_else(|| Error::invalid("days", "days are 1 to 3650"))? * DAY_MS)
        }
    };
    let wanted = keys::Wanted { app: app.id, name: entered.name.clone(), scopes, expires_ms };
    Ok(keys::create(&visit.console.store, &visit.acting()?, wanted).await?)
}

async fn rotate(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Grace { grace_s } = form.parse()?;
    let (app, id) = (visit.app().await?, own_key(visit).await?);
    let (key, secret) = keys::rotate(&visit.console.store, &visit.acting()?, id, grace_s).await?;
    secret_page(visit, &app, &key, &secret, old_until(visit, grace_s))
}

async fn revoke(visit: &mut Visit<'_>) -> Answer {
    let (app, id) = (visit.app().await?, own_key(visit).await?);
    keys::revoke(&visit.console.store, &visit.acting()?, id).await?;
    Ok(answer::done(visit, Flash::KeyRevoked, &address(&app)))
}

/// The key that the path names, if it is one of the app's.
async fn own_key(visit: &Visit<'_>) -> Result<KeyId, Fault> {
    let (app, id) = (visit.path("app")?, visit.path("key")?);
    let found = visit.org()?.show_api_key(id).await?;
    found.filter(|key| key.app == app).map(|key| key.id).ok_or(Fault::NotFound)
}

/// Every field of the form has a known name; a scope's field has the name of the scope.
fn entered(form: &Form) -> Result<Entered, Fault> {
    let fields: BTreeMap<String, String> = form.parse()?;
    let mut entered = Entered::default();
    for (name, value) in fields {
        match name.as_str() {
            "name" => entered.name = value,
            "days" => entered.days = value,
            "*" => entered.is_all = true,
            word => entered.scopes.push(Scope::find(word).ok_or(Fault::Form)?),
        }
    }
    Ok(entered)
}

fn secret_page(visit: &Visit<'_>, app: &App, key: &ApiKeyView, secret: &Secret, old_until: Option<Utc>) -> Answer {
    let page = SecretPage {
        frame: visit.app_frame(app),
        name: &key.name,
        kid: "",
        secret: secret.expose(),
        snippet: &token_call(visit),
        old_until,
        back: &address(app),
    };
    answer::page(StatusCode::OK, &page, visit)
}

async fn page(visit: &Visit<'_>, app: &App, status: StatusCode, entered: Entered, problems: Problems) -> Answer {
    let scope = visit.org()?;
    let mut keys = scope.list_api_keys(Some(app.id), cursor(visit, "after")?, ROWS).await?;
    let address = address(app);
    let next = cut(&mut keys, &address, "after", |key| key.id);
    let names = scope.actor_names(keys.iter().filter_map(|key| key.created_by.as_deref())).await?;
    let snippet = token_call(visit);
    let choice = |scope: &Scope| ScopeChoice { word: scope.as_str(), is_chosen: entered.scopes.contains(scope) };
    let page = KeysPage {
        frame: visit.app_frame(app),
        address: &address,
        keys: keys.into_iter().map(|key| view(visit, &names, key)).collect(),
        next,
        name: &entered.name,
        form: NewKeyForm::Server { scopes: Scope::ALL.iter().map(choice).collect(), is_all: entered.is_all },
        problems,
        snippet: &snippet,
    };
    answer::page(status, &page, visit)
}

fn address(app: &App) -> String {
    format!("/console/apps/{}/keys", app.id)
}

/// A call with a server key: the one most backends make first.
fn token_call(visit: &Visit<'_>) -> String {
    format!(
        "export TIM_KEY=…  # the server key\ncurl {}/v1/tokens \\\n  -H \"Authorization: Bearer $TIM_KEY\" \\\n  \
         -H \"Content-Type: application/json\" \\\n  -d '{{\"user\": \"alice\"}}'",
        visit.origin()
    )
}

fn view(visit: &Visit<'_>, names: &HashMap<String, String>, key: ApiKeyView) -> KeyView {
    let state = state(visit.now_ms, key.revoked_ms, key.expires_ms, key.successor.is_some());
    let age_ms = visit.now_ms - key.last_used_ms.unwrap_or(key.created_ms);
    KeyView {
        id: key.id.to_string(),
        name: key.name,
        mark: key.hint,
        scopes: key.scopes.words(),
        created_by: creator(names, key.created_by),
        created: Utc::from_ms(key.created_ms),
        is_idle: state.is_working() && age_ms >= IDLE_DAYS * DAY_MS,
        state,
        used: key.last_used_ms.map(|at| Used {
            at: Utc::from_ms(at),
            from: key.last_used_from.unwrap_or_default(),
            age: age(visit.now_ms - at),
        }),
        is_public: false,
    }
}

const fn age(age_ms: i64) -> Age {
    if age_ms < DAY_MS {
        Age::Day
    } else if age_ms < IDLE_DAYS * DAY_MS {
        Age::Month
    } else {
        Age::Long
    }
}

/// Whether a key stands now, and since when or until when.
pub(crate) fn state(now_ms: i64, revoked_ms: Option<i64>, expires_ms: Option<i64>, is_replaced: bool) -> State {
    let end = expires_ms.map(Utc::from_ms);
    let is_over = expires_ms.is_some_and(|end| end <= now_ms);
    match (revoked_ms, end) {
        // A key that is replaced at once is revoked in the same instant as it ends.
        (Some(at), _) if !is_replaced || expires_ms.is_some_and(|end| at < end) => State::Revoked(Utc::from_ms(at)),
        (_, Some(end)) if is_over && is_replaced => State::Replaced(end),
        (_, Some(end)) if is_over => State::Ended(end),
        (_, Some(end)) if is_replaced => State::Leaving(end),
        (_, Some(end)) => State::Ends(end),
        (Some(at), None) => State::Revoked(Utc::from_ms(at)),
        (None, None) => State::Stands,
    }
}

/// Until when a replaced key works; `None` where that is not at all.
pub(crate) fn old_until(visit: &Visit<'_>, grace_s: i64) -> Option<Utc> {
    (grace_s > 0).then(|| Utc::from_ms(visit.now_ms + grace_s * 1_000))
}

/// Who made a key, as its page names them: an id where they have no name.
pub(crate) fn creator(names: &HashMap<String, String>, by: Option<String>) -> String {
    let by = by.unwrap_or_default();
    names.get(&by).cloned().unwrap_or(by)
}
