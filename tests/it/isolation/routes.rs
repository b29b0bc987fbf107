//! Every REST route, with ids of another org.

use super::{Ids, Orgs, assert_clean, masked};
use crate::support::rest::{Answer, answer};
use crate::support::{Rest, within};
use serde_json::{Value, json};
use tokenim_api::{RouteSpec, Verb, routes, session_routes};

/// Requests of a route that name something by these ids. A route without a line here fails the test.
fn cases(route: &RouteSpec, ids: &Ids) -> Vec<(String, Option<Value>)> {
    let Ids { conversation, fresh, own, user, client_msg_id, app, org, management_key, .. } = ids;
    let Ids { account, invitation, email, key, kid, own_org, .. } = ids;
    let get = |paths: &[String]| paths.iter().map(|path| (path.clone(), None)).collect();
    let of = |id: &str| route.path.replace("{id}", id).replace("{user}", user);
    let of_app = route.path.replace("{app}", app);
    let message =
        |sender: &str| json!({"sender": sender, "client_msg_id": client_msg_id, "kind": "text", "body": {"text": "x"}});
    let carrying = |file: &str| json!({"sender": "alice", "client_msg_id": "carries", "kind": "json", "body": 1, "attachments": [file]});
    match (route.verb, route.path) {
        (Verb::Post, "/v1/tokens") => vec![
            (of(""), Some(json!({"user": user}))),
            (of(""), Some(json!({"user": user, "caps": {conversation: ["read"]}}))),
        ],
        (Verb::Post, "/v1/conversations") => vec![
            (of(""), Some(json!({"kind": "group", "id": fresh, "members": ["alice", user]}))),
            (of(""), Some(json!({"kind": "group", "id": fresh, "members": ["bob"]}))),
            (of(""), Some(json!({"kind": "direct", "members": ["bob", user]}))),
        ],
        (Verb::Get, "/v1/conversations/{id}") => get(&[of(conversation)]),
        (Verb::Get, "/v1/conversations/{id}/messages") => {
            get(&[of(conversation), of(conversation) + "?after=0&limit=200", of(conversation) + "?around=2"])
        }
        (Verb::Post, "/v1/conversations/{id}/messages") => vec![
            (of(conversation), Some(message("alice"))),
            (of(conversation), Some(message(user))),
            (of(own), Some(message(user))),
            (of(own), Some(message("alice"))),
            (of(own), Some(carrying(&ids.attachment))),
            (of(conversation), Some(carrying(&ids.attachment))),
        ],
        (Verb::Get, "/v1/conversations/{id}/messages/{seq}" | "/v1/conversations/{id}/messages/{seq}/reactions") => {
            get(&[of(conversation).replace("{seq}", "2"), of(conversation).replace("{seq}", "99")])
        }
        (Verb::Patch, "/v1/conversations/{id}/messages/{seq}") => vec![
            (of(conversation).replace("{seq}", "2"), Some(json!({"kind": "text", "body": {"text": "x"}}))),
            (
                of(conversation).replace("{seq}", "2"),
                Some(json!({"user": user, "kind": "text", "body": {"text": "x"}})),
            ),
        ],
        (Verb::Delete, "/v1/conversations/{id}/messages/{seq}") => {
            get(&[of(conversation).replace("{seq}", "2"), of(conversation).replace("{seq}", "2") + "?user=" + user])
        }
        (Verb::Post, "/v1/conversations/{id}/messages/{seq}/reactions") => vec![
            (of(conversation).replace("{seq}", "2"), Some(json!({"user": user, "emoji": "+1"}))),
            (of(conversation).replace("{seq}", "2"), Some(json!({"user": "alice", "emoji": "+1"}))),
            (of(own).replace("{seq}", "2"), Some(json!({"user": user, "emoji": "+1"}))),
        ],
        (Verb::Post, "/v1/conversations/{id}/messages/{seq}/pin") => {
            vec![(of(conversation).replace("{seq}", "2"), Some(json!({})))]
        }
        (Verb::Post, "/v1/conversations/{id}/streams") => vec![
            (of(conversation), Some(json!({"sender": "alice", "client_msg_id": client_msg_id}))),
            (of(conversation), Some(json!({"sender": user, "client_msg_id": client_msg_id, "text": "x"}))),
            (of(own), Some(json!({"sender": user, "client_msg_id": client_msg_id}))),
        ],
        (Verb::Get, "/v1/conversations/{id}/streams/{seq}") => {
            get(&[of(conversation).replace("{seq}", "2"), of(conversation).replace("{seq}", "99") + "?offset=9"])
        }
        (Verb::Post, "/v1/conversations/{id}/streams/{seq}/append") => vec![
            (of(conversation).replace("{seq}", "2"), Some(json!({"offset": 0, "text": "x"}))),
            (of(conversation).replace("{seq}", "2"), Some(json!({"user": user, "offset": 0, "text": "x"}))),
            (of(own).replace("{seq}", "2"), Some(json!({"user": user, "offset": 0, "text": "x"}))),
        ],
        (Verb::Post, "/v1/conversations/{id}/streams/{seq}/end") => vec![
            (of(conversation).replace("{seq}", "2"), Some(json!({}))),
            (of(conversation).replace("{seq}", "2"), Some(json!({"user": user, "text": "x"}))),
            (of(own).replace("{seq}", "2"), Some(json!({"user": user}))),
        ],
        (Verb::Get, "/v1/conversations/{id}/pins") => get(&[of(conversation)]),
        (Verb::Get, "/v1/conversations/{id}/members") => {
            get(&[of(conversation), of(conversation) + "?limit=200", format!("{}?cursor=cur_{user}", of(own))])
        }
        (Verb::Post, "/v1/conversations/{id}/members") => {
            vec![(of(conversation), Some(json!({"members": ["alice"]}))), (of(own), Some(json!({"members": [user]})))]
        }
        (Verb::Delete, "/v1/conversations/{id}/members/{user}") => get(&[of(conversation), of(own)]),
        (Verb::Post, "/v1/conversations/{id}/typing") => {
            vec![(of(conversation), Some(json!({"sender": "alice"}))), (of(own), Some(json!({"sender": user})))]
        }
        (Verb::Post, "/v1/conversations/{id}/ephemeral") => {
            vec![(of(conversation), Some(message("alice"))), (of(own), Some(message(user)))]
        }
        (Verb::Get, "/v1/conversations/{id}/messages/{seq}/receipts") => {
            let of = |id: &str, seq: &str| of(id).replace("{seq}", seq);
            get(&[
                of(conversation, "1") + "?who=has",
                of(conversation, "99"),
                of(own, "1") + "?who=has&cursor=cur_" + user,
            ])
        }
        (Verb::Get, "/v1/presence") => {
            get(&[format!("/v1/presence?users={user}"), format!("/v1/presence?users=alice,{user}")])
        }
        (Verb::Get, "/v1/usage") => get(&[of(""), format!("/v1/usage?app={app}"), "/v1/usage?group=day".to_owned()]),
        (Verb::Get, "/v1/stats") => get(&[of(""), format!("/v1/stats?app={app}")]),
        (Verb::Get, "/v1/stats/series") => get(&[
            "/v1/stats/series?metric=msg_sent".to_owned(),
            format!("/v1/stats/series?metric={app}"),
            format!("/v1/stats/series?metric=connections&app={app}"),
        ]),
        (Verb::Get, "/v1/openapi.json") => get(&[of("")]),
        (Verb::Get, "/v1/manage/orgs") => get(&[of("")]),
        (Verb::Post, "/v1/manage/orgs") => {
            vec![(of(""), Some(json!({"name": "x", "owner_email": email}))), (of("") + "?org=" + org, Some(json!({})))]
        }
        (Verb::Get, "/v1/manage/orgs/{org}") => get(&[route.path.replace("{org}", org)]),
        (Verb::Patch, "/v1/manage/orgs/{org}") => {
            vec![(route.path.replace("{org}", org), Some(json!({"name": "x", "requires_totp": true})))]
        }
        (Verb::Post, "/v1/manage/orgs/{org}/suspend" | "/v1/manage/orgs/{org}/resume") => {
            vec![(route.path.replace("{org}", org), Some(json!({})))]
        }
        (Verb::Post, "/v1/manage/orgs/{org}/transfer") => {
            let transfer = json!({"from": account, "to": account, "name": "Ada Org"});
            vec![
                (route.path.replace("{org}", org), Some(transfer.clone())),
                (route.path.replace("{org}", own_org), Some(transfer)),
            ]
        }
        (
            Verb::Get,
            "/v1/manage/service"
            | "/v1/manage/service/audit"
            | "/v1/manage/service/audit/check"
            | "/v1/manage/nodes"
            | "/v1/manage/dead-jobs",
        ) => get(&[of(""), of("") + "?org=" + org]),
        (Verb::Post, "/v1/manage/dead-jobs/{job}/retry") => {
            vec![(route.path.replace("{job}", &key.replace("key_", "job_")), Some(json!({})))]
        }
        (Verb::Get, "/v1/manage/members") => {
            get(&[of("") + "?org=" + org, of("") + "?limit=200&cursor=cur_" + account])
        }
        (Verb::Patch, "/v1/manage/members/{account}") => vec![
            (route.path.replace("{account}", account), Some(json!({"role": "viewer"}))),
            (route.path.replace("{account}", account), Some(json!({"role": "viewer", "from": "owner"}))),
            (route.path.replace("{account}", account) + "?org=" + org, Some(json!({"role": "viewer"}))),
        ],
        (Verb::Delete, "/v1/manage/members/{account}") => {
            let path = route.path.replace("{account}", account);
            get(&[path.clone(), path + "?org=" + org])
        }
        (Verb::Get, "/v1/manage/invitations") => {
            get(&[of("") + "?org=" + org, of("") + "?limit=200&cursor=cur_" + invitation])
        }
        (Verb::Post, "/v1/manage/invitations") => vec![
            (of("") + "?org=" + org, Some(json!({"email": "eve@example.com", "role": "owner"}))),
            (of(""), Some(json!({"email": email, "role": "viewer"}))),
        ],
        (Verb::Delete, "/v1/manage/invitations/{id}") => get(&[of(invitation), of(invitation) + "?org=" + org]),
        (Verb::Post, "/v1/manage/invitations/{id}/resend") => {
            vec![(of(invitation), Some(json!({}))), (of(invitation) + "?org=" + org, Some(json!({})))]
        }
        (Verb::Get, "/v1/manage/audit") => get(&[of("") + "?org=" + org, of("") + "?actor=" + account]),
        (Verb::Get, "/v1/manage/audit/check") => get(&[of("") + "?org=" + org]),
        (Verb::Get, "/v1/manage/management-keys") => {
            get(&[of("") + "?org=" + org, of("") + "?limit=200&cursor=cur_" + management_key])
        }
        (Verb::Post, "/v1/manage/management-keys") => {
            vec![(of("") + "?org=" + org, Some(json!({"name": "x", "role": "viewer"})))]
        }
        (Verb::Post, "/v1/manage/management-keys/{id}/revoke") => {
            vec![(of(management_key), Some(json!({}))), (of(management_key) + "?org=" + org, Some(json!({})))]
        }
        (Verb::Get, "/v1/manage/apps") => get(&[of("") + "?org=" + org, of("") + "?limit=200&cursor=cur_" + app]),
        (Verb::Post, "/v1/manage/apps") => {
            vec![(of("") + "?org=" + org, Some(json!({"name": "x", "mode": "test"})))]
        }
        (Verb::Get, "/v1/manage/apps/{app}" | "/v1/manage/apps/{app}/origins") => {
            get(&[of_app.clone(), of_app + "?org=" + org])
        }
        (Verb::Patch, "/v1/manage/apps/{app}") => {
            vec![(of_app.clone(), Some(json!({"name": "x"}))), (of_app, Some(json!({"suspended": true})))]
        }
        (Verb::Delete, "/v1/manage/apps/{app}") => get(&[of_app.clone() + "?name=canary-app-of-b", of_app]),
        (Verb::Post, "/v1/manage/apps/{app}/origins") => {
            vec![(of_app, Some(json!({"origin": "https://shop.example"})))]
        }
        (Verb::Delete, "/v1/manage/apps/{app}/origins") => get(&[of_app + "?origin=https://shop.example"]),
        (Verb::Get, "/v1/manage/keys") => {
            get(&[of("") + "?org=" + org, of("") + "?app=" + app, of("") + "?limit=200&cursor=cur_" + key])
        }
        (Verb::Get, "/v1/manage/signing-keys") => {
            get(&[of("") + "?org=" + org, of("") + "?app=" + app, of("") + "?limit=200&cursor=cur_" + kid])
        }
        (Verb::Post, "/v1/manage/keys") => {
            vec![(of(""), Some(json!({"app": app, "name": "x", "scopes": ["*"]})))]
        }
        (Verb::Post, "/v1/manage/signing-keys") => {
            vec![(of(""), Some(json!({"app": app, "name": "x", "algorithm": "HS256"})))]
        }
        (Verb::Post, "/v1/manage/keys/{id}/rotate" | "/v1/manage/keys/{id}/revoke") => {
            vec![(of(key), Some(json!({}))), (of(key) + "?org=" + org, Some(json!({})))]
        }
        (Verb::Post, "/v1/manage/signing-keys/{id}/rotate" | "/v1/manage/signing-keys/{id}/revoke") => {
            vec![(of(kid), Some(json!({}))), (of(kid) + "?org=" + org, Some(json!({})))]
        }
        // It names a key by the key itself, and whoever has that may do more.
        (Verb::Post, "/v1/keys/report-leak") => Vec::new(),
        (Verb::Get, "/v1/manage/plans" | "/v1/manage/subscription" | "/v1/manage/invoices") => {
            get(&[of("") + "?org=" + org])
        }
        (Verb::Put, "/v1/manage/subscription") => vec![(of("") + "?org=" + org, Some(json!({"plan": "basic"})))],
        (Verb::Get, "/v1/manage/usage" | "/v1/manage/stats") => get(&[of("") + "?org=" + org, of("") + "?app=" + app]),
        // Of no org, and for operators only: what is asked for is the same.
        (Verb::Get, "/v1/manage/announcements") => get(&[of("")]),
        (Verb::Get, "/v1/manage/announcements/{id}") => get(&[of("ann_00000000000000000000000001")]),
        (Verb::Post, "/v1/manage/announcements") => vec![(of(""), Some(json!({})))],
        (Verb::Put, "/v1/manage/announcements/{id}") | (Verb::Post, "/v1/manage/announcements/{id}/end") => {
            vec![(of("ann_00000000000000000000000001"), Some(json!({})))]
        }
        (Verb::Patch, "/v1/conversations/{id}") => {
            vec![(of(conversation), Some(json!({"name": "x", "join": "open", "add": "members"})))]
        }
        (Verb::Post, "/v1/conversations/{id}/join" | "/v1/conversations/{id}/leave") => vec![
            (of(conversation), Some(json!({}))),
            (of(conversation), Some(json!({"user": user}))),
            (of(conversation), Some(json!({"user": "alice"}))),
            (of(own), Some(json!({"user": user}))),
        ],
        (Verb::Put, "/v1/conversations/{id}/members/{user}/role") => {
            vec![(of(conversation), Some(json!({"role": "admin"}))), (of(own), Some(json!({"role": "admin"})))]
        }
        (Verb::Put, "/v1/conversations/{id}/members/{user}/mute") => {
            vec![(of(conversation), Some(json!({"for_s": 60}))), (of(own), Some(json!({"for_s": 60})))]
        }
        (Verb::Put, "/v1/conversations/{id}/bans/{user}") => {
            vec![(of(conversation), Some(json!({}))), (of(own), Some(json!({})))]
        }
        (Verb::Delete, "/v1/conversations/{id}/bans/{user}" | "/v1/conversations/{id}/requests/{user}") => {
            get(&[of(conversation), of(own)])
        }
        (Verb::Get, "/v1/conversations/{id}/requests" | "/v1/conversations/{id}/bans") => {
            get(&[of(conversation), format!("{}?cursor=cur_{user}", of(own))])
        }
        (Verb::Get, "/v1/users/{user}/blocks") => get(&[of("")]),
        (Verb::Put, "/v1/users/{user}/blocks/{other}") => {
            vec![(of("").replace("{other}", "alice"), Some(json!({})))]
        }
        (Verb::Delete, "/v1/users/{user}/blocks/{other}") => get(&[of("").replace("{other}", "alice")]),
        (Verb::Post, "/v1/uploads") => {
            let body = |conversation: &str, sender: &str| json!({"conversation": conversation, "sender": sender, "client_msg_id": client_msg_id, "kind": "json", "bytes": 5, "sha256": "0".repeat(64)});
            let (there, own) = (body(conversation, "alice"), body(own, user));
            vec![(of(""), Some(there)), (of(""), Some(body(conversation, user))), (of(""), Some(own))]
        }
        (Verb::Get | Verb::Delete, "/v1/uploads/{id}") => get(&[of(&ids.upload)]),
        (Verb::Put, "/v1/uploads/{id}/chunks/{index}") => {
            vec![(of(&ids.upload).replace("{index}", "0"), Some(json!({"data": "e30xMjM="})))]
        }
        (Verb::Post, "/v1/uploads/{id}/commit") => vec![(of(&ids.upload), Some(json!({})))],
        (Verb::Get, "/v1/conversations/{id}/messages/{seq}/body") => {
            get(&[of(conversation).replace("{seq}", "2"), of(own).replace("{seq}", "2")])
        }
        (Verb::Post, "/v1/conversations/{id}/messages/{seq}/body/link") => {
            vec![
                (of(conversation).replace("{seq}", "2"), Some(json!({}))),
                (of(own).replace("{seq}", "2"), Some(json!({}))),
            ]
        }
        (Verb::Get, "/v1/conversations/{id}/messages/{seq}/attachments/{attachment}") => {
            let path = |id: &str, seq: &str| of(id).replace("{seq}", seq).replace("{attachment}", &ids.attachment);
            get(&[path(conversation, "3"), path(own, "3"), path(own, "2")])
        }
        (Verb::Post, "/v1/conversations/{id}/messages/{seq}/attachments/{attachment}/link") => {
            let path = |id: &str| of(id).replace("{seq}", "3").replace("{attachment}", &ids.attachment);
            vec![(path(conversation), Some(json!({}))), (path(own), Some(json!({})))]
        }
        (Verb::Get, "/v1/attachments/{link}") => get(&[route.path.replace("{link}", &ids.attachment)]),
        (Verb::Get, "/v1/bodies/{link}") => get(&[route.path.replace("{link}", &ids.upload)]),
        (verb, path) => panic!("{verb:?} {path} has no case in this table"),
    }
}

