//! The documentation beside the console: what it leaves alone, which language it goes on in, what is kept of it.
use super::*;

#[actix_web::test]
async fn it_leaves_what_was_done_to_the_page_that_tells_it() {
    let face = face().await;
    let cookies = async |path: &str| header_list(&face.get(path, "tim_flash=saved").await, "set-cookie").join(";");
    for path in ["/docs", "/docs/errors"] {
        assert_eq!(cookies(path).await, "", "{path}");
    }
    assert!(cookies("/sign-in").await.contains("tim_flash=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
}

#[actix_web::test]
async fn the_language_that_the_address_asks_for_holds_on_the_next_page() {
    let face = face().await;
    for page in ["/docs", "/docs/manage"] {
        let plain = text_of(face.get(page, "").await).await;
        assert!(plain.contains("href=\"/docs/errors\"") && plain.contains("<html lang=\"en\""), "{plain}");
        let asked = face.get(&format!("{page}?lang=zh-CN"), "").await;
        assert_eq!(header(&asked, "set-cookie"), "", "it is kept for everybody");
        let html = text_of(asked).await;
        let links: Vec<_> = html.split("href=\"/docs").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert!(links.len() > 5 && links.iter().all(|link| link.contains("?lang=")), "{links:?}");
        let next = links.iter().find(|link| link.starts_with("/errors")).unwrap();
        assert_eq!(*next, "/errors?lang=zh-CN");
        assert!(text_of(face.get(&format!("/docs{next}"), "").await).await.contains("<html lang=\"zh-CN\""));
    }
    let manual = text_of(face.get("/docs/manage?lang=zh-CN", "").await).await;
    assert!(manual.contains("<a href=\"/docs/protocol?lang=zh-CN#11-limits-quotas-revocation\">"), "{manual}");
}

#[actix_web::test]
async fn it_speaks_the_language_of_the_account_that_signed_in() {
    let face = face().await;
    assert_eq!(cookie_of(&face.try_sign_in(PASSWORD).await, "tim_language"), "", "it chose none");
    let store = &face.console.store;
    let account = store.find_account_by_email(EMAIL).await.unwrap().unwrap().id;
    store.update_language(account, "zh-CN").await.unwrap();
    let cookie = cookie_of(&face.try_sign_in(PASSWORD).await, "tim_language");
    assert_eq!(cookie, "tim_language=zh-CN");
    assert!(text_of(face.get("/docs", &cookie).await).await.contains("<html lang=\"zh-CN\""));
}

#[actix_web::test]
async fn a_page_is_rendered_once_whatever_else_the_address_says() {
    let face = face().await;
    let tag = async |path: &str| header(&face.get(path, "tim_flash=saved").await, "etag").to_owned();
    let first = tag("/docs/errors").await;
    assert!(first.starts_with("W/\"") && tag("/docs/manage").await != first, "{first}");
    for query in ["?a=1", "?a=2&b=%3Cb%3E", "?lang=xx", "?theme=dark"] {
        assert_eq!(tag(&format!("/docs/errors{query}")).await, first, "{query}");
    }
    assert_eq!(face.get("/docs/nothing", "").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(face.console.pages.count(), 2);
    let asked = tag("/docs/errors?lang=en").await;
    assert!(asked != first && tag("/docs/errors?b=1&lang=EN").await == asked, "its links carry the language");
    let dark = header(&face.get("/docs/errors", "tim_theme=dark").await, "etag").to_owned();
    assert!(dark != first && dark != asked);
    assert_eq!(face.console.pages.count(), 4);
    let packed = TestRequest::get().uri("/docs/errors").insert_header(("accept-encoding", "gzip"));
    let packed = face.ask(packed).await;
    assert_eq!((header(&packed, "content-encoding"), header(&packed, "etag")), ("gzip", first.as_str()));
    assert!(test::read_body(packed).await.starts_with(&[0x1f, 0x8b]));
}
