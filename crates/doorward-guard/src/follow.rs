//! Following an issuer: its keys, and its revocations as they happen.
//!
//! ```text
//!   keys ◀──/.well-known/jwks.json── every five minutes, and when a bulletin or a token names another
//!
//!   ask for a page ──▶ where we are, and how the issuer's clock lies on ours
//!        ▼
//!   open the stream ──bulletin, bulletin, …──▶ Known
//!        ▼ silence, an end, a gap, a refusal
//!   wait a moment, begin again
//! ```
//!
//! Two tasks do this, as long as there is a [`Guard`](crate::Guard) that wants to know.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use bytes::Bytes;
use doorward_wire::jose::{Algorithm, JwkSet, KeySet};
use doorward_wire::json;
use doorward_wire::revocation::{Bulletin, BulletinRefusal};
use doorward_wire::sse;
use http::header::{ACCEPT, AUTHORIZATION, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::credential::{Credential, Purse};
use crate::dial::{Address, Line, NoAnswer};
use crate::known::{Anchor, Gap, Known};
use crate::moment::Moment;

/// How long keys are used before they are asked for again.
const KEYS_LAST: Duration = Duration::from_mins(5);

/// How soon after one question for the keys there may be another.
const KEYS_PAUSE: Duration = Duration::from_secs(1);

/// How long the stream may be silent: five heartbeats.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// How often it is measured anew how the issuer's clock lies on ours. Meanwhile they may drift apart
/// by a few milliseconds.
const ANCHORED_EVERY: Duration = Duration::from_secs(30);

/// How often, while what was measured leaves too much open.
const BEHIND_EVERY: Duration = Duration::from_millis(250);

/// How long a measurement counts beside one that took longer.
const ANCHOR_LASTS: Duration = Duration::from_mins(5);

/// The shortest and the longest wait before a new attempt.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What is known of one issuer.
pub(crate) struct Followed {
    pub(crate) issuer: String,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) bound: Duration,
    pub(crate) address: Address,
    pub(crate) credential: Arc<Credential>,
    published: RwLock<Published>,
    known: RwLock<Known>,
    keys_wanted: Arc<Notify>,
    moved: Notify,
}

/// The issuer's keys as it published them last, and their `ETag`.
#[derive(Default)]
struct Published {
    keys: Arc<KeySet>,
    etag: Option<HeaderValue>,
}

