//! The one list of the JSON face's routes, and the router built from it.

use crate::api::Api;
use crate::fault::Fault;
use crate::manage::{self, apps, audit, invitations, keys, management_keys, orgs, plans, signing_keys};
use crate::{conversations, members, messages, openapi, rim, stats, tokens, usage};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, HttpResponse, Resource, Route, web};
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_domain::scope::Scope;

/// Where every path begins.
const BASE: &str = "/v1";

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Reads.
    Get,
    /// Creates or adds; takes an `Idempotency-Key`.
    Post,
    /// Changes what its body names; takes an `Idempotency-Key`.
    Patch,
    /// Sets what it names to its body; takes an `Idempotency-Key`.
    Put,
    /// Removes; repeating it changes nothing.
    Delete,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Anybody.
    Public,
    /// An app's server, with a secret key of this scope.
    ServerKey(Scope),
    /// The same, or a user with a user or session token, within that user's rights.
    KeyOrUser(Scope),
    /// A management key of the org, in a role that may do this; or an operator's key.
    ManagementKey(Action),
    /// An operator's key.
    OperatorKey,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct RouteSpec {
    /// How it is asked.
    pub verb: Verb,
    /// Its path, with the router's placeholders.
    pub path: &'static str,
    /// Its name in the OpenAPI document.
    pub operation: &'static str,
    /// Who may ask; the handler's extractor enforces it and a test compares.
    pub who: Who,
    /// Codes it may refuse with beside those of every route of its kind.
    pub refuses: &'static [Code],
    handler: fn() -> Route,
}

impl Verb {
    /// The method of HTTP.
    #[must_use]
    pub fn method(self) -> Method {
        match self {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Patch => Method::PATCH,
            Verb::Put => Method::PUT,
            Verb::Delete => Method::DELETE,
        }
    }

    /// Whether it has a body, and with it an `Idempotency-Key`.
    #[must_use]
    pub fn has_body(self) -> bool {
        match self {
            Verb::Post | Verb::Patch | Verb::Put => true,
            Verb::Get | Verb::Delete => false,
        }
    }
}

impl RouteSpec {
    /// Whether it takes an `Idempotency-Key`: keys are kept by credential.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.verb.has_body() && self.who != Who::Public
    }
}

