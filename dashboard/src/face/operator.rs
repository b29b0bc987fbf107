//! The operator area: what it finds, and that each change needs a reason, works once and is in both logs.
use std::sync::atomic::Ordering;

use tokenim_domain::{
    actor::{Actor, Who as ActorWho},
    id::OrgId,
    mail::{Mail, Matter},
    secret::sha256,
};
use tokenim_store::{FoundOrg, NewConsoleSession, OrgPatch};

use super::*;

/// A session of the operator area; how one is begun is another test's matter.
pub(super) async fn operator(face: &Face) -> String {
    let store = &face.console.store;
    let id = [7; 16];
    let account = store.find_account_by_email(EMAIL).await.unwrap().unwrap().id;
    store.begin_totp(account, &[1; 20]).await.unwrap();
    store.confirm_totp(account, 1, &[], &Actor::machine()).await.unwrap();
    let new = NewConsoleSession {
        hash: sha256(&id),
        account,
        org: None,
        is_operator: true,
        csrf: [9; 32],
        address: None,
        agent: None,
        expires_at: i64::MAX,
    };
    store.create_console_session(new).await.unwrap();
    format!("__Host-tim-op={}", crate::cookie::encode(&id))
}

async fn other(face: &Face) -> FoundOrg {
    face.console.store.search_orgs("other@example.com", None, 9).await.unwrap().pop().unwrap()
}

/// Sends a form of a page; the fields go with the page's token and nonce, which are returned for a second send.
pub(super) async fn send(
    face: &Face,
    cookie: &str,
    page: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> (Answer, [String; 2]) {
    let html = text_of(face.get(page, cookie).await).await;
    let keys = [token_of(&html), nonce_of(&html)];
    let all = [&[("csrf", keys[0].as_str()), ("nonce", keys[1].as_str())], fields].concat();
    (face.post(path, cookie, &all).await, keys)
}

#[actix_web::test]
async fn operators_find_orgs_and_see_the_service() {
    let face = face().await;
    let cookie = operator(&face).await;
    let id = other(&face).await.org.id;
    for (path, expected) in [
        ("/operator".to_owned(), ">14<"),
        ("/operator/orgs?q=OTHER".to_owned(), ">Other<"),
        (format!("/operator/orgs/{id}"), "other@example.com"),
        ("/operator/plans".to_owned(), "enterprise"),
        ("/operator/nodes".to_owned(), "Nodes"),
        ("/operator/jobs".to_owned(), "Every job was done."),
        ("/operator/audit?check=1".to_owned(), "Verified up to event 1."),
    ] {
        let answer = face.get(&path, &cookie).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let html = text_of(answer).await.replace("&#64;", "@");
        assert!(html.contains(expected) && html.contains("data-area=\"operator\""), "{path}: {html}");
    }
    assert!(!text_of(face.get("/operator/orgs?q=OTHER", &cookie).await).await.contains("Northwind"));
    let nothing = face.get(&format!("/operator/orgs/{}", OrgId::SERVICE), &cookie).await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_suspension_needs_a_reason_works_once_and_is_in_both_logs() {
    let face = face().await;
    let cookie = operator(&face).await;
    let store = &face.console.store;
    let id = other(&face).await.org.id;
    let page = format!("/operator/orgs/{id}");
    let suspend = format!("{page}/suspend");
    let (silent, _) = send(&face, &cookie, &page, &suspend, &[("reason", " ")]).await;
    assert_eq!(silent.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text_of(silent).await.contains("href=\"#reason\""));
    assert_eq!(other(&face).await.org.suspended_ms, None);
    let fields = [("reason", "does not pay <b>")];
    let (done, keys) = send(&face, &cookie, &page, &suspend, &fields).await;
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, page.as_str()));
    let again = [("csrf", keys[0].as_str()), ("nonce", &keys[1]), fields[0]];
    assert_eq!(face.post(&suspend, &cookie, &again).await.status(), StatusCode::CONFLICT, "the same form");
    let shown = text_of(face.get(&page, &cookie).await).await;
    assert!(shown.contains("does not pay &#60;b&#62;") && shown.contains(&format!("{page}/resume")), "{shown}");
    let (late, _) = send(&face, &cookie, &page, &suspend, &fields).await;
    assert_eq!(late.status(), StatusCode::CONFLICT, "suspended already");
    for (org, object) in [(id, id.to_string()), (OrgId::SERVICE, format!("{id} {id}"))] {
        let event = store.org(org).list_audit(None, 1).await.unwrap().pop().unwrap();
        let told = (event.action.as_str(), event.actor_kind.as_str(), event.object, event.reason.as_deref());
        assert_eq!(told, ("org.suspended", "operator", object, Some("does not pay <b>")));
    }
    let (resumed, _) = send(&face, &cookie, &page, &format!("{page}/resume"), &[("reason", "paid")]).await;
    assert_eq!(resumed.status(), StatusCode::SEE_OTHER);
    assert_eq!(other(&face).await.org.suspended_reason, None);
}