/// Why following was interrupted.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("a bulletin was refused: {0}")]
    Bulletin(#[from] BulletinRefusal),
    #[error("the stream makes no sense")]
    Stream(#[from] sse::BadStream),
    #[error("the stream was silent for longer than a second")]
    Silence,
    #[error("the stream has ended")]
    Ended,
    #[error("entries are missing")]
    Gap,
}

impl From<Gap> for Interrupted {
    fn from(_: Gap) -> Self {
        Self::Gap
    }
}

/// A page of the log.
#[derive(Deserialize)]
struct Page {
    bulletins: Vec<String>,
}

impl Followed {
    /// Begins to follow.
    pub(crate) fn start(
        (issuer, algorithms): (String, Vec<Algorithm>),
        bound: Duration,
        address: Address,
        credential: Credential,
    ) -> Arc<Self> {
        let credential = Arc::new(credential);
        let purse = Purse::new(Arc::clone(&credential));
        let followed = Arc::new(Self {
            issuer,
            algorithms,
            bound,
            address,
            credential,
            published: RwLock::default(),
            known: RwLock::default(),
            keys_wanted: Arc::default(),
            moved: Notify::new(),
        });
        tokio::spawn(keep_keys(Arc::downgrade(&followed)));
        tokio::spawn(follow(Arc::downgrade(&followed), purse));
        followed
    }

    /// The issuer's keys, as far as they are known.
    pub(crate) fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner).keys)
    }

    /// Asks for the keys soon: something named one that is not among them.
    pub(crate) fn want_keys(&self) {
        self.keys_wanted.notify_one();
    }

    /// What is known.
    pub(crate) fn known(&self) -> RwLockReadGuard<'_, Known> {
        // Whoever panicked while it was changed left entries too many at most.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a token could be accepted now.
    pub(crate) fn is_ready(&self) -> bool {
        let age = self.known().age(Moment::now());
        self.keys().key_count() > 0 && age.is_some_and(|age| age <= self.bound)
    }

    /// Waits until a token could be accepted.
    pub(crate) async fn ready(&self) {
        loop {
            let moved = self.moved.notified();
            if self.is_ready() {
                return;
            }
            moved.await;
        }
    }

    fn read(&self, text: &str) -> Result<Bulletin, BulletinRefusal> {
        let read = Bulletin::verify(text, &self.keys(), &self.issuer, &self.algorithms);
        let wants_keys = match &read {
            Ok(bulletin) => bulletin.keys.as_ref().is_some_and(|etag| !self.has_keys_of(etag)),
            Err(refusal) => *refusal == BulletinRefusal::Key,
        };
        if wants_keys {
            self.want_keys();
        }
        read
    }

    fn etag(&self) -> Option<HeaderValue> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).etag.clone()
    }

    fn has_keys_of(&self, etag: &str) -> bool {
        self.etag().is_some_and(|known| known.as_bytes() == etag.as_bytes())
    }

    async fn fetch_keys(&self) -> Result<(), NoAnswer> {
        let mut request = Request::get("/.well-known/jwks.json");
        if let Some(etag) = self.etag() {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let answer = self.address.ask(request.body(Full::default()).map_err(senseless)?).await?;
        match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(()),
            StatusCode::OK => {}
            status => return Err(NoAnswer::Status(status)),
        }
        let set: JwkSet =
            json::strict(answer.body()).map_err(|_| NoAnswer::Senseless("no set of keys"))?;
        let keys =
            KeySet::from_jwks(&set).map_err(|_| NoAnswer::Senseless("two keys of one name"))?;
        let published =
            Published { keys: Arc::new(keys), etag: answer.headers().get(ETAG).cloned() };
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = published;
        self.moved.notify_waiters();
        Ok(())
    }
}

fn senseless(_: http::Error) -> NoAnswer {
    NoAnswer::Senseless("a request that cannot be written")
}

/// Keeps the keys current.
async fn keep_keys(followed: Weak<Followed>) {
    let mut pause = Pause::default();
    loop {
        let Some(followed) = followed.upgrade() else { return };
        match followed.fetch_keys().await {
            Ok(()) => {
                pause = Pause::default();
                let (weak, wanted) = (Arc::downgrade(&followed), Arc::clone(&followed.keys_wanted));
                drop(followed);
                sleep(KEYS_PAUSE).await;
                wait_for_want(&weak, &wanted).await;
            }
            Err(error) => {
                tracing::warn!(%error, issuer = followed.issuer, "keys could not be read");
                drop(followed);
                sleep(pause.next()).await;
            }
        }
    }
}

/// Waits until somebody wants keys, or they have lasted long enough, or nobody is there any more.
async fn wait_for_want(followed: &Weak<Followed>, wanted: &Notify) {
    let until = Instant::now() + KEYS_LAST;
    while Instant::now() < until && followed.strong_count() > 0 {
        if timeout(Duration::from_secs(1), wanted.notified()).await.is_ok() {
            return;
        }
    }
}

/// Follows the revocations.
async fn follow(weak: Weak<Followed>, mut purse: Purse) {
    let mut pause = Pause::default();
    loop {
        let Some(followed) = weak.upgrade() else { return };
        let mut once = Follower { followed, weak: weak.clone(), purse: &mut purse, heard: false };
        if let Err(why) = once.follow_once().await {
            tracing::warn!(%why, "the revocation feed was interrupted");
        }
        if once.heard {
            pause = Pause::default();
        }
        drop(once);
        sleep(pause.next()).await;
    }
}

struct Follower<'a> {
    followed: Arc<Followed>,
    weak: Weak<Followed>,
    purse: &'a mut Purse,
    /// Whether a bulletin came.
    heard: bool,
}

