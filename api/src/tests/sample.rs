//! A request that every route takes, about things of `alpha` that are there; each is made anew for each sample.

use super::house::House;
use crate::{RouteSpec, Verb, Who};
use serde_json::{Value, json};
use tokenim_domain::actor::{Acting, Actor, Right, Who as Somebody};
use tokenim_domain::id::{AccountId, KeyId};
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::{Secret, sha256};
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
        (Verb::Post, "/v1/conversations/{id}/members") => of_group(json!({"members": ["bob"]})),
        (Verb::Get, "/v1/manage/orgs/{org}") => (spec.path.replace("{org}", &org), Value::Null),
        (Verb::Post, "/v1/manage/orgs") => plain(json!({"name": "Acme", "owner_email": "boss@example.com"})),
        (Verb::Patch, "/v1/manage/orgs/{org}") => (spec.path.replace("{org}", &org), json!({"name": "Alpha & Sons"})),
        (Verb::Post, "/v1/manage/orgs/{org}/suspend" | "/v1/manage/orgs/{org}/resume") => {
            let acting = Acting { right: Right::Service, ..acting };
            let must_be = spec.path.ends_with("resume");
            let is = house.api.store.org(acting.org).find().await.unwrap().unwrap().suspended_ms.is_some();
            if is != must_be {
                tokenim_control::orgs::suspend(&house.api.store, &acting, must_be).await.unwrap();
            }
            (spec.path.replace("{org}", &org), json!({}))
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
        (Verb::Get | Verb::Delete, _) => of_group(Value::Null),
        (verb, path) => panic!("{verb:?} {path} has no sample"),
    }
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

/// A viewer of `alpha`.
async fn member(house: &House) -> AccountId {
    let name = fresh(house);
    invitation(house, &name).await;
    let account = house.founded(&name).await.account;
    let actor = Actor { who: Somebody::Account(account), ..Actor::machine() };
    house.api.store.accept_invitation(sha256(name.as_bytes()), &actor, account).await.unwrap();
    account
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
