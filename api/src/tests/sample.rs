//! A request that every route takes, about things of `alpha` that are there; each is made anew for each sample.

use super::house::House;
use crate::{RouteSpec, Verb, Who};
use serde_json::{Value, json};
use tokenim_domain::actor::Acting;
use tokenim_domain::id::KeyId;
use tokenim_domain::role::OrgRole;

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
        (Verb::Post, "/v1/manage/management-keys") => plain(json!({"name": "ci", "role": "viewer"})),
        (Verb::Post, "/v1/manage/management-keys/{id}/revoke") => {
            with_id(management_key(house, &acting, OrgRole::Viewer).await.0.to_string())
        }
        (Verb::Get | Verb::Delete, _) => of_group(Value::Null),
        (verb, path) => panic!("{verb:?} {path} has no sample"),
    }
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
