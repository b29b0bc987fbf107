//! An account through the front door: sign-up, the mails as they were written, verification and reset, without JavaScript.

use crate::mail::mail_to;
use crate::support::page::{Console, token};
use crate::support::rest::Answer;
use crate::support::{TestServer, until};
use serde_json::{Value, json};

const EMAIL: &str = "grace@example.com";

/// Opens a page, fills its form in and sends it.
pub async fn fill(console: &mut Console, page: &str, fields: &[(&str, &str)]) -> Answer {
    let form = console.get(page).await;
    let mut all = vec![("csrf", token(&form))];
    all.extend_from_slice(fields);
    console.post(page.split('?').next().unwrap(), &all).await
}

/// The link of a mail to that page of the console, and its token.
pub fn link<'a>(mail: &'a str, page: &str) -> (&'a str, &'a str) {
    let start = mail.find(&format!("{page}?token=")).unwrap_or_else(|| panic!("{mail}"));
    let link = mail[start..].split(|letter: char| !letter.is_alphanumeric() && !"/?=".contains(letter)).next().unwrap();
    (link, link.split('=').nth(1).unwrap())
}

#[tokio::test]
async fn a_person_signs_up_verifies_and_resets_by_mail() {
    let server = TestServer::spawn().await;
    let (mut person, mut elsewhere) = (Console::new(&server), Console::new(&server));
    let fields = [("email", EMAIL), ("new_password", "correct horse battery staple")];
    let signed_up = fill(&mut person, "/sign-up", &fields).await;
    assert_eq!(signed_up.status, 303, "{}", signed_up.text);
    assert!(person.get("/console/account").await.text.contains("Verify your address"));
    let log: Value = serde_json::from_str(&person.get("/console/audit.ndjson").await.text).unwrap();
    assert_eq!((&log["action"], &log["address"]), (&json!("org.created"), &json!("127.0.0.1")));
    let made = log["after"].to_string();
    assert!(made.contains("key_") && made.contains("signing_key"), "the log names the keys that were made: {log}");
    let mail = mail_to(&mut elsewhere, EMAIL).await;
    let (page, token) = link(&mail, "/verify");
    let verified = fill(&mut elsewhere, page, &[("token", token)]).await;
    assert_eq!(verified.status, 200, "in another browser than the one that signed up");
    assert!(!person.get("/console/account").await.text.contains("Verify your address"));
    assert_eq!(elsewhere.get(page).await.status, 404, "once");
    assert_eq!(fill(&mut elsewhere, "/forgot", &[("email", EMAIL)]).await.status, 200);
    let mail = until(async || {
        let mail = mail_to(&mut elsewhere, EMAIL).await;
        mail.contains("/reset?token=").then_some(mail)
    })
    .await;
    let (page, token) = link(&mail, "/reset");
    let reset = fill(&mut elsewhere, page, &[("token", token), ("new_password", "a brand new sentence")]).await;
    assert_eq!(reset.status, 303, "{}", reset.text);
    assert_eq!(person.get("/console/account").await.status, 303, "signed out everywhere");
    let old = fill(&mut person, "/sign-in", &fields_of("correct horse battery staple")).await;
    assert_eq!(old.status, 401);
    let new = fill(&mut person, "/sign-in", &fields_of("a brand new sentence")).await;
    assert_eq!(new.status, 303, "{}", new.text);
    assert_eq!(person.get("/console/account").await.status, 200);
}

fn fields_of(password: &str) -> [(&'static str, &str); 2] {
    [("email", EMAIL), ("password", password)]
}
