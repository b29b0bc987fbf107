//! Sign-up, verification, reset, second factor and sessions, as a person without JavaScript goes through them.
use super::*;

const HOUR_MS: i64 = 3_600_000;

async fn is_verified(face: &Face, cookie: &str) -> bool {
    let html = text_of(face.get("/console/account", cookie).await).await;
    let (has_banner, is_verified) = (html.contains("Verify your address"), html.contains("</span>verified</span>"));
    assert_ne!(has_banner, is_verified, "{html}");
    is_verified
}

#[actix_web::test]
async fn signing_up_signs_in_and_the_mails_link_verifies_once() {
    let face = face().await;
    let answer = face.fill("/sign-up", "", &[("email", " Ada@Example.com"), ("new_password", PASSWORD)]).await;
    assert!(location(&answer).ends_with("/quickstart"), "{}", location(&answer));
    let (quickstart, cookie) = (location(&answer).to_owned(), cookie_of(&answer, "__Host-tim"));
    let page = text_of(face.get(&quickstart, &cookie).await).await;
    for wanted in ["My first app", "ada&#39;s org", "Verify your address", "data-mode=\"test\""] {
        assert!(page.contains(wanted), "{wanted} in {page}");
    }
    let mails = face.mails().await;
    assert_eq!((mails.len(), mails[0].to.as_str(), mails[0].language.as_str()), (1, NEW, "en"));
    let link = link(&mails[0]);
    for _ in 0..2 {
        assert_eq!(face.get(&link, "").await.status(), StatusCode::OK, "a scanner opens it");
    }
    assert!(!is_verified(&face, &cookie).await);
    let token = token_in(&link);
    let done = face.fill(&link, "", &[("token", token)]).await;
    assert_eq!(done.status(), StatusCode::OK);
    assert!(is_verified(&face, &cookie).await);
    let again = face.get(&link, "").await;
    assert_eq!(again.status(), StatusCode::NOT_FOUND);
    assert!(text_of(again).await.contains("does not work any more"));
    let again = face.fill("/forgot", "", &[("email", "x")]).await;
    assert_eq!(again.status(), StatusCode::OK);
    let session = face.console.store.find_account_by_email(NEW).await.unwrap().unwrap();
    let org = face.console.store.find_first_org(session.id).await.unwrap().unwrap();
    let events = face.console.store.org(org).list_audit(None, 10).await.unwrap();
    let actions: Vec<_> = events.iter().map(|event| event.action.as_str()).collect();
    assert_eq!(actions, ["account.verified", "org.created"]);
}

#[actix_web::test]
async fn links_end_and_open_nothing_of_others() {
    let face = face().await;
    let (one, two) = (face.sign_up(NEW).await, face.sign_up("bob@example.com").await);
    let mails = face.mails().await;
    let to = |email: &str| mails.iter().find(|mail| mail.to == email).map(link).unwrap();
    let (of_one, of_two) = (to(NEW), to("bob@example.com"));
    let used = face.fill(&of_one, &two, &[("token", token_in(&of_one))]).await;
    assert_eq!(used.status(), StatusCode::OK);
    assert!(is_verified(&face, &one).await && !is_verified(&face, &two).await, "a link is its own account's");
    let forged = "/verify?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let as_reset = of_two.replace("/verify", "/reset");
    face.advance(23 * HOUR_MS);
    assert_eq!(face.get(&of_two, "").await.status(), StatusCode::OK);
    face.advance(HOUR_MS + 1);
    for dead in [of_two.as_str(), of_one.as_str(), forged, "/verify", "/verify?token=%00", as_reset.as_str()] {
        assert_eq!(face.get(dead, "").await.status(), StatusCode::NOT_FOUND, "{dead}");
    }
}

#[actix_web::test]
async fn an_address_that_is_taken_signs_in_or_learns_nothing() {
    let face = face().await;
    let known = face.fill("/sign-up", "", &[("email", EMAIL), ("new_password", PASSWORD)]).await;
    assert_eq!(known.status(), StatusCode::SEE_OTHER, "the right password signs in");
    for _ in 0..2 {
        let taken = face.fill("/sign-up", "", &[("email", EMAIL), ("new_password", "another good sentence")]).await;
        assert_eq!(taken.status(), StatusCode::OK);
        let html = text_of(taken).await;
        assert!(html.contains("Check your mail") && !html.contains(EMAIL), "{html}");
    }
    let mails = face.mails().await;
    assert_eq!(mails.len(), 1, "one an hour");
    assert!(matches!(mails[0].matter, Matter::AddressTaken { .. }) && mails[0].to == EMAIL);
    assert_eq!(face.try_sign_in(PASSWORD).await.status(), StatusCode::SEE_OTHER, "the password is as before");
}

