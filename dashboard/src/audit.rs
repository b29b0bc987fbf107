//! Who changed what in the org: a page by number, the check of the chain, and the log as a file.
use actix_web::{HttpResponse, http::StatusCode};
use serde_json::json;
use tokenim_domain::{actor::Action, id::OrgId};
use tokenim_store::{AuditEvent, AuditQuery, AuditVerdict};
use tokenim_templates::{
    page::audit::{AuditFilter, AuditLinks, AuditPage, Check, EventRow},
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::{self, push_field},
    members::{actor_names, cursor},
    routes::{Answer, RouteSpec, Who, get},
    usage::csv,
    visit::Visit,
};

/// Events of a page.
const PAGE: u64 = 50;
/// Events of a file at most; a longer log is read by the API, page by page.
const FILE_EVENTS_MAX: usize = 10_000;
/// Events read at once for a file.
const FILE_PAGE: u64 = 200;
const PATH: &str = "/console/audit";
const READ: Who = Who::May(Action::ReadAudit);
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, READ, |visit| Box::pin(show(visit))),
    get("/console/audit.ndjson", READ, |visit| Box::pin(ndjson(visit))),
    get("/console/audit.csv", READ, |visit| Box::pin(csv(visit))),
];

async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, visit.member()?.org, PATH).await
}

/// The page of an org's log, or of the service's own.
pub(crate) async fn page(visit: &Visit<'_>, org: OrgId, path: &'static str) -> Answer {
    let query = query(visit)?;
    let log = visit.console.store.org(org);
    let mut events = log.search_audit(&query, PAGE + 1).await?;
    let has_more = events.len() > PAGE as usize;
    events.truncate(PAGE as usize);
    if query.after.is_some() {
        events.reverse();
    }
    let check = match field(visit, "check").as_deref() {
        Some("1") => match log.verify_audit().await? {
            AuditVerdict::Intact { seq } => Check::Intact(seq),
            AuditVerdict::Broken { seq } => Check::Broken(seq),
        },
        _ => Check::NotAsked,
    };
    let filter = AuditFilter {
        action: query.action.clone().unwrap_or_default(),
        actor: query.actor.clone().unwrap_or_default(),
    };
    let links = links(path, &query, &filter, &events, has_more);
    let names = actor_names(visit, events.iter().map(|event| event.actor.as_str())).await?;
    let rows: Vec<_> = events
        .into_iter()
        .map(|event| {
            let name = names.get(&event.actor).cloned();
            row(path, &filter, event, name)
        })
        .collect();
    let page = AuditPage { frame: visit.frame(None), events: &rows, filter: &filter, links: &links, check };
    answer::page(StatusCode::OK, &page, visit)
}

fn field(visit: &Visit<'_>, name: &str) -> Option<String> {
    form::field(visit.request.query_string(), name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn query(visit: &Visit<'_>) -> Result<AuditQuery, Fault> {
    let (before, after) = (cursor(visit, "before")?, cursor(visit, "after")?);
    if before.is_some() && after.is_some() {
        return Err(Fault::Filter);
    }
    Ok(AuditQuery { action: field(visit, "action"), actor: field(visit, "actor"), before, after })
}

/// An address of the page with its filters.
fn address(path: &str, filter: &AuditFilter, more: &[(&str, &str)]) -> String {
    let mut address = path.to_owned();
    let filters = [("action", filter.action.as_str()), ("actor", filter.actor.as_str())];
    for (name, value) in filters.iter().chain(more).filter(|(_, value)| !value.is_empty()) {
        push_field(&mut address, name, value);
    }
    address
}

fn links(
    path: &'static str,
    query: &AuditQuery,
    filter: &AuditFilter,
    events: &[AuditEvent],
    has_more: bool,
) -> AuditLinks {
    let (newest, oldest) = (events.first(), events.last());
    let is_up = query.after.is_some();
    let newer = newest.filter(|_| if is_up { has_more } else { query.before.is_some() });
    let older = oldest.filter(|_| is_up || has_more);
    let to = |name: &'static str, event: Option<&AuditEvent>| {
        event.map(|event| address(path, filter, &[(name, &event.seq.to_string())])).unwrap_or_default()
    };
    let file = |kind: &str| {
        if path == PATH { address(&format!("{PATH}.{kind}"), filter, &[]) } else { String::new() }
    };
    AuditLinks {
        path,
        newer: to("after", newer),
        older: to("before", older),
        check: address(path, filter, &[("check", "1")]),
        ndjson: file("ndjson"),
        csv: file("csv"),
    }
}

fn row(path: &str, filter: &AuditFilter, event: AuditEvent, actor_name: Option<String>) -> EventRow {
    let only_actor = address(path, &AuditFilter { actor: event.actor.clone(), ..filter.clone() }, &[]);
    let only_action = address(path, &AuditFilter { action: event.action.clone(), ..filter.clone() }, &[]);
    EventRow {
        seq: event.seq,
        at: Utc::from_ms(event.at_ms),
        kind: event.actor_kind,
        actor: event.actor,
        actor_name,
        address: event.address,
        action: event.action,
        object: event.object,
        before: event.before,
        after: event.after,
        reason: event.reason,
        only_actor,
        only_action,
    }
}

/// The newest events of the filter, the oldest of them first; a file holds at most [`FILE_EVENTS_MAX`].
async fn file_events(visit: &Visit<'_>) -> Result<Vec<AuditEvent>, Fault> {
    let log = visit.console.store.org(visit.member()?.org);
    let mut query = query(visit)?;
    query.after = None;
    let mut events = Vec::new();
    loop {
        let page = log.search_audit(&query, FILE_PAGE).await?;
        query.before = page.last().map(|event| event.seq);
        let is_last = page.len() < FILE_PAGE as usize;
        events.extend(page);
        if is_last || events.len() >= FILE_EVENTS_MAX {
            events.reverse();
            return Ok(events);
        }
    }
}

async fn ndjson(visit: &mut Visit<'_>) -> Answer {
    let mut text = String::new();
    for event in file_events(visit).await? {
        let line = json!({
            "seq": event.seq, "at_ms": event.at_ms, "actor_kind": event.actor_kind, "actor": event.actor,
            "address": event.address, "action": event.action, "object": event.object, "before": event.before,
            "after": event.after, "reason": event.reason,
        });
        text.push_str(&format!("{line}\n"));
    }
    Ok(file(visit, "application/x-ndjson", "audit.ndjson", text))
}

async fn csv(visit: &mut Visit<'_>) -> Answer {
    let mut text = String::from("seq,at_utc,actor_kind,actor,address,action,object,before,after,reason\r\n");
    for event in file_events(visit).await? {
        let cells = [
            event.seq.to_string(),
            Utc::from_ms(event.at_ms).stamp(),
            event.actor_kind,
            event.actor,
            event.address.unwrap_or_default(),
            event.action,
            event.object,
            event.before.unwrap_or_default(),
            event.after.unwrap_or_default(),
            event.reason.unwrap_or_default(),
        ];
        let cells: Vec<_> = cells.iter().map(|cell| csv::field(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    Ok(file(visit, "text/csv; charset=utf-8", "audit.csv", text))
}

fn file(visit: &Visit<'_>, kind: &str, name: &str, text: String) -> HttpResponse {
    let mut builder = HttpResponse::Ok();
    builder.insert_header(("content-disposition", format!("attachment; filename=\"{name}\"")));
    answer::body(builder, kind, text.into_bytes(), visit)
}
