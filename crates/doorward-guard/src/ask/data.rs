//! What an app keeps with a session.
//!
//! # What this module answers
//!
//! - *Two tabs that write at once*: each key has a version of its own, and a write counts only if nobody
//!   wrote the key since it was read; else the answer is 409 and nothing of that key is stored.
//! - *A session that ended meanwhile*: the write inserts nothing, and the answer is 401.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum_core::extract::FromRequestParts;
use bytes::Bytes;
use doorward_wire::json;
use http::header::{CONTENT_TYPE, COOKIE, IF_MATCH, IF_NONE_MATCH, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::denial::Denial;
use super::protect::Asked;
use crate::Denied;
use crate::server::Sessions;

/// The most characters of a key.
const KEY_MAX: usize = 64;

/// Under which key an app keeps what.
///
/// ```
/// use doorward_guard::DataKey;
///
/// const BASKET: DataKey<Vec<String>> = DataKey::new("basket");
/// assert_eq!(BASKET.name(), "basket");
/// ```
///
/// A key has 1 to 64 characters of `A-Z a-z 0-9 . _ -`; another does not compile as a constant:
///
/// ```compile_fail
/// const BASKET: doorward_guard::DataKey<String> = doorward_guard::DataKey::new("my basket");
/// ```
pub struct DataKey<T> {
    name: &'static str,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for DataKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for DataKey<T> {}

impl<T> std::fmt::Debug for DataKey<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DataKey({})", self.name)
    }
}

impl<T> DataKey<T> {
    /// A key of this name.
    ///
    /// # Panics
    ///
    /// If it is no name of a key.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= KEY_MAX, "a key has 1 to 64 characters");
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            assert!(
                byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'),
                "a key has characters of A-Z a-z 0-9 . _ - only"
            );
            at += 1;
        }
        Self { name, kind: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// A value was not kept, or not read.
#[derive(Debug, thiserror::Error)]
#[error("the value of {key} does not fit its type: {source}")]
pub struct DataRefused {
    key: &'static str,
    source: serde_json::Error,
}

/// What is kept with the session of whoever is asking: read when a handler asks for it, written at the end
/// of the request, each key for itself. A visitor has a session as soon as something is kept.
///
/// It is there where the app is on the server's own origin ([`Guard::beside`](crate::Guard::beside),
/// [`Following::beside`](crate::Following::beside)).
#[derive(Clone, Debug)]
pub struct Session(Notebook);

impl Session {
    /// What is kept under a key.
    pub fn get<T: DeserializeOwned>(&self, key: DataKey<T>) -> Result<Option<T>, DataRefused> {
        let page = self.0.page();
        let value = match page.changed.get(key.name) {
            Some(changed) => changed.as_ref(),
            None => page.read.get(key.name).map(|datum| &datum.value),
        };
        let Some(value) = value else { return Ok(None) };
        T::deserialize(value).map(Some).map_err(|source| DataRefused { key: key.name, source })
    }

    /// Keeps a value under a key.
    pub fn insert<T: Serialize>(&self, key: DataKey<T>, value: &T) -> Result<(), DataRefused> {
        let value =
            serde_json::to_value(value).map_err(|source| DataRefused { key: key.name, source })?;
        self.0.page().changed.insert(key.name, Some(value));
        Ok(())
    }

    /// Keeps nothing under a key any more.
    pub fn remove<T>(&self, key: DataKey<T>) {
        self.0.page().changed.insert(key.name, None);
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Denial;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Denial> {
        let asked = Asked::of(&parts.extensions, &parts.method, &parts.uri)?;
        if let Err(denied) = asked.found()
            && *denied != Denied::Nothing
        {
            return Err(Denial::denied(*denied, asked.way()));
        }
        let Some(notebook) = asked.notebook() else {
            tracing::error!(
                path = parts.uri.path(),
                "a handler keeps something with a session, and the app is not beside the server"
            );
            return Err(Denial::no_layer());
        };
        notebook.read().await?;
        Ok(Self(notebook.clone()))
    }
}

/// One request's view of what is kept with its session.
#[derive(Clone)]
pub(super) struct Notebook {
    sessions: Sessions,
    head: Arc<Parts>,
    page: Arc<Mutex<Page>>,
}

impl std::fmt::Debug for Notebook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Notebook")
    }
}

#[derive(Default)]
struct Page {
    /// Whether the server was asked.
    is_read: bool,
    /// Whether there is a session.
    has_session: bool,
    read: BTreeMap<String, Datum>,
    /// What is to be kept, or removed.
    changed: BTreeMap<&'static str, Option<Value>>,
}

