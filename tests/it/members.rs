//! People of an org, by the console's forms: invitations from mail to membership, roles, and what ends with them.

mod roles;
mod settings;
mod story;
mod transfer;

use crate::support::TestServer;
use crate::support::page::{Console, hidden, token};
use crate::support::rest::Answer;
use crate::support::template::Founded;
use crate::support::wait::until;
use std::fs;

/// Sends a form of a page, with the page's own token and nonce.
async fn send(console: &mut Console, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
    let shown = console.get(page).await;
    assert_eq!(shown.status, 200, "{page}: {}", shown.text);
    let (csrf, nonce) = (token(&shown).to_owned(), hidden(&shown, "nonce").to_owned());
    let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str()), ("nonce", nonce.as_str())]).collect();
    console.post(action, &fields).await
}

/// Where an answer sends the browser.
fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].to_str().unwrap()
}

/// The stable code on a page that says what went wrong.
fn code(answer: &Answer) -> &str {
    let (_, rest) = answer.text.split_once("<dd><code>").unwrap_or_else(|| panic!("no code in {}", answer.text));
    rest.split('<').next().unwrap()
}

/// The mails an address got, the text of each as it was written.
fn mails(server: &TestServer, to: &str) -> Vec<String> {
    let Ok(folder) = fs::read_dir(server.data.join("mail")) else { return Vec::new() };
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts = paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "eml")).map(fs::read_to_string);
    let texts = texts.map(|text| text.unwrap().replace("=\r\n", "").replace("=\n", "").replace("=3D", "="));
    texts.filter(|text| text.contains(&format!("To: {to}")) || text.contains(&format!("To: <{to}>"))).collect()
}

/// The path in the newest of so many mails to an address.
async fn mailed_path(server: &TestServer, to: &str, count: usize) -> String {
    until(async || (mails(server, to).len() == count).then_some(())).await;
    let mail = mails(server, to).pop().unwrap();
    let (_, rest) = mail.split_once("/invitations/accept?token=").unwrap_or_else(|| panic!("no link in {mail}"));
    let token: String = rest.chars().take_while(char::is_ascii_alphanumeric).collect();
    format!("/invitations/accept?token={token}")
}

/// Invites somebody as the owner of the first org does; the path of the mail's link.
async fn invited(server: &TestServer, ada: &mut Console, who: &Founded, role: &str) -> String {
    let before = mails(server, &who.email).len();
    let fields = [("email", who.email.as_str()), ("role", role)];
    let sent = send(ada, "/console/members", "/console/members/invite", &fields).await;
    assert_eq!(location(&sent), "/console/members");
    mailed_path(server, &who.email, before + 1).await
}

/// Accepts by the link's page.
async fn accept(console: &mut Console, path: &str) -> Answer {
    let page = console.get(path).await;
    let token_of_link = path.rsplit_once('=').unwrap().1;
    let csrf = token(&page).to_owned();
    console.post("/invitations/accept", &[("csrf", &csrf), ("token", token_of_link)]).await
}
