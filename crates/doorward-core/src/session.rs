//! A session: what the server remembers about one login, and the one thing that ends it.
//!
//! ```text
//!            open ───▶ Session ───check───▶ LiveSession ───▶ who is asking
//!                        ▲   │                  │
//!                        │   └──▶ SessionRefusal│
//!                        └────── rename ────────┘
//! ```
//!
//! A [`Session`] comes out of the store and proves nothing. Only [`Session::check`] makes a
//! [`LiveSession`], and the rest of the server asks for nothing less. So no caller can forget the
//! check. The cookie, every access token and every refresh token hang from one session: when it
//! ends, they end.
//!
//! # What this module answers
//!
//! - *Fixation*: a session answers to a [`FreshSecret`], never to what a browser sent, and gets a new
//!   one each time its privilege rises.
//! - *A cookie stolen long ago*: two limits, one on silence and one on age.
//! - *A password changed because of a theft*: the account's [`Epoch`] moves and every older session
//!   is refused, wherever it is kept.
//! - *Two proofs at once*: each rename moves the session's generation, and of two that begin from one
//!   generation the store keeps one.
//! - *A clock that ran far ahead*: what it opened is refused once the clock is right again, and does
//!   not last for years.
//! - *A store under load*: most requests write nothing; see [`LiveSession::touch`].
//! - *An assurance that outlives its reason*: two factors shown this morning are not two factors now;
//!   see [`Lifetimes::assurance_of`].
//!
//! # What is not here
//!
//! No clock, no randomness, no waiting. `doorward-store` remembers; `doorward-server` speaks.

use std::net::IpAddr;
use std::time::Duration;

use doorward_wire::token::LEEWAY;
use doorward_wire::{AccountId, FreshSecret, SecretDigest, SessionId, UnixTime};

pub use self::proof::{Assurance, Method};
use crate::account::{Account, Epoch};
use crate::binding::Bound;
use crate::credential::Proven;
pub use crate::device::Device;
use crate::retired::Retired;

mod proof;
#[cfg(test)]
mod tests;

/// How far ahead of now a session's times may be. Clocks step back by less than this in earnest.
pub const AHEAD_MAX: Duration = Duration::from_hours(24);

/// How long a session may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest silence we forgive.
    pub idle: Duration,
    /// The longest life, however busy.
    pub absolute: Duration,
}

/// The limits of every kind of session, and how often we write that one is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Limits of an ordinary session.
    pub ordinary: Limits,
    /// Limits of a session whose owner asked to stay signed in.
    pub remembered: Limits,
    /// How long two factors count as two. A remembered session goes on after that, at one.
    pub aal2: Limits,
    /// Limits of every session at the highest assurance, whatever its owner asked.
    pub aal3: Limits,
    /// The least time between two writes of `seen_at`. A session may be called idle this much
    /// early, so keep it well under every idle limit.
    pub touch: Duration,
}

impl Default for Lifetimes {
    /// NIST SP 800-63B-4, sections 2.1.3 to 2.3.3: one hour and 24 hours; remembered, 14 days and 30
    /// days; two factors, one hour and 24 hours; at aal3, 15 minutes and 12 hours.
    fn default() -> Self {
        let limits = |idle_minutes, hours| Limits {
            idle: Duration::from_mins(idle_minutes),
            absolute: Duration::from_hours(hours),
        };
        Self {
            ordinary: limits(60, 24),
            remembered: limits(14 * 24 * 60, 30 * 24),
            aal2: limits(60, 24),
            aal3: limits(15, 12),
            touch: Duration::from_mins(1),
        }
    }
}

impl Lifetimes {
    /// The limits of one session: by what its owner asked, and never above its assurance level's.
    #[must_use]
    pub fn of(&self, session: &Session) -> Limits {
        let asked = if session.remembered { self.remembered } else { self.ordinary };
        match session.acr {
            Assurance::Aal1 | Assurance::Aal2 => asked,
            Assurance::Aal3 => Limits {
                idle: asked.idle.min(self.aal3.idle),
                absolute: asked.absolute.min(self.aal3.absolute),
            },
        }
    }