async fn ask(rest: &Rest, route: &RouteSpec, (path, body): &(String, Option<Value>)) -> Answer {
    let mut request = rest.request(route.verb.method().as_str().parse().unwrap(), path);
    if let Some(body) = body {
        request = request.json(body);
    }
    let answer = answer(request).await;
    assert_clean(&answer.text);
    answer
}

/// Status, headers and body with ids masked; lengths of bodies with masked values may differ.
fn comparable(answer: &Answer, ids: &Ids) -> String {
    let body = masked(&answer.text, ids);
    let head = Answer { text: String::new(), ..answer.clone() }.masked(&[]);
    format!("{head}{body}")
}

#[tokio::test]
async fn every_route_answers_a_foreign_id_like_one_of_nothing() {
    let orgs = Orgs::new().await;
    // Connected to the end: the statistics count it.
    let alice = orgs.server.connect("alice").await;
    let manager = orgs.server.manager(&orgs.server.founded).await.secret;
    for credential in [&orgs.server.founded.key, &orgs.server.token("alice"), alice.session(), &manager] {
        let rest = orgs.server.rest_as(credential);
        for route in routes() {
            let [foreign, nothing] = orgs.both().map(|ids| cases(route, ids));
            for (foreign, nothing) in foreign.iter().zip(&nothing) {
                let one = comparable(&ask(&rest, route, foreign).await, &orgs.foreign);
                let two = comparable(&ask(&rest, route, nothing).await, &orgs.nothing);
                assert_eq!(one, two, "{:?} {} {foreign:?}", route.verb, route.path);
            }
        }
    }
    orgs.assert_unchanged().await;
}

