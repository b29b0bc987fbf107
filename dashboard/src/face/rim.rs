//! What holds for every page: headers, sessions, form tokens, proof, foreign apps and hosts, languages, files.
use tokenim_domain::{actor::Actor, role::Mode};

use super::*;

/// A route's path with something in the places of its placeholders.
fn address(path: &str) -> String {
    path.replace(['{', '}'], "")
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
    }
}

/// What takes fresh proof: keys, second factor, roles, rules, billing and deletion (docs/CONSOLE.md, Sessions).
const FRESH: &[&str] = &[
    "/console/account/totp",
    "/console/account/totp/begin",
    "/console/account/totp/codes",
    "/console/account/totp/off",
    "/console/apps/{app}/delete",
    "/console/apps/{app}/keys",
    "/console/apps/{app}/keys/{key}/rotate",
    "/console/apps/{app}/keys/{key}/revoke",
    "/console/apps/{app}/signing-keys",
    "/console/apps/{app}/signing-keys/{key}/rotate",
    "/console/apps/{app}/signing-keys/{key}/revoke",
    "/console/members/invite",
    "/console/members/{account}/role",
    "/console/members/{account}/remove",
    "/console/orgs/leave",
    "/console/plan/{plan}",
    "/console/settings",
    "/console/settings/management-keys",
    "/console/settings/management-keys/{key}/revoke",
    "/console/settings/transfer",
];

#[actix_web::test]
async fn every_route_and_every_refusal_carries_the_headers() {
    let face = face().await;
    let signed_in = face.sign_in("").await;
    let listed = routes().map(|spec| (method(spec.verb), address(spec.path)));
    let refused = [
        (Method::GET, "/none"),
        (Method::DELETE, "/sign-in"),
        (Method::POST, "/console/usage"),
        (Method::GET, "/sign-out"),
    ]
    .map(|(method, path)| (method, path.to_owned()));
    for (method, path) in listed.chain(refused) {
        for cookie in ["", signed_in.as_str()] {
            let answer = face
                .ask(TestRequest::default().method(method.clone()).uri(&path).insert_header(("cookie", cookie)))
                .await;
            let name = format!("{method} {path} {}", answer.status());
            let is_kept = path.starts_with("/docs") && answer.status() == StatusCode::OK;
            assert!(
                header(&answer, "content-security-policy")
                    .starts_with("default-src 'none'; script-src 'self'; style-src 'self';"),
                "{name}"
            );
            assert!(header(&answer, "content-security-policy").ends_with("report-uri /csp-report"), "{name}");
            for (header_name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("cross-origin-opener-policy", "same-origin"),
                ("cross-origin-resource-policy", "same-origin"),
                ("strict-transport-security", "max-age=31536000"),
                ("cache-control", if is_kept { "no-cache" } else { "no-store" }),
                ("vary", "Accept-Language, Cookie, Accept-Encoding"),
            ] {
                assert_eq!(header(&answer, header_name), value, "{name}: {header_name}");
            }
            assert!(header(&answer, "x-request-id").starts_with("req_"), "{name}");
        }
    }
}

#[actix_web::test]
async fn the_quickstart_may_open_sockets_to_its_own_host_and_no_other_page() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    for (path, connect) in [
        (format!("/console/apps/{}/quickstart", face.app), "; connect-src 'self' wss://console.example; "),
        ("/console/usage".to_owned(), "; connect-src 'self'; "),
    ] {
        let answer = face.get(&path, &cookie).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(header(&answer, "content-security-policy").contains(connect), "{path}");
    }
}

#[actix_web::test]
async fn routes_for_the_signed_in_need_a_session_and_posts_need_a_token() {
    let face = face().await;
    let signed_in = face.sign_in("").await;
    for spec in routes() {
        let request = |cookie: &str| {
            TestRequest::default()
                .method(method(spec.verb))
                .uri(&address(spec.path))
                .insert_header(("cookie", cookie))
                .insert_header(("sec-fetch-site", "same-origin"))
        };
        if spec.who != Who::Public {
            let answer = face.ask(request("__Host-tim=AAAAAAAAAAAAAAAAAAAAAA")).await;
            let expected = match spec.who {
                Who::Operator => StatusCode::NOT_FOUND,
                _ if spec.path == "/console/stream" || spec.path.ends_with("/checkpoints") => StatusCode::UNAUTHORIZED,
                _ => StatusCode::SEE_OTHER,
            };
            assert_eq!(answer.status(), expected, "{spec:?}");
        }
        if spec.who == Who::Operator {
            let answer = face.ask(request(&signed_in)).await;
            assert_eq!(location(&answer), "/console/operator", "a console session opens no operator page: {spec:?}");
        } else if spec.verb == Verb::Post && spec.path != "/csp-report" {
            let answer = face.ask(request(&signed_in)).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{spec:?}");
            assert!(text_of(answer).await.contains("csrf_failed"), "{spec:?}");
        }
    }
}

