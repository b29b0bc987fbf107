//! Attachments through the front door: in chunks, through power cuts, named by messages, read by whoever sees one.

use crate::support::rest::{answer, get, plain};
use crate::support::token::with_claims;
use crate::support::wait::until;
use crate::support::{Client, Rest, TestServer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokenim_domain::log::Digest;

const CHUNK: usize = 4_096;

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at / 1_000 % 251) as u8).collect()
}

fn begin(id: &str, content: &[u8]) -> Value {
    json!({"purpose": "attachment", "client_msg_id": id, "name": "图片 1.png", "content_type": "image/png",
        "bytes": content.len(), "sha256": Digest::of(content).to_string(), "chunk_bytes": CHUNK})
}

fn chunk(upload: &Value, index: usize, content: &[u8]) -> Value {
    let part = &content[index * CHUNK..content.len().min((index + 1) * CHUNK)];
    json!({"upload": upload["upload"], "index": index, "data": STANDARD.encode(part)})
}

/// A file that is whole; what the commit answers.
async fn upload(client: &mut Client, fields: Value, content: &[u8]) -> Value {
    let upload = client.ok("chunk.begin", fields).await;
    for index in 0..upload["chunks"].as_u64().unwrap() as usize {
        client.ok("chunk.put", chunk(&upload, index, content)).await;
    }
    client.ok("chunk.commit", json!({"upload": upload["upload"]})).await["attachment"].take()
}

fn carrying(conversation: &str, id: &str, files: &[&Value]) -> Value {
    let ids: Vec<_> = files.iter().map(|file| &file["id"]).collect();
    json!({"conversation": conversation, "client_msg_id": id, "kind": "file", "body": {}, "attachments": ids})
}

fn path(seq: &Value, file: &Value) -> String {
    format!("/v1/conversations/c1/messages/{seq}/attachments/{}", file["id"].as_str().unwrap())
}

async fn link(rest: &Rest, path: &str) -> String {
    let link = rest.post(&format!("{path}/link"), &json!({"for_s": 3_600})).await.ok();
    link["url"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_attachment_survives_kill_9_between_any_two_frames() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let content = bytes(2 * CHUNK + 100);
    let mut upload = Value::Null;
    for index in 0..=3 {
        server.kill();
        server.start().await;
        let mut alice = server.connect("alice").await;
        let again = alice.ok("chunk.begin", begin("f1", &content)).await;
        assert!(upload == Value::Null || upload["upload"] == again["upload"]);
        upload = again;
        let missing = if index < 3 { json!([[index, 2]]) } else { json!([]) };
        assert_eq!(upload["missing"], missing, "what was acknowledged is there");
        if index < 3 {
            alice.ok("chunk.put", chunk(&upload, index, &content)).await;
        }
    }
    let commit = json!({"upload": upload["upload"]});
    let mut alice = server.connect("alice").await;
    alice.start("chunk.commit", commit.clone()).await;
    server.kill();
    server.start().await;
    let file = server.connect("alice").await.ok("chunk.commit", commit.clone()).await["attachment"].take();
    server.kill();
    server.start().await;
    let mut alice = server.connect("alice").await;
    assert_eq!(alice.ok("chunk.commit", commit).await["attachment"], file, "the same one");
    let send = carrying("c1", "m1", &[&file]);
    alice.start("send", send.clone()).await;
    server.kill();
    server.start().await;
    let sent = server.connect("alice").await.ok("send", send.clone()).await;
    server.kill();
    server.start().await;
    let again = server.connect("alice").await.ok("send", send).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&sent["seq"], &json!(true)));
    let log = server.rest().log("c1").await;
    assert_eq!((log.len(), &log[1]["attachments"]), (2, &json!([file])), "once, with its file");
    let read = server.rest_as(&server.token("bob")).request(Method::GET, &path(&sent["seq"], &file));
    assert_eq!(read.send().await.unwrap().bytes().await.unwrap(), content);
    assert_eq!(server.rest().units().await, 1, "its bytes are no units");
}

