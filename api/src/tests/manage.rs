//! The provisioning API: roles, orgs, reasons, keys that end, and what is kept of it all.

use super::house::{Answer, House};
use super::sample::{is_managed, management_key, sample};
use crate::{RouteSpec, Verb, Who, routes};
use actix_web::http::Method;
use serde_json::{Value, json};
use tokenim_domain::actor::{Acting, Actor, Right};
use tokenim_domain::id::{KeyId, OrgId};
use tokenim_domain::mail::Matter;
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::sha256;
use tokenim_store::Begun;

async fn ask(house: &House, credential: &str, spec: &RouteSpec, (path, body): &(String, Value)) -> Answer {
    house.call(credential, spec.verb.method(), path, body.clone()).await
}

/// The same request with a reason.
async fn ask_why(house: &House, credential: &str, spec: &RouteSpec, (path, body): &(String, Value)) -> Answer {
    let bearer = format!("Bearer {credential}");
    let headers = [("authorization", bearer.as_str()), ("x-reason", "the customer asked: 你好")];
    let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    house.raw(spec.verb.method(), path, &headers, bytes).await
}

#[actix_web::test]
async fn every_cell_of_the_table_of_roles() {
    for role in OrgRole::ALL {
        // Of its own, because the samples fill the plan that one of them chooses.
        let house = House::new().await;
        house.group("c1").await;
        let (_, secret) = management_key(&house, &house.acting(), *role).await;
        for spec in routes() {
            let answer = ask(&house, &secret, spec, &sample(&house, spec).await).await;
            let may = match spec.who {
                Who::Public => true,
                Who::ManagementKey(action) => role.may(action),
                Who::User | Who::ServerKey(_) | Who::KeyOrUser(_) | Who::OperatorKey => false,
            };
            let expected = if may { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{role:?} {:?} {} {:?}", spec.verb, spec.path, answer.json);
        }
    }
}

#[actix_web::test]
async fn another_orgs_key_is_answered_as_about_nothing() {
    let house = House::new().await;
    let beta = house.founded("beta").await;
    let acting = Acting { org: beta.app.org, right: Right::Role(OrgRole::Owner), actor: Actor::machine() };
    let (_, secret) = management_key(&house, &acting, OrgRole::Owner).await;
    for spec in routes().filter(|spec| is_managed(spec) && spec.path.contains('{')) {
        let (path, body) = sample(&house, spec).await;
        let last = path.rsplit('/').find(|part| part.contains('_')).unwrap().to_owned();
        let (prefix, _) = last.split_once('_').unwrap();
        let random = KeyId::new(&**house.api.store.clock(), &**house.api.store.rng()).to_string();
        let nothing = path.replace(&last, &random.replace("key", prefix));
        let foreign = ask(&house, &secret, spec, &(path, body.clone())).await.faceless();
        let nothing = ask(&house, &secret, spec, &(nothing, body)).await.faceless();
        assert_eq!(foreign.0, 404, "{} {:?}", spec.path, foreign.1);
        assert_eq!(foreign, nothing, "{}", spec.path);
    }
    for org in [house.alpha.app.org, OrgId::SERVICE] {
        let list = house.get(&secret, &format!("/v1/manage/management-keys?org={org}")).await;
        assert_eq!((list.status, list.code()), (404, "not_found"));
    }
    let own = house.get(&secret, &format!("/v1/manage/management-keys?org={}", beta.app.org)).await;
    assert_eq!(own.json["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn an_operator_names_the_org_and_a_reason_for_every_write() {
    let house = House::new().await;
    house.group("c1").await;
    let operator = house.operator().await;
    for spec in routes().filter(|spec| is_managed(spec) || spec.who == Who::OperatorKey) {
        let (path, body) = sample(&house, spec).await;
        if is_managed(spec) && !spec.path.contains("{org}") {
            let orgless = ask_why(&house, &operator, spec, &(path.clone(), body.clone())).await;
            assert_eq!((orgless.status, &orgless.json["error"]["param"]), (422, &json!("org")), "{path}");
        }
        let query = if is_managed(spec) && !spec.path.contains("{org}") {
            format!("{}org={}", if path.contains('?') { '&' } else { '?' }, house.alpha.app.org)
        } else {
            String::new()
        };
        let request = (path + &query, body);
        if spec.verb != Verb::Get {
            let silent = ask(&house, &operator, spec, &request).await;
            assert_eq!((silent.status, &silent.json["error"]["param"]), (422, &json!("X-Reason")), "{}", spec.path);
        }
        let answer = ask_why(&house, &operator, spec, &request).await;
        assert_eq!(answer.status, 200, "{:?} {} {:?}", spec.verb, spec.path, answer.json);
    }
    let nowhere = house.get(&operator, &format!("/v1/manage/management-keys?org={}", OrgId::SERVICE)).await;
    assert_eq!((nowhere.status, nowhere.code()), (404, "not_found"));
}

#[actix_web::test]
async fn an_org_for_an_address_is_not_given_to_whoever_signed_up_with_it() {
    let house = House::new().await;
    house.founded_with("squatter", "basic", false).await;
    house.founded_with("known", "basic", true).await;
    let bearer = format!("Bearer {}", house.operator().await);
    let headers = [("authorization", bearer.as_str()), ("x-reason", "a contract")];
    for (owner, members, invited) in [("squatter", 0, 1), ("known", 1, 0)] {
        let new = json!({"name": "Customer", "owner_email": format!("{owner}@example.com")});
        let made = house.raw(Method::POST, "/v1/manage/orgs", &headers, new.to_string().into_bytes()).await;
        let org: OrgId = made.json["id"].as_str().unwrap().parse().unwrap();
        let scope = house.api.store.org(org);
        assert_eq!(scope.list_members(None, 9).await.unwrap().len(), members, "{owner}");
        assert_eq!(scope.list_invitations(None, 9).await.unwrap().len(), invited, "{owner}");
    }
}

#[actix_web::test]
async fn an_org_keeps_to_its_first_app_until_an_owner_is_verified() {
    let house = House::new().await;
    for (name, is_verified) in [("unknown", false), ("known", true)] {
        let founded = house.founded_with(name, "pro", is_verified).await;
        let acting = Acting { org: founded.app.org, right: Right::Role(OrgRole::Owner), actor: Actor::machine() };
        let (_, secret) = management_key(&house, &acting, OrgRole::Owner).await;
        let make = async || house.post(&secret, "/v1/manage/apps", json!({"name": "More", "mode": "test"})).await;
        let answers = [make().await, {
            let path = format!("/v1/manage/apps/{}?name={name}", founded.app.app);
            assert_eq!(house.call(&secret, Method::DELETE, &path, Value::Null).await.status, 200);
            make().await
        }];
        for answer in answers {
            let told = if is_verified { 200 } else { 403 };
            assert_eq!(answer.status, told, "{:?}", answer.json);
            assert!(is_verified || answer.code() == "email_unverified");
        }
    }
}

#[actix_web::test]
async fn a_name_is_more_than_blanks() {
    let house = House::new().await;
    let (_, secret) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let app = format!("/v1/manage/apps/{}", house.alpha.app.app);
    for (name, status) in [("   ", 422), ("A shop", 200)] {
        let key = json!({"app": house.alpha.app.app, "name": name, "scopes": ["*"]});
        let made = house.post(&secret, "/v1/manage/keys", key).await;
        let renamed = house.call(&secret, Method::PATCH, &app, json!({"name": name})).await;
        for answer in [made, renamed] {
            assert_eq!(answer.status, status, "{:?}", answer.json);
        }
    }
}

#[actix_web::test]
async fn one_address_gets_five_invitations_a_day_however_they_are_sent() {
    let house = House::new().await;
    let (_, secret) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let new = json!({"email": "carol@example.com", "role": "viewer"});
    let made = house.post(&secret, "/v1/manage/invitations", new.clone()).await;
    let path = format!("/v1/manage/invitations/{}", made.json["id"].as_str().unwrap());
    let resend = async || {
        house.pass(61_000);
        house.post(&secret, &format!("{path}/resend"), json!({})).await
    };
    for _ in 0..4 {
        assert_eq!(resend().await.status, 200);
    }
    assert_eq!(resend().await.code(), "rate_limited");
    house.call(&secret, Method::DELETE, &path, Value::Null).await;
    assert_eq!(house.post(&secret, "/v1/manage/invitations", new).await.code(), "rate_limited");
    let other = json!({"email": "dan@example.com", "role": "viewer"});
    assert_eq!(house.post(&secret, "/v1/manage/invitations", other).await.status, 200);
    house.pass(24 * 3_600_000);
    let later = house.post(&secret, "/v1/manage/invitations", json!({"email": "carol@example.com", "role": "viewer"}));
    assert_eq!(later.await.status, 200);
}

#[actix_web::test]
async fn mails_are_asked_for_in_a_language_we_write() {
    let house = House::new().await;
    let (_, secret) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    for (language, status) in [("xx", 422), ("", 422), ("zh-CN", 200)] {
        let new = json!({"email": "carol@example.com", "role": "viewer", "language": language});
        let answer = house.post(&secret, "/v1/manage/invitations", new).await;
        assert_eq!(answer.status, status, "{language} {:?}", answer.json);
        assert!(status == 200 || answer.json["error"]["param"] == "language");
        let bearer = format!("Bearer {}", house.operator().await);
        let new = json!({"name": "Acme", "owner_email": "boss@example.com", "language": language}).to_string();
        let headers = [("authorization", bearer.as_str()), ("x-reason", "a contract")];
        assert_eq!(house.raw(Method::POST, "/v1/manage/orgs", &headers, new.into_bytes()).await.status, status);
    }
}

#[actix_web::test]
async fn a_key_invites_in_its_orgs_name_once_an_owner_is_verified() {
    let house = House::new().await;
    for (name, is_verified) in [("unknown", false), ("known", true)] {
        let founded = house.founded_with(name, "basic", is_verified).await;
        let acting = Acting { org: founded.app.org, right: Right::Role(OrgRole::Owner), actor: Actor::machine() };
        let (_, secret) = management_key(&house, &acting, OrgRole::Owner).await;
        let new = json!({"email": "carol@example.com", "role": "viewer"});
        let answer = house.post(&secret, "/v1/manage/invitations", new).await;
        let mails = house.mails().await;
        if is_verified {
            assert_eq!(answer.status, 200, "{:?}", answer.json);
            let Matter::Invitation { org, inviter, .. } = &mails[0].matter else { panic!("{mails:?}") };
            assert_eq!((org, inviter), (&"known".to_owned(), &"known".to_owned()));
        } else {
            assert_eq!((answer.status, answer.code(), mails.len()), (403, "email_unverified", 0));
        }
    }
}

#[actix_web::test]
async fn enterprise_is_given_by_operators_and_chosen_by_nobody() {
    let house = House::new().await;
    let (_, owner) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let operator = house.operator().await;
    let put = async |credential: &str, query: &str| {
        let bearer = format!("Bearer {credential}");
        let headers = [("authorization", bearer.as_str()), ("x-reason", "it was paid for")];
        let body = json!({"plan": "enterprise"}).to_string().into_bytes();
        house.raw(Method::PUT, &format!("/v1/manage/subscription{query}"), &headers, body).await
    };
    let refused = put(&owner, "").await;
    assert_eq!((refused.status, refused.code()), (422, "invalid_field"));
    let given = put(&operator, &format!("?org={}", house.alpha.app.org)).await;
    assert_eq!((given.status, &given.json["plan"]["code"]), (200, &json!("enterprise")));
}

#[actix_web::test]
async fn every_write_leaves_its_row_in_the_audit_log() {
    let house = House::new().await;
    let (key, secret) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let scope = house.api.store.org(house.alpha.app.org);
    for spec in routes().filter(|spec| is_managed(spec) && spec.verb != Verb::Get) {
        let request = sample(&house, spec).await;
        let before = scope.list_audit(None, 1).await.unwrap()[0].seq;
        assert_eq!(ask_why(&house, &secret, spec, &request).await.status, 200, "{}", spec.path);
        let events = scope.list_audit(None, 10).await.unwrap();
        let event = &events[0];
        assert!(event.seq > before, "{:?} {} was not audited", spec.verb, spec.path);
        let who = (event.actor_kind.as_str(), event.actor.clone(), event.reason.as_deref());
        assert_eq!(who, ("management_key", key.to_string(), Some("the customer asked: 你好")), "{}", spec.path);
    }
    assert!(scope.verify_audit().await.unwrap().is_intact());
}

#[actix_web::test]
async fn a_repeated_write_happens_once_and_keys_do_not_share_their_idempotency() {
    let house = House::new().await;
    let (_, one) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let (_, two) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let post = async |credential: &str| {
        let bearer = format!("Bearer {credential}");
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
        let body = json!({"name": "ci", "role": "viewer"}).to_string().into_bytes();
        house.raw(Method::POST, "/v1/manage/management-keys", &headers, body).await
    };
    let (first, again, other) = (post(&one).await, post(&one).await, post(&two).await);
    assert_eq!((&first.json, again.header("idempotent-replayed")), (&again.json, Some("true")));
    assert!(first.json["secret"].as_str().unwrap().starts_with("tim_live_mk_"));
    assert_ne!(first.json["id"], other.json["id"]);
    let listed = house.get(&one, "/v1/manage/management-keys").await.json;
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    assert!(listed["items"].as_array().unwrap().iter().all(|item| item.get("secret").is_none()));
}

#[actix_web::test]
async fn a_write_whose_answer_was_never_known_is_not_repeated() {
    let house = House::new().await;
    let (id, secret) = management_key(&house, &house.acting(), OrgRole::Owner).await;
    let (path, body) = ("/v1/manage/management-keys", json!({"name": "ci", "role": "viewer"}).to_string());
    let hash = sha256(format!("POST\n{path}\n{body}").as_bytes());
    let key = format!("{id}|k");
    assert_eq!(house.api.store.begin_idempotent(house.alpha.app.org, &key, hash).await.unwrap(), Begun::Fresh);
    let (bearer, before) = (format!("Bearer {secret}"), house.get(&secret, path).await.json);
    for (wait_ms, code) in [(0, "idempotency_in_progress"), (61_000, "outcome_unknown"), (3_600_000, "outcome_unknown")]
    {
        house.pass(wait_ms);
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
        assert_eq!(house.raw(Method::POST, path, &headers, body.clone().into_bytes()).await.code(), code);
    }
    assert_eq!(
        house.get(&secret, path).await.json["items"].as_array().unwrap().len(),
        before["items"].as_array().unwrap().len()
    );
}

#[actix_web::test]
async fn a_management_key_ends_to_the_millisecond_and_within_two_seconds_of_its_revocation() {
    let house = House::new().await;
    let owner = house.manager().await;
    let path = "/v1/manage/management-keys";
    let new = json!({"name": "brief", "role": "admin", "expires_at": "2027-01-15T08:01:00Z"});
    let made = house.post(&owner, path, new).await.json;
    let secret = made["secret"].as_str().unwrap();
    house.pass(58_500);
    assert_eq!(house.get(secret, path).await.status, 200);
    house.pass(1_499);
    assert_eq!(house.get(secret, path).await.status, 200, "valid a millisecond before");
    house.pass(1);
    let late = house.get(secret, path).await;
    assert_eq!((late.status, late.code()), (401, "key_expired"), "although it is cached");

    let made = house.post(&owner, path, json!({"name": "leaked", "role": "admin"})).await.json;
    let secret = made["secret"].as_str().unwrap();
    assert_eq!(house.get(secret, path).await.status, 200);
    let id = made["id"].as_str().unwrap();
    for _ in 0..2 {
        let revoked = house.post(&owner, &format!("{path}/{id}/revoke"), json!({})).await;
        assert_eq!((revoked.status, &revoked.json["revoked_at"]), (200, &json!("2027-01-15T08:01:00.000Z")));
    }
    house.pass(2_000);
    assert_eq!(house.get(secret, path).await.code(), "key_revoked");
}

#[actix_web::test]
async fn nobody_makes_a_key_above_their_own_role() {
    let house = House::new().await;
    let (_, admin) = management_key(&house, &house.acting(), OrgRole::Admin).await;
    let path = "/v1/manage/management-keys";
    let above = house.post(&admin, path, json!({"name": "x", "role": "owner"})).await;
    assert_eq!((above.status, &above.json["error"]["param"]), (403, &json!("role")));
    assert_eq!(house.post(&admin, path, json!({"name": "x", "role": "admin"})).await.status, 200);
    for (body, param) in [
        (json!({"name": "", "role": "viewer"}), "name"),
        (json!({"name": "x", "role": "god"}), "role"),
        (json!({"name": "x", "role": "viewer", "expires_at": "2020-01-01"}), "expires_at"),
        (json!({"name": "x", "role": "viewer", "expires_at": "soon"}), "expires_at"),
    ] {
        let answer = house.post(&admin, path, body).await;
        assert_eq!((answer.status, &answer.json["error"]["param"]), (422, &json!(param)));
    }
}

#[actix_web::test]
async fn keys_stay_out_of_browsers_and_urls_and_their_use_is_noted() {
    let house = House::new().await;
    let secret = house.manager().await;
    let browser = [("authorization", &*format!("Bearer {secret}")), ("origin", "https://shop.example")];
    let answer = house.raw(Method::GET, "/v1/manage/management-keys", &browser, Vec::new()).await;
    assert_eq!((answer.status, answer.code()), (403, "secret_key_in_browser"));
    assert_eq!(house.get(&secret, &format!("/v1/manage/orgs?q={secret}")).await.code(), "token_in_url");
    house.get(&secret, "/v1/manage/management-keys").await;
    house.api.drain().await;
    let listed = house.get(&secret, "/v1/manage/management-keys").await.json;
    assert_eq!(listed["items"][0]["last_used_at"], "2027-01-15T08:00:00.000Z");
}

#[actix_web::test]
async fn lists_are_walked_page_by_page() {
    let house = House::new().await;
    let secret = house.manager().await;
    for _ in 0..4 {
        house.pass(1);
        management_key(&house, &house.acting(), OrgRole::Viewer).await;
    }
    let (mut seen, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = house.get(&secret, &format!("/v1/manage/management-keys?{query}")).await.json;
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=2&cursor={cursor}");
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (5, &sorted));
    for bad in ["cursor=x", "limit=0", "limit=201"] {
        assert_eq!(house.get(&secret, &format!("/v1/manage/management-keys?{bad}")).await.status, 422, "{bad}");
    }
}