#[actix_web::test]
async fn a_token_works_only_from_our_own_pages_and_for_its_own_session() {
    let face = face().await;
    let (one, two) = (face.sign_in("").await, face.sign_in("").await);
    let token = token_of(&text_of(face.get("/console/usage", &one).await).await);
    let again = token_of(&text_of(face.get("/console/usage", &one).await).await);
    assert_ne!(token, again, "masked anew for every answer");
    let send = |cookie: &str, site: Option<(&str, &str)>| {
        let request = TestRequest::post().uri("/console/preferences").insert_header(("cookie", cookie));
        let request = site.into_iter().fold(request, |request, header| request.insert_header(header));
        face.ask(request.set_form([("csrf", token.as_str()), ("theme", "dark"), ("return_to", "/console/usage")]))
    };
    for (cookie, site, expected) in [
        (&one, Some(("sec-fetch-site", "same-origin")), StatusCode::SEE_OTHER),
        (&one, Some(("origin", "https://console.example")), StatusCode::SEE_OTHER),
        (&one, None, StatusCode::FORBIDDEN),
        (&one, Some(("sec-fetch-site", "cross-site")), StatusCode::FORBIDDEN),
        (&one, Some(("origin", "https://evil.example")), StatusCode::FORBIDDEN),
        (&two, Some(("sec-fetch-site", "same-origin")), StatusCode::FORBIDDEN),
    ] {
        assert_eq!(send(cookie, site).await.status(), expected, "{site:?}");
    }
}

#[actix_web::test]
async fn what_needs_fresh_proof_is_refused_without() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    face.advance(session::PROOF_MS);
    let html = text_of(face.get("/console/account", &cookie).await).await;
    let fields = [("csrf", token_of(&html)), ("nonce", nonce_of(&html))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for path in ["/console/account/totp", "/console/plan/pro"] {
        let asked = face.get(path, &cookie).await;
        assert_eq!(location(&asked), format!("/console/prove?next={path}"));
    }
    for path in FRESH {
        let refused = face.post(&address(path), &cookie, &fields).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
        let html = text_of(refused).await;
        assert!(html.contains("reauth_required") && html.contains("href=\"/console/prove?next="), "{path}");
    }
    let proved = face.send("/console/prove", "/console/prove", &cookie, &[("password", PASSWORD)]).await;
    let cookie = cookie_of(&proved, "__Host-tim");
    assert_eq!(face.get("/console/account/totp", &cookie).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn a_foreign_app_and_an_unknown_one_read_the_same() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let own = face.get(&format!("/console/usage?app={}", face.app), &cookie).await;
    assert_eq!(own.status(), StatusCode::OK);
    let own = text_of(own).await;
    assert!(own.contains("Northwind &#60;b&#62;") && !own.contains("Northwind <b>"));
    assert!(!own.contains(&face.foreign_app.to_string()));
    for path in ["/console/usage", "/console/usage.csv", "/console/stream"] {
        let mut pages = Vec::new();
        for app in [face.foreign_app.to_string(), "app_00000000000000000000000001".to_owned()] {
            let answer = face.get(&format!("{path}?app={app}"), &cookie).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            pages.push(without_request(&text_of(answer).await).replace(&app, "as asked"));
        }
        assert_eq!(pages[0], pages[1], "{path}");
    }
}

#[actix_web::test]
async fn unreadable_filters_and_other_hosts_are_refused() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    for query in ["range=1y", "app=x", "page=2", "range=custom&from=2026-11-26T00:00&to=2026-11-25T00:00"] {
        let answer = face.get(&format!("/console/usage?{query}"), &cookie).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{query}");
        assert!(text_of(answer).await.contains("Reset the filters"), "{query}");
    }
    let request = TestRequest::get().uri("/sign-in").insert_header(("host", "evil.example")).to_request();
    let answer = face.service().await.call(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(!text_of(answer).await.contains("evil.example"));
}

#[actix_web::test]
async fn no_page_links_to_a_host_that_the_address_named() {
    let face = face().await;
    for path in ["//evil.example/x", "/\\evil.example", "//evil.example/console/usage?range=24h"] {
        let answer = face.get(path, "").await;
        assert!(!text_of(answer).await.contains("evil.example"), "{path}");
    }
}

#[actix_web::test]
async fn the_navigation_shows_what_there_is_and_where_one_is() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let page = text_of(face.get("/console/usage", &cookie).await).await;
    let links: Vec<&str> = page
        .split("class=\"side-group\"")
        .skip(1)
        .flat_map(|group| group.split("<a href=\"").skip(1).filter_map(|rest| rest.split('"').next()))
        .collect();
    assert!(links.contains(&"/console/usage"), "{links:?}");
    for link in links {
        let is_page = routes().any(|spec| spec.verb == Verb::Get && routes::fits(spec.path, link));
        assert!(is_page, "{link} leads nowhere");
    }
    assert_eq!(page.matches("aria-current=\"page\"").count(), 2, "beside and below the page");
}

