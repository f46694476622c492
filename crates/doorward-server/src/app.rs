//! The app: everything a request may need, in one place.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use doorward_core::credential::PasswordHash;
use doorward_core::event::{Event, EventKind};
use doorward_core::place::Place;
use doorward_core::session::{Device, LiveSession, Session};
use doorward_core::whereabouts::Whereabouts;
use doorward_store::Store;
use doorward_store::act::{Ending, StoreFailed};
use doorward_wire::token::SeenTokens;
use doorward_wire::{AccountId, UnixTime};
use tracing::Instrument;

use crate::ambient::Ambient;
use crate::feed::Feed;
use crate::flow::forward::Said;
use crate::flow::status::SaidLists;
use crate::hashing::HashPool;
use crate::keyring::Keyring;
use crate::pages::onward::Rounds;
use crate::places::Places;
use crate::settings::Settings;
use crate::told::Told;
use crate::touches::{GATHERING, Touches};

/// How many events of a kind that anybody can cause for nothing are written each second, at most.
pub const NOTES_A_SECOND_MAX: u64 = 20;

/// How many verified access tokens are remembered: about 20 MB of them.
const SEEN_TOKENS_MAX: usize = 20_000;

/// Counts the events of this second, for each kind that anybody can cause for nothing. A failed
/// login is not among them: it costs a hash, and the hash pool bounds those.
#[derive(Debug, Default)]
struct NoteBudget {
    ambiguous: SecondCount,
    cross_site: SecondCount,
}

/// The second in the upper bits, the count in the lower 16.
#[derive(Debug, Default)]
struct SecondCount(AtomicU64);

impl NoteBudget {
    fn admits(&self, kind: EventKind, now: UnixTime) -> bool {
        match kind {
            EventKind::CookieAmbiguous => self.ambiguous.admits(now),
            EventKind::CsrfRejected => self.cross_site.admits(now),
            _ => true,
        }
    }
}

impl SecondCount {
    fn admits(&self, now: UnixTime) -> bool {
        let next = |word: u64| {
            let (second, count) = (word >> 16, word & 0xFFFF);
            if second != now.0 {
                return Some((now.0 << 16) | 1);
            }
            (count < NOTES_A_SECOND_MAX).then_some(word + 1)
        };
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

/// Everything a request may need. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    parts: Parts,
    notes: NoteBudget,
    touches: Touches,
    told: Told,
    feed: Feed,
    seen: SeenTokens,
    said: Said,
    rounds: Rounds,
    said_lists: SaidLists,
    probing: tokio::sync::Mutex<()>,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// What the operator decides.
    pub settings: Settings,
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// The clock and the entropy.
    pub ambient: Arc<Ambient>,
    /// The threads that check passwords.
    pub hashing: HashPool,
    /// The keys that sign.
    pub keys: Keyring,
    /// The hash of a password that nobody knows, at today's cost: what is checked when there is no
    /// such account, so that the time taken tells nothing (attack 28).
    pub nobody: PasswordHash,
    /// Where addresses are, if the operator has brought a database.
    pub places: Option<Box<dyn Places>>,
    /// Whether the server has been asked to stop: `/readyz` says no.
    pub draining: AtomicBool,
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let feed = Feed::new(parts.ambient.random());
        Self(Arc::new(Shared {
            parts,
            feed,
            seen: SeenTokens::at_most(SEEN_TOKENS_MAX),
            said: Said::default(),
            rounds: Rounds::default(),
            said_lists: SaidLists::default(),
            notes: NoteBudget::default(),
            touches: Touches::default(),
            told: Told::default(),
            probing: tokio::sync::Mutex::default(),
        }))
    }

    /// The revocation feed.
    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// How many follow the revocations now.
    #[must_use]
    pub fn reader_count(&self) -> usize {
        self.0.feed.reader_count()
    }

    /// The access tokens that were verified of late.
    pub(crate) fn seen_tokens(&self) -> &SeenTokens {
        &self.0.seen
    }

    /// The assertions that were made of late.
    pub(crate) fn said(&self) -> &Said {
        &self.0.said
    }

    /// The status lists that were made of late.
    pub(crate) fn said_lists(&self) -> &SaidLists {
        &self.0.said_lists
    }

    /// How often browsers were sent on to sites of late.
    pub(crate) fn rounds(&self) -> &Rounds {
        &self.0.rounds
    }

