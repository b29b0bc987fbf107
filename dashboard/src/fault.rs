//! What can go wrong in the console, and the one place where it becomes a page, a status or a redirect.
use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use tokenim_domain::{Code, Error, actor::Action, role::OrgRole};
use tokenim_templates::{
    flash::Flash,
    page::notice::{Kind, NoticePage},
    role::role_names,
};

use crate::{
    answer, elevate, form::push_field, prove, routes::page_of_form, sign_in::FIRST_PAGE, usage::range::RANGE_DAYS_MAX,
    visit::Visit,
};

/// Why a request got no page of its own.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No such page or object, or somebody else's.
    NotFound,
    /// The path exists, the method does not.
    Method,
    /// A host that is not ours.
    Host,
    /// The page needs a console session.
    SignedOut,
    /// The same, asked by a script: a redirect would be followed and misread.
    SignedOutScript,
    /// The role may not do this.
    MayNot(Action),
    /// The account is in no org.
    NoOrg,
    /// The org asks for a second factor that the account does not have.
    NeedsTotp,
    /// It takes proof from the last minutes that it is them.
    Unproved,
    /// An operator without a session of the operator area.
    Elevate,
    /// The form was sent already.
    Twice {
        /// Whether its answer showed a secret.
        is_secret: bool,
    },
    /// The form is not from a page of this console session.
    Csrf,
    /// The form has other fields than ours.
    Form,
    /// The form is larger than any of ours.
    TooLarge,
    /// The form did not arrive in time.
    Silent,
    /// A filter that cannot be read.
    Filter,
    /// A limit of this console session or node is reached.
    Limited,
    /// A use-case or the store refused.
    Domain(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Domain(error)
    }
}

/// Where a second factor is switched on.
const ACCOUNT: &str = "/console/account";
/// Seconds after which a full or unreachable server is worth another try.
const RETRY_S: &str = "5";

impl Fault {
    /// The answer for a person, or for the stream's script.
    pub(crate) fn answer(self, visit: &Visit<'_>) -> HttpResponse {
        self.log(visit);
        let (here, path) = (visit.here(), visit.request.path());
        match self {
            Self::NotFound => notice(visit, Kind::NotFound, Code::NotFound, FIRST_PAGE),
            Self::Method => notice(visit, Kind::Method, Code::MethodNotAllowed, FIRST_PAGE),
            Self::Host => notice_as(visit, StatusCode::MISDIRECTED_REQUEST, Kind::Host, "unknown_host", "/"),
            Self::MayNot(action) => notice(visit, may_not(visit, action), Code::Forbidden, "/console"),
            Self::NoOrg => notice(visit, Kind::NoOrg, Code::Forbidden, "/console"),
            Self::NeedsTotp => answer::done(visit, Flash::NeedsTotp, ACCOUNT),
            Self::Unproved if visit.is_unsafe() => {
                notice(visit, Kind::Reauth, Code::ReauthRequired, &proof_address(visit, page_of_form(path)))
            }
            Self::Unproved => answer::see_other(&proof_address(visit, here)),
            Self::Elevate => answer::see_other(elevate::PATH),
            Self::Twice { is_secret } => {
                let kind = if is_secret { Kind::ShownOnce } else { Kind::Twice };
                notice(visit, kind, Code::Conflict, page_of_form(path))
            }
            Self::SignedOut => answer::see_other(&sign_in_address(here)),
            Self::SignedOutScript => HttpResponse::Unauthorized().finish(),
            Self::Csrf => notice(visit, Kind::Csrf, Code::CsrfFailed, page_of_form(path)),
            Self::Form => notice(visit, Kind::Csrf, Code::InvalidRequest, page_of_form(path)),
            Self::TooLarge => notice(visit, Kind::TooLarge, Code::PayloadTooLarge, "/console"),
            Self::Silent => notice(visit, Kind::Silent, Code::Silent, page_of_form(path)),
            Self::Filter => {
                notice(visit, Kind::Filter { days_max: RANGE_DAYS_MAX }, Code::InvalidRequest, "/console/usage")
            }
            Self::Limited => notice(visit, Kind::Limited, Code::RateLimited, here),
            Self::Domain(error) => refused(visit, &error),
        }
    }

