//! One request to the console as its handlers see it: who, in which language and theme, from which address.
use std::{
    net::IpAddr,
    str::FromStr,
    sync::{MutexGuard, PoisonError},
};

use actix_web::{HttpRequest, http::header, web};
use tokenim_domain::{
    actor::{Acting, Actor, Right, Who as ActorWho},
    id, role,
    secret::mac,
};
use tokenim_store::{Account, Announcement, App, ConsoleSession, Membership, NONCE_BYTES, OrgScope};
use tokenim_templates::{
    flash::Flash,
    frame::{AppPlace, Frame, Mode, Theme, Viewer},
    language::Language,
    text::Text,
    time::Utc,
};

use crate::{
    announcements,
    attempts::Attempts,
    console::Console,
    cookie::{self, Cookie},
    csrf,
    fault::Fault,
    form, nav,
    routes::Who,
    session,
};

/// Bytes of the random value behind sign-in form tokens.
const FORM_SEED_BYTES: usize = 16;

/// A request and what was learned about it.
pub(crate) struct Visit<'r> {
    pub(crate) console: &'r web::Data<Console>,
    pub(crate) request: &'r HttpRequest,
    pub(crate) request_id: String,
    pub(crate) now_ms: i64,
    pub(crate) session: Option<ConsoleSession>,
    pub(crate) language: Language,
    /// `Set-Cookie` headers of the answer.
    pub(crate) cookies: Vec<String>,
    /// What the request before did.
    pub(crate) flash: Option<Flash>,
    /// What the service's operators tell the account.
    pub(crate) announcements: Vec<Announcement>,
    /// The token of this answer's forms.
    csrf: String,
    /// The number by which this answer's forms work once.
    nonce: String,
    theme: Option<Theme>,
    origin: Option<String>,
}

impl<'r> Visit<'r> {
    pub(crate) fn new(console: &'r web::Data<Console>, request: &'r HttpRequest) -> Self {
        let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
        let theme = Cookie::Theme.read(request, &console.site).and_then(Theme::from_name);
        Self {
            request_id: format!("req_{}", id::encode(id::uuid_v7(console.clock(), console.rng()).as_u128())),
            now_ms: console.now_ms(),
            session: None,
            language: choose_language(console, request, None),
            cookies: Vec::new(),
            flash: Cookie::Flash.read(request, &console.site).and_then(Flash::from_name),
            announcements: Vec::new(),
            csrf: String::new(),
            nonce: String::new(),
            theme,
            origin: host.and_then(|host| console.site.origin_of(host)),
            console,
            request,
        }
    }

    /// Refuses requests under a name that is not ours: an answer there could be shown as another site's.
    pub(crate) fn check_host(&self) -> Result<(), Fault> {
        self.origin.as_ref().map(drop).ok_or(Fault::Host)
    }

    /// Continues as a console session, in its account's language.
    pub(crate) fn adopt(&mut self, session: ConsoleSession) {
        self.language = choose_language(self.console, self.request, session.language.as_deref());
        self.theme = self.theme.or_else(|| session.theme.as_deref().and_then(Theme::from_name));
        self.csrf = csrf::token(&session::form_secret(&session), self.console.rng());
        self.nonce = cookie::encode(&self.console.rng().bytes::<NONCE_BYTES>());
        self.session = Some(session);
    }

    /// Whether the visit may have what is for `who`: the one place that decides it for all routes.
    pub(crate) fn check_right(&self, who: Who) -> Result<(), Fault> {
        match who {
            Who::Public => Ok(()),
            Who::SignedIn => self.signed_in().map(drop),
            Who::Operator => self.session.as_ref().map(drop).ok_or(Fault::NotFound),
            Who::May(action) => {
                let (session, member) = (self.signed_in()?, self.member()?);
                if member.requires_totp && !session.has_totp {
                    return Err(Fault::NeedsTotp);
                }
                if member.role.may(action) { Ok(()) } else { Err(Fault::MayNot(action)) }
            }
        }
    }

