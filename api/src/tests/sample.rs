//! A request that every route takes, about things of `alpha` that are there; each is made anew for each sample.

use super::house::House;
use crate::{RouteSpec, Verb, Who};
use serde_json::{Value, json};
use tokenim_domain::actor::{Acting, Actor, Right, Who as Somebody};
use tokenim_domain::announcement::{Content, Severity};
use tokenim_domain::id::{AccountId, AnnouncementId, AppId, JobId, KeyId};
use tokenim_domain::role::{Mode, OrgRole};
use tokenim_domain::scope::Scopes;
use tokenim_domain::secret::{Secret, sha256};
use tokenim_domain::token::SigningAlgorithm;
use tokenim_store::{InvitationLink, NewInvitation};

/// Path and body. A route without a line here fails the test.
pub(super) async fn sample(house: &House, spec: &RouteSpec) -> (String, Value) {
    let acting = house.acting();
    let org = house.alpha.app.org.to_string();
    let plain = |body: Value| (spec.path.to_owned(), body);
    let of_group = |body: Value| (spec.path.replace("{id}", "c1").replace("{user}", "bob"), body);
    let with_id = |id: String| (spec.path.replace("{id}", &id), json!({}));
    match (spec.verb, spec.path) {
        (Verb::Post, "/v1/tokens") => plain(json!({"user": "alice"})),
        (Verb::Post, "/v1/conversations") => plain(json!({"kind": "group", "members": ["bob"]})),
        (Verb::Post, "/v1/conversations/{id}/messages") => {
            of_group(json!({"client_msg_id": "m", "kind": "json", "body": 1}))
        }
        (Verb::Post, "/v1/uploads") => plain(new_body("sample")),
        (Verb::Get, "/v1/uploads/{id}") => (with_id(begun(house, "sample").await).0, Value::Null),
        (Verb::Put, "/v1/uploads/{id}/chunks/{index}") => {
            let path = with_id(begun(house, "sample").await).0.replace("{index}", "0");
            (path, json!({"data": "eyJuIjoxfQ=="}))
        }
        (Verb::Post, "/v1/uploads/{id}/commit") => with_id(uploaded(house, "commit").await),
        (Verb::Delete, "/v1/uploads/{id}") => (with_id(begun(house, "abort").await).0, Value::Null),
        (verb, path) if path.contains("/attachments/{attachment}") => {
            let (seq, file) = carrying(house).await;
            let body = if verb == Verb::Post { json!({}) } else { Value::Null };
            let path = of_group(Value::Null).0.replace("{seq}", &seq.to_string());
            (path.replace("{attachment}", &file), body)
        }
        (Verb::Get, "/v1/attachments/{link}") => {
            let (seq, file) = carrying(house).await;
            let path = format!("/v1/conversations/c1/messages/{seq}/attachments/{file}/link");
            let url = house.post(house.key(), &path, json!({})).await.json["url"].take();
            let (_, link) = url.as_str().unwrap().rsplit_once('/').unwrap();
            (spec.path.replace("{link}", link), Value::Null)
        }
        (verb, path) if path.contains("/messages/{seq}/body") => {
            let seq = large(house).await.to_string();
            let body = if verb == Verb::Post { json!({}) } else { Value::Null };
            (of_group(Value::Null).0.replace("{seq}", &seq), body)
        }
        (Verb::Get, "/v1/bodies/{link}") => {
            let path = format!("/v1/conversations/c1/messages/{}/body/link", large(house).await);
            let url = house.post(house.key(), &path, json!({})).await.json["url"].take();
            let (_, link) = url.as_str().unwrap().rsplit_once('/').unwrap();
            (spec.path.replace("{link}", link), Value::Null)
        }
        (verb, path) if path.contains("/messages/{seq}") => {
            let body = match (verb, path.rsplit('/').next()) {
                (Verb::Get | Verb::Delete, _) => Value::Null,
                (_, Some("reactions")) => json!({"user": "alice", "emoji": "+1"}),
                (_, Some("pin")) => json!({}),
                _ => json!({"kind": "json", "body": 2}),
            };
            (of_group(Value::Null).0.replace("{seq}", &message(house).await.to_string()), body)
        }
        (Verb::Post, "/v1/conversations/{id}/streams") => of_group(json!({"client_msg_id": "s"})),
        (_, path) if path.contains("/streams/{seq}") => {
            let body = match path.rsplit('/').next() {
                Some("append") => json!({"user": "alice", "offset": 0, "text": "x"}),
                Some("end") => json!({"user": "alice"}),
                _ => Value::Null,
            };
            let (id, seq) = stream(house).await;
            (spec.path.replace("{id}", &id).replace("{seq}", &seq.to_string()), body)
        }
        (Verb::Get, "/v1/presence") => ("/v1/presence?users=alice,bob".to_owned(), Value::Null),
        (Verb::Post, "/v1/conversations/{id}/ephemeral") => {
            of_group(json!({"client_msg_id": "e", "kind": "json", "body": 1}))
        }
        (Verb::Post, "/v1/conversations/{id}/typing") => of_group(json!({})),
        (Verb::Post, "/v1/conversations/{id}/members") => of_group(json!({"members": ["bob"]})),
        (Verb::Get, "/v1/manage/orgs/{org}") => (spec.path.replace("{org}", &org), Value::Null),
        (Verb::Post, "/v1/manage/orgs") => plain(json!({"name": "Acme", "owner_email": "boss@example.com"})),
        (Verb::Patch, "/v1/manage/orgs/{org}") => (spec.path.replace("{org}", &org), json!({"name": "Alpha & Sons"})),
        (Verb::Post, "/v1/manage/orgs/{org}/suspend" | "/v1/manage/orgs/{org}/resume") => {
            // Not `alpha`, whose credentials the tests go on with.
            let org = house.founded(&fresh(house)).await.app.org;
            if spec.path.ends_with("resume") {
                let acting = Acting { org, right: Right::Service, ..acting };
                tokenim_control::orgs::suspend(&house.api.store, &acting, true).await.unwrap();
            }
            (spec.path.replace("{org}", &org.to_string()), json!({}))
        }
        (Verb::Post, "/v1/manage/orgs/{org}/transfer") => {
            let (from, to) = (house.alpha.account, member(house).await);
            let name = house.api.store.org(acting.org).find().await.unwrap().unwrap().name;
            (spec.path.replace("{org}", &org), json!({"from": from, "to": to, "name": name}))
        }
        (Verb::Post, "/v1/manage/dead-jobs/{job}/retry") => {
            (spec.path.replace("{job}", &dead_job(house).await.to_string()), json!({}))
        }
        (Verb::Patch, "/v1/manage/members/{account}") => {
            (spec.path.replace("{account}", &member(house).await.to_string()), json!({"role": "developer"}))
        }
        (Verb::Delete, "/v1/manage/members/{account}") => {
            (spec.path.replace("{account}", &member(house).await.to_string()), Value::Null)
        }
        (Verb::Post, "/v1/manage/invitations") => {
            plain(json!({"email": format!("{}@example.com", fresh(house)), "role": "viewer"}))
        }
        (Verb::Delete, "/v1/manage/invitations/{id}") => {
            (spec.path.replace("{id}", &invitation(house, &fresh(house)).await), Value::Null)
        }
        (Verb::Post, "/v1/manage/invitations/{id}/resend") => {
            let id = invitation(house, &fresh(house)).await;
            house.pass(60_000);
            with_id(id)
        }
        (Verb::Post, "/v1/manage/management-keys") => plain(json!({"name": "ci", "role": "viewer"})),
        (Verb::Post, "/v1/manage/management-keys/{id}/revoke") => {
            with_id(management_key(house, &acting, OrgRole::Viewer).await.0.to_string())
        }
        (Verb::Post, "/v1/manage/apps") => plain(json!({"name": "shop", "mode": "live"})),
        (Verb::Get, "/v1/manage/apps/{app}" | "/v1/manage/apps/{app}/origins") => {
            (spec.path.replace("{app}", &app(house, &acting).await.to_string()), Value::Null)
        }
        (Verb::Patch, "/v1/manage/apps/{app}") => {
            (spec.path.replace("{app}", &app(house, &acting).await.to_string()), json!({"suspended": true}))
        }
        (Verb::Delete, "/v1/manage/apps/{app}") => {
            (spec.path.replace("{app}", &app(house, &acting).await.to_string()) + "?name=sample", Value::Null)
        }
        (Verb::Post, "/v1/manage/apps/{app}/origins") => {
            let body = json!({"origin": "https://shop.example"});
            (spec.path.replace("{app}", &app(house, &acting).await.to_string()), body)
        }
        (Verb::Delete, "/v1/manage/apps/{app}/origins") => {
            let app = app(house, &acting).await;
            tokenim_control::origins::add(&house.api.store, &acting, app, "https://shop.example").await.unwrap();
            (spec.path.replace("{app}", &app.to_string()) + "?origin=https://shop.example", Value::Null)
        }
        (Verb::Get, "/v1/manage/keys" | "/v1/manage/signing-keys") => plain(Value::Null),
        (Verb::Post, "/v1/manage/keys") => {
            plain(json!({"app": app(house, &acting).await.to_string(), "name": "ci", "scopes": ["*"]}))
        }
        (Verb::Post, "/v1/manage/keys/{id}/rotate" | "/v1/manage/keys/{id}/revoke") => {
            with_id(server_key(house, Scopes::All).await.0.to_string())
        }
        (Verb::Post, "/v1/manage/signing-keys") => {
            plain(json!({"app": app(house, &acting).await.to_string(), "name": "ci", "algorithm": "HS256"}))
        }
        (Verb::Post, "/v1/manage/signing-keys/{id}/rotate" | "/v1/manage/signing-keys/{id}/revoke") => {
            with_id(signing_key(house, &acting).await.to_string())
        }
        (Verb::Post, "/v1/manage/announcements") => plain(announcement()),
        (Verb::Get, "/v1/manage/announcements/{id}") => (with_id(announced(house).await.to_string()).0, Value::Null),
        (Verb::Put, "/v1/manage/announcements/{id}") => {
            let mut whole = announcement();
            whole["starts_at"] = json!("2027-01-31");
            (with_id(announced(house).await.to_string()).0, whole)
        }
        (Verb::Post, "/v1/manage/announcements/{id}/end") => with_id(announced(house).await.to_string()),
        (Verb::Post, "/v1/keys/report-leak") => plain(json!({"key": "nonsense"})),
        (Verb::Put, "/v1/manage/subscription") => plain(json!({"plan": "pro"})),
        (Verb::Patch, "/v1/conversations/{id}") => of_group(json!({"name": "x", "join": "open"})),
        (Verb::Post, "/v1/conversations/{id}/join") => of_group(json!({})),
        (Verb::Post, "/v1/conversations/{id}/leave") => {
            let group = json!({"kind": "group", "id": "left", "members": ["bob"]});
            house.post(house.key(), "/v1/conversations", group).await;
            house.post(house.key(), "/v1/conversations/left/members", json!({"members": ["alice"]})).await;
            with_id("left".to_owned())
        }
        (Verb::Put, "/v1/conversations/{id}/members/{user}/role") => {
            let bob = json!({"members": ["bob"]});
            house.post(house.key(), "/v1/conversations/c1/members", bob).await;
            of_group(json!({"role": "guest"}))
        }
        (Verb::Put, "/v1/conversations/{id}/members/{user}/mute") => {
            let bob = json!({"members": ["bob"]});
            house.post(house.key(), "/v1/conversations/c1/members", bob).await;
            of_group(json!({"for_s": 60}))
        }
        (Verb::Put, "/v1/conversations/{id}/bans/{user}") => of_group(json!({})),
        (_, "/v1/users/{user}/blocks" | "/v1/users/{user}/blocks/{other}") => {
            let body = if spec.verb == Verb::Put { json!({}) } else { Value::Null };
            (spec.path.replace("{user}", "alice").replace("{other}", "bob"), body)
        }
        (Verb::Get | Verb::Delete, _) => of_group(Value::Null),
        (verb, path) => panic!("{verb:?} {path} has no sample"),
    }
}