    /// How sure we still are of a session's owner.
    ///
    /// At aal2 a proof is asked for again after a day, or after an hour of silence (section 2.2.3).
    /// An ordinary session is over by then. One that was to be remembered is not: it goes on at one
    /// factor, and what needs two asks for the second again. So nobody is signed out for having
    /// shown more than a password.
    #[must_use]
    pub fn assurance_of(&self, session: &Session, now: UnixTime) -> Assurance {
        let lapsed = now.since(session.proved_at) >= self.aal2.absolute
            || now.since(session.seen_at) >= self.aal2.idle;
        match session.acr {
            Assurance::Aal2 if lapsed => Assurance::Aal1,
            as_proved => as_proved,
        }
    }
}

/// What carries the proof of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// A cookie with the session's secret.
    Cookie,
    /// Signed access tokens and a refresh token.
    Token,
}

impl Carrier {
    /// The carrier's name in JSON and in the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Token => "token",
        }
    }

    /// Reads a carrier's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Cookie, Self::Token].into_iter().find(|carrier| carrier.name() == name)
    }
}

/// Whose a session is. A session without an owner is anonymous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The account's epoch when the session joined it.
    pub epoch: Epoch,
}

/// A session as the store keeps it. It may be stale; [`check`](Self::check) it before you trust it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its public id.
    pub sid: SessionId,
    /// The digest of the cookie's secret. A session carried by tokens has none.
    pub key: Option<SecretDigest>,
    /// Whose it is. Not proof of anything: ask the [`LiveSession`].
    pub owner: Option<Owner>,
    /// What carries it.
    pub carrier: Carrier,
    /// Whether the owner asked to stay signed in.
    pub remembered: bool,
    /// When it was opened. Never moves.
    pub opened_at: UnixTime,
    /// When its owner last proved themselves.
    pub proved_at: UnixTime,
    /// When it was last used, to within [`Lifetimes::touch`].
    pub seen_at: UnixTime,
    /// How many times it was given a new secret.
    pub generation: u32,
    /// How its owner proved themselves.
    pub amr: Vec<Method>,
    /// How sure we are of them.
    pub acr: Assurance,
    /// The key of the one device that it goes on with, once there is one.
    pub bound: Option<Bound>,
}

/// A session that has just passed [`Session::check`], and the account it belongs to.
///
/// Its [`acr`](Session::acr) is what still counts now, which may be less than what was proved.
#[derive(Debug)]
pub struct LiveSession {
    session: Session,
    account: Option<Account>,
    limits: Limits,
    has_lapsed: bool,
}

/// What a use of a session writes: see [`LiveSession::touch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// When it was used. It only ever moves forward.
    pub seen_at: UnixTime,
    /// How sure we still are of its owner. A lapse is written with the use that found it, or the next
    /// request would take the silence for broken and the lapse for undone.
    pub acr: Assurance,
    /// The generation this was found at. What a later proof has shown does not lapse by it.
    pub generation: u32,
    /// Where it was used, if that is known: so that slow travel is no hijack signal.
    pub ip: Option<IpAddr>,
}

impl Touch {
    /// The same use, from this address.
    #[must_use]
    pub fn from(self, ip: Option<IpAddr>) -> Self {
        Self { ip, ..self }
    }

    /// The address that `session` was last used at from now on, if this use is later than all before
    /// it. Ask before it is [applied](Session::apply).
    #[must_use]
    pub fn moves(&self, session: &Session) -> Option<IpAddr> {
        let is_latest = self.seen_at > session.seen_at && self.generation == session.generation;
        self.ip.filter(|_| is_latest)
    }
}

