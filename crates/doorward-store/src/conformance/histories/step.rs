//! Steps: what a history is made of, drawn from a seed; and what a step asks for once it is known
//! what is there.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Answer, Model, Session};
use super::request::{DATA_KEYS, Opening, Proof, Renaming, Request};

/// A step. It names sessions by how recently they were opened, so that it keeps a meaning when steps
/// before it are taken away.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// So many seconds pass, or a clock steps back.
    Pass(i64),
    One(Act),
    AtOnce(Vec<Act>),
    /// A crash while an act is under way, after so many looks at it.
    Crash {
        during: Act,
        after_polls: u8,
    },
}

/// An act. The `who`th is the one opened last but so many.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Open { account: Option<u64>, carrier: Carrier, remembered: bool, over: Option<u8>, odd: Odd },
    Look { secret: u8 },
    Touch { who: u8 },
    Write { who: u8, key: u8, only: Only, is_big: bool },
    Remove { who: u8, key: u8, only: Only },
    Rename { who: u8, odd: Odd },
    ChangePassword { who: u8, quietly: bool, odd: Odd },
    Refresh { token: u8 },
    End { who: u8 },
    EndAll { account: u64, except: Option<u8> },
    Sweep { limit: usize },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Cookie,
    Tokens,
}

/// What is odd about an act, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    Nothing,
    /// The password was checked when the history began.
    ProvedLongAgo,
    /// The session was read when it was opened.
    ReadLongAgo,
    /// The secret is another session's.
    TakenSecret,
}

/// The condition of a write.
#[derive(Clone, Copy, Debug)]
pub(super) enum Only {
    Always,
    /// If the version is the one there is now: of several at once, one wins.
    IfAsRead,
    If(u64),
}

/// What a history knows of itself: everything it ever asked for.
#[derive(Default)]
pub(super) struct Known {
    now: u64,
    pub(super) sids: Vec<u64>,
    pub(super) secrets: Vec<u64>,
    pub(super) tokens: Vec<u64>,
    pub(super) ended: BTreeSet<u64>,
    /// Each session as it was after it was opened, and after each new secret.
    readings: BTreeMap<u64, Vec<Session>>,
    /// Every version that a write was told.
    versions: BTreeSet<(u64, &'static str, u64)>,
}

/// When histories begin: late enough for clocks to step back.
const BEGIN: u64 = 100_000;

impl Known {
    pub(super) fn pass(&mut self, seconds: i64) {
        self.now = self.now.saturating_add_signed(seconds);
    }

    fn now(&self) -> u64 {
        BEGIN + self.now
    }

    /// What an act asks for, as number `n` of its history; none if there is nobody to do it.
    pub(super) fn request(&self, act: &Act, model: &Model, n: u64) -> Option<Request> {
        let at = self.now();
        Some(match *act {
            Act::Open { account, carrier, remembered, over, odd } => {
                let has_tokens = carrier == Carrier::Tokens;
                let live =
                    if has_tokens { self.live_token(model) } else { self.live_secret(model, None) };
                let taken = live.filter(|_| odd == Odd::TakenSecret);
                Request::Open(Opening {
                    sid: n,
                    secret: taken.unwrap_or(n),
                    by: account.map(|account| proof(account, odd, model)),
                    has_tokens: has_tokens && account.is_some(),
                    remembered,
                    over: over.and_then(|back| pick(&self.secrets, back)),
                    at,
                    n,
                })
            }
            Act::Look { secret } => Request::Look { key: pick(&self.secrets, secret)?, at },
            Act::Touch { who } => Request::Touch { sid: pick(&self.sids, who)?, at },
            Act::Write { who, key, only, is_big } => {
                let (sid, key) = (pick(&self.sids, who)?, DATA_KEYS[usize::from(key)]);
                let json = if is_big { "7".repeat(40_000) } else { n.to_string() };
                Request::Write { sid, key, json, only: version(only, (sid, key), model) }
            }
            Act::Remove { who, key, only } => {
                let (sid, key) = (pick(&self.sids, who)?, DATA_KEYS[usize::from(key)]);
                Request::Remove { sid, key, only: version(only, (sid, key), model) }
            }
            Act::Rename { who, odd } => Request::Rename(self.renaming((who, odd), model, n)?),
            Act::ChangePassword { who, quietly, odd } => {
                Request::ChangePassword { renaming: self.renaming((who, odd), model, n)?, quietly }
            }
            Act::Refresh { token } => {
                Request::Refresh { token: pick(&self.tokens, token)?, successor: n, at }
            }
            Act::End { who } => Request::End { sid: pick(&self.sids, who)?, n },
            Act::EndAll { account, except } => {
                let except = except.and_then(|back| pick(&self.sids, back));
                Request::EndAll { account, except, n }
            }
            Act::Sweep { limit } => Request::Sweep { at, limit },
        })
    }

