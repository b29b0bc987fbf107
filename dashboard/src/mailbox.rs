//! The development mailbox: mails that were written to the data folder instead of being sent, shown on this machine only.
use actix_web::http::StatusCode;
use tokenim_domain::id::JobId;
use tokenim_jobs::mail::Outbox;
use tokenim_templates::{
    page::mailbox::{MailPage, MailboxPage, Row},
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form,
    routes::{Answer, RouteSpec, Who, get},
    site::Site,
    visit::Visit,
};

pub(crate) const ROUTES: &[RouteSpec] = &[
    get("/dev/mail", Who::Public, |visit| Box::pin(list(visit))),
    get("/dev/mail/{name}", Who::Public, |visit| Box::pin(show(visit))),
];

/// Mails of a page.
const PAGE_MAILS: usize = 50;
/// What a proxy adds; behind one, an address of this machine says nothing about who asks.
const PROXY_HEADERS: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// The list, from the newest.
async fn list(visit: &Visit<'_>) -> Answer {
    let outbox = outbox(visit)?;
    let before = form::field(visit.request.query_string(), "before").map(|name| id(&name)).transpose()?;
    let mut mails = outbox.list(before, PAGE_MAILS + 1).await?;
    let has_more = mails.len() > PAGE_MAILS;
    mails.truncate(PAGE_MAILS);
    let older = mails.last().filter(|_| has_more).map(|last| format!("/dev/mail?before={}", last.name));
    let row = |at: usize| Row {
        href: format!("/dev/mail/{}", mails[at].name),
        subject: &mails[at].subject,
        to: &mails[at].to,
        at: Utc::from_ms(mails[at].at_ms),
    };
    let rows = (0..mails.len()).map(row).collect();
    let page = MailboxPage { frame: visit.frame(None), mails: rows, newest: before.is_some(), older };
    answer::page(StatusCode::OK, &page, visit)
}

/// One mail.
async fn show(visit: &Visit<'_>) -> Answer {
    let outbox = outbox(visit)?;
    let id = id(visit.request.match_info().query("name"))?;
    let (mail, head) = outbox.find(id).await?.ok_or(Fault::NotFound)?;
    let page = MailPage {
        frame: visit.frame(None),
        subject: &mail.subject,
        head: &head,
        lines: mail.text.lines().collect(),
        html: &mail.html,
    };
    answer::page(StatusCode::OK, &page, visit)
}

fn id(name: &str) -> Result<JobId, Fault> {
    name.parse().map_err(|()| Fault::NotFound)
}

