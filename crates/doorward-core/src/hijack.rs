//! Hijack signals: what a stolen session looks like from here.
//!
//! ```text
//!   known by: Firefox, Lyon, 12:00 ─┐
//!                                   ├──judge──▶ nothing, for almost every request
//!   seen:     curl, Sydney, 12:01 ──┘       └──▶ [browser, continent, travel], each: ask, note or off
//! ```
//!
//! A session is known by a device: the one that opened it, or in which its owner last proved
//! themselves, at the address where it was last used. A request that shows another one is perhaps
//! not the owner's.
//!
//! # What this module answers
//!
//! - *A cookie stolen into another browser*: the family of the browser has changed.
//! - *A cookie or a token carried away*: the continent has changed, or nobody could have come here in
//!   so short a time.
//!
//! # What is not here
//!
//! Proof. A thief can copy a `User-Agent` and sit in the next street; an owner can turn on a VPN. So a
//! signal asks for a new proof, and never ends a session.

use doorward_wire::UnixTime;

use crate::device::{Device, Sighting};
use crate::place::{Place, Point};
use crate::session::Carrier;

/// How far a journey must be before its speed is looked at, in kilometres: databases are wrong by
/// less, and telephone networks come out of the ground in odd places.
pub const NEAR_MAX: f64 = 500.0;

/// How fast people travel, in kilometres an hour. Airliners cruise at 900.
pub const SPEED_MAX: f64 = 1000.0;

/// One way in which a request may not look like its session's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// It comes from another family of browsers.
    Browser,
    /// It comes from another continent.
    Continent,
    /// It comes from farther away than anybody could have travelled since.
    Travel,
}

/// What is done about a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reaction {
    /// The request is refused until the owner has proved themselves again.
    #[default]
    Ask,
    /// The request goes through, and the event log has it.
    Note,
    /// Nothing.
    Off,
}

/// What is done about each signal: what the operator decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reactions {
    /// About [`Signal::Browser`].
    pub browser: Reaction,
    /// About [`Signal::Continent`].
    pub continent: Reaction,
    /// About [`Signal::Travel`].
    pub travel: Reaction,
}

/// What a session is known by.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The device.
    pub device: &'a Device,
    /// When it was last used, at the device's address.
    pub seen_at: UnixTime,
    /// What carries it.
    pub carrier: Carrier,
}

/// A signal that is not to be passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// What was noticed.
    pub signal: Signal,
    /// Whether the owner is asked for a new proof; otherwise the event log has it and that is all.
    pub asks: bool,
}

impl Signal {
    /// Its stable name in the event log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Browser => "browser-changed",
            Self::Continent => "continent-changed",
            Self::Travel => "impossible-travel",
        }
    }
}

impl Reaction {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Note => "note",
            Self::Off => "off",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Ask, Self::Note, Self::Off].into_iter().find(|reaction| reaction.name() == name)
    }
}

impl Reactions {
    /// What makes a request of a session suspicious: for almost every one, nothing.
    ///
    /// Most requests show what they showed before, letter by letter, and are let through on that
    /// alone: `place_of` is asked only when the address is another. Programs that hold tokens change
    /// their libraries more often than people change their browsers in the middle of a session, and
    /// hand tokens on to each other, so for them only places count.
    pub fn judge(
        &self,
        known: Known<'_>,
        seen: Sighting<'_>,
        place_of: impl Fn(&str) -> Option<Place>,
        now: UnixTime,
    ) -> Vec<Suspicion> {
        let mut suspicions = Vec::new();
        let mut add = |signal: Option<Signal>, reaction| {
            if let (Some(signal), Reaction::Ask | Reaction::Note) = (signal, reaction) {
                suspicions.push(Suspicion { signal, asks: reaction == Reaction::Ask });
            }
        };
        if known.carrier == Carrier::Cookie && self.browser != Reaction::Off {
            add(browser(known.device, seen), self.browser);
        }
        let looks_at_places = (self.continent, self.travel) != (Reaction::Off, Reaction::Off);
        if looks_at_places && known.device.ip != seen.ip {
            let places = place_of(&known.device.ip).zip(place_of(seen.ip));
            if let Some((before, here)) = &places {
                add(continent(before, here), self.continent);
                add(travel((before, known.seen_at), (here, now)), self.travel);
            }
        }
        suspicions
    }
}

/// Whether the browser is of another family. One that we do not know, or none at all, tells nothing:
/// people hide theirs, and a new version is the same browser.
fn browser(known: &Device, seen: Sighting<'_>) -> Option<Signal> {
    if known.user_agent == seen.user_agent || are_versions(&known.user_agent, seen.user_agent) {
        return None;
    }
    let (before, here) = (known.browser()?, seen.browser()?);
    (before != here).then_some(Signal::Browser)
}

/// Whether two `User-Agent`s differ in numbers alone, as a browser's does once it was updated: for the
/// rest of a long session that is told for each request, and quicker than by looking for names.
fn are_versions(known: &str, seen: &str) -> bool {
    let is_of_word = |byte: &u8| !byte.is_ascii_digit() && *byte != b'.';
    known.bytes().filter(is_of_word).eq(seen.bytes().filter(is_of_word))
}

fn continent(before: &Place, here: &Place) -> Option<Signal> {
    let (before, here) = (before.continent()?, here.continent()?);
    (before != here).then_some(Signal::Continent)
}

/// Whether nobody could have come from there to here in the time between. A clock that has stepped
/// back tells nothing.
fn travel((before, at): (&Place, UnixTime), (here, now): (&Place, UnixTime)) -> Option<Signal> {
    if now < at {
        return None;
    }
    let kilometres = Point::kilometres_to(before.point()?, here.point()?);
    is_impossible(kilometres, now.since(at).as_secs_f64()).then_some(Signal::Travel)
}

fn is_impossible(kilometres: f64, seconds: f64) -> bool {
    kilometres > NEAR_MAX && kilometres * 3600.0 > SPEED_MAX * seconds
}

#[cfg(test)]
mod tests;
