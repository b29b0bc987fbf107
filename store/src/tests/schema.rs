//! The schema itself: keys lead with the org or app, and the entities are the tables.

use super::catalogue;
use super::world::{START_MS, World};
use crate::entity::{
    account, announcement, announcement_dismissal, api_key, app, app_origin, app_user, attachment, audit_event,
    audit_head, change, console_session, conversation, device_cursor, entitlement, form_nonce, idempotency, invitation,
    job, join_request, large_body, live_message, live_piece, mail_link, management_key, member, member_ban,
    member_before, message, message_attachment, message_state, node, node_heartbeat, node_minute, operator_key, org,
    org_idempotency, org_member, plan, plan_version, presence, reaction, receipt_tally, recovery_code, signing_key,
    stored_hour, subscription, upload, usage_append, usage_bucket, usage_receive, user_block,
};
use crate::{NewConsoleSession, sql};
use sea_orm::{EntityTrait, IdenStatic, Iterable};
use std::collections::BTreeSet;
use tokenim_domain::id::{AnnouncementId, InvitationId, KeyId, NodeId};
use tokenim_domain::log::{About, Draft, Emoji, MessageAct, Since, Write};
use tokenim_domain::mail::{Mail, Matter};

/// Keys that may lead with something else than `org_id` or `app_id`: look-ups that precede the org, the org and the
/// app themselves, and rows that belong to the installation.
const EXCEPTIONS: &[&str] = &[
    "account key email",
    "account key id",
    "announcement key id",
    "announcement_dismissal foreign account_id",
    "announcement_dismissal foreign announcement_id",
    "announcement_dismissal key account_id",
    "api_key key hash",
    "app key id",
    "change key number",
    "change_clock key id",
    "console_session foreign account_id",
    "console_session key hash",
    "console_session key id",
    "entitlement foreign plan",
    "entitlement key plan",
    "form_nonce key session_hash",
    "invitation key hash",
    "mail_link foreign account_id",
    "mail_link key hash",
    "job key dedup_key",
    "job key id",
    "log_epoch key id",
    "management_key key hash",
    "node key id",
    "node_heartbeat key boot",
    "operator_key key hash",
    "operator_key key id",
    "org key id",
    "org_member foreign account_id",
    "plan key code",
    "plan_version foreign plan",
    "plan_version key plan",
    "presence_clock key id",
    "recovery_code foreign account_id",
    "recovery_code key account_id",
    "signing_key key id",
    "subscription foreign plan",
    "usage_clock key id",
];

#[tokio::test]
async fn every_key_of_an_orgs_table_leads_with_the_org_or_app() {
    let mut found = BTreeSet::new();
    for (name, table) in catalogue::read(&World::new().await).await {
        let keys = table.keys.iter().map(|key| (&key[0], "key"));
        let foreign = table.foreign.iter().map(|(key, _)| (&key[0], "foreign"));
        for (column, what) in keys.chain(foreign).filter(|(column, _)| !["org_id", "app_id"].contains(&column.as_str()))
        {
            found.insert(format!("{name} {what} {column}"));
        }
    }
    assert_eq!(found, EXCEPTIONS.iter().map(|text| (*text).to_owned()).collect());
}

#[tokio::test]
async fn a_child_cannot_point_into_another_app() {
    let world = World::with_group().await;
    let other = world.another_org("other").await;
    let values = [other.app.app.into(), "c1".into()];
    let text = "INSERT INTO member (app_id, conversation_id, \"user\", role, joined_seq, read_seq, received_seq) VALUES ($1, $2, 'x', 'member', 1, 1, 1)";
    assert!(sql::run(&world.all(), text, values).await.is_err());
}

#[tokio::test]
async fn tables_of_a_file_are_strict() {
    let world = World::on_file().await;
    let text = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'";
    let lax = sql::rows(&world.all(), text, []).await.unwrap();
    assert_eq!(
        lax.iter().map(|row| sql::get::<String>(row, "name").unwrap()).collect::<Vec<_>>(),
        ["seaql_migrations"]
    );
}

