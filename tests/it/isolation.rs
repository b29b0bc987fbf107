//! Nothing of one org is seen, told from nothing, or changed with the credentials of another, on any face.

mod commands;
mod pages;
mod routes;

use crate::support::token::{now_s, sign, user_token};
use crate::support::{Client, Rest, TestServer};
use serde_json::{Value, json};

/// What every text of org B that A never names contains; it must not be in anything A receives.
pub const CANARY: &str = "canary-";

/// Ids that A puts into its requests: B's real ones, or ones of nothing. Both have the same lengths.
#[derive(Debug, Clone)]
pub struct Ids {
    /// Of a conversation A is not in: B's, or nobody's.
    pub conversation: String,
    /// One to create in A's app: taken in B's, or nowhere.
    pub fresh: String,
    /// A conversation of A's own, for requests that change one.
    pub own: String,
    pub user: String,
    pub client_msg_id: String,
    pub org: String,
    pub app: String,
    /// A's app: the place where B's things are asked for.
    pub own_app: String,
    /// A's org: the place where B's people are named.
    pub own_org: String,
    pub management_key: String,
    pub account: String,
    pub invitation: String,
    pub key: String,
    pub kid: String,
    pub email: String,
    pub upload: String,
    pub attachment: String,
}

/// Two orgs, and what B looked like before A tried anything.
pub struct Orgs {
    pub server: TestServer,
    pub foreign: Ids,
    pub nothing: Ids,
    before: Value,
    manager: String,
}

impl Orgs {
    pub async fn new() -> Orgs {
        let server = TestServer::spawn().await;
        let (a, b) = (server.rest(), server.rest_as(&server.other.key));
        let theirs = server.manager(&server.other).await;
        let guest = json!({"email": "canary-guest@example.com", "role": "viewer"});
        let invited = server.rest_as(&theirs.secret).post("/v1/manage/invitations", &guest).await.ok();
        let keys = server.rest_as(&theirs.secret).get("/v1/manage/keys").await.ok();
        let mut foreign = Ids {
            conversation: "of-b-1".into(),
            fresh: "of-b-2".into(),
            own: "own-b".into(),
            user: "user-b".into(),
            client_msg_id: "msg-b".into(),
            org: server.other.org.clone(),
            app: server.other.app.clone(),
            own_app: server.founded.app.clone(),
            own_org: server.founded.org.clone(),
            management_key: theirs.id.clone(),
            account: server.other.account.clone(),
            invitation: invited["id"].as_str().unwrap().to_owned(),
            key: keys["items"][0]["id"].as_str().unwrap().to_owned(),
            kid: server.other.signing.kid.clone(),
            email: server.other.email.clone(),
            upload: String::new(),
            attachment: String::new(),
        };
        let mut nothing = Ids {
            conversation: "of-z-1".into(),
            fresh: "of-z-2".into(),
            own: "own-z".into(),
            user: "user-z".into(),
            client_msg_id: "msg-z".into(),
            org: like(&server.other.org),
            app: like(&server.other.app),
            own_app: server.founded.app.clone(),
            own_org: server.founded.org.clone(),
            management_key: like(&theirs.id),
            account: like(&server.other.account),
            invitation: like(&foreign.invitation),
            key: like(&foreign.key),
            kid: like(&server.other.signing.kid),
            email: "zoe@example.com".into(),
            upload: String::new(),
            attachment: String::new(),
        };
        for (at, id) in [&foreign.conversation, &foreign.fresh].into_iter().enumerate() {
            b.post("/v1/conversations", &json!({"kind": "group", "id": id, "name": "canary-name", "members": ["alice", foreign.user, "canary-user"]})).await.ok();
            b.send(id, &foreign.user, &foreign.client_msg_id, &format!("canary-body-{at}")).await;
        }
        let mut of_b = Client::connect(&server, &user_token(&server.other, &foreign.user)).await;
        let body = json!({"conversation": foreign.conversation, "client_msg_id": "canary-upload", "kind": "json",
            "bytes": 5, "sha256": "0".repeat(64)});
        foreign.upload = of_b.ok("chunk.begin", body).await["upload"].as_str().unwrap().to_owned();
        nothing.upload = like(&foreign.upload);
        foreign.attachment = attach(&mut of_b, &foreign.conversation).await;
        nothing.attachment = like(&foreign.attachment);
        for ids in [&foreign, &nothing] {
            a.create_group(&ids.own, &["alice", "bob"]).await;
        }
        let manager = theirs.secret;
        let before = snapshot(&b, &server.rest_as(&manager), &foreign).await;
        Orgs { server, foreign, nothing, before, manager }
    }

    /// Both sets of ids, B's first.
    pub fn both(&self) -> [&Ids; 2] {
        [&self.foreign, &self.nothing]
    }