/// Requests of the session over HTTP: path, the header `Tokenim-Heads`, and body.
fn session_cases(route: &RouteSpec, ids: &Ids) -> Vec<(String, Value, Option<Value>)> {
    let Ids { conversation, own, user, client_msg_id, .. } = ids;
    let heads = json!({conversation: [1, 1], own: [1, 1]});
    match (route.verb, route.path) {
        (Verb::Get, "/v1/stream") => vec![
            ("/v1/stream?device=d1".to_owned(), heads.clone(), None),
            (format!("/v1/stream?device={client_msg_id}"), heads, None),
        ],
        (Verb::Post, "/v1/commands") => {
            let command = |fields: Value| Some(json!({"id": 1, "history": fields}));
            vec![
                ("/v1/commands?device=d1".to_owned(), json!({}), command(json!({"conversation": conversation}))),
                ("/v1/commands?device=d1".to_owned(), json!({}), Some(json!({"id": 2, "block": {"user": user}}))),
                (format!("/v1/commands?device={client_msg_id}"), json!({}), command(json!({"conversation": own}))),
            ]
        }
        (verb, path) => panic!("{verb:?} {path} has no case in this table"),
    }
}

/// Status, and the first event or the whole answer; the stream, so that it stays open.
async fn ask_session(
    rest: &Rest,
    route: &RouteSpec,
    case: (String, Value, Option<Value>),
) -> (String, String, reqwest::Response) {
    let (path, heads, body) = case;
    let mut request = rest.request(route.verb.method().as_str().parse().unwrap(), &path);
    request = request.header("tokenim-heads", heads.to_string());
    if let Some(body) = body {
        request = request.json(&body);
    }
    let mut answer = within(request.send()).await.unwrap();
    let (status, mut text) = (answer.status().to_string(), String::new());
    while !text.contains("\n\n") {
        match within(answer.chunk()).await.unwrap() {
            Some(bytes) => text.push_str(std::str::from_utf8(&bytes).unwrap()),
            None => break,
        }
    }
    assert_clean(&text);
    (status, text.trim_start_matches("data: ").to_owned(), answer)
}

