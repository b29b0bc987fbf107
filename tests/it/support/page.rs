//! The console without a browser: signing in by its form, and asking for pages with the cookies it set.

use super::rest::{Answer, answer, plain};
use super::server::TestServer;
use super::template::{Founded, PASSWORD};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// One browser session.
pub struct Console {
    client: Client,
    url: String,
    cookies: BTreeMap<String, String>,
    /// What a proxy says of where it comes from.
    pub forwarded_for: Option<String>,
}

impl Console {
    /// A browser that has not been here before.
    pub fn new(server: &TestServer) -> Console {
        let client = plain().redirect(Policy::none()).build().unwrap();
        Console { client, url: server.url.clone(), cookies: BTreeMap::new(), forwarded_for: None }
    }

    /// A browser that holds these cookies.
    pub fn with_cookies(server: &TestServer, cookie: &str) -> Console {
        let pairs = cookie.split("; ").map(|pair| pair.split_once('=').unwrap());
        let cookies = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Console { cookies, ..Self::new(server) }
    }

    /// Signs in as the owner of an org.
    pub async fn sign_in(server: &TestServer, founded: &Founded) -> Console {
        let mut console = Self::new(server);
        let form = console.get("/sign-in").await;
        let answer = console
            .post("/sign-in", &[("csrf", token(&form)), ("email", &founded.email), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        console
    }

    /// A page.
    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    /// A form sent from one of the console's own pages.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, path, fields).await
    }

    /// A form of the signed-in, with a token of this session and a nonce that was never used.
    pub async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        static FORMS: AtomicU64 = AtomicU64::new(0);
        let page = self.get("/console/usage").await;
        let number = u128::from(FORMS.fetch_add(1, Ordering::Relaxed));
        let nonce = BASE64_URL_SAFE_NO_PAD.encode(number.to_be_bytes());
        let own = [("csrf", token(&page)), ("nonce", nonce.as_str())];
        self.post(path, &[&own, fields].concat()).await
    }

    /// The `Cookie` header it sends.
    pub fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn ask(&mut self, method: Method, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request =
            self.client.request(method.clone(), format!("{}{path}", self.url)).header("cookie", self.cookie());
        if let Some(addresses) = &self.forwarded_for {
            request = request.header("x-forwarded-for", addresses);
        }
        if method == Method::POST {
            let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(body.join("&"));
        }
        let answer = answer(request).await;
        for line in answer.headers.get_all("set-cookie") {
            let (name, value) = line.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// The form token of a page.
pub fn token(page: &Answer) -> &str {
    hidden(page, "csrf")
}

/// The number by which the page's forms work once.
pub fn nonce(page: &Answer) -> &str {
    hidden(page, "nonce")
}

/// The value of a page's first hidden field of that name.
pub fn hidden<'a>(page: &'a Answer, name: &str) -> &'a str {
    let name = format!("name=\"{name}\"");
    let input = page
        .text
        .split('<')
        .find(|tag| tag.starts_with("input") && tag.contains(&name))
        .unwrap_or_else(|| panic!("{}", page.text));
    input.split("value=\"").nth(1).unwrap().split('"').next().unwrap()
}

fn escape(text: &str) -> String {
    let one =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(one).collect()
}
