//! `/v1/manage/usage` and `/v1/manage/invoices`: what the org has used, what of its quotas is left, and what it owes.

use super::page::Page;
use super::parse;
use crate::answer::{self, Answer};
use crate::api::Api;
use crate::auth::{Auth, Manager};
use crate::query::Query;
use crate::routes::{RouteSpec, Who, get};
use crate::usage::{Asked, UsageItem};
use actix_web::{HttpRequest, web};
use serde::Serialize;
use tokenim_domain::Code;
use tokenim_domain::actor::Action;
use tokenim_protocol::time::rfc3339;
use tokenim_store::QuotaState;
use utoipa::ToSchema;

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/v1/manage/usage", "listOrgUsage", Who::ManagementKey(Action::ReadUsage), || web::to(list)),
    get("/v1/manage/invoices", "listInvoices", Who::ManagementKey(Action::ReadBilling), || web::to(list_invoices)),
];

/// Usage of an org.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrgUsageReply {
    /// Ascending by time; a time, app and meter without an item had no usage.
    items: Vec<UsageItem>,
    /// Everything committed before this time is counted.
    #[schema(format = DateTime)]
    complete_to: String,
    /// Of the live apps together, then of each test app.
    quotas: Vec<QuotaReply>,
}

/// What is used of a quota, now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
pub(crate) struct QuotaReply {
    /// The test app it is of; null = of the org's live apps together.
    app: Option<String>,
    #[schema(example = "msg_sent")]
    meter: &'static str,
    /// How much there may be; null = without limit.
    limit: Option<i64>,
    /// `hard` = refused there, `soft` = counted on.
    mode: &'static str,
    /// How much there is: the sum of the items of its period.
    used: i64,
    /// When it begins anew; null = never.
    #[schema(format = DateTime)]
    resets_at: Option<String>,
}

/// An invoice.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invoice)]
pub(crate) struct InvoiceReply {
    id: String,
    /// Its number, once issued.
    number: Option<String>,
    /// The billing period it covers, e.g. `2026-11`.
    period: String,
    state: &'static str,
    /// ISO 4217.
    currency: String,
    /// In minor units of the currency, tax included.
    total_minor: i64,
    /// In minor units of the currency.
    paid_minor: i64,
    #[schema(format = DateTime)]
    issued_at: Option<String>,
    #[schema(format = DateTime)]
    due_at: Option<String>,
}

/// What the org has used, by app and hour or day, and how much of its quotas: the same rows as `/v1/usage` and the usage page.
#[utoipa::path(get, path = "/v1/manage/usage",
    params(
        ("app" = Option<String>, Query, description = "One app of the org; all when absent."),
        ("from" = Option<String>, Query, description = "RFC 3339 time or date; 24 hours before `to` when absent. Cut down to a whole hour or day."),
        ("to" = Option<String>, Query, description = "RFC 3339 time or date, exclusive; now when absent. Cut up to a whole hour or day. At most 366 days after `from`."),
        ("group" = Option<String>, Query, description = "`hour` (when absent) or `day`, in UTC."),
    ),
    responses((status = 200, body = OrgUsageReply, description = "Usage and quotas.")))]
pub(crate) async fn list(api: web::Data<Api>, manager: Auth<Manager>, request: HttpRequest) -> Answer {
    let query = Query::read(&request, &["org", "app", "from", "to", "group"])?;
    let asked = Asked::read(&query, api.now_ms())?;
    let org = manager.0.org(&api);
    let app = match parse::app(query.text("app"))? {
        Some(id) => Some(org.find_app(id).await?.ok_or(Code::NotFound)?.app),
        None => None,
    };
    let usage = org.usage_hours(asked.from_ms, asked.to_ms).await?;
    let items = asked.sum(usage.items.iter().filter(|hour| app.is_none_or(|app| hour.app == app)));
    let quotas = org.quotas().await?;
    let is_asked = |quota: &QuotaState| app.is_none() || quota.app.as_ref().is_none_or(|of| Some(of.id) == app);
    let quotas = quotas.into_iter().filter(is_asked).map(quota).collect();
    answer::view(&OrgUsageReply { items, complete_to: rfc3339(usage.complete_to_ms), quotas })
}

fn quota(state: QuotaState) -> QuotaReply {
    QuotaReply {
        app: state.app.map(|app| app.id.to_string()),
        meter: state.meter.as_str(),
        limit: state.entitlement.value,
        mode: state.entitlement.mode.as_str(),
        used: state.used,
        resets_at: state.resets_at_ms.map(rfc3339),
    }
}

type InvoicePage = Page<InvoiceReply>;

/// The org's invoices. None is issued yet: this version counts and does not rate.
#[utoipa::path(get, path = "/v1/manage/invoices", responses((status = 200, body = InvoicePage, description = "The page.")))]
pub(crate) async fn list_invoices(_: Auth<Manager>, request: HttpRequest) -> Answer {
    Query::read(&request, &["org", "cursor", "limit"])?;
    answer::view(&Page::<InvoiceReply> { items: Vec::new(), next_cursor: None })
}
