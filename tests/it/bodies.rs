//! Large bodies through the front door: in chunks, through power cuts, to the byte.

use crate::support::rest::{answer, get};
use crate::support::wait::{until, within};
use crate::support::{Client, Rest, TestServer};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tokenim_domain::limits::LARGE_BODY_BYTES_MAX;
use tokenim_domain::log::Digest;

const CHUNK: usize = 4_096;

/// JSON of so many bytes.
fn body(bytes: usize) -> String {
    let text: String = (0..bytes - 2).map(|at| char::from(b'a' + (at / 1_000 % 26) as u8)).collect();
    format!("\"{text}\"")
}

fn begin(id: &str, body: &str) -> Value {
    let sha256 = Digest::of(body.as_bytes()).to_string();
    json!({"conversation": "c1", "client_msg_id": id, "kind": "json", "bytes": body.len(), "sha256": sha256, "chunk_bytes": CHUNK})
}

fn chunk(upload: &Value, index: usize, body: &str) -> Value {
    let bytes = &body.as_bytes()[index * CHUNK..body.len().min((index + 1) * CHUNK)];
    json!({"upload": upload["upload"], "index": index, "data": STANDARD.encode(bytes)})
}

/// Uploads and commits; returns the ack.
async fn send_large(client: &mut Client, id: &str, body: &str) -> Value {
    let upload = client.ok("chunk.begin", begin(id, body)).await;
    for index in 0..upload["chunks"].as_u64().unwrap() as usize {
        client.ok("chunk.put", chunk(&upload, index, body)).await;
    }
    client.ok("chunk.commit", json!({"upload": upload["upload"]})).await
}

/// The whole body, page by page.
async fn read(client: &mut Client, seq: &Value) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let fields = json!({"conversation": "c1", "seq": seq, "offset": whole.len(), "limit": 10_000});
        let page = client.ok("body.get", fields).await;
        assert_eq!(page["offset"], whole.len());
        whole.extend(STANDARD.decode(page["data"].as_str().unwrap()).unwrap());
        if page["done"] == true {
            assert_eq!(page["bytes"], whole.len());
            return whole;
        }
    }
}

#[tokio::test]
async fn an_upload_survives_kill_9_between_any_two_frames() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let body = body(3 * CHUNK + 100);
    let (mut acked, mut upload) = (Vec::new(), Value::Null);
    for index in 0..=4 {
        server.kill();
        server.start().await;
        let mut alice = server.connect("alice").await;
        let again = alice.ok("chunk.begin", begin("m1", &body)).await;
        assert!(upload == Value::Null || upload["upload"] == again["upload"]);
        upload = again;
        let missing: Vec<_> = (0..4).filter(|index| !acked.contains(index)).collect();
        let runs = upload["missing"].as_array().unwrap().iter();
        let told: Vec<_> = runs.flat_map(|run| run[0].as_u64().unwrap()..=run[1].as_u64().unwrap()).collect();
        assert_eq!(told, missing, "what was acknowledged is there");
        if index < 4 {
            alice.ok("chunk.put", chunk(&upload, index as usize, &body)).await;
            acked.push(index);
        }
    }
    let mut alice = server.connect("alice").await;
    let commit = json!({"upload": upload["upload"]});
    alice.start("chunk.commit", commit.clone()).await;
    server.kill();
    server.start().await;
    let mut alice = server.connect("alice").await;
    let ack = alice.ok("chunk.commit", commit.clone()).await;
    server.kill();
    server.start().await;
    let mut bob = server.connect("bob").await;
    assert_eq!(read(&mut bob, &ack["seq"]).await, body.as_bytes());
    let mut alice = server.connect("alice").await;
    let again = alice.ok("chunk.commit", commit).await;
    assert_eq!((&again["seq"], &again["id"], &again["duplicate"]), (&json!(2), &ack["id"], &json!(true)));
    assert_eq!(server.rest().log("c1").await.len(), 2, "once");
    assert_eq!(server.rest().units().await, 3, "each started 5,120 bytes");
}

/// How many files there are below a folder, those that are not whole yet too.
fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

