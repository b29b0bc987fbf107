//! Large bodies in the store: chunks, their commit, what reads them, and what is swept up behind them.

use super::world::{World, sent};
use crate::{BodyLink, GRACE_MS, UPLOAD_MS_MAX};
use std::fs;
use std::path::{Path, PathBuf};
use tokenim_domain::limits::{CHUNK_BYTES_MIN, OPEN_UPLOADS_MAX};
use tokenim_domain::log::{
    About, BodyQuery, Credential, Digest, EventBody, MessageAct, MessageLog, NewUpload, Outcome, Purpose, Sealed, Sent,
    Upload, UploadRef, Write,
};
use tokenim_domain::meter::{HOUR_MS, Meter};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::{Change, ContentKind};
use tokenim_domain::{Code, Result};

/// JSON of so many bytes, each chunk another.
pub fn body(bytes: usize) -> Vec<u8> {
    let text: String = (0..bytes - 2).map(|at| char::from(b'a' + (at / 1_000 % 26) as u8)).collect();
    format!("\"{text}\"").into_bytes()
}

pub fn new_upload(world: &World, sender: &str, id: &str, body: &[u8]) -> NewUpload {
    NewUpload {
        app: world.app(),
        sender: User::trusted(sender),
        client_msg_id: ClientMsgId::trusted(id),
        purpose: Purpose::Body { conversation: Conversation::trusted("c1"), kind: ContentKind::Json },
        bytes: body.len() as i64,
        sha256: Digest::of(body),
        chunk_bytes: CHUNK_BYTES_MIN,
    }
}

pub fn at(world: &World, user: &str, upload: &Upload) -> UploadRef {
    UploadRef { app: world.app(), id: upload.id, user: Some(User::trusted(user)) }
}

/// Puts what is missing.
pub async fn put_missing(world: &World, user: &str, upload: &Upload, body: &[u8]) {
    for (first, last) in &upload.missing {
        for index in *first..=*last {
            let from = (index * upload.chunk_bytes) as usize;
            let chunk = &body[from..body.len().min(from + upload.chunk_bytes as usize)];
            world.store.put_chunk(at(world, user, upload), index, chunk.to_vec()).await.unwrap();
        }
    }
}

async fn draft(world: &World, at: UploadRef) -> Result<Write> {
    let credential = Credential { key: world.founded.signing.id, label: None };
    match world.store.seal_upload(at).await? {
        Sealed::Body(body) => Ok(Write::Send(body.draft(About::default(), credential, true))),
        Sealed::Attachment(file) => panic!("{file:?}"),
    }
}

/// A whole large message.
pub async fn send_large(world: &World, user: &str, id: &str, body: &[u8]) -> Result<Sent> {
    let upload = world.store.begin_upload(new_upload(world, user, id, body)).await?;
    put_missing(world, user, &upload, body).await;
    match world.commit_one(draft(world, at(world, user, &upload)).await?).await? {
        Outcome::Sent(sent) => Ok(sent),
        other => panic!("{other:?}"),
    }
}

async fn read(world: &World, viewer: &str, seq: i64, offset: i64, limit: i64) -> Result<Vec<u8>> {
    let query = BodyQuery {
        app: world.app(),
        conversation: Conversation::trusted("c1"),
        viewer: Some(User::trusted(viewer)),
        seq,
        offset,
        limit,
    };
    world.store.read_body(query).await.map(|part| part.data)
}

