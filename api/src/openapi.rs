//! The OpenAPI 3.1 document: schemas and operations from the handlers, security and errors from the route table.

use crate::api::Api;
use crate::fault::ErrorReply;
use crate::manage::{
    self, announcements, apps, audit, invitations, keys, management_keys, orgs, plans, service, signing_keys, transfer,
};
use crate::query::Query;
use crate::routes::{RouteSpec, Verb, Who, get, routes, session_routes};
use crate::{
    amendments,
    answer::{self, Answer},
    attachments, conversations, groups, listed, live, members, messages, presence, receipts, stats, stream, streams,
    tokens, uploads, usage,
};
use actix_web::{HttpRequest, web};
use std::collections::{BTreeMap, BTreeSet};
use tokenim_domain::Code;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Content, ContentBuilder, ExternalDocs, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
};

pub(crate) const ROUTES: &[RouteSpec] = &[get("/v1/openapi.json", "getOpenapi", Who::Public, || web::to(show))];

/// Name of the scheme of a server's secret key.
const SERVER_KEY: &str = "server_key";
/// Name of the scheme of an org's management key.
const MANAGEMENT_KEY: &str = "management_key";
/// Name of the scheme of an operator's key.
const OPERATOR_KEY: &str = "operator_key";
/// Name of the scheme of a user or session token.
const USER_TOKEN: &str = "user_token";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "TokenIM REST API",
        description = "Real-time messaging. Every success is a 200 with JSON; every other answer has the schema `ErrorReply`. Times are RFC 3339 UTC."
    ),
    paths(
        tokens::create,
        conversations::create,
        conversations::show,
        messages::list,
        messages::send,
        amendments::show,
        amendments::edit,
        amendments::remove,
        amendments::list_reactions,
        amendments::react,
        amendments::pin,
        amendments::list_pins,
        streams::begin,
        streams::show,
        streams::append,
        streams::end,
        live::typing,
        live::ephemeral,
        presence::show,
        receipts::show,
        members::list,
        members::add,
        members::remove,
        usage::list,
        stats::now,
        stats::series,
        show,
        orgs::list,
        orgs::create,
        orgs::show,
        orgs::change,
        orgs::suspend,
        orgs::resume,
        transfer::transfer,
        manage::members::list,
        manage::members::change,
        manage::members::remove,
        invitations::list,
        invitations::create,
        invitations::revoke,
        invitations::resend,
        audit::list,
        audit::check,
        audit::list_service,
        audit::check_service,
        management_keys::list,
        management_keys::create,
        management_keys::revoke,
        apps::list,
        apps::create,
        apps::show,
        apps::update,
        apps::remove,
        apps::list_origins,
        apps::add_origin,
        apps::remove_origin,
        keys::list,
        keys::create,
        keys::rotate,
        keys::revoke,
        signing_keys::list,
        signing_keys::create,
        signing_keys::rotate,
        signing_keys::revoke,
        keys::report_leak,
        plans::list,
        plans::show,
        plans::change,
        manage::usage::list,
        manage::usage::list_invoices,
        manage::stats::list,
        service::show,
        service::list_nodes,
        service::list_dead_jobs,
        service::retry,
        announcements::list,
        announcements::create,
        announcements::show,
        announcements::update,
        announcements::end,
        groups::update,
        groups::join,
        groups::leave,
        groups::give,
        groups::mute,
        groups::ban,
        groups::unban,
        listed::requests,
        listed::decline,
        listed::bans,
        listed::blocks,
        listed::block,
        listed::unblock,
        stream::open,
        stream::command,
        uploads::begin,
        uploads::show,
        uploads::put_chunk,
        uploads::commit,
        uploads::abort,
        uploads::body,
        uploads::link,
        uploads::linked,
        attachments::read,
        attachments::link,
        attachments::linked,
    ),
    components(schemas(ErrorReply))
)]
struct Document;

/// The document of every route, with a link to the documentation of the server at `origin`.
#[must_use]
pub fn document(origin: &str) -> OpenApi {
    let mut document = Document::openapi();
    document.external_docs = Some(ExternalDocs::new(format!("{origin}/docs")));
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    let may_be_empty = schemas_without_required(&document);
    for spec in routes().chain(session_routes()) {
        if let Some(operation) = document.paths.paths.get_mut(spec.path).and_then(|item| operation_mut(item, spec.verb))
        {
            complete(operation, spec);
            loosen(operation, &may_be_empty);
        }
    }
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(
        SERVER_KEY,
        bearer("An app's secret key, `tim_live_sk_…` or `tim_test_sk_…`; never in a browser.", None),
    );
    components.add_security_scheme(
        MANAGEMENT_KEY,
        bearer("A management key of an org, `tim_live_mk_…`, in its role; never in a browser.", None),
    );
    components.add_security_scheme(
        OPERATOR_KEY,
        bearer("A key of the service's operator, `tim_live_ok_…`; it names the `org`, and an `X-Reason` for what it changes.", None),
    );
    components.add_security_scheme(
        USER_TOKEN,
        bearer("A user token, or the session token that `connect` returned.", Some("JWT")),
    );
    document
}

/// Where the schemas are that `{}` fits.
fn schemas_without_required(document: &OpenApi) -> BTreeSet<String> {
    let schemas = document.components.iter().flat_map(|components| &components.schemas);
    let fits =
        |schema: &RefOr<Schema>| matches!(schema, RefOr::T(Schema::Object(object)) if object.required.is_empty());
    schemas.filter(|(_, schema)| fits(schema)).map(|(name, _)| format!("#/components/schemas/{name}")).collect()
}