#[tokio::test]
async fn an_upload_survives_kill_9_before_its_first_chunk_and_in_the_middle_of_any() {
    let mut server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (body, objects) = (body(3 * CHUNK + 100), server.data.join("objects"));
    let upload = server.connect("alice").await.ok("chunk.begin", begin("m1", &body)).await;
    server.kill();
    server.start().await;
    assert_eq!(server.connect("alice").await.ok("chunk.begin", begin("m1", &body)).await, upload, "as it was");
    for index in 0..4 {
        let mut alice = server.connect("alice").await;
        let before = files(&objects);
        alice.start("chunk.put", chunk(&upload, index, &body)).await;
        // The first may not have been read at all; the others are cut with the first trace of them on the disk.
        if index > 0 {
            within(async {
                while files(&objects) <= before {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
        server.kill();
        server.start().await;
        let mut alice = server.connect("alice").await;
        let again = alice.ok("chunk.begin", begin("m1", &body)).await;
        assert_eq!(again["upload"], upload["upload"]);
        // It is there whole, which the sum says at the commit, or not at all.
        let rest = if index < 3 { json!([[index + 1, 3]]) } else { json!([]) };
        if again["missing"] != rest {
            assert_eq!(again["missing"], json!([[index, 3]]));
            alice.ok("chunk.put", chunk(&upload, index, &body)).await;
        }
    }
    let mut alice = server.connect("alice").await;
    let ack = alice.ok("chunk.commit", json!({"upload": upload["upload"]})).await;
    assert_eq!(read(&mut alice, &ack["seq"]).await, body.as_bytes());
}

#[tokio::test]
async fn a_large_message_is_told_without_its_body() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut alice, mut bob) = (server.connect("alice").await, server.connect("bob").await);
    let body = body(200_000);
    let ack = send_large(&mut alice, "m1", &body).await;
    assert_eq!((&ack["seq"], &ack["duplicate"], &ack["billed"]), (&json!(2), &json!(false), &json!(40)));
    let large = json!({"bytes": body.len(), "sha256": Digest::of(body.as_bytes()).to_string()});
    let push = bob.push().await;
    assert_eq!((&push["seq"], &push["large"], push.get("body")), (&json!(2), &large, None));
    let history = bob.ok("history", json!({"conversation": "c1"})).await;
    assert_eq!((&history["items"][1]["large"], history["items"][1].get("body")), (&large, None));
    assert_eq!(read(&mut bob, &json!(2)).await, body.as_bytes());
    assert!(alice.pushes_so_far().await.is_empty(), "who sent it has the ack");
    // An edit replaces it by an ordinary body; a deletion by none.
    alice.ok("edit", json!({"conversation": "c1", "target": 2, "kind": "json", "body": 7})).await;
    let edited = bob.ok("history", json!({"conversation": "c1"})).await["items"][1].take();
    assert_eq!((&edited["body"], edited.get("large")), (&json!(7), None));
    assert_eq!(bob.refused("body.get", json!({"conversation": "c1", "seq": 2})).await["code"], "not_found");
    let seq = send_large(&mut alice, "m2", &body).await["seq"].take();
    alice.ok("delete", json!({"conversation": "c1", "target": seq})).await;
    assert_eq!(bob.refused("body.get", json!({"conversation": "c1", "seq": seq})).await["code"], "not_found");
}

#[tokio::test]
async fn two_commits_at_once_are_one_message() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (mut one, mut two) = (server.connect("alice").await, server.connect("alice").await);
    let body = body(20_000);
    let upload = one.ok("chunk.begin", begin("m1", &body)).await;
    assert_eq!(two.ok("chunk.begin", begin("m1", &body)).await["upload"], upload["upload"]);
    for index in 0..5 {
        one.ok("chunk.put", chunk(&upload, index, &body)).await;
        two.ok("chunk.put", chunk(&upload, index, &body)).await;
    }
    let commit = json!({"upload": upload["upload"]});
    let (first, second) = (one.start("chunk.commit", commit.clone()).await, two.start("chunk.commit", commit).await);
    let (first, second) = (one.ok_of(first).await, two.ok_of(second).await);
    assert_eq!((&first["id"], &first["seq"]), (&second["id"], &second["seq"]));
    assert_ne!(first["duplicate"], second["duplicate"]);
    assert_eq!((server.rest().log("c1").await.len(), server.rest().units().await), (2, 4));
}

#[tokio::test]
async fn uploads_are_refused_by_their_names() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let mut alice = server.connect("alice").await;
    let good = begin("m1", &body(9_000));
    for (field, value, code) in [
        ("bytes", json!(0), "invalid_field"),
        ("bytes", json!(-1), "invalid_field"),
        ("bytes", json!(i64::MAX), "invalid_field"),
        ("bytes", json!("9"), "invalid_request"),
        ("bytes", json!(LARGE_BODY_BYTES_MAX + 1), "invalid_field"),
        ("sha256", json!("00"), "invalid_field"),
        ("sha256", json!("z".repeat(64)), "invalid_field"),
        ("kind", json!("video"), "invalid_field"),
        ("chunk_bytes", json!(1), "invalid_field"),
        ("chunk_bytes", json!(40_000), "invalid_field"),
        ("client_msg_id", json!("a b"), "invalid_field"),
        ("conversation", json!("c2"), "not_found"),
    ] {
        let mut fields = good.clone();
        fields[field] = value;
        let error = alice.refused("chunk.begin", fields.clone()).await;
        assert_eq!(error["code"], code, "{fields}");
    }
    let upload = alice.ok("chunk.begin", good).await;
    let id = &upload["upload"];
    for (fields, code) in [
        (json!({"upload": id, "index": 3, "data": "AA=="}), "invalid_field"),
        (json!({"upload": id, "index": 0, "data": "AA=="}), "invalid_field"),
        (json!({"upload": id, "index": 0, "data": "*"}), "invalid_field"),
        (json!({"upload": id, "index": 0.5, "data": ""}), "invalid_request"),
        (json!({"upload": "upl_x", "index": 0, "data": ""}), "invalid_field"),
        (json!({"upload": "upl_00000000000000000000000001", "index": 0, "data": ""}), "not_found"),
        (json!({"upload": id, "index": 0}), "invalid_request"),
    ] {
        assert_eq!(alice.refused("chunk.put", fields.clone()).await["code"], code, "{fields}");
    }
    assert_eq!(alice.refused("chunk.commit", json!({"upload": id})).await["code"], "upload_incomplete");
    let mut bob = server.connect("bob").await;
    for command in ["chunk.commit", "chunk.abort"] {
        assert_eq!(bob.refused(command, json!({"upload": id})).await["code"], "not_found");
    }
    for wrong in [json!(0), json!(200_000)] {
        let fields = json!({"conversation": "c1", "seq": 2, "limit": wrong});
        assert_eq!(alice.refused("body.get", fields).await["code"], "invalid_field");
    }
    alice.ok("chunk.abort", json!({"upload": id})).await;
    assert_eq!(alice.refused("chunk.commit", json!({"upload": id})).await["code"], "not_found");
    assert_eq!(server.rest().log("c1").await.len(), 1, "nothing was changed");
}

