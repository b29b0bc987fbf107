//! REST calls with one credential.

use super::wait::within;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use serde_json::{Value, json};

/// A client that trusts no certificate, for plain HTTP: reading those of the machine takes longer than most calls.
pub fn plain() -> ClientBuilder {
    Client::builder().tls_certs_only([])
}

/// Gets a link.
pub async fn get(url: &str) -> reqwest::Response {
    plain().build().unwrap().get(url).send().await.unwrap()
}

/// JSON calls to one server with one credential.
#[derive(Clone)]
pub struct Rest {
    client: Client,
    url: String,
    credential: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body, which must be JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text))
    }

    /// The body of a success.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Status and code of a refusal, whose shape is checked.
    pub fn refusal(&self) -> (u16, String) {
        let error = self.json()["error"].take();
        assert!(
            error["message"].is_string() && error["retryable"].is_boolean() && error["doc"].is_string(),
            "{}",
            self.text
        );
        assert_eq!(error["request_id"], *self.header("x-request-id"), "{}", self.text);
        (self.status, error["code"].as_str().unwrap().to_owned())
    }

    /// A header that must be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {:?}", self.headers)).to_str().unwrap()
    }

    /// Status, headers and body with everything masked that differs between two equal requests.
    pub fn masked(&self, words: &[&str]) -> String {
        let id = self.headers.get("x-request-id").and_then(|value| value.to_str().ok()).unwrap_or("none");
        let mut headers: Vec<_> = self
            .headers
            .iter()
            // `connection` tells whether the rest of a refused request had come yet.
            .filter(|(name, _)| *name != "date" && *name != "connection")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        let mut text = format!("{}\n{}\n\n{}", self.status, headers.join("\n"), self.text).replace(id, "*");
        for word in words {
            text = text.replace(word, "#");
        }
        text
    }
}

impl Rest {
    pub fn new(url: &str, credential: &str) -> Rest {
        Rest { client: plain().build().unwrap(), url: url.to_owned(), credential: credential.to_owned() }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.credential)
    }

    pub async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        answer(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, path).json(body)).await
    }

    /// A POST that is done once however often it is sent.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        answer(
            self.request(Method::POST, path).header("idempotency-key", HeaderValue::from_str(key).unwrap()).json(body),
        )
        .await
    }

    /// Makes a group; the first member owns it.
    pub async fn create_group(&self, id: &str, members: &[&str]) -> Value {
        self.post("/v1/conversations", &json!({"kind": "group", "id": id, "members": members})).await.ok()
    }

    /// Sends a text as a member.
    pub async fn send(&self, conversation: &str, sender: &str, client_msg_id: &str, text: &str) -> Value {
        let body = json!({"sender": sender, "client_msg_id": client_msg_id, "kind": "text", "body": {"text": text}});
        self.post(&format!("/v1/conversations/{conversation}/messages"), &body).await.ok()
    }

    /// Every event of a conversation, page by page.
    pub async fn log(&self, conversation: &str) -> Vec<Value> {
        let (mut events, mut after) = (Vec::new(), 0);
        loop {
            let page =
                self.get(&format!("/v1/conversations/{conversation}/messages?after={after}&limit=200")).await.ok();
            events.extend(page["items"].as_array().unwrap().iter().cloned());
            after = events.last().map_or(0, |event| event["seq"].as_i64().unwrap());
            if after >= page["head"].as_i64().unwrap() {
                return events;
            }
        }
    }

    /// Message units sent in the last day.
    pub async fn units(&self) -> i64 {
        self.used("msg_sent").await
    }

    /// Message units that devices received in the last day.
    pub async fn delivered(&self) -> i64 {
        self.used("msg_delivered").await
    }

    /// What `GET /v1/usage` tells of a meter.
    pub async fn used(&self, meter: &str) -> i64 {
        let usage = self.get("/v1/usage").await.ok();
        let items = usage["items"].as_array().unwrap().iter().filter(|item| item["meter"] == meter);
        items.map(|item| item["quantity"].as_i64().unwrap()).sum()
    }
}

/// Sends a request and takes the whole answer.
pub async fn answer(request: RequestBuilder) -> Answer {
    within(async {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    })
    .await
}