/// What operators may announce: the house's clock begins in January 2027.
fn announcement() -> Value {
    json!({
        "severity": "info", "title_en": "Works", "title_zh": "维护", "text_en": "Soon.", "text_zh": "即将开始。",
        "ends_at": "2027-02-01",
    })
}

/// Seq of a message of alice that is there.
async fn message(house: &House) -> i64 {
    let id = fresh(house);
    let body = json!({"sender": "alice", "client_msg_id": id, "kind": "json", "body": 1});
    house.post(house.key(), "/v1/conversations/c1/messages", body).await.json["seq"].as_i64().unwrap()
}

/// A live message of alice in a conversation of its own: one has 16 at most.
async fn stream(house: &House) -> (String, i64) {
    let id = fresh(house);
    let group = json!({"kind": "group", "id": id, "members": ["alice", "bob"]});
    assert_eq!(house.post(house.key(), "/v1/conversations", group).await.status, 200);
    let body = json!({"sender": "alice", "client_msg_id": "s"});
    let begun = house.post(house.key(), &format!("/v1/conversations/{id}/streams"), body).await;
    (id, begun.json["seq"].as_i64().unwrap())
}

async fn announced(house: &House) -> AnnouncementId {
    let words = || "x".to_owned();
    let content = Content {
        severity: Severity::Info,
        title_en: words(),
        title_zh: words(),
        text_en: words(),
        text_zh: words(),
        starts_ms: house.now_ms(),
        ends_ms: house.now_ms() + 1_000_000,
    };
    house.api.store.create_announcement(&Actor::machine(), content).await.unwrap().id
}

