//! Signing keys of an app: listing, making, replacing and revoking them.
use std::collections::HashMap;

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::signing_keys;
use tokenim_domain::{
    Error,
    actor::Action,
    id::KeyId,
    secret::Secret,
    token::{SigningAlgorithm, is_private_pem, is_public_pem},
};
use tokenim_store::{App, SigningKeyView};
use tokenim_templates::{
    flash::Flash,
    page::keys::{KeyView, KeysPage, NewKeyForm, SecretPage},
    problem::Problems,
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::Form,
    keys::{creator, old_until, state},
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/console/apps/{app}/signing-keys", Who::May(Action::ReadKeys), |visit| Box::pin(list(visit))),
    post("/console/apps/{app}/signing-keys", Who::May(Action::ChangeKeys), |visit, form| Box::pin(create(visit, form)))
        .fresh()
        .shown_once(),
    post("/console/apps/{app}/signing-keys/{key}/rotate", Who::May(Action::ChangeKeys), |visit, form| {
        Box::pin(rotate(visit, form))
    })
    .fresh()
    .shown_once(),
    post("/console/apps/{app}/signing-keys/{key}/revoke", Who::May(Action::ChangeKeys), |visit, _| {
        Box::pin(revoke(visit))
    })
    .fresh()
    .once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSigningKey {
    name: String,
    algorithm: String,
    #[serde(default)]
    public_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replacement {
    grace_s: i64,
    #[serde(default)]
    public_key: String,
}

async fn list(visit: &mut Visit<'_>) -> Answer {
    let app = visit.app().await?;
    page(visit, &app, StatusCode::OK, None, Problems::none()).await
}

async fn create(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let new: NewSigningKey = form.parse()?;
    let app = visit.app().await?;
    let wanted = signing_keys::Wanted {
        app: app.id,
        name: new.name.clone(),
        algorithm: SigningAlgorithm::find(&new.algorithm).ok_or(Fault::Form)?,
        public_key: pem(new.public_key.clone()),
        expires_ms: None,
    };
    match signing_keys::create(&visit.console.store, &visit.acting()?, wanted).await {
        Ok((key, secret)) => secret_page(visit, &app, &key, secret, None),
        Err(error) => refused(visit, &app, error, is_private_pem(&new.public_key), Some(new)).await,
    }
}

async fn rotate(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Replacement { grace_s, public_key } = form.parse()?;
    let (app, id) = (visit.app().await?, own_key(visit).await?);
    let is_private = is_private_pem(&public_key);
    match signing_keys::rotate(&visit.console.store, &visit.acting()?, id, pem(public_key), grace_s).await {
        Ok((key, secret)) => secret_page(visit, &app, &key, secret, old_until(visit, grace_s)),
        Err(error) => refused(visit, &app, error, is_private, None).await,
    }
}

/// The page again with what is wrong. A private key is told as such whatever else is wrong, and never shown.
async fn refused(
    visit: &Visit<'_>,
    app: &App,
    error: Error,
    is_private: bool,
    entered: Option<NewSigningKey>,
) -> Answer {
    let Refusal { status, mut problems } = refusal(visit, error)?;
    if is_private {
        problems = Problems::of_private_key(visit.text(), "public_key");
    }
    page(visit, app, status, entered, problems).await
}

async fn revoke(visit: &mut Visit<'_>) -> Answer {
    let (app, id) = (visit.app().await?, own_key(visit).await?);
    signing_keys::revoke(&visit.console.store, &visit.acting()?, id).await?;
    Ok(answer::done(visit, Flash::KeyRevoked, &address(&app)))
}

/// The key that the path names, if it is one of the app's.
async fn own_key(visit: &Visit<'_>) -> Result<KeyId, Fault> {
    let (app, id) = (visit.path("app")?, visit.path("key")?);
    let found = visit.org()?.show_signing_key(id).await?;
    found.filter(|key| key.app == app).map(|key| key.id).ok_or(Fault::NotFound)
}

/// An empty field is no key.
fn pem(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

fn secret_page(
    visit: &Visit<'_>,
    app: &App,
    key: &SigningKeyView,
    secret: Option<Secret>,
    old_until: Option<Utc>,
) -> Answer {
    let (kid, snippet) = (key.id.to_string(), claims(&key.id.to_string(), app, key.algorithm.as_str()));
    let page = SecretPage {
        frame: visit.app_frame(app),
        name: &key.name,
        kid: &kid,
        secret: secret.as_ref().map_or("", |secret| secret.expose()),
        snippet: &snippet,
        old_until,
        back: &address(app),
    };
    answer::page(StatusCode::OK, &page, visit)
}

async fn page(
    visit: &Visit<'_>,
    app: &App,
    status: StatusCode,
    entered: Option<NewSigningKey>,
    problems: Problems,
) -> Answer {
    let scope = visit.org()?;
    let mut keys = scope.list_signing_keys(Some(app.id), cursor(visit, "after")?, ROWS).await?;
    let address = address(app);
    let next = cut(&mut keys, &address, "after", |key| key.id);
    let names = scope.actor_names(keys.iter().filter_map(|key| key.created_by.as_deref())).await?;
    let snippet = claims("key_…", app, SigningAlgorithm::Hs256.as_str());
    let entered = entered.unwrap_or_else(|| NewSigningKey {
        name: String::new(),
        algorithm: SigningAlgorithm::Hs256.as_str().to_owned(),
        public_key: String::new(),
    });
    let choice = |algorithm: &SigningAlgorithm| (algorithm.as_str(), algorithm.as_str() == entered.algorithm);
    let page = KeysPage {
        frame: visit.app_frame(app),
        address: &address,
        keys: keys.into_iter().map(|key| view(visit, &names, key)).collect(),
        next,
        name: &entered.name,
        form: NewKeyForm::Signing {
            algorithms: SigningAlgorithm::ALL.iter().map(choice).collect(),
            public_key: Some(&*entered.public_key).filter(|pem| is_public_pem(pem)).unwrap_or_default(),
        },
        problems,
        snippet: &snippet,
    };
    answer::page(status, &page, visit)
}

fn address(app: &App) -> String {
    format!("/console/apps/{}/signing-keys", app.id)
}

/// What a token's header and claims say (docs/PROTOCOL.md §8).
fn claims(kid: &str, app: &App, algorithm: &str) -> String {
    format!(
        "header  {{\"alg\": \"{algorithm}\", \"kid\": \"{kid}\"}}\nclaims  {{\"iss\": \"{kid}\", \"aud\": \"{}\", \
         \"sub\": \"alice\", \"iat\": 1790000000, \"exp\": 1790003600}}",
        app.id
    )
}

fn view(visit: &Visit<'_>, names: &HashMap<String, String>, key: SigningKeyView) -> KeyView {
    KeyView {
        id: key.id.to_string(),
        name: key.name,
        mark: key.algorithm.as_str().to_owned(),
        scopes: Vec::new(),
        created_by: creator(names, key.created_by),
        created: Utc::from_ms(key.created_ms),
        state: state(visit.now_ms, key.revoked_ms, key.expires_ms, key.successor.is_some()),
        used: None,
        is_idle: false,
        is_public: key.public_key.is_some(),
    }
}
