//! A history told to a store: requests become acts, and rows become numbers again.

use std::collections::BTreeSet;

use doorward_core::data::Precondition;
use doorward_core::event::{Event, EventKind};
use doorward_core::retired::Retired;
use doorward_core::revocation::Revoked;
use doorward_core::session::{self as core, Lifetimes, Renamed};
use doorward_wire::SessionId;

use super::super::sample::{
    Tried, account, after, anonymous, data_key, device, password, presented, refresh_token, secret,
    used,
};
use super::model::{Answer, Model, Session};
use super::names::{NUMBERS, Names};
use super::request::{DATA_KEYS, Opening, Proof, Renaming, Request};
use super::step::Known;
use crate::act::{
    DataError, NewSecret, NewSession, PasswordChange, RotateError, SessionError, StoreFailed,
};

/// Keeps the two accounts of a history, and returns the number of the newest revocation.
pub(super) async fn begin(store: &Tried, names: Names) -> u64 {
    for n in [1, 2] {
        let mut new = account(names.number_of(n), &format!("person-{}", names.number_of(n)));
        new.event = names.event(NUMBERS - n);
        store.open_account(new).await.unwrap();
    }
    store.head().await.unwrap()
}

/// Asks the store.
pub(super) async fn ask(store: &Tried, request: &Request, names: Names) -> Answer {
    let asked = match request {
        Request::Open(new) => opened(store.open_session(opening(new, names)).await),
        Request::Look { key, at } => look(store, (*key, *at), names).await,
        Request::Touch { sid, at } => {
            let touches = vec![(names.sid(*sid), used(after(*at)))];
            store.touch(touches).await.map(|()| Answer::Done)
        }
        Request::Write { sid, key, json, only } => {
            let (sid, key) = (names.sid(*sid), data_key(key));
            let written = store.write_datum(sid, &key, json, condition(*only)).await;
            written_as(written.map(|it| Answer::Written { version: it.version, is_new: it.is_new }))
        }
        Request::Remove { sid, key, only } => {
            let (sid, key) = (names.sid(*sid), data_key(key));
            let removed = store.remove_datum(sid, &key, condition(*only)).await;
            written_as(removed.map(|()| Answer::Done))
        }
        Request::Rename(new) => opened(store.rename(renaming(new, new.by.epoch, names)).await),
        Request::ChangePassword { renaming, quietly } => {
            opened(store.change_password(password_change(renaming, *quietly, names)).await)
        }
        Request::Refresh { token, successor, at } => {
            refresh(store, (*token, *successor, *at), names).await
        }
        Request::End { sid, n } => {
            let ended = store.end_session(names.sid(*sid), names.ending(*n)).await;
            ended.map(|was_there| Answer::Ended(was_there.into()))
        }
        Request::EndAll { account, except, n } => {
            let except = except.map(|sid| names.sid(sid));
            let ending = names.ending(*n);
            let ended = store.end_sessions_of(names.account(*account), except, ending).await;
            ended.map(Answer::Ended)
        }
        Request::Sweep { at, limit } => {
            let swept = store.sweep(&Lifetimes::default(), after(*at), *limit).await;
            swept.map(|swept| Answer::Swept(swept.forgotten))
        }
    };
    asked.unwrap_or_else(|failure| Answer::Failed(failure.to_string()))
}

fn opening(new: &Opening, names: Names) -> NewSession {
    let kept = Session {
        key: (!new.has_tokens).then_some(new.secret),
        owner: new.by.map(|by| (by.account, by.epoch)),
        remembered: new.remembered,
        opened_at: new.at,
        proved_at: new.at,
        seen_at: new.at,
        generation: 0,
    };
    NewSession {
        session: names.session(new.sid, &kept),
        proved: new.by.map(|by| names.proof(by).1),
        refresh: new.has_tokens.then(|| token(new.sid, new.secret, names)),
        replaces: new.over.map(|key| names.key(key)),
        carry: DATA_KEYS[..2].iter().map(|key| data_key(key)).collect(),
        event: names.event(new.n),
        ..anonymous(0)
    }
}

fn token(sid: u64, secret: u64, names: Names) -> doorward_core::refresh::RefreshToken {
    let mut token = refresh_token(0, names.number_of(secret));
    token.sid = names.sid(sid);
    token
}

fn renaming(new: &Renaming, epoch: u32, names: Names) -> NewSecret {
    let read = names.session(new.sid, &new.read);
    let session = core::Session {
        key: read.key.map(|_| names.key(new.secret)),
        owner: Some(names.proof(Proof { epoch, ..new.by }).0),
        proved_at: after(new.at),
        seen_at: after(new.at),
        generation: read.generation + 1,
        ..read
    };
    let (proved_at, acr) = (read.proved_at, read.acr);
    let retired =
        read.key.map(|key| Retired { key, at: after(new.at), reads: true, proved_at, acr });
    NewSecret {
        renamed: Renamed { retired, session },
        device: device(),
        proved: names.proof(new.by).1,
        refresh: read.key.is_none().then(|| token(new.sid, new.secret, names)),
        event: Event { at: after(new.at), ..names.event(new.n) },
    }
}

