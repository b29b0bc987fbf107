//! Backups of one moment, what a restore refuses, and the epoch that it begins.

use super::world::{World, settings};
use crate::{Restore, Restored, Settings, backup, restore};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnectionTrait, Database};
use sea_orm_migration::MigratorTrait;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenim_domain::log::{MessageLog, Standing};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::{Code, Result};
use tokenim_migrations::Migrator;

/// A folder for backups, and one that is restored to.
struct Place {
    folder: TempDir,
    settings: Settings,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        Place { folder, settings }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn backup(&self, world: &World, name: &str) -> PathBuf {
        let file = self.file(name);
        backup(&world.settings, &file, true, |_| {}).await.unwrap();
        file
    }

    /// Restores, the key beside the backup; what is there is set aside.
    async fn restore(&self, world: &World, from: &Path) -> Result<Restored> {
        let wanted = Restore { from: from.to_owned(), key: None, replace: true };
        restore(&self.settings, &wanted, world.clock.clone(), world.rng.clone()).await
    }

    /// Everything below the data folder.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let Ok(entries) = fs::read_dir(&self.settings.data) else { return Vec::new() };
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap_or_default())).collect()
    }
}

fn data(world: &World) -> PathBuf {
    world.folder.path().join("data")
}

/// Alters a backup.
async fn alter(file: &Path, text: &'static str) {
    let mut on = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file)).await.unwrap();
    sqlx::query(text).execute(&mut on).await.unwrap();
    on.close().await.unwrap();
}

async fn standing(world: &World, conversation: &str) -> Standing {
    let of = vec![Conversation::trusted(conversation)];
    world.store.standings(world.app(), User::trusted("alice"), of).await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_backup_is_private_whole_and_overwrites_nothing() {
    let world = World::on_file_with_group().await;
    world.send("c1", "alice", "m1").await;
    let place = Place::new();
    let file = place.file("copy.db");
    let contents = backup(&world.settings, &file, false, |_| {}).await.unwrap();
    assert_eq!((contents.orgs, contents.apps, contents.conversations, contents.events), (1, 1, 1, 2));
    assert_eq!(contents.schema, Migrator::migrations().last().unwrap().name());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(place.folder.path()).unwrap().count(), 1, "neither a key nor a part");
    let again = backup(&world.settings, &file, false, |_| {}).await.unwrap_err();
    assert_eq!(again.code, Code::Conflict);
    let with_key = place.backup(&world, "with.db").await;
    let key = place.file("with.db.key");
    assert_eq!(fs::read(&key).unwrap(), fs::read(data(&world).join("master.key")).unwrap());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(with_key).unwrap();
    assert_eq!(backup(&world.settings, &place.file("with.db"), false, |_| {}).await.unwrap_err().code, Code::Conflict);
    let nothing = backup(&place.settings, &place.file("none.db"), false, |_| {}).await.unwrap_err();
    assert_eq!(nothing.code, Code::NotFound);
}

#[tokio::test]
async fn what_is_no_whole_backup_is_refused_and_changes_nothing() {
    let world = World::on_file_with_group().await;
    let place = Place::new();
    let good = place.backup(&world, "good.db").await;
    place.restore(&world, &good).await.unwrap();
    let before = place.files();
    let copy = |name: &str| {
        let file = place.file(name);
        fs::copy(&good, &file).unwrap();
        fs::copy(place.file("good.db.key"), place.file(&format!("{name}.key"))).unwrap();
        file
    };
    let (cut, torn, text) = (copy("cut.db"), copy("torn.db"), copy("text.db"));
    let bytes = fs::read(&good).unwrap();
    fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let mut altered = bytes.clone();
    altered[bytes.len() / 2..].iter_mut().take(4_096).for_each(|byte| *byte ^= 0x5A);
    fs::write(&torn, altered).unwrap();
    fs::write(&text, "no database").unwrap();
    let (newer, ragged, other) = (copy("newer.db"), copy("ragged.db"), copy("other.db"));
    alter(&newer, "INSERT INTO seaql_migrations VALUES ('m9999_future', 0)").await;
    alter(&ragged, "UPDATE conversation SET last_seq = 7").await;
    fs::write(place.file("other.db.key"), [7; 32]).unwrap();
    for file in [&cut, &torn, &text, &newer, &ragged, &other] {
        let refused = place.restore(&world, file).await.unwrap_err();
        assert_eq!(refused.code, Code::Conflict, "{}: {refused:?}", file.display());
        assert_eq!(place.files(), before, "{}", file.display());
    }
    let wanted = Restore { from: good.clone(), key: None, replace: false };
    let refused = restore(&place.settings, &wanted, world.clock.clone(), world.rng.clone()).await.unwrap_err();
    assert!(refused.message.contains("--replace"), "{refused:?}");
    let served = crate::lock_for_serving(&place.settings.data).unwrap();
    assert_eq!(place.restore(&world, &good).await.unwrap_err().code, Code::Conflict);
    drop(served);
    assert_eq!(place.files(), before);
}

