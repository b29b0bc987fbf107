//! A client of the gateway: commands by verb, pushes in order, everything heard kept for a look afterwards.

use super::server::TestServer;
use super::tls::Bytes;
use super::wait::{within, within_at_most};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// The server pings every 25 s: a connection that is silent for longer than this has a fault.
const SILENCE: Duration = Duration::from_secs(40);

/// Why and how a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// 1006 where no close frame came.
    pub code: u16,
    pub reason: String,
}

impl Closed {
    /// The stable code of the reason.
    pub fn why(&self) -> String {
        let reason: Value = serde_json::from_str(&self.reason).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        reason["code"].as_str().unwrap().to_owned()
    }
}

/// One connection.
pub struct Client {
    stream: WebSocketStream<Bytes>,
    next_id: u64,
    replies: HashMap<u64, Value>,
    pushes: VecDeque<Value>,
    /// Pings of the server, answered unless the test plays dead.
    pub pings: VecDeque<Value>,
    pub plays_dead: bool,
    closed: Option<Closed>,
    /// The ok value of `connect`.
    pub welcome: Value,
    /// Every text that came.
    pub heard: Vec<String>,
}

impl Client {
    /// Opens a connection without authenticating it.
    pub async fn open(server: &TestServer) -> Client {
        Self::over(server, server.dial().await, None).await
    }

    /// Opens one as a page of that origin does.
    pub async fn open_from(server: &TestServer, origin: &str) -> Client {
        Self::over(server, server.dial().await, Some(origin)).await
    }

