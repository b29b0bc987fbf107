//! Sign-up, verification, reset, second factor and sessions, as a person without JavaScript goes through them.
use tokenim_domain::mail::{Mail, Matter};
use totp_rs::{Algorithm, Builder};

use super::*;

const NEW: &str = "ada@example.com";
const HOUR_MS: i64 = 3_600_000;

impl Face {
    fn advance(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// The mails that are due.
    async fn mails(&self) -> Vec<Mail> {
        let store = &self.console.store;
        let mut mails = Vec::new();
        for job in store.claim_jobs(100).await.unwrap() {
            mails.push(serde_json::from_slice(&store.open_job(&job).unwrap()).unwrap());
            assert!(store.finish_job(&job).await.unwrap());
        }
        mails
    }

    /// Opens the page of a form before sign-in, fills it in and sends it. Returns the answer.
    async fn fill(&self, page: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.get(page, cookie).await;
        let form_cookie = cookie_of(&answer, "__Host-tim-form");
        let html = text_of(answer).await;
        let token = token_of(&html);
        assert!(!token.is_empty(), "{page}: {html}");
        let mut all = vec![("csrf", token.as_str())];
        all.extend_from_slice(fields);
        let path = page.split('?').next().unwrap();
        self.post(path, &format!("{cookie}; {form_cookie}"), &all).await
    }

    /// Sends a form of the account page, or of another page of the signed-in.
    async fn send(&self, page: &str, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
        let html = text_of(self.get(page, cookie).await).await;
        let (token, nonce) = (token_of(&html), nonce_of(&html));
        let mut all = vec![("csrf", token.as_str()), ("nonce", nonce.as_str())];
        all.extend_from_slice(fields);
        self.post(path, cookie, &all).await
    }

    /// Signs up and returns the session's cookie.
    pub(super) async fn sign_up(&self, email: &str) -> String {
        let answer = self.fill("/sign-up", "", &[("email", email), ("new_password", PASSWORD)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", text_of(answer).await);
        cookie_of(&answer, "__Host-tim")
    }

    async fn try_sign_in(&self, password: &str) -> Answer {
        self.fill("/sign-in", "", &[("email", EMAIL), ("password", password)]).await
    }

    /// Switches the second factor on; the seed and the recovery codes.
    pub(super) async fn switch_on(&self, cookie: &str) -> (String, Vec<u8>, Vec<String>) {
        let html = text_of(self.get("/console/account/totp", cookie).await).await;
        let secret = html.split("<code>").nth(1).unwrap().split('<').next().unwrap().replace(' ', "");
        let seed = totp_rs::Secret::try_from_base32(&secret).unwrap().as_ref().to_vec();
        let page = "/console/account/totp";
        let code = self.code(&seed);
        let done = self.send(page, page, cookie, &[("code", &code)]).await;
        assert_eq!(done.status(), StatusCode::OK);
        let cookie = cookie_of(&done, "__Host-tim");
        let html = text_of(done).await;
        let codes = html.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        (cookie, seed, codes.collect())
    }

    /// The code of now.
    fn code(&self, seed: &[u8]) -> String {
        let totp = Builder::new().with_algorithm(Algorithm::SHA1).with_secret(seed.to_vec()).build().unwrap();
        totp.generate(u64::try_from(self.clock.now_ms()).unwrap() / 1000).to_string()
    }
}

fn nonce_of(html: &str) -> String {
    html.split("name=\"nonce\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}

/// Path and query of the link in a mail.
fn link(mail: &Mail) -> String {
    match &mail.matter {
        Matter::VerifyAddress { path, .. } | Matter::ResetPassword { path, .. } => path.clone(),
        other => panic!("{other:?} has no link"),
    }
}

fn token_in(link: &str) -> &str {
    link.split("token=").nth(1).unwrap()
}

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
    let done = change(PASSWORD, "a brand new sentence").await;
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, "/console/account"));
    let new = cookie_of(&done, "__Host-tim");
    assert_eq!(face.get("/console/usage", &new).await.status(), StatusCode::OK);
    for dead in [&here, &there] {
        assert_eq!(face.get("/console/usage", dead).await.status(), StatusCode::SEE_OTHER);
    }
    assert_eq!(face.mails().await.len(), 1);
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
async fn what_needs_fresh_proof_is_refused_without() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    face.advance(session::PROOF_MS);
    let html = text_of(face.get("/console/account", &cookie).await).await;
    let fields = [("csrf", token_of(&html)), ("nonce", nonce_of(&html))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let fresh: Vec<_> = routes().filter(|spec| spec.fresh && spec.who != Who::Operator).collect();
    assert!(fresh.len() >= 4);
    for spec in fresh {
        let path = address(spec.path);
        if spec.verb == Verb::Get {
            let asked = face.get(&path, &cookie).await;
            assert_eq!(location(&asked), format!("/console/prove?next={path}"));
        } else {
            let refused = face.post(&path, &cookie, &fields).await;
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
            let html = text_of(refused).await;
            assert!(html.contains("reauth_required") && html.contains("href=\"/console/prove?next="), "{path}");
        }
    }
    let proved = face.send("/console/prove", "/console/prove", &cookie, &[("password", PASSWORD)]).await;
    let cookie = cookie_of(&proved, "__Host-tim");
    assert_eq!(face.get("/console/account/totp", &cookie).await.status(), StatusCode::OK);
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
    let moved = operator.replace("__Host-tim-op", "__Host-tim");
    assert_eq!(face.get("/console/usage", &moved).await.status(), StatusCode::SEE_OTHER, "it opens no console page");
    let html = text_of(face.get("/console/account", &cookie).await).await;
    assert!(html.contains("Operator area"), "listed among the sessions");
}

fn flash_of(answer: &Answer) -> String {
    let lines = header_list(answer, "set-cookie");
    let line = lines.iter().find(|line| line.starts_with("tim_flash=")).cloned().unwrap_or_default();
    line.split(';').next().unwrap_or_default().to_owned()
}

fn header_list(answer: &Answer, name: &str) -> Vec<String> {
    answer.headers().get_all(name).map(|value| value.to_str().unwrap().to_owned()).collect()
}