    /// A token that names a signing key by its kid but is signed with A's secret.
    pub fn forged(&self, ids: &Ids) -> String {
        let founded = &self.server.founded;
        let claims = json!({"iss": ids.kid, "aud": ids.app, "sub": "alice", "iat": now_s(), "exp": now_s() + 600});
        sign(&ids.kid, &claims, &founded.signing.secret)
    }

    /// B is as it was before.
    pub async fn assert_unchanged(&self) {
        let (b, manager) = (self.server.rest_as(&self.server.other.key), self.server.rest_as(&self.manager));
        assert_eq!(snapshot(&b, &manager, &self.foreign).await, self.before, "A changed something of B");
    }
}

/// A message of seq 3 that carries a file; the file's id.
async fn attach(client: &mut Client, conversation: &str) -> String {
    let sha256 = tokenim_domain::log::Digest::of(b"canary").to_string();
    let begin = json!({"purpose": "attachment", "client_msg_id": "canary-file", "name": "canary.txt",
        "content_type": "text/plain", "bytes": 6, "sha256": sha256});
    let upload = client.ok("chunk.begin", begin).await["upload"].take();
    client.ok("chunk.put", json!({"upload": upload, "index": 0, "data": "Y2FuYXJ5"})).await;
    let file = client.ok("chunk.commit", json!({"upload": upload})).await["attachment"]["id"].take();
    let message = json!({"conversation": conversation, "client_msg_id": "canary-carries", "kind": "json", "body": 1,
        "attachments": [file]});
    client.ok("send", message).await;
    file.as_str().unwrap().to_owned()
}

/// Another id of the same length.
fn like(id: &str) -> String {
    let (head, last) = id.split_at(id.len() - 1);
    format!("{head}{}", if last == "0" { "1" } else { "0" })
}

/// Everything of B that can be asked for.
async fn snapshot(b: &Rest, manager: &Rest, ids: &Ids) -> Value {
    let mut seen = Vec::new();
    for id in [&ids.conversation, &ids.fresh] {
        for path in ["", "/messages?after=0&limit=200", "/members?limit=200"] {
            seen.push(b.get(&format!("/v1/conversations/{id}{path}")).await.ok());
        }
    }
    seen.push(b.get("/v1/usage?from=2020-01-01&to=2020-01-02").await.ok()["items"].take());
    for path in ["management-keys", "keys"] {
        let mut keys = manager.get(&format!("/v1/manage/{path}")).await.ok()["items"].take();
        // Looking is a use.
        keys[0]["last_used_at"] = Value::Null;
        keys[0]["last_used_from"] = Value::Null;
        seen.push(keys);
    }
    let paths = ["members", "invitations", "audit?limit=200", "apps", "signing-keys"].map(str::to_owned);
    for path in paths.into_iter().chain([format!("orgs/{}", ids.org), format!("apps/{}/origins", ids.app)]) {
        seen.push(manager.get(&format!("/v1/manage/{path}")).await.ok());
    }
    json!({"seen": seen, "units": b.units().await})
}

/// A text with the ids that were asked for, and values that differ between any two answers, masked.
pub fn masked(text: &str, ids: &Ids) -> String {
    let mut out = text.to_owned();
    let value = serde_json::from_str::<Value>(text).unwrap_or_default();
    for volatile in [
        "token",
        "session",
        "expires_at",
        "created_at",
        "as_of",
        "server_time",
        "complete_to",
        "at",
        "id",
        "device",
        "request_id",
        "secret",
        "hint",
        "last_used_at",
    ] {
        for found in values_of(&value, volatile) {
            out = out.replace(&found, "~");
        }
    }
    // A number, and counted in whole seconds: an answer behind the next second's edge has one less.
    if let Some(left_s) = value.pointer("/ok/expires_in_s") {
        out = out.replace(&format!("\"expires_in_s\":{left_s}"), "\"expires_in_s\":~");
    }
    let own = [&ids.conversation, &ids.fresh, &ids.own, &ids.user, &ids.client_msg_id, &ids.kid, &ids.email];
    let rest = [
        &ids.org,
        &ids.app,
        &ids.management_key,
        &ids.key,
        &ids.account,
        &ids.invitation,
        &ids.upload,
        &ids.attachment,
    ];
    for id in own.into_iter().chain(rest) {
        out = out.replace(id.as_str(), "#");
    }
    out
}

/// The strings under a key, anywhere in a value.
fn values_of(value: &Value, key: &str) -> Vec<String> {
    match value {
        Value::Object(map) => map
            .iter()
            .flat_map(|(name, inner)| {
                inner.as_str().filter(|_| name == key).map(str::to_owned).into_iter().chain(values_of(inner, key))
            })
            .collect(),
        Value::Array(list) => list.iter().flat_map(|inner| values_of(inner, key)).collect(),
        _ => Vec::new(),
    }
}

/// Nothing of B is in a text that A received.
pub fn assert_clean(text: &str) {
    assert!(!text.contains(CANARY), "something of B reached A: {text}");
}