    /// The session of a route for the signed-in.
    pub(crate) fn signed_in(&self) -> Result<&ConsoleSession, Fault> {
        let signed_out = if session::is_stream(self) { Fault::SignedOutScript } else { Fault::SignedOut };
        self.session.as_ref().ok_or(signed_out)
    }

    /// The org this session looks at, and the account's role there.
    pub(crate) fn member(&self) -> Result<&Membership, Fault> {
        self.signed_in()?.member.as_ref().ok_or(Fault::NoOrg)
    }

    /// The data of that org.
    pub(crate) fn org(&self) -> Result<OrgScope<'r>, Fault> {
        Ok(self.console.store.org(self.member()?.org))
    }

    /// The person, as the audit log names them.
    pub(crate) fn actor(&self) -> Result<Actor, Fault> {
        Ok(Actor::person(self.signed_in()?.account, self.address()))
    }

    /// The person's account as it is now.
    pub(crate) async fn account(&self) -> Result<Account, Fault> {
        let id = self.signed_in()?.account;
        self.console.store.find_account(id).await?.ok_or(Fault::SignedOut)
    }

    /// The limits on guessing.
    pub(crate) fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.console.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who acts, where and with which role: the argument of use-cases that change an org.
    pub(crate) fn acting(&self) -> Result<Acting, Fault> {
        let member = self.member()?;
        Ok(Acting { org: member.org, right: Right::Role(member.role), actor: self.actor()? })
    }

    /// The operator who acts, and why.
    pub(crate) fn operating(&self, reason: &str) -> Result<Actor, Fault> {
        let session = self.signed_in()?;
        if !session.is_operator {
            return Err(Fault::NotFound);
        }
        Ok(Actor { who: ActorWho::Operator(session.account), address: self.address(), reason: Some(reason.to_owned()) })
    }

    /// Whether the person has shown in the last minutes that it is them.
    pub(crate) fn proved(&self) -> Result<(), Fault> {
        let age_ms = self.now_ms.saturating_sub(self.signed_in()?.proved_at);
        if age_ms < session::PROOF_MS { Ok(()) } else { Err(Fault::Unproved) }
    }

    /// A placeholder of the route's path; what is not one of its kind names nothing.
    pub(crate) fn path<T: FromStr>(&self, name: &str) -> Result<T, Fault> {
        self.request.match_info().get(name).and_then(|text| text.parse().ok()).ok_or(Fault::NotFound)
    }

    /// The app that the path names, if it is the org's.
    pub(crate) async fn app(&self) -> Result<App, Fault> {
        self.org()?.show_app(self.path("app")?).await?.ok_or(Fault::NotFound)
    }

    /// Whether the request wants to change something.
    pub(crate) fn is_unsafe(&self) -> bool {
        !self.request.method().is_safe()
    }

    /// Scheme, host and port of the console.
    pub(crate) fn origin(&self) -> String {
        self.origin.clone().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> Text {
        Text::new(self.language)
    }

    /// Of a text that people wrote in each language, the one to show.
    pub(crate) fn in_language<'t>(&self, english: &'t str, chinese: &'t str) -> &'t str {
        match self.language {
            Language::En => english,
            Language::ZhCn => chinese,
        }
    }

    pub(crate) fn now(&self) -> Utc {
        Utc::from_ms(self.now_ms)
    }

    /// Path and query, to come back to; one that a browser would read as another host becomes the root.
    pub(crate) fn here(&self) -> &str {
        let address = self.request.uri().path_and_query().map_or("/", |address| address.as_str());
        let is_ours = address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
        if is_ours { address } else { "/" }
    }

    /// The language the address asks for, if any.
    pub(crate) fn asked_language(&self) -> Option<Language> {
        asked_language(self.request)
    }

    /// Keeps the language that the address asks for: what is chosen before sign-in holds on every page after it.
    pub(crate) fn remember_language(&mut self) {
        if let Some(language) = self.asked_language() {
            self.cookies.push(Cookie::Language.set(language.tag(), &self.console.site));
        }
    }

    /// The address the visit came from: the client's, where a trusted proxy speaks for it.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.request.peer_addr().map(|peer| peer.ip())
    }

    pub(crate) fn accepts_gzip(&self) -> bool {
        let accepted = self.request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
        accepted.is_some_and(|accepted| {
            accepted
                .split(',')
                .any(|coding| matches!(coding.trim(), "gzip" | "x-gzip") || coding.trim().starts_with("gzip;q=1"))
        })
    }

    /// The secret of forms shown before sign-in, if the browser holds its seed.
    pub(crate) fn form_secret(&self) -> Option<[u8; 32]> {
        let seed = Cookie::Form.read(self.request, &self.console.site)?;
        Some(self.secret_of(&cookie::decode::<FORM_SEED_BYTES>(seed)?))
    }

    /// Makes the page's forms ones that work before sign-in; gives the browser a seed if it has none.
    pub(crate) fn offer_form(&mut self) {
        let secret = self.form_secret().unwrap_or_else(|| {
            let seed: [u8; FORM_SEED_BYTES] = self.console.rng().bytes();
            self.cookies.push(Cookie::Form.set(&cookie::encode(&seed), &self.console.site));
            self.secret_of(&seed)
        });
        self.csrf = csrf::token(&secret, self.console.rng());
    }

    /// What surrounds a page of this visit; `mode` where it shows apps of one mode only.
    pub(crate) fn frame(&self, mode: Option<Mode>) -> Frame<'_> {
        self.frame_about(None, mode)
    }

    /// What surrounds a page about one app.
    pub(crate) fn app_frame(&self, app: &App) -> Frame<'_> {
        let mode = mode_of(app.mode);
        self.frame_about(Some(AppPlace { id: app.id.to_string(), name: app.name.clone(), mode }), Some(mode))
    }

    fn frame_about(&self, app: Option<AppPlace>, mode: Option<Mode>) -> Frame<'_> {
        let viewer = self.session.as_ref().map(|session| Viewer {
            email: &session.email,
            org_name: session.member.as_ref().map(|member| member.org_name.as_str()),
            is_verified: session.is_verified,
            suspended: session.member.as_ref().and_then(|member| member.suspended.as_deref()),
            orgs: nav::orgs(session),
            is_operator: session.is_operator,
        });
        let nav = self.session.as_ref().map(|session| nav::nav(session, app.as_ref(), self.request.path()));
        Frame {
            text: self.text(),
            theme: self.theme.unwrap_or_default(),
            assets: &self.console.assets,
            csrf: &self.csrf,
            nonce: &self.nonce,
            here: self.here(),
            viewer,
            nav: nav.unwrap_or_default(),
            app,
            flash: self.flash,
            announced: announcements::shown(self),
            mode,
        }
    }

    fn secret_of(&self, seed: &[u8; FORM_SEED_BYTES]) -> [u8; 32] {
        mac(self.console.store.master().form_key(), seed)
    }
}

/// A mode as pages show it.
pub(crate) const fn mode_of(mode: role::Mode) -> Mode {
    match mode {
        role::Mode::Live => Mode::Live,
        role::Mode::Test => Mode::Test,
    }
}

/// `?lang`, then the account's choice, then the cookie, then `Accept-Language`.
fn choose_language(console: &Console, request: &HttpRequest, account: Option<&str>) -> Language {
    let cookie = || Cookie::Language.read(request, &console.site).and_then(Language::from_tag);
    let accepted = || request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    asked_language(request)
        .or_else(|| account.and_then(Language::from_tag))
        .or_else(cookie)
        .unwrap_or_else(|| Language::from_accept(accepted().unwrap_or_default()))
}

fn asked_language(request: &HttpRequest) -> Option<Language> {
    form::field(request.query_string(), "lang").and_then(|tag| Language::from_tag(&tag))
}