/// Why a session was refused. The browser is told none of this; the event log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionRefusal {
    /// It lay unused for too long.
    Idle,
    /// It was opened too long ago.
    Old,
    /// It was opened or used in what is the far future: the clock ran ahead, and was put right.
    Ahead,
    /// Its account has moved to another epoch.
    Superseded,
    /// Its account is disabled, or has gone.
    OwnerGone,
}

/// What a login asks of its session.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// What will carry it.
    pub carrier: Carrier,
    /// Whether to keep it past the end of the browser's session.
    pub remembered: bool,
}

/// The proof was of someone else. Close this session and open another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnotherOwner;

/// A session under its new secret, and the key that must die as it is kept.
///
/// It is kept only if the session was of the generation before until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// What it answered to before, to be retired in the same act. A session carried by tokens has
    /// none.
    pub retired: Option<Retired>,
    /// The session to keep.
    pub session: Session,
}

impl Renamed {
    /// The same, but the old secret is dead at once: for a change of password, which people make
    /// because somebody else has a copy.
    #[must_use]
    pub fn dead_at_once(self) -> Self {
        let retired = self.retired.map(|retired| Retired { reads: false, ..retired });
        Self { retired, ..self }
    }
}

impl Session {
    /// Opens a session for an owner who has just proved themselves.
    ///
    /// A secret that came from outside cannot become its secret:
    ///
    /// ```compile_fail,E0308
    /// # use doorward_core::{credential::Proven, session::{Session, Wish}, account::Epoch};
    /// # use doorward_wire::{PresentedSecret, SessionId, UnixTime};
    /// # fn fixation(owner: &Proven, epoch: Epoch, wish: Wish, sid: SessionId,
    /// #     chosen_by_attacker: &PresentedSecret, now: UnixTime) {
    /// let _ = Session::open((owner, epoch), wish, (sid, chosen_by_attacker), now);
    /// # }
    /// ```
    #[must_use]
    pub fn open(
        (owner, epoch): (&Proven, Epoch),
        wish: Wish,
        (sid, secret): (SessionId, &FreshSecret),
        now: UnixTime,
    ) -> Self {
        Self {
            owner: Some(Owner { account: owner.account(), epoch }),
            carrier: wish.carrier,
            remembered: wish.remembered,
            amr: vec![owner.method()],
            key: match wish.carrier {
                Carrier::Cookie => Some(secret.digest()),
                Carrier::Token => None,
            },
            ..Self::open_anonymous(sid, secret, now)
        }
    }

    /// Opens a session that is nobody's yet: a basket before login, say.
    #[must_use]
    pub fn open_anonymous(sid: SessionId, secret: &FreshSecret, now: UnixTime) -> Self {
        Self {
            sid,
            key: Some(secret.digest()),
            owner: None,
            carrier: Carrier::Cookie,
            remembered: false,
            opened_at: now,
            proved_at: now,
            seen_at: now,
            generation: 0,
            amr: Vec::new(),
            acr: Assurance::Aal1,
            bound: None,
        }
    }

    /// Decides whether this session still counts. `owner` is its account as the store has it now.
    ///
    /// A limit is refused when it is reached, not once it has passed, as for a token's `exp`
    /// (RFC 7519, section 4.1.4). A clock that steps back by no more than [`AHEAD_MAX`]
    /// forgives. One that steps back further was wrong before: nobody knows how old the session is.
    pub fn check(
        self,
        owner: Option<Account>,
        lifetimes: &Lifetimes,
        now: UnixTime,
    ) -> Result<LiveSession, SessionRefusal> {
        let account = match (self.owner, owner) {
            (None, _) => None,
            (Some(_), None) => return Err(SessionRefusal::OwnerGone),
            (Some(owner), Some(account)) => {
                if account.disabled || account.id != owner.account {
                    return Err(SessionRefusal::OwnerGone);
                }
                // An earlier epoch is refused too: a restored backup can bring one back.
                if account.epoch != owner.epoch {
                    return Err(SessionRefusal::Superseded);
                }
                Some(account)
            }
        };
        let limits = lifetimes.of(&self);
        if self.opened_at.max(self.seen_at).since(now) > AHEAD_MAX {
            return Err(SessionRefusal::Ahead);
        }
        if now.since(self.opened_at) >= limits.absolute {
            return Err(SessionRefusal::Old);
        }
        if now.since(self.seen_at) >= limits.idle {
            return Err(SessionRefusal::Idle);
        }
        let acr = lifetimes.assurance_of(&self, now);
        let has_lapsed = acr != self.acr;
        Ok(LiveSession { session: Self { acr, ..self }, account, limits, has_lapsed })
    }

