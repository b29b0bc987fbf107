//! Another org, the org's settings and its log, by the console's forms.

use super::{accept, code, invited, location, send};
use crate::support::TestServer;
use crate::support::page::{Console, hidden, token};
use serde_json::Value;
use std::collections::BTreeMap;
use tokenim_domain::secret::sha256;

#[tokio::test]
async fn another_org_is_made_and_the_session_turns_to_it_under_a_new_id() {
    let server = TestServer::spawn().await;
    let mut ada = Console::sign_in(&server, &server.founded).await;
    let before = ada.cookie();
    let made = send(&mut ada, "/console/orgs", "/console/orgs", &[("name", "Acme & Sons")]).await;
    assert_eq!(location(&made), "/console");
    assert_ne!(ada.cookie(), before);
    let mut old = Console::with_cookies(&server, &before);
    assert_eq!(old.get("/console/orgs").await.status, 303, "the old id is worth nothing");
    let settings = ada.get("/console/settings").await.text;
    assert!(settings.contains("Acme &#38; Sons") && !settings.contains(&server.founded.org), "{settings}");
    let back = [("org", server.founded.org.as_str())];
    assert_eq!(location(&send(&mut ada, "/console/orgs", "/console/orgs/switch", &back).await), "/console");
    assert!(ada.get("/console/settings").await.text.contains(&server.founded.org));
    let foreign = [("org", server.other.org.as_str())];
    assert_eq!(send(&mut ada, "/console/orgs", "/console/orgs/switch", &foreign).await.status, 404);
    let nameless = send(&mut ada, "/console/orgs", "/console/orgs", &[("name", " ")]).await;
    assert!(nameless.status == 422 && nameless.text.contains("href=\"#name\""), "{}", nameless.text);
}

#[tokio::test]
async fn a_form_of_one_org_does_nothing_to_another_that_a_second_tab_turned_to() {
    let server = TestServer::spawn().await;
    let mut ada = Console::sign_in(&server, &server.founded).await;
    let tab = ada.get("/console/settings").await;
    let (csrf, nonce) = (token(&tab).to_owned(), hidden(&tab, "nonce").to_owned());
    let keys = [("csrf", csrf.as_str()), ("nonce", nonce.as_str())];
    let made = send(&mut ada, "/console/orgs", "/console/orgs", &[("name", "Second")]).await;
    assert_eq!(location(&made), "/console");
    let forms: [(&str, &[(&str, &str)]); 5] = [
        ("/console/settings", &[("name", "Renamed"), ("requires_totp", "no")]),
        ("/console/members/invite", &[("email", "carol@example.com"), ("role", "owner")]),
        ("/console/settings/management-keys", &[("key_name", "k"), ("role", "owner")]),
        ("/console/plan/pro", &[]),
        ("/console/apps", &[("name", "Shop"), ("mode", "live")]),
    ];
    for (path, fields) in forms {
        let late = ada.post(path, &[&keys, fields].concat()).await;
        assert_eq!((late.status, code(&late)), (403, "csrf_failed"), "{path}");
    }
    assert!(ada.get("/console/settings").await.text.contains("value=\"Second\""));
    let back = [("org", server.founded.org.as_str())];
    send(&mut ada, "/console/orgs", "/console/orgs/switch", &back).await;
    assert_eq!(location(&ada.post("/console/settings", &[&keys, forms[0].1].concat()).await), "/console/settings");
}

