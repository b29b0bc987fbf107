//! Attachments: whole before they are named, bound in a message's commit, kept as long as one carries them.

use super::uploads::{at, objects, put_missing};
use super::world::{World, sent};
use crate::{BodyLink, GRACE_MS, UNSENT_MS_MAX, UPLOAD_MS_MAX};
use futures_util::future::join_all;
use std::slice::from_ref;
use std::time::Duration;
use tokenim_domain::actor::Actor;
use tokenim_domain::id::AttachmentId;
use tokenim_domain::limits::{CHUNK_BYTES_MIN, OPEN_UPLOADS_MAX, UNSENT_ATTACHMENTS_MAX};
use tokenim_domain::log::{
    About, Attached, Attachment, AttachmentQuery, Digest, Draft, EventBody, FileName, MediaType, MessageAct,
    MessageLog, NewUpload, Outcome, Purpose, Sealed, Write,
};
use tokenim_domain::meter::{HOUR_MS, Meter};
use tokenim_domain::name::{ClientMsgId, Conversation, User};
use tokenim_domain::role::{Change, ContentKind};
use tokenim_domain::{Code, Result};

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at / 1_000 % 251) as u8).collect()
}

fn new_file(world: &World, user: &str, id: &str, content: &[u8]) -> NewUpload {
    NewUpload {
        app: world.app(),
        sender: User::trusted(user),
        client_msg_id: ClientMsgId::trusted(id),
        purpose: Purpose::Attachment {
            name: FileName::parse("a file.bin").unwrap(),
            content_type: MediaType::parse("application/zip").unwrap(),
        },
        bytes: content.len() as i64,
        sha256: Digest::of(content),
        chunk_bytes: CHUNK_BYTES_MIN,
    }
}

/// A file that is whole and not sent.
pub async fn upload_file(world: &World, user: &str, id: &str, content: &[u8]) -> Result<Attachment> {
    let upload = world.store.begin_upload(new_file(world, user, id, content)).await?;
    put_missing(world, user, &upload, content).await;
    match world.store.seal_upload(at(world, user, &upload)).await? {
        Sealed::Attachment(file) => Ok(file),
        Sealed::Body(body) => panic!("{body:?}"),
    }
}

/// A message that names files.
pub fn naming(world: &World, conversation: &str, user: &str, id: &str, files: &[AttachmentId]) -> Draft {
    let attached = Attached::Asked { ids: files.to_vec(), may_forward: true };
    Draft { about: About { attached, ..About::default() }, ..world.draft(conversation, user, id) }
}

async fn send(world: &World, conversation: &str, user: &str, id: &str, file: &Attachment) -> Result<i64> {
    match world.commit_one(Write::Send(naming(world, conversation, user, id, &[file.id]))).await? {
        Outcome::Sent(sent) => Ok(sent.seq),
        other => panic!("{other:?}"),
    }
}

async fn delete(world: &World, conversation: &str, seq: i64) {
    world.commit_one(Write::Amend(world.amendment(conversation, None, seq, MessageAct::Delete))).await.unwrap();
}

fn query(world: &World, viewer: Option<&str>, seq: i64, file: &Attachment) -> AttachmentQuery {
    let (app, conversation) = (world.app(), Conversation::trusted("c1"));
    AttachmentQuery { app, conversation, viewer: viewer.map(User::trusted), seq, id: file.id }
}

fn carried(body: &EventBody) -> &[Attachment] {
    let EventBody::Message { about, .. } = body else { panic!("{body:?}") };
    about.attached.kept()
}