#[tokio::test]
async fn the_session_over_http_answers_a_foreign_id_like_one_of_nothing() {
    let orgs = Orgs::new().await;
    for credential in [&orgs.server.founded.key, &orgs.server.token("alice")] {
        let rest = orgs.server.rest_as(credential);
        let mut streams = Vec::new();
        for route in session_routes() {
            let [foreign, nothing] = orgs.both().map(|ids| session_cases(route, ids));
            for (foreign, nothing) in foreign.into_iter().zip(nothing) {
                let (one, told, first) = ask_session(&rest, route, foreign).await;
                let (two, said, second) = ask_session(&rest, route, nothing).await;
                assert_eq!(
                    (one, masked(&told, &orgs.foreign)),
                    (two, masked(&said, &orgs.nothing)),
                    "{:?} {}",
                    route.verb,
                    route.path
                );
                streams.extend([first, second]);
            }
        }
    }
    orgs.assert_unchanged().await;
}

#[tokio::test]
async fn a_forged_token_with_a_foreign_kid_is_like_any_bad_one() {
    let orgs = Orgs::new().await;
    let [one, two] = orgs.both().map(|ids| (orgs.server.rest_as(&orgs.forged(ids)), ids));
    for path in ["/v1/conversations/of-b-1", "/v1/stats", "/v1/usage"] {
        let (a, b) = (one.0.get(path).await, two.0.get(path).await);
        assert_eq!(comparable(&a, one.1), comparable(&b, two.1), "{path}");
        assert_eq!(a.status, 401);
    }
}