#[tokio::test]
async fn a_management_key_is_shown_once_and_ends_when_it_is_revoked() {
    let server = TestServer::spawn().await;
    let mut ada = Console::sign_in(&server, &server.founded).await;
    let page = ada.get("/console/settings").await;
    let (csrf, nonce) = (token(&page).to_owned(), hidden(&page, "nonce").to_owned());
    let fields = [("csrf", csrf.as_str()), ("nonce", &nonce), ("key_name", "ci"), ("role", "admin")];
    let made = ada.post("/console/settings/management-keys", &fields).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let secret = made.text.split("id=\"secret\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let again = ada.post("/console/settings/management-keys", &fields).await;
    assert!(again.status == 409 && !again.text.contains(&secret), "{}", again.text);
    let members = server.rest_as(&secret).get("/v1/manage/members").await.ok();
    assert_eq!(members["items"][0]["account"], server.founded.account.as_str());
    let list = ada.get("/console/settings").await;
    assert!(!list.text.contains(&secret));
    let id = list.text.split("/console/settings/management-keys/key_").nth(1).unwrap().split('/').next().unwrap();
    let revoke = format!("/console/settings/management-keys/key_{id}/revoke");
    assert_eq!(location(&send(&mut ada, "/console/settings", &revoke, &[]).await), "/console/settings");
    let listed = ada.get("/console/settings").await;
    assert!(!listed.text.contains(&revoke), "{}", listed.text);
}

#[tokio::test]
async fn the_org_is_renamed_and_given_away_by_typing_its_name() {
    let server = TestServer::spawn().await;
    let mut ada = Console::sign_in(&server, &server.founded).await;
    let rules = [("name", "Ada & Co"), ("requires_totp", "no")];
    assert_eq!(location(&send(&mut ada, "/console/settings", "/console/settings", &rules).await), "/console/settings");
    let alone = [("name", "Ada & Co"), ("requires_totp", "yes")];
    let refused = send(&mut ada, "/console/settings", "/console/settings", &alone).await;
    assert_eq!(refused.status, 422, "without a second factor of their own");
    let mut bob = Console::sign_in(&server, &server.other).await;
    let path = invited(&server, &mut ada, &server.other, "viewer").await;
    accept(&mut bob, &path).await;
    let transfer = "/console/settings/transfer";
    let wrong = [("account", server.other.account.as_str()), ("typed", "ada & co")];
    assert_eq!(send(&mut ada, "/console/settings", transfer, &wrong).await.status, 422);
    let right = [("account", server.other.account.as_str()), ("typed", "Ada & Co")];
    assert_eq!(location(&send(&mut ada, "/console/settings", transfer, &right).await), "/console/settings");
    assert!(!ada.get("/console/settings").await.text.contains(transfer), "an admin gives nothing away");
    assert!(bob.get("/console/settings").await.text.contains(transfer));
}

#[tokio::test]
async fn the_audit_log_is_filtered_checked_and_exported() {
    let server = TestServer::spawn().await;
    let mut ada = Console::sign_in(&server, &server.founded).await;
    for name in ["One", "Two", "=Three"] {
        let rules = [("name", name), ("requires_totp", "no")];
        assert_eq!(send(&mut ada, "/console/settings", "/console/settings", &rules).await.status, 303);
    }
    let filtered = ada.get("/console/audit?action=org.changed&check=1").await;
    assert_eq!(filtered.text.matches("<code>org.changed</code>").count(), 3, "{}", filtered.text);
    assert!(filtered.text.contains("Verified up to event 4.") && filtered.text.contains(&server.founded.email));
    let none = ada.get("/console/audit?action=nothing").await;
    assert!(none.text.contains("nothing") && none.status == 200);
    assert!(ada.get("/console/audit?before=3").await.text.contains("/console/audit?after=2"));
    for bad in ["before=x", "after=1&before=2"] {
        assert_eq!(ada.get(&format!("/console/audit?{bad}")).await.status, 400, "{bad}");
    }
    let lines = ada.get("/console/audit.ndjson?action=org.changed").await.text;
    let seqs: Vec<_> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, [2, 3, 4]);
    let mut prev_hash = "00".repeat(32);
    for line in ada.get("/console/audit.ndjson").await.text.lines() {
        let mut event: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let [before, hash] = ["prev_hash", "hash"].map(|name| event.remove(name).unwrap().as_str().unwrap().to_owned());
        assert_eq!(before, prev_hash);
        let bytes: Vec<_> = (0..64).step_by(2).map(|at| u8::from_str_radix(&before[at..at + 2], 16).unwrap()).collect();
        let recomputed = sha256(&[bytes, serde_json::to_vec(&event).unwrap()].concat());
        prev_hash = recomputed.map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(hash, prev_hash, "the file can be checked by itself: {line}");
    }
    let csv = ada.get("/console/audit.csv").await.text;
    assert_eq!((csv.lines().count(), csv.lines().next().unwrap().split(',').count()), (5, 10), "{csv}");
    assert_eq!(code(&ada.get("/console/audit/x").await), "not_found");
}
