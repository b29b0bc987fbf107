//! The documentation that the product serves: whole, linked, kept by browsers, and where error replies say it is.

use crate::support::page::Console;
use crate::support::rest::{Answer, answer, plain};
use crate::support::{Rest, TestServer};
use reqwest::redirect::Policy;
use std::collections::{BTreeMap, BTreeSet};
use tokenim_domain::Code;

/// Every page of the documentation.
const PAGES: [&str; 6] =
    ["/docs", "/docs/protocol", "/docs/tokens", "/docs/errors", "/docs/manage", "/docs/operations"];

/// Asks without any credential.
async fn ask(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Answer {
    let client = plain().redirect(Policy::none()).build().unwrap();
    let request = client.get(format!("{}{path}", server.url));
    answer(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    html.split(&format!(" {attribute}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test]
async fn every_link_of_the_documentation_resolves() {
    let server = TestServer::spawn().await;
    let mut pages = BTreeMap::new();
    for path in PAGES {
        let page = ask(&server, path, &[]).await;
        assert_eq!(page.status, 200, "{path}");
        pages.insert(path, page.text);
    }
    let ids: BTreeMap<_, BTreeSet<_>> =
        pages.iter().map(|(path, html)| (*path, values(html, "id").into_iter().collect())).collect();
    let (mut anchors, mut elsewhere) = (0, BTreeSet::new());
    for (path, html) in &pages {
        for href in values(html, "href").into_iter().filter(|href| !href.contains("://")) {
            let (target, anchor) = href.split_once('#').unwrap_or((href, ""));
            let target = if target.is_empty() { path } else { target };
            if anchor.is_empty() {
                elsewhere.insert(target.replace("&#38;", "&"));
            } else {
                assert!(ids.get(target).is_some_and(|ids| ids.contains(anchor)), "{path} links to {href}");
                anchors += 1;
            }
        }
    }
    assert!(anchors > 50, "{anchors}");
    for target in elsewhere {
        let status = ask(&server, &target, &[]).await.status;
        assert!(matches!(status, 200 | 303), "{target}: {status}");
    }
}

#[tokio::test]
async fn an_error_reply_leads_to_the_line_of_its_code() {
    let server = TestServer::spawn().await;
    let errors = ask(&server, "/docs/errors", &[]).await.text;
    let ids = values(&errors, "id");
    for code in Code::ALL {
        assert_eq!(ids.iter().filter(|id| **id == code.as_str()).count(), 1, "{code:?}");
    }
    for (rest, path) in [(server.rest(), "/v1/conversations/nowhere"), (Rest::new(&server.url, "x"), "/v1/usage")] {
        let refusal = rest.get(path).await;
        let error = refusal.json()["error"].take();
        let doc = format!("{}/docs/errors#{}", server.url, error["code"].as_str().unwrap());
        assert_eq!(error["doc"], *doc);
    }
    let reference = rest_document(&server).await;
    assert_eq!(reference["externalDocs"]["url"], format!("{}/docs", server.url));
}

async fn rest_document(server: &TestServer) -> serde_json::Value {
    ask(server, "/v1/openapi.json", &[]).await.ok()
}

#[tokio::test]
async fn under_a_public_origin_the_documentation_is_there_alone() {
    let mut server = TestServer::spawn().await;
    server.env.push(("TOKENIM_SERVER__PUBLIC_ORIGIN", "https://chat.example".to_owned()));
    server.terminate();
    server.ended().await;
    server.start().await;
    let refusal = server.rest().get("/v1/conversations/nowhere").await.json();
    assert_eq!(refusal["error"]["doc"], "https://chat.example/docs/errors#not_found");
    assert_eq!(ask(&server, "/docs/errors", &[("host", "chat.example")]).await.status, 200);
    let other = ask(&server, "/docs/errors", &[]).await;
    assert_eq!(other.status, 421);
    assert!(other.text.contains("<code>unknown_host</code>") && !other.text.contains("#unknown_host"));
}

#[tokio::test]
async fn a_document_is_sent_again_only_where_it_changed() {
    let server = TestServer::spawn().await;
    for path in PAGES {
        let first = ask(&server, path, &[]).await;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\"") && !first.headers.contains_key("set-cookie"), "{path}: {tag}");
        assert_eq!(first.header("cache-control"), "no-cache");
        assert_eq!(first.header("vary"), "Accept-Language, Cookie, Accept-Encoding");
        let again = ask(&server, path, &[("if-none-match", &format!("\"other\", {tag}"))]).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
        for changed in [("accept-language", "zh-CN"), ("cookie", "tim_theme=dark")] {
            let page = ask(&server, path, &[("if-none-match", &tag), changed]).await;
            assert_eq!(page.status, 200, "{path} {changed:?}");
        }
    }
    assert_eq!(ask(&server, "/docs/architecture", &[]).await.status, 404);
    assert_eq!(ask(&server, "/docs/", &[]).await.status, 404);
}

#[tokio::test]
async fn the_frame_is_in_the_visitors_language_and_the_text_in_english() {
    let server = TestServer::spawn().await;
    let page = ask(&server, "/docs/errors?lang=zh-CN", &[]).await.text;
    assert!(page.contains("<html lang=\"zh-CN\"") && page.contains("错误码"), "{page}");
    let article = page.split("<article class=\"doc-text\" lang=\"en\">").nth(1).unwrap();
    assert!(article.contains("The commit's outcome could not be learned"), "{article}");
}

#[tokio::test]
async fn the_console_and_the_pages_before_it_lead_to_the_documentation() {
    let server = TestServer::spawn().await;
    for path in ["/sign-in", "/sign-up", "/forgot"] {
        assert!(values(&ask(&server, path, &[]).await.text, "href").contains(&"/docs"), "{path}");
    }
    let mut console = Console::sign_in(&server, &server.founded).await;
    for path in ["/console/overview", "/console/account"] {
        assert!(values(&console.get(path).await.text, "href").contains(&"/docs"), "{path}");
    }
    let page = console.get("/docs").await;
    assert!(page.status == 200 && values(&page.text, "href").contains(&"/console"), "{}", page.text);
    let missing = console.get("/console/nowhere").await;
    assert!(values(&missing.text, "href").contains(&"/docs/errors#not_found"), "{}", missing.text);
    assert_eq!(server.rest().get("/v1/conversations/nowhere").await.status, 404);
    let overview = console.get("/console/overview").await;
    assert!(values(&overview.text, "href").contains(&"/docs/errors#not_found"), "{}", overview.text);
}