#[tokio::test]
async fn without_its_key_a_backup_is_not_restored() {
    let world = World::on_file_with_group().await;
    let place = Place::new();
    let file = place.file("copy.db");
    backup(&world.settings, &file, false, |_| {}).await.unwrap();
    assert_eq!(place.restore(&world, &file).await.unwrap_err().code, Code::NotFound);
    let key = Some(data(&world).join("master.key"));
    let wanted = Restore { from: file, key, replace: false };
    restore(&place.settings, &wanted, world.clock.clone(), world.rng.clone()).await.unwrap();
}

#[tokio::test]
pub async fn a_restore_begins_an_epoch_each_time() {
    let world = World::on_file_with_group().await;
    world.send("c1", "alice", "m1").await;
    let place = Place::new();
    let file = place.backup(&world, "copy.db").await;
    let first = place.restore(&world, &file).await.unwrap();
    assert_eq!(first.set_aside, None);
    let second = place.restore(&world, &file).await.unwrap();
    assert!(second.epoch >= first.epoch, "the clock of this test stands still");
    world.clock.shift(1);
    let third = place.restore(&world, &file).await.unwrap();
    assert!(third.epoch > second.epoch, "the backup does not know that it was restored before");
    let aside = third.set_aside.unwrap();
    assert!(aside.join("tokenim.db").exists() && aside.join("master.key").exists());
    let restored = World { settings: place.settings, folder: place.folder, ..world };
    let restored = restored.reopen().await;
    let at = standing(&restored, "c1").await;
    assert_eq!((at.epoch, at.epoch_first, at.epoch_before, at.head), (third.epoch, 3, Some(1), 2));
    let sent = restored.send("c1", "alice", "m2").await;
    assert_eq!((sent.seq, sent.epoch), (3, third.epoch));
    let repeat = restored.send("c1", "alice", "m1").await;
    assert_eq!((repeat.seq, repeat.epoch), (2, 1), "what the backup holds keeps its number");
    restored.group("c2", &["alice"]).await;
    let new = standing(&restored, "c2").await;
    assert_eq!((new.epoch, new.epoch_first, new.epoch_before), (third.epoch, 1, None));
}

#[tokio::test]
async fn a_restored_group_is_counted_as_before() {
    let world = World::on_file().await;
    let names: Vec<_> = (0..300).map(|at| format!("u{at}")).collect();
    world.group("g", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let seq = world.send("g", "u0", "m1").await.seq;
    world.move_to("g", "u7", Some(seq), None).await.unwrap();
    let place = Place::new();
    let file = place.backup(&world, "copy.db").await;
    world.move_to("g", "u8", Some(seq), None).await.unwrap();
    place.restore(&world, &file).await.unwrap();
    let restored = World { settings: place.settings, folder: place.folder, ..world }.reopen().await;
    assert!(restored.number("SELECT count(*) FROM receipt_tally").await > 0);
    super::receipts::check(&restored).await;
    restored.move_to("g", "u9", None, Some(seq)).await.unwrap();
    super::receipts::check(&restored).await;
    let told = restored.store.receipts(super::receipts::query(restored.app(), seq)).await.unwrap();
    assert_eq!((told.members, told.read, told.received), (300, 1, 2));
}

#[tokio::test]
async fn a_backup_of_an_older_schema_is_brought_up_to_date() {
    let world = World::on_file().await;
    let place = Place::new();
    let file = place.file("old.db");
    let database = Database::connect(format!("sqlite://{}?mode=rwc", file.display())).await.unwrap();
    Migrator::up(&database, Some(1)).await.unwrap();
    database.execute_unprepared("INSERT INTO org VALUES (randomblob(16), 'Old', 'basic', 1)").await.unwrap();
    database.close().await.unwrap();
    fs::copy(data(&world).join("master.key"), place.file("old.db.key")).unwrap();
    let restored = place.restore(&world, &file).await.unwrap();
    assert_eq!(restored.migrated, Migrator::migrations().len() - 1);
    assert_eq!(restored.contents.orgs, 1);
    let restored = World { settings: place.settings, folder: place.folder, ..world }.reopen().await;
    assert_eq!(restored.number("SELECT count(*) AS n FROM org").await, 1);
}

#[tokio::test]
async fn a_restore_that_did_not_end_keeps_the_folder_from_being_opened() {
    let world = World::on_file_with_group().await;
    let place = Place::new();
    let file = place.backup(&world, "copy.db").await;
    place.restore(&world, &file).await.unwrap();
    fs::create_dir(place.settings.data.join("restoring")).unwrap();
    fs::write(place.settings.data.join("restoring/tokenim.db"), "half").unwrap();
    fs::remove_file(place.settings.data.join("tokenim.db")).unwrap();
    let open = crate::Store::open(&place.settings, world.clock.clone(), world.rng.clone());
    assert!(open.await.unwrap_err().message.contains("restore"));
    place.restore(&world, &file).await.unwrap();
    let open = crate::Store::open(&place.settings, world.clock.clone(), world.rng.clone());
    open.await.unwrap();
}
