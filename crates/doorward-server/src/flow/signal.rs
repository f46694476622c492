//! Shared signals: a client's stream, and what it is told.

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::signal::{SIGNALS_SCOPE, STATE_MAX, STREAMS_MAX, Signal, Stream, Told};
use doorward_store::act::StoreFailed;
use doorward_wire::ClientId;
use doorward_wire::jose::Algorithm;
use doorward_wire::secevent::{SecurityEvent, Subject};
use doorward_wire::token::VerifiedClientToken;

use super::issue::{self, IssueError};
use crate::App;
use crate::settings::Site;

/// The most signals in one answer.
pub const TOLD_MAX: usize = 100;

/// The algorithm that events are signed with: the one that every receiver knows.
pub const ALGORITHM: Algorithm = Algorithm::Rs256;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// The client may not.
    #[error("the client may not have a stream of signals")]
    Scope,
    /// There is no such stream, or it is another's.
    #[error("no such stream of this client")]
    Unknown,
    /// The client has one already, or there are as many as may be.
    #[error("the client has a stream, or there is no room for another")]
    Taken,
    /// Signals cannot be sent there.
    #[error("not an address that signals are sent to")]
    Endpoint,
    /// What is to be said again is too long.
    #[error("what is to be said again is too long")]
    State,
    /// It was asked to say that it works too often.
    #[error("it was asked to say that it works too often")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// An event could not be signed.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// Whoever has a stream, or may have one. Only [`receiver`] makes one.
#[derive(Debug)]
pub struct Receiver(ClientId);

/// The client of a token, if that allows it.
pub fn receiver(token: &VerifiedClientToken) -> Result<Receiver, SignalError> {
    if token.allows(SIGNALS_SCOPE) { Ok(Receiver(token.client())) } else { Err(SignalError::Scope) }
}

impl Receiver {
    /// Who is told: the audience of its events.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.to_string()
    }
}

/// Makes a client's stream.
pub async fn create(
    app: &App,
    receiver: &Receiver,
    endpoint: Option<String>,
) -> Result<Stream, SignalError> {
    check_endpoint(app, endpoint.as_deref())?;
    let stream = Stream {
        id: app.ambient.stream_id(),
        client: receiver.0,
        endpoint,
        enabled: true,
        created_at: app.ambient.now(),
    };
    if app.store.add_stream(stream.clone(), STREAMS_MAX).await? {
        Ok(stream)
    } else {
        Err(SignalError::Taken)
    }
}

/// A client's stream, which it may name.
pub async fn find(
    app: &App,
    receiver: &Receiver,
    named: Option<&str>,
) -> Result<Stream, SignalError> {
    let stream = app.store.stream_of(receiver.0).await?.ok_or(SignalError::Unknown)?;
    match named {
        Some(id) if id != stream.id.to_string() => Err(SignalError::Unknown),
        Some(_) | None => Ok(stream),
    }
}

/// Changes where a stream's signals go, and whether they are gathered.
pub async fn change(app: &App, changed: Stream) -> Result<Stream, SignalError> {
    check_endpoint(app, changed.endpoint.as_deref())?;
    if app.store.change_stream(changed.clone()).await? {
        Ok(changed)
    } else {
        Err(SignalError::Unknown)
    }
}

/// Forgets a client's stream, and what waits for it.
pub async fn delete(
    app: &App,
    receiver: &Receiver,
    named: Option<&str>,
) -> Result<(), SignalError> {
    find(app, receiver, named).await?;
    app.store.delete_stream(receiver.0).await?;
    Ok(())
}

/// Has a stream say that it works.
pub async fn verify(app: &App, stream: &Stream, state: Option<String>) -> Result<(), SignalError> {
    if state.as_ref().is_some_and(|state| state.len() > STATE_MAX) {
        return Err(SignalError::State);
    }
    if app.store.verify_stream(stream.id, state, app.ambient.now()).await? {
        Ok(())
    } else {
        Err(SignalError::TooMany)
    }
}

/// What a stream has not acknowledged, signed, oldest first, and whether there is more.
pub async fn waiting(
    app: &App,
    stream: &Stream,
    limit: usize,
) -> Result<(Vec<(String, String)>, bool), SignalError> {
    let limit = limit.min(TOLD_MAX);
    let mut signals = app.store.signals(stream.id, limit.saturating_add(1)).await?;
    let more = signals.len() > limit;
    signals.truncate(limit);
    let mut told = Vec::with_capacity(signals.len());
    for signal in &signals {
        told.push(event(app, stream, signal).await?);
    }
    Ok((told, more))
}

/// Takes the names of events that a stream has heard, or will not hear again. Other names are passed
/// over.
pub async fn acknowledge<'a>(
    app: &App,
    stream: &Stream,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), SignalError> {
    let begin = prefix(app).await?;
    let numbers: Vec<u64> =
        names.filter_map(|name| name.strip_prefix(&*begin)?.parse().ok()).collect();
    if !numbers.is_empty() {
        app.store.acknowledge(stream.id, &numbers).await?;
    }
    Ok(())
}

/// An event, by its name and signed. It has the same name whenever it is told.
async fn event(
    app: &App,
    stream: &Stream,
    signal: &Signal,
) -> Result<(String, String), SignalError> {
    let name = format!("{}{}", prefix(app).await?, signal.number);
    let id = stream.id.to_string();
    let subject = match &signal.what {
        Told::Session(sid) => Subject::Session(*sid),
        Told::Account(account) => Subject::Account(*account),
        Told::Verification(state) => Subject::Stream(&id, state.as_deref()),
    };
    let key = issue::signing_key(app, ALGORITHM, "").await.map_err(IssueError::Key)?;
    let event = SecurityEvent {
        iss: app.settings.site.issuer(),
        aud: &stream.client.to_string(),
        jti: &name,
        iat: app.ambient.now(),
        subject,
        happened_at: signal.at,
    };
    let text = event.sign(&key).map_err(|_| IssueError::Sign)?;
    Ok((name, text))
}

/// What the names of all events of this database begin with: numbers of another mean other events.
async fn prefix(app: &App) -> Result<String, StoreFailed> {
    let log = app.store.log_name().await?;
    Ok(format!("{}-", Base64UrlUnpadded::encode_string(&log)))
}

/// Over HTTPS, to a name; in development to this machine too. Where the name leads is looked at when
/// something is sent.
fn check_endpoint(app: &App, endpoint: Option<&str>) -> Result<(), SignalError> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    let uri: http::Uri = endpoint.parse().map_err(|_| SignalError::Endpoint)?;
    let is_plain = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    let is_near = matches!(app.settings.site, Site::Development { .. })
        && uri.scheme_str() == Some("http")
        && uri.host().is_some_and(crate::settings::is_loopback_name);
    let is_far = uri.scheme_str() == Some("https");
    if endpoint.len() <= 2048 && is_plain && (is_far || is_near) {
        Ok(())
    } else {
        Err(SignalError::Endpoint)
    }
}