#[tokio::test]
async fn a_plan_bounds_the_bytes_of_one_body() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice"]).await;
    let manager = server.manager(&server.founded).await.secret;
    let plan = server.rest_as(&manager).request(Method::PUT, "/v1/manage/subscription").json(&json!({"plan": "basic"}));
    answer(plan).await.ok();
    let mut alice = server.connect("alice").await;
    let mut fields = begin("m1", "{}");
    fields["bytes"] = json!(16 * 1024 * 1024 + 1);
    // The plan before had no limit; running nodes learn of the change within 2 s.
    let error = until(async || {
        let id = alice.start("chunk.begin", fields.clone()).await;
        alice.reply(id).await.get("error").cloned()
    });
    let error = error.await;
    let told = (&error["code"], &error["feature"], &error["limit"]);
    assert_eq!(told, (&json!("plan_limit"), &json!("large_body_bytes"), &json!(16 * 1024 * 1024)));
    fields["bytes"] = json!(16 * 1024 * 1024);
    fields["client_msg_id"] = json!("m2");
    assert_eq!(alice.ok("chunk.begin", fields).await["chunks"], 4_096);
}

/// A whole large message with the app's key; its seq.
async fn post_large(rest: &Rest, id: &str, body: &str) -> Value {
    let mut fields = begin(id, body);
    fields["sender"] = json!("alice");
    let upload = rest.post("/v1/uploads", &fields).await.ok();
    let path = format!("/v1/uploads/{}", upload["upload"].as_str().unwrap());
    for index in 0..upload["chunks"].as_u64().unwrap() as usize {
        let chunk = json!({"data": chunk(&upload, index, body)["data"]});
        let put = rest.request(Method::PUT, &format!("{path}/chunks/{index}")).json(&chunk);
        answer(put).await.ok();
    }
    assert_eq!(rest.get(&path).await.ok()["missing"], json!([]));
    let sent = rest.post(&format!("{path}/commit"), &json!({"mentions": ["bob"]})).await.ok();
    assert_eq!(rest.get(&path).await.ok()["committed"], true);
    assert_eq!(rest.request(Method::DELETE, &path).send().await.unwrap().status(), 409);
    sent["seq"].clone()
}

