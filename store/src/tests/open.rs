//! Opening: durability read back, migrations once, and files that only their owner may read.

use super::world::{World, new_org, settings};
use crate::{Opened, Store, sql};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tokenim_domain::clock::SystemClock;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::{Code, Error, Result};

async fn open(folder: &TempDir) -> Result<Opened> {
    Store::open(&settings(folder), Arc::new(SystemClock::new()), Arc::new(SystemRng)).await
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

fn cause(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

#[tokio::test]
async fn every_connection_runs_with_the_pragmas_asked_for() {
    let world = World::on_file().await;
    for (on, cache) in [(&world.store.writer, -32_768), (&world.store.readers, -8_192), (&world.store.fan_out, -8_192)]
    {
        for (pragma, expected) in [("synchronous", 2), ("foreign_keys", 1), ("cache_size", cache), ("temp_store", 2)] {
            let row = sql::row(on, &format!("PRAGMA {pragma}"), []).await.unwrap().unwrap();
            assert_eq!(sql::get::<i64>(&row, pragma).unwrap(), expected, "{pragma}");
        }
        let row = sql::row(on, "PRAGMA journal_mode", []).await.unwrap().unwrap();
        assert_eq!(sql::get::<String>(&row, "journal_mode").unwrap(), "wal");
        let row = sql::row(on, "PRAGMA busy_timeout", []).await.unwrap().unwrap();
        assert_eq!(sql::get::<i64>(&row, "timeout").unwrap(), 10_000);
    }
}

#[tokio::test]
async fn a_statement_is_compiled_once() {
    let world = World::on_file().await;
    let rows = sql::rows(&world.store.readers, "PRAGMA compile_options", []).await.unwrap();
    let options: Vec<String> = rows.iter().map(|row| sql::get(row, "compile_options").unwrap()).collect();
    let has = |name: &str| options.iter().any(|option| option == name);
    assert!(has("ENABLE_QPSG") && has("DEFAULT_MEMSTATUS=0"), "LIBSQLITE3_FLAGS of .cargo/config.toml: {options:?}");
    assert!(!has("ENABLE_STAT4") && !has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}

#[tokio::test]
async fn migrations_run_once() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(&folder).await.unwrap();
    assert!(first.migrated > 0);
    first.store.close().await;
    assert_eq!(open(&folder).await.unwrap().migrated, 0);
}

#[tokio::test]
async fn what_is_pending_is_told_and_not_applied() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder);
    let pending = || Store::pending_migrations(&settings);
    assert_eq!(pending().await.unwrap(), None);
    let store = open(&folder).await.unwrap().store;
    assert_eq!(pending().await.unwrap(), Some(0), "beside a process that has it open");
    sql::run(&store.writer, "DELETE FROM seaql_migrations", []).await.unwrap();
    store.close().await;
    let all = pending().await.unwrap();
    assert!(all > Some(0));
    assert_eq!(pending().await.unwrap(), all);
    fs::remove_file(settings.data.join("master.key")).unwrap();
    assert!(pending().await.is_err());
}

#[tokio::test]
async fn two_first_starts_at_once_agree() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = tokio::join!(open(&folder), open(&folder));
    let (a, b) = (a.unwrap().store, b.unwrap().store);
    let founded = a.found_org(&new_org("first")).await.unwrap();
    let found = b.find_signing_key(founded.signing.id).await.unwrap().unwrap();
    assert_eq!(found.material.secret(), Some(&founded.signing.secret), "both opened with one master key");
}

#[tokio::test]
async fn files_are_readable_by_their_owner_only() {
    let world = World::on_file().await;
    let data = world.folder.path().join("data");
    assert_eq!(mode(&data), 0o700);
    for file in fs::read_dir(&data).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    let names: Vec<_> = ["master.key", "tokenim.db"].map(|name| data.join(name).exists()).into();
    assert_eq!(names, [true, true]);
}

#[tokio::test]
async fn a_file_others_may_read_is_refused() {
    for name in ["master.key", "tokenim.db"] {
        let folder = tempfile::tempdir().unwrap();
        open(&folder).await.unwrap().store.close().await;
        let file = folder.path().join("data").join(name);
        for wrong in [0o644, 0o640, 0o604, 0o660] {
            fs::set_permissions(&file, fs::Permissions::from_mode(wrong)).unwrap();
            let error = open(&folder).await.expect_err(name);
            assert_eq!(error.code, Code::Internal);
            assert!(cause(&error).contains("chmod 600") && cause(&error).contains(name), "{}", cause(&error));
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(open(&folder).await.is_ok());
    }
}

#[tokio::test]
async fn a_master_key_of_another_length_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).await.unwrap().store.close().await;
    let file = folder.path().join("data/master.key");
    for wrong in [0, 31, 33] {
        fs::write(&file, vec![7; wrong]).unwrap();
        assert!(cause(&open(&folder).await.expect_err("a short key")).contains("32 bytes"));
    }
}

#[tokio::test]
async fn a_lost_master_key_is_not_replaced_by_another() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).await.unwrap().store.close().await;
    fs::remove_file(folder.path().join("data/master.key")).unwrap();
    assert!(cause(&open(&folder).await.expect_err("no key")).contains("master.key is missing"));
    assert!(!folder.path().join("data/master.key").exists());
}

#[tokio::test]
async fn one_process_serves_a_folder_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let data = settings(&folder).data;
    let serving = crate::lock_for_serving(&data).unwrap();
    assert_eq!(crate::lock_for_serving(&data).unwrap_err().code, Code::Conflict);
    open(&folder).await.expect("administration goes on beside it");
    drop(serving);
    crate::lock_for_serving(&data).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/master.key"), [7; 32]).unwrap();
    fs::set_permissions(folder.path().join("data/master.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let file = folder.path().join("data/tokenim.db");
    fs::write(
        &file,
        "not a database, but long enough to have had a header of one hundred bytes if it were one ............",
    )
    .unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(open(&folder).await.expect_err("no database").code, Code::Unavailable);
}

#[tokio::test]
async fn secrets_are_stored_sealed_or_hashed() {
    let world = World::on_file().await;
    let data = world.folder.path().join("data");
    let (key, secret) = (world.founded.key.expose().to_owned(), world.founded.signing.secret.expose().to_owned());
    world
        .store
        .finish_idempotent(world.app(), "k", &crate::Remembered { status: 200, body: secret.clone().into_bytes() })
        .await
        .unwrap();
    world.store.close().await;
    for file in fs::read_dir(&data).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for secret in [&key, &secret] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
        }
    }
}