#[tokio::test]
async fn a_message_tells_its_attachments_until_it_is_deleted() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let (one, two) = (bytes(10_000), bytes(300_000));
    let one = upload(&mut alice, begin("f1", &one), &one).await;
    let told = json!({"id": one["id"], "name": "图片 1.png", "content_type": "image/png", "bytes": 10_000,
        "sha256": Digest::of(&bytes(10_000)).to_string()});
    assert_eq!(one, told);
    let two = upload(&mut alice, begin("f2", &two), &two).await;
    let sent = alice.ok("send", carrying("c1", "m1", &[&two, &one])).await;
    assert_eq!((&sent["seq"], &sent["billed"]), (&json!(2), &json!(1)));
    let push = bob.push().await;
    assert_eq!((&push["attachments"], &push["body"]), (&json!([two, one]), &json!({})), "in the order they were named");
    alice.ok("edit", json!({"conversation": "c1", "target": 2, "kind": "text", "body": {"text": "x"}})).await;
    let item = bob.ok("history", json!({"conversation": "c1"})).await["items"][1].take();
    assert_eq!((&item["attachments"], &item["body"]["text"]), (&json!([two, one]), &json!("x")));
    let conflict = alice.refused("send", carrying("c1", "m1", &[&one])).await;
    assert_eq!(conflict["code"], "conflict", "another file is another message");
    let path = path(&sent["seq"], &one);
    let (rest, reader) = (server.rest(), server.rest_as(&server.token("bob")));
    let link = link(&reader, &path).await;
    assert_eq!(get(&link).await.bytes().await.unwrap(), bytes(10_000));
    alice.ok("delete", json!({"conversation": "c1", "target": 2})).await;
    let item = bob.ok("history", json!({"conversation": "c1"})).await["items"][1].take();
    assert_eq!((item.get("attachments"), item.get("body")), (None, None));
    assert_eq!(rest.get(&path).await.refusal(), (404, "not_found".to_owned()));
    assert_eq!(get(&link).await.status(), 404, "with the message");
}

