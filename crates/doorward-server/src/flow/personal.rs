//! Personal access tokens: made by their owner, shown by a program.

use std::time::Duration;

use doorward_core::account::Account;
use doorward_core::device::Device;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::{self, Grant, OWN_CLIENT};
use doorward_core::label::Label;
use doorward_core::personal::{LIFE_MAX, PersonalRefusal, PersonalToken};
use doorward_store::act::{PersonalError, StoreFailed};
use doorward_wire::personal::{PREFIX, read};
use doorward_wire::{FreshSecret, TokenId};
use tracing::Instrument;

use super::identify::Caller;
use crate::App;

/// How long ago whoever makes a token may have proved themselves: it outlives their session.
pub const PROVED_WITHIN: Duration = Duration::from_mins(15);

/// The shortest life of a token.
const LIFE_MIN: Duration = Duration::from_mins(1);

/// What somebody wants a token for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What they will call it.
    pub name: String,
    /// What it is to allow.
    pub scope: String,
    /// The service that it is for. Empty means our own API.
    pub audience: String,
    /// How long it is to live.
    pub life: Duration,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// Nobody is signed in.
    #[error("nobody is signed in")]
    Nobody,
    /// A program asks, and no person: a token that was stolen for five minutes must not become one for a year.
    #[error("not asked for in person")]
    NotInPerson,
    /// They proved themselves too long ago.
    #[error("proved too long ago")]
    TooLongAgo,
    /// The name is none.
    #[error("not a name")]
    Name,
    /// The scope is none, or has a name that may not be had.
    #[error("not a scope that may be had")]
    Scope,
    /// There is no such service.
    #[error("no such service")]
    Audience,
    /// It would live too long, or not at all.
    #[error("a life that no token has")]
    Life,
    /// There are as many as may be.
    #[error("as many tokens as may be")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

/// A token that counts, and its account. Only this module makes one.
#[derive(Debug)]
pub struct Personal {
    token: PersonalToken,
    account: Account,
}

/// Why a text is nobody's token.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// It is none of ours, or is for another service.
    #[error("no such personal access token here")]
    Unknown,
    /// It counts no longer.
    #[error("the personal access token counts no longer: {0:?}")]
    Refused(PersonalRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreFailed),
}

impl Personal {
    /// The token.
    #[must_use]
    pub fn token(&self) -> &PersonalToken {
        &self.token
    }

    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Whether it allows `scope`.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        self.token.grant.scope.split(' ').any(|granted| granted == scope)
    }
}

/// Whether a text says that it is a personal access token.
#[must_use]
pub fn is_one(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Makes a token for somebody who is there in person. Its secret leaves once.
pub async fn make(
    app: &App,
    caller: &Caller,
    wish: Wish,
    from: &Device,
) -> Result<(PersonalToken, FreshSecret), MakeError> {
    let account = caller.live().account().ok_or(MakeError::Nobody)?;
    let (now, session) = (app.ambient.now(), caller.live());
    if caller.is_program() {
        return Err(MakeError::NotInPerson);
    }
    if !session.proved_within(PROVED_WITHIN, now) {
        return Err(MakeError::TooLongAgo);
    }
    let name = Label::parse(&wish.name).map_err(|_| MakeError::Name)?;
    let (_, offered) = app.settings.audience(&wish.audience).ok_or(MakeError::Audience)?;
    let scope = grant::narrow(&wish.scope, account, &offered).map_err(|_| MakeError::Scope)?;
    // Left out in silence it would be missed only when a program fails.
    let is_whole = |asked: &str| asked.is_empty() || scope.split(' ').any(|it| it == asked);
    if !wish.scope.split(' ').all(is_whole) {
        return Err(MakeError::Scope);
    }
    if !(LIFE_MIN..=LIFE_MAX).contains(&wish.life) {
        return Err(MakeError::Life);
    }
    let (id, secret) = (app.ambient.token_id(), app.ambient.secret());
    let token = PersonalToken {
        id,
        account: account.id,
        epoch: account.epoch,
        name,
        grant: Grant { audience: wish.audience, scope, client: OWN_CLIENT.to_owned(), jkt: None },
        created_at: now,
        expires_at: now.after(wish.life),
        used_at: None,
    };
    let event = told(app, EventKind::PersonalTokenCreated, (caller, id), from);
    match app.store.add_personal(token.clone(), secret.digest(), event).await {
        Ok(()) => Ok((token, secret)),
        Err(PersonalError::TooMany) => Err(MakeError::TooMany),
        Err(PersonalError::Gone) => Err(MakeError::Nobody),
        Err(PersonalError::Failed(failure)) => Err(failure.into()),
    }
}

/// The tokens of whoever asks, newest first.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<PersonalToken>, StoreFailed> {
    let Some(account) = caller.live().account() else { return Ok(Vec::new()) };
    let now = app.ambient.now();
    let mut tokens = app.store.personals_of(account.id).await?;
    tokens.retain(|token| now < token.expires_at);
    Ok(tokens)
}

/// Ends a token of whoever asks. Says whether there was one.
pub async fn end(
    app: &App,
    caller: &Caller,
    id: TokenId,
    from: &Device,
) -> Result<bool, StoreFailed> {
    let Some(account) = caller.live().account() else { return Ok(false) };
    let event = told(app, EventKind::PersonalTokenRevoked, (caller, id), from);
    app.store.end_personal(account.id, id, app.ambient.now(), event).await
}

/// Finds out whose token is shown, for the service that it must be for; empty means our own API.
pub async fn show(app: &App, text: &str, audience: &str) -> Result<Personal, ShowError> {
    let key = read(text).ok_or(ShowError::Unknown)?;
    let found = app.store.personal_by_key(key).await?;
    let (token, account) = found.ok_or(ShowError::Unknown)?;
    if token.grant.audience != audience {
        return Err(ShowError::Unknown);
    }
    let now = app.ambient.now();
    token.check(&account, now).map_err(ShowError::Refused)?;
    if token.wants_touch(now) {
        let (app, id) = (app.clone(), token.id);
        // Nobody waits for it: that it was used is told within the minute, and nothing hangs from it.
        let touch = async move {
            if let Err(failure) = app.store.touch_personal(id, now).await {
                tracing::error!(%failure, "a use of a personal access token was not written");
            }
        };
        tokio::spawn(touch.in_current_span());
    }
    Ok(Personal { token, account })
}

/// Ends a token that somebody has in their hands: whoever found it does its owner a favour.
pub async fn end_found(app: &App, text: &str, from: &Device) -> Result<(), StoreFailed> {
    let Some(key) = read(text) else { return Ok(()) };
    let Some((token, _)) = app.store.personal_by_key(key).await? else { return Ok(()) };
    let event = Event {
        account: Some(token.account),
        reason: Some(token.id.to_string().into()),
        ..app.event(EventKind::PersonalTokenRevoked, from)
    };
    app.store.end_personal(token.account, token.id, app.ambient.now(), event).await?;
    Ok(())
}

fn told(app: &App, kind: EventKind, (caller, id): (&Caller, TokenId), from: &Device) -> Event {
    Event {
        account: caller.live().account().map(|account| account.id),
        session: Some(caller.sid()),
        reason: Some(id.to_string().into()),
        ..app.event(kind, from)
    }
}
