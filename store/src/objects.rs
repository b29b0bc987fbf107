//! Bytes by name: a folder of the data folder, or an S3-compatible service. What is put is durable when the put returns.

use crate::open::{make_private_folder, unusable};
use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::signer::Signer;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt, PutOptions, RetryConfig};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Error, Result};

/// How often a call to S3 is tried again …
const S3_RETRIES_MAX: usize = 3;
/// … and how long in all.
const S3_RETRY_WAIT: Duration = Duration::from_secs(20);

/// Milliseconds after which a file that a write left half done is no write under way: an S3 put, or a folder's, takes less.
const STAGED_MS: i64 = 10 * 60_000;

/// What an object is handed out as, where its service does that itself.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// Its `Content-Type`.
    pub(crate) content_type: String,
    /// Its `Content-Disposition`.
    pub(crate) disposition: String,
}

/// Where an S3-compatible service is, and who we are to it.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Its address, `https://…`; empty = Amazon's for the region.
    pub endpoint: String,
    /// The bucket, which exists.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Id of the access key.
    pub access_key_id: String,
    /// The access key.
    pub secret_access_key: Secret,
}

/// Objects by name.
#[derive(Debug, Clone)]
pub struct Objects(Place);

#[derive(Debug, Clone)]
enum Place {
    /// A folder, made when it is first needed.
    Folder { folder: PathBuf, made: Arc<OnceLock<Arc<LocalFileSystem>>> },
    /// A bucket.
    S3(Arc<AmazonS3>),
}

impl Objects {
    /// Objects in a folder.
    pub(crate) fn folder(folder: PathBuf) -> Self {
        Objects(Place::Folder { folder, made: Arc::default() })
    }

    fn store(&self) -> Result<Arc<dyn ObjectStore>> {
        let (folder, made) = match &self.0 {
            Place::S3(store) => return Ok(store.clone()),
            Place::Folder { folder, made } => (folder, made),
        };
        if let Some(store) = made.get() {
            return Ok(store.clone());
        }
        make_private_folder(folder).map_err(|error| unusable(folder, &error))?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(Error::internal)?;
        // Without fsync a chunk that was acknowledged could be gone after a power cut.
        let store = Arc::new(store.with_fsync(true).with_automatic_cleanup(true));
        Ok(made.get_or_init(|| store).clone())
    }

    /// Objects of a bucket. Nothing is asked of it yet.
    ///
    /// Errors: `internal` for settings that can't be used.
    pub fn s3(settings: &S3Settings) -> Result<Self> {
        let retry = RetryConfig { max_retries: S3_RETRIES_MAX, retry_timeout: S3_RETRY_WAIT, ..RetryConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&settings.bucket)
            .with_region(&settings.region)
            .with_access_key_id(&settings.access_key_id)
            .with_secret_access_key(settings.secret_access_key.expose())
            .with_retry(retry);
        if !settings.endpoint.is_empty() {
            builder =
                builder.with_endpoint(&settings.endpoint).with_allow_http(settings.endpoint.starts_with("http://"));
        }
        Ok(Objects(Place::S3(Arc::new(builder.build().map_err(Error::internal)?))))
    }