#[tokio::test]
async fn rest_uploads_and_reads_whole_bodies_and_parts() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (rest, body) = (server.rest(), body(600_000));
    let mut bob = server.connect("bob").await;
    let seq = post_large(&rest, "m1", &body).await;
    let push = bob.push().await;
    assert_eq!((&push["large"]["bytes"], &push["mentions"]), (&json!(600_000), &json!(["bob"])));
    let path = format!("/v1/conversations/c1/messages/{seq}/body");
    let (of_bob, of_carol) = (server.rest_as(&server.token("bob")), server.rest_as(&server.token("carol")));
    for reader in [&rest, &of_bob] {
        let whole = reader.request(Method::GET, &path).send().await.unwrap();
        assert_eq!((whole.status().as_u16(), whole.content_length()), (200, Some(600_000)));
        assert_eq!(whole.text().await.unwrap(), body);
    }
    assert_eq!(of_carol.get(&path).await.refusal(), (404, "not_found".to_owned()));
    for (range, status, says, part) in [
        ("bytes=0-0", 206, "bytes 0-0/600000", Some(0..1)),
        ("bytes=300000-599998", 206, "bytes 300000-599998/600000", Some(300_000..599_999)),
        ("bytes=-10", 206, "bytes 599990-599999/600000", Some(599_990..600_000)),
        ("bytes=0-1,4-5", 200, "", Some(0..600_000)),
        ("bytes=600000-", 416, "", None),
    ] {
        let read = of_bob.request(Method::GET, &path).header("range", range).send().await.unwrap();
        let told = read.headers().get("content-range").map_or("", |told| told.to_str().unwrap()).to_owned();
        assert_eq!((read.status().as_u16(), told.as_str()), (status, says), "{range}");
        let text = read.text().await.unwrap();
        match part {
            Some(part) => assert!(text == body[part], "{range}"),
            None => assert!(text.contains("range_not_satisfiable"), "{text}"),
        }
    }
}

#[tokio::test]
async fn a_link_reads_a_body_without_a_credential_until_it_ends() {
    let server = TestServer::spawn().await;
    server.group("c1", &["alice", "bob"]).await;
    let (rest, body) = (server.rest(), body(10_000));
    let seq = post_large(&rest, "m1", &body).await;
    let path = format!("/v1/conversations/c1/messages/{seq}/body/link");
    let of = async |rest: &Rest, for_s: i64| rest.post(&path, &json!({"for_s": for_s})).await;
    let carol = server.rest_as(&server.token("carol"));
    assert_eq!(of(&carol, 60).await.refusal(), (404, "not_found".to_owned()));
    for wrong in [0, -1, 3_601] {
        assert_eq!(of(&rest, wrong).await.refusal(), (422, "invalid_field".to_owned()));
    }
    let read = async |url: &str| {
        let read = get(url).await;
        (read.status().as_u16(), read.text().await.unwrap())
    };
    let link = of(&server.rest_as(&server.token("bob")), 3_600).await.ok()["url"].as_str().unwrap().to_owned();
    let (status, text) = read(&link).await;
    assert!(status == 200 && text == body, "{status}");
    assert_eq!(read(&format!("{}AAAA", &link[..link.len() - 4])).await.0, 404);
    let short = of(&rest, 1).await.ok()["url"].as_str().unwrap().to_owned();
    until(async || (read(&short).await.0 == 404).then_some(())).await;
    rest.request(Method::DELETE, &format!("/v1/conversations/c1/messages/{seq}")).send().await.unwrap();
    assert_eq!(read(&link).await.0, 404, "with the message");
}