/// Files in the folder of objects.
pub fn objects(world: &World) -> Vec<PathBuf> {
    fn below(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { below(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    below(&world.settings.data.join("objects"), &mut found);
    found
}

#[tokio::test]
async fn a_body_in_chunks_becomes_one_message_and_reads_back_to_the_byte() {
    let world = World::with_group().await;
    let body = body(3 * CHUNK_BYTES_MIN as usize + 17);
    let upload = world.store.begin_upload(new_upload(&world, "alice", "m1", &body)).await.unwrap();
    assert_eq!((upload.chunks, &*upload.missing, upload.is_committed), (4, &[(0, 3)][..], false));
    let half = Upload { missing: vec![(1, 2)], ..upload.clone() };
    put_missing(&world, "alice", &half, &body).await;
    let world = world.reopen().await;
    let again = world.store.begin_upload(new_upload(&world, "alice", "m1", &body)).await.unwrap();
    assert_eq!((again.id, &*again.missing), (upload.id, &[(0, 0), (3, 3)][..]));
    let one = at(&world, "alice", &upload);
    assert_eq!(world.store.seal_upload(one.clone()).await.unwrap_err().code, Code::UploadIncomplete);
    assert_eq!(world.log("c1").await.head, 1, "only the commit takes a seq");
    put_missing(&world, "alice", &again, &body).await;
    let (first, second) = (draft(&world, one.clone()).await.unwrap(), draft(&world, one.clone()).await.unwrap());
    let done: Vec<_> = world.commit(vec![first, second]).await.into_iter().map(sent).collect();
    assert_eq!((done[0].seq, done[1].seq, done[0].id), (2, 2, done[1].id));
    assert!(done[0].event.is_some() && done[1].event.is_none());
    assert_eq!(done[0].billed, tokenim_domain::meter::units(body.len()));
    let later = sent(world.commit_one(draft(&world, one).await.unwrap()).await);
    assert_eq!((later.seq, later.event.is_none(), later.billed), (2, true, done[0].billed));
    let page = world.log("c1").await;
    let EventBody::Message { body: text, about, .. } = &page.events[1].body else { panic!("{page:?}") };
    let large = about.large.unwrap();
    assert_eq!((&**text, large.bytes, large.sha256), ("", body.len() as i64, Digest::of(&body)));
    let mut whole = Vec::new();
    while whole.len() < body.len() {
        whole.extend(read(&world, "bob", 2, whole.len() as i64, 5_000).await.unwrap());
    }
    assert_eq!(whole, body);
    for offset in [-1, body.len() as i64, i64::MAX] {
        assert_eq!(read(&world, "bob", 2, offset, 1).await.unwrap_err().code, Code::InvalidField, "{offset}");
    }
}

#[tokio::test]
async fn another_sum_or_shape_is_no_message_and_may_be_put_again() {
    let world = World::with_group().await;
    let body = body(CHUNK_BYTES_MIN as usize + 1);
    let upload = world.store.begin_upload(new_upload(&world, "alice", "m1", &body)).await.unwrap();
    let one = at(&world, "alice", &upload);
    let mut wrong = body.clone();
    wrong[7] ^= 1;
    put_missing(&world, "alice", &upload, &wrong).await;
    assert_eq!(world.store.seal_upload(one.clone()).await.unwrap_err().code, Code::ChecksumMismatch);
    put_missing(&world, "alice", &upload, &body).await;
    assert_eq!(sent(world.commit_one(draft(&world, one).await.unwrap()).await).seq, 2);
    for (id, broken) in [("m2", &b"{\"a\":1"[..]), ("m3", &[b'"', 0xff, b'"'][..]), ("m4", &b"{\"a\":1,\"a\":2}"[..])] {
        let error = send_large(&world, "alice", id, broken).await.unwrap_err();
        assert_eq!((error.code, error.param), (Code::InvalidField, Some("body")), "{id}");
    }
    let mut other = new_upload(&world, "alice", "m1", &body);
    other.sha256 = Digest::of(b"other");
    assert_eq!(world.store.begin_upload(other).await.unwrap_err().code, Code::Conflict);
    let draft = world.draft("c1", "alice", "m1");
    assert_eq!(world.commit_one(Write::Send(draft)).await.unwrap_err().code, Code::Conflict);
    assert_eq!(world.log("c1").await.head, 2);
}

#[tokio::test]
async fn chunks_have_their_place_and_size_and_their_owner() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    let body = body(CHUNK_BYTES_MIN as usize + 1);
    let upload = world.store.begin_upload(new_upload(&world, "alice", "m1", &body)).await.unwrap();
    let one = at(&world, "alice", &upload);
    for (index, bytes, param) in
        [(-1, 1, "index"), (2, 1, "index"), (i64::MAX, 1, "index"), (0, 1, "data"), (1, 2, "data")]
    {
        let error = world.store.put_chunk(one.clone(), index, vec![0; bytes]).await.unwrap_err();
        assert_eq!((error.code, error.param), (Code::InvalidField, Some(param)), "{index} {bytes}");
    }
    let strangers = [
        at(&world, "bob", &upload),
        UploadRef { app: other.app, ..one.clone() },
        UploadRef { app: other.app, id: upload.id, user: None },
    ];
    for stranger in strangers {
        let last = vec![0; 1];
        assert_eq!(world.store.put_chunk(stranger.clone(), 1, last).await.unwrap_err().code, Code::NotFound);
        assert_eq!(world.store.find_upload(stranger.clone()).await.unwrap_err().code, Code::NotFound);
        assert_eq!(world.store.seal_upload(stranger.clone()).await.unwrap_err().code, Code::NotFound);
        assert_eq!(world.store.drop_upload(stranger).await.unwrap_err().code, Code::NotFound);
    }
    assert!(objects(&world).is_empty());
    let stranger = new_upload(&world, "mallory", "m1", &body);
    assert_eq!(world.store.begin_upload(stranger).await.unwrap_err().code, Code::NotFound);
    for number in 1..OPEN_UPLOADS_MAX {
        world.store.begin_upload(new_upload(&world, "alice", &format!("more{number}"), &body)).await.unwrap();
    }
    let error = world.store.begin_upload(new_upload(&world, "alice", "over", &body)).await.unwrap_err();
    assert_eq!((error.code, error.facts.unwrap().feature), (Code::LimitReached, Some("open_uploads")));
    world.store.begin_upload(new_upload(&world, "bob", "m1", &body)).await.unwrap();
    world.store.drop_upload(one.clone()).await.unwrap();
    assert_eq!(world.store.put_chunk(one.clone(), 1, vec![0; 1]).await.unwrap_err().code, Code::NotFound);
    world.store.begin_upload(new_upload(&world, "alice", "m1", &body)).await.unwrap();
}

#[tokio::test]
async fn a_body_is_seen_by_members_from_where_they_joined() {
    let world = World::with_group().await;
    send_large(&world, "alice", "m1", &body(5_000)).await.unwrap();
    world.change("c1", None, Change::Added, &["carol"]).await.unwrap();
    assert_eq!(read(&world, "bob", 2, 0, 10).await.unwrap(), body(5_000)[..10]);
    for (viewer, seq) in [("carol", 2), ("mallory", 2), ("bob", 1), ("bob", 3), ("bob", 99), ("bob", -1)] {
        assert_eq!(read(&world, viewer, seq, 0, 10).await.unwrap_err().code, Code::NotFound, "{viewer} {seq}");
    }
    world.change("c1", None, Change::Removed, &["bob"]).await.unwrap();
    assert_eq!(read(&world, "bob", 2, 0, 10).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn deleted_and_edited_bodies_are_gone_at_once_and_their_bytes_soon() {
    let world = World::with_group().await;
    send_large(&world, "alice", "m1", &body(5_000)).await.unwrap();
    send_large(&world, "alice", "m2", &body(6_000)).await.unwrap();
    send_large(&world, "alice", "m3", &body(7_000)).await.unwrap();
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(objects(&world).len(), 3, "the chunks are gone, the bodies are there");
    let edit = MessageAct::Edit { kind: ContentKind::Json, body: "7".into() };
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 2, edit))).await.unwrap();
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 3, MessageAct::Delete))).await.unwrap();
    for seq in [2, 3] {
        assert_eq!(read(&world, "bob", seq, 0, 1).await.unwrap_err().code, Code::NotFound);
    }
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(objects(&world).len(), 3, "a check that was under way could put them again");
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(objects(&world).len(), 1);
    assert_eq!(world.number("SELECT count(*) FROM large_body").await, 1);
    assert_eq!(read(&world, "bob", 4, 0, 1).await.unwrap(), b"\"");
    let page = world.log("c1").await;
    let large = |at: usize| match &page.events[at].body {
        EventBody::Message { body, about, .. } => (body.to_string(), about.large.is_some()),
        other => panic!("{other:?}"),
    };
    assert_eq!((large(1).0.as_str(), large(2), large(3)), ("7", (String::new(), false), (String::new(), true)));
}

