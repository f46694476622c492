//! What follows from an act by itself, the same for every backend.

use std::collections::HashMap;

use doorward_core::account::{Account, PasswordVersion};
use doorward_core::event::{Event, EventKind};
use doorward_core::revocation::{PlacedToken, Revoked, revoke};
use doorward_core::session::{Lifetimes, LiveSession, Owner, Session, SessionRefusal};
use doorward_core::whereabouts::Whereabouts;
use doorward_wire::{AccountId, EventId, SessionId, UnixTime};

use crate::act::{Ending, Found, NewAccount, NewSession, Page, Presented};

/// The most sessions that one call of a sweep looks at.
pub(crate) const LOOK_MAX: usize = 50_000;

impl Ending {
    /// What the event log says of the `n`th session that ends in one act, counted from 0.
    pub(crate) fn event_of(&self, sid: SessionId, owner: Option<Owner>, n: u64) -> Event {
        Event {
            id: EventId(self.event.id.0.wrapping_add(n.into())),
            account: owner.map(|owner| owner.account).or(self.event.account),
            session: Some(sid),
            ..self.event.clone()
        }
    }
}

impl NewAccount {
    /// Whether the session that it brings, if any, is its own: any other would be opened without a
    /// proof.
    pub(crate) fn brings_its_own_session(&self) -> bool {
        self.session.as_ref().is_none_or(|new| {
            new.session.owner.is_some_and(|owner| owner.account == self.account.id)
        })
    }
}

impl NewSession {
    /// How the end of the replaced session is told. Its event follows the new session's own.
    pub(crate) fn replacing(&self) -> Ending {
        let event = Event {
            id: EventId(self.event.id.0.wrapping_add(1)),
            kind: EventKind::SessionEnded,
            account: None,
            reason: Some("replaced".into()),
            ..self.event.clone()
        };
        Ending { now: self.session.opened_at, event }
    }
}

impl NewSession {
    /// Whose login this is and where it comes from, if it is one.
    pub(crate) fn arrival(&self) -> Option<(AccountId, &Whereabouts)> {
        Some((self.session.owner?.account, self.whereabouts.as_ref()?))
    }

    /// How a login from a new place is told. Its event follows the end of the replaced session.
    pub(crate) fn arriving(&self) -> Event {
        Event {
            id: EventId(self.event.id.0.wrapping_add(2)),
            kind: EventKind::LoginNewPlace,
            reason: None,
            ..self.event.clone()
        }
    }
}

impl Presented {
    /// How the end of the session is told when the token was used before.
    pub(crate) fn reusing(&self) -> Ending {
        Ending { now: self.now, event: self.reuse.clone() }
    }
}

impl Found {
    /// Checks what was found and, if it counts, counts this as a use of it.
    pub(crate) fn renew(
        self,
        lifetimes: &Lifetimes,
        now: UnixTime,
    ) -> Result<LiveSession, SessionRefusal> {
        self.check(lifetimes, now).map(|(live, _)| live.after_use(now))
    }
}

/// Whether an account would let a session of `owner` in whose password was checked at version
/// `proved`.
///
/// A password is checked long before the session is kept: meanwhile it may have been changed, and
/// whoever stole the old one must not get in behind that change.
pub(crate) fn admits(
    account: Option<&Account>,
    owner: Owner,
    proved: Option<PasswordVersion>,
) -> bool {
    account.is_some_and(|account| {
        !account.disabled
            && account.epoch == owner.epoch
            && Some(account.password_version) == proved
    })
}

/// Whether a session is past a limit. As nobody's session it has nothing else to be refused for.
///
/// One from far ahead is refused too, but not past anything: a machine that starts with its clock
/// days behind must not forget everybody before it has asked for the time.
pub(crate) fn past_limits(session: Session, lifetimes: &Lifetimes, now: UnixTime) -> bool {
    let checked = Session { owner: None, ..session }.check(None, lifetimes, now);
    matches!(checked, Err(SessionRefusal::Idle | SessionRefusal::Old))
}

impl<T> Page<T> {
    /// Makes a page of items of which one more than `limit` was asked for.
    pub(crate) fn cut(mut items: Vec<T>, limit: usize) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        Self { items, more }
    }
}

/// Those of the places whose tokens the log ends. By its name each: what is placed is looked at once,
/// and so is what was revoked.
pub(crate) fn revoked_among(
    log: impl Iterator<Item = (Revoked, UnixTime)>,
    placed: Vec<(u64, PlacedToken)>,
) -> Vec<u64> {
    let mut revoked = HashMap::new();
    for (what, not_before) in log {
        let latest = revoked.entry(what).or_insert(not_before);
        *latest = not_before.max(*latest);
    }
    let is_revoked = |token: &PlacedToken| {
        token
            .hangs_from()
            .any(|what| revoked.get(&what).is_some_and(|at| token.ends_by(&revoke(what, *at))))
    };
    placed.into_iter().filter(|(_, token)| is_revoked(token)).map(|(number, _)| number).collect()
}