/// Fills every table with at least one row.
async fn filled() -> World {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    world.store.roll_up_usage().await.unwrap();
    world.send("c1", "alice", "m2").await;
    world.hold("c1", "bob", "phone", 3, Since::Above(1)).await.unwrap();
    let react = MessageAct::React { emoji: Emoji::trusted("+1"), on: true, count: 0 };
    world.commit_one(Write::Amend(world.amendment("c1", Some("alice"), 2, react))).await.unwrap();
    let about = About { live: true, ..About::default() };
    world.commit_one(Write::Send(Draft { about, ..world.draft("c1", "alice", "m3") })).await.unwrap();
    let new = NewConsoleSession {
        hash: [1; 32],
        account: world.founded.account,
        org: Some(world.app().org),
        is_operator: false,
        csrf: [2; 32],
        address: None,
        agent: None,
        expires_at: i64::MAX,
    };
    world.store.create_console_session(new).await.unwrap();
    world.store.begin_idempotent(world.app(), "k", [3; 32]).await.unwrap();
    world.store.begin_idempotent(world.app().org, "k", [3; 32]).await.unwrap();
    world.store.save_node_minute(&super::minutes::minute(&world, START_MS, 1)).await.unwrap();
    insert_rows(&world).await;
    super::uploads::send_large(&world, "alice", "large", br#"{"n":1}"#).await.unwrap();
    let file = super::attachments::upload_file(&world, "alice", "f1", b"x").await.unwrap();
    world.commit_one(Write::Send(super::attachments::naming(&world, "c1", "alice", "file", &[file.id]))).await.unwrap();
    let row = stored_hour::Model { app_id: world.app().app, hour_ms: 1, bytes: 1, rule_version: 1, roll: None };
    sql::insert(&world.all(), row).await.unwrap();
    let mail = Mail { to: "ada@example.com".into(), language: "en".into(), matter: Matter::Test };
    world.store.enqueue_mail(None, "k", &mail).await.unwrap();
    world
}

/// Rows of tables that no query fills here.
async fn insert_rows(world: &World) {
    let (writer, account, app) = (&world.all(), world.founded.account, world.app());
    let (clock, rng) = (&*world.store.clock, &*world.store.rng);
    let (hash, text, id) = (vec![4; 32], || "x".to_owned(), KeyId::new(clock, rng));
    let row = recovery_code::Model { account_id: account, hash: hash.clone(), used_ms: None };
    sql::insert(writer, row).await.unwrap();
    let row = mail_link::Model {
        hash: hash.clone(),
        account_id: account,
        purpose: "verify".to_owned(),
        email: text(),
        created_ms: 1,
        expires_ms: 2,
        used_ms: None,
    };
    sql::insert(writer, row).await.unwrap();
    let row = form_nonce::Model { session_hash: hash.clone(), nonce: vec![5; 16], created_ms: 1 };
    sql::insert(writer, row).await.unwrap();
    let row = invitation::Model {
        org_id: app.org,
        id: InvitationId::new(clock, rng),
        email: text(),
        role: "viewer".to_owned(),
        hash: hash.clone(),
        invited_by: text(),
        created_ms: 1,
        expires_ms: 2,
        accepted_ms: None,
        revoked_ms: None,
    };
    sql::insert(writer, row).await.unwrap();
    let row = management_key::Model {
        org_id: app.org,
        id,
        name: text(),
        role: "admin".to_owned(),
        hint: text(),
        hash: hash.clone(),
        created_by: text(),
        created_ms: 1,
        expires_ms: None,
        revoked_ms: None,
        last_used_ms: None,
        last_used_from: None,
    };
    sql::insert(writer, row).await.unwrap();
    let row = operator_key::Model {
        id,
        name: text(),
        hint: text(),
        hash,
        created_ms: 1,
        revoked_ms: None,
        last_used_ms: None,
    };
    sql::insert(writer, row).await.unwrap();
    let row = node::Model {
        id: NodeId::new(clock, rng),
        name: text(),
        version: text(),
        started_ms: 1,
        seen_ms: 1,
        connections: 1,
        rss_bytes: 1,
        cpu_ms: 1,
    };
    sql::insert(writer, row).await.unwrap();
    let row = announcement::Model {
        id: AnnouncementId::new(clock, rng),
        severity: "info".to_owned(),
        title_en: text(),
        title_zh: text(),
        text_en: text(),
        text_zh: text(),
        starts_ms: 1,
        ends_ms: 2,
        created_ms: 1,
    };
    sql::insert(writer, row.clone()).await.unwrap();
    let row = announcement_dismissal::Model { account_id: account, announcement_id: row.id };
    sql::insert(writer, row).await.unwrap();
    let row = app_origin::Model { app_id: app.app, origin: text(), created_ms: 1 };
    sql::insert(writer, row).await.unwrap();
    let row = presence::Model { app_id: app.app, user: "alice".to_owned(), seen_ms: 1, version: 1, is_open: 1 };
    sql::insert(writer, row).await.unwrap();
    let row = change::Model { number: 1, org_id: app.org, at_ms: 1 };
    sql::insert(writer, row).await.unwrap();
    let (app_id, conversation_id) = (app.app, "c1".to_owned());
    let row = join_request::Model { app_id, conversation_id, user: text(), created_ms: 1 };
    sql::insert(writer, row.clone()).await.unwrap();
    let conversation_id = row.conversation_id;
    let row = member_ban::Model { app_id, conversation_id, user: text(), actor: None, created_ms: 1 };
    sql::insert(writer, row.clone()).await.unwrap();
    let (conversation_id, role) = (row.conversation_id, "guest".to_owned());
    let row = member_before::Model { app_id, conversation_id, user: text(), role, muted_until_ms: None };
    sql::insert(writer, row.clone()).await.unwrap();
    let (conversation_id, kind) = (row.conversation_id, "read".to_owned());
    let tallied = receipt_tally::Model { app_id, conversation_id, kind, level: 0, bucket: 1, members: 1 };
    sql::insert(writer, tallied).await.unwrap();
    let row = user_block::Model { app_id, user: text(), other: "y".to_owned(), created_ms: 1 };
    sql::insert(writer, row).await.unwrap();
}

/// Reads a table through its entity and compares the columns both know; returns its name.
async fn check<E: EntityTrait>(world: &World, entity: E) -> String {
    let table = entity.table_name().to_owned();
    let rows = E::find().all(&world.all()).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    assert!(!rows.is_empty(), "{table} holds no row to try");
    let known: BTreeSet<_> = E::Column::iter().map(|column| column.as_str().to_owned()).collect();
    let stored = catalogue::read(world).await[&table].columns.keys().cloned().collect();
    assert_eq!(known, stored, "{table}");
    table
}

#[tokio::test]
async fn every_entity_is_its_table() {
    let world = filled().await;
    let mut checked = vec![
        check(&world, account::Entity).await,
        check(&world, announcement::Entity).await,
        check(&world, announcement_dismissal::Entity).await,
        check(&world, api_key::Entity).await,
        check(&world, app::Entity).await,
        check(&world, app_origin::Entity).await,
        check(&world, app_user::Entity).await,
        check(&world, attachment::Entity).await,
        check(&world, audit_event::Entity).await,
        check(&world, audit_head::Entity).await,
        check(&world, change::Entity).await,
        check(&world, console_session::Entity).await,
        check(&world, conversation::Entity).await,
        check(&world, device_cursor::Entity).await,
        check(&world, entitlement::Entity).await,
        check(&world, form_nonce::Entity).await,
        check(&world, idempotency::Entity).await,
        check(&world, invitation::Entity).await,
        check(&world, job::Entity).await,
        check(&world, join_request::Entity).await,
        check(&world, large_body::Entity).await,
        check(&world, live_message::Entity).await,
        check(&world, live_piece::Entity).await,
        check(&world, mail_link::Entity).await,
        check(&world, management_key::Entity).await,
        check(&world, member::Entity).await,
        check(&world, member_ban::Entity).await,
        check(&world, member_before::Entity).await,
        check(&world, message::Entity).await,
        check(&world, message_attachment::Entity).await,
        check(&world, message_state::Entity).await,
        check(&world, node::Entity).await,
        check(&world, node_heartbeat::Entity).await,
        check(&world, node_minute::Entity).await,
        check(&world, operator_key::Entity).await,
        check(&world, org::Entity).await,
        check(&world, org_idempotency::Entity).await,
        check(&world, org_member::Entity).await,
        check(&world, plan::Entity).await,
        check(&world, plan_version::Entity).await,
        check(&world, presence::Entity).await,
        check(&world, reaction::Entity).await,
        check(&world, receipt_tally::Entity).await,
        check(&world, recovery_code::Entity).await,
        check(&world, signing_key::Entity).await,
        check(&world, stored_hour::Entity).await,
        check(&world, subscription::Entity).await,
        check(&world, upload::Entity).await,
        check(&world, usage_append::Entity).await,
        check(&world, usage_bucket::Entity).await,
        check(&world, usage_receive::Entity).await,
        check(&world, user_block::Entity).await,
    ];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/entity");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(checked, files, "an entity file that this test does not try");
    checked.extend(["change_clock", "log_epoch", "presence_clock", "usage_clock"].map(str::to_owned));
    checked.sort();
    let tables: Vec<_> = catalogue::read(&world).await.into_keys().collect();
    assert_eq!(checked, tables, "a table without an entity");
}
