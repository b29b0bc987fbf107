//! Credentials of the provisioning API: an org's management key in its role, and an operator's key.

use super::{Authority, Presented, address};
use crate::api::Api;
use crate::query::Query;
use crate::routes::{self, Who};
use actix_web::HttpRequest;
use actix_web::http::Method;
use tokenim_domain::actor::{self, Acting, Actor, REASON_CHARS_MAX, Right};
use tokenim_domain::id::{KeyId, OrgId};
use tokenim_domain::{Code, Error, Result};
use tokenim_store::{OrgScope, Space};

/// Where whoever changes something may say why, and an operator must.
const REASON: &str = "x-reason";

/// A key acting in one org: the org's own, or an operator's that names the org. The role has been asked for the action
/// that the route's row names.
#[derive(Debug, Clone)]
pub(crate) struct Manager {
    /// Where, with which right, and who: what use-cases take.
    pub(crate) acting: Acting,
    key: KeyId,
}

/// An operator's key on a route of the whole service.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    /// Who, from where and why.
    pub(crate) actor: Actor,
    key: KeyId,
}

impl Manager {
    /// The data of the org it acts in.
    pub(crate) fn org<'a>(&self, api: &'a Api) -> OrgScope<'a> {
        api.store.org(self.acting.org)
    }
}

impl Authority for Manager {
    async fn admit(api: &Api, presented: Presented, request: &HttpRequest) -> Result<Self> {
        let named = named_org(request)?;
        let (key, who, org, right) = match presented {
            Presented::Management(key) if named.is_none_or(|named| named == key.org) => {
                (key.id, actor::Who::ManagementKey(key.id), key.org, Right::Role(key.role))
            }
            Presented::Management(_) => return Err(Code::NotFound.into()),
            Presented::Operator(key) => {
                let org = named.ok_or_else(|| Error::invalid("org", "an operator key must name the `org`"))?;
                api.store.org(org).find().await?.ok_or(Code::NotFound)?;
                (key.id, actor::Who::OperatorKey(key.id), org, Right::Service)
            }
            Presented::Server(_) | Presented::User(_) => return Err(wrong_kind()),
        };
        let actor = Actor { who, address: address(request), reason: reason(request, right)? };
        let acting = Acting { org, right, actor };
        match routes::spec(request).map(|spec| spec.who) {
            Some(Who::ManagementKey(action)) => acting.allow(action)?,
            Some(Who::Public | Who::User | Who::ServerKey(_) | Who::KeyOrUser(_) | Who::OperatorKey) | None => {
                return Err(Error::internal("a route that takes a management key and names no action"));
            }
        }
        Ok(Manager { acting, key })
    }

    fn space(&self) -> Space {
        self.acting.org.into()
    }

    fn corner(&self) -> String {
        format!("{}|", self.key)
    }
}

impl Authority for Operator {
    async fn admit(_: &Api, presented: Presented, request: &HttpRequest) -> Result<Self> {
        match presented {
            Presented::Operator(key) => {
                let reason = reason(request, Right::Service)?;
                let actor = Actor { who: actor::Who::OperatorKey(key.id), address: address(request), reason };
                Ok(Operator { actor, key: key.id })
            }
            Presented::Management(_) => Err(Error::new(Code::Forbidden).says("this call needs an operator key")),
            Presented::Server(_) | Presented::User(_) => Err(wrong_kind()),
        }
    }

    fn space(&self) -> Space {
        OrgId::SERVICE.into()
    }

    fn corner(&self) -> String {
        format!("{}|", self.key)
    }
}

/// What a credential of an app hears from a route of the provisioning API.
fn wrong_kind() -> Error {
    Error::new(Code::Forbidden).says("this call needs a management key, `tim_live_mk_…`")
}

/// The org a request names: in its path, else as `org` of its query.
fn named_org(request: &HttpRequest) -> Result<Option<OrgId>> {
    if let Some(text) = request.match_info().get("org") {
        return text.parse().map(Some).map_err(|()| Code::NotFound.into());
    }
    let text = Query::find(request, "org");
    let parsed = text.map(|text| text.parse().map_err(|()| Error::invalid("org", "`org` must be the id of an org")));
    parsed.transpose()
}

/// Why something is changed, as the header says it.
fn reason(request: &HttpRequest, right: Right) -> Result<Option<String>> {
    let wrong = |message| Error::invalid("X-Reason", message);
    let Some(value) = request.headers().get(REASON) else {
        let must = right == Right::Service && request.method() != Method::GET;
        let missing = "an operator must say why, in the header `X-Reason`";
        return if must { Err(wrong(missing)) } else { Ok(None) };
    };
    let text = std::str::from_utf8(value.as_bytes()).unwrap_or_default().trim();
    let is_reason = (1..=REASON_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if is_reason { Ok(Some(text.to_owned())) } else { Err(wrong("`X-Reason` must be 1 to 200 characters of UTF-8")) }
}
