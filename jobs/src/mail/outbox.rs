//! The folder that mails are written to where no mail server is configured: for the developer, who reads them in a browser.

use super::Failure;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tokenim_domain::id::JobId;
use tokenim_domain::{Error, Result};
use tokenim_templates::mail::Letter;

/// Mails that are kept; the oldest ones go.
pub const KEPT_MAX: usize = 1_000;

/// The folder. Each mail is two files under its job's id: the message as it would have been sent (`.eml`), and its words
/// (`.json`), so that nothing needs to read MIME.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

/// A mail of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptMail {
    /// Its name: the id of its job.
    pub name: String,
    /// To whom.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// Its date, milliseconds since 1970.
    pub at_ms: i64,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl Outbox {
    /// A folder, made at the first mail.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Outbox { folder }
    }

    /// Mails from the newest to the oldest: at most `limit`, older than the one named `before`.
    ///
    /// Errors: `internal` where the folder can't be read.
    pub async fn list(&self, before: Option<JobId>, limit: usize) -> Result<Vec<KeptMail>> {
        let (folder, before) = (self.folder.clone(), before.map(|id| id.to_string()));
        in_background(move || {
            let names = names(&folder)?.into_iter().rev();
            let older = names.filter(|name| before.as_ref().is_none_or(|before| name < before));
            older.take(limit).filter_map(|name| read(&folder, &name).transpose()).collect()
        })
        .await
    }

    /// A mail, and its headers as they would have been sent.
    ///
    /// Errors: `internal` where the folder can't be read.
    pub async fn find(&self, id: JobId) -> Result<Option<(KeptMail, String)>> {
        let folder = self.folder.clone();
        in_background(move || {
            let name = id.to_string();
            let Some(mail) = read(&folder, &name)? else { return Ok(None) };
            let message = fs::read_to_string(folder.join(format!("{name}.eml")))?;
            let head = message.split("\r\n\r\n").next().unwrap_or_default().to_owned();
            Ok(Some((mail, head)))
        })
        .await
    }

    /// Writes a mail, again under the same name if it was written before; returns the message's file.
    pub(super) async fn keep(
        &self,
        id: JobId,
        at_ms: i64,
        to: &str,
        letter: &Letter,
        message: Vec<u8>,
    ) -> Result<String, Failure> {
        let mail = KeptMail {
            name: id.to_string(),
            to: to.to_owned(),
            subject: letter.subject.clone(),
            at_ms,
            text: letter.text.clone(),
            html: letter.html.clone(),
        };
        let folder = self.folder.clone();
        let kept = in_background(move || {
            let words = serde_json::to_vec(&mail).map_err(io::Error::other)?;
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            // The message comes first: a mail is listed by its words, and then is whole.
            let file = write(&folder, &format!("{}.eml", mail.name), &message)?;
            write(&folder, &format!("{}.json", mail.name), &words)?;
            forget_oldest(&folder)?;
            Ok(file.display().to_string())
        });
        kept.await.map_err(|error| Failure::Temporary(error.to_string()))
    }
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    done.map_err(|error| {
        let message = format!("the mail folder: {error}");
        Error::internal(error).says(message)
    })
}

/// Writes a file for its owner only, whole or not at all: mails hold links that are credentials.
fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<PathBuf> {
    let (file, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut out = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    out.write_all(content)?;
    fs::rename(&fresh, &file)?;
    Ok(file)
}

/// Names of the mails, the oldest first: ids sort by time.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".json"));
        names.extend(name.filter(|name| name.parse::<JobId>().is_ok()).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

fn read(folder: &Path, name: &str) -> io::Result<Option<KeptMail>> {
    match fs::read(folder.join(format!("{name}.json"))) {
        Ok(words) => serde_json::from_slice(&words).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn forget_oldest(folder: &Path) -> io::Result<()> {
    let names = names(folder)?;
    for name in names.iter().take(names.len().saturating_sub(KEPT_MAX)) {
        for ending in ["json", "eml"] {
            match fs::remove_file(folder.join(format!("{name}.{ending}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tokenim_domain::clock::SystemClock;
    use tokenim_domain::rng::SystemRng;

    fn letter(subject: &str) -> Letter {
        Letter { subject: subject.into(), html: "<p>x</p>".into(), text: "x".into() }
    }

    async fn keep(outbox: &Outbox, id: JobId, subject: &str) {
        outbox.keep(id, 5, "ada@example.com", &letter(subject), b"Subject: s\r\n\r\nbody".to_vec()).await.unwrap();
    }

    fn id(number: u128) -> JobId {
        format!("job_{}", tokenim_domain::id::encode(number)).parse().unwrap()
    }

    #[tokio::test]
    async fn mails_are_listed_from_the_newest_in_pages() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("mail"));
        assert_eq!(outbox.list(None, 10).await.unwrap(), []);
        for number in [3, 1, 2] {
            keep(&outbox, id(number), &number.to_string()).await;
        }
        let subjects = |mails: Vec<KeptMail>| mails.into_iter().map(|mail| mail.subject).collect::<Vec<_>>();
        assert_eq!(subjects(outbox.list(None, 2).await.unwrap()), ["3", "2"]);
        assert_eq!(subjects(outbox.list(Some(id(2)), 2).await.unwrap()), ["1"]);
        let (mail, head) = outbox.find(id(3)).await.unwrap().unwrap();
        assert_eq!((mail.to.as_str(), mail.at_ms, head.as_str()), ("ada@example.com", 5, "Subject: s"));
        assert!(outbox.find(id(9)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_mail_written_twice_is_one_mail_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().join("mail"));
        let id = JobId::new(&SystemClock::new(), &SystemRng);
        keep(&outbox, id, "one").await;
        keep(&outbox, id, "one").await;
        assert_eq!(outbox.list(None, 10).await.unwrap().len(), 1);
        for entry in fs::read_dir(folder.path().join("mail")).unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn the_oldest_mails_go() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::new(folder.path().to_owned());
        for number in 0..KEPT_MAX as u128 {
            fs::write(folder.path().join(format!("{}.json", id(number))), "{}").unwrap();
        }
        keep(&outbox, id(u128::MAX >> 5), "newest").await;
        let names = names(folder.path()).unwrap();
        assert_eq!((names.len(), names[0].clone()), (KEPT_MAX, id(1).to_string()));
    }
}