#[tokio::test]
async fn who_may_not_see_a_message_reads_none_of_its_files() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    server.group("c2", &["bob", "dave"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let content = bytes(100);
    let file = upload(&mut alice, begin("f1", &content), &content).await;
    let not_mine = bob.refused("send", carrying("c2", "m1", &[&file])).await;
    assert_eq!((&not_mine["code"], &not_mine["param"]), (&json!("not_found"), &json!("attachments")));
    let seq = alice.ok("send", carrying("c1", "m1", &[&file])).await["seq"].take();
    bob.ok("send", carrying("c2", "m1", &[&file])).await;
    let members = json!({"members": ["carol"]});
    server.rest().post("/v1/conversations/c1/members", &members).await.ok();
    let path = path(&seq, &file);
    let narrow = with_claims(&server.founded, "bob", json!({"caps": {"c2": ["read", "send"]}}));
    for (who, status) in [
        (server.token("carol"), 404),
        (server.token("mallory"), 404),
        (server.token("dave"), 404),
        (server.other.key.clone(), 404),
        (narrow.clone(), 403),
    ] {
        let rest = server.rest_as(&who);
        assert_eq!(rest.get(&path).await.status, status);
        assert_eq!(rest.post(&format!("{path}/link"), &json!({})).await.status, status);
    }
    // What a token with caps may not read it may not carry away either.
    let mut narrow = Client::connect(&server, &narrow).await;
    assert_eq!(narrow.refused("send", carrying("c2", "m2", &[&file])).await["code"], "not_found");
    let mut carol = server.connect("carol").await;
    server.group("c3", &["carol", "dave"]).await;
    assert_eq!(carol.refused("send", carrying("c3", "m1", &[&file])).await["code"], "not_found");
    assert_eq!(server.rest().log("c3").await.len(), 1, "nothing was changed");
}

#[tokio::test]
async fn a_token_that_may_send_nowhere_touches_no_upload() {
    let server = TestServer::spawn().await;
    let content = bytes(100);
    let mut alice = server.connect("alice").await;
    let begun = alice.ok("chunk.begin", begin("f1", &content)).await;
    let reading = with_claims(&server.founded, "alice", json!({"caps": {"*": ["read"]}}));
    let (rest, mut narrow) = (server.rest_as(&reading), Client::connect(&server, &reading).await);
    let named = json!({"upload": begun["upload"]});
    for (command, fields) in [
        ("chunk.begin", begin("f2", &content)),
        ("chunk.put", chunk(&begun, 0, &content)),
        ("chunk.commit", named.clone()),
        ("chunk.abort", named),
    ] {
        assert_eq!(narrow.refused(command, fields).await["code"], "forbidden", "{command}");
    }
    let path = format!("/v1/uploads/{}", begun["upload"].as_str().unwrap());
    assert_eq!(rest.get(&path).await.refusal(), (403, "forbidden".to_owned()));
    assert_eq!(rest.delete(&path).await.refusal(), (403, "forbidden".to_owned()));
    alice.ok("chunk.put", chunk(&begun, 0, &content)).await;
    alice.ok("chunk.commit", json!({"upload": begun["upload"]})).await;
}

#[tokio::test]
async fn a_file_is_handed_out_to_be_saved_and_never_run() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let content = bytes(9_000);
    for (at, (content_type, served)) in [
        ("image/png", "image/png"),
        ("image/svg+xml", "application/octet-stream"),
        ("text/html", "application/octet-stream"),
        ("application/javascript", "application/octet-stream"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut fields = begin(&format!("f{at}"), &content);
        fields["content_type"] = content_type.into();
        let file = upload(&mut alice, fields, &content).await;
        assert_eq!(file["content_type"], content_type);
        let seq = alice.ok("send", carrying("c1", &format!("m{at}"), &[&file])).await["seq"].take();
        let of_bob = server.rest_as(&server.token("bob"));
        let link = link(&of_bob, &path(&seq, &file)).await;
        let answers = [of_bob.request(Method::GET, &path(&seq, &file)).send().await.unwrap(), get(&link).await];
        for answer in answers {
            let told = |name: &str| answer.headers().get(name).map_or("", |told| told.to_str().unwrap());
            assert_eq!(told("content-type"), served);
            assert_eq!(told("content-disposition"), "attachment; filename*=UTF-8''%E5%9B%BE%E7%89%87%201.png");
            assert_eq!(told("content-security-policy"), "sandbox; default-src 'none'");
            assert_eq!((told("x-content-type-options"), told("accept-ranges")), ("nosniff", "bytes"));
            assert_eq!(answer.bytes().await.unwrap(), content);
        }
        let part = plain().build().unwrap().get(&link).header("range", "bytes=8990-").send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(part.bytes().await.unwrap(), content[8_990..]);
        let beyond = plain().build().unwrap().get(&link).header("range", "bytes=9000-").send().await.unwrap();
        assert_eq!(beyond.status(), 416);
    }
}

#[tokio::test]
async fn rest_uploads_a_file_and_sends_it() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (rest, content) = (server.rest(), bytes(10_000));
    let mut fields = begin("f1", &content);
    assert_eq!(rest.post("/v1/uploads", &fields).await.refusal(), (400, "invalid_request".to_owned()), "of whom?");
    fields["sender"] = "alice".into();
    for (field, value, code) in [
        ("purpose", json!("nonsense"), (422, "invalid_field")),
        ("conversation", json!("c1"), (400, "invalid_request")),
        ("kind", json!("json"), (400, "invalid_request")),
        ("name", json!("a/b"), (422, "invalid_field")),
        ("name", Value::Null, (400, "invalid_request")),
        ("content_type", json!("text/html\r\nx: y"), (422, "invalid_field")),
        ("content_type", Value::Null, (400, "invalid_request")),
    ] {
        let mut wrong = fields.clone();
        wrong[field] = value;
        let (status, name) = rest.post("/v1/uploads", &wrong).await.refusal();
        assert_eq!((status, name.as_str()), code, "{wrong}");
    }
    let begun = rest.post("/v1/uploads", &fields).await.ok();
    let upload = format!("/v1/uploads/{}", begun["upload"].as_str().unwrap());
    for index in 0..3 {
        let data = json!({"data": chunk(&begun, index, &content)["data"]});
        answer(rest.request(Method::PUT, &format!("{upload}/chunks/{index}")).json(&data)).await.ok();
    }
    let commit = format!("{upload}/commit");
    let file = rest.post(&commit, &json!({})).await.ok()["attachment"].take();
    assert_eq!(rest.post(&commit, &json!({})).await.ok()["attachment"], file);
    let stranger = server.rest_as(&server.token("bob"));
    assert_eq!(stranger.post(&commit, &json!({})).await.refusal(), (404, "not_found".to_owned()));
    let mut message =
        json!({"sender": "alice", "client_msg_id": "m1", "kind": "file", "body": {}, "attachments": [file["id"]]});
    let ephemeral = rest.post("/v1/conversations/c1/ephemeral", &message).await.refusal();
    assert_eq!(ephemeral, (422, "not_supported".to_owned()));
    let sent = rest.post("/v1/conversations/c1/messages", &message).await.ok();
    let reply = rest.get(&path(&sent["seq"], &file)).await;
    assert_eq!((reply.status, reply.text.len()), (200, content.len()));
    message["attachments"] = json!(vec![&file["id"]; 17]);
    message["client_msg_id"] = "m2".into();
    let many = rest.post("/v1/conversations/c1/messages", &message).await.refusal();
    assert_eq!(many, (422, "limit_reached".to_owned()));
}