/// The folder, where there is one and the page is opened on the machine itself: the mails hold links that are credentials,
/// so neither a name that resolves here nor a request from elsewhere may read them.
fn outbox<'v>(visit: &'v Visit<'_>) -> Result<&'v Outbox, Fault> {
    let console = visit.console;
    let is_near = visit.address().is_some_and(|address| address.to_canonical().is_loopback());
    let is_direct = PROXY_HEADERS.iter().all(|name| !visit.request.headers().contains_key(*name));
    let is_shown = matches!(console.site, Site::Loopback { .. }) && is_near && is_direct;
    console.outbox.as_ref().filter(|_| is_shown).ok_or(Fault::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Console, Ports, configure, face::Fixed};
    use actix_web::{App, test, web};
    use std::sync::Arc;
    use tempfile::TempDir;
    use tokenim_domain::clock::{Clock, SystemClock};
    use tokenim_domain::mail::{Mail, Matter};
    use tokenim_domain::rng::SystemRng;
    use tokenim_jobs::mail::{Mailer, Transport};
    use tokenim_store::{Durability, Settings, Store};
    use tokio_util::sync::CancellationToken;

    /// A console and the folder of its mails.
    struct Mailbox {
        console: web::Data<Console>,
        mailer: Mailer,
        data: TempDir,
    }

    async fn mailbox(public_origin: Option<&str>, has_outbox: bool) -> Mailbox {
        let data = TempDir::new().unwrap();
        let settings = Settings { data: data.path().to_owned(), postgres: None, durability: Durability::Full };
        let clock = Arc::new(SystemClock::new());
        let store = Store::open(&settings, clock.clone(), Arc::new(SystemRng)).await.unwrap().store;
        let outbox = Outbox::new(data.path().join("mail"));
        let console = Console::new(Ports {
            store,
            live: Arc::new(Fixed),
            public_origin: public_origin.map(str::to_owned),
            tls: false,
            outbox: has_outbox.then(|| outbox.clone()),
            stop: CancellationToken::new(),
        });
        let mailer = Mailer::new("im@localhost", "http://127.0.0.1:8080", Transport::File(outbox), clock).unwrap();
        Mailbox { console: web::Data::new(console.unwrap()), mailer, data }
    }

    impl Mailbox {
        /// Writes a mail; returns its name.
        async fn send(&self, language: &str, matter: Matter) -> String {
            let clock = SystemClock::new();
            let id = JobId::new(&clock, &SystemRng);
            let mail = Mail { to: "ada@example.com".into(), language: language.into(), matter };
            self.mailer.send(id, clock.now_ms(), &mail).await.unwrap();
            id.to_string()
        }

        /// Status and page, asked for from an address with these headers.
        async fn ask(&self, path: &str, from: &str, headers: &[(&str, &str)]) -> (u16, String) {
            let service = test::init_service(App::new().app_data(self.console.clone()).configure(configure)).await;
            let request = test::TestRequest::get().uri(path).peer_addr(from.parse().unwrap());
            let request = headers.iter().fold(request, |request, header| request.insert_header(*header));
            let answer = test::call_service(&service, request.to_request()).await;
            let status = answer.status().as_u16();
            (status, String::from_utf8(test::read_body(answer).await.to_vec()).unwrap())
        }

        async fn get(&self, path: &str) -> (u16, String) {
            self.ask(path, "127.0.0.1:5000", &[("host", "127.0.0.1:8080")]).await
        }
    }

    fn reset() -> Matter {
        Matter::ResetPassword { path: "/reset/secret".into(), expires_ms: 1_795_615_503_000 }
    }

    #[actix_web::test]
    async fn a_mail_is_listed_and_shown_with_its_link() {
        let mailbox = mailbox(None, true).await;
        let (status, page) = mailbox.get("/dev/mail").await;
        assert!(status == 200 && page.contains("No mail was written yet"), "{page}");
        let name = mailbox.send("en", reset()).await;
        let (_, page) = mailbox.get("/dev/mail").await;
        assert!(page.contains("Reset your password") && page.contains(&format!("href=\"/dev/mail/{name}\"")), "{page}");
        let (status, page) = mailbox.get(&format!("/dev/mail/{name}")).await;
        assert_eq!(status, 200);
        for part in [
            "href=\"http://127.0.0.1:8080/reset/secret\"",
            "To: ada@example.com",
            &format!("Message-ID: &#60;{name}@localhost&#62;"),
            "&#60;h1 style=",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
        let (_, page) = mailbox.get(&format!("/dev/mail/{name}?lang=zh-CN")).await;
        assert!(page.contains("全部邮件"), "{page}");
    }

    #[actix_web::test]
    async fn the_list_is_paged_from_the_newest() {
        let mailbox = mailbox(None, true).await;
        let mut names = Vec::new();
        for _ in 0..PAGE_MAILS + 2 {
            names.push(mailbox.send("en", Matter::Test).await);
        }
        names.sort();
        let (_, page) = mailbox.get("/dev/mail").await;
        let older = format!("/dev/mail?before={}", names[2]);
        let lists = |page: &str, name: &str| page.contains(&format!("href=\"/dev/mail/{name}\""));
        assert!(page.contains(&older) && lists(&page, &names[2]) && !lists(&page, &names[1]));
        let (_, page) = mailbox.get(&older).await;
        assert!(lists(&page, &names[1]) && lists(&page, &names[0]) && !lists(&page, &names[2]));
        assert!(page.contains(">Newest<") && !page.contains(">Older<"));
    }

    #[actix_web::test]
    async fn names_of_nothing_are_not_found() {
        let mailbox = mailbox(None, true).await;
        let absent = JobId::new(&SystemClock::new(), &SystemRng).to_string();
        let (secret, key) = (mailbox.data.path().join("mail/x.json"), "..%2Fmaster.key");
        std::fs::create_dir_all(secret.parent().unwrap()).unwrap();
        std::fs::write(&secret, "{}").unwrap();
        for path in [&*absent, "x", key, "..%2Ftokenim.db", "?before=x"] {
            let path = format!("/dev/mail{}{path}", if path.starts_with('?') { "" } else { "/" });
            assert_eq!(mailbox.get(&path).await.0, 404, "{path}");
        }
    }

    #[actix_web::test]
    async fn nobody_elsewhere_reads_mails() {
        let near = ("host", "127.0.0.1:8080");
        let open = mailbox(None, true).await;
        let name = open.send("en", reset()).await;
        for path in ["/dev/mail".to_owned(), format!("/dev/mail/{name}")] {
            assert_eq!(open.ask(&path, "[::ffff:127.0.0.1]:5000", &[near]).await.0, 200);
            assert_eq!(open.ask(&path, "10.0.0.7:5000", &[near]).await.0, 404, "another machine");
            for proxy in PROXY_HEADERS {
                assert_eq!(open.ask(&path, "127.0.0.1:5000", &[near, (proxy, "10.0.0.7")]).await.0, 404, "{proxy}");
            }
            assert_eq!(open.ask(&path, "127.0.0.1:5000", &[("host", "evil.example")]).await.0, 421);
        }
        let (public, sent) = (mailbox(Some("https://im.example"), true).await, mailbox(None, false).await);
        assert_eq!(public.ask("/dev/mail", "127.0.0.1:5000", &[("host", "im.example")]).await.0, 404);
        assert_eq!(sent.get("/dev/mail").await.0, 404);
    }
}
