//! Files of the data folder: private to their owner, one opener at a time, one server at a time, and the master key.

use crate::restore::STAGING;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use tokenim_domain::rng::Rng;
use tokenim_domain::secret::MasterKey;
use tokenim_domain::{Code, Error, Result};

pub(crate) fn make_private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    // What is flushed in a folder is lost with it, where its own entry is not on the disk.
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A restore that did not end has left a folder without its database, or with the old one: it is done again.
pub(super) fn refuse_half_restored(data: &Path) -> Result<()> {
    if data.join(STAGING).exists() {
        let message = format!("a restore to {} did not end; run `tokenim restore` again", data.display());
        return Err(Error::new(Code::Conflict).says(message));
    }
    Ok(())
}

/// Waits until no other process opens this folder. Without turns two first starts meet in the switch to WAL, where SQLite
/// does not wait, and in the migrations. The lock ends with the file handle, also when the process dies.
pub(super) async fn take_turn(file: &Path) -> Result<fs::File> {
    let fail = |error| io_fault(file, error);
    let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file).map_err(fail)?;
    let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await.map_err(Error::internal)?;
    locked.map_err(fail)
}

/// Held by the one process that serves a data folder; ends with the value, also when the process dies.
#[derive(Debug)]
pub struct ServeLock(#[expect(dead_code, reason = "the lock lives as long as the handle")] fs::File);

/// Takes the right to serve a data folder: live events go from process to process over no bus yet, so two would each
/// miss the other's. Administration beside a serving process needs no such right.
///
/// Errors: `conflict` where another process has it; `internal` where the folder can't be used.
pub fn lock_for_serving(data: &Path) -> Result<ServeLock> {
    make_private_folder(data).map_err(|error| unusable(data, &error))?;
    let file = data.join("serve.lock");
    let lock = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file);
    let lock = lock.map_err(|error| io_fault(&file, error))?;
    match lock.try_lock() {
        Ok(()) => Ok(ServeLock(lock)),
        Err(fs::TryLockError::WouldBlock) => {
            let message = format!(
                "another `tokenim serve` uses {}; stop it, or choose another folder with --data",
                data.display()
            );
            Err(Error::new(Code::Conflict).says(message))
        }
        Err(fs::TryLockError::Error(error)) => Err(io_fault(&file, error)),
    }
}

/// Makes the database file, for its owner only; SQLite gives the files beside it the same mode.
pub(super) fn make_private_file(file: &Path) -> Result<()> {
    if !file.exists() {
        let made = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(file);
        made.map_err(|error| io_fault(file, error))?;
    }
    check_private(file)
}

pub(crate) fn check_private(file: &Path) -> Result<()> {
    let mode = fs::metadata(file).map_err(|error| io_fault(file, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::internal(format!(
            "{} is readable by others (mode {:o}); run chmod 600",
            file.display(),
            mode & 0o777
        )));
    }
    Ok(())
}

/// Makes the master key where there is none yet. It is written whole under another name first: a crash leaves no half key.
pub(super) fn make_master_key(file: &Path, rng: &dyn Rng) -> Result<()> {
    if file.exists() {
        return Ok(());
    }
    let fail = |error| io_fault(file, error);
    let fresh = file.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh).map_err(fail)?;
    out.write_all(&rng.bytes::<{ MasterKey::BYTES }>()).and_then(|()| out.sync_all()).map_err(fail)?;
    fs::rename(&fresh, file).map_err(fail)?;
    // Without this a power cut may take the new name back, and with it all that is sealed under the key.
    let folder = file.parent().ok_or_else(|| Error::internal("a key without a folder"))?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

pub(crate) fn read_master_key(file: &Path) -> Result<MasterKey> {
    if !file.exists() {
        let message =
            format!("{} is missing; without this key no database it was made for can be read", file.display());
        return Err(Error::internal(message));
    }
    let fail = |error| io_fault(file, error);
    check_private(file)?;
    let bytes = fs::read(file).map_err(fail)?;
    let bytes = bytes
        .try_into()
        .map_err(|_| Error::internal(format!("{} is not a key of {} bytes", file.display(), MasterKey::BYTES)))?;
    Ok(MasterKey::new(&bytes))
}

pub(crate) fn io_fault(path: &Path, error: io::Error) -> Error {
    let message = format!("{}: {error}", path.display());
    Error::internal(error).says(message)
}

pub(crate) fn unusable(data: &Path, error: &io::Error) -> Error {
    let message = format!("the data folder {} can't be used: {error}; choose another with --data", data.display());
    Error::internal(error.to_string()).says(message)
}
