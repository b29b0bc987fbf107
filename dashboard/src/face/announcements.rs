//! Announcements: the operator's forms, and what people are shown and put away.
use super::operator::{operator, send};
use super::*;

const PAGE: &str = "/operator/announcements";
/// The face's clock begins at 2026-11-25 14:05 UTC.
const FIELDS: [(&str, &str); 8] = [
    ("severity", "info"),
    ("title_en", "Works on <Sunday>"),
    ("title_zh", "周日维护"),
    ("text_en", "From 10:00.\r\nTo 11:00."),
    ("text_zh", "十点开始。"),
    ("starts_at", "2026-11-25T14:00"),
    ("ends_at", "2026-11-25T15:00"),
    ("reason", "planned work"),
];

/// The fields, one of them otherwise.
fn with(name: &'static str, value: &'static str) -> [(&'static str, &'static str); 8] {
    FIELDS.map(|field| if field.0 == name { (name, value) } else { field })
}

#[actix_web::test]
async fn an_announcement_is_written_changed_and_ended_for_a_reason() {
    let face = face().await;
    let (cookie, person) = (operator(&face).await, face.sign_up(NEW).await);
    for (field, value) in [
        ("reason", " "),
        ("title_en", " "),
        ("text_zh", "bell\u{7}"),
        ("severity", "panic"),
        ("starts_at", "soon"),
        ("ends_at", "2026-11-25T14:05"),
    ] {
        let (refused, _) = send(&face, &cookie, PAGE, PAGE, &with(field, value)).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        let html = text_of(refused).await;
        assert!(html.contains(&format!("href=\"#{field}\"")) && html.contains("From 10:00.\r\n"), "{html}");
    }
    let (made, keys) = send(&face, &cookie, PAGE, PAGE, &FIELDS).await;
    assert_eq!((made.status(), location(&made)), (StatusCode::SEE_OTHER, PAGE));
    let again = [&[("csrf", keys[0].as_str()), ("nonce", &keys[1])], FIELDS.as_slice()].concat();
    assert_eq!(face.post(PAGE, &cookie, &again).await.status(), StatusCode::CONFLICT, "the same form");

    let list = text_of(face.get(PAGE, &cookie).await).await;
    assert!(list.contains("Works on &#60;Sunday&#62;") && list.contains("shown now"), "{list}");
    let id = list.split("href=\"/operator/announcements/").nth(1).unwrap().split('"').next().unwrap();
    let page = format!("{PAGE}/{id}");
    let overview = async || text_of(face.get("/console/overview", &person).await).await;
    assert!(overview().await.contains("From 10:00.\nTo 11:00."));

    let changed = with("title_en", "Works on Monday")
        .map(|field| if field.0 == "severity" { ("severity", "warning") } else { field });
    assert_eq!(rewrite(&face, &cookie, &page, &changed).await.status(), StatusCode::SEE_OTHER);
    let account = text_of(face.get("/console/account?lang=zh-CN", &person).await).await;
    assert!(account.contains("周日维护") && !overview().await.contains("Works on &#60;Sunday&#62;"), "{account}");

    let end = format!("{page}/end");
    let (silent, _) = send(&face, &cookie, &page, &end, &[("reason", "")]).await;
    assert_eq!(silent.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(send(&face, &cookie, &page, &end, &[("reason", "done")]).await.0.status(), StatusCode::SEE_OTHER);
    assert!(!overview().await.contains("Works on Monday"));
    let ended = text_of(face.get(&page, &cookie).await).await;
    assert!(ended.contains("Works on Monday") && !ended.contains(&end), "{ended}");
    let late = send(&face, &cookie, PAGE, &end, &[("reason", "again")]).await.0;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert_eq!(
        face.get(&format!("{PAGE}/ann_00000000000000000000000001"), &cookie).await.status(),
        StatusCode::NOT_FOUND
    );
}

/// Opens an announcement and writes it anew.
async fn rewrite(face: &Face, cookie: &str, page: &str, fields: &[(&str, &str)]) -> Answer {
    let shown = text_of(face.get(page, cookie).await).await;
    rewrite_as_shown(face, cookie, page, &shown, fields).await
}

/// Writes an announcement anew in a page that was shown before.
async fn rewrite_as_shown(face: &Face, cookie: &str, page: &str, shown: &str, fields: &[(&str, &str)]) -> Answer {
    let version = shown.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let keys = [token_of(shown), nonce_of(shown)];
    let all = [&[("csrf", keys[0].as_str()), ("nonce", &keys[1]), ("version", version)], fields].concat();
    face.post(page, cookie, &all).await
}

#[actix_web::test]
async fn of_two_tabs_the_second_is_told_and_overwrites_nothing() {
    let face = face().await;
    let cookie = operator(&face).await;
    send(&face, &cookie, PAGE, PAGE, &FIELDS).await;
    let list = text_of(face.get(PAGE, &cookie).await).await;
    let id = list.split("href=\"/operator/announcements/").nth(1).unwrap().split('"').next().unwrap();
    let page = format!("{PAGE}/{id}");
    let tabs = [text_of(face.get(&page, &cookie).await).await, text_of(face.get(&page, &cookie).await).await];
    let first = rewrite_as_shown(&face, &cookie, &page, &tabs[0], &with("title_en", "Of the first")).await;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    let second = rewrite_as_shown(&face, &cookie, &page, &tabs[1], &with("title_en", "Of the second")).await;
    assert_eq!(second.status(), StatusCode::CONFLICT);
    let told = text_of(second).await;
    assert!(told.contains("it was changed meanwhile") && told.contains("value=\"Of the second\""), "{told}");
    let again = rewrite_as_shown(&face, &cookie, &page, &told, &with("title_en", "Of the second")).await;
    assert_eq!(again.status(), StatusCode::CONFLICT, "it was not looked at again");
    assert!(text_of(face.get(&page, &cookie).await).await.contains("value=\"Of the first\""));
    assert_eq!(rewrite(&face, &cookie, &page, &with("title_en", "Of both")).await.status(), StatusCode::SEE_OTHER);
    let (blind, _) = send(&face, &cookie, &page, &page, &FIELDS).await;
    assert_eq!(blind.status(), StatusCode::BAD_REQUEST, "a form of ours names the version");
}

#[actix_web::test]
async fn the_longest_announcement_fits_the_form() {
    let face = face().await;
    let cookie = operator(&face).await;
    let (title, text, reason) = ("😀".repeat(60), "😀".repeat(500), "😀".repeat(200));
    let fields = FIELDS.map(|(name, value)| match name {
        "title_en" | "title_zh" => (name, title.as_str()),
        "text_en" | "text_zh" => (name, text.as_str()),
        "reason" => (name, reason.as_str()),
        _ => (name, value),
    });
    assert_eq!(send(&face, &cookie, PAGE, PAGE, &fields).await.0.status(), StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn information_is_put_away_by_each_person_for_themselves() {
    let face = face().await;
    let (cookie, person) = (operator(&face).await, face.sign_up(NEW).await);
    let other = face.sign_up("bob@example.com").await;
    send(&face, &cookie, PAGE, PAGE, &FIELDS).await;
    let overview = async |cookie: &str| text_of(face.get("/console/overview", cookie).await).await;
    let html = overview(&person).await;
    let path = html.split("action=\"").find(|rest| rest.starts_with("/console/announcements/")).unwrap();
    let path = path.split('"').next().unwrap().to_owned();
    assert!(!text_of(face.get("/console/account", &person).await).await.contains("Works on"), "no warning");
    let away = face.post(&path, &person, &[("csrf", &token_of(&html)), ("nonce", &nonce_of(&html))]).await;
    assert_eq!((away.status(), location(&away)), (StatusCode::SEE_OTHER, "/console/overview"));
    assert!(!overview(&person).await.contains("Works on"));
    assert!(overview(&other).await.contains("Works on"));
    let html = overview(&person).await;
    let nothing = "/console/announcements/ann_00000000000000000000000001/dismiss";
    assert_eq!(face.post(nothing, &person, &[("csrf", &token_of(&html))]).await.status(), StatusCode::NOT_FOUND);
}

/// A page is worth more than what is told above it.
#[actix_web::test]
async fn announcements_that_cannot_be_read_take_no_page_along() {
    let mut face = face().await;
    let (cookie, person) = (operator(&face).await, face.sign_up(NEW).await);
    let fields = with("severity", "warning");
    assert_eq!(send(&face, &cookie, PAGE, PAGE, &fields).await.0.status(), StatusCode::SEE_OTHER);
    let overview = async |face: &Face| {
        let answer = face.get("/console/overview", &person).await;
        (answer.status(), text_of(answer).await)
    };
    assert!(overview(&face).await.1.contains("Works on"));
    face.alter(b"warningWorks on", b"unknownWorks on").await;
    let account = face.console.store.find_account_by_email(NEW).await.unwrap().unwrap().id;
    face.console.store.list_shown_announcements(account).await.unwrap_err();
    let (status, html) = overview(&face).await;
    assert!(status == StatusCode::OK && !html.contains("Works on"), "{html}");
}
