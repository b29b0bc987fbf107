//! The plan page and the quota bars, as a browser without scripts sees them.

use super::support::{store, subscribe};
use crate::support::page::Console;
use crate::support::server::TestServer;

#[tokio::test]
async fn an_owner_changes_the_plan_once_and_sees_the_bar_move() {
    let server = TestServer::spawn().await;
    subscribe(&store(&server).await, &server.founded, "basic").await;
    server.group("c", &["alice"]).await;
    server.rest().send("c", "alice", "m1", "x").await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let usage = console.get("/console/usage").await;
    assert!(usage.status == 200 && usage.text.contains("1 / 100,000"), "{}", usage.text);
    let page = console.get("/console/plan").await;
    assert!(page.text.contains("/console/plan/pro") && !page.text.contains("/console/plan/operator"), "{}", page.text);
    let question = console.get("/console/plan/pro").await;
    assert!(question.status == 200 && question.text.contains("5,000,000"), "{}", question.text);
    let changed = console.send("/console/plan/pro", &[]).await;
    assert_eq!((changed.status, changed.header("location")), (303, "/console/plan"));
    let usage = console.get("/console/usage").await;
    assert!(usage.text.contains("1 / 5,000,000"), "{}", usage.text);
    assert_eq!(console.get("/console/plan/pro").await.status, 303, "what the org has is not asked for again");
    for unknown in ["/console/plan/operator", "/console/plan/gold"] {
        assert_eq!(console.get(unknown).await.status, 404, "{unknown}");
        assert!(console.send(unknown, &[]).await.status >= 400, "{unknown}");
    }
    assert!(console.get("/console/usage?lang=zh-CN").await.text.contains("消息单位配额"));
}