#[tokio::test]
async fn a_file_travels_with_its_message_and_reads_back_to_the_byte() {
    let world = World::with_group().await;
    let content = bytes(3 * CHUNK_BYTES_MIN as usize + 17);
    let file = upload_file(&world, "alice", "f1", &content).await.unwrap();
    assert_eq!((file.bytes, file.sha256), (content.len() as i64, Digest::of(&content)));
    assert_eq!(upload_file(&world, "alice", "f1", &content).await.unwrap(), file, "a repeat is the same one");
    assert_eq!(world.log("c1").await.head, 1, "it takes no seq");
    let draft = naming(&world, "c1", "alice", "m1", &[file.id]);
    let units = draft.units();
    let done: Vec<_> = world.commit(vec![Write::Send(draft.clone()), Write::Send(draft.clone())]).await;
    let done: Vec<_> = done.into_iter().map(sent).collect();
    assert_eq!((done[0].seq, done[1].seq, done[0].billed, units), (2, 2, 1, 1), "its bytes are no units");
    assert_eq!(carried(&done[0].event.as_ref().unwrap().body), from_ref(&file), "what is told at once");
    let edit = MessageAct::Edit { kind: ContentKind::Json, body: "7".into() };
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 2, edit))).await.unwrap();
    let world = world.reopen().await;
    assert_eq!(carried(&world.log("c1").await.events[1].body), from_ref(&file), "what is read later, edited or not");
    let again = sent(world.commit_one(Write::Send(draft)).await);
    assert_eq!((again.seq, again.event.is_none()), (2, true));
    let other = world.commit_one(Write::Send(world.draft("c1", "alice", "m1"))).await;
    assert_eq!(other.unwrap_err().code, Code::Conflict, "without its file it is another message");
    let found = world.store.find_attachment(&query(&world, Some("bob"), 2, &file)).await.unwrap();
    assert_eq!((found.name.as_str(), found.content_type.as_str()), ("a file.bin", "application/zip"));
    let (half, end) = (5_000, content.len() as i64);
    let mut read = world.store.read_large_body(&found.body, 0, half).await.unwrap();
    read.extend(world.store.read_large_body(&found.body, half, end).await.unwrap());
    assert_eq!(read, content);
}