#[tokio::test]
async fn names_and_types_that_would_fool_somebody_are_refused() {
    let server = TestServer::spawn().await;
    let mut alice = server.connect("alice").await;
    let (good, long) = (begin("f1", b"x"), "é".repeat(128));
    let names = [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "C:\\boot.ini",
        "a/b",
        "a\0b",
        "a\r\nSet-Cookie: x",
        "\u{1b}[31m",
        "gpj.\u{202e}exe",
        "a\u{2066}b\u{2069}",
        "\u{200f}a",
        "a\u{2028}b",
        " a",
        "a\u{a0}",
        &long,
    ];
    let types =
        ["", "text", "text/", "text/html; charset=utf-8", "text/html\r\nSet-Cookie: x", "a/b/c", "*/*", "тип/тип"];
    for (field, values) in [("name", &names[..]), ("content_type", &types)] {
        for value in values {
            let mut fields = good.clone();
            fields[field] = json!(value);
            let error = alice.refused("chunk.begin", fields).await;
            assert_eq!((&error["code"], &error["param"]), (&json!("invalid_field"), &json!(field)), "{value:?}");
        }
    }
    for fields in [json!({"bytes": 0}), json!({"bytes": i64::MAX}), json!({"sha256": "zz"}), json!({"chunk_bytes": 1})]
    {
        let mut wrong = good.clone();
        wrong.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        assert_eq!(alice.refused("chunk.begin", wrong).await["code"], "invalid_field", "{fields}");
    }
    let left = alice.ok("chunk.begin", good).await;
    assert_eq!((&left["chunks"], &left["missing"]), (&json!(1), &json!([[0, 0]])), "the first that was begun");
}

#[tokio::test]
async fn more_uploads_at_once_than_may_be_open_are_refused() {
    let server = TestServer::spawn().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(server.connect("alice").await);
    }
    let mut begun = Vec::new();
    for (at, client) in clients.iter_mut().enumerate() {
        for number in 0..4 {
            begun.push((at, client.start("chunk.begin", begin(&format!("f{at}-{number}"), b"x")).await));
        }
    }
    let (mut open, mut refused) = (0, 0);
    for (at, id) in begun {
        match clients[at].reply(id).await["error"]["code"].as_str() {
            None => open += 1,
            Some(code) => {
                assert_eq!(code, "limit_reached");
                refused += 1;
            }
        }
    }
    assert_eq!((open, refused), (16, 16));
}

#[tokio::test]
async fn the_bytes_of_a_deleted_app_can_be_read_no_more() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let mut alice = server.connect("alice").await;
    let file = upload(&mut alice, begin("f1", b"x"), b"x").await;
    let seq = alice.ok("send", carrying("c1", "m1", &[&file])).await["seq"].take();
    let link = link(&server.rest(), &path(&seq, &file)).await;
    assert_eq!(get(&link).await.status(), 200);
    let manager = server.rest_as(&server.manager(&server.founded).await.secret);
    let apps = manager.get("/v1/manage/apps").await.ok();
    let name = apps["items"].as_array().unwrap().iter().find(|app| app["id"] == server.founded.app.as_str()).unwrap();
    let path = format!("/v1/manage/apps/{}?name={}", server.founded.app, name["name"].as_str().unwrap());
    answer(manager.request(Method::DELETE, &path)).await.ok();
    until(async || (get(&link).await.status() == 403).then_some(())).await;
}

#[tokio::test]
async fn a_file_that_is_not_sent_is_given_up_by_its_uploader() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let file = upload(&mut alice, begin("f1", b"x"), b"x").await;
    let begun = alice.ok("chunk.begin", begin("f1", b"x")).await;
    assert_eq!(begun["committed"], true);
    let id = json!({"upload": begun["upload"]});
    assert_eq!(bob.refused("chunk.abort", id.clone()).await["code"], "not_found");
    alice.ok("chunk.abort", id).await;
    assert_eq!(alice.refused("send", carrying("c1", "m1", &[&file])).await["code"], "not_found");
    let again = upload(&mut alice, begin("f1", b"x"), b"x").await;
    alice.ok("send", carrying("c1", "m1", &[&again])).await;
    let begun = alice.ok("chunk.begin", begin("f1", b"x")).await;
    assert_eq!(alice.refused("chunk.abort", json!({"upload": begun["upload"]})).await["code"], "conflict");
}