#[tokio::test]
async fn what_nobody_commits_is_swept_up_after_a_day() {
    let world = World::with_group().await;
    let body = body(5_000);
    let upload = world.store.begin_upload(new_upload(&world, "alice", "m1", &body)).await.unwrap();
    put_missing(&world, "alice", &upload, &body).await;
    let checked = draft(&world, at(&world, "alice", &upload)).await.unwrap();
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(objects(&world).len(), 3, "two chunks and the body that was checked");
    world.clock.shift(UPLOAD_MS_MAX + 1);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(world.commit_one(checked).await.unwrap_err().code, Code::NotFound, "it was given up meanwhile");
    assert_eq!(world.store.find_upload(at(&world, "alice", &upload)).await.unwrap_err().code, Code::NotFound);
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert!(objects(&world).is_empty());
    assert_eq!(world.number("SELECT count(*) FROM upload").await, 0);
    send_large(&world, "alice", "m1", &body).await.unwrap();
    world.clock.shift(UPLOAD_MS_MAX + 1);
    world.store.sweep_uploads().await.unwrap();
    world.store.sweep_uploads().await.unwrap();
    assert_eq!((objects(&world).len(), world.number("SELECT count(*) FROM upload").await), (1, 0));
}

#[tokio::test]
async fn what_is_kept_is_sampled_once_an_hour() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    let of =
        async |org| super::usage::hours_of(&world.store, org, Meter::Stored).await.into_values().collect::<Vec<_>>();
    send_large(&world, "alice", "m1", &body(5_000)).await.unwrap();
    world.store.sample_stored().await.unwrap();
    assert!(of(world.app().org).await.is_empty(), "it was not there at the full hour");
    world.clock.shift(HOUR_MS);
    send_large(&world, "alice", "m2", &body(6_000)).await.unwrap();
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 2, MessageAct::Delete))).await.unwrap();
    for _ in 0..2 {
        world.store.sample_stored().await.unwrap();
        world.store.roll_up_usage().await.unwrap();
    }
    assert_eq!(of(world.app().org).await, [5_000]);
    world.clock.shift(HOUR_MS);
    world.store.sample_stored().await.unwrap();
    assert_eq!(of(world.app().org).await, [5_000, 6_000], "rolled up or not");
    assert!(of(other.app.org).await.is_empty());
}

