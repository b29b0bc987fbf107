//! A REST client for one keep-alive connection: POST of JSON, and GET of text.

use crate::report::Failure;
use crate::stream::{Address, Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A connection to the REST face.
pub struct Rest {
    stream: Stream,
    key: String,
}

impl Rest {
    /// Connects; `key` is the app's server key.
    pub async fn connect(address: &Address, key: &str) -> Result<Self, Failure> {
        Ok(Rest { stream: address.dial().await?, key: key.to_owned() })
    }

    /// Posts JSON and returns the answer's body. Errors: any status but 200 and 201.
    pub async fn post(&mut self, path: &str, json: &str) -> Result<String, Failure> {
        let key = &self.key;
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{json}",
            json.len()
        );
        self.exchange(&request).await
    }

    /// Gets a path and returns the answer's body. Errors: as [`Rest::post`].
    pub async fn get(&mut self, path: &str) -> Result<String, Failure> {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")).await
    }

    async fn exchange(&mut self, request: &str) -> Result<String, Failure> {
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        let mut answer = Vec::new();
        let (head_end, length) = loop {
            let read = self.stream.read_buf(&mut answer).await?;
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break (end + 4, length_of(&answer[..end])?);
            }
            if read == 0 || answer.len() > ANSWER_BYTES_MAX {
                return Err(Failure::new("the server sent no whole HTTP head"));
            }
        };
        while answer.len() < head_end + length.min(ANSWER_BYTES_MAX) {
            if self.stream.read_buf(&mut answer).await? == 0 {
                return Err(Failure::new("the server ended an answer early"));
            }
        }
        let body = String::from_utf8_lossy(&answer[head_end..]).into_owned();
        if answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.1 201") {
            return Ok(body);
        }
        let status = String::from_utf8_lossy(&answer[..head_end.min(40)]).into_owned();
        Err(Failure::new(format!("{} answered {}: {body}", request.lines().next().unwrap_or_default(), status.trim())))
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
        let mut rest = Rest::connect(&Address { at: listener.local_addr().unwrap(), tls: None }, "").await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        server.shutdown().await.unwrap();
        assert!(rest.get("/").await.is_err());
    }
}
