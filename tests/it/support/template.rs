//! Two bootstrapped orgs in one data folder, made once by the command line and copied for each test.

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
    /// Two orgs: most tests use the first, isolation both.
    pub orgs: [Founded; 2],
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let orgs = [("ada@example.com", "Ada Org", "Ada App"), ("bob@example.com", "canary-org-of-b", "canary-app-of-b")]
        .map(|names| bootstrap(&data, names));
    let read = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    Template { files: fs::read_dir(&data).unwrap().map(|entry| read(entry.unwrap())).collect(), orgs }
});

/// The template, made on first use.
pub fn template() -> &'static Template {
    &TEMPLATE
}

impl Template {
    /// Writes a copy into a folder that does not exist yet.
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
pub fn bootstrap(data: &Path, (email, org, app): (&str, &str, &str)) -> Founded {
    let mut command = tokenim();
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