    /// Opens one whose kernel takes little before the client reads.
    pub async fn open_narrow(server: &TestServer) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        let address = ([127, 0, 0, 1], server.port()).into();
        Self::over(server, server.wrap(within(socket.connect(address)).await.unwrap()).await, None).await
    }

    async fn over(server: &TestServer, stream: Bytes, origin: Option<&str>) -> Client {
        let mut request = format!("ws://127.0.0.1:{}/v1/connect", server.port()).into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("tokenim.v1.json"));
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        let (stream, _) = within(client_async(request, stream)).await.unwrap();
        Client {
            stream,
            next_id: 1,
            replies: HashMap::new(),
            pushes: VecDeque::new(),
            pings: VecDeque::new(),
            plays_dead: false,
            closed: None,
            welcome: Value::Null,
            heard: Vec::new(),
        }
    }

    /// Opens and authenticates with a user token.
    pub async fn connect(server: &TestServer, token: &str) -> Client {
        Self::connect_with(server, json!({"token": token})).await
    }

    /// Opens and sends `connect` with these fields, which must succeed.
    pub async fn connect_with(server: &TestServer, fields: Value) -> Client {
        let mut client = Self::open(server).await;
        client.welcome = client.ok("connect", fields).await;
        client
    }

    /// The session token of this connection.
    pub fn session(&self) -> &str {
        self.welcome["session"].as_str().unwrap()
    }

    /// What became of a conversation named in `heads`.
    pub fn outcome(&self, conversation: &str) -> Value {
        let all = self.welcome["sync"].as_array().unwrap();
        all.iter().find(|one| one["conversation"] == conversation).unwrap_or_else(|| panic!("{all:?}")).clone()
    }

    /// Sends any text.
    pub async fn say(&mut self, text: &str) {
        within(self.stream.send(Message::text(text.to_owned()))).await.unwrap();
    }

    /// Sends a command without waiting; returns its id.
    pub async fn start(&mut self, command: &str, fields: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.say(&json!({"id": id, command: fields}).to_string()).await;
        id
    }

    /// The whole reply to a command.
    pub async fn reply(&mut self, id: u64) -> Value {
        within(async {
            while !self.replies.contains_key(&id) {
                assert!(self.hear().await, "no reply to {id}: {:?}", self.closed);
            }
        })
        .await;
        self.replies.remove(&id).unwrap()
    }

    /// Sends a command that must succeed; returns its ok value.
    pub async fn ok(&mut self, command: &str, fields: Value) -> Value {
        let id = self.start(command, fields).await;
        self.ok_of(id).await
    }

    /// The ok value of a command sent before.
    pub async fn ok_of(&mut self, id: u64) -> Value {
        let mut reply = self.reply(id).await;
        assert!(reply.get("ok").is_some(), "{reply}");
        reply["ok"].take()
    }

    /// Sends a command that must be refused; returns the error, whose shape is checked.
    pub async fn refused(&mut self, command: &str, fields: Value) -> Value {
        let id = self.start(command, fields).await;
        self.error_of(id).await
    }

    /// The error of a command sent before.
    pub async fn error_of(&mut self, id: u64) -> Value {
        let mut reply = self.reply(id).await;
        let error = reply["error"].take();
        assert!(
            error["code"].is_string() && error["message"].is_string() && error["retryable"].is_boolean(),
            "{reply}{error}"
        );
        error
    }

    /// Sends a text; returns the ok value.
    pub async fn send(&mut self, conversation: &str, client_msg_id: &str, text: &str) -> Value {
        self.ok("send", text_message(conversation, client_msg_id, text)).await
    }

    /// The next push, pings left out.
    pub async fn push(&mut self) -> Value {
        // The server's own pings must not prolong this wait.
        within(async {
            while self.pushes.is_empty() {
                assert!(self.hear().await, "no push: {:?}", self.closed);
            }
        })
        .await;
        self.pushes.pop_front().unwrap()
    }

    /// The next push of a type; others are dropped.
    pub async fn push_of(&mut self, kind: &str) -> Value {
        self.push_where(|push| push["type"] == kind).await
    }

    /// The next push that is looked for; others are dropped.
    pub async fn push_where(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let push = self.push().await;
            if is_it(&push) {
                return push;
            }
        }
    }

    /// Pushes that came by now: a `ping` is answered after what was queued before it.
    pub async fn pushes_so_far(&mut self) -> Vec<Value> {
        self.ok("ping", json!({})).await;
        self.pushes.drain(..).collect()
    }

    /// Events of the log that came by now. Receipts are none: what a connect names is a watermark too, told whenever it commits.
    pub async fn events_so_far(&mut self) -> Vec<Value> {
        self.pushes_so_far().await.into_iter().filter(|push| push["type"] != "receipt").collect()
    }

    /// Reads to the end of the connection.
    pub async fn closed(&mut self) -> Closed {
        while self.hear().await {}
        self.closed.clone().unwrap()
    }

    /// Closes from this side and waits for the echo.
    pub async fn close(mut self) -> Closed {
        let _ = within(self.stream.close(None)).await;
        self.closed().await
    }

    /// Takes the next message in; false at the end.
    pub async fn hear(&mut self) -> bool {
        if self.closed.is_some() {
            return false;
        }
        match within_at_most(SILENCE, self.stream.next()).await {
            Some(Ok(Message::Text(text))) => self.take(text.as_str()).await,
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame
                    .map_or((CloseCode::Status, String::new()), |frame| (frame.code, frame.reason.as_str().to_owned()));
                self.closed.get_or_insert(Closed { code: code.into(), reason });
            }
            Some(Ok(other)) => assert!(other.is_ping() || other.is_pong(), "{other:?}"),
            Some(Err(Error::ConnectionClosed)) | None => {
                self.closed.get_or_insert(Closed { code: 1006, reason: String::new() });
            }
            Some(Err(error)) => {
                self.closed.get_or_insert(Closed { code: 1006, reason: error.to_string() });
            }
        }
        self.closed.is_none()
    }

    async fn take(&mut self, text: &str) {
        self.heard.push(text.to_owned());
        let mut value: Value = serde_json::from_str(text).unwrap();
        if value.get("push").is_none() {
            let id = value["id"].as_u64().unwrap();
            assert!(self.replies.insert(id, value).is_none(), "a second reply to {id}");
            return;
        }
        let push = value["push"].take();
        if push["type"] != "ping" {
            self.pushes.push_back(push);
            return;
        }
        self.pings.push_back(push);
        if !self.plays_dead {
            // The server may close at this moment.
            let _ = within(self.stream.send(Message::text(r#"{"pong":{}}"#))).await;
        }
    }
}

/// The fields of a text message.
pub fn text_message(conversation: &str, client_msg_id: &str, text: &str) -> Value {
    json!({"conversation": conversation, "client_msg_id": client_msg_id, "kind": "text", "body": {"text": text}})
}

/// The seqs of events.
pub fn seqs(events: &[Value]) -> Vec<i64> {
    events.iter().map(|event| event["seq"].as_i64().unwrap()).collect()
}
