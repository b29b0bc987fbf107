//! The quickstart page of an app: two panes that talk, what the gateway saw of the app so far, and programs to copy.
use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_domain::{
    Code as ErrorCode, Error,
    actor::Action,
    limits::TOKEN_SECONDS_DEFAULT,
    log::{AppRef, Draft, EventBody, From, MessageLog, NewConversation, Page, RangeQuery, Write},
    name::{ClientMsgId, Conversation, User},
    role::{ContentKind, ConversationKind, Mode},
    token::{self, Grant, SigningKey},
};
use tokenim_gateway::checkpoints;
use tokenim_store::App;
use tokenim_templates::{
    page::quickstart::{
        CheckpointsPart, Code, Line, Links, PAGE_LIBRARY, Pane, QuickstartPage, Refused, Row, Steps, Tab, socket_origin,
    },
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::{self, Form},
    routes::{Answer, RouteSpec, Who, get, post},
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/console/apps/{app}/quickstart", Who::May(Action::ReadKeys), |visit| Box::pin(show(visit))),
    get("/console/apps/{app}/quickstart/checkpoints", Who::May(Action::ReadKeys), |visit| Box::pin(checkpoints(visit))),
    post("/console/apps/{app}/quickstart/messages", Who::May(Action::ChangeKeys), |visit, form| {
        Box::pin(say(visit, form))
    })
    .once(),
];
/// How the path of the checkpoints ends, which the page asks for by itself.
pub(crate) const CHECKPOINTS: &str = "/quickstart/checkpoints";

/// The conversation of the page and of its programs.
const CONVERSATION: &str = "quickstart";
/// The page's two users, the conversation's owner first, with their names.
const USERS: [(&str, &str); 2] = [("alice", "Alice"), ("bob", "Bob")];
/// Messages a pane shows.
const LINES_MAX: u32 = 20;
/// Bytes read for them.
const LINES_BYTES_MAX: usize = 64 * 1024;
/// Characters of a message that is sent from the page.
const TEXT_CHARS_MAX: usize = 500;
/// Random bytes of a message's id.
const MESSAGE_ID_BYTES: usize = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    sender: String,
    text: String,
}

/// Whether a visit is to the page with the panes.
pub(crate) fn is_page(visit: &Visit<'_>) -> bool {
    visit.request.path().ends_with("/quickstart")
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    let app = visit.app().await?;
    page(visit, StatusCode::OK, &app, None).await
}

async fn checkpoints(visit: &mut Visit<'_>) -> Answer {
    let app = visit.app().await?;
    let part = CheckpointsPart { frame: visit.app_frame(&app), steps: steps(visit, &app), links: links(&app) };
    answer::page(StatusCode::OK, &part, visit)
}