fn password_change(new: &Renaming, quietly: bool, names: Names) -> PasswordChange {
    let epoch = if quietly { new.by.epoch } else { new.by.epoch + 1 };
    let (owner, version) = names.proof(new.by);
    let NewSecret { renamed, refresh, event, .. } = renaming(new, epoch, names);
    PasswordChange {
        account: owner.account,
        expected: owner.epoch,
        expected_password: version,
        password: password(2),
        device: device(),
        renamed,
        refresh,
        event,
        ended: names.ending(new.n),
    }
}

fn condition(only: Option<u64>) -> Precondition {
    only.map_or(Precondition::Any, Precondition::Version)
}

fn opened(result: Result<(), SessionError>) -> Result<Answer, StoreFailed> {
    match result {
        Ok(()) => Ok(Answer::Done),
        Err(SessionError::Taken) => Ok(Answer::Taken),
        Err(SessionError::Gone) => Ok(Answer::Gone),
        Err(SessionError::Failed(failure)) => Err(failure),
    }
}

fn written_as(result: Result<Answer, DataError>) -> Result<Answer, StoreFailed> {
    match result {
        Ok(answer) => Ok(answer),
        Err(DataError::Gone) => Ok(Answer::Gone),
        Err(DataError::Conflict(version)) => Ok(Answer::Conflict(version)),
        Err(DataError::TooLarge) => Ok(Answer::TooLarge),
        Err(DataError::Failed(failure)) => Err(failure),
    }
}

async fn look(store: &Tried, (key, at): (u64, u64), names: Names) -> Result<Answer, StoreFailed> {
    let Some(found) = store.session_by_key(names.key(key)).await? else {
        return Ok(Answer::Nobody);
    };
    let sid = names.number(found.session.sid).unwrap_or(u64::MAX);
    let accepted = found.check(&Lifetimes::default(), after(at)).is_ok();
    Ok(Answer::Found { sid, accepted })
}

async fn refresh(
    store: &Tried,
    (token, successor, at): (u64, u64, u64),
    names: Names,
) -> Result<Answer, StoreFailed> {
    let mut asked = presented(&secret(names.number_of(token)), 0, after(at));
    // The salt tells which use it was, and with it which successor.
    asked.salt[..8].copy_from_slice(&successor.to_be_bytes());
    asked.successor = names.key(successor);
    asked.reuse = Event { kind: EventKind::TokenReuseDetected, ..names.event(successor) };
    match store.rotate(asked).await {
        Ok(rotated) => {
            let number = rotated.salt.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
            Ok(Answer::Successor(number.unwrap_or(u64::MAX)))
        }
        Err(RotateError::Unknown) => Ok(Answer::Unknown),
        Err(RotateError::Refused(_) | RotateError::Withheld | RotateError::Key) => {
            Ok(Answer::Refused)
        }
        Err(RotateError::Reused(sid)) => Ok(Answer::Reused(names.number(sid).unwrap_or(u64::MAX))),
        Err(RotateError::Failed(failure)) => Err(failure),
    }
}

/// Those of the model's sessions that the store has not.
pub(super) async fn gone(store: &Tried, model: &Model, names: Names) -> Vec<u64> {
    let mut gone = Vec::new();
    for sid in model.sessions.keys() {
        if store.session(names.sid(*sid)).await.unwrap().is_none() {
            gone.push(*sid);
        }
    }
    gone
}

/// Reads everything that a history can know of, and says where it is not as the model has it.
pub(super) async fn difference(
    store: &Tried,
    model: &Model,
    known: &Known,
    (names, head): (Names, u64),
) -> Option<String> {
    let reading = Reading { store, model, known, names };
    match reading.all(head).await {
        Ok(differences) => differences.into_iter().next(),
        Err(failure) => Some(failure.to_string()),
    }
}

struct Reading<'a> {
    store: &'a Tried,
    model: &'a Model,
    known: &'a Known,
    names: Names,
}