#[actix_web::test]
async fn every_change_takes_a_password_and_a_code_of_the_last_minutes() {
    let face = face().await;
    let cookie = operator(&face).await;
    let org = format!("/operator/orgs/{}", other(&face).await.org.id);
    face.clock.0.fetch_add(session::PROOF_MS, Ordering::SeqCst);
    for path in ["suspend", "resume", "plan"].map(|what| format!("{org}/{what}")) {
        let (refused, _) = send(&face, &cookie, &org, &path, &[("reason", "late"), ("plan", "pro")]).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
        let html = text_of(refused).await;
        assert!(html.contains("reauth_required") && html.contains("href=\"/console/operator\""), "{html}");
    }
    let retry = "/operator/jobs/job_00000000000000000000000001/retry";
    let (refused, _) = send(&face, &cookie, "/operator/jobs", retry, &[("reason", "late")]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(other(&face).await.org.suspended_ms, None);
}

#[actix_web::test]
async fn a_plan_is_changed_for_a_reason() {
    let face = face().await;
    let cookie = operator(&face).await;
    let page = format!("/operator/orgs/{}", other(&face).await.org.id);
    let plan = format!("{page}/plan");
    face.clock.0.fetch_add(1_000, Ordering::SeqCst);
    for (fields, status) in [
        ([("plan", "pro"), ("reason", "")], StatusCode::UNPROCESSABLE_ENTITY),
        ([("plan", "none"), ("reason", "asked")], StatusCode::UNPROCESSABLE_ENTITY),
        ([("plan", "pro"), ("reason", "asked")], StatusCode::SEE_OTHER),
    ] {
        assert_eq!(send(&face, &cookie, &page, &plan, &fields).await.0.status(), status, "{fields:?}");
        let is_changed = status == StatusCode::SEE_OTHER;
        assert_eq!(other(&face).await.plan.as_deref(), Some(if is_changed { "pro" } else { "operator" }));
    }
}

#[actix_web::test]
async fn a_job_that_was_given_up_is_tried_again() {
    let face = face().await;
    let cookie = operator(&face).await;
    let store = &face.console.store;
    let mail = Mail { to: "ada@example.com".into(), language: "en".into(), matter: Matter::Test };
    store.enqueue_mail(None, "k", &mail).await.unwrap();
    let job = store.claim_jobs(1).await.unwrap().pop().unwrap();
    store.give_up_job(&job, "550 <no> such user").await.unwrap();
    let page = text_of(face.get("/operator/jobs", &cookie).await).await;
    assert!(page.contains("550 &#60;no&#62; such user"), "{page}");
    let retry = format!("/operator/jobs/{}/retry", job.id);
    let (silent, _) = send(&face, &cookie, "/operator/jobs", &retry, &[("reason", "")]).await;
    assert_eq!(silent.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let (done, _) = send(&face, &cookie, "/operator/jobs", &retry, &[("reason", "it works now")]).await;
    assert_eq!((done.status(), location(&done)), (StatusCode::SEE_OTHER, "/operator/jobs"));
    assert_eq!(store.claim_jobs(1).await.unwrap().pop().unwrap().id, job.id);
    let log = text_of(face.get("/operator/audit", &cookie).await).await;
    assert!(log.contains("job.retried") && log.contains("it works now"), "{log}");
}

/// Even where the operator is one of its members.
#[actix_web::test]
async fn an_orgs_audit_page_names_its_members_and_no_operator() {
    let face = face().await;
    let person = face.sign_in("").await;
    let cookie = operator(&face).await;
    let store = &face.console.store;
    let account = store.find_account_by_email(EMAIL).await.unwrap().unwrap().id;
    let org = store.find_first_org(account).await.unwrap().unwrap();
    let (member, who) = (Actor::person(account, None), ActorWho::Operator(account));
    let acting = Actor { who, reason: Some("does not pay".into()), ..Actor::machine() };
    store.org(org).suspend(&acting, true).await.unwrap();
    store.org(org).suspend(&acting, false).await.unwrap();
    store.org(org).update(&member, &OrgPatch { name: Some("Acme".into()), requires_totp: None }).await.unwrap();
    let named = async |path: &str, cookie: &str| {
        let html = text_of(face.get(path, cookie).await).await;
        (html.matches(&format!(">{EMAIL}</a>")).count(), html.matches(&format!("<code>{account}</code></a>")).count())
    };
    assert_eq!(named("/console/audit?action=org.suspended", &person).await, (0, 1));
    assert_eq!(named("/console/audit?action=org.changed", &person).await, (1, 0));
    assert_eq!(named("/operator/audit?action=org.suspended", &cookie).await, (1, 0));
}