/// A text that nobody had before.
fn fresh(house: &House) -> String {
    KeyId::new(&**house.api.store.clock(), &**house.api.store.rng()).to_string()
}

/// An open invitation to `alpha` of that name's address; its token's hash is the name's.
async fn invitation(house: &House, name: &str) -> String {
    let link = InvitationLink {
        hash: sha256(name.as_bytes()),
        path: Secret::new("/".to_owned()),
        inviter: "alpha".to_owned(),
        language: "en".to_owned(),
    };
    let new = NewInvitation { email: format!("{name}@example.com"), role: OrgRole::Viewer, link };
    let acting = house.acting();
    house.api.store.org(acting.org).invite(&acting, new).await.unwrap().id.to_string()
}

/// A mail that was given up.
pub(super) async fn dead_job(house: &House) -> JobId {
    invitation(house, &fresh(house)).await;
    let store = &house.api.store;
    let job = store.claim_jobs(1).await.unwrap().pop().unwrap();
    assert!(store.give_up_job(&job, "550 no such mailbox").await.unwrap());
    job.id
}

/// A viewer of `alpha`.
async fn member(house: &House) -> AccountId {
    let name = fresh(house);
    invitation(house, &name).await;
    let account = house.founded(&name).await.account;
    let actor = Actor { who: Somebody::Account(account), ..Actor::machine() };
    house.api.store.accept_invitation(sha256(name.as_bytes()), &actor, account).await.unwrap();
    account
}