impl Reading<'_> {
    async fn all(&self, head: u64) -> Result<Vec<String>, StoreFailed> {
        let mut differences = Vec::new();
        self.sessions(&mut differences).await?;
        self.secrets(&mut differences).await?;
        self.accounts(&mut differences).await?;
        self.ends(head, &mut differences).await?;
        Ok(differences)
    }

    async fn sessions(&self, differences: &mut Vec<String>) -> Result<(), StoreFailed> {
        for sid in self.model.sessions.keys().chain(&self.known.ended) {
            let found = self.store.session(self.names.sid(*sid)).await?.map(|found| found.session);
            if found.is_some() && self.known.ended.contains(sid) {
                differences.push(format!("session {sid} has ended, and is there again"));
            }
            let expected = self.model.sessions.get(sid).map(|it| self.names.session(*sid, it));
            note(differences, &format!("session {sid}"), &found, &expected);
            let data = self.store.data(self.names.sid(*sid)).await?;
            let data: Vec<_> = data
                .iter()
                .map(|(key, datum)| (key.as_str(), datum.json.as_str(), datum.version))
                .collect();
            note(differences, &format!("data of {sid}"), &data, &self.model.data_of(*sid));
        }
        Ok(())
    }

    async fn secrets(&self, differences: &mut Vec<String>) -> Result<(), StoreFailed> {
        for key in &self.known.secrets {
            let digest = self.names.key(*key);
            let found = self.store.session_by_key(digest).await?;
            let found = found.map(|found| found.session.sid);
            let expected = self.model.by_key(*key).map(|sid| self.names.sid(sid));
            note(differences, &format!("who answers to secret {key}"), &found, &expected);
            let found = self.store.session_by_retired_key(digest).await?;
            let found = found.map(|(found, retired)| (found.session.sid, retired.at));
            let expected = self.model.retired.get(key);
            let expected = expected.map(|(sid, at)| (self.names.sid(*sid), after(*at)));
            note(differences, &format!("who answered to secret {key}"), &found, &expected);
        }
        for token in &self.known.tokens {
            let found = self.store.session_of_refresh(self.names.key(*token)).await?;
            let expected = self.model.tokens.get(token).map(|kept| self.names.sid(kept.sid));
            note(differences, &format!("the session of token {token}"), &found, &expected);
        }
        Ok(())
    }

    async fn accounts(&self, differences: &mut Vec<String>) -> Result<(), StoreFailed> {
        for (n, (epoch, version)) in &self.model.accounts {
            let found = self.store.account(self.names.account(*n)).await?;
            let found = found.map(|account| (account.epoch.0, account.password_version.0));
            note(differences, &format!("account {n}"), &found, &Some((*epoch, *version)));
            let list = self.store.sessions_of(self.names.account(*n), None, 99).await?;
            let found: Vec<_> = list.items.iter().map(|found| found.session.sid).collect();
            let theirs = self
                .model
                .sessions
                .iter()
                .filter(|(_, session)| session.owner.is_some_and(|(account, _)| account == *n));
            let mut expected: Vec<_> = theirs.map(|(sid, _)| self.names.sid(*sid)).collect();
            expected.sort();
            expected.reverse();
            note(differences, &format!("the list of account {n}"), &found, &expected);
        }
        Ok(())
    }

    /// Each end and each new proof has one entry in the log.
    async fn ends(&self, head: u64, differences: &mut Vec<String>) -> Result<(), StoreFailed> {
        let log = self.store.revocations(head, 999).await?;
        let numbers: Vec<_> = log.iter().map(|entry| entry.seq).collect();
        let count = self.model.entry_count();
        note(differences, "numbers in the log", &numbers, &(head + 1..=head + count).collect());
        note(differences, "head of the log", &self.store.head().await?, &(head + count));
        let mut logged: Vec<_> = log.iter().map(|entry| entry.revocation.revoked).collect();
        let by_name = |revoked: &Revoked| (revoked.kind(), revoked.id_bits());
        logged.sort_by_key(by_name);
        let ends = sorted(&self.model.log, self.names).into_iter().map(Revoked::Session);
        let proofs = self
            .model
            .proofs
            .iter()
            .flat_map(|(sid, count)| (0..*count).map(|_| Revoked::Proof(self.names.sid(*sid))));
        let mut expected: Vec<_> = ends.chain(proofs).collect();
        expected.sort_by_key(by_name);
        note(differences, "the log", &logged, &expected);
        Ok(())
    }
}

fn sorted(numbers: &BTreeSet<u64>, names: Names) -> Vec<SessionId> {
    let mut sids: Vec<_> = numbers.iter().map(|sid| names.sid(*sid)).collect();
    sids.sort();
    sids
}

fn note<T: PartialEq + std::fmt::Debug>(
    differences: &mut Vec<String>,
    what: &str,
    found: &T,
    expected: &T,
) {
    if found != expected {
        differences.push(format!("{what}: {found:?}, expected {expected:?}"));
    }
}

/// Looks whether each end that was asked for was told in one event; then ends what is left, so that
/// the next history begins with nobody there.
pub(super) async fn close(
    store: &Tried,
    model: &Model,
    (names, head): (Names, u64),
) -> Result<(), String> {
    let failed = |failure: StoreFailed| failure.to_string();
    let ends = [EventKind::SessionEnded, EventKind::TokenReuseDetected];
    let events = store.events(199).await.map_err(failed)?;
    let told = events.iter().filter(|it| it.id >= names.event(0).id && ends.contains(&it.kind));
    let mut told: Vec<_> = told.filter_map(|event| event.session).collect();
    told.sort();
    let mut differences = Vec::new();
    note(&mut differences, "ends in the event log", &told, &sorted(&model.told, names));
    for (n, sid) in (NUMBERS / 2..).zip(model.sessions.keys()) {
        let was_there = store.end_session(names.sid(*sid), names.ending(n)).await;
        note(&mut differences, "the end of the end", &was_there.map_err(failed)?, &true);
    }
    let count = model.entry_count() + model.sessions.len() as u64;
    note(&mut differences, "the last head", &store.head().await.map_err(failed)?, &(head + count));
    differences.into_iter().next().map_or(Ok(()), Err)
}
