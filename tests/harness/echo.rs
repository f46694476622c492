//! An app that knows nothing of logins: it says back what reached it, and counts it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A running app. It takes no new connection once it is dropped.
pub(crate) struct Echo {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    heard: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Echo {
    /// Starts it.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&counter)));
            }
        });
        Self { address, heard, task }
    }

    /// How many requests have reached it.
    pub(crate) fn heard(&self) -> usize {
        self.heard.load(Ordering::SeqCst)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one request, then closes; or, asked for a socket, says back whatever comes.
async fn answer(mut stream: TcpStream, counter: Arc<AtomicUsize>) -> Option<()> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    counter.fetch_add(1, Ordering::SeqCst);
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let field = |name: &str| fields.iter().find(|(known, _)| known == name).map(|(_, it)| &**it);
    if field("upgrade").is_some() {
        // The answer to the example key of RFC 6455, section 1.3: HAProxy looks.
        let said = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: \
                    Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        stream.write_all(said.as_bytes()).await.ok()?;
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.ok()?;
        return None;
    }
    let length: usize = field("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    while read.len() < end + length {
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8_lossy(&read[end..]).into_owned();
    let fields: Vec<Value> = fields.iter().map(|(name, value)| json!([name, value])).collect();
    let said = json!({ "method": method, "target": target, "fields": fields, "body": body });
    let said = said.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n",
        said.len()
    );
    stream.write_all(format!("{head}{said}").as_bytes()).await.ok()
}
