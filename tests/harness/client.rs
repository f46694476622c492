//! A client that speaks HTTP/1.1 over plain TCP, well or badly as a test wants.
//!
//! It holds no state and no opinion: every header field is sent as given, in order, twice if given
//! twice, and [`Client::raw`] sends bytes that no library would. Each request has its own connection.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::pin::Pin;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::reply::Reply;
use super::stream::Stream;
use super::wait::{PATIENCE, within};

/// Speaks to one server. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    fields: Vec<(String, Vec<u8>)>,
}

/// A request being put together. Await it to send it.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Request {
    address: SocketAddr,
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Option<Vec<u8>>,
}

impl Client {
    /// A client of the server at `address`, which it calls `host`.
    pub(crate) fn new(address: SocketAddr, host: &str) -> Self {
        Self { address, fields: vec![("host".to_owned(), host.into())] }
    }

    /// Sends this header field with every request, in place of any of the same name.
    pub(crate) fn always(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request {
            address: self.address,
            method: method.to_owned(),
            target: target.to_owned(),
            fields: self.fields.clone(),
            body: None,
        }
    }

    /// `GET`.
    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    /// `POST` without a body.
    pub(crate) fn post(&self, target: &str) -> Request {
        self.request("POST", target)
    }

    /// `POST` of JSON.
    pub(crate) fn post_json(&self, target: &str, value: &Value) -> Request {
        self.post(target).json(value)
    }

    /// `POST` of a form.
    pub(crate) fn post_form(&self, target: &str, pairs: &[(&str, &str)]) -> Request {
        self.post(target).form(pairs)
    }

    /// `PUT` of JSON.
    pub(crate) fn put_json(&self, target: &str, value: &Value) -> Request {
        self.request("PUT", target).json(value)
    }

    /// `DELETE`.
    pub(crate) fn delete(&self, target: &str) -> Request {
        self.request("DELETE", target)
    }

    /// Sends bytes as they are and reads one answer.
    pub(crate) async fn raw(&self, bytes: impl Into<Vec<u8>>) -> Reply {
        let mut connection = Connection::open(self.address, bytes.into()).await;
        let reply = within(PATIENCE, "an answer to raw bytes", connection.reply()).await;
        reply.expect("the connection was closed without an answer")
    }

    /// Sends bytes as they are and reads answers until the server closes: a test of smuggling
    /// counts them. Close with `Connection: close` in the last request, or expect a 400 to close.
    pub(crate) async fn raw_until_closed(&self, bytes: impl Into<Vec<u8>>) -> Vec<Reply> {
        let mut connection = Connection::open(self.address, bytes.into()).await;
        let mut replies = Vec::new();
        while let Some(reply) =
            within(PATIENCE, "the end of a connection", connection.reply()).await
        {
            replies.push(reply);
        }
        assert!(connection.read.is_empty(), "half an answer: {:?}", connection.read);
        replies
    }
}

impl Request {
    /// Adds a header field. One of the same name stays beside it.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Takes every header field of a name away: `host`, or what [`Client::always`] added.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sends a `Cookie` field.
    pub(crate) fn cookie(self, cookie: impl AsRef<[u8]>) -> Self {
        self.header("cookie", cookie)
    }

    /// Sends an access token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Says that it comes from a page of `origin`, as a browser does.
    #[expect(clippy::wrong_self_convention, reason = "it reads as a request *from* an origin")]
    pub(crate) fn from_origin(self, origin: &str) -> Self {
        self.header("origin", origin).header("sec-fetch-site", "same-origin")
    }

    /// Sends JSON.
    pub(crate) fn json(self, value: &Value) -> Self {
        self.body("application/json", value.to_string())
    }

    /// Sends a form.
    pub(crate) fn form(self, pairs: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| percent(name) + "=" + &percent(value);
        let text: Vec<String> = pairs.iter().map(pair).collect();
        self.body("application/x-www-form-urlencoded", text.join("&"))
    }

    /// Sends any body under a media type.
    pub(crate) fn body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", media_type).untyped_body(body)
    }

    /// Sends a body that says nothing of its type.
    pub(crate) fn untyped_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// The bytes that will be sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"connection: close\r\n");
        let named = self.fields.iter().any(|(name, _)| {
            ["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str())
        });
        let body = self.body.as_deref();
        if !named && (body.is_some() || !["GET", "HEAD"].contains(&self.method.as_str())) {
            let length = body.unwrap_or_default().len();
            bytes.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body.unwrap_or_default());
        bytes
    }

    /// Sends it and reads the answer's head, for an answer that does not end by itself.
    pub(crate) async fn stream(self) -> Stream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(&self.bytes()).await.unwrap();
        Stream::open(stream).await
    }

    /// Sends it and gives the answer, or `None` when the server went away without one: for tests
    /// that kill it.
    pub(crate) async fn attempt(self) -> Option<Reply> {
        let mut connection = Connection::attempt(self.address, self.bytes()).await?;
        connection.is_head = self.method == "HEAD";
        within(PATIENCE, "an answer", connection.reply()).await
    }
}

impl IntoFuture for Request {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let what = format!("{} {}", self.method, self.target);
            self.attempt().await.unwrap_or_else(|| panic!("no answer to {what}"))
        })
    }
}

/// A connection on which everything is being sent, and answers are read.
struct Connection {
    stream: tokio::net::tcp::OwnedReadHalf,
    sending: tokio::task::JoinHandle<()>,
    read: Vec<u8>,
    is_head: bool,
}

impl Connection {
    async fn open(address: SocketAddr, bytes: Vec<u8>) -> Self {
        Self::attempt(address, bytes).await.expect("the server does not accept connections")
    }

    async fn attempt(address: SocketAddr, bytes: Vec<u8>) -> Option<Self> {
        let connecting = TcpStream::connect(address);
        let stream = within(PATIENCE, "a connection", connecting).await.ok()?;
        let (stream, mut sink) = stream.into_split();
        let sending = tokio::spawn(async move {
            // A server that has seen enough answers and closes: what could not be sent is no error.
            let _ = sink.write_all(&bytes).await;
            // Kept open: a server may take a closed half for a client that has gone.
            std::future::pending::<()>().await;
        });
        Some(Self { stream, sending, read: Vec::new(), is_head: false })
    }

    /// Reads the next answer, or `None` when the server has closed before the end of one.
    async fn reply(&mut self) -> Option<Reply> {
        let head = loop {
            if let Some(end) = find(&self.read, b"\r\n\r\n") {
                break self.read.drain(..end + 4).collect::<Vec<u8>>();
            }
            if !self.more().await {
                return None;
            }
        };
        let mut reply = Reply::from_head(&head);
        assert_eq!(reply.header("transfer-encoding"), None, "every answer of ours has a length");
        let length = reply.header("content-length").map(|text| text.parse::<usize>().unwrap());
        let empty = self.is_head || reply.status.is_informational() || reply.status == 204;
        let length = if empty { Some(0) } else { length };
        while length.is_none_or(|length| self.read.len() < length) {
            match (self.more().await, length) {
                (true, _) => {}
                // Without a length the end of the connection is the end of the body.
                (false, None) => break,
                (false, Some(_)) => return None,
            }
        }
        let length = length.unwrap_or(self.read.len());
        reply.body = self.read.drain(..length).collect();
        Some(reply)
    }

    /// Reads something, or says that the other end has closed.
    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(1..))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

/// Writes a text so that it can stand in an address or a form.
pub(crate) fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}
