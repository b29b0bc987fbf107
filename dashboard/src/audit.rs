//! Who changed what in the org: a page by number, the check of the chain, and the log as a file.
use std::rc::Rc;

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokenim_domain::{Error, actor::Action, id::OrgId, secret::hex};
use tokenim_store::{AuditEvent, AuditQuery, AuditVerdict};
use tokenim_templates::{
    page::audit::{AuditFilter, AuditLinks, AuditPage, Check, EventRow},
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::{self, push_field},
    pager::cursor,
    routes::{Answer, RouteSpec, Who, get},
    usage::csv,
    visit::Visit,
};

/// Events of a page.
const PAGE: u64 = 50;
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
    let names = log.event_actor_names(&events).await?;
    let rows: Vec<_> = events.into_iter().zip(names).map(|(event, name)| row(path, &filter, event, name)).collect();
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

/// The fields that the chain is made of, each as it was hashed (docs/MANAGE.md §6).
async fn ndjson(visit: &mut Visit<'_>) -> Answer {
    let org = visit.member()?.org;
    file(visit, "application/x-ndjson", "audit.ndjson", "", move |event| {
        let line = json!({
            "org": org, "seq": event.seq, "at_ms": event.at_ms, "actor_kind": event.actor_kind, "actor": event.actor,
            "address": event.address, "action": event.action, "object": event.object, "before": event.before,
            "after": event.after, "reason": event.reason, "prev_hash": hex(&event.prev_hash), "hash": hex(&event.hash),
        });
        format!("{line}\n")
    })
}

async fn csv(visit: &mut Visit<'_>) -> Answer {
    let head = "seq,at_utc,actor_kind,actor,address,action,object,before,after,reason\r\n";
    file(visit, "text/csv; charset=utf-8", "audit.csv", head, |event| {
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
        format!("{}\r\n", cells.join(","))
    })
}

/// All events of the filter as a file, the oldest first, read page by page while it is sent. A fault of ours on the way
/// ends the download as a broken one.
fn file(
    visit: &Visit<'_>,
    kind: &str,
    name: &str,
    head: &'static str,
    line: impl Fn(AuditEvent) -> String + 'static,
) -> Answer {
    let (console, org) = (visit.console.clone(), visit.member()?.org);
    let first = Some(AuditQuery { after: Some(0), ..query(visit)? });
    let line = Rc::new(line);
    let pages = stream::try_unfold(first, move |query| {
        let (console, line) = (console.clone(), line.clone());
        async move {
            let Some(query) = query else { return Ok::<_, Error>(None) };
            let events = console.store.org(org).search_audit(&query, FILE_PAGE).await?;
            let last = events.last().filter(|_| events.len() == FILE_PAGE as usize).map(|event| event.seq);
            let next = last.map(|seq| AuditQuery { after: Some(seq), ..query });
            Ok(Some((Bytes::from(events.into_iter().map(&*line).collect::<String>()), next)))
        }
    });
    let head = stream::once(async move { Ok(Bytes::from_static(head.as_bytes())) });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, kind))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .streaming(head.chain(pages).inspect_err(|error| tracing::error!(%error, "an audit file broke off"))))
}
