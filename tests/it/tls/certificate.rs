//! The certificate's files: refused at the start where they are no good, taken over where they change.

use crate::support::template::tokenim;
use crate::support::tls::{Identity, write};
use crate::support::{TestServer, until, within};
use rustls::pki_types::CertificateDer;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use tokio::net::TcpStream;

/// The certificate that a new connection is shown.
async fn shown(server: &TestServer) -> CertificateDer<'static> {
    let tcp = within(TcpStream::connect(("127.0.0.1", server.port()))).await.unwrap();
    let tls = server.tls.as_ref().unwrap().connect(tcp).await.unwrap();
    tls.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Waits until new connections are shown a certificate.
async fn shows(server: &TestServer, expected: &CertificateDer<'static>) {
    until(async || (shown(server).await == *expected).then_some(())).await;
}

#[tokio::test]
async fn a_renewed_pair_is_taken_over_on_sighup_and_old_connections_stay() {
    let server = TestServer::spawn_tls().await;
    let mut alice = server.connect("alice").await;
    alice.ok("conversation.create", json!({"kind": "group", "id": "c1", "members": []})).await;
    let renewed = server.tls.as_ref().unwrap().renew();
    server.signal("HUP");
    shows(&server, &renewed).await;
    alice.send("c1", "m1", "over the old session").await;
    server.connect("alice").await.send("c1", "m2", "over the new one").await;
}

#[tokio::test]
async fn a_renewed_pair_is_found_without_a_signal() {
    let server = TestServer::spawn_tls().await;
    let first = shown(&server).await;
    let renewed = server.tls.as_ref().unwrap().renew();
    assert_ne!(first, renewed);
    shows(&server, &renewed).await;
}

#[tokio::test]
async fn a_bad_pair_is_logged_and_the_old_one_stays() {
    let mut server = TestServer::spawn_tls().await;
    server.may_log_errors = true;
    let first = shown(&server).await;
    let identity = server.tls.as_ref().unwrap();
    let (_, foreign_key, _) = identity.issue();
    for (file, text) in [(&identity.key, foreign_key.as_str()), (&identity.cert, "no certificate")] {
        let (before, good) = (errors(&server), fs::read_to_string(file).unwrap());
        write(file, text);
        server.signal("HUP");
        until(async || (errors(&server) > before).then_some(())).await;
        assert_eq!(shown(&server).await, first);
        write(file, &good);
    }
    fs::remove_file(&identity.key).unwrap();
    let before = errors(&server);
    server.signal("HUP");
    until(async || (errors(&server) > before).then_some(())).await;
    assert_eq!(shown(&server).await, first);
    let renewed = identity.renew();
    shows(&server, &renewed).await;
}

/// How often the server has said that the certificate stays.
fn errors(server: &TestServer) -> usize {
    server.log().matches("the TLS certificate stays as it was").count()
}

#[test]
fn a_pair_that_is_no_good_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::new(folder.path());
    let (cert, key) = (identity.cert.as_path(), identity.key.as_path());
    let (other_cert, _, _) = identity.issue();
    let file = |name: &str, text: &str| {
        let file = folder.path().join(name);
        write(&file, text);
        file
    };
    let (foreign, empty) = (file("foreign.pem", &other_cert), file("empty.pem", ""));
    let missing = folder.path().join("missing.pem");
    for (cert, key, says) in [
        (missing.as_path(), key, "missing.pem"),
        (cert, missing.as_path(), "missing.pem"),
        (empty.as_path(), key, "holds no certificate"),
        (cert, empty.as_path(), "holds no private key"),
        (key, key, "holds no certificate"),
        (foreign.as_path(), key, "does not fit"),
    ] {
        refused(folder.path(), Some(cert), Some(key), says);
    }
    for mode in [0o644, 0o604, 0o660, 0o602] {
        fs::set_permissions(key, fs::Permissions::from_mode(mode)).unwrap();
        refused(folder.path(), Some(cert), Some(key), "chmod 600");
    }
    refused(folder.path(), Some(cert), None, "server.tls_cert");
    refused(folder.path(), None, Some(key), "server.tls_key");
}

/// `check` and `serve` both refuse, and say why.
fn refused(folder: &Path, cert: Option<&Path>, key: Option<&Path>, says: &str) {
    for words in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let mut command = tokenim();
        command.args(words).arg("--data").arg(folder.join("data"));
        for (name, file) in [("TOKENIM_SERVER__TLS_CERT", cert), ("TOKENIM_SERVER__TLS_KEY", key)] {
            file.map(|file| command.env(name, file));
        }
        let Output { status, stderr, .. } = command.output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!((status.code(), said.contains(says)), (Some(1), true), "{words:?} {says}: {said}");
    }
}