#[tokio::test]
async fn a_link_leads_to_its_body_until_it_ends_or_the_body_does() {
    let world = World::with_group().await;
    send_large(&world, "alice", "m1", &body(5_000)).await.unwrap();
    let found = world.store.find_large_body(world.app(), &Conversation::trusted("c1"), None, 2).await.unwrap();
    let valid = std::time::Duration::from_secs(60);
    let BodyLink::Ours(link) = world.store.link_large_body(&found, valid).await.unwrap() else { panic!("a folder") };
    assert_eq!(world.store.find_linked_body(&link).await.unwrap(), found);
    let code = async |link: &str| world.store.find_linked_body(link).await.unwrap_err().code;
    for at in [0, 30, 50, 70, link.len() - 3] {
        let mut altered = link.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(code(std::str::from_utf8(&altered).unwrap()).await, Code::NotFound, "{at}");
    }
    for wrong in ["", "A", "*", &link[..link.len() - 4], &format!("{link}AAAA")] {
        assert_eq!(code(wrong).await, Code::NotFound, "{wrong}");
    }
    world.clock.shift(60_000);
    assert_eq!(code(&link).await, Code::NotFound);
    world.clock.shift(-60_000);
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 2, MessageAct::Delete))).await.unwrap();
    assert_eq!(code(&link).await, Code::NotFound);
}
