//! The model: what sessions are, in as few words as there are. It knows nothing of any backend.

use std::collections::{BTreeMap, BTreeSet};

use super::request::{DATA_KEYS, Opening, Proof, Renaming, Request};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// How long a used refresh token still gives its successor.
const WINDOW: u64 = 10;
const QUOTA: usize = 64 * 1024;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Ended(u64),
    /// A secret leads to this session, and a check accepts it or does not.
    Found {
        sid: u64,
        accepted: bool,
    },
    Nobody,
    Written {
        version: u64,
        is_new: bool,
    },
    Conflict(u64),
    TooLarge,
    Gone,
    Taken,
    /// The successor that a refresh token gives.
    Successor(u64),
    Unknown,
    Refused,
    Reused(u64),
    Swept(u64),
    /// The store failed: never right.
    Failed(String),
    /// A crash came before it.
    Lost,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Session {
    /// The secret of its cookie.
    pub(super) key: Option<u64>,
    /// Its account, and the epoch it joined.
    pub(super) owner: Option<(u64, u32)>,
    pub(super) remembered: bool,
    pub(super) opened_at: u64,
    pub(super) proved_at: u64,
    pub(super) seen_at: u64,
    pub(super) generation: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) sid: u64,
    /// When it was used first, and the successor it gave.
    used: Option<(u64, u64)>,
    /// The token that gave it.
    giver: Option<u64>,
    is_spent: bool,
}

/// Everything that is true, by the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Model {
    /// The epoch and the password's version of each account.
    pub(super) accounts: BTreeMap<u64, (u32, u32)>,
    pub(super) sessions: BTreeMap<u64, Session>,
    /// The session that answered to a secret before, and until when.
    pub(super) retired: BTreeMap<u64, (u64, u64)>,
    /// Values and versions.
    pub(super) data: BTreeMap<(u64, &'static str), (String, u64)>,
    /// The highest version of what was removed.
    removed: BTreeMap<u64, u64>,
    pub(super) tokens: BTreeMap<u64, Token>,
    /// Sessions that have ended.
    pub(super) log: BTreeSet<u64>,
    /// New proofs of sessions, by how many there were.
    pub(super) proofs: BTreeMap<u64, u64>,
    /// Those whose end is an event, too.
    pub(super) told: BTreeSet<u64>,
}

impl Session {
    fn is_past_limits(&self, now: u64) -> bool {
        let (idle, absolute) = if self.remembered { (14 * DAY, 30 * DAY) } else { (HOUR, DAY) };
        now.saturating_sub(self.seen_at) >= idle || now.saturating_sub(self.opened_at) >= absolute
    }
}

impl Model {
    /// Two accounts, and nobody there.
    pub(super) fn new() -> Self {
        Self {
            accounts: [(1, (0, 0)), (2, (0, 0))].into(),
            sessions: BTreeMap::new(),
            retired: BTreeMap::new(),
            data: BTreeMap::new(),
            removed: BTreeMap::new(),
            tokens: BTreeMap::new(),
            log: BTreeSet::new(),
            proofs: BTreeMap::new(),
            told: BTreeSet::new(),
        }
    }