#[actix_web::test]
async fn the_language_is_asked_chosen_or_accepted_in_that_order() {
    let face = face().await;
    let spoken = async |path: &str, cookie: &str, accept: &str| {
        let request =
            TestRequest::get().uri(path).insert_header(("cookie", cookie)).insert_header(("accept-language", accept));
        let html = text_of(face.ask(request).await).await;
        html.split("<html lang=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    assert_eq!(spoken("/sign-in", "", "zh-CN,zh;q=0.9").await, "zh-CN");
    assert_eq!(spoken("/sign-in", "tim_language=en", "zh-CN").await, "en");
    assert_eq!(spoken("/sign-in?lang=zh-CN", "tim_language=en", "en").await, "zh-CN");
    assert_eq!(spoken("/sign-in?lang=xx", "", "fr").await, "en");
    let asked = async |path: &str, cookie: &str| header_list(&face.get(path, cookie).await, "set-cookie").join(";");
    assert!(asked("/sign-in?lang=zh-CN", "").await.contains("tim_language=zh-CN"), "and holds on the pages after it");
    assert!(!asked("/sign-in?lang=xx", "").await.contains("tim_language"));
    let cookie = face.sign_in("").await;
    assert!(
        !asked("/console/usage?lang=zh-CN", &cookie).await.contains("tim_language"),
        "one page of the console only"
    );
    let overview = text_of(face.get("/console/overview?lang=zh-CN", &cookie).await).await;
    assert!(overview.contains("/console/stream?lang=zh-CN&#38;"), "what moves speaks it too: {overview}");
    let token = token_of(&text_of(face.get("/console/usage", &cookie).await).await);
    face.post(
        "/console/preferences",
        &cookie,
        &[("csrf", &token), ("language", "zh-CN"), ("return_to", "/console/usage")],
    )
    .await;
    assert_eq!(spoken("/console/usage", &cookie, "en").await, "zh-CN", "kept with the account");
}

#[actix_web::test]
async fn files_are_kept_for_ever_under_their_hash() {
    let face = face().await;
    for asset in face.console.assets.iter() {
        let plain = face.get(&asset.path, "").await;
        assert_eq!(plain.status(), StatusCode::OK);
        assert_eq!(header(&plain, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(test::read_body(plain).await, asset.plain);
        let gzip = face.ask(TestRequest::get().uri(&asset.path).insert_header(("accept-encoding", "gzip, br"))).await;
        assert_eq!(header(&gzip, "content-encoding"), "gzip");
        assert_eq!(test::read_body(gzip).await, asset.gzip);
    }
}

/// A list is cut after a thousand apps, and the pages of one app don't look there.
#[actix_web::test]
async fn an_app_has_its_page_however_many_came_before_it() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let store = &face.console.store;
    let org =
        store.find_first_org(store.find_account_by_email(EMAIL).await.unwrap().unwrap().id).await.unwrap().unwrap();
    let mut newest = face.app;
    for _ in 0..1_000 {
        face.clock.0.fetch_add(1, Ordering::SeqCst);
        newest = store.org(org).create_app(&Actor::machine(), "shop", Mode::Test).await.unwrap().id;
    }
    let page = face.get(&format!("/console/apps/{newest}"), &cookie).await;
    assert_eq!(page.status(), StatusCode::OK);
}
