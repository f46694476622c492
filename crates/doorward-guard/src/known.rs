//! What a guard knows of revocations, and how old that knowledge is.
//!
//! ```text
//!   bulletin ──follows what is known?──▶ entries ──▶ "as of" moves on
//!                     │no
//!                     └──▶ a gap: read the log again
//!
//!   token ──▶ revoked? ──no──▶ now − "as of" ≤ bound? ──yes──▶ it counts
//! ```
//!
//! # What this module answers
//!
//! - *A token that ended elsewhere* is refused as soon as its entry is here.
//! - *A feed that was cut, a server that stopped, a process that was frozen*: knowledge has an age.
//!   Beyond the bound nobody is told that a token counts.
//! - *Old news that arrives late*: a bulletin is as old as the moment in which it was made, not as the
//!   one in which it was read.
//! - *Clocks that differ*: which tokens have expired is decided by the issuer's clock, carried on by
//!   this machine's steady one.
//!
//! Nothing here waits or asks the time.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use doorward_wire::revocation::{Bulletin, LogEntry, Revoked};
use doorward_wire::token::AccessClaims;
use doorward_wire::{AccountId, ClientId, SessionId, TokenId, UnixTime};

use crate::moment::Moment;

/// The most entries that are kept. Beyond that nothing is known: the memory of an app is no place for
/// the revocations of a million people.
const ENTRIES_MAX: usize = 1_000_000;

/// How much longer than it can matter an entry is kept, for clocks of whole seconds.
const SPARE: Duration = Duration::from_mins(1);

/// How often entries that have expired are dropped.
const PRUNED_EVERY: Duration = Duration::from_secs(30);

/// Everything known, and since when.
#[derive(Debug, Default)]
pub(crate) struct Known {
    log: String,
    run: String,
    seq: u64,
    as_of: Option<Moment>,
    issuer_clock: Option<(UnixTime, Moment)>,
    pruned_at: Option<Moment>,
    sessions: Until<SessionId, ()>,
    proofs: Until<SessionId, UnixTime>,
    accounts: Until<AccountId, UnixTime>,
    tokens: Until<TokenId, ()>,
    clients: Until<ClientId, UnixTime>,
}

/// What is kept under a name, until when.
#[derive(Debug)]
struct Until<K, V>(HashMap<K, (V, Moment)>);

impl<K, V> Default for Until<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// What was told does not follow what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap;

/// What can be revoked of something that was verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) proved_at: UnixTime,
    /// Its own name, if it has one.
    pub(crate) token: Option<TokenId>,
    /// The client that it was issued to, and when, if that is not the server itself.
    pub(crate) client: Option<(ClientId, UnixTime)>,
}

impl Evidence {
    pub(crate) fn of(claims: &AccessClaims) -> Self {
        Self {
            account: claims.sub,
            session: claims.sid,
            proved_at: claims.auth_time,
            token: Some(claims.jti),
            client: claims.client_id.parse().ok().map(|id| (id, claims.iat)),
        }
    }
}

/// Why a token that was verified is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It was revoked.
    Revoked,
    /// Whether it was, nobody here knows.
    Stale,
}

/// How an issuer's run of milliseconds lies on this machine's clock: a statement of `server` was made
/// at `local`, or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    run: String,
    server: u64,
    pub(crate) local: Moment,
}

impl Anchor {
    /// A statement that was asked for at `asked_at` was made after that.
    pub(crate) fn of(answer: &Bulletin, asked_at: Moment) -> Self {
        Self { run: answer.run.clone(), server: answer.ms, local: asked_at }
    }

    /// The moment in which a statement of the same run was made, or one before it.
    pub(crate) fn made_at(&self, bulletin: &Bulletin) -> Option<Moment> {
        if self.run != bulletin.run {
            return None;
        }
        let local = self.local.0.checked_add(bulletin.ms)?.checked_sub(self.server)?;
        Some(Moment(local))
    }
}

impl Known {
    /// From which entry to read on, if it is a run of the issuer's that is known; else from the
    /// beginning. A database that was put back from a copy comes with another run.
    pub(crate) fn position(&self, answer: &Bulletin) -> u64 {
        if self.is_of(answer) { self.seq } else { 0 }
    }

    /// The last entry that is known.
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    fn is_of(&self, bulletin: &Bulletin) -> bool {
        self.log == bulletin.log && self.run == bulletin.run
    }

    /// Begins another log. What is known of the one before stays: what ended there has ended.
    pub(crate) fn begin(&mut self, answer: &Bulletin) {
        (self.log, self.run) = (answer.log.clone(), answer.run.clone());
        self.seq = 0;
    }

