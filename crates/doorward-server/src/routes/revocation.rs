//! `/api/v1/revocations`: what counts no longer, for whoever verifies tokens elsewhere.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use doorward_core::grant::REVOCATIONS_SCOPE;
use doorward_wire::sse::{Event, MEDIA_TYPE};
use doorward_wire::token::{TokenRefusal, VerifiedClientToken};
use http::header::{self, HeaderMap, HeaderName};
use http::request::Parts;
use http_body_util::BodyExt;
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use crate::App;
use crate::answer::Problem;
use crate::feed::{self, Listener, Told};
use crate::flow::client;
use crate::flow::identify::{self, Caller, IdentifyError, Refused};
use crate::request::{self, Client, Query};

/// How many entries a page has unless the caller says otherwise, and how many it may have.
const PAGE: usize = 200;

/// How long a reader may take nothing before it is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a reader is asked who it is.
const ASKED_EVERY: Duration = Duration::from_secs(1);

/// What `GET /api/v1/revocations` reads from its query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// Who may follow: an administrator's program, or a client that was given the scope.
#[derive(Debug)]
pub enum Follower {
    /// A program that an administrator signed in.
    Person(Box<Caller>),
    /// A client of its own.
    Client(Box<VerifiedClientToken>),
}

impl FromRequestParts<App> for Follower {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let refused = || Problem::insufficient_scope(REVOCATIONS_SCOPE);
        let from = Client::from_request_parts(parts, app).await?;
        let credential = request::credential(app, &parts.headers, &from);
        if let Some(found) = client::by_credential(app, &credential).await {
            match found {
                Ok(token) if token.allows(REVOCATIONS_SCOPE) => {
                    return Ok(Self::Client(Box::new(token)));
                }
                Ok(_) => return Err(refused()),
                // It says something else than a client's token: an account's, perhaps.
                Err(IdentifyError::Refused(Refused::Token(TokenRefusal::Claims))) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let caller = Caller::from_request_parts(parts, app).await?;
        if caller.allows(REVOCATIONS_SCOPE) && caller.is_program() {
            Ok(Self::Person(Box::new(caller)))
        } else {
            Err(refused())
        }
    }
}

/// `GET /api/v1/revocations`: a page of the log, or with `Accept: text/event-stream` the log as it
/// grows.
pub async fn read(
    State(app): State<App>,
    follower: Follower,
    headers: HeaderMap,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Problem::invalid("?limit", "out-of-range", "limit is from 1 to 200."));
    }
    let after = query.after.unwrap_or(0);
    if accepts_events(&headers) {
        let after = last_event(&headers)?.unwrap_or(after);
        return stream(app, follower, after).await;
    }
    let (told, entries) = feed::read(&app, after, limit).await?;
    let head = told.last().map_or(after, |last| last.head);
    let next = entries.last().map(|last| last.seq).filter(|seq| *seq < head);
    let body = json!({
        "data": entries,
        "next_cursor": next.map(|seq| seq.to_string()),
        "head": head,
        "bulletins": told.iter().map(|told| &told.text).collect::<Vec<_>>(),
    });
    Ok(axum::Json(body).into_response())
}

fn accepts_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| {
        let kind = kind.split_once(';').map_or(kind, |(kind, _)| kind);
        kind.trim().eq_ignore_ascii_case(MEDIA_TYPE)
    })
}

/// The event that the reader saw last, when it comes back by itself.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.parse().ok());
    number.map(Some).ok_or_else(|| {
        Problem::invalid("", "malformed-event-id", "Last-Event-ID is the number of an entry.")
    })
}

async fn stream(app: App, follower: Follower, after: u64) -> Result<Response, Problem> {
    // Before the log is read, so that nothing falls between.
    let listener = feed::listen(&app)?;
    // The first answer is made before the status is sent: whoever is ahead of the log is told so.
    let first = feed::read(&app, after, PAGE).await?.0;
    let (frames, body) = mpsc::channel(4);
    let reader = Reader { app, follower, position: after, frames };
    tokio::spawn(reader.follow(first, listener));
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        // A proxy that gathers would make old news of it (nginx).
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::new(Frames(body).boxed())).into_response())
}

/// One who follows.
struct Reader {
    app: App,
    follower: Follower,
    position: u64,
    frames: mpsc::Sender<Bytes>,
}

/// The reader has gone, or is let go. It comes back and goes on from where it was.
struct Over;

impl Reader {
    async fn follow(mut self, first: Vec<Told>, listener: Listener) {
        // Why it is over matters to nobody here: the end of the stream tells the reader.
        let Err(Over) = self.tell_all(first, listener).await else { return };
    }

    async fn tell_all(&mut self, first: Vec<Told>, mut listener: Listener) -> Result<(), Over> {
        let mut last_head = first.last().map_or(0, |told| told.head);
        for told in &first {
            self.tell(told).await?;
        }
        while self.position < last_head {
            let more = self.read_on().await?;
            last_head = more.last().map_or(self.position, |told| told.head);
            for told in &more {
                self.tell(told).await?;
            }
        }
        let mut asked_at = tokio::time::Instant::now();
        loop {
            let told: Arc<Told> = match listener.news.recv().await {
                Ok(told) => told,
                // Too slow, or the voice has gone.
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Over),
            };
            if self.app.draining.load(std::sync::atomic::Ordering::Relaxed) {
                return Err(Over);
            }
            if asked_at.elapsed() >= ASKED_EVERY {
                asked_at = tokio::time::Instant::now();
                self.may_still_read().await?;
            }
            // What it was told already while it caught up.
            if told.seq >= self.position {
                self.tell(&told).await?;
            }
        }
    }

    async fn read_on(&self) -> Result<Vec<Told>, Over> {
        feed::read(&self.app, self.position, PAGE).await.map(|(told, _)| told).map_err(|failure| {
            tracing::error!(%failure, "a reader of the revocation feed was let go");
            Over
        })
    }

    async fn tell(&mut self, told: &Told) -> Result<(), Over> {
        let event = Event::written(told.seq, "bulletin", &told.text);
        let sent = tokio::time::timeout(PATIENCE, self.frames.send(event.into())).await;
        sent.map_err(|_| Over)?.map_err(|_| Over)?;
        self.position = told.seq;
        Ok(())
    }

    async fn may_still_read(&self) -> Result<(), Over> {
        let asked = match &self.follower {
            Follower::Person(caller) => identify::is_still(&self.app, caller).await,
            Follower::Client(token) => client::is_still(&self.app, token).await,
        };
        asked.map_err(|_| Over)
    }
}

/// A body of what comes.
struct Frames(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|next| next.map(|bytes| Ok(Frame::data(bytes))))
    }
}
