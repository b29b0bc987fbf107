//! Every page of the console, with ids of another org.

use super::{Ids, Orgs, assert_clean};
use crate::support::page::{Console, token};
use crate::support::rest::Answer;
use tokenim_dashboard::{RouteSpec, Verb, routes};

/// How a page is asked for with these ids.
enum Case {
    /// Asked for and compared.
    Get(String),
    /// The sign-in form, sent with its own token.
    Post(Vec<(&'static str, String)>),
    /// A form for the signed-in, sent with the token of a page of theirs.
    Form(String, Vec<(&'static str, String)>),
    /// Takes nothing that could name something of an org.
    NoId,
}

/// A page without a line here fails the test.
fn cases(route: &RouteSpec, ids: &Ids) -> Vec<Case> {
    let Ids { app, key, kid, .. } = ids;
    let of_app = route.path.replace("{app}", app);
    let path = |id: &str| {
        let (before, rest) = route.path.split_once('{').unwrap();
        format!("{before}{id}{}", rest.split_once('}').unwrap().1)
    };
    let of = |id: &str| vec![Case::Get(path(id))];
    let form = |id: &str, fields| vec![Case::Form(path(id), fields)];
    match (route.verb, route.path) {
        (Verb::Get, "/console/usage" | "/console/usage.csv") => ["", "&range=7d", "&range=30d", "&lang=zh-CN"]
            .map(|more| Case::Get(format!("{}?app={app}{more}", route.path)))
            .into(),
        (Verb::Get, "/console/stream") => vec![Case::Get(format!("/console/stream?app={app}"))],
        (Verb::Get, "/sign-in") => vec![Case::Get(format!("/sign-in?next=/console/usage?app={app}"))],
        (Verb::Post, "/sign-in") => {
            vec![Case::Post(vec![("email", ids.email.clone()), ("password", "wrong horse battery staple".to_owned())])]
        }
        (Verb::Get, "/console/apps/{app}/quickstart" | "/console/apps/{app}/quickstart/checkpoints") => {
            vec![Case::Get(route.path.replace("{app}", app))]
        }
        (Verb::Post, "/console/apps/{app}/quickstart/messages") => {
            vec![Case::Form(route.path.replace("{app}", app), vec![("sender", "alice".to_owned()), ("text", "hello".to_owned())])]
        }
        (
            Verb::Get,
            "/console/apps/{app}"
            | "/console/apps/{app}/keys"
            | "/console/apps/{app}/signing-keys"
            | "/console/apps/{app}/origins",
        ) => {
            vec![Case::Get(of_app.clone()), Case::Get(of_app + "?lang=zh-CN")]
        }
        (Verb::Post, "/console/apps/{app}/rename") => vec![Case::Form(of_app, vec![("name", "x".to_owned())])],
        (Verb::Post, "/console/apps/{app}/strangers") => {
            vec![Case::Form(of_app, vec![("strangers", "server".to_owned())])]
        }
        (Verb::Post, "/console/apps/{app}/unknown-users") => vec![Case::Form(of_app, vec![("unknown_users", "refuse".to_owned())])],
        (Verb::Post, "/console/apps/{app}/logins") => vec![Case::Form(of_app, vec![("logins", "one".to_owned())])],
        (Verb::Post, "/console/apps/{app}/suspend" | "/console/apps/{app}/resume") => {
            vec![Case::Form(of_app, Vec::new())]
        }
        (Verb::Post, "/console/apps/{app}/delete") => {
            vec![Case::Form(of_app, vec![("typed_name", "canary-app-of-b".to_owned())])]
        }
        (Verb::Post, "/console/apps/{app}/keys") => {
            vec![Case::Form(of_app, vec![("name", "x".to_owned()), ("*", "on".to_owned())])]
        }
        (Verb::Post, "/console/apps/{app}/signing-keys") => {
            vec![Case::Form(of_app, vec![("name", "x".to_owned()), ("algorithm", "HS256".to_owned())])]
        }
        (Verb::Post, "/console/apps/{app}/keys/{key}/rotate" | "/console/apps/{app}/keys/{key}/revoke") => {
            key_changes(route, ids, key)
        }
        (
            Verb::Post,
            "/console/apps/{app}/signing-keys/{key}/rotate" | "/console/apps/{app}/signing-keys/{key}/revoke",
        ) => key_changes(route, ids, kid),
        (Verb::Post, "/console/apps/{app}/origins" | "/console/apps/{app}/origins/remove") => {
            vec![Case::Form(of_app, vec![("origin", "https://shop.example".to_owned())])]
        }
        (Verb::Get, "/console/apps" | "/console/apps/new") | (Verb::Post, "/console/apps") => vec![Case::NoId],
        (Verb::Get, "/console/members/{account}") => of(&ids.account),
        (Verb::Get, "/operator/orgs/{org}") => of(&ids.org),
        (Verb::Get, "/console/members") => {
            [("after", &ids.account), ("invited_after", &ids.invitation)]
                .map(|(name, id)| Case::Get(format!("{}?{name}={id}", route.path)))
                .into()
        }
        (Verb::Get, "/console/settings") => vec![Case::Get(format!("{}?after={}", route.path, ids.management_key))],
        (Verb::Get, "/console/audit" | "/console/audit.csv" | "/console/audit.ndjson") => {
            vec![Case::Get(format!("{}?actor={}", route.path, ids.account))]
        }
        (Verb::Post, "/console/orgs/switch") => vec![Case::Form(route.path.to_owned(), vec![("org", ids.org.clone())])],
        (Verb::Post, "/console/orgs/leave") => vec![Case::Form(
            route.path.to_owned(),
            vec![("org", ids.org.clone()), ("typed", "canary-org-of-b".to_owned())],
        )],
        (Verb::Post, "/console/members/{account}/role") => {
            form(&ids.account, vec![("from", "owner".to_owned()), ("role", "viewer".to_owned())])
        }
        (Verb::Post, "/console/members/{account}/remove") => form(&ids.account, vec![("typed", ids.email.clone())]),
        (Verb::Post, "/console/invitations/{id}/resend" | "/console/invitations/{id}/revoke") => {
            form(&ids.invitation, Vec::new())
        }
        (Verb::Post, "/console/settings/management-keys/{key}/revoke") => form(&ids.management_key, Vec::new()),
        (Verb::Post, "/console/settings/transfer") => vec![Case::Form(
            route.path.to_owned(),
            vec![("account", ids.account.clone()), ("typed", "Ada Org".to_owned())],
        )],
        // Links and sessions are an account's, not an org's; dashboard/src/face/account.rs tries those of others.
        (
            Verb::Get,
            "/sign-up"
            | "/sign-in/code"
            | "/verify"
            | "/forgot"
            | "/reset"
            | "/console/account"
            | "/console/account/totp"
            | "/console/operator",
        )
        | (
            Verb::Post,
            "/sign-up"
            | "/sign-in/code"
            | "/verify"
            | "/forgot"
            | "/reset"
            | "/console/account/verify"
            | "/console/account/password"
            | "/console/account/sessions/end-others"
            | "/console/account/sessions/{session}/end"
            | "/console/account/totp"
            | "/console/account/totp/begin"
            | "/console/account/totp/codes"
            | "/console/account/totp/off"
            | "/console/operator",
        )
        | (Verb::Get, "/" | "/console" | "/console/overview")
        | (Verb::Get, "/dev/mail" | "/dev/mail/{name}")
        | (Verb::Get, "/console/plan" | "/console/plan/{plan}")
        | (Verb::Post, "/console/plan/{plan}")
        // These name the org of the session, or one that the operator area may see anyway.
        | (Verb::Post, "/console/orgs" | "/console/members/invite" | "/console/settings")
        | (Verb::Post, "/console/settings/management-keys")
        | (Verb::Get, "/console/orgs")
        // A token is in no org's list; tests of members ask for wrong ones.
        | (Verb::Get | Verb::Post, "/invitations/accept")
        | (Verb::Get, "/operator" | "/operator/orgs" | "/operator/plans" | "/operator/nodes" | "/operator/jobs")
        | (Verb::Get, "/operator/audit")
        // Announcements are of no org.
        | (Verb::Get | Verb::Post, "/operator/announcements" | "/operator/announcements/{announcement}")
        | (Verb::Post, "/operator/announcements/{announcement}/end")
        | (Verb::Post, "/console/announcements/{announcement}/dismiss")
        | (Verb::Post, "/operator/orgs/{org}/plan")
        | (Verb::Post, "/operator/orgs/{org}/suspend" | "/operator/orgs/{org}/resume" | "/operator/jobs/{job}/retry")
        | (Verb::Get | Verb::Post, "/console/prove")
        | (Verb::Post, "/sign-out" | "/console/preferences" | "/csp-report")
        | (Verb::Get, "/assets/{name}" | "/docs" | "/docs/{name}") => vec![Case::NoId],
        (verb, path) => panic!("{verb:?} {path} has no case in this table"),
    }
}

/// Changes of a key under the app it is of, and under an app of the visitor's own.
fn key_changes(route: &RouteSpec, ids: &Ids, key: &str) -> Vec<Case> {
    let fields = if route.path.ends_with("rotate") { vec![("grace_s", "0".to_owned())] } else { Vec::new() };
    let of = |app: &str| route.path.replace("{app}", app).replace("{key}", key);
    vec![Case::Form(of(&ids.app), fields.clone()), Case::Form(of(&ids.own_app), fields)]
}

/// Status, headers and page, with ids, form tokens and nonces masked.
fn comparable(answer: &Answer, ids: &Ids) -> String {
    assert_clean(&answer.text);
    let mut words =
        vec![ids.app.clone(), ids.key.clone(), ids.kid.clone(), ids.email.clone(), ids.email.replace('@', "&#64;")];
    words.extend([&ids.org, &ids.account, &ids.invitation, &ids.management_key].map(Clone::clone));
    for (start, end) in [
        ("name=\"csrf\" value=\"", "\""),
        ("name=\"nonce\" value=\"", "\""),
        ("nonce-", "'"),
        ("datetime=\"", "\""),
        ("nonce=\"", "\""),
        ("X-CSRF-Token\":\"", "\""),
        ("x-csrf-token&quot;:&quot;", "&"),
        ("x-csrf-token\": \"", "\""),
        ("tim_dev_form=", ";"),
    ] {
        let text = answer.masked(&[]);
        words.extend(
            text.split(start)
                .skip(1)
                .map(|rest| rest.split(end).next().unwrap_or_default().to_owned())
                .filter(|word| word.len() > 8),
        );
    }
    answer.masked(&words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[tokio::test]
async fn every_page_answers_a_foreign_id_like_one_of_nothing() {
    let orgs = Orgs::new().await;
    for route in routes() {
        let [foreign, nothing] = orgs.both().map(|ids| cases(route, ids));
        for (one, two) in foreign.into_iter().zip(nothing) {
            let one = shown(&orgs, one, &orgs.foreign).await;
            let two = shown(&orgs, two, &orgs.nothing).await;
            assert_eq!(one, two, "{:?} {}", route.verb, route.path);
        }
    }
    orgs.assert_unchanged().await;
}

async fn shown(orgs: &Orgs, case: Case, ids: &Ids) -> String {
    let server = &orgs.server;
    match case {
        Case::NoId => String::new(),
        Case::Get(path) => {
            let mut console = Console::sign_in(server, &server.founded).await;
            comparable(&console.get(&path).await, ids)
        }
        Case::Form(path, fields) => {
            let mut console = Console::sign_in(server, &server.founded).await;
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = console.send(&path, &fields).await;
            assert!(matches!(answer.status, 404 | 409), "{path} {}", answer.status);
            comparable(&answer, ids)
        }
        Case::Post(fields) => {
            let mut console = Console::new(server);
            let form = console.get("/sign-in").await;
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            fields.push(("csrf", token(&form)));
            comparable(&console.post("/sign-in", &fields).await, ids)
        }
    }
}

#[tokio::test]
async fn the_console_of_one_org_shows_nothing_of_another() {
    let orgs = Orgs::new().await;
    let mut ours = Console::sign_in(&orgs.server, &orgs.server.founded).await;
    for path in ["/console/usage", "/console/overview"] {
        let page = ours.get(path).await;
        assert_eq!(page.status, 200);
        assert!(page.text.contains("Ada App"));
        assert_clean(&page.text);
        assert!(!page.text.contains(&orgs.server.other.app) && !page.text.contains(&orgs.server.other.org));
    }
    let csv = ours.get("/console/usage.csv").await;
    assert!(!csv.text.contains(&orgs.server.other.app));
    let mut theirs = Console::sign_in(&orgs.server, &orgs.server.other).await;
    let page = theirs.get("/console/usage").await;
    assert!(
        page.text.contains("canary-app-of-b")
            && !page.text.contains("Ada App")
            && !page.text.contains(&orgs.server.founded.app)
    );
}