#[tokio::test]
async fn an_idempotency_key_used_by_another_org_is_free() {
    let orgs = Orgs::new().await;
    let body = json!({"kind": "group", "members": ["canary-user"]});
    let theirs = orgs.server.rest_as(&orgs.server.other.key).post_once("/v1/conversations", "shared", &body).await.ok();
    let ours = orgs
        .server
        .rest()
        .post_once("/v1/conversations", "shared", &json!({"kind": "group", "members": ["bob"]}))
        .await;
    assert!(ours.headers.get("idempotent-replayed").is_none());
    assert_ne!(ours.ok()["id"], theirs["id"]);
}

#[tokio::test]
async fn figures_are_of_the_own_app_only() {
    let orgs = Orgs::new().await;
    let (a, b) = (orgs.server.rest(), orgs.server.rest_as(&orgs.server.other.key));
    assert_eq!((a.units().await, b.units().await), (0, 3));
    let _online =
        crate::support::Client::connect(&orgs.server, &crate::support::token::user_token(&orgs.server.other, "alice"))
            .await;
    let stats = |rest: Rest| async move { rest.get("/v1/stats").await.ok() };
    let (ours, theirs) = (stats(a).await, stats(b).await);
    assert_eq!(
        (&ours["connections"], &theirs["connections"], &ours["msg_sent"], &theirs["msg_sent"]),
        (&json!(0), &json!(1), &json!(0), &json!(3))
    );
}
