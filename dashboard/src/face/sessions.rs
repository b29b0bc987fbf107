//! Sessions: how they begin, end, prove and are listed.
use super::*;

#[actix_web::test]
async fn signing_in_makes_a_new_session_and_ends_the_old_one() {
    let face = face().await;
    let old = face.sign_in("").await;
    assert_eq!(face.get("/console/usage", &old).await.status(), StatusCode::OK);
    let answer = face.get("/sign-in", &old).await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/console/overview"));
    let planted = "__Host-tim=AAAAAAAAAAAAAAAAAAAAAA";
    let new = face.sign_in(planted).await;
    assert!(new != planted && new != old);
    assert_eq!(face.get("/console/usage", planted).await.status(), StatusCode::SEE_OTHER);
    let token = token_of(&text_of(face.get("/console/usage", &new).await).await);
    let out = face.post("/sign-out", &new, &[("csrf", &token)]).await;
    assert_eq!((out.status(), location(&out)), (StatusCode::SEE_OTHER, "/sign-in"));
    assert_eq!(
        face.get("/console/usage", &new).await.status(),
        StatusCode::SEE_OTHER,
        "the cookie alone is worth nothing"
    );
}

#[actix_web::test]
async fn proof_that_it_is_them_takes_the_password_and_gives_a_new_cookie() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let page = text_of(face.get("/console/prove?next=/console/usage?range=7d", &cookie).await).await;
    assert!(page.contains("value=\"/console/usage?range=7d\""), "{page}");
    let token = token_of(&page);
    let prove = async |password: &str| {
        let fields = [("csrf", token.as_str()), ("password", password), ("next", "/console/usage?range=7d")];
        face.post("/console/prove", &cookie, &fields).await
    };
    let refused = prove("wrong horse battery staple").await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let html = text_of(refused).await;
    assert!(html.contains("href=\"#password\"") && html.contains("autofocus") && !html.contains("wrong horse"));
    let done = prove(PASSWORD).await;
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, "/console/usage?range=7d"));
    let new = cookie_of(&done, "__Host-tim");
    assert_ne!(new, cookie);
    assert_eq!(
        face.get("/console/usage", &cookie).await.status(),
        StatusCode::SEE_OTHER,
        "the old one is worth nothing"
    );
    assert_eq!(face.get("/console/usage", &new).await.status(), StatusCode::OK);
    for _ in 0..5 {
        let token = token_of(&text_of(face.get("/console/prove", &new).await).await);
        face.post("/console/prove", &new, &[("csrf", &token), ("password", "wrong horse battery staple")]).await;
    }
    let token = token_of(&text_of(face.get("/console/prove", &new).await).await);
    let limited = face.post("/console/prove", &new, &[("csrf", &token), ("password", PASSWORD)]).await;
    assert_eq!(limited.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn a_session_ends_when_idle_and_at_its_age() {
    let face = face().await;
    let advance = |ms: i64| face.clock.0.fetch_add(ms, Ordering::SeqCst);
    let cookie = face.sign_in("").await;
    advance(session::IDLE_MS - 1);
    assert_eq!(face.get("/console/usage", &cookie).await.status(), StatusCode::OK);
    advance(session::IDLE_MS);
    assert_eq!(face.get("/console/usage", &cookie).await.status(), StatusCode::SEE_OTHER);
    let cookie = face.sign_in("").await;
    let steps = session::AGE_MS / (session::IDLE_MS / 2);
    for step in 1..=steps {
        advance(session::IDLE_MS / 2);
        let expected = if step < steps { StatusCode::OK } else { StatusCode::SEE_OTHER };
        assert_eq!(face.get("/console/usage", &cookie).await.status(), expected, "step {step}");
    }
}

#[actix_web::test]
async fn guessing_is_slowed_down_with_the_form_kept() {
    let face = face().await;
    let page = face.get("/sign-in", "").await;
    let cookie = cookie_of(&page, "__Host-tim-form");
    let token = token_of(&text_of(page).await);
    let fields =
        [("csrf", token.as_str()), ("email", "Dev@Example.com "), ("password", "wrong password"), ("next", "")];
    for _ in 0..5 {
        assert_eq!(face.post("/sign-in", &cookie, &fields).await.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = face.post("/sign-in", &cookie, &fields).await;
    assert_eq!((answer.status(), header(&answer, "retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    let html = text_of(answer).await;
    assert!(html.contains("value=\"dev@example.com\"") && !html.contains("wrong password"));
    let huge = "x".repeat(20_000);
    let answer = face.post("/sign-in", &cookie, &[("csrf", &token), ("email", &huge), ("password", "x")]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[actix_web::test]
async fn sessions_are_listed_and_ended_by_their_account_only() {
    let face = face().await;
    let (here, there, foreign) = (face.sign_in("").await, face.sign_in("").await, face.sign_up(NEW).await);
    let html = text_of(face.get("/console/account", &here).await).await;
    assert_eq!(html.matches("this one").count(), 1);
    let after = html.split("/console/account/sessions/").skip(1);
    let ids: Vec<&str> = after.filter_map(|rest| rest.split('/').next()).filter(|id| id.starts_with("ses_")).collect();
    assert_eq!(ids.len(), 1, "{html}");
    let end = format!("/console/account/sessions/{}/end", ids[0]);
    let unknown = "/console/account/sessions/ses_00000000000000000000000001/end";
    let mut pages = Vec::new();
    for path in [end.as_str(), unknown] {
        let refused = face.send("/console/account", path, &foreign, &[]).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
        pages.push(without_request(&text_of(refused).await).replace(path, "as asked"));
    }
    assert_eq!(pages[0], pages[1], "a foreign session and an unknown one read the same");
    assert_eq!(face.get("/console/usage", &there).await.status(), StatusCode::OK);
    assert_eq!(face.send("/console/account", &end, &here, &[]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(face.get("/console/usage", &there).await.status(), StatusCode::SEE_OTHER);
    let (three, four) = (face.sign_in("").await, face.sign_in("").await);
    face.send("/console/account", "/console/account/sessions/end-others", &here, &[]).await;
    for (cookie, status) in [(&here, StatusCode::OK), (&three, StatusCode::SEE_OTHER), (&four, StatusCode::SEE_OTHER)] {
        assert_eq!(face.get("/console/usage", cookie).await.status(), status);
    }
}