    fn renaming(&self, (who, odd): (u8, Odd), model: &Model, n: u64) -> Option<Renaming> {
        let sid = pick(&self.sids, who)?;
        let readings = self.readings.get(&sid)?;
        let read =
            if odd == Odd::ReadLongAgo { readings.first() } else { readings.last() }?.clone();
        let (account, _) = read.owner?;
        let taken = self.live_secret(model, Some(sid)).filter(|_| odd == Odd::TakenSecret);
        let secret = taken.filter(|_| read.key.is_some()).unwrap_or(n);
        let by = proof(account, odd, model);
        Some(Renaming { sid, read, secret, by, at: self.now(), n })
    }

    /// A secret that a session answers to, but not this one.
    fn live_secret(&self, model: &Model, except: Option<u64>) -> Option<u64> {
        let of_another = |key: &u64| model.by_key(*key).is_some_and(|sid| Some(sid) != except);
        self.secrets.iter().copied().find(of_another)
    }

    fn live_token(&self, model: &Model) -> Option<u64> {
        self.tokens.iter().copied().find(|token| model.tokens.contains_key(token))
    }

    /// Remembers what a request names, whatever comes of it.
    pub(super) fn name(&mut self, request: &Request) {
        let (list, secret) = match request {
            Request::Open(new) => {
                self.sids.push(new.sid);
                (if new.has_tokens { &mut self.tokens } else { &mut self.secrets }, new.secret)
            }
            Request::Rename(new) | Request::ChangePassword { renaming: new, .. } => {
                let has_tokens = new.read.key.is_none();
                (if has_tokens { &mut self.tokens } else { &mut self.secrets }, new.secret)
            }
            Request::Refresh { successor, .. } => (&mut self.tokens, *successor),
            Request::Look { .. }
            | Request::Touch { .. }
            | Request::Write { .. }
            | Request::Remove { .. }
            | Request::End { .. }
            | Request::EndAll { .. }
            | Request::Sweep { .. } => return,
        };
        if !list.contains(&secret) {
            list.push(secret);
        }
    }

    /// Learns what a request came to, where `model` is how things are since.
    pub(super) fn learn(
        &mut self,
        request: &Request,
        answer: &Answer,
        model: &Model,
    ) -> Result<(), String> {
        if let Request::Write { sid, key, .. } = request
            && let Answer::Written { version, .. } = answer
            && !self.versions.insert((*sid, key, *version))
        {
            return Err(format!("{key} of {sid} was given version {version} twice"));
        }
        for (sid, session) in &model.sessions {
            let readings = self.readings.entry(*sid).or_default();
            if readings.last().is_none_or(|last| last.generation != session.generation) {
                readings.push(session.clone());
            }
        }
        let was_there = self.readings.keys().filter(|sid| !model.sessions.contains_key(sid));
        self.ended.extend(was_there);
        Ok(())
    }
}

fn proof(account: u64, odd: Odd, model: &Model) -> Proof {
    let (epoch, version) =
        if odd == Odd::ProvedLongAgo { (0, 0) } else { model.accounts[&account] };
    Proof { account, epoch, version }
}

fn version(only: Only, at: (u64, &'static str), model: &Model) -> Option<u64> {
    match only {
        Only::Always => None,
        Only::IfAsRead => Some(model.data.get(&at).map_or(0, |(_, version)| *version)),
        Only::If(version) => Some(version),
    }
}

/// The last of them but so many.
fn pick(all: &[u64], back: u8) -> Option<u64> {
    let back = usize::from(back) % all.len().max(1);
    all.iter().rev().nth(back).copied()
}

impl Step {
    /// Whether everything is compared after it even when not asked to.
    pub(super) fn is_watched(&self) -> bool {
        let ends = |act: &Act| {
            matches!(act, Act::End { .. } | Act::EndAll { .. } | Act::ChangePassword { .. })
        };
        match self {
            Self::One(act) => ends(act),
            Self::Pass(_) | Self::AtOnce(_) | Self::Crash { .. } => false,
        }
    }
}

/// Draws the steps of a history.
pub(super) fn draw(seed: u64) -> Vec<Step> {
    let mut dice = Dice(seed.wrapping_mul(0xA076_1D64_78BD_642F));
    let count = 6 + dice.roll(12);
    let opening = Step::One(dice.open());
    let rest = (0..count).map(|_| match dice.roll(32) {
        0..=3 => Step::Pass(dice.seconds()),
        4..=9 => {
            let count = 2 + dice.roll(2);
            Step::AtOnce((0..count).map(|_| dice.act_beside_others()).collect())
        }
        10 => Step::Crash { during: dice.act_beside_others(), after_polls: dice.small(4) },
        _ => Step::One(dice.act()),
    });
    let rest: Vec<_> = rest.collect();
    [opening].into_iter().chain(rest).collect()
}

/// `SplitMix64`: enough to draw acts with, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn small(&mut self, sides: u8) -> u8 {
        u8::try_from(self.roll(sides.into())).unwrap_or(0)
    }

