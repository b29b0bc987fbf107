//! A REST client for one keep-alive connection: POST of JSON, and GET of text.

use crate::failure::{Failure, Refusal};
use crate::stream::{Address, Stream};
use serde::Deserialize;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a call that was refused with 429 is made again.
const RETRIES_MAX: usize = 60;
/// How long to wait where a 429 does not say.
const RETRY_WAIT_MS: u64 = 1_000;

/// A connection to the REST face.
pub struct Rest {
    stream: Stream,
    host: std::rc::Rc<str>,
    key: String,
}

/// What came back.
struct Answer {
    status: u16,
    body: String,
}

#[derive(Deserialize)]
struct Problem {
    error: Refusal,
}

impl Rest {
    /// Connects; `key` is the app's server key.
    pub async fn connect(address: &Address, key: &str) -> Result<Self, Failure> {
        Ok(Rest { stream: address.dial().await?, host: address.host.clone(), key: key.to_owned() })
    }

    /// Posts JSON and returns the answer's body; where too much was asked of the server, it waits as told and asks again.
    ///
    /// Errors: any status but 200 and 201, with the refusal where the answer holds one.
    pub async fn post(&mut self, path: &str, json: &str) -> Result<String, Failure> {
        let (key, host) = (&self.key, &self.host);
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        );
        self.call(&request).await
    }

    /// Gets a path and returns the answer's body. Errors: as [`Rest::post`].
    pub async fn get(&mut self, path: &str) -> Result<String, Failure> {
        let host = &self.host;
        let credential =
            if self.key.is_empty() { String::new() } else { format!("authorization: Bearer {}\r\n", self.key) };
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{credential}\r\n");
        self.call(&request).await
    }

    async fn call(&mut self, request: &str) -> Result<String, Failure> {
        for _ in 0..RETRIES_MAX {
            let exchanged = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
            let answer = exchanged.map_err(|_| Failure::new(format!("no answer within {PATIENCE:?}")))??;
            let refusal = serde_json::from_str(&answer.body).ok().map(|problem: Problem| problem.error);
            match answer.status {
                200 | 201 => return Ok(answer.body),
                429 => {
                    let wait = refusal.and_then(|refusal| refusal.retry_after_ms).unwrap_or(RETRY_WAIT_MS);
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                status => {
                    let line = request.split(" HTTP").next().unwrap_or_default();
                    let body: String = answer.body.chars().take(300).collect();
                    return Err(Failure::refused(format!("{line} was answered {status}: {body}"), refusal));
                }
            }
        }
        Err(Failure::new(format!("the server still answers 429 after {RETRIES_MAX} tries")))
    }

    async fn exchange(&mut self, request: &str) -> Result<Answer, Failure> {
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        let mut answer = Vec::new();
        let (head_end, length) = loop {
            let read = self.stream.read_buf(&mut answer).await?;
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break (end + 4, length_of(&answer[..end])?);
            }
            if read == 0 || answer.len() > ANSWER_BYTES_MAX {
                return Err(Failure::new("the server sent no whole HTTP head; does it speak HTTP there?"));
            }
        };
        while answer.len() < head_end + length.min(ANSWER_BYTES_MAX) {
            if self.stream.read_buf(&mut answer).await? == 0 {
                return Err(Failure::new("the server ended an answer early"));
            }
        }
        let status =
            std::str::from_utf8(&answer[..head_end]).ok().and_then(|head| head.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| Failure::new("the server's answer has no HTTP status"))?;
        Ok(Answer { status, body: String::from_utf8_lossy(&answer[head_end..]).into_owned() })
    }
}

fn length_of(head: &[u8]) -> Result<usize, Failure> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    length.and_then(|text| text.trim().parse().ok()).ok_or_else(|| Failure::new("an answer without content-length"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn an_answer_that_ends_within_its_head_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Address::new(listener.local_addr().unwrap(), None);
        let mut rest = Rest::connect(&address, "").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        server.shutdown().await.unwrap();
        assert!(rest.get("/").await.is_err());
    }
}