/// A test app of an org.
pub(super) async fn app(house: &House, acting: &Acting) -> AppId {
    tokenim_control::apps::create(&house.api.store, acting, "sample", Mode::Test).await.unwrap().id
}

/// A server key of `alpha`'s first app, and its secret.
pub(super) async fn server_key(house: &House, scopes: Scopes) -> (KeyId, String) {
    let app = house.alpha.app.app;
    let wanted = tokenim_control::keys::Wanted { app, name: "sample".to_owned(), scopes, expires_ms: None };
    let (key, secret) = tokenim_control::keys::create(&house.api.store, &house.acting(), wanted).await.unwrap();
    (key.id, secret.expose().to_owned())
}

async fn signing_key(house: &House, acting: &Acting) -> KeyId {
    let wanted = tokenim_control::signing_keys::Wanted {
        app: app(house, acting).await,
        name: "sample".to_owned(),
        algorithm: SigningAlgorithm::Hs256,
        public_key: None,
        expires_ms: None,
    };
    tokenim_control::signing_keys::create(&house.api.store, acting, wanted).await.unwrap().0.id
}

/// A management key of an org, and its secret.
pub(super) async fn management_key(house: &House, acting: &Acting, role: OrgRole) -> (KeyId, String) {
    let wanted = tokenim_control::management_keys::Wanted { name: "sample".to_owned(), role, expires_ms: None };
    let (key, secret) = tokenim_control::management_keys::create(&house.api.store, acting, wanted).await.unwrap();
    (key.id, secret.expose().to_owned())
}

