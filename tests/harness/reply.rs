//! What came back: a status, header fields, a body.

use doorward_wire::dbsc;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The status; compare it with a number.
    pub(crate) status: StatusCode,
    /// The header fields, in order.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What one `Set-Cookie` field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SetCookie {
    /// The cookie's name.
    pub(crate) name: String,
    /// Its value.
    pub(crate) value: String,
    /// Its attributes as sent, trimmed.
    pub(crate) attributes: Vec<String>,
}

impl SetCookie {
    fn read(field: &str) -> Self {
        let mut parts = field.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: parts.map(str::to_owned).collect(),
        }
    }

    /// Whether an attribute was sent, letter by letter: `HttpOnly`, `SameSite=Lax`.
    pub(crate) fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|sent| sent == attribute)
    }

    /// The `Max-Age`, if there is one.
    pub(crate) fn max_age(&self) -> Option<u64> {
        let sent = self.attributes.iter().find_map(|text| text.strip_prefix("Max-Age="))?;
        Some(sent.parse().unwrap())
    }

    /// Whether the field takes the cookie away.
    pub(crate) fn clears(&self) -> bool {
        self.value.is_empty() && self.max_age() == Some(0)
    }
}

impl Reply {
    /// Fails the test, showing the body, unless the status is `status`.
    #[track_caller]
    pub(crate) fn must_be(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.describe());
        self
    }

    /// Fails the test unless this is a whole problem document of this status and code.
    ///
    /// The shape is checked too: RFC 9457 members, `code`, `request_id`, the media type, and that
    /// nobody may store it.
    #[track_caller]
    pub(crate) fn must_be_problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.describe());
        assert_eq!(self.problem_code(), code, "{}", self.describe());
        let document = self.json();
        assert_eq!(document["status"], status, "{document}");
        for member in ["type", "title", "detail", "request_id"] {
            assert!(document[member].as_str().is_some_and(|text| !text.is_empty()), "{document}");
        }
        assert_eq!(self.header("x-request-id"), document["request_id"].as_str());
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", self.describe());
        self
    }

    /// The value of a header field, if it was sent once and is text.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} was sent {} times", all.len());
        all.first().copied()
    }

    /// Every value of a header field.
    #[track_caller]
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The body as text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.describe()))
    }

    /// Every cookie that is set or cleared.
    pub(crate) fn set_cookies(&self) -> Vec<SetCookie> {
        self.all("set-cookie").into_iter().map(SetCookie::read).collect()
    }

    /// The session's cookie, if it is set or cleared: no other but the bound one may stand beside it.
    #[track_caller]
    pub(crate) fn set_cookie(&self) -> Option<SetCookie> {
        let mut all = self.set_cookies();
        all.retain(|set| set.name != dbsc::COOKIE);
        assert!(all.len() <= 1, "{all:?}");
        all.pop()
    }

    /// The bound cookie, if it is set or cleared.
    #[track_caller]
    pub(crate) fn bound_cookie(&self) -> Option<SetCookie> {
        let mut all = self.set_cookies();
        all.retain(|set| set.name == dbsc::COOKIE);
        assert!(all.len() <= 1, "{all:?}");
        all.pop()
    }

    /// The `code` of a problem document, or a failed test when this is none.
    #[track_caller]
    pub(crate) fn problem_code(&self) -> String {
        let media_type = self.header("content-type");
        assert_eq!(media_type, Some("application/problem+json"), "{}", self.describe());
        self.json()["code"].as_str().unwrap_or_else(|| panic!("{}", self.describe())).to_owned()
    }

    /// The path that a redirect leads to.
    #[track_caller]
    pub(crate) fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no redirect: {}", self.describe()))
    }

    /// The whole answer for a person who reads a failed test.
    pub(crate) fn describe(&self) -> String {
        use std::fmt::Write;
        let mut text = format!("{}\n", self.status);
        for (name, value) in &self.headers {
            writeln!(text, "{name}: {}", String::from_utf8_lossy(value.as_bytes())).unwrap();
        }
        let body = String::from_utf8_lossy(&self.body);
        let short: String = body.chars().take(2000).collect();
        text + "\n" + &short
    }

    /// Reads the head of an answer: everything before the empty line.
    pub(super) fn from_head(head: &[u8]) -> Self {
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let status_line = String::from_utf8_lossy(lines.next().unwrap()).into_owned();
        let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not an HTTP answer: {status_line:?}"));
        let mut headers = HeaderMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            let name = HeaderName::from_bytes(&line[..colon]).unwrap();
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).unwrap();
            headers.append(name, value);
        }
        Self { status: StatusCode::from_u16(status).unwrap(), headers, body: Vec::new() }
    }
}