#[actix_web::test]
async fn a_refused_sign_up_keeps_the_address_and_never_the_password() {
    let face = face().await;
    for (email, password, field) in [
        (NEW, "too short", "new_password"),
        (NEW, "passwordpassword", "new_password"),
        (NEW, NEW, "new_password"),
        ("nobody", PASSWORD, "email"),
    ] {
        let refused = face.fill("/sign-up", "", &[("email", email), ("new_password", password)]).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{email} {password}");
        let html = text_of(refused).await;
        assert!(html.contains(&format!("href=\"#{field}\"")) && html.contains(&format!("value=\"{email}\"")), "{html}");
        assert!(html.contains("id=\"problems\" tabindex=\"-1\" autofocus"), "the summary takes the focus");
        assert_eq!(html.matches("too short").count() + html.matches("passwordpassword").count(), 0);
    }
    let smuggled = face.fill("/sign-up", "", &[("email", NEW), ("new_password", PASSWORD), ("is_operator", "1")]).await;
    assert_eq!(smuggled.status(), StatusCode::BAD_REQUEST, "unknown fields are refused");
    assert!(face.console.store.find_account_by_email(NEW).await.unwrap().is_none());
}

#[actix_web::test]
async fn a_form_works_once_in_each_tab_and_mails_are_limited() {
    let face = face().await;
    let cookie = face.sign_up(NEW).await;
    face.mails().await;
    let html = text_of(face.get("/console/account", &cookie).await).await;
    let fields = [("csrf", token_of(&html)), ("nonce", nonce_of(&html))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let path = "/console/account/verify";
    let sent = face.post(path, &cookie, &fields).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let told = face.get("/console/account", &format!("{cookie}; {}", flash_of(&sent))).await;
    assert!(header_list(&told, "set-cookie").iter().any(|line| line.starts_with("tim_flash=;")), "told once");
    assert!(text_of(told).await.contains("role=\"status\""));
    let twice = face.post(path, &cookie, &fields).await;
    assert_eq!(twice.status(), StatusCode::CONFLICT);
    assert!(text_of(twice).await.contains("This form was sent already"));
    assert_eq!(face.mails().await.len(), 1, "one effect");
    assert_eq!(face.post(path, &cookie, &fields[..1]).await.status(), StatusCode::BAD_REQUEST, "no nonce");
    for _ in 0..3 {
        let other_tab = face.send("/console/account", path, &cookie, &[]).await;
        assert_eq!(other_tab.status(), StatusCode::SEE_OTHER);
    }
    let limited = face.send("/console/account", path, &cookie, &[]).await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS, "five an hour, the first one at sign-up");
    assert_eq!(face.mails().await.len(), 3);
}

#[actix_web::test]
async fn a_reset_ends_every_session_and_its_streams() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let stream = face.get("/console/stream", &cookie).await;
    let known = face.fill("/forgot", "", &[("email", EMAIL)]).await;
    let unknown = face.fill("/forgot", "", &[("email", "nobody@example.com")]).await;
    assert_eq!(known.status(), unknown.status());
    assert_eq!(text_of(known).await, text_of(unknown).await, "both read the same");
    let mails = face.mails().await;
    assert_eq!(mails.len(), 1);
    let link = link(&mails[0]);
    let refused = face.fill(&link, "", &[("token", token_in(&link)), ("new_password", "short")]).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "the link is not used up by that");
    let changed = "a brand new sentence";
    let done = face.fill(&link, "", &[("token", token_in(&link)), ("new_password", changed)]).await;
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, "/sign-in"));
    let rest = tokio::time::timeout(Duration::from_secs(5), test::read_body(stream)).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("event: gone"), "the live stream ended");
    assert_eq!(face.get("/console/usage", &cookie).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(face.get(&link, "").await.status(), StatusCode::NOT_FOUND, "once");
    let mails = face.mails().await;
    assert!(matches!(mails[..], [Mail { matter: Matter::PasswordChanged { .. }, .. }]));
    assert_eq!(face.try_sign_in(PASSWORD).await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(face.try_sign_in(changed).await.status(), StatusCode::SEE_OTHER);
    face.fill("/forgot", "", &[("email", EMAIL)]).await;
    let link = self::link(&face.mails().await[0]);
    face.advance(30 * 60_000);
    assert_eq!(face.get(&link, "").await.status(), StatusCode::NOT_FOUND, "after half an hour");
}

#[actix_web::test]
async fn a_new_password_needs_the_old_one_and_ends_other_sessions() {
    let face = face().await;
    let (here, there) = (face.sign_in("").await, face.sign_in("").await);
    let path = "/console/account/password";
    let change = async |old: &str, new: &str| {
        let fields = [("username", EMAIL), ("password", old), ("new_password", new)];
        face.send("/console/account", path, &here, &fields).await
    };
    let wrong = change("wrong horse battery staple", "a brand new sentence").await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let easy = change(PASSWORD, "passwordpassword").await;
    assert_eq!(easy.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(face.get("/console/usage", &there).await.status(), StatusCode::OK);
    face.fill("/forgot", "", &[("email", EMAIL)]).await;
    let link = link(&face.mails().await[0]);
    assert_eq!(face.get(&link, "").await.status(), StatusCode::OK);
    let done = change(PASSWORD, "a brand new sentence").await;
    assert_eq!(face.get(&link, "").await.status(), StatusCode::NOT_FOUND, "links to reset the old one end");
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, "/console/account"));
    let new = cookie_of(&done, "__Host-tim");
    assert_eq!(face.get("/console/usage", &new).await.status(), StatusCode::OK);
    for dead in [&here, &there] {
        assert_eq!(face.get("/console/usage", dead).await.status(), StatusCode::SEE_OTHER);
    }
    assert_eq!(face.mails().await.len(), 1);
}
