//! An answer that goes on: a head, then events in chunks until somebody closes.

use std::collections::VecDeque;

use doorward_wire::sse::{Event, Reader};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::reply::Reply;
use super::wait::{PATIENCE, within};

/// A stream of server-sent events.
pub(crate) struct Stream {
    /// The head of the answer.
    pub(crate) head: Reply,
    connection: TcpStream,
    read: Vec<u8>,
    reader: Reader,
    events: VecDeque<Event>,
}

impl Stream {
    /// Reads the head. Nothing else may have been asked for on this connection.
    pub(crate) async fn open(mut stream: TcpStream) -> Self {
        let mut read = Vec::new();
        let head = within(PATIENCE, "the head of a stream", async {
            loop {
                if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                    break read.drain(..end + 4).collect::<Vec<u8>>();
                }
                assert!(stream.read_buf(&mut read).await.unwrap() > 0, "no head: {read:?}");
            }
        });
        let head = Reply::from_head(&head.await);
        Self { head, connection: stream, read, reader: Reader::default(), events: VecDeque::new() }
    }

    /// The next event, or `None` when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        within(PATIENCE, "the next event", async {
            loop {
                if let Some(event) = self.events.pop_front() {
                    return Some(event);
                }
                while let Some(chunk) = self.chunk() {
                    self.events.extend(self.reader.read(&chunk).unwrap());
                }
                if !self.events.is_empty() {
                    continue;
                }
                match self.connection.read_buf(&mut self.read).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    /// Takes a whole chunk off (RFC 9112, section 7.1).
    fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = self.read.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&self.read[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let whole = end + 2 + size + 2;
        if self.read.len() < whole {
            return None;
        }
        let chunk = self.read[end + 2..end + 2 + size].to_vec();
        self.read.drain(..whole);
        Some(chunk)
    }
}