/// Every route; [`configure`] serves these and nothing else.
pub const ROUTES: &[RouteSpec] = &[
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/tokens",
        operation: "createToken",
        who: Who::ServerKey(Scope::TokensCreate),
        refuses: &[Code::NotFound],
        handler: || web::to(tokens::create),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/conversations",
        operation: "createConversation",
        who: Who::KeyOrUser(Scope::ConversationsWrite),
        refuses: &[Code::Conflict, Code::LimitReached, Code::OutcomeUnknown],
        handler: || web::to(conversations::create),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/conversations/{id}",
        operation: "getConversation",
        who: Who::KeyOrUser(Scope::ConversationsRead),
        refuses: &[Code::NotFound],
        handler: || web::to(conversations::show),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/conversations/{id}/messages",
        operation: "listMessages",
        who: Who::KeyOrUser(Scope::MessagesRead),
        refuses: &[Code::NotFound],
        handler: || web::to(messages::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/conversations/{id}/messages",
        operation: "sendMessage",
        who: Who::KeyOrUser(Scope::MessagesWrite),
        refuses: &[Code::NotFound, Code::Conflict, Code::OutcomeUnknown, Code::QuotaExceeded, Code::RateLimited],
        handler: || web::to(messages::send),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/conversations/{id}/members",
        operation: "listMembers",
        who: Who::KeyOrUser(Scope::MembersRead),
        refuses: &[Code::NotFound],
        handler: || web::to(members::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/conversations/{id}/members",
        operation: "addMembers",
        who: Who::KeyOrUser(Scope::MembersWrite),
        refuses: &[Code::NotFound, Code::LimitReached, Code::OutcomeUnknown],
        handler: || web::to(members::add),
    },
    RouteSpec {
        verb: Verb::Delete,
        path: "/v1/conversations/{id}/members/{user}",
        operation: "removeMember",
        who: Who::KeyOrUser(Scope::MembersWrite),
        refuses: &[Code::NotFound, Code::OutcomeUnknown],
        handler: || web::to(members::remove),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/usage",
        operation: "listUsage",
        who: Who::ServerKey(Scope::UsageRead),
        refuses: &[],
        handler: || web::to(usage::list),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/stats",
        operation: "getStats",
        who: Who::ServerKey(Scope::StatsRead),
        refuses: &[],
        handler: || web::to(stats::now),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/stats/series",
        operation: "getStatsSeries",
        who: Who::ServerKey(Scope::StatsRead),
        refuses: &[Code::NotSupported],
        handler: || web::to(stats::series),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/openapi.json",
        operation: "getOpenapi",
        who: Who::Public,
        refuses: &[],
        handler: || web::to(openapi::show),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/orgs",
        operation: "listOrgs",
        who: Who::OperatorKey,
        refuses: &[],
        handler: || web::to(orgs::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/orgs",
        operation: "createOrg",
        who: Who::OperatorKey,
        refuses: &[],
        handler: || web::to(orgs::create),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/orgs/{org}",
        operation: "getOrg",
        who: Who::ManagementKey(Action::ReadOverview),
        refuses: &[],
        handler: || web::to(orgs::show),
    },
    RouteSpec {
        verb: Verb::Patch,
        path: "/v1/manage/orgs/{org}",
        operation: "changeOrg",
        who: Who::ManagementKey(Action::ChangeSettings),
        refuses: &[],
        handler: || web::to(orgs::change),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/orgs/{org}/suspend",
        operation: "suspendOrg",
        who: Who::OperatorKey,
        refuses: &[Code::NotFound, Code::Conflict],
        handler: || web::to(orgs::suspend),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/orgs/{org}/resume",
        operation: "resumeOrg",
        who: Who::OperatorKey,
        refuses: &[Code::NotFound, Code::Conflict],
        handler: || web::to(orgs::resume),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/members",
        operation: "listOrgMembers",
        who: Who::ManagementKey(Action::ReadMembers),
        refuses: &[],
        handler: || web::to(manage::members::list),
    },
    RouteSpec {
        verb: Verb::Patch,
        path: "/v1/manage/members/{account}",
        operation: "changeOrgMember",
        who: Who::ManagementKey(Action::ChangeMembers),
        refuses: &[Code::Conflict, Code::LastOwner],
        handler: || web::to(manage::members::change),
    },
    RouteSpec {
        verb: Verb::Delete,
        path: "/v1/manage/members/{account}",
        operation: "removeOrgMember",
        who: Who::ManagementKey(Action::ChangeMembers),
        refuses: &[Code::LastOwner],
        handler: || web::to(manage::members::remove),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/invitations",
        operation: "listInvitations",
        who: Who::ManagementKey(Action::ReadMembers),
        refuses: &[],
        handler: || web::to(invitations::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/invitations",
        operation: "createInvitation",
        who: Who::ManagementKey(Action::ChangeMembers),
        refuses: &[Code::Conflict, Code::PlanLimit, Code::RateLimited],
        handler: || web::to(invitations::create),
    },
    RouteSpec {
        verb: Verb::Delete,
        path: "/v1/manage/invitations/{id}",
        operation: "revokeInvitation",
        who: Who::ManagementKey(Action::ChangeMembers),
        refuses: &[Code::InvitationUsed, Code::InvitationRevoked],
        handler: || web::to(invitations::revoke),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/invitations/{id}/resend",
        operation: "resendInvitation",
        who: Who::ManagementKey(Action::ChangeMembers),
        refuses: &[Code::Conflict, Code::PlanLimit, Code::RateLimited, Code::InvitationUsed, Code::InvitationRevoked],
        handler: || web::to(invitations::resend),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/audit",
        operation: "listAudit",
        who: Who::ManagementKey(Action::ReadAudit),
        refuses: &[],
        handler: || web::to(audit::list),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/audit/check",
        operation: "checkAudit",
        who: Who::ManagementKey(Action::ReadAudit),
        refuses: &[],
        handler: || web::to(audit::check),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/management-keys",
        operation: "listManagementKeys",
        who: Who::ManagementKey(Action::ChangeSettings),
        refuses: &[],
        handler: || web::to(management_keys::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/management-keys",
        operation: "createManagementKey",
        who: Who::ManagementKey(Action::ChangeSettings),
        refuses: &[Code::LimitReached],
        handler: || web::to(management_keys::create),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/management-keys/{id}/revoke",
        operation: "revokeManagementKey",
        who: Who::ManagementKey(Action::ChangeSettings),
        refuses: &[],
        handler: || web::to(management_keys::revoke),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/apps",
        operation: "listApps",
        who: Who::ManagementKey(Action::ReadApps),
        refuses: &[],
        handler: || web::to(apps::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/apps",
        operation: "createApp",
        who: Who::ManagementKey(Action::ChangeApps),
        refuses: &[Code::EmailUnverified, Code::PlanLimit],
        handler: || web::to(apps::create),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/apps/{app}",
        operation: "getApp",
        who: Who::ManagementKey(Action::ReadApps),
        refuses: &[],
        handler: || web::to(apps::show),
    },
    RouteSpec {
        verb: Verb::Patch,
        path: "/v1/manage/apps/{app}",
        operation: "updateApp",
        who: Who::ManagementKey(Action::ChangeApps),
        refuses: &[],
        handler: || web::to(apps::update),
    },
    RouteSpec {
        verb: Verb::Delete,
        path: "/v1/manage/apps/{app}",
        operation: "deleteApp",
        who: Who::ManagementKey(Action::ChangeApps),
        refuses: &[],
        handler: || web::to(apps::delete),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/apps/{app}/origins",
        operation: "listOrigins",
        who: Who::ManagementKey(Action::ReadApps),
        refuses: &[],
        handler: || web::to(apps::list_origins),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/apps/{app}/origins",
        operation: "addOrigin",
        who: Who::ManagementKey(Action::ChangeApps),
        refuses: &[Code::LimitReached],
        handler: || web::to(apps::add_origin),
    },
    RouteSpec {
        verb: Verb::Delete,
        path: "/v1/manage/apps/{app}/origins",
        operation: "removeOrigin",
        who: Who::ManagementKey(Action::ChangeApps),
        refuses: &[],
        handler: || web::to(apps::remove_origin),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/keys",
        operation: "listKeys",
        who: Who::ManagementKey(Action::ReadKeys),
        refuses: &[],
        handler: || web::to(keys::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/keys",
        operation: "createKey",
        who: Who::ManagementKey(Action::ChangeKeys),
        refuses: &[Code::LimitReached],
        handler: || web::to(keys::create),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/keys/{id}/rotate",
        operation: "rotateKey",
        who: Who::ManagementKey(Action::ChangeKeys),
        refuses: &[Code::Conflict, Code::LimitReached],
        handler: || web::to(keys::rotate),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/keys/{id}/revoke",
        operation: "revokeKey",
        who: Who::ManagementKey(Action::ChangeKeys),
        refuses: &[],
        handler: || web::to(keys::revoke),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/signing-keys",
        operation: "listSigningKeys",
        who: Who::ManagementKey(Action::ReadKeys),
        refuses: &[],
        handler: || web::to(signing_keys::list),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/signing-keys",
        operation: "createSigningKey",
        who: Who::ManagementKey(Action::ChangeKeys),
        refuses: &[Code::LimitReached],
        handler: || web::to(signing_keys::create),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/signing-keys/{id}/rotate",
        operation: "rotateSigningKey",
        who: Who::ManagementKey(Action::ChangeKeys),
        refuses: &[Code::Conflict, Code::LimitReached],
        handler: || web::to(signing_keys::rotate),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/manage/signing-keys/{id}/revoke",
        operation: "revokeSigningKey",
        who: Who::ManagementKey(Action::ChangeKeys),
        refuses: &[],
        handler: || web::to(signing_keys::revoke),
    },
    RouteSpec {
        verb: Verb::Post,
        path: "/v1/keys/report-leak",
        operation: "reportLeakedKey",
        who: Who::Public,
        refuses: &[Code::RateLimited, Code::Unavailable, Code::Overloaded, Code::Silent],
        handler: || web::to(keys::report_leak),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/plans",
        operation: "listPlans",
        who: Who::ManagementKey(Action::ReadBilling),
        refuses: &[],
        handler: || web::to(plans::list),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/subscription",
        operation: "getSubscription",
        who: Who::ManagementKey(Action::ReadBilling),
        refuses: &[],
        handler: || web::to(plans::show),
    },
    RouteSpec {
        verb: Verb::Put,
        path: "/v1/manage/subscription",
        operation: "changeSubscription",
        who: Who::ManagementKey(Action::ChangeBilling),
        refuses: &[Code::EmailUnverified],
        handler: || web::to(plans::change),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/usage",
        operation: "listOrgUsage",
        who: Who::ManagementKey(Action::ReadUsage),
        refuses: &[],
        handler: || web::to(manage::usage::list),
    },
    RouteSpec {
        verb: Verb::Get,
        path: "/v1/manage/invoices",
        operation: "listInvoices",
        who: Who::ManagementKey(Action::ReadBilling),
        refuses: &[],
        handler: || web::to(manage::usage::list_invoices),
    },
];

/// The row of the table that a request is served by.
pub(crate) fn spec(request: &HttpRequest) -> Option<&'static RouteSpec> {
    let path = request.match_pattern()?;
    ROUTES.iter().find(|spec| spec.path == path && spec.verb.method() == request.method())
}

/// What adds the JSON face to an application: everything under `/v1`, unknown paths and wrong methods included.
pub fn configure(api: &Api) -> impl Fn(&mut web::ServiceConfig) + Clone + use<> {
    let api = web::Data::new(api.clone());
    move |config| {
        let mut scope = web::scope(BASE).app_data(api.clone());
        for path in paths() {
            scope = scope.service(resource(path));
        }
        config.service(scope.default_service(web::to(not_found)).wrap(from_fn(rim::rim)));
    }
}

/// Each path once, in the order of the table.
fn paths() -> Vec<&'static str> {
    let mut paths: Vec<_> = ROUTES.iter().map(|spec| spec.path).collect();
    paths.dedup();
    paths
}

fn resource(path: &'static str) -> Resource {
    let of_path = || ROUTES.iter().filter(move |spec| spec.path == path);
    let allow: Vec<_> = of_path().map(|spec| spec.verb.method().to_string()).collect();
    let allow = allow.join(", ");
    let mut resource = web::resource(path.strip_prefix(BASE).unwrap_or(path));
    for spec in of_path() {
        resource = resource.route((spec.handler)().method(spec.verb.method()));
    }
    resource.default_service(web::to(move || {
        let fault = Fault::method_not_allowed(allow.clone());
        async move { Err::<HttpResponse, _>(fault) }
    }))
}

async fn not_found() -> Result<HttpResponse, Fault> {
    Err(tokenim_domain::Error::new(Code::NotFound).says("there is no such path").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_under_the_base_and_listed_in_one_place() {
        let mut unique = paths();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), paths().len(), "routes of one path stand together");
        assert!(ROUTES.iter().all(|spec| spec.path.starts_with("/v1/")));
    }
}
