//! An invitation's story, and how each of its bad ends is told.

use super::{accept, code, invited, location, mailed_path, mails, send};
use crate::support::TestServer;
use crate::support::page::{Console, hidden, token};
use crate::support::token::altered;

async fn both(server: &TestServer) -> (Console, Console) {
    (Console::sign_in(server, &server.founded).await, Console::sign_in(server, &server.other).await)
}

#[tokio::test]
async fn somebody_is_invited_by_mail_accepts_and_is_removed_again() {
    let server = TestServer::spawn().await;
    let (mut ada, mut bob) = both(&server).await;
    let path = invited(&server, &mut ada, &server.other, "admin").await;
    let list = ada.get("/console/members").await;
    assert!(list.text.contains("bob&#64;example.com") || list.text.contains("bob@example.com"), "{}", list.text);

    let mut stranger = Console::new(&server);
    let page = stranger.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("/sign-in?next=") && !page.text.contains("method=\"post\""), "{}", page.text);

    let seen = bob.get(&path).await;
    assert!(seen.text.contains("Ada Org"), "{}", seen.text);
    assert_eq!(bob.get("/console/orgs").await.text.matches("Ada Org").count(), 0, "a GET accepts nothing");
    assert_eq!(location(&accept(&mut bob, &path).await), "/console");
    let members = bob.get("/console/members").await;
    assert_eq!(members.status, 200, "an admin of the new org");
    assert!(members.text.contains(&server.founded.account));
    let used = bob.get(&path).await;
    assert_eq!(used.status, 409, "{}", used.text);

    let one = format!("/console/members/{}", server.other.account);
    let wrong = send(&mut ada, &one, &format!("{one}/remove"), &[("typed", "somebody else")]).await;
    assert_eq!(wrong.status, 422);
    let removed = send(&mut ada, &one, &format!("{one}/remove"), &[("typed", &server.other.email)]).await;
    assert_eq!(location(&removed), "/console/members");
    let after = bob.get("/console/members").await;
    assert!(!after.text.contains(&server.founded.account), "sees nothing of the org at once");
    assert!(bob.get("/console/orgs").await.text.contains("canary-org-of-b"), "and goes on in their own");
}

#[tokio::test]
async fn an_invitation_is_not_for_others_and_ends_when_it_is_taken_back() {
    let server = TestServer::spawn().await;
    let (mut ada, mut bob) = both(&server).await;
    let fields = [("email", "carol@example.com"), ("role", "viewer")];
    send(&mut ada, "/console/members", "/console/members/invite", &fields).await;
    let path = mailed_path(&server, "carol@example.com", 1).await;
    let foreign = bob.get(&path).await;
    assert_eq!(foreign.status, 403);
    assert!(foreign.text.contains("carol"), "{}", foreign.text);
    let csrf = token(&foreign).to_owned();
    let fields = [("csrf", csrf.as_str()), ("token", path.rsplit_once('=').unwrap().1)];
    assert_eq!(bob.post("/invitations/accept", &fields).await.status, 403, "also by hand");

    let list = ada.get("/console/members").await;
    let (_, rest) = list.text.split_once("/console/invitations/").unwrap();
    let id = rest.split('/').next().unwrap().to_owned();
    let early = send(&mut ada, "/console/members", &format!("/console/invitations/{id}/resend"), &[]).await;
    assert_eq!(early.status, 429, "once a minute");
    let taken = send(&mut ada, "/console/members", &format!("/console/invitations/{id}/revoke"), &[]).await;
    assert_eq!(location(&taken), "/console/members");
    assert_eq!(bob.get(&path).await.status, 410);
    let (page, secret) = path.split_once('=').unwrap();
    assert_eq!(bob.get(&format!("{page}={}", altered(secret))).await.status, 404);
    assert_eq!(mails(&server, "carol@example.com").len(), 1);
}

#[tokio::test]
async fn a_form_works_once() {
    let server = TestServer::spawn().await;
    let (mut ada, _) = both(&server).await;
    let page = ada.get("/console/members").await;
    let (csrf, nonce) = (token(&page).to_owned(), hidden(&page, "nonce").to_owned());
    let fields = [("csrf", csrf.as_str()), ("nonce", &nonce), ("email", "carol@example.com"), ("role", "viewer")];
    assert_eq!(ada.post("/console/members/invite", &fields).await.status, 303);
    let again = ada.post("/console/members/invite", &fields).await;
    assert_eq!((again.status, code(&again)), (409, "conflict"));
    mailed_path(&server, "carol@example.com", 1).await;
    let forged = [("csrf", "AAAA"), ("nonce", nonce.as_str()), ("email", "dan@example.com"), ("role", "viewer")];
    assert_eq!(code(&ada.post("/console/members/invite", &forged).await), "csrf_failed");
    let unknown = send(
        &mut ada,
        "/console/members",
        "/console/members/invite",
        &[("email", "dan@example.com"), ("role", "viewer"), ("org_id", "x")],
    );
    assert_eq!(unknown.await.status, 400, "no field is smuggled in");
}

#[tokio::test]
async fn of_two_tabs_the_second_is_told_what_the_first_did() {
    let server = TestServer::spawn().await;
    let (mut ada, mut bob) = both(&server).await;
    let path = invited(&server, &mut ada, &server.other, "admin").await;
    accept(&mut bob, &path).await;
    let one = format!("/console/members/{}", server.other.account);
    let mut tab = ada.get(&one).await;
    let (csrf, nonce) = (token(&tab).to_owned(), hidden(&tab, "nonce").to_owned());
    let first = send(&mut ada, &one, &format!("{one}/role"), &[("from", "admin"), ("role", "viewer")]).await;
    assert_eq!(location(&first), "/console/members");
    let late = [("csrf", csrf.as_str()), ("nonce", &nonce), ("from", "admin"), ("role", "owner")];
    let late = ada.post(&format!("{one}/role"), &late).await;
    assert_eq!(late.status, 409, "nothing is overwritten");
    tab = bob.get("/console/members").await;
    assert_eq!((tab.status, code(&tab)), (403, "forbidden"), "the role holds at once");
}

#[tokio::test]
async fn the_last_owner_stays_also_when_two_leave_at_once() {
    let server = TestServer::spawn().await;
    let (mut ada, mut bob) = both(&server).await;
    let org = server.founded.org.clone();
    let fields = [("org", org.as_str()), ("typed", "Ada Org")];
    let alone = send(&mut ada, "/console/orgs", "/console/orgs/leave", &fields).await;
    assert_eq!(alone.status, 409);
    let path = invited(&server, &mut ada, &server.other, "owner").await;
    accept(&mut bob, &path).await;
    let (one, two) = tokio::join!(
        send(&mut ada, "/console/orgs", "/console/orgs/leave", &fields),
        send(&mut bob, "/console/orgs", "/console/orgs/leave", &fields)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 409], "{} {}", one.text, two.text);
}