    /// Takes what was told, which was made at `made_at` and read at `now`. `is_answer` says that it
    /// answers a question for what follows [`seq`](Self::seq): entries between have expired.
    pub(crate) fn take(
        &mut self,
        bulletin: &Bulletin,
        is_answer: bool,
        made_at: Option<Moment>,
        now: Moment,
    ) -> Result<(), Gap> {
        if !self.is_of(bulletin) || (bulletin.after > self.seq && !is_answer) {
            return Err(Gap);
        }
        for entry in &bulletin.entries {
            self.add(entry, now);
        }
        self.seq = self.seq.max(bulletin.seq);
        if self.seq < bulletin.head {
            return Ok(());
        }
        self.prune(now);
        if self.entry_count() > ENTRIES_MAX {
            tracing::error!("more revocations than fit into memory: no token is accepted");
            return Ok(());
        }
        if let Some(made_at) = made_at {
            let made_at = made_at.min(now);
            if self.as_of.is_none_or(|as_of| made_at >= as_of) {
                self.as_of = Some(made_at);
                self.issuer_clock = Some((bulletin.iat, made_at));
            }
        }
        Ok(())
    }

    /// An entry is kept by this machine's steady clock, as long from now as it matters from when it
    /// was made: an issuer's clock that steps ahead must not make anything forgotten.
    fn add(&mut self, entry: &LogEntry, now: Moment) {
        let from = entry.revocation.not_before;
        let until = now.after(entry.revocation.expires_at.since(from) + SPARE);
        match entry.revocation.revoked {
            Revoked::Session(sid) => self.sessions.keep(sid, (), until),
            Revoked::Proof(sid) => self.proofs.keep(sid, from, until),
            Revoked::Account(id) => self.accounts.keep(id, from, until),
            Revoked::Token(jti) => self.tokens.keep(jti, (), until),
            Revoked::Client(id) => self.clients.keep(id, from, until),
        }
    }

    fn entry_count(&self) -> usize {
        self.sessions.0.len()
            + self.proofs.0.len()
            + self.accounts.0.len()
            + self.tokens.0.len()
            + self.clients.0.len()
    }

    /// Drops what has expired.
    fn prune(&mut self, now: Moment) {
        if self.pruned_at.is_some_and(|at| now.since(at) < PRUNED_EVERY) {
            return;
        }
        self.pruned_at = Some(now);
        self.sessions.prune(now);
        self.proofs.prune(now);
        self.accounts.prune(now);
        self.tokens.prune(now);
        self.clients.prune(now);
    }

    /// The issuer's time, if it was heard of.
    pub(crate) fn issuer_time(&self, now: Moment) -> Option<UnixTime> {
        self.issuer_clock.map(|(told, at)| told.after(now.since(at)))
    }

    /// How old the knowledge is.
    pub(crate) fn age(&self, now: Moment) -> Option<Duration> {
        self.as_of.map(|as_of| now.since(as_of))
    }

    /// Decides whether something that was verified counts.
    pub(crate) fn check(
        &self,
        shown: &Evidence,
        bound: Duration,
        now: Moment,
    ) -> Result<(), Doubt> {
        let is_before = |from: &UnixTime| shown.proved_at < *from;
        let is_revoked = self.sessions.of(&shown.session).is_some()
            || self.proofs.of(&shown.session).is_some_and(is_before)
            || self.accounts.of(&shown.account).is_some_and(is_before)
            || shown.token.is_some_and(|jti| self.tokens.of(&jti).is_some())
            || shown
                .client
                .is_some_and(|(id, iat)| self.clients.of(&id).is_some_and(|from| iat < *from));
        if is_revoked {
            return Err(Doubt::Revoked);
        }
        if self.age(now).is_none_or(|age| age > bound) {
            return Err(Doubt::Stale);
        }
        Ok(())
    }
}

impl<K: Eq + Hash, V: Copy + Ord> Until<K, V> {
    /// Of two values for one name the later counts, and the longer.
    fn keep(&mut self, name: K, value: V, until: Moment) {
        let kept = self.0.entry(name).or_insert((value, until));
        *kept = (kept.0.max(value), kept.1.max(until));
    }

    fn of(&self, name: &K) -> Option<&V> {
        self.0.get(name).map(|(value, _)| value)
    }

    fn prune(&mut self, now: Moment) {
        self.0.retain(|_, (_, until)| *until > now);
    }
}

#[cfg(test)]
mod tests;