    /// A line for the event log, about something that came from a device.
    #[must_use]
    pub fn event(&self, kind: EventKind, from: &Device) -> Event {
        Event {
            id: self.ambient.event_id(),
            at: self.ambient.now(),
            kind,
            account: None,
            session: None,
            ip: Some(from.ip.clone()),
            reason: None,
            device: Some(from.label.clone()),
        }
    }

    /// Where an address seems to be, if there is a database and it knows.
    #[must_use]
    pub fn place_of(&self, ip: &str) -> Option<Place> {
        self.places.as_ref()?.place_of(ip.parse().ok()?)
    }

    /// How the end of a session of `live`'s account is told.
    #[must_use]
    pub fn ending(
        &self,
        reason: &'static str,
        account: Option<AccountId>,
        from: &Device,
    ) -> Ending {
        let event = Event {
            account,
            reason: Some(Cow::Borrowed(reason)),
            ..self.event(EventKind::SessionEnded, from)
        };
        Ending { now: self.ambient.now(), event }
    }

    /// Where an address seems to be, in a person's words.
    #[must_use]
    pub fn place_in_words(&self, ip: &str) -> Option<String> {
        self.place_of(ip)?.words()
    }

    /// Where a device is, roughly.
    #[must_use]
    pub fn whereabouts(&self, device: &Device) -> Whereabouts {
        let place = self.place_of(&device.ip);
        Whereabouts::of(device, place.and_then(|place| place.country().map(str::to_owned)))
    }

    /// Writes an event that belongs to no act, without making the request wait for it.
    ///
    /// Anybody can cause some of these with a request that costs nothing, so of each such kind only
    /// [`NOTES_A_SECOND_MAX`] reach the store each second and the others reach the log alone: a
    /// flood must not fill the disk, nor hide what a login does. A store that cannot write is
    /// failing, and will refuse the acts themselves; the failure is logged.
    pub fn note(&self, event: Event) {
        let app = self.clone();
        if !self.0.notes.admits(event.kind, event.at) {
            let (kind, ip) = (event.kind.name(), event.ip.as_deref().unwrap_or_default());
            let reason = event.reason.as_deref().unwrap_or_default();
            tracing::warn!(kind, ip, reason, "an event was logged here only: there are too many");
            return;
        }
        let writing = async move {
            if let Err(failure) = app.store.note(event).await {
                tracing::error!(%failure, "an event was not written");
            }
        };
        tokio::spawn(writing.in_current_span());
    }

    /// Writes that somebody may have a copy of what opens a session, unless the same was written within
    /// the hour: whoever has one could cause it as often as they like.
    pub fn tell(&self, session: &Session, event: Event) {
        if self.0.told.admits(session, &event) {
            self.note(event);
        }
    }

    /// Asks the store whether it reads and commits. One asks at a time: anybody may ask.
    pub async fn probe(&self) -> Result<(), StoreFailed> {
        let _one_at_a_time = self.0.probing.lock().await;
        self.store.probe(self.ambient.now()).await
    }

    /// Writes that a session is in use, if the last write is old enough, without making the request
    /// wait for it: a moment later, together with the uses of other sessions. An ended session stays
    /// ended. The address goes along: it is where the session was last used.
    pub fn touch(&self, live: &LiveSession, ip: &str) {
        let now = self.ambient.now();
        let Some(touch) = live.touch(&self.settings.lifetimes, now) else { return };
        if !self.0.touches.add(live.session().sid, touch.from(ip.parse().ok())) {
            return;
        }
        let app = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(GATHERING).await;
            app.write_touches().await;
        });
    }

    /// Writes what [`touch`](Self::touch) has gathered. Before a stop, so that nothing is left.
    ///
    /// What cannot be written is written by the next use: `seen_at` has not moved.
    pub async fn write_touches(&self) {
        for slice in self.0.touches.take() {
            if let Err(failure) = self.store.touch(slice).await {
                tracing::error!(%failure, "the last uses of some sessions were not written");
            }
        }
    }
}

impl std::ops::Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(…)")
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_cut_each_second_and_hides_no_other() {
        let notes = NoteBudget::default();
        let admitted =
            |kind, now| (0..200).filter(|_| notes.admits(kind, UnixTime(now))).count() as u64;
        let now = 1_800_000_000;
        assert_eq!(admitted(EventKind::CookieAmbiguous, now), NOTES_A_SECOND_MAX);
        assert_eq!(admitted(EventKind::CsrfRejected, now), NOTES_A_SECOND_MAX);
        assert_eq!(admitted(EventKind::LoginFailed, now), 200);
        assert_eq!(admitted(EventKind::CookieAmbiguous, now + 1), NOTES_A_SECOND_MAX);
    }
}