#[derive(Deserialize)]
struct Datum {
    value: Value,
    version: u64,
}

#[derive(Deserialize)]
struct Listing {
    data: BTreeMap<String, Datum>,
}

impl Notebook {
    pub(super) fn of(sessions: Sessions, head: &Parts) -> Self {
        let mut copy = http::Request::new(()).into_parts().0;
        copy.headers = head.headers.clone();
        copy.extensions = head.extensions.clone();
        Self { sessions, head: Arc::new(copy), page: Arc::default() }
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self) -> Result<(), Denial> {
        if self.page().is_read {
            return Ok(());
        }
        let listing = if self.sessions.carries(&self.head.headers) {
            let what = ("GET", "/api/v1/session/data");
            let answer = self.ask(&self.head, what, Bytes::new(), &[]).await?;
            match answer.status() {
                StatusCode::OK => Some(
                    json::strict::<Listing>(answer.body())
                        .map_err(|_| Denial::data(StatusCode::SERVICE_UNAVAILABLE, "stale"))?,
                ),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => None,
                status => return Err(refused(status)),
            }
        } else {
            None
        };
        let mut page = self.page();
        if !page.is_read {
            page.is_read = true;
            page.has_session = listing.is_some();
            page.read = listing.map(|listing| listing.data).unwrap_or_default();
        }
        Ok(())
    }

    /// Writes what has changed.
    pub(super) async fn write(&self, cookies: &mut Vec<HeaderValue>) -> Result<(), Denial> {
        let (changed, has_session) = {
            let mut page = self.page();
            (std::mem::take(&mut page.changed), page.has_session)
        };
        if changed.is_empty() {
            return Ok(());
        }
        let opened = match has_session {
            true => None,
            false if changed.values().all(Option::is_none) => return Ok(()),
            false => Some(self.open(cookies).await?),
        };
        let head = opened.as_ref().unwrap_or(&self.head);
        for (key, value) in changed {
            let version = self.page().read.get(key).map(|datum| datum.version);
            let condition = match version {
                Some(version) => (IF_MATCH, HeaderValue::from_str(&format!("\"{version}\"")).ok()),
                None if value.is_some() => (IF_NONE_MATCH, Some(HeaderValue::from_static("*"))),
                // There was none to remove.
                None => continue,
            };
            let (method, body) = match value {
                Some(value) => ("PUT", Bytes::from(value.to_string())),
                None => ("DELETE", Bytes::new()),
            };
            let mut more = vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
            more.extend(condition.1.map(|value| (condition.0, value)));
            let path = format!("/api/v1/session/data/{key}");
            let answer = self.ask(head, (method, &path), body, &more).await?;
            if !answer.status().is_success() {
                return Err(refused(answer.status()));
            }
        }
        Ok(())
    }

    /// Opens a session for a visitor. What is kept from now on is kept with its cookie.
    async fn open(&self, cookies: &mut Vec<HeaderValue>) -> Result<Arc<Parts>, Denial> {
        let answer = self.ask(&self.head, ("POST", "/api/v1/session"), Bytes::new(), &[]).await?;
        if answer.status() != StatusCode::CREATED {
            return Err(refused(answer.status()));
        }
        let mut pairs = Vec::new();
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let pair = cookie.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            pairs.push(String::from_utf8_lossy(pair).into_owned());
            cookies.push(cookie.clone());
        }
        let mut head = Parts::clone(&self.head);
        let value = HeaderValue::from_str(&pairs.join("; "));
        head.headers.insert(COOKIE, value.map_err(|_| refused(StatusCode::BAD_GATEWAY))?);
        Ok(Arc::new(head))
    }

    async fn ask(
        &self,
        head: &Parts,
        what: (&str, &str),
        body: Bytes,
        more: &[(http::HeaderName, HeaderValue)],
    ) -> Result<Response<Bytes>, Denial> {
        self.sessions.ask_for(head, what, body, more).await.map_err(|error| {
            tracing::warn!(%error, "what an app keeps with a session is out of reach");
            refused(StatusCode::SERVICE_UNAVAILABLE)
        })
    }
}

/// What a refusal of the server's means to whoever asked the app.
fn refused(status: StatusCode) -> Denial {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Denial::data(StatusCode::UNAUTHORIZED, "unauthenticated")
        }
        StatusCode::CONFLICT => Denial::data(status, "version-conflict"),
        StatusCode::PAYLOAD_TOO_LARGE => Denial::data(status, "session-data-too-large"),
        status => {
            tracing::warn!(%status, "the server did not keep what an app keeps with a session");
            Denial::data(StatusCode::SERVICE_UNAVAILABLE, "stale")
        }
    }
}
