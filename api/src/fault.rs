//! What a request is refused with, and the one place where an error becomes a status and JSON.

use crate::answer;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use std::error::Error as _;
use std::fmt;
use tokenim_domain::{Code, Error};
use tokenim_protocol::reply::Facts;
use tokenim_protocol::time::rfc3339;
use utoipa::ToSchema;

/// An error on its way to the caller.
#[derive(Debug)]
pub(crate) struct Fault {
    error: Error,
    /// Methods the path has, for a 405 (RFC 9110 §15.5.6).
    allow: Option<String>,
}

/// The body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorReply<'a> {
    error: ErrorDetail<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail<'a> {
    /// Stable snake_case string, the same as on sockets.
    #[schema(example = "invalid_field")]
    code: &'a str,
    /// A sentence for the developer.
    message: &'a str,
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    param: Option<&'a str>,
    /// Whether the same request may succeed later without a change.
    retryable: bool,
    /// How long to wait before a repeat, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after_ms: Option<u64>,
    /// At a limit: what is counted, e.g. `msg_sent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    meter: Option<&'a str>,
    /// At a limit of the plan: of what, e.g. `apps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    feature: Option<&'a str>,
    /// At a limit: how much there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    limit: Option<i64>,
    /// At a limit: how much there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    used: Option<i64>,
    /// At a quota: when the count begins anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    resets_at: Option<String>,
    /// Of a suspension: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'a str>,
    /// When what is refused is allowed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    until: Option<String>,
    /// Of a live message: bytes of text in UTF-8 that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    offset: Option<i64>,
    /// Finds this request in our logs; also in the header `x-request-id`.
    request_id: &'a str,
    /// Where the code is explained: a page of this server.
    doc: String,
}

impl Fault {
    /// A request whose text, not its meaning, is wrong.
    pub(crate) fn malformed(message: impl Into<std::borrow::Cow<'static, str>>, param: Option<String>) -> Self {
        let error = Error::new(Code::InvalidRequest).says(message);
        match param {
            Some(param) => error.at_path(param).into(),
            None => error.into(),
        }
    }

    /// The path exists, but not with this method.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        Fault { allow: Some(allow), ..Fault::from(Code::MethodNotAllowed) }
    }

    /// The same fault of a named field.
    pub(crate) fn at(self, param: impl Into<Box<str>>) -> Self {
        Fault { error: self.error.at_path(param), ..self }
    }

    pub(crate) fn code(&self) -> Code {
        self.error.code
    }

    /// Whether the same request will always get the same answer: only such an answer may be remembered. What the plan or a
    /// count refuses today a larger one allows tomorrow, suspensions are lifted, and addresses get verified.
    pub(crate) fn is_final(&self) -> bool {
        let row = self.error.code.row();
        let may_pass = matches!(
            self.error.code,
            Code::QuotaExceeded
                | Code::PlanLimit
                | Code::LimitReached
                | Code::OrgSuspended
                | Code::AppSuspended
                | Code::EmailUnverified
                | Code::LastOwner
                | Code::Muted
                | Code::Blocked
        );
        !row.retryable && row.status < 500 && !may_pass
    }

    /// Logs it, once: the caller's fault at debug, ours at error. The cause goes nowhere else.
    pub(crate) fn log(&self, request_id: &str) {
        let (code, message, cause) = (self.error.code.as_str(), &self.error.message, self.cause());
        if self.error.code.row().status >= 500 {
            tracing::error!(request_id, code, %message, cause, "request failed");
        } else {
            tracing::debug!(request_id, code, %message, cause, "request refused");
        }
    }

    fn cause(&self) -> String {
        let causes = std::iter::successors(self.error.source(), |cause| (*cause).source());
        causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
    }

    /// The body the caller sees; `doc` is the page that explains the codes.
    pub(crate) fn json(&self, request_id: &str, doc: &str) -> Vec<u8> {
        let code = self.error.code;
        let none = Facts::default();
        let facts = self.error.facts.as_deref().unwrap_or(&none);
        let detail = ErrorDetail {
            code: code.as_str(),
            message: &self.error.message,
            param: self.error.field(),
            retryable: code.row().retryable,
            retry_after_ms: self.error.retry_after_ms,
            meter: facts.meter,
            feature: facts.feature,
            limit: facts.limit,
            used: facts.used,
            resets_at: facts.resets_at_ms.map(rfc3339),
            reason: facts.reason.as_deref(),
            until: facts.until_ms.map(rfc3339),
            offset: facts.offset,
            request_id,
            doc: format!("{doc}#{}", code.as_str()),
        };
        serde_json::to_vec(&ErrorReply { error: detail }).expect("strings and numbers are always JSON")
    }

    /// Status, headers and body; logs it.
    pub(crate) fn answer(&self, request_id: &str, doc: &str) -> HttpResponse {
        self.log(request_id);
        let status = self.status_code();
        let mut response = answer::text(status, self.json(request_id, doc));
        let mut set = |name, value: &str| {
            if let Ok(value) = header::HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        if let Some(wait_ms) = self.error.retry_after_ms {
            set(header::RETRY_AFTER, &wait_ms.div_ceil(1000).to_string());
        }
        if let Some(allow) = &self.allow {
            set(header::ALLOW, allow);
        }
        if status == StatusCode::UNAUTHORIZED {
            set(header::WWW_AUTHENTICATE, "Bearer");
        }
        response
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault { error, allow: None }
    }
}