    /// How far back: mostly not far, so that acts meet.
    fn back(&mut self) -> u8 {
        self.small(6).min(self.small(6)).min(self.small(6))
    }

    fn seconds(&mut self) -> i64 {
        const HOUR: i64 = 60 * 60;
        let some = [1, 9, 10, 11, 60, HOUR - 1, HOUR, 2 * HOUR, 24 * HOUR - 1, 24 * HOUR];
        match self.roll(8) {
            0 => -30,
            1 => 14 * 24 * HOUR,
            2 => 30 * 24 * HOUR,
            _ => some[usize::from(self.small(10))],
        }
    }

    fn odd(&mut self) -> Odd {
        match self.roll(10) {
            0 => Odd::ProvedLongAgo,
            1 => Odd::ReadLongAgo,
            2 => Odd::TakenSecret,
            _ => Odd::Nothing,
        }
    }

    fn only(&mut self) -> Only {
        match self.roll(5) {
            0..=1 => Only::Always,
            2..=3 => Only::IfAsRead,
            _ => Only::If(self.roll(4)),
        }
    }

    fn account(&mut self) -> u64 {
        1 + u64::from(self.one_in(4))
    }

    fn open(&mut self) -> Act {
        Act::Open {
            account: (!self.one_in(3)).then(|| self.account()),
            carrier: if self.one_in(3) { Carrier::Tokens } else { Carrier::Cookie },
            remembered: self.one_in(3),
            over: self.one_in(2).then(|| self.back()),
            odd: self.odd(),
        }
    }

    fn act(&mut self) -> Act {
        match self.roll(24) {
            0..=4 => self.open(),
            5..=6 => Act::Look { secret: self.back() },
            7 => Act::Touch { who: self.back() },
            8..=10 => Act::Write {
                who: self.back(),
                key: self.small(3),
                only: self.only(),
                is_big: self.one_in(16),
            },
            11 => Act::Remove { who: self.back(), key: self.small(3), only: self.only() },
            12..=13 => Act::Rename { who: self.back(), odd: self.odd() },
            14..=15 => {
                Act::ChangePassword { who: self.back(), quietly: self.one_in(2), odd: self.odd() }
            }
            16..=18 => Act::Refresh { token: self.back() },
            19..=20 => Act::End { who: self.back() },
            21 => {
                let except = self.one_in(2).then(|| self.back());
                Act::EndAll { account: self.account(), except }
            }
            _ => Act::Sweep { limit: 1 + usize::from(self.small(3)) },
        }
    }

    /// An act whose outcome does not hang on what is beside it in a way that no rule speaks of: a
    /// sweep may take any of the dead, and nobody draws a secret that is another's.
    fn act_beside_others(&mut self) -> Act {
        loop {
            let act = self.act();
            let is_odd = matches!(
                act,
                Act::Sweep { .. }
                    | Act::Open { odd: Odd::TakenSecret, .. }
                    | Act::Rename { odd: Odd::TakenSecret, .. }
                    | Act::ChangePassword { odd: Odd::TakenSecret, .. }
            );
            if !is_odd {
                return act;
            }
        }
    }
}
