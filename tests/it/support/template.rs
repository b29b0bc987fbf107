//! Two bootstrapped orgs in one data folder or database, made once by the command line and copied for each test.

use super::database::Database;
use serde::Deserialize;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

/// The console password of every bootstrapped account.
pub const PASSWORD: &str = "correct horse battery staple";

/// What `tokenim admin bootstrap --json` prints.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founded {
    pub account: String,
    pub org: String,
    pub app: String,
    pub key: String,
    pub signing: Signing,
    #[serde(skip)]
    pub email: String,
}

/// The key that signs user tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    pub kid: String,
    pub secret: String,
}

/// The files of a data folder and who lives in it.
pub struct Template {
    files: Vec<(String, Vec<u8>)>,
    /// Where the tests run on PostgreSQL.
    database: Option<Database>,
    /// Two orgs: most tests use the first, isolation both.
    pub orgs: [Founded; 2],
}

/// Address, org and app of the two.
pub const ORGS: [(&str, &str, &str); 2] =
    [("ada@example.com", "Ada Org", "Ada App"), ("bob@example.com", "canary-org-of-b", "canary-app-of-b")];

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let database = Database::new(None);
    let orgs = ORGS.map(|names| bootstrap_on(&data, database.as_ref(), names));
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    Template { files: fs::read_dir(&data).unwrap().map(|entry| read(entry.unwrap())).collect(), database, orgs }
});

/// The template, made on first use.
pub fn template() -> &'static Template {
    &TEMPLATE
}

impl Template {
    /// A copy of the database, if the tests run on PostgreSQL.
    pub fn database(&self) -> Option<Database> {
        self.database.as_ref().and_then(|database| Database::new(Some(database)))
    }

    /// Writes a copy of the files into a folder that does not exist yet.
    pub fn copy_to(&self, data: &Path) {
        fs::create_dir(data).unwrap();
        fs::set_permissions(data, fs::Permissions::from_mode(0o700)).unwrap();
        for (name, bytes) in &self.files {
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(data.join(name)).unwrap();
            file.write_all(bytes).unwrap();
        }
    }
}

/// The binary, in an environment of its own.
pub fn tokenim() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenim"));
    command.env_clear().env("RUST_BACKTRACE", "1").stdin(Stdio::null());
    command
}

/// Runs a command to its end; it must succeed.
pub fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Makes an org in a data folder.
pub fn bootstrap(data: &Path, names: (&str, &str, &str)) -> Founded {
    bootstrap_on(data, None, names)
}

/// Makes an org in a database, its master key in a data folder.
pub fn bootstrap_on(data: &Path, database: Option<&Database>, (email, org, app): (&str, &str, &str)) -> Founded {
    let mut command = tokenim();
    command.envs(database.map(|database| ("TOKENIM_DATABASE__URL", database.url())));
    command
        .args([
            "admin",
            "bootstrap",
            "--email",
            email,
            "--org",
            org,
            "--app",
            app,
            "--json",
            "--password-stdin",
            "--data",
        ])
        .arg(data);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    assert!(status.success(), "bootstrap: {status}\n{}", String::from_utf8_lossy(&stderr));
    let stdout = String::from_utf8(stdout).unwrap();
    let founded: Founded = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    Founded { email: email.to_owned(), ..founded }
}
