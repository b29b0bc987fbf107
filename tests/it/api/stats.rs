//! Live figures and the OpenAPI document.

use crate::support::TestServer;
use serde_json::json;
use tokenim_api::{Who, routes};

#[tokio::test]
async fn stats_tell_connections_users_and_messages_of_this_app() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, _phone, _bob) =
        (server.connect("alice").await, server.connect("alice").await, server.connect("bob").await);
    alice.send("c1", "m1", "x").await;
    let stats = server.rest().get("/v1/stats").await.ok();
    assert_eq!((&stats["connections"], &stats["users"], &stats["msg_sent"]), (&json!(3), &json!(2), &json!(1)));
    assert!(stats["hour"].as_str().unwrap().ends_with(":00:00.000Z") && stats["as_of"].is_string());
    let other = server.rest_as(&server.other.key).get("/v1/stats").await.ok();
    assert_eq!((&other["connections"], &other["users"], &other["msg_sent"]), (&json!(0), &json!(0), &json!(0)));
}

#[tokio::test]
async fn series_have_points() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    server.rest().send("c1", "alice", "m1", "x").await;
    let series = async |query: &str| server.rest().get(&format!("/v1/stats/series?{query}")).await;
    let sent = series("metric=msg_sent").await.ok();
    let points = sent["points"].as_array().unwrap();
    assert_eq!((&sent["metric"], &sent["step"], points.len()), (&json!("msg_sent"), &json!("hour"), 24));
    assert_eq!(points.iter().map(|point| point["value"].as_i64().unwrap()).sum::<i64>(), 1);
    for step in ["minute", "hour"] {
        let connections = series(&format!("metric=connections&step={step}")).await.ok();
        assert_eq!((&connections["step"], connections["points"].is_array()), (&json!(step), true));
    }
    for (query, refusal) in [
        ("", (400, "invalid_request")),
        ("metric=mau", (422, "invalid_field")),
        ("metric=msg_sent&step=minute", (422, "not_supported")),
        ("metric=connections&step=day", (422, "invalid_field")),
    ] {
        let (status, code) = series(query).await.refusal();
        assert_eq!((status, code.as_str()), refusal, "{query}");
    }
}

#[tokio::test]
async fn the_openapi_document_lists_every_route() {
    let server = TestServer::spawn().await;
    let document = server.rest_as("").get("/v1/openapi.json").await.ok();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for route in routes() {
        let operation = &document["paths"][route.path][route.verb.method().as_str().to_lowercase()];
        assert_eq!(operation["operationId"], route.operation, "{}", route.path);
        assert_eq!(
            operation.get("security").is_some_and(|security| security != &json!([])),
            route.who != Who::Public,
            "{}",
            route.path
        );
    }
}