/// A call whose body may be `{}` may come without one.
fn loosen(operation: &mut Operation, may_be_empty: &BTreeSet<String>) {
    let Some(RefOr::T(body)) = &mut operation.request_body else { return };
    let fits = |content: &RefOr<Content>| match content {
        RefOr::T(Content { schema: Some(RefOr::Ref(to)), .. }) => may_be_empty.contains(&to.ref_location),
        _ => false,
    };
    if body.content.values().all(fits) {
        body.required = Some(Required::False);
    }
}

/// This document.
#[utoipa::path(get, path = "/v1/openapi.json", responses((status = 200, body = serde_json::Value, description = "OpenAPI 3.1.")))]
pub(crate) async fn show(api: web::Data<Api>, request: HttpRequest) -> Answer {
    Query::read(&request, &[])?;
    Ok(answer::ok(api.document.to_string()))
}

fn bearer(description: &str, format: Option<&str>) -> SecurityScheme {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
    let scheme = match format {
        Some(format) => scheme.bearer_format(format),
        None => scheme,
    };
    SecurityScheme::Http(scheme.build())
}

fn operation_mut(item: &mut PathItem, verb: Verb) -> Option<&mut Operation> {
    match verb {
        Verb::Get => item.get.as_mut(),
        Verb::Post => item.post.as_mut(),
        Verb::Patch => item.patch.as_mut(),
        Verb::Put => item.put.as_mut(),
        Verb::Delete => item.delete.as_mut(),
    }
}

/// Adds what the route table knows: name, security, errors, and the header of every POST.
fn complete(operation: &mut Operation, spec: &RouteSpec) {
    operation.operation_id = Some(spec.operation.to_owned());
    if let Who::ServerKey(scope) | Who::KeyOrUser(scope) = spec.who {
        operation.description = Some(format!("Scope of a server key: `{}`.", scope.as_str()));
    }
    let tag = spec.path.trim_start_matches("/v1/manage").trim_start_matches("/v1").split('/').nth(1);
    operation.tags = Some(vec![tag.unwrap_or_default().to_owned()]);
    let need = |name| SecurityRequirement::new(name, Vec::<String>::new());
    operation.security = Some(match spec.who {
        Who::Public => vec![],
        Who::ServerKey(_) => vec![need(SERVER_KEY)],
        Who::KeyOrUser(_) => vec![need(SERVER_KEY), need(USER_TOKEN)],
        Who::ManagementKey(_) => vec![need(MANAGEMENT_KEY), need(OPERATOR_KEY)],
        Who::OperatorKey => vec![need(OPERATOR_KEY)],
        Who::User => vec![need(USER_TOKEN)],
    });
    let parameters = operation.parameters.get_or_insert_default();
    if matches!(spec.who, Who::ManagementKey(_)) && !spec.path.contains("{org}") {
        parameters.push(RefOr::T(org()));
    }
    if matches!(spec.who, Who::ManagementKey(_) | Who::OperatorKey) && spec.verb != Verb::Get {
        parameters.push(RefOr::T(reason()));
    }
    if spec.is_idempotent() {
        parameters.push(RefOr::T(idempotency_key()));
    }
    for (status, codes) in errors(spec) {
        operation.responses.responses.insert(status.to_string(), RefOr::T(refusal(&codes)));
    }
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(255));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("1 to 255 visible ASCII characters; for 24 hours a repeat gets the first answer, with the header `idempotent-replayed`."))
        .schema(Some(text))
        .build()
}

fn org() -> Parameter {
    ParameterBuilder::new()
        .name("org")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some("Id of the org; an operator key must name one, a management key has its own."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

fn reason() -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(200));
    ParameterBuilder::new()
        .name("X-Reason")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("Why; kept in the audit log. An operator key must say it."))
        .schema(Some(text))
        .build()
}

/// The codes a route may refuse with, by status.
fn errors(spec: &RouteSpec) -> BTreeMap<u16, Vec<Code>> {
    let mut codes =
        vec![Code::InvalidRequest, Code::TokenInUrl, Code::PayloadTooLarge, Code::UrlTooLong, Code::RateLimited];
    codes.push(Code::Internal);
    codes.extend_from_slice(spec.refuses);
    if spec.who != Who::Public {
        codes.extend([
            Code::Unauthenticated,
            Code::KeyMalformed,
            Code::KeyUnknown,
            Code::KeyRevoked,
            Code::KeyExpired,
            Code::KeyRotated,
            Code::AppSuspended,
            Code::SecretKeyInBrowser,
            Code::Forbidden,
        ]);
        codes.extend([Code::TokenInvalid, Code::TokenExpired, Code::TokenRevoked, Code::SessionInvalid]);
        codes.extend([Code::InvalidField, Code::Unavailable, Code::Overloaded]);
    }
    if spec.verb != Verb::Get && matches!(spec.who, Who::ManagementKey(_) | Who::OperatorKey) {
        codes.push(Code::OutcomeUnknown);
    }
    match spec.who {
        Who::ManagementKey(_) => codes.push(Code::NotFound),
        Who::ServerKey(_) | Who::KeyOrUser(_) => {
            codes.extend([Code::ScopeMissing, Code::OrgSuspended, Code::AppSuspended, Code::OriginNotAllowed]);
        }
        Who::User => codes.extend([Code::OrgSuspended, Code::AppSuspended, Code::OriginNotAllowed]),
        Who::Public | Who::OperatorKey => {}
    }
    if spec.is_idempotent() {
        codes.extend([Code::IdempotencyMismatch, Code::IdempotencyInProgress, Code::Silent]);
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        let of_status = by_status.entry(code.row().status).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    by_status
}

fn refusal(codes: &[Code]) -> Response {
    let lines: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.as_str(), code.row().meaning)).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorReply"))).build();
    ResponseBuilder::new().description(lines.join("\n\n")).content("application/json", content).build()
}

pub(crate) mod session;

#[cfg(test)]
mod tests;
