//! The console's live stream: its first state, its changes and its ends.
use super::*;

#[actix_web::test]
async fn the_stream_begins_with_the_full_state_and_ends_with_the_session() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let answer = face.get("/console/stream?topics=figures,chart,rows", &cookie).await;
    assert_eq!(header(&answer, "content-type"), "text/event-stream");
    assert_eq!(header(&answer, "x-accel-buffering"), "no");
    let mut body = Box::pin(answer.into_body());
    let mut next = async || {
        let chunk = std::future::poll_fn(|context| body.as_mut().poll_next(context));
        tokio::time::timeout(Duration::from_secs(5), chunk)
            .await
            .unwrap()
            .map(|chunk| String::from_utf8(chunk.unwrap().to_vec()).unwrap())
    };
    assert_eq!(next().await.as_deref(), Some(": open\n\n"));
    let first = next().await.unwrap();
    for wanted in
        ["id: 1795615503000\n", "event: chart\n", "#usage-total", "#usage-connections", "#usage-rows", "#usage-buckets"]
    {
        assert!(first.contains(wanted), "{wanted} in {first}");
    }
    face.clock.0.fetch_add(1000, Ordering::SeqCst);
    let second = next().await.unwrap();
    assert!(second.contains("#usage-complete") && !second.contains("#usage-rows"), "only what changed: {second}");
    let token = token_of(&text_of(face.get("/console/usage", &cookie).await).await);
    face.post("/sign-out", &cookie, &[("csrf", &token)]).await;
    assert!(next().await.unwrap().contains("event: gone"));
    assert_eq!(next().await, None);
    assert_eq!(face.get("/console/stream", &cookie).await.status(), StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn the_stream_ends_when_the_process_stops() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let answer = face.get("/console/stream", &cookie).await;
    face.console.stop.cancel();
    let all = tokio::time::timeout(Duration::from_secs(5), test::read_body(answer)).await;
    assert!(all.is_ok());
}

#[actix_web::test]
async fn asking_for_the_streams_head_opens_no_stream() {
    let face = face().await;
    let cookie = face.sign_in("").await;
    let request = TestRequest::default().method(Method::HEAD).uri("/console/stream").insert_header(("cookie", cookie));
    let answer = face.ask(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(test::read_body(answer).await.is_empty());
}