    /// Whether it is a fault of ours.
    pub(crate) fn is_ours(&self) -> bool {
        self.of_ours().is_some()
    }

    /// Once, here: the visitor's fault at debug, ours at error.
    fn log(&self, visit: &Visit<'_>) {
        let (request_id, path) = (&visit.request_id, visit.request.path());
        match self.of_ours() {
            Some((error, cause)) => tracing::error!(%request_id, path, %error, cause, "console request failed"),
            None => tracing::debug!(%request_id, path, refusal = ?self, "console request refused"),
        }
    }

    /// The same where no answer follows, because a stream goes on without its figures.
    pub(crate) fn log_behind_stream(&self) {
        if let Some((error, cause)) = self.of_ours() {
            tracing::error!(%error, cause, "a live stream cannot read");
        }
    }

    /// A fault of ours with its cause.
    fn of_ours(&self) -> Option<(&Error, String)> {
        match self {
            Self::Domain(error) if error.code.row().status >= 500 => {
                Some((error, std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()))
            }
            _ => None,
        }
    }
}

/// Sign-in that returns to an address of the console.
pub(crate) fn sign_in_address(next: &str) -> String {
    let mut address = String::from("/sign-in");
    push_field(&mut address, "next", next);
    address
}

/// Proof that it is them, and back to an address of the console. In the operator area it takes password and code, which
/// begin a session there anew.
fn proof_address(visit: &Visit<'_>, next: &str) -> String {
    if visit.session.as_ref().is_some_and(|session| session.is_operator) {
        return elevate::PATH.to_owned();
    }
    let mut address = String::from(prove::PATH);
    push_field(&mut address, "next", next);
    address
}

/// The page that names the roles which may.
fn may_not(visit: &Visit<'_>, action: Action) -> Kind {
    let roles = OrgRole::ALL.iter().filter(|role| role.may(action)).map(|role| role.as_str());
    Kind::Forbidden { roles: role_names(&visit.text(), roles) }
}

/// What a use-case or the store refused and no form could show.
fn refused(visit: &Visit<'_>, error: &Error) -> HttpResponse {
    let (here, page) = (visit.here(), page_of_form(visit.request.path()));
    match (error.code, error.code.row().status) {
        (_, 404) => notice(visit, Kind::NotFound, Code::NotFound, FIRST_PAGE),
        (Code::OutcomeUnknown, _) => notice(visit, Kind::Unknown, error.code, page),
        (_, 503) => notice(visit, Kind::Unavailable, error.code, here),
        (_, 429) => notice(visit, Kind::Limited, error.code, page),
        (Code::EmailUnverified, _) => notice(visit, Kind::Unverified, error.code, "/console"),
        (Code::ReauthRequired, _) => notice(visit, Kind::Reauth, error.code, &proof_address(visit, page)),
        (Code::Forbidden, _) => notice(visit, Kind::Forbidden { roles: String::new() }, error.code, "/console"),
        (_, 409) => notice(visit, Kind::Conflict, error.code, page),
        (_, 422) => notice(visit, Kind::Refused, error.code, page),
        _ => notice(visit, Kind::Internal, Code::Internal, here),
    }
}

fn notice(visit: &Visit<'_>, kind: Kind, code: Code, action: &str) -> HttpResponse {
    let status = StatusCode::from_u16(code.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    notice_as(visit, status, kind, code.as_str(), action)
}

fn notice_as(visit: &Visit<'_>, status: StatusCode, kind: Kind, code: &str, action: &str) -> HttpResponse {
    let frame = visit.frame(None);
    let page = NoticePage { frame, kind, action, code, request_id: &visit.request_id, at: visit.now() };
    let mut builder = HttpResponseBuilder::new(status);
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        builder.insert_header((header::RETRY_AFTER, RETRY_S));
    }
    match tokenim_templates::Template::render(&page) {
        Ok(html) => answer::body(builder, "text/html; charset=utf-8", html.into_bytes(), visit),
        Err(error) => {
            tracing::error!(request_id = %visit.request_id, %error, "the notice page did not render");
            builder.finish()
        }
    }
}