impl Follower<'_> {
    /// Follows until something comes between, or nobody wants to know any more.
    async fn follow_once(&mut self) -> Result<(), Interrupted> {
        if self.followed.keys().key_count() == 0 {
            let _ = timeout(Duration::from_secs(5), self.followed.moved.notified()).await;
        }
        let mut line = self.followed.address.dial().await?;
        let mut anchor = self.catch_up(&mut line).await?;
        let seq = self.followed.known().seq();
        let request = self.request(seq, sse::MEDIA_TYPE).await?;
        let answer = self.answered(line.send(request).await?)?;
        let mut body = answer.into_body();
        let mut reader = sse::Reader::default();
        let mut is_answer = true;
        let mut measured_at = Moment::now();
        let mut measuring: Option<tokio::task::JoinHandle<Option<(Anchor, Bulletin)>>> = None;
        loop {
            let Some(chunk) = self.next_chunk(&mut body).await? else { return Ok(()) };
            for event in reader.read(&chunk)? {
                let bulletin = self.followed.read(&event.text)?;
                self.take(&bulletin, is_answer, &anchor)?;
                is_answer = false;
            }
            if let Some(done) = measuring.take_if(|measuring| measuring.is_finished()) {
                if let Ok(Some((new, answer))) = done.await {
                    anchor = better(anchor, new, &answer);
                }
                measured_at = Moment::now();
            }
            let every = if self.is_behind() { BEHIND_EVERY } else { ANCHORED_EVERY };
            if measuring.is_none() && Moment::now().since(measured_at) >= every {
                measuring = Some(self.measure().await?);
            }
        }
    }

    /// Whether knowledge seems older than it should so soon after a bulletin: the measurement took long,
    /// most likely because the network did just then.
    fn is_behind(&self) -> bool {
        let age = self.followed.known().age(Moment::now());
        age.is_none_or(|age| age > self.followed.bound / 4)
    }

    /// The next bytes of the stream, or `None` when there is no guard any more.
    async fn next_chunk(&mut self, body: &mut Incoming) -> Result<Option<Bytes>, Interrupted> {
        // This task holds the knowledge while it waits: it must not be the last to do so.
        if Arc::strong_count(&self.followed) == 1 {
            return Ok(None);
        }
        let frame = timeout(SILENCE_MAX, body.frame()).await.map_err(|_| Interrupted::Silence)?;
        let frame = frame.ok_or(Interrupted::Ended)?.map_err(NoAnswer::Http)?;
        Ok(Some(frame.into_data().unwrap_or_default()))
    }

    /// Reads the log from where we are to its head, and measures how the clocks lie.
    async fn catch_up(&mut self, line: &mut Line) -> Result<Anchor, Interrupted> {
        let mut after = self.followed.known().seq();
        loop {
            let (asked_at, answer) = self.page(line, after).await?;
            if answer.status() == StatusCode::CONFLICT && after > 0 {
                // Another log, and a shorter one.
                after = 0;
                continue;
            }
            let bulletins = self.bulletins(&answer)?;
            let Some(last) = bulletins.last() else {
                return Err(NoAnswer::Senseless("a page without a bulletin").into());
            };
            let position = self.followed.known().position(last);
            if position != after {
                after = position;
                if position == 0 {
                    self.followed.known_mut().begin(last);
                }
                continue;
            }
            if after == 0 {
                self.followed.known_mut().begin(last);
            }
            let anchor = Anchor::of(last, asked_at);
            for bulletin in &bulletins {
                self.take(bulletin, true, &anchor)?;
            }
            if last.seq == last.head {
                return Ok(anchor);
            }
            after = last.seq;
        }
    }

    fn take(
        &mut self,
        bulletin: &Bulletin,
        is_answer: bool,
        anchor: &Anchor,
    ) -> Result<(), Interrupted> {
        let made_at = anchor.made_at(bulletin);
        self.followed.known_mut().take(bulletin, is_answer, made_at, Moment::now())?;
        self.followed.moved.notify_waiters();
        self.heard = true;
        Ok(())
    }

    /// Measures again, beside the stream.
    async fn measure(
        &mut self,
    ) -> Result<tokio::task::JoinHandle<Option<(Anchor, Bulletin)>>, Interrupted> {
        let seq = self.followed.known().seq();
        let request = self.request(seq, "application/json").await?;
        let (address, weak) = (self.followed.address.clone(), self.weak.clone());
        Ok(tokio::spawn(async move {
            // A measurement that fails is made again; the one before still counts.
            let mut line = address.dial().await.ok()?;
            let asked_at = Moment::now();
            let answer = line.ask(request).await.ok()?;
            let page: Page = json::strict(answer.body()).ok()?;
            let bulletin = weak.upgrade()?.read(page.bulletins.last()?).ok()?;
            Some((Anchor::of(&bulletin, asked_at), bulletin))
        }))
    }

    async fn page(
        &mut self,
        line: &mut Line,
        after: u64,
    ) -> Result<(Moment, Response<Bytes>), Interrupted> {
        let request = self.request(after, "application/json").await?;
        let asked_at = Moment::now();
        let answer = line.ask(request).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::CONFLICT => Ok((asked_at, answer)),
            status => Err(self.refused(status).into()),
        }
    }

    fn bulletins(&self, answer: &Response<Bytes>) -> Result<Vec<Bulletin>, Interrupted> {
        let page: Page = json::strict(answer.body()).map_err(|_| NoAnswer::Senseless("no page"))?;
        let read = page.bulletins.iter().map(|text| self.followed.read(text));
        Ok(read.collect::<Result<_, _>>()?)
    }

    fn answered(&mut self, answer: Response<Incoming>) -> Result<Response<Incoming>, NoAnswer> {
        match answer.status() {
            StatusCode::OK => Ok(answer),
            status => Err(self.refused(status)),
        }
    }

    fn refused(&mut self, status: StatusCode) -> NoAnswer {
        if status == StatusCode::UNAUTHORIZED {
            self.purse.forget();
        }
        NoAnswer::Status(status)
    }

    async fn request(
        &mut self,
        after: u64,
        accept: &str,
    ) -> Result<Request<Full<Bytes>>, NoAnswer> {
        let bearer = self.purse.bearer(&self.followed.address).await?;
        Request::get(format!("/api/v1/revocations?after={after}"))
            .header(ACCEPT, accept)
            .header(AUTHORIZATION, bearer)
            .body(Full::default())
            .map_err(senseless)
    }
}

