//! The overview over HTTP: what happened to the apps stands there, with what it means, and nobody else sees it.

use crate::support::client::Client;
use crate::support::page::Console;
use crate::support::server::TestServer;
use crate::support::wait::until;
use serde_json::json;

#[tokio::test]
async fn the_overview_tells_health_pace_and_what_was_refused() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let fresh = console.get("/console/overview").await.text;
    for wanted in ["Gateway takes connections", "no message in 5 minutes", "Nothing refused in the last 2 hours"] {
        assert!(fresh.contains(wanted), "{wanted}: {fresh}");
    }
    server.group("c", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    for number in 0..5 {
        alice.send("c", &format!("m{number}"), "x").await;
    }
    assert_eq!(alice.refused("history", json!({"conversation": "nowhere"})).await["code"], "not_found");
    assert_eq!(server.rest().get("/v1/conversations/nowhere").await.refusal().1, "not_found");
    let altered = server.token("bob").replacen('.', ".e", 1);
    assert_eq!(
        Client::open(&server).await.refused("connect", json!({"token": altered})).await["code"],
        "token_invalid"
    );
    let page = console.get("/console/overview").await.text;
    for wanted in [
        "Delivery: 99 of 100 within",
        "REST: 99 of 100 answered within",
        "3 refused in the last 2 hours",
        "<code>not_found</code>",
        "No such object in this app",
        "<code>token_invalid</code>",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    let not_found = page.split("<code>not_found</code>").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(not_found.contains("<td class=\"num\">2</td>"), "{not_found}");
    // Whole seconds count, so the messages show once their second is over.
    until(async || {
        let page = console.get("/console/overview").await.text;
        page.contains("id=\"overview-pace\">0.5<").then_some(())
    })
    .await;
    let mut other = Console::sign_in(&server, &server.other).await;
    let page = other.get("/console/overview").await.text;
    assert!(page.contains("Nothing refused") && !page.contains("<code>not_found</code>"), "{page}");
}
