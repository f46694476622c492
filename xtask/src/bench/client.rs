//! Just enough of an HTTP client to prepare a measurement: one kept connection, one JSON answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::step::{Failure, Outcome};

const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// A connection to a server on this machine.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// The `name=value` of the first cookie set, if one was.
    pub(super) cookie: Option<String>,
    pub(super) body: Value,
}

impl Client {
    pub(super) fn connect(address: &str) -> Outcome<Self> {
        let connected = TcpStream::connect(address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(ANSWER_TIME_MAX))?;
            Ok(Self { stream: BufReader::new(stream) })
        });
        connected.map_err(Failure::while_doing(address))
    }

    /// Sends a whole request, and reads its answer.
    pub(super) fn send(&mut self, request: &[u8]) -> Outcome<Answer> {
        self.stream
            .get_mut()
            .write_all(request)
            .and_then(|()| self.answer())
            .map_err(Failure::while_doing("an answer"))
    }

    fn answer(&mut self) -> std::io::Result<Answer> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line.trim_end().is_empty() {
                break;
            }
            head.push(line);
        }
        let field = |name: &str| {
            head.iter().skip(1).find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let length = field("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        let status = head.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        Ok(Answer {
            status: status.ok_or(std::io::ErrorKind::InvalidData)?,
            cookie: field("set-cookie").and_then(|set| set.split(';').next()).map(str::to_owned),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        })
    }
}

/// A request with a JSON body, whole.
pub(super) fn post(path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A request with one header field, whole.
pub(super) fn get(path: &str, field: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{field}\r\n\r\n")
}