#[tokio::test]
async fn only_its_uploader_and_who_sees_it_may_send_a_file() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    world.group("c2", &["bob", "dave"]).await;
    let file = upload_file(&world, "alice", "f1", &bytes(10)).await.unwrap();
    let refused = async |draft: Draft| {
        let error = world.commit_one(Write::Send(draft)).await.unwrap_err();
        (error.code, error.param)
    };
    let none = (Code::NotFound, Some("attachments"));
    assert_eq!(refused(naming(&world, "c2", "bob", "m1", &[file.id])).await, none, "it is not sent yet");
    let nothing = AttachmentId(uuid::Uuid::from_u128(7));
    assert_eq!(refused(naming(&world, "c1", "alice", "m1", &[file.id, nothing])).await, none);
    assert_eq!(world.number("SELECT count(*) FROM message_attachment").await, 0, "nothing was changed");
    let foreign = Draft { app: other.app, ..naming(&world, "c1", "alice", "m1", &[file.id]) };
    world.commit_one(Write::Create(super::world::new_group(other.app, "c1", &["alice"]))).await.unwrap();
    assert_eq!(refused(foreign).await, none);
    assert_eq!(send(&world, "c1", "alice", "m1", &file).await.unwrap(), 2);
    world.change("c1", None, Change::Added, &["carol"]).await.unwrap();
    world.group("c3", &["carol", "dave"]).await;
    assert_eq!(refused(naming(&world, "c3", "carol", "m1", &[file.id])).await, none, "she came later");
    let narrow = Attached::Asked { ids: vec![file.id], may_forward: false };
    let draft = Draft { about: About { attached: narrow, ..About::default() }, ..world.draft("c2", "bob", "m1") };
    assert_eq!(refused(draft).await, none, "a token with caps forwards nothing");
    assert_eq!(send(&world, "c2", "bob", "m1", &file).await.unwrap(), 2, "who sees it forwards it");
    let open = async |viewer: &str, seq| world.store.find_attachment(&query(&world, Some(viewer), seq, &file)).await;
    assert!(open("bob", 2).await.is_ok());
    for (viewer, seq) in [("carol", 2), ("mallory", 2), ("dave", 2), ("bob", 1), ("bob", 3), ("bob", -1)] {
        assert_eq!(open(viewer, seq).await.unwrap_err().code, Code::NotFound, "{viewer} {seq}");
    }
    let foreign = AttachmentQuery { app: other.app, viewer: None, ..query(&world, None, 2, &file) };
    assert_eq!(world.store.find_attachment(&foreign).await.unwrap_err().code, Code::NotFound);
    world.change("c1", None, Change::Removed, &["bob"]).await.unwrap();
    assert_eq!(open("bob", 2).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_file_stays_as_long_as_a_message_carries_it() {
    let world = World::with_group().await;
    world.group("c2", &["bob", "dave"]).await;
    let file = upload_file(&world, "alice", "f1", &bytes(10)).await.unwrap();
    send(&world, "c1", "alice", "m1", &file).await.unwrap();
    send(&world, "c2", "bob", "m1", &file).await.unwrap();
    world.store.sweep_uploads().await.unwrap();
    let found = world.store.find_attachment(&query(&world, None, 2, &file)).await.unwrap();
    let link = world.store.link_large_body(&found.body, Duration::from_secs(3_600)).await.unwrap();
    let BodyLink::Ours(link) = link else { panic!("a folder") };
    delete(&world, "c1", 2).await;
    assert_eq!(world.store.find_attachment(&query(&world, None, 2, &file)).await.unwrap_err().code, Code::NotFound);
    assert!(carried(&world.log("c1").await.events[1].body).is_empty());
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(objects(&world).len(), 1, "another message carries it");
    assert_eq!(world.store.find_linked_attachment(&link).await.unwrap(), found);
    assert_eq!(world.store.find_linked_body(&link).await.unwrap_err().code, Code::NotFound, "it is no body");
    delete(&world, "c2", 2).await;
    assert_eq!(world.store.find_linked_attachment(&link).await.unwrap_err().code, Code::NotFound, "at once");
    let again = world.commit_one(Write::Send(naming(&world, "c1", "alice", "m2", &[file.id]))).await;
    assert_eq!(again.unwrap_err().code, Code::NotFound, "what is gone comes back by another upload only");
    let upload = world.store.begin_upload(new_file(&world, "alice", "f1", &bytes(10))).await.unwrap();
    assert_eq!(world.store.seal_upload(at(&world, "alice", &upload)).await.unwrap_err().code, Code::NotFound);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(objects(&world).len(), 1, "not before its grace");
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert!(objects(&world).is_empty());
    for table in ["attachment", "message_attachment"] {
        assert_eq!(world.number(&format!("SELECT count(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn what_nobody_sends_within_a_day_is_swept_up() {
    let world = World::with_group().await;
    let (lost, kept) = (bytes(5_000), bytes(6_000));
    let lost = upload_file(&world, "alice", "f1", &lost).await.unwrap();
    let kept = upload_file(&world, "alice", "f2", &kept).await.unwrap();
    let upload = world.store.begin_upload(new_file(&world, "alice", "f3", &bytes(9_000))).await.unwrap();
    send(&world, "c1", "alice", "m1", &kept).await.unwrap();
    world.clock.shift(UPLOAD_MS_MAX.max(UNSENT_MS_MAX) + 1);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!(send(&world, "c1", "alice", "m2", &lost).await.unwrap_err().code, Code::NotFound);
    assert_eq!(world.store.find_upload(at(&world, "alice", &upload)).await.unwrap_err().code, Code::NotFound);
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!((objects(&world).len(), world.number("SELECT count(*) FROM attachment").await), (1, 1));
    assert!(world.store.find_attachment(&query(&world, Some("bob"), 2, &kept)).await.is_ok());
    assert_eq!(world.number("SELECT count(*) FROM upload").await, 0);
}

#[tokio::test]
async fn another_sum_is_no_file_and_other_fields_are_another() {
    let world = World::with_group().await;
    let content = bytes(5_000);
    let upload = world.store.begin_upload(new_file(&world, "alice", "f1", &content)).await.unwrap();
    let one = at(&world, "alice", &upload);
    assert_eq!(world.store.seal_upload(one.clone()).await.unwrap_err().code, Code::UploadIncomplete);
    let mut wrong = content.clone();
    wrong[7] ^= 1;
    put_missing(&world, "alice", &upload, &wrong).await;
    assert_eq!(world.store.seal_upload(one.clone()).await.unwrap_err().code, Code::ChecksumMismatch);
    let mut other = new_file(&world, "alice", "f1", &content);
    other.purpose = Purpose::Attachment {
        name: FileName::parse("another.bin").unwrap(),
        content_type: MediaType::parse("application/zip").unwrap(),
    };
    assert_eq!(world.store.begin_upload(other).await.unwrap_err().code, Code::Conflict);
    assert_eq!(world.store.seal_upload(at(&world, "bob", &upload)).await.unwrap_err().code, Code::NotFound);
    put_missing(&world, "alice", &upload, &content).await;
    assert!(matches!(world.store.seal_upload(one.clone()).await.unwrap(), Sealed::Attachment(_)));
    // The id of a message is none of a file, and the other way round.
    world.send("c1", "alice", "f1").await;
    let given_up = world.store.begin_upload(new_file(&world, "alice", "f2", &content)).await.unwrap();
    world.store.drop_upload(at(&world, "alice", &given_up)).await.unwrap();
    assert_eq!(world.store.seal_upload(at(&world, "alice", &given_up)).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_file_that_is_not_sent_can_be_given_up_and_begun_again() {
    let world = World::with_group().await;
    let content = bytes(5_000);
    let file = upload_file(&world, "alice", "f1", &content).await.unwrap();
    let upload = world.store.begin_upload(new_file(&world, "alice", "f1", &content)).await.unwrap();
    world.store.sweep_uploads().await.unwrap();
    assert!(upload.is_committed && objects(&world).len() == 1);
    assert_eq!(world.store.drop_upload(at(&world, "bob", &upload)).await.unwrap_err().code, Code::NotFound);
    world.store.drop_upload(at(&world, "alice", &upload)).await.unwrap();
    assert_eq!(send(&world, "c1", "alice", "m1", &file).await.unwrap_err().code, Code::NotFound);
    let again = upload_file(&world, "alice", "f1", &content).await.unwrap();
    assert_ne!(again.id, file.id);
    send(&world, "c1", "alice", "m1", &again).await.unwrap();
    let upload = world.store.begin_upload(new_file(&world, "alice", "f1", &content)).await.unwrap();
    let sent = world.store.drop_upload(at(&world, "alice", &upload)).await;
    assert_eq!(sent.unwrap_err().code, Code::Conflict, "a message carries it");
    world.store.sweep_uploads().await.unwrap();
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert_eq!((objects(&world).len(), world.number("SELECT count(*) FROM attachment").await), (1, 1));
    assert!(world.store.find_attachment(&query(&world, Some("bob"), 2, &again)).await.is_ok());
}

#[tokio::test]
async fn a_user_has_so_many_files_it_has_not_sent() {
    let world = World::with_group().await;
    let mut files = Vec::new();
    for number in 0..UNSENT_ATTACHMENTS_MAX {
        files.push(upload_file(&world, "alice", &format!("f{number}"), b"x").await.unwrap());
    }
    let error = upload_file(&world, "alice", "over", b"x").await.unwrap_err();
    assert_eq!((error.code, error.facts.unwrap().feature), (Code::LimitReached, Some("unsent_attachments")));
    super::uploads::send_large(&world, "alice", "m1", br#"{"n":1}"#).await.unwrap();
    upload_file(&world, "bob", "f1", b"x").await.unwrap();
    send(&world, "c1", "alice", "m2", &files[0]).await.unwrap();
    upload_file(&world, "alice", "over", b"x").await.unwrap();
}

#[tokio::test]
async fn files_are_sampled_as_bodies_are() {
    let world = World::with_group().await;
    super::uploads::send_large(&world, "alice", "m1", br#"{"n":1}"#).await.unwrap();
    let file = upload_file(&world, "alice", "f1", &bytes(5_000)).await.unwrap();
    let seq = send(&world, "c1", "alice", "m2", &file).await.unwrap();
    upload_file(&world, "alice", "f2", &bytes(600)).await.unwrap();
    world.clock.shift(HOUR_MS);
    delete(&world, "c1", seq).await;
    for _ in 0..2 {
        world.store.sample_stored().await.unwrap();
        world.store.sweep_uploads().await.unwrap();
    }
    world.clock.shift(HOUR_MS);
    world.store.sample_stored().await.unwrap();
    world.store.roll_up_usage().await.unwrap();
    let stored = super::usage::hours_of(&world.store, world.app().org, Meter::Stored).await;
    assert_eq!(stored.into_values().collect::<Vec<_>>(), [5_607, 607], "sent or not, until it is dropped");
    let sent = super::usage::hours_of(&world.store, world.app().org, Meter::MsgSent).await;
    assert_eq!(sent.into_values().sum::<i64>(), 2);
}

#[tokio::test]
async fn of_a_deleted_app_no_bytes_are_left() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    let file = upload_file(&world, "alice", "f1", &bytes(5_000)).await.unwrap();
    send(&world, "c1", "alice", "m1", &file).await.unwrap();
    super::uploads::send_large(&world, "alice", "m2", br#"{"n":1}"#).await.unwrap();
    let begun = world.store.begin_upload(new_file(&world, "alice", "f2", &bytes(5_000))).await.unwrap();
    put_missing(&world, "alice", &begun, &bytes(5_000)).await;
    assert!(!objects(&world).is_empty() && other.app != world.app());
    let actor = Actor::machine();
    world.store.org(world.app().org).delete_app(&actor, world.app().app).await.unwrap();
    world.store.sweep_uploads().await.unwrap();
    world.clock.shift(GRACE_MS + 1);
    world.store.sweep_uploads().await.unwrap();
    assert!(objects(&world).is_empty(), "{:?}", objects(&world));
    world.clock.shift(HOUR_MS);
    world.store.sample_stored().await.unwrap();
    assert_eq!(world.number("SELECT count(*) FROM stored_hour").await, 0);
}

#[tokio::test]
async fn of_uploads_that_begin_at_once_no_more_are_open_than_may_be() {
    let world = World::with_group().await;
    let content = bytes(10);
    let begins = (0..2 * OPEN_UPLOADS_MAX).map(|number| {
        let (store, new) = (world.store.clone(), new_file(&world, "alice", &format!("f{number}"), &content));
        async move { store.begin_upload(new).await }
    });
    let mut begun = 0;
    for begin in join_all(begins).await {
        match begin {
            Ok(_) => begun += 1,
            Err(error) => assert_eq!(error.facts.unwrap().feature, Some("open_uploads")),
        }
    }
    assert_eq!(begun, OPEN_UPLOADS_MAX);
    let twice = [0, 1].map(|_| {
        let (store, new) = (world.store.clone(), new_file(&world, "bob", "same", &content));
        async move { store.begin_upload(new).await.unwrap().id }
    });
    let ids = join_all(twice).await;
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_message_carries_as_many_files_as_it_names_in_their_order() {
    let world = World::with_group().await;
    let mut files = Vec::new();
    for number in 0..tokenim_domain::limits::ATTACHMENTS_MAX {
        files.push(upload_file(&world, "alice", &format!("f{number}"), &bytes(10 + number)).await.unwrap());
    }
    files.reverse();
    let ids: Vec<_> = files.iter().map(|file| file.id).collect();
    world.commit_one(Write::Send(naming(&world, "c1", "alice", "m1", &ids))).await.unwrap();
    assert_eq!(carried(&world.log("c1").await.events[1].body), files);
}