    /// Uses a touch as every store does: time never moves back, and what a later proof has shown
    /// stays.
    pub fn apply(&mut self, touch: Touch) {
        self.seen_at = self.seen_at.max(touch.seen_at);
        if self.generation == touch.generation {
            self.acr = self.acr.min(touch.acr);
        }
    }
}

impl LiveSession {
    /// The session itself.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Who is asking, or `None` in an anonymous session.
    #[must_use]
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// When it ends, however busy.
    #[must_use]
    pub fn expires_at(&self) -> UnixTime {
        self.session.opened_at.after(self.limits.absolute)
    }

    /// When it ends if nothing more is heard.
    #[must_use]
    pub fn idle_expires_at(&self) -> UnixTime {
        self.session.seen_at.after(self.limits.idle).min(self.expires_at())
    }

    /// Whether the owner proved themselves within `window`: enough for a dangerous act.
    #[must_use]
    pub fn proved_within(&self, window: Duration, now: UnixTime) -> bool {
        now.since(self.session.proved_at) < window
    }

    /// What to write of this use, or `None` if the last write is recent enough.
    #[must_use]
    pub fn touch(&self, lifetimes: &Lifetimes, now: UnixTime) -> Option<Touch> {
        let is_due = now.since(self.session.seen_at) >= lifetimes.touch;
        (is_due || self.has_lapsed).then(|| self.used(now))
    }

    /// What a use writes, whenever the last one was.
    #[must_use]
    pub fn used(&self, now: UnixTime) -> Touch {
        let Session { acr, generation, .. } = self.session;
        Touch { seen_at: now, acr, generation, ip: None }
    }

    /// The same session, used now.
    #[must_use]
    pub fn after_use(mut self, now: UnixTime) -> Self {
        self.session.apply(self.used(now));
        self
    }

    /// Gives the session a new secret after a new proof: the old one must die.
    ///
    /// It joins `epoch`, so whoever changes their password stays signed in here and nowhere else.
    /// It does not live longer: `opened_at` stays.
    pub fn rename(
        &self,
        (owner, epoch): (&Proven, Epoch),
        secret: &FreshSecret,
        now: UnixTime,
    ) -> Result<Renamed, AnotherOwner> {
        if Some(owner.account()) != self.session.owner.map(|owner| owner.account) {
            return Err(AnotherOwner);
        }
        let session = Session {
            key: self.session.key.map(|_| secret.digest()),
            owner: Some(Owner { account: owner.account(), epoch }),
            proved_at: later_proof(self.session.proved_at, now),
            seen_at: now,
            generation: self.session.generation.saturating_add(1),
            ..self.session.clone()
        };
        let retired = self.session.key.map(|key| Retired {
            key,
            at: now,
            reads: true,
            proved_at: self.session.proved_at,
            acr: self.session.acr,
        });
        Ok(Renamed { retired, session })
    }
}

/// When a new proof was given: later than the one before, also within one second, so that what was
/// issued before it is told apart. A time before it that was far ahead was wrong, and is forgotten.
fn later_proof(before: UnixTime, now: UnixTime) -> UnixTime {
    let next = before.after(Duration::from_secs(1));
    if next.since(now) > LEEWAY { now } else { next.max(now) }
}
