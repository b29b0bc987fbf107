//! The second factor: switched on, asked for, replaced and switched off.
use tokenim_domain::id::OrgId;

use super::*;

#[actix_web::test]
async fn a_code_is_asked_for_at_sign_in_and_works_once() {
    let face = face().await;
    let (cookie, seed, recovery) = face.switch_on(&face.sign_in("").await).await;
    assert_eq!(recovery.len(), 10);
    assert!(recovery.iter().all(|code| code.len() == 14));
    let half_of = async || {
        let half = face.try_sign_in(PASSWORD).await;
        assert!(location(&half).starts_with("/sign-in/code"), "{}", location(&half));
        assert_eq!(cookie_of(&half, "__Host-tim"), "", "no session before the code");
        cookie_of(&half, "__Host-tim-half")
    };
    let half = half_of().await;
    assert_eq!(face.get("/console/usage", &half).await.status(), StatusCode::SEE_OTHER);
    let enter = async |half: &str, code: &str| face.fill("/sign-in/code", half, &[("code", code)]).await;
    let same_step = enter(&half, &face.code(&seed)).await;
    assert_eq!(same_step.status(), StatusCode::UNPROCESSABLE_ENTITY, "the step was used to switch it on");
    face.advance(30_000);
    let code = face.code(&seed);
    let done = enter(&half, &code).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(face.get("/console/usage", &cookie_of(&done, "__Host-tim")).await.status(), StatusCode::OK);
    assert_eq!(enter(&half, &code).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "a second time in its step");
    let spaced = format!("{} {}", &recovery[3][..7], &recovery[3][7..]);
    assert_eq!(enter(&half, &spaced).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(enter(&half, &recovery[3]).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "a code works once");
    let html = text_of(face.get("/console/account", &cookie).await).await;
    assert!(html.contains("9 recovery codes left"), "{html}");
    face.advance(5 * 60_000);
    let late = face.get("/sign-in/code", &half).await;
    assert_eq!((late.status(), location(&late)), (StatusCode::SEE_OTHER, "/sign-in?next=/sign-in/code"));
    let half = half_of().await;
    for _ in 0..5 {
        assert_eq!(enter(&half, "000000").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(enter(&half, &face.code(&seed)).await.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn right_passwords_between_them_give_no_more_codes() {
    let face = face().await;
    let (_, seed, _) = face.switch_on(&face.sign_in("").await).await;
    face.advance(30_000);
    let half = async || cookie_of(&face.try_sign_in(PASSWORD).await, "__Host-tim-half");
    let enter = async |half: &str, code: &str| face.fill("/sign-in/code", half, &[("code", code)]).await.status();
    for _ in 0..5 {
        assert_eq!(enter(&half().await, "000000").await, StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(enter(&half().await, &face.code(&seed)).await, StatusCode::TOO_MANY_REQUESTS);
    face.advance(60_000);
    let half = half().await;
    assert_eq!(enter(&half, &face.code(&seed)).await, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn a_reset_password_does_not_skip_the_code() {
    let face = face().await;
    face.switch_on(&face.sign_in("").await).await;
    let half = cookie_of(&face.try_sign_in(PASSWORD).await, "__Host-tim-half");
    face.fill("/forgot", "", &[("email", EMAIL)]).await;
    let link = link(&face.mails().await[0]);
    face.fill(&link, "", &[("token", token_in(&link)), ("new_password", "a brand new sentence")]).await;
    assert_eq!(
        face.get("/sign-in/code", &half).await.status(),
        StatusCode::SEE_OTHER,
        "the old password's half is worth nothing"
    );
    let next = face.try_sign_in("a brand new sentence").await;
    assert!(location(&next).starts_with("/sign-in/code"));
}

#[actix_web::test]
async fn secrets_are_shown_once_and_the_factor_ends_with_a_code() {
    let face = face().await;
    let (cookie, seed, before) = face.switch_on(&face.sign_in("").await).await;
    let html = text_of(face.get("/console/account/totp", &cookie).await).await;
    assert!(!html.contains("class=\"qr\""), "the seed is never shown again");
    let fields = [("csrf", token_of(&html)), ("nonce", nonce_of(&html))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let made = text_of(face.post("/console/account/totp/codes", &cookie, &fields).await).await;
    assert_eq!(made.matches("<li><code>").count(), 10);
    assert!(!made.contains(&before[0]) && made.contains("download=\"tokenim-recovery-codes.txt\""));
    let again = face.post("/console/account/totp/codes", &cookie, &fields).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert!(text_of(again).await.contains("Already shown"));
    let off = "/console/account/totp/off";
    let wrong = face.send("/console/account/totp", off, &cookie, &[("code", &before[0])]).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY, "replaced codes work no longer");
    face.advance(30_000);
    let done = face.send("/console/account/totp", off, &cookie, &[("code", &face.code(&seed))]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(face.try_sign_in(PASSWORD).await.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn the_operator_area_takes_an_operator_a_password_and_a_code() {
    let face = face().await;
    let stranger = face.sign_up(NEW).await;
    assert_eq!(face.get("/console/operator", &stranger).await.status(), StatusCode::NOT_FOUND);
    let cookie = face.sign_in("").await;
    let without = text_of(face.get("/console/operator", &cookie).await).await;
    assert!(without.contains("/console/account/totp") && !without.contains("name=\"code\""));
    let (cookie, seed, _) = face.switch_on(&cookie).await;
    face.advance(30_000);
    let enter = async |password: &str, code: &str| {
        face.send("/console/operator", "/console/operator", &cookie, &[("password", password), ("code", code)]).await
    };
    assert_eq!(enter("wrong horse battery staple", &face.code(&seed)).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(enter(PASSWORD, "000000").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let done = enter(PASSWORD, &face.code(&seed)).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let operator = cookie_of(&done, "__Host-tim-op");
    assert_ne!(operator, "");
    let service = face.console.store.org(OrgId::SERVICE);
    let entered = service.list_audit(None, 1).await.unwrap().remove(0);
    assert_eq!((entered.action.as_str(), entered.actor_kind.as_str()), ("operator.entered", "operator"));
    let moved = operator.replace("__Host-tim-op", "__Host-tim");
    assert_eq!(face.get("/console/usage", &moved).await.status(), StatusCode::SEE_OTHER, "it opens no console page");
    let html = text_of(face.get("/console/account", &cookie).await).await;
    assert!(html.contains("Operator area"), "listed among the sessions");
    let both = format!("{cookie}; {operator}");
    assert_eq!(face.get("/operator", &both).await.status(), StatusCode::OK);
    face.advance(30_000);
    let code = face.code(&seed);
    let off = face.send("/console/account/totp", "/console/account/totp/off", &cookie, &[("code", &code)]).await;
    let cookie = cookie_of(&off, "__Host-tim");
    assert_eq!(
        service.list_audit(None, 1).await.unwrap()[0].action,
        "account.totp_disabled",
        "in the service's log too"
    );
    let both = format!("{cookie}; {operator}");
    let ended = face.get("/operator", &both).await;
    assert_eq!(location(&ended), "/console/operator", "no operator without a second factor");
    let (cookie, ..) = face.switch_on(&cookie).await;
    let ended = face.get("/operator", &format!("{cookie}; {operator}")).await;
    assert_eq!(location(&ended), "/console/operator", "it ended with the factor it was begun with");
}
