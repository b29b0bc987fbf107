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
