//! One request to the console as its handlers see it: who, in which language and theme, from which address.
use std::net::IpAddr;

use actix_web::{HttpRequest, http::header, web};
use tokenim_domain::{id, secret::mac};
use tokenim_store::ConsoleSession;
use tokenim_templates::{
    frame::{Frame, Mode, Theme, Viewer},
    language::Language,
    text::Text,
    time::Utc,
};

use crate::{
    console::Console,
    cookie::{self, Cookie},
    csrf,
    fault::Fault,
    form,
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
    theme: Theme,
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
            theme: theme.unwrap_or_default(),
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
        self.session = Some(session);
    }

    /// The session of a route for the signed-in.
    pub(crate) fn signed_in(&self) -> Result<&ConsoleSession, Fault> {
        self.session.as_ref().ok_or(Fault::SignedOut)
    }

    /// Scheme, host and port of the console.
    pub(crate) fn origin(&self) -> String {
        self.origin.clone().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> Text {
        Text::new(self.language)
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

    /// A token for the form before sign-in; gives the browser a seed if it has none.
    pub(crate) fn form_token(&mut self) -> String {
        let secret = self.form_secret().unwrap_or_else(|| {
            let seed: [u8; FORM_SEED_BYTES] = self.console.rng().bytes();
            self.cookies.push(Cookie::Form.set(&cookie::encode(&seed), &self.console.site));
            self.secret_of(&seed)
        });
        csrf::token(&secret, self.console.rng())
    }

    /// A token for the forms of a signed-in page.
    pub(crate) fn session_token(&self) -> String {
        self.session.as_ref().map(|session| csrf::token(&session.csrf, self.console.rng())).unwrap_or_default()
    }

    /// What surrounds a page of this visit.
    pub(crate) fn frame<'f>(&'f self, csrf: &'f str, mode: Option<Mode>) -> Frame<'f> {
        let viewer = self.session.as_ref().map(|session| Viewer { email: &session.email, org_name: &session.org_name });
        Frame {
            text: self.text(),
            theme: self.theme,
            assets: &self.console.assets,
            csrf,
            here: self.here(),
            viewer,
            mode,
        }
    }

    fn secret_of(&self, seed: &[u8; FORM_SEED_BYTES]) -> [u8; 32] {
        mac(self.console.store.master().form_key(), seed)
    }
}

/// `?lang`, then the account's choice, then the cookie, then `Accept-Language` (CONSOLE §8).
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
