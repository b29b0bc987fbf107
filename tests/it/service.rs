//! The service as its operators see it over the provisioning API: figures, nodes, jobs that were given up, its own log.

use crate::support::rest::{Answer, Rest, answer};
use crate::support::template::run;
use crate::support::{TestServer, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokenim_domain::id::OrgId;
use tokenim_domain::secret::sha256;

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().unwrap()
}

/// The hash of an event of the service's own log, as docs/MANAGE.md §6 says it is made.
fn hash_of(event: &Value) -> String {
    let text = |name: &str| event[name].as_object().map(|_| event[name].to_string());
    let at_ms = tokenim_protocol::time::parse(event["at"].as_str().unwrap()).unwrap();
    let mut fields = json!({"org": OrgId::SERVICE, "at_ms": at_ms, "before": text("before"), "after": text("after")});
    for name in ["seq", "actor_kind", "actor", "address", "action", "object", "reason"] {
        fields[name] = event[name].clone();
    }
    let prev_hash = event["prev_hash"].as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&prev_hash[at..at + 2], 16).unwrap();
    let before: Vec<_> = (0..64).step_by(2).map(byte).collect();
    let sorted: BTreeMap<String, Value> = serde_json::from_value(fields).unwrap();
    sha256(&[before, serde_json::to_vec(&sorted).unwrap()].concat()).map(|byte| format!("{byte:02x}")).concat()
}

async fn retry(operator: &Rest, job: &str, reason: Option<&str>) -> Answer {
    let mut request = operator.request(Method::POST, &format!("/v1/manage/dead-jobs/{job}/retry"));
    if let Some(reason) = reason {
        request = request.header("x-reason", reason);
    }
    answer(request).await
}