impl From<Code> for Fault {
    fn from(code: Code) -> Self {
        Error::new(code).into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(out)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.error.code.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Never sent: the rim, which knows the request's id, answers instead.
    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenim_protocol::reply::{self, Detail};

    const DOC: &str = "https://chat.example/docs/errors";

    fn shown(fault: &Fault) -> serde_json::Value {
        serde_json::from_slice::<serde_json::Value>(&fault.json("req_1", DOC)).unwrap()["error"].take()
    }

    #[test]
    fn every_code_has_a_status_that_http_knows() {
        for code in Code::ALL {
            let fault = Fault::from(*code);
            assert_eq!(fault.status_code().as_u16(), code.row().status, "{code:?}");
            assert!(fault.status_code().canonical_reason().is_some() && code.row().status >= 400, "{code:?}");
        }
    }

    #[test]
    fn the_cause_is_never_shown() {
        let fault = Fault::from(Error::new(Code::Unavailable).retry_after(1_500).because("disk /dev/sda9 is gone"));
        let json = String::from_utf8(fault.json("req_1", DOC)).unwrap();
        assert!(!json.contains("sda9"), "{json}");
        assert_eq!(fault.cause(), "disk /dev/sda9 is gone");
        assert_eq!(shown(&fault)["retry_after_ms"], 1_500);
        assert_eq!(fault.answer("req_1", DOC).headers().get(header::RETRY_AFTER).unwrap(), "2");
    }

    #[test]
    fn the_page_that_explains_the_code_is_named() {
        assert_eq!(shown(&Fault::from(Code::NotFound))["doc"], "https://chat.example/docs/errors#not_found");
    }

    #[test]
    fn a_field_is_named_where_there_is_one() {
        assert_eq!(shown(&Fault::from(Error::invalid("user", "no")))["param"], "user");
        assert_eq!(shown(&Fault::from(Error::invalid("user", "no")).at("members[2]"))["param"], "members[2]");
        assert!(shown(&Fault::from(Code::NotFound)).get("param").is_none());
    }

    #[test]
    fn a_limit_tells_the_same_on_both_faces() {
        let full = Facts {
            meter: Some("msg_sent"),
            feature: Some("apps"),
            limit: Some(10),
            used: Some(9),
            resets_at_ms: Some(1_790_001_000_123),
            reason: Some("a \"b\"".into()),
            until_ms: Some(1_790_001_000_124),
            offset: Some(5),
        };
        for facts in [full, Facts::default()] {
            let detail = Detail { message: "no", param: None, retry_after_ms: Some(1_500), facts: Some(&facts) };
            let reply = reply::error(1, Code::QuotaExceeded, &detail);
            let socket = serde_json::from_str::<serde_json::Value>(&reply).unwrap()["error"].take();
            let error = Error::new(Code::QuotaExceeded).says("no").retry_after(1_500).with(facts.clone());
            let mut rest = shown(&Fault::from(error));
            for own in ["request_id", "doc"] {
                assert!(rest.as_object_mut().unwrap().remove(own).is_some());
            }
            assert_eq!(rest, socket);
        }
    }

    #[test]
    fn only_answers_that_stay_the_same_are_final() {
        assert!(Fault::from(Code::Conflict).is_final() && Fault::from(Code::Forbidden).is_final());
        for code in [
            Code::OutcomeUnknown,
            Code::Internal,
            Code::RateLimited,
            Code::PreviousRefused,
            Code::Unavailable,
            Code::QuotaExceeded,
            Code::PlanLimit,
            Code::OrgSuspended,
            Code::EmailUnverified,
            Code::LimitReached,
            Code::Muted,
            Code::Blocked,
        ] {
            assert!(!Fault::from(code).is_final(), "{code:?}");
        }
    }
}
