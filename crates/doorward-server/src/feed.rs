//! The revocation feed: one voice that tells every reader what counts no longer, and that there is
//! nothing else.
//!
//! ```text
//!   commit ──▶ log ──▶ voice ──signs each bulletin once──▶ reader, reader, reader …
//!                        ▲
//!                        └── every 200 ms, so that silence means something
//! ```
//!
//! # What this module answers
//!
//! - *A verifier that has not heard*: a bulletin is a promise that everything acknowledged before its
//!   time is told. Whoever hears none for a while knows that they know nothing.
//! - *A slow reader*: what waits for readers is bounded and shared. One that falls behind is dropped,
//!   and goes on from where it was.
//! - *Many readers*: a bulletin is signed once for all, and there is a bound to how many listen.

use std::sync::Arc;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::revocation::LogEntry;
use doorward_store::act::StoreFailed;
use doorward_wire::jose::SigningKey;
use doorward_wire::revocation::{Bulletin, ENTRIES_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::Instant;
use tracing::Instrument;

use crate::App;
use crate::flow::issue::{self, IssueError};

/// How often a bulletin is sent when nothing happens. Five of them fit into the second after which a
/// follower believes itself deaf.
pub const BEAT: Duration = Duration::from_millis(200);

/// The most readers at once.
pub const READERS_MAX: usize = 256;

/// How many bulletins may wait for a reader: three seconds of silence, or 2560 revocations.
const BACKLOG: usize = 64;

/// What all readers share.
#[derive(Debug)]
pub(crate) struct Feed {
    run: String,
    places: Arc<Semaphore>,
    voice: parking_lot::Mutex<broadcast::WeakSender<Arc<Told>>>,
}

/// A bulletin as it is sent.
#[derive(Debug)]
pub struct Told {
    /// The entry it follows.
    pub after: u64,
    /// Its last entry.
    pub seq: u64,
    /// The last entry of the log when it was made.
    pub head: u64,
    /// The bulletin, signed.
    pub text: String,
}

/// A reader's place. Until it is dropped, another cannot have it.
#[derive(Debug)]
pub struct Listener {
    /// What is told from now on.
    pub news: broadcast::Receiver<Arc<Told>>,
    _place: OwnedSemaphorePermit,
}

/// Why there is no bulletin.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Every place is taken.
    #[error("there are as many readers of the revocation feed as there may be")]
    Full,
    /// The reader knows more entries than there are: it has followed another log.
    #[error("the log ends before the entry that was asked for")]
    Ahead,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// There is no key, or it did not sign.
    #[error(transparent)]
    Sign(#[from] IssueError),
}

impl Feed {
    /// A feed that nobody listens to yet. `run` names this run of this process.
    pub(crate) fn new(run: [u8; 16]) -> Self {
        Self {
            run: Base64UrlUnpadded::encode_string(&run),
            places: Arc::new(Semaphore::new(READERS_MAX)),
            voice: parking_lot::Mutex::new(broadcast::Sender::new(1).downgrade()),
        }
    }

    pub(crate) fn reader_count(&self) -> usize {
        READERS_MAX - self.places.available_permits()
    }
}

/// Takes a place among the readers, and has the voice speak if it is silent.
pub fn listen(app: &App) -> Result<Listener, FeedError> {
    let feed = app.feed();
    let place = Arc::clone(&feed.places).try_acquire_owned().map_err(|_| FeedError::Full)?;
    let mut voice = feed.voice.lock();
    let news = if let Some(speaking) = voice.upgrade() {
        speaking.subscribe()
    } else {
        let (speaking, news) = broadcast::channel(BACKLOG);
        *voice = speaking.downgrade();
        tokio::spawn(speak(app.clone(), speaking).in_current_span());
        news
    };
    Ok(Listener { news, _place: place })
}

/// Reads the log on from an entry, and says what it found.
///
/// The clock is read before the log: whatever was acknowledged until then is in it, whichever process
/// wrote it.
pub async fn read(
    app: &App,
    after: u64,
    limit: usize,
) -> Result<(Vec<Told>, Vec<LogEntry>), FeedError> {
    let ms = app.ambient.clock.steady_ms();
    // The head before the entries: one that is written in between is beyond this head, and is told next
    // time. The other way round it would be passed over.
    let head = app.store.head().await?;
    let entries = app.store.revocations(after, limit).await?;
    let head = entries.last().map_or(head, |last| last.seq.max(head));
    if after > head {
        return Err(FeedError::Ahead);
    }
    let statement = Statement::new(app, ms, head).await?;
    if entries.is_empty() {
        // Those between have expired, if there were any.
        return Ok((vec![statement.sign(head, &[])?], entries));
    }
    let told = entries.chunks(ENTRIES_MAX).map(|some| statement.sign(some[0].seq - 1, some));
    Ok((told.collect::<Result<_, _>>()?, entries))
}

/// What all bulletins of one look at the log have in common.
struct Statement {
    key: Arc<SigningKey>,
    blank: Bulletin,
}

impl Statement {
    async fn new(app: &App, ms: u64, head: u64) -> Result<Self, FeedError> {
        let key = issue::signing_key(app, app.settings.algorithm, "").await;
        let blank = Bulletin {
            iss: app.settings.site.issuer().to_owned(),
            iat: app.ambient.now(),
            log: Base64UrlUnpadded::encode_string(&app.store.log_name().await?),
            run: app.feed().run.clone(),
            ms,
            keys: Some(app.keys.published().etag.to_string()),
            after: head,
            seq: head,
            head,
            entries: Vec::new(),
        };
        Ok(Self { key: key.map_err(IssueError::Key)?, blank })
    }

    fn sign(&self, after: u64, entries: &[LogEntry]) -> Result<Told, IssueError> {
        let seq = entries.last().map_or(after, |last| last.seq);
        let bulletin = Bulletin { after, seq, entries: entries.to_vec(), ..self.blank.clone() };
        let text = bulletin.sign(&self.key).map_err(|_| IssueError::Sign)?;
        Ok(Told { after, seq, head: bulletin.head, text })
    }
}

/// Tells all readers, as long as there are any.
///
/// A failure tells nothing: then readers hear silence, which is the truth.
async fn speak(app: App, speaking: broadcast::Sender<Arc<Told>>) {
    let mut appended = app.store.appended();
    let mut told_up_to = None;
    let mut next_beat = Instant::now();
    while speaking.receiver_count() > 0 {
        appended.borrow_and_update();
        match news(&app, told_up_to, Instant::now() >= next_beat).await {
            Ok(all) => {
                for told in all {
                    told_up_to = Some(told.seq);
                    next_beat = Instant::now() + BEAT;
                    // Whoever has gone meanwhile hears nothing.
                    let _ = speaking.send(Arc::new(told));
                }
            }
            Err(failure) => {
                tracing::error!(%failure, "the revocation feed is silent");
                next_beat = Instant::now() + BEAT;
            }
        }
        tokio::select! {
            () = tokio::time::sleep_until(next_beat) => {}
            gone = appended.changed() => if gone.is_err() { return },
        }
    }
}

/// What is to be told now: what is new, or at a beat that nothing is.
async fn news(app: &App, told_up_to: Option<u64>, is_beat: bool) -> Result<Vec<Told>, FeedError> {
    let after = match told_up_to {
        Some(after) => after,
        None => app.store.head().await?,
    };
    if !is_beat && app.store.head().await? == after {
        return Ok(Vec::new());
    }
    match read(app, after, ENTRIES_MAX).await {
        Ok((told, _)) => Ok(told),
        // The log is another one now: its readers find out by its name.
        Err(FeedError::Ahead) => Ok(read(app, app.store.head().await?, ENTRIES_MAX).await?.0),
        Err(error) => Err(error),
    }
}
