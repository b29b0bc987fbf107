//! Mail through the front door: queued by one process, written by the server, read in the development mailbox.

use crate::support::page::Console;
use crate::support::template::{run, tokenim};
use crate::support::{TestServer, until};

/// Queues a test mail, as an operator does beside the server.
fn queue(server: &TestServer, to: &str, language: &str) {
    let words = ["admin", "mail-test", "--queue", "--to", to, "--language", language];
    let said = run(server.tokenim().args(words).arg("--data").arg(&server.data));
    assert!(said.contains("queued"), "{said}");
}

/// The page of the mail to that address, once it is there.
pub async fn mail_to(console: &mut Console, to: &str) -> String {
    let escaped = to.replace('@', "&#64;");
    until(async || {
        let list = console.get("/dev/mail").await.text;
        let row = list.split("<tr>").find(|row| row.contains(to) || row.contains(&escaped))?;
        let href = row.split("href=\"").nth(1)?.split('"').next()?;
        Some(console.get(href).await.text)
    })
    .await
}

#[tokio::test]
async fn a_queued_mail_is_written_in_its_language_and_shown() {
    let server = TestServer::spawn().await;
    let mut console = Console::new(&server);
    queue(&server, "ada@example.com", "en");
    let page = mail_to(&mut console, "ada@example.com").await;
    assert!(page.contains("A test of the mail settings") && page.contains("Auto-Submitted: auto-generated"), "{page}");
    queue(&server, "wei@example.com", "zh-CN");
    let page = mail_to(&mut console, "wei@example.com").await;
    assert!(page.contains("邮件设置测试"), "{page}");
}

#[tokio::test]
async fn a_server_says_at_its_start_who_reads_its_mails() {
    let server = TestServer::spawn().await;
    let log = std::fs::read_to_string(server.data.with_file_name("server.log")).unwrap();
    assert!(log.contains("/dev/mail shows them") && log.contains("server.public_origin"), "{log}");
}

#[tokio::test]
async fn a_mail_queued_while_nobody_serves_is_written_at_the_next_start() {
    let mut server = TestServer::spawn().await;
    server.kill();
    queue(&server, "ada@example.com", "en");
    server.start().await;
    mail_to(&mut Console::new(&server), "ada@example.com").await;
}

#[test]
fn a_test_mail_says_where_it_went_or_why_it_did_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let test = |to: &str| {
        let mut command = tokenim();
        command.args(["admin", "mail-test", "--to", to, "--data"]).arg(&data);
        command
    };
    let said = run(&mut test("ada@example.com"));
    assert!(std::fs::read_to_string(said.trim()).unwrap().contains("To: ada@example.com"), "{said}");
    let refused = test("nobody").output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("give it up"), "{refused:?}");
}
