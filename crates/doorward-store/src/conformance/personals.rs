//! Laws of personal access tokens.

use doorward_core::account::Epoch;
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::Grant;
use doorward_core::label::Label;
use doorward_core::personal::{COUNT_MAX, PersonalToken};
use doorward_core::revocation::{LogEntry, Revoked, revoke};
use doorward_wire::{AccountId, TokenId};

use super::sample::{Tried, after, at_once, ending, event, key, with_two_accounts};
use crate::act::PersonalError;

const ADA: AccountId = AccountId(1);

fn token(n: u64) -> PersonalToken {
    PersonalToken {
        id: TokenId(n.into()),
        account: ADA,
        epoch: Epoch(0),
        name: Label::parse(&format!("token {n}")).unwrap(),
        grant: Grant {
            audience: "api".into(),
            scope: "read".into(),
            client: "doorward".into(),
            jkt: None,
        },
        created_at: after(0),
        expires_at: after(1000 + n),
        used_at: None,
    }
}

fn told(n: u64, kind: EventKind) -> Event {
    Event { kind, account: Some(ADA), ..event(n) }
}

async fn add(store: &Tried, n: u64) -> Result<PersonalToken, PersonalError> {
    let token = token(n);
    let made = told(7000 + n, EventKind::PersonalTokenCreated);
    store.add_personal(token.clone(), key(n), made).await.map(|()| token)
}

/// Law: a token is found as it was kept, with its account, and listed newest first.
#[doc(hidden)]
pub async fn a_token_is_found_as_it_was_kept(store: Tried) {
    with_two_accounts(&store).await;
    assert!(store.personal_by_key(key(1)).await.unwrap().is_none());
    let (first, second) = (add(&store, 1).await.unwrap(), add(&store, 2).await.unwrap());
    let (found, account) = store.personal_by_key(key(1)).await.unwrap().unwrap();
    assert_eq!((&found, account.id), (&first, ADA));
    assert_eq!(store.personals_of(ADA).await.unwrap(), [second, first.clone()]);
    assert!(store.personals_of(AccountId(2)).await.unwrap().is_empty());
    // A secret opens one token for ever.
    let again = PersonalToken { id: TokenId(9), ..token(9) };
    assert!(
        store.add_personal(again, key(1), told(9, EventKind::PersonalTokenCreated)).await.is_err()
    );
    for (at, expected) in [(50, 50), (20, 50), (90, 90)] {
        store.touch_personal(first.id, after(at)).await.unwrap();
        let (found, _) = store.personal_by_key(key(1)).await.unwrap().unwrap();
        assert_eq!(found.used_at, Some(after(expected)));
    }
}

/// Law: a token is ended by its owner alone, once, and with a log entry.
#[doc(hidden)]
pub async fn a_token_is_ended_by_its_owner_and_told(store: Tried) {
    with_two_accounts(&store).await;
    let token = add(&store, 1).await.unwrap();
    let end = async |account, n: u64| {
        let told = told(8000 + n, EventKind::PersonalTokenRevoked);
        store.end_personal(account, token.id, after(5), told).await.unwrap()
    };
    assert!(!end(AccountId(2), 1).await);
    assert!(store.personal_by_key(key(1)).await.unwrap().is_some());
    assert_eq!(store.head().await.unwrap(), 0);
    assert!(end(ADA, 2).await);
    assert!(store.personal_by_key(key(1)).await.unwrap().is_none());
    assert!(!end(ADA, 3).await);
    let entry = LogEntry { seq: 1, revocation: revoke(Revoked::Token(token.id), after(5)) };
    assert_eq!(store.revocations(0, 10).await.unwrap(), [entry]);
    let newest = store.events(1).await.unwrap().remove(0);
    assert_eq!(newest.kind, EventKind::PersonalTokenRevoked);
}

/// Law: when an account ends everything, its tokens are listed no longer, and none is made for the time
/// before.
#[doc(hidden)]
pub async fn a_token_of_a_past_epoch_is_not_listed_and_not_made(store: Tried) {
    with_two_accounts(&store).await;
    add(&store, 1).await.unwrap();
    store.end_sessions_of(ADA, None, ending(5)).await.unwrap();
    assert!(store.personals_of(ADA).await.unwrap().is_empty());
    // It is there, and says of which epoch it is: whoever shows it is refused for that.
    let (found, account) = store.personal_by_key(key(1)).await.unwrap().unwrap();
    assert_ne!(found.epoch, account.epoch);
    let late = add(&store, 2).await;
    assert!(matches!(late, Err(PersonalError::Gone)), "{late:?}");
    let nobodys = PersonalToken { account: AccountId(99), ..token(3) };
    let made = told(3, EventKind::PersonalTokenCreated);
    let refused = store.add_personal(nobodys, key(3), made).await;
    assert!(matches!(refused, Err(PersonalError::Gone)), "{refused:?}");
}

/// Law: of tokens that are made at once no more are kept than may be, and those whose time is over go in
/// slices.
#[doc(hidden)]
pub async fn tokens_are_bounded_and_go_when_their_time_is_over(store: Tried) {
    with_two_accounts(&store).await;
    let most = COUNT_MAX as u64;
    let made =
        at_once(&store, most + 10, |store, n| async move { add(&store, n + 1).await.is_ok() });
    let made = made.await.into_iter().filter(|made| *made).count();
    assert_eq!(made, COUNT_MAX);
    let late = add(&store, 900).await;
    assert!(matches!(late, Err(PersonalError::TooMany)), "{late:?}");
    assert_eq!(store.sweep_personals(after(999), 100).await.unwrap(), 0);
    assert_eq!(store.sweep_personals(after(5000), 20).await.unwrap(), 20);
    assert_eq!(store.sweep_personals(after(5000), 100).await.unwrap(), most - 20);
    assert!(store.personals_of(ADA).await.unwrap().is_empty());
}
