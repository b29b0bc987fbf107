//! Giving an org away over the provisioning API: by a key whose maker owns it, and by an operator's.

use super::{accept, invited, send};
use crate::support::TestServer;
use crate::support::page::Console;
use crate::support::rest::{Answer, Rest, answer};
use reqwest::Method;
use serde_json::{Value, json};

/// The form that only an owner sees.
const FORM: &str = "/console/settings/transfer";

/// A management key that a person makes in the console.
async fn key_of(server: &TestServer, person: &mut Console, role: &str) -> Rest {
    let fields = [("key_name", "scripts"), ("role", role)];
    let made = send(person, "/console/settings", "/console/settings/management-keys", &fields).await;
    server.rest_as(made.text.split("id=\"secret\">").nth(1).unwrap().split('<').next().unwrap())
}

async fn transfer(rest: &Rest, org: &str, names: [&str; 3]) -> Answer {
    let [from, to, name] = names;
    let path = format!("/v1/manage/orgs/{org}/transfer");
    let request = rest.request(Method::POST, &path).header("x-reason", "the founder left");
    answer(request.json(&json!({"from": from, "to": to, "name": name}))).await
}

fn refused(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["error"]["param"].clone())
}

#[tokio::test]
async fn an_org_is_given_away_by_the_key_of_its_owner_and_by_an_operator() {
    let server = TestServer::spawn().await;
    let (ada, bob) = (server.founded.account.as_str(), server.other.account.as_str());
    let org = server.founded.org.as_str();
    let mut of_ada = Console::sign_in(&server, &server.founded).await;
    let mut of_bob = Console::sign_in(&server, &server.other).await;
    let (owner, admin) = (key_of(&server, &mut of_ada, "owner").await, key_of(&server, &mut of_ada, "admin").await);
    let stranger = transfer(&owner, org, [ada, bob, "Ada Org"]).await;
    assert_eq!(stranger.status, 404, "{}", stranger.text);
    let path = invited(&server, &mut of_ada, &server.other, "viewer").await;
    accept(&mut of_bob, &path).await;

    let foreign = server.rest_as(&server.manager(&server.founded).await.secret);
    for (rest, names, told) in [
        (&admin, [ada, bob, "Ada Org"], (403, Value::Null)),
        (&foreign, [ada, bob, "Ada Org"], (403, json!("from"))),
        (&owner, [bob, ada, "Ada Org"], (403, json!("from"))),
        (&owner, [ada, bob, "ada org"], (422, json!("name"))),
        (&owner, [ada, ada, "Ada Org"], (409, Value::Null)),
    ] {
        assert_eq!(refused(&transfer(rest, org, names).await), told, "{names:?}");
    }
    assert!(of_ada.get("/console/settings").await.text.contains(FORM), "nothing was changed");

    let done = transfer(&owner, org, [ada, bob, "Ada Org"]).await.ok();
    assert_eq!((&done["from"]["role"], &done["to"]["role"]), (&json!("admin"), &json!("owner")));
    assert!(!of_ada.get("/console/settings").await.text.contains(FORM));
    assert!(of_bob.get("/console/settings").await.text.contains(FORM));
    assert_eq!(refused(&transfer(&owner, org, [ada, bob, "Ada Org"]).await).0, 409, "it is not hers any more");
    let (of_owner, guest) = (format!("/v1/manage/members/{bob}"), json!({"email": "eve@example.com", "role": "owner"}));
    for (method, path, body) in [
        (Method::PATCH, format!("/v1/manage/members/{ada}"), json!({"role": "owner"})),
        (Method::PATCH, of_owner.clone(), json!({"role": "admin"})),
        (Method::DELETE, of_owner, json!({})),
        (Method::POST, "/v1/manage/invitations".to_owned(), guest),
    ] {
        let told = answer(owner.request(method.clone(), &path).json(&body)).await;
        assert_eq!(refused(&told).0, 403, "her key takes nothing back by {method} {path}: {}", told.text);
    }
    let events = owner.get("/v1/manage/audit?action=org.transferred").await.ok();
    let [event] = events["items"].as_array().unwrap().as_slice() else { panic!("{events}") };
    assert_eq!((&event["actor_kind"], &event["actor_name"]), (&json!("management_key"), &json!("scripts")));
    assert_eq!(event["after"], json!({"from": ada, "to": bob}));

    transfer(&server.operator(), org, [bob, ada, "Ada Org"]).await.ok();
    assert!(of_ada.get("/console/settings").await.text.contains(FORM));
    let own = server.operator().get("/v1/manage/service/audit?action=org.transferred").await.ok();
    assert_eq!((own["items"].as_array().unwrap().len(), &own["items"][0]["reason"]), (1, &json!("the founder left")));
}

#[tokio::test]
async fn whoever_made_a_key_or_invited_is_named_on_both_faces() {
    let server = TestServer::spawn().await;
    let mut of_ada = Console::sign_in(&server, &server.founded).await;
    let scripts = key_of(&server, &mut of_ada, "owner").await;
    let new = json!({"app": server.founded.app, "name": "of a script", "scopes": ["*"]});
    let made = scripts.post("/v1/manage/keys", &new).await.ok();
    let guest = json!({"email": "carol@example.com", "role": "viewer"});
    scripts.post("/v1/manage/invitations", &guest).await.ok();
    let (keys, invitations) = (scripts.get("/v1/manage/keys").await, scripts.get("/v1/manage/invitations").await);
    let key = keys.ok()["items"].as_array().unwrap().iter().find(|key| key["id"] == made["id"]).cloned().unwrap();
    assert_eq!(key["created_by_name"], "scripts");
    assert_eq!(invitations.ok()["items"][0]["invited_by_name"], "scripts");
    let own = scripts.get("/v1/manage/management-keys").await.ok();
    assert_eq!(own["items"][0]["created_by_name"], server.founded.email.as_str());
    let settings = of_ada.get("/console/settings").await.text.replace("&#64;", "@");
    assert!(settings.contains(&format!(">{}</p>", server.founded.email)), "{settings}");
    for page in [format!("/console/apps/{}/keys", server.founded.app), "/console/members".to_owned()] {
        let text = of_ada.get(&page).await.text;
        assert!(text.contains(">scripts</p>") && !text.contains(">key_"), "{page}: {text}");
    }
}