/// Of two measurements the one that leaves less open, unless it is too old.
fn better(old: Anchor, new: Anchor, answer: &Bulletin) -> Anchor {
    let is_old = new.local.since(old.local) > ANCHOR_LASTS;
    if is_old || old.made_at(answer) <= new.made_at(answer) { new } else { old }
}

/// Longer and longer waits, no two guards' alike: a server that comes back is not stormed.
#[derive(Default)]
struct Pause {
    attempts: u32,
}

impl Pause {
    fn next(&mut self) -> Duration {
        let (shortest, longest) = PAUSE;
        let most = longest.min(shortest * 2_u32.saturating_pow(self.attempts.min(16)));
        self.attempts += 1;
        // Each hasher has keys of its own, which the system draws.
        let drawn = RandomState::new().hash_one(0_u8) % 1024;
        most / 2 + most * u32::try_from(drawn).unwrap_or(0) / 2048
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_bounded_and_differ() {
        let mut pause = Pause::default();
        let waits: Vec<_> = (0..40).map(|_| pause.next()).collect();
        assert!(waits[0] >= PAUSE.0 / 2 && waits[0] <= PAUSE.0);
        assert!(waits.iter().all(|wait| *wait <= PAUSE.1));
        assert!(waits[30..].iter().all(|wait| *wait >= PAUSE.1 / 2));
        assert!(waits[30..].windows(2).any(|two| two[0] != two[1]));
    }
}