/// Whether a route is one of an org's provisioning.
pub(super) fn is_managed(spec: &RouteSpec) -> bool {
    matches!(spec.who, Who::ManagementKey(_))
}

/// What begins a large body of alice's: `{"n":1}`. Under the same id it is the same one, so that few are open.
fn new_body(id: &str) -> Value {
    let sha256 = tokenim_domain::secret::hex(&sha256(br#"{"n":1}"#));
    json!({"conversation": "c1", "sender": "alice", "client_msg_id": id, "kind": "json", "bytes": 7, "sha256": sha256})
}

/// A message of alice's that carries a file: its seq, and the file's id.
async fn carrying(house: &House) -> (i64, String) {
    let mut new = new_body("file");
    for field in ["conversation", "kind"] {
        new.as_object_mut().unwrap().remove(field);
    }
    for (field, value) in [("purpose", "attachment"), ("name", "a.txt"), ("content_type", "text/plain")] {
        new[field] = value.into();
    }
    let upload = house.post(house.key(), "/v1/uploads", new).await.json["upload"].take();
    let path = format!("/v1/uploads/{}", upload.as_str().unwrap());
    let data = json!({"data": "eyJuIjoxfQ=="});
    house.call(house.key(), Verb::Put.method(), &format!("{path}/chunks/0"), data).await;
    let committed = house.post(house.key(), &format!("{path}/commit"), json!({})).await;
    let file = committed.json["attachment"]["id"].as_str().unwrap_or_else(|| panic!("{committed:?}")).to_owned();
    let message = json!({"sender": "alice", "client_msg_id": "file", "kind": "json", "body": 1, "attachments": [file]});
    let sent = house.post(house.key(), "/v1/conversations/c1/messages", message).await;
    (sent.json["seq"].as_i64().unwrap_or_else(|| panic!("{sent:?}")), file)
}

async fn begun(house: &House, id: &str) -> String {
    let begun = house.post(house.key(), "/v1/uploads", new_body(id)).await.json["upload"].take();
    begun.as_str().unwrap().to_owned()
}

async fn uploaded(house: &House, id: &str) -> String {
    let upload = begun(house, id).await;
    let path = format!("/v1/uploads/{upload}/chunks/0");
    let put = house.call(house.key(), Verb::Put.method(), &path, json!({"data": "eyJuIjoxfQ=="})).await;
    assert_eq!(put.status, 200, "{put:?}");
    upload
}

/// Seq of a large message.
async fn large(house: &House) -> i64 {
    let path = format!("/v1/uploads/{}/commit", uploaded(house, "large").await);
    house.post(house.key(), &path, json!({})).await.json["seq"].as_i64().unwrap()
}
