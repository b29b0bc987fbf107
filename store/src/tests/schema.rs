//! The schema itself: keys lead with the org or app, and the entities are the tables.

use super::world::World;
use crate::entity::{
    account, api_key, app, app_user, console_session, conversation, idempotency, member, message, org, org_member,
    signing_key, usage_append, usage_bucket,
};
use crate::{NewConsoleSession, sql};
use sea_orm::{EntityTrait, IdenStatic, Iterable};
use std::collections::BTreeSet;

/// Keys that may lead with something else than `org_id` or `app_id`: look-ups that precede the org, the org and the
/// app themselves, and rows that belong to the installation.
const EXCEPTIONS: &[&str] = &[
    "account key email",
    "account key id",
    "api_key key hash",
    "app key id",
    "console_session foreign account_id",
    "console_session key hash",
    "org key id",
    "org_member foreign account_id",
    "seaql_migrations key version",
    "signing_key key id",
    "usage_clock key id",
];

async fn texts(world: &World, query: &str) -> Vec<String> {
    let rows = sql::rows(&world.store.readers, query, []).await.unwrap();
    rows.iter().map(|row| sql::get(row, "text").unwrap()).collect()
}

async fn tables(world: &World) -> Vec<String> {
    texts(
        world,
        "SELECT name AS text FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
    .await
}

#[tokio::test]
async fn every_key_of_a_tenant_table_leads_with_the_org_or_app() {
    let world = World::new().await;
    let mut found = BTreeSet::new();
    for table in tables(&world).await {
        let unique = format!(
            "SELECT i.name AS text FROM pragma_index_list('{table}') l, pragma_index_info(l.name) i WHERE l.\"unique\" AND i.seqno = 0
             UNION SELECT name FROM pragma_table_info('{table}') WHERE pk = 1"
        );
        let foreign = format!("SELECT \"from\" AS text FROM pragma_foreign_key_list('{table}') WHERE seq = 0");
        let keys = texts(&world, &unique).await.into_iter().map(|column| (column, "key"));
        let foreign = texts(&world, &foreign).await.into_iter().map(|column| (column, "foreign"));
        for (column, what) in keys.chain(foreign).filter(|(column, _)| column != "org_id" && column != "app_id") {
            found.insert(format!("{table} {what} {column}"));
        }
    }
    assert_eq!(found, EXCEPTIONS.iter().map(|text| (*text).to_owned()).collect());
}

#[tokio::test]
async fn a_child_cannot_point_into_another_app() {
    let world = World::with_group().await;
    let other = world.another_tenant("other").await;
    let values = [other.app.app.into(), "c1".into()];
    let text = "INSERT INTO member (app_id, conversation_id, user, role, joined_seq, read_seq, received_seq) VALUES (?1, ?2, 'x', 'member', 1, 1, 1)";
    assert!(sql::run(&world.store.writer, text, values).await.is_err());
}

#[tokio::test]
async fn tables_are_strict() {
    let world = World::new().await;
    let lax = texts(
        &world,
        "SELECT name AS text FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'",
    )
    .await;
    assert_eq!(lax, ["seaql_migrations"]);
}

/// Fills every table with at least one row.
async fn filled() -> World {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    world.store.roll_up_usage().await.unwrap();
    world.send("c1", "alice", "m2").await;
    let new = NewConsoleSession {
        hash: [1; 32],
        account: world.tenant.account,
        org: world.app().org,
        csrf: [2; 32],
        expires_at: i64::MAX,
    };
    world.store.create_console_session(new).await.unwrap();
    world.store.begin_idempotent(world.app(), "k", [3; 32]).await.unwrap();
    world
}

/// Reads a table through its entity and compares the columns both know; returns its name.
async fn check<E: EntityTrait>(world: &World, entity: E) -> String {
    let table = entity.table_name().to_owned();
    let rows = E::find().all(&world.store.readers).await.unwrap_or_else(|error| panic!("{table}: {error}"));
    assert!(!rows.is_empty(), "{table} holds no row to try");
    let known: BTreeSet<_> = E::Column::iter().map(|column| column.as_str().to_owned()).collect();
    let stored: BTreeSet<_> =
        texts(world, &format!("SELECT name AS text FROM pragma_table_info('{table}')")).await.into_iter().collect();
    assert_eq!(known, stored, "{table}");
    table
}

#[tokio::test]
async fn every_entity_is_its_table() {
    let world = filled().await;
    let mut checked = vec![
        check(&world, account::Entity).await,
        check(&world, api_key::Entity).await,
        check(&world, app::Entity).await,
        check(&world, app_user::Entity).await,
        check(&world, console_session::Entity).await,
        check(&world, conversation::Entity).await,
        check(&world, idempotency::Entity).await,
        check(&world, member::Entity).await,
        check(&world, message::Entity).await,
        check(&world, org::Entity).await,
        check(&world, org_member::Entity).await,
        check(&world, signing_key::Entity).await,
        check(&world, usage_append::Entity).await,
        check(&world, usage_bucket::Entity).await,
    ];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/entity");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(checked, files, "an entity file that this test does not try");
    checked.extend(["seaql_migrations", "usage_clock"].map(str::to_owned));
    checked.sort();
    assert_eq!(checked, tables(&world).await, "a table without an entity");
}