    /// Does what is asked, if the rules let it happen.
    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Open(opening) => self.open(opening),
            Request::Look { key, at } => self.look(*key, *at),
            Request::Touch { sid, at } => {
                if let Some(session) = self.sessions.get_mut(sid) {
                    session.seen_at = session.seen_at.max(*at);
                }
                Answer::Done
            }
            Request::Write { sid, key, json, only } => self.write((*sid, key), json, *only),
            Request::Remove { sid, key, only } => self.remove((*sid, key), *only),
            Request::Rename(renaming) => self.rename(renaming),
            Request::ChangePassword { renaming, quietly } => {
                self.change_password(renaming, *quietly)
            }
            Request::Refresh { token, successor, at } => self.refresh(*token, *successor, *at),
            Request::End { sid, .. } => Answer::Ended(u64::from(self.end(*sid))),
            Request::EndAll { account, except, .. } => {
                self.move_epoch(*account, *except);
                Answer::Ended(self.end_all(*account, *except))
            }
            Request::Sweep { at, .. } => Answer::Swept(self.dead(*at).len() as u64),
        }
    }

    /// The sessions that no check could accept any more for their age.
    pub(super) fn dead(&self, now: u64) -> Vec<u64> {
        let dead = self.sessions.iter().filter(|(_, session)| session.is_past_limits(now));
        dead.map(|(sid, _)| *sid).collect()
    }

    /// What a sweep that took these comes to, or why it must not have taken them.
    pub(super) fn sweep(&mut self, gone: &[u64], now: u64, limit: usize) -> Result<Answer, String> {
        let dead = self.dead(now);
        if let Some(sid) = gone.iter().find(|sid| !dead.contains(sid)) {
            return Err(format!("a sweep took {sid}, which lives"));
        }
        if gone.len() > limit {
            return Err(format!("a sweep of at most {limit} took {gone:?}"));
        }
        for sid in gone {
            self.forget(*sid);
        }
        Ok(Answer::Swept(gone.len() as u64))
    }

    /// The session that answers to a secret.
    pub(super) fn by_key(&self, key: u64) -> Option<u64> {
        let mut found = self.sessions.iter().filter(|(_, session)| session.key == Some(key));
        found.next().map(|(sid, _)| *sid)
    }

    /// The values of a session, by key.
    pub(super) fn data_of(&self, sid: u64) -> Vec<(&'static str, &str, u64)> {
        let all = self.data.iter().filter(|((of, _), _)| *of == sid);
        all.map(|((_, key), (json, version))| (*key, json.as_str(), *version)).collect()
    }

    /// How many entries the log has.
    pub(super) fn entry_count(&self) -> u64 {
        self.log.len() as u64 + self.proofs.values().sum::<u64>()
    }

    fn is_admitted(&self, by: Proof) -> bool {
        self.accounts.get(&by.account) == Some(&(by.epoch, by.version))
    }

    fn open(&mut self, new: &Opening) -> Answer {
        if new.by.is_some_and(|by| !self.is_admitted(by)) {
            return Answer::Gone;
        }
        let is_known = self.by_key(new.secret).is_some();
        let is_taken =
            if new.has_tokens { self.tokens.contains_key(&new.secret) } else { is_known };
        if is_taken || self.sessions.contains_key(&new.sid) {
            return Answer::Taken;
        }
        // By its secret, or by one from before a new proof.
        let renewed = |key| self.retired.get(&key).map(|(sid, _)| *sid);
        let before = new.over.and_then(|key| self.by_key(key).or_else(|| renewed(key)));
        let session = Session {
            key: (!new.has_tokens).then_some(new.secret),
            owner: new.by.map(|by| (by.account, by.epoch)),
            remembered: new.remembered,
            opened_at: new.at,
            proved_at: new.at,
            seen_at: new.at,
            generation: 0,
        };
        self.sessions.insert(new.sid, session);
        if new.has_tokens {
            self.keep_token(new.secret, new.sid, None);
        }
        if let Some(before) = before {
            if self.sessions[&before].owner.is_none() {
                self.carry(before, new.sid);
            }
            self.end(before);
        }
        Answer::Done
    }

    /// The named values go over with their versions, and no version of another comes again.
    fn carry(&mut self, from: u64, to: u64) {
        for key in &DATA_KEYS[..2] {
            if let Some(datum) = self.data.remove(&(from, key)) {
                self.data.insert((to, key), datum);
            }
        }
        let left = self.data_of(from).iter().map(|(_, _, version)| *version).max().unwrap_or(0);
        self.removed.insert(to, left.max(self.removed(from)));
    }

    fn look(&self, key: u64, now: u64) -> Answer {
        let Some(sid) = self.by_key(key) else { return Answer::Nobody };
        Answer::Found { sid, accepted: self.is_accepted(&self.sessions[&sid], now) }
    }

    fn is_accepted(&self, session: &Session, now: u64) -> bool {
        let is_of_epoch = |(account, epoch)| self.accounts[&account].0 == epoch;
        session.owner.is_none_or(is_of_epoch) && !session.is_past_limits(now)
    }

    fn removed(&self, sid: u64) -> u64 {
        self.removed.get(&sid).copied().unwrap_or(0)
    }

    fn write(&mut self, at: (u64, &'static str), json: &str, only: Option<u64>) -> Answer {
        if !self.sessions.contains_key(&at.0) {
            return Answer::Gone;
        }
        let version = self.data.get(&at).map_or(0, |(_, version)| *version);
        if only.is_some_and(|only| only != version) {
            return Answer::Conflict(version);
        }
        let others = self.data_of(at.0).into_iter().filter(|(key, ..)| *key != at.1);
        let size: usize = others.map(|(key, json, _)| key.len() + json.len()).sum();
        if size + at.1.len() + json.len() > QUOTA {
            return Answer::TooLarge;
        }
        let next = 1 + if version == 0 { self.removed(at.0) } else { version };
        self.data.insert(at, (json.to_owned(), next));
        Answer::Written { version: next, is_new: version == 0 }
    }

    fn remove(&mut self, at: (u64, &'static str), only: Option<u64>) -> Answer {
        if !self.sessions.contains_key(&at.0) {
            return Answer::Gone;
        }
        let version = self.data.get(&at).map_or(0, |(_, version)| *version);
        if only.is_some_and(|only| only != version) {
            return Answer::Conflict(version);
        }
        self.data.remove(&at);
        self.removed.insert(at.0, version.max(self.removed(at.0)));
        Answer::Done
    }

    fn rename(&mut self, new: &Renaming) -> Answer {
        if !self.is_admitted(new.by) {
            return Answer::Gone;
        }
        let Some(kept) = self.sessions.get(&new.sid) else { return Answer::Gone };
        if kept.key != new.read.key || kept.generation != new.read.generation {
            return Answer::Gone;
        }
        if kept.key.is_some() && self.by_key(new.secret).is_some_and(|sid| sid != new.sid) {
            return Answer::Taken;
        }
        let Some(kept) = self.sessions.get_mut(&new.sid) else { return Answer::Gone };
        kept.owner = Some((new.by.account, new.by.epoch));
        kept.proved_at = new.at;
        kept.seen_at = kept.seen_at.max(new.at);
        kept.generation += 1;
        *self.proofs.entry(new.sid).or_default() += 1;
        if let Some(before) = kept.key {
            kept.key = Some(new.secret);
            self.retired.insert(before, (new.sid, new.at));
            return Answer::Done;
        }
        self.tokens.retain(|_, token| token.sid != new.sid);
        self.keep_token(new.secret, new.sid, None);
        Answer::Done
    }

    fn change_password(&mut self, new: &Renaming, quietly: bool) -> Answer {
        if !self.is_admitted(new.by) {
            return Answer::Gone;
        }
        let before = self.clone();
        let epoch = if quietly { new.by.epoch } else { new.by.epoch + 1 };
        let by = Proof { epoch, version: new.by.version + 1, ..new.by };
        self.accounts.insert(by.account, (by.epoch, by.version));
        let renamed = self.rename(&Renaming { by, ..new.clone() });
        if renamed != Answer::Done {
            *self = before;
            return renamed;
        }
        if !quietly {
            self.end_all(by.account, Some(new.sid));
        }
        Answer::Done
    }

    fn keep_token(&mut self, secret: u64, sid: u64, giver: Option<u64>) {
        self.tokens.insert(secret, Token { sid, used: None, giver, is_spent: false });
    }

    fn refresh(&mut self, secret: u64, successor: u64, now: u64) -> Answer {
        let Some(token) = self.tokens.get(&secret).copied() else { return Answer::Unknown };
        if !self.is_accepted(&self.sessions[&token.sid], now) {
            return Answer::Refused;
        }
        let given = match token.used {
            None => {
                if let Some(giver) = token.giver.and_then(|giver| self.tokens.get_mut(&giver)) {
                    giver.is_spent = true;
                }
                self.tokens.insert(secret, Token { used: Some((now, successor)), ..token });
                self.keep_token(successor, token.sid, Some(secret));
                successor
            }
            Some((at, given)) if !token.is_spent && now.saturating_sub(at) < WINDOW => given,
            Some(_) => {
                self.end(token.sid);
                return Answer::Reused(token.sid);
            }
        };
        if let Some(session) = self.sessions.get_mut(&token.sid) {
            session.seen_at = session.seen_at.max(now);
        }
        Answer::Successor(given)
    }

    fn move_epoch(&mut self, account: u64, except: Option<u64>) {
        let Some((epoch, _)) = self.accounts.get_mut(&account) else { return };
        *epoch += 1;
        if let Some(session) = except.and_then(|sid| self.sessions.get_mut(&sid))
            && session.owner == Some((account, *epoch - 1))
        {
            session.owner = Some((account, *epoch));
        }
    }

    fn end_all(&mut self, account: u64, except: Option<u64>) -> u64 {
        let ends = |(sid, session): (&u64, &Session)| {
            let is_theirs = session.owner.is_some_and(|(owner, _)| owner == account);
            (is_theirs && Some(*sid) != except).then_some(*sid)
        };
        let sids: Vec<_> = self.sessions.iter().filter_map(ends).collect();
        for sid in &sids {
            self.end(*sid);
        }
        sids.len() as u64
    }

    fn end(&mut self, sid: u64) -> bool {
        let was_there = self.forget(sid);
        if was_there {
            self.told.insert(sid);
        }
        was_there
    }

    /// The session, all that hangs from it, and an entry in the log.
    fn forget(&mut self, sid: u64) -> bool {
        if self.sessions.remove(&sid).is_none() {
            return false;
        }
        self.retired.retain(|_, (of, _)| *of != sid);
        self.data.retain(|(of, _), _| *of != sid);
        self.tokens.retain(|_, token| token.sid != sid);
        self.removed.remove(&sid);
        self.log.insert(sid);
        true
    }
}
