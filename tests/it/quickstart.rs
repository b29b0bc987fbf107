//! The quickstart page over HTTP: the program it hands out works as it is, and the checkpoints say so.

use crate::support::client::Client;
use crate::support::page::Console;
use crate::support::server::TestServer;
use crate::support::token::{sign, with_claims};
use serde_json::json;

/// The token of the page's program.
pub fn token(page: &str) -> String {
    let start = page.find("const token = &#34;").expect("the program holds a token") + "const token = &#34;".len();
    page[start..].split("&#34;").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_program_of_the_page_connects_and_the_checkpoints_tell() {
    let server = TestServer::spawn().await;
    let mut console = Console::sign_in(&server, &server.founded).await;
    let path = format!("/console/apps/{}/quickstart", server.founded.app);
    let page = console.get(&path).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains(&format!("ws{}/v1/connect", server.url.strip_prefix("http").unwrap())));
    assert!(!page.text.contains("data-pane"), "nobody speaks for a live app on a page");
    let part = console.get(&format!("{path}/checkpoints")).await;
    assert!(part.text.contains("Your code") && !part.text.contains("step done"), "{}", part.text);
    let altered = token(&page.text).replacen('.', ".e", 1);
    let error = Client::open(&server).await.refused("connect", json!({"token": altered, "sdk": "mine/1"})).await;
    assert_eq!(error["code"], "token_invalid");
    let part = console.get(&format!("{path}/checkpoints")).await;
    assert!(part.text.contains("id=\"refused\"") && part.text.contains("token_invalid"), "{}", part.text);
    let forged = sign(&server.founded.signing.kid, &json!({}), "a guess");
    let error = Client::open(&server).await.refused("connect", json!({"token": forged, "sdk": "mine/1"})).await;
    assert!(
        error["message"].as_str().unwrap().starts_with("no signing key has"),
        "a stranger is told no more: {error}"
    );
    let part = console.get(&format!("{path}/checkpoints")).await;
    assert!(part.text.contains("the signature was not made with"), "the app's people are: {}", part.text);
    let foreign = with_claims(&server.founded, "alice", json!({"aud": server.other.app}));
    let error = Client::open(&server).await.refused("connect", json!({"token": foreign, "sdk": "mine/1"})).await;
    let said = format!("`aud` must be the id of the signing key's app, {}", server.founded.app);
    assert_eq!(error["message"], said);
    let part = console.get(&format!("{path}/checkpoints")).await;
    assert!(part.text.contains(&said.replace('\'', "&#39;")), "the page says what the client was told: {}", part.text);
    let _alice = Client::connect_with(&server, json!({"token": token(&page.text), "sdk": "mine/1"})).await;
    let part = console.get(&format!("{path}/checkpoints")).await;
    assert!(part.text.contains("mine/1") && part.text.matches("step done").count() == 1, "{}", part.text);
    for (code, hello) in [("node", "Hello from Node"), ("python", "Hello from Python"), ("curl", "Hello from curl")] {
        assert!(console.get(&format!("{path}?code={code}")).await.text.contains(hello));
    }
    let refused = console.send(&format!("{path}/messages"), &[("sender", "alice"), ("text", "hi")]).await;
    assert_eq!(refused.status, 404, "a live app has no one to speak for");
}
