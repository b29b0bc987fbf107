//! A group of 100,000.

use crate::support::TestServer;
use serde_json::json;
use tokenim_domain::limits::{MEMBERS_MAX, MEMBERS_PER_COMMAND_MAX};

#[tokio::test]
async fn a_message_reaches_a_member_of_100_000() {
    let server = TestServer::spawn().await;
    let mut owner = server.connect("owner").await;
    let last = format!("u{}", MEMBERS_MAX - 1);
    owner.ok("conversation.create", json!({"kind": "group", "id": "g"})).await;
    let names: Vec<_> = (1..MEMBERS_MAX).map(|at| format!("u{at}")).collect();
    for part in names.chunks(MEMBERS_PER_COMMAND_MAX) {
        let added = owner.ok("conversation.add", json!({"conversation": "g", "members": part})).await;
        assert_eq!(added["changed"], true);
        owner.heard.clear();
    }
    let error = owner.refused("conversation.add", json!({"conversation": "g", "members": ["one-more"]})).await;
    assert_eq!(error["code"], "limit_reached");
    // Who connects now need not answer pings all the while.
    let mut member = server.connect(&last).await;
    // So large a group pushes heads until it is opened.
    for client in [&mut owner, &mut member] {
        client.ok("open", json!({"conversation": "g"})).await;
    }
    let sent = owner.send("g", "m", "to everybody").await;
    let push = member.push_of("message").await;
    assert_eq!((&push["seq"], &push["body"]["text"]), (&sent["seq"], &json!("to everybody")));
    member.send("g", "m", "to the owner").await;
    assert_eq!(owner.push_of("message").await["sender"], json!(last));
    let shown = server.rest().get("/v1/conversations/g").await.ok();
    assert_eq!(shown["members"], MEMBERS_MAX);
    // A thousand at once go as fast as they came.
    let gone = owner.ok("conversation.remove", json!({"conversation": "g", "members": names[..1_000]})).await;
    assert_eq!(gone["changed"], true);
    owner.ok("conversation.mute", json!({"conversation": "g", "user": last, "for_s": 60})).await;
    let muted = member.refused("send", crate::support::client::text_message("g", "n", "x")).await;
    assert_eq!(muted["code"], "muted");
}