    /// Keeps bytes under a name, in place of what was there. Errors: `unavailable`.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        self.store()?.put(&Name::from(name), bytes.into()).await.map(drop).map_err(unavailable)
    }

    /// Keeps bytes under a name, and what they are handed out as; a folder hands nothing out. Errors: `unavailable`.
    pub(crate) async fn put_labelled(&self, name: &str, bytes: Vec<u8>, label: Option<Label>) -> Result<()> {
        let (Place::S3(store), Some(label)) = (&self.0, label) else { return self.put(name, bytes).await };
        let attributes = Attributes::from_iter([
            (Attribute::ContentType, label.content_type),
            (Attribute::ContentDisposition, label.disposition),
        ]);
        let (name, options) = (Name::from(name), PutOptions { attributes, ..PutOptions::default() });
        store.put_opts(&name, bytes.into(), options).await.map(drop).map_err(unavailable)
    }

    /// Deletes what writes of a process that died left half done: a folder's files of two parts, name and number, that nobody reads. A
    /// bucket keeps none. `now_ms` is in milliseconds since 1970.
    ///
    /// Errors: `unavailable`.
    pub(crate) async fn delete_staged(&self, now_ms: i64) -> Result<()> {
        let Place::Folder { folder, .. } = &self.0 else { return Ok(()) };
        let folder = folder.clone();
        let swept = tokio::task::spawn_blocking(move || delete_staged(&folder, now_ms));
        let failed = |error| Error::new(Code::Unavailable).because(error);
        swept.await.map_err(Error::internal)?.map_err(failed)
    }

    /// The bytes of a name, or a part of them; `None` where there is no such object. Errors: `unavailable`.
    pub(crate) async fn get(&self, name: &str, part: Option<Range<u64>>) -> Result<Option<Vec<u8>>> {
        let (store, name) = (self.store()?, Name::from(name));
        let found = match part {
            Some(part) => store.get_range(&name, part).await,
            None => match store.get(&name).await {
                Ok(found) => found.bytes().await,
                Err(error) => Err(error),
            },
        };
        match found {
            Ok(bytes) => Ok(Some(bytes.into())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The last parts of the names below a prefix. Errors: `unavailable`.
    pub(crate) async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let found: Vec<_> = self.store()?.list(Some(&Name::from(prefix))).try_collect().await.map_err(unavailable)?;
        Ok(found.iter().filter_map(|one| one.location.filename().map(str::to_owned)).collect())
    }

    /// Deletes an object; none is fine. Errors: `unavailable`.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        match self.store()?.delete(&Name::from(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Deletes all below a prefix. Errors: `unavailable`; some may be deleted then.
    pub(crate) async fn delete_all(&self, prefix: &str) -> Result<()> {
        for name in self.list(prefix).await? {
            self.delete(&format!("{prefix}/{name}")).await?;
        }
        Ok(())
    }

    /// A link to an object that works for a while without a credential; `None` where this service makes none: ours does then.
    ///
    /// Errors: `unavailable`.
    pub(crate) async fn link(&self, name: &str, valid: Duration) -> Result<Option<String>> {
        let Place::S3(signer) = &self.0 else { return Ok(None) };
        let url = signer.signed_url(http::Method::GET, &Name::from(name), valid).await.map_err(unavailable)?;
        Ok(Some(url.into()))
    }
}

/// Deletes staged files of a folder, and of those in it, that are older than [`STAGED_MS`].
fn delete_staged(folder: &std::path::Path, now_ms: i64) -> std::io::Result<()> {
    for entry in going_on(std::fs::read_dir(folder))?.into_iter().flatten() {
        let entry = entry?;
        let path = entry.path();
        let Some(kind) = going_on(entry.file_type())? else { continue };
        if kind.is_dir() {
            delete_staged(&path, now_ms)?;
        } else if is_staged(&entry.file_name().to_string_lossy())
            && let Some(about) = going_on(entry.metadata())?
        {
            let changed = about.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            if i64::try_from(changed.as_millis()).unwrap_or(i64::MAX) < now_ms - STAGED_MS {
                going_on(std::fs::remove_file(&path))?;
            }
        }
    }
    Ok(())
}

/// What is not there any more was finished, or swept by another node, in this moment.
fn going_on<T>(found: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Our names hold no `#`: what is written there has the name, `#` and a number until it is whole.
fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, number)| number.bytes().all(|digit| digit.is_ascii_digit()))
}

fn unavailable(error: object_store::Error) -> Error {
    Error::new(Code::Unavailable).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_keeps_lists_reads_parts_and_deletes() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::folder(folder.path().join("objects"));
        for index in [0, 1, 10] {
            objects.put(&format!("a/b/{index}"), vec![index; 3]).await.unwrap();
        }
        objects.put("a/b/1", vec![7, 8, 9]).await.unwrap();
        assert_eq!(objects.get("a/b/1", None).await.unwrap().unwrap(), [7, 8, 9]);
        assert_eq!(objects.get("a/b/1", Some(1..3)).await.unwrap().unwrap(), [8, 9]);
        assert_eq!(objects.get("a/b/2", Some(0..1)).await.unwrap(), None);
        let mut names = objects.list("a/b").await.unwrap();
        names.sort_unstable();
        assert_eq!(names, ["0", "1", "10"]);
        assert!(objects.list("a/none").await.unwrap().is_empty());
        objects.delete_all("a/b").await.unwrap();
        objects.delete("a/b/1").await.unwrap();
        assert!(objects.list("a/b").await.unwrap().is_empty());
        assert_eq!(objects.link("a/b/1", Duration::from_secs(1)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::folder(folder.path().join("objects"));
        objects.delete_staged(i64::MAX).await.unwrap();
        objects.put("a/b/1", vec![1]).await.unwrap();
        for name in ["a/b/2#1", "a/b/1#17", "a/b/x#y"] {
            std::fs::write(folder.path().join("objects").join(name), [2]).unwrap();
        }
        let written = std::fs::metadata(folder.path().join("objects/a/b/2#1")).unwrap().modified().unwrap();
        let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        objects.delete_staged(written + STAGED_MS - 60_000).await.unwrap();
        let count = || std::fs::read_dir(folder.path().join("objects/a/b")).unwrap().count();
        assert_eq!(count(), 4, "a write that is under way is left alone");
        objects.delete_staged(written + STAGED_MS + 60_000).await.unwrap();
        assert_eq!(count(), 2);
        assert_eq!(objects.get("a/b/1", None).await.unwrap().unwrap(), [1]);
    }

    #[tokio::test]
    async fn s3_makes_links_and_shows_no_secret() {
        let settings = S3Settings {
            endpoint: "http://127.0.0.1:9".to_owned(),
            bucket: "bodies".to_owned(),
            region: "eu-west-1".to_owned(),
            access_key_id: "id".to_owned(),
            secret_access_key: Secret::new("s3cret".to_owned()),
        };
        let objects = Objects::s3(&settings).unwrap();
        let link = objects.link("a/b", Duration::from_secs(60)).await.unwrap().unwrap();
        assert!(
            link.starts_with("http://127.0.0.1:9/bodies/a/b?X-Amz-") && link.contains("X-Amz-Expires=60"),
            "{link}"
        );
        assert!(!format!("{objects:?} {settings:?}").contains("s3cret") && !link.contains("s3cret"));
    }
}