/// Sends a message for a page without script; the page's own users speak in test apps only.
async fn say(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let app = visit.app().await?;
    let message: Message = form.parse()?;
    let said = match key(visit, &app).await?.filter(|_| app.mode == Mode::Test) {
        Some(key) => send(visit, key, message).await,
        None => Err(Error::new(ErrorCode::NotFound)),
    };
    match said {
        Ok(()) => Ok(answer::see_other(&links(&app).here)),
        Err(error) if error.code.row().status < 500 => {
            let status = StatusCode::from_u16(error.code.row().status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            page(visit, status, &app, Some(error.code)).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the conversation if it is the first message, then sends.
async fn send(visit: &Visit<'_>, key: SigningKey, message: Message) -> Result<(), Error> {
    let text = message.text.trim();
    if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
        return Err(Error::invalid("text", format!("a message here has 1 to {TEXT_CHARS_MAX} characters")));
    }
    let speaks = USERS.iter().any(|(user, _)| *user == message.sender);
    let sender = User::parse(&message.sender).ok().filter(|_| speaks);
    let sender = sender.ok_or_else(|| Error::invalid("sender", "this page speaks for alice and bob"))?;
    let members = users()?;
    let live = &visit.console.live;
    let (app, id) = (key.app, Conversation::parse(CONVERSATION)?);
    let new = NewConversation {
        app,
        id: id.clone(),
        kind: ConversationKind::Group,
        actor: members.first().cloned(),
        members,
        name: None,
    };
    live.write(Write::Create(new)).await?;
    let random: [u8; MESSAGE_ID_BYTES] = visit.console.rng().bytes();
    let draft = Draft {
        app,
        conversation: id,
        sender,
        client_msg_id: ClientMsgId::parse(&crate::cookie::encode(&random))?,
        prev: None,
        kind: ContentKind::Text,
        body: serde_json::json!({ "text": text }).to_string().into(),
        about: tokenim_domain::log::About::default(),
        may_send: true,
        credential: tokenim_domain::log::Credential { key: key.id, label: None },
        allowance: tokenim_domain::plan::quota::Allowance::default(),
    };
    live.write(Write::Send(draft)).await.map(drop)
}

async fn page(visit: &mut Visit<'_>, status: StatusCode, app: &App, refused: Option<ErrorCode>) -> Answer {
    let code = form::field(visit.request.query_string(), "code").and_then(|name| Code::from_name(&name));
    let code = code.unwrap_or(Code::JavaScript);
    let links = links(app);
    let (key, log) = (key(visit, app).await?, log(visit, app).await?);
    let panes = match &key {
        Some(key) if app.mode == Mode::Test => {
            // An app may let in no user it does not know.
            visit.console.store.ensure_users(app_ref(visit, app)?, users()?).await?;
            panes(visit, key, &log)?
        }
        _ => Vec::new(),
    };
    let token = key.as_ref().map(|key| token(visit, key, USERS[0].0)).transpose()?.unwrap_or_default();
    let page = QuickstartPage {
        frame: visit.app_frame(app),
        app_name: &app.name,
        has_token: key.is_some(),
        panes,
        refused: refused.map(ErrorCode::as_str),
        steps: steps(visit, app),
        tabs: Tab::all(&links.here, code),
        code,
        example: code.example(&visit.origin(), &token),
        text_chars_max: TEXT_CHARS_MAX,
        links,
    };
    answer::page(status, &page, visit)
}

fn links(app: &App) -> Links {
    let of_app = format!("/console/apps/{}", app.id);
    Links {
        here: format!("{of_app}/quickstart"),
        checkpoints: format!("{of_app}{CHECKPOINTS}"),
        say: format!("{of_app}/quickstart/messages"),
        keys: format!("{of_app}/keys"),
        signing_keys: format!("{of_app}/signing-keys"),
    }
}

fn users() -> Result<Vec<User>, Error> {
    USERS.iter().map(|(user, _)| User::parse(user)).collect()
}

/// The key that signs the page's tokens; none where all were revoked.
async fn key(visit: &Visit<'_>, app: &App) -> Result<Option<SigningKey>, Fault> {
    Ok(visit.console.store.find_current_signing_key(app_ref(visit, app)?).await?)
}

fn app_ref(visit: &Visit<'_>, app: &App) -> Result<AppRef, Fault> {
    Ok(AppRef { org: visit.member()?.org, app: app.id })
}

fn token(visit: &Visit<'_>, key: &SigningKey, user: &str) -> Result<String, Error> {
    let grant =
        Grant { user: User::parse(user)?, ttl_s: TOKEN_SECONDS_DEFAULT, caps: None, label: None, minted_by: None };
    Ok(token::mint(key, &grant, visit.now_ms)?.0.expose().to_owned())
}

/// The newest events of the conversation, if there is one.
async fn log(visit: &Visit<'_>, app: &App) -> Result<Option<Page>, Fault> {
    let query = RangeQuery {
        app: app_ref(visit, app)?,
        conversation: Conversation::parse(CONVERSATION)?,
        viewer: None,
        thread: None,
        from: From::Newest,
        limit: LINES_MAX,
        bytes_max: LINES_BYTES_MAX,
    };
    match visit.console.store.list_events(&query).await {
        Ok(page) => Ok(Some(page)),
        Err(error) if error.code == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn panes(visit: &Visit<'_>, key: &SigningKey, log: &Option<Page>) -> Result<Vec<Pane>, Error> {
    let url = format!("{}/v1/connect", socket_origin(&visit.origin()));
    let pane = |(user, name): (&'static str, &'static str)| {
        Ok(Pane {
            user,
            name,
            url: url.clone(),
            token: token(visit, key, user)?,
            epoch: log.as_ref().map_or(0, |page| page.epoch),
            seq: log.as_ref().and_then(|page| page.events.last()).map_or(0, |event| event.seq),
            lines: log.iter().flat_map(|page| &page.events).filter_map(|event| line(event, user)).collect(),
        })
    };
    USERS.into_iter().map(pane).collect()
}

/// A message as a pane shows it; other events are not shown.
fn line(event: &tokenim_domain::log::Event, user: &str) -> Option<Line> {
    let EventBody::Message { sender, body, .. } = &event.body else { return None };
    let parsed: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let text = parsed.as_ref().and_then(|body| body["text"].as_str()).unwrap_or(body);
    Some(Line { sender: sender.to_string(), text: text.to_owned(), seq: event.seq, own: sender.as_str() == user })
}

/// The page's own client first, then the developer's, of which one is always waited for.
fn steps(visit: &Visit<'_>, app: &App) -> Steps {
    let checkpoints::Steps { libraries, refused } = visit.console.live.steps(app.id);
    let row = |progress: checkpoints::Progress| Row {
        library: Some(progress.library.into()),
        connected: Some(Utc::from_ms(progress.connected_ms)),
        sent: progress.sent_ms.map(Utc::from_ms),
        received: progress.received_ms.map(Utc::from_ms),
    };
    let (page, own): (Vec<_>, Vec<_>) = libraries.into_iter().partition(|row| &*row.library == PAGE_LIBRARY);
    let mut rows: Vec<_> = page.into_iter().map(row).collect();
    if rows.is_empty() {
        rows.push(Row { library: Some(PAGE_LIBRARY.to_owned()), ..Row::awaited() });
    }
    let own: Vec<_> = own.into_iter().map(row).collect();
    rows.extend(if own.is_empty() { vec![Row::awaited()] } else { own });
    let refused = refused.map(|refused| Refused {
        code: refused.code.as_str(),
        message: refused.message.into_owned(),
        at: Utc::from_ms(refused.at_ms),
    });
    Steps { rows, refused }
}