#[tokio::test]
async fn an_operator_reads_figures_nodes_and_the_services_own_log() {
    let server = TestServer::spawn().await;
    let operator = server.operator();
    let _online = server.connect("alice").await;
    let figures = operator.get("/v1/manage/service").await.ok();
    assert_eq!((&figures["orgs"], &figures["accounts"], &figures["apps"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!((&figures["connections"], &figures["jobs"]["dead"]), (&json!(1), &json!(0)));
    assert_eq!(figures["orgs_by_plan"], json!([{"plan": "operator", "orgs": 2}]));
    let nodes = until(async || {
        let nodes = operator.get("/v1/manage/nodes").await.ok();
        (items(&nodes).len() == 1).then_some(nodes)
    });
    let nodes = nodes.await;
    assert_eq!(
        (&nodes["items"][0]["stale"], &nodes["items"][0]["version"]),
        (&json!(false), &json!(env!("CARGO_PKG_VERSION")))
    );

    let owner = server.manager(&server.founded).await.secret;
    let log = operator.get("/v1/manage/service/audit?action=management_key.created").await.ok();
    let [event] = items(&log) else { panic!("{log}") };
    assert_eq!((&event["actor_kind"], &event["reason"]), (&json!("operator_key"), &json!("a test")));
    assert_eq!(operator.get("/v1/manage/service/audit/check").await.ok()["intact"], true);
    let (mut prev_hash, mut path) = ("00".repeat(32), "/v1/manage/service/audit?limit=1".to_owned());
    for _ in 0..2 {
        let page = operator.get(&path).await.ok();
        let event = &page["items"][0];
        assert_eq!((event["prev_hash"].as_str(), event["hash"].as_str()), (Some(&*prev_hash), Some(&*hash_of(event))));
        prev_hash = hash_of(event);
        path = format!("/v1/manage/service/audit?limit=1&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    let owner = server.rest_as(&owner);
    for path in ["service", "nodes", "dead-jobs", "service/audit", "service/audit/check"] {
        assert_eq!(owner.get(&format!("/v1/manage/{path}")).await.refusal(), (403, "forbidden".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn an_operator_lists_jobs_that_were_given_up_and_retries_one() {
    let mut server = TestServer::spawn().await;
    server.may_log_errors = true;
    let operator = server.operator();
    for _ in 0..2 {
        let words = ["admin", "mail-test", "--queue", "--to", "nobody", "--language", "en", "--data"];
        run(server.tokenim().args(words).arg(&server.data));
    }
    let dead = async || operator.get("/v1/manage/dead-jobs").await.ok();
    until(async || (items(&dead().await).len() == 2).then_some(())).await;
    let first = operator.get("/v1/manage/dead-jobs?limit=1").await.ok();
    let next = format!("/v1/manage/dead-jobs?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
    let second = operator.get(&next).await.ok();
    assert_eq!((items(&second).len(), &second["next_cursor"]), (1, &Value::Null));
    let (job, other) = (&first["items"][0], &second["items"][0]);
    assert_eq!((&job["kind"], &job["org"]), (&json!("mail"), &Value::Null));
    assert!(job["error"].as_str().unwrap().contains("the address is none"), "{job}");

    let id = job["id"].as_str().unwrap();
    assert_eq!(retry(&operator, id, None).await.refusal(), (422, "invalid_field".to_owned()));
    assert_eq!(retry(&operator, id, Some("the address is known now")).await.ok(), json!({"id": id}));
    until(async || {
        let dead = dead().await;
        let again = items(&dead).iter().find(|item| item["id"] == job["id"]);
        again.filter(|again| again["created_at"] != job["created_at"]).map(drop)
    })
    .await;
    assert!(items(&dead().await).contains(other), "the other one was left");
    let unknown = id.replace(&id[id.len() - 4..], "0000");
    assert_eq!(retry(&operator, &unknown, Some("why")).await.refusal(), (404, "not_found".to_owned()));
    let log = operator.get("/v1/manage/service/audit?action=job.retried").await.ok();
    assert_eq!((items(&log).len(), &log["items"][0]["object"]), (1, &job["id"]));
}

#[tokio::test]
async fn an_org_reads_what_happens_in_its_apps_at_this_moment() {
    let server = TestServer::spawn().await;
    let owner = server.rest_as(&server.manager(&server.founded).await.secret);
    let _online = server.connect("alice").await;
    let stats = owner.get("/v1/manage/stats").await.ok();
    let [app] = items(&stats) else { panic!("{stats}") };
    let live = (&app["app"], &app["connections"], &app["users"]);
    assert_eq!(live, (&json!(server.founded.app), &json!(1), &json!(1)));
    let foreign = owner.get(&format!("/v1/manage/stats?app={}", server.other.app)).await;
    assert_eq!(foreign.refusal(), (404, "not_found".to_owned()));
}

#[tokio::test]
async fn a_write_without_fields_needs_no_body() {
    let server = TestServer::spawn().await;
    let operator = server.operator();
    let post = async |path: &str, body: Option<&'static str>| {
        let request = operator.request(Method::POST, path).header("x-reason", "a test");
        answer(match body {
            Some(body) => request.body(body),
            None => request,
        })
        .await
    };
    let org = format!("/v1/manage/orgs/{}", server.other.org);
    for body in [None, Some(""), Some("{}")] {
        assert!(post(&format!("{org}/suspend"), body).await.ok()["suspended_at"].is_string(), "{body:?}");
        assert!(post(&format!("{org}/resume"), body).await.ok()["suspended_at"].is_null(), "{body:?}");
    }
    let suspend = format!("{org}/suspend");
    assert_eq!(post(&suspend, Some("x")).await.refusal(), (400, "invalid_request".to_owned()));
    assert_eq!(post(&suspend, Some(r#"{"why":1}"#)).await.refusal(), (400, "invalid_request".to_owned()));
    let nameless = post("/v1/manage/orgs", None).await;
    assert_eq!(nameless.refusal(), (400, "invalid_request".to_owned()));
}
