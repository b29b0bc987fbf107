//! Who may ask for what: roles, the second factor an org asks for, and people who are in no org.
use tokenim_control::invitations::{Invite, accept, invite};
use tokenim_domain::{
    actor::{Acting, Action, Actor, Right, Who as ActorWho},
    mail::{Mail, Matter},
    role::OrgRole,
};
use tokenim_store::{ConsoleSession, OrgPatch};

use super::*;

impl Face {
    /// The session behind a cookie.
    async fn session(&self, cookie: &str) -> ConsoleSession {
        let bytes = crate::cookie::decode::<16>(cookie.split('=').nth(1).unwrap()).unwrap();
        self.console.store.find_console_session(tokenim_domain::secret::sha256(&bytes)).await.unwrap().unwrap()
    }

    /// Makes whoever holds `cookie` a member of the org of `EMAIL`, in that role.
    async fn join(&self, owner: &str, cookie: &str, role: OrgRole) {
        let (store, owner, guest) = (&self.console.store, self.session(owner).await, self.session(cookie).await);
        let org = owner.member.unwrap().org;
        let of = |account| Actor { who: ActorWho::Account(account), ..Actor::machine() };
        let acting = Acting { org, right: Right::Role(OrgRole::Owner), actor: of(owner.account) };
        invite(store, &acting, Invite { email: guest.email, role, language: "en".into() }).await.unwrap();
        let jobs = store.claim_jobs(100).await.unwrap();
        let mails = jobs.iter().map(|job| serde_json::from_slice::<Mail>(&store.open_job(job).unwrap()).unwrap());
        let path = mails.into_iter().find_map(|mail| match mail.matter {
            Matter::Invitation { path, .. } => Some(path),
            _ => None,
        });
        let token = path.unwrap().rsplit(['=', '/']).next().unwrap().to_owned();
        accept(store, &of(guest.account), guest.account, &token).await.unwrap();
        store.turn_console_session(guest.id, org).await.unwrap();
    }
}

#[actix_web::test]
async fn each_role_opens_what_the_table_says_and_is_told_who_else_may() {
    let face = face().await;
    let owner = face.sign_in("").await;
    for role in [OrgRole::Viewer, OrgRole::Billing, OrgRole::Developer, OrgRole::Admin] {
        let cookie = face.sign_up(&format!("{}@example.com", role.as_str())).await;
        face.join(&owner, &cookie, role).await;
        for spec in routes().filter(|spec| spec.verb == Verb::Get && !spec.path.contains("stream")) {
            let Who::May(action) = spec.who else { continue };
            let path = spec.path.replace("{app}", &face.app.to_string());
            let answer = face.get(&path, &cookie).await;
            let refused = answer.status() == StatusCode::FORBIDDEN;
            assert_eq!(refused, !role.may(action), "{role:?} {path} {}", answer.status());
            if refused {
                let html = text_of(answer).await;
                assert!(html.contains("These roles may: owner") && html.contains("<code>forbidden</code>"), "{html}");
            }
        }
        let menu = text_of(face.get("/console/usage", &cookie).await).await;
        assert_eq!(
            menu.contains("href=\"/console/members\""),
            role.may(Action::ReadMembers) && has_page("/console/members")
        );
    }
}

fn has_page(path: &str) -> bool {
    routes().any(|spec| spec.verb == Verb::Get && spec.path == path)
}

#[actix_web::test]
async fn an_org_that_asks_for_a_second_factor_shows_the_account_page_only() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let session = face.session(&cookie).await;
    let patch = OrgPatch { requires_totp: Some(true), ..OrgPatch::default() };
    face.console.store.org(session.member.unwrap().org).update(&Actor::machine(), &patch).await.unwrap();
    let sent = face.get("/console/usage", &cookie).await;
    assert_eq!((sent.status(), location(&sent)), (StatusCode::SEE_OTHER, "/console/account"));
    let flash = header(&sent, "set-cookie").split(';').next().unwrap_or_default().to_owned();
    let told = text_of(face.get("/console/account", &format!("{cookie}; {flash}")).await).await;
    assert!(told.contains("asks its members for a second factor"), "{told}");
    assert_eq!(face.get("/console/account/totp", &cookie).await.status(), StatusCode::OK);
    let (cookie, ..) = face.switch_on(&cookie).await;
    assert_eq!(face.get("/console/usage", &cookie).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn accepting_an_invitation_verifies_the_address_for_the_accounts_other_orgs_too() {
    let face = face().await;
    let (owner, guest) = (face.sign_in("").await, face.sign_up("guest@example.com").await);
    let (store, own) = (&face.console.store, face.session(&guest).await.member.unwrap().org);
    let told = store.last_change().await.unwrap();
    face.join(&owner, &guest, OrgRole::Viewer).await;
    assert!(face.session(&guest).await.is_verified);
    assert_eq!(store.org(own).list_audit(None, 1).await.unwrap()[0].action, "account.verified");
    assert_eq!(store.last_change().await.unwrap(), told + 2, "nodes learn it of both orgs");
}

#[actix_web::test]
async fn whoever_loses_an_org_goes_on_in_another_or_in_none() {
    let face = face().await;
    let owner = face.sign_in("").await;
    let guest = face.sign_up("guest@example.com").await;
    let own = face.session(&guest).await.member.unwrap().org;
    face.join(&owner, &guest, OrgRole::Viewer).await;
    let page = text_of(face.get("/console/usage", &guest).await).await;
    assert!(page.contains("Northwind"), "{page}");
    let (host, account) = (face.session(&owner).await, face.session(&guest).await.account);
    let org = host.member.unwrap().org;
    let actor = Actor { who: ActorWho::Account(host.account), ..Actor::machine() };
    let acting = Acting { org, right: Right::Role(OrgRole::Owner), actor };
    face.console.store.org(org).remove_member(&acting, account).await.unwrap();
    let page = text_of(face.get("/console/usage", &guest).await).await;
    assert!(!page.contains("Northwind") && page.contains("guest&#39;s org"), "{page}");
    assert_eq!(face.session(&guest).await.member.unwrap().org, own);
}
