//! Laws of accounts.

use doorward_core::account::{Epoch, PasswordVersion, Role};
use doorward_core::event::EventKind;
use doorward_core::session::Lifetimes;
use doorward_core::username::Username;
use doorward_wire::{AccountId, SessionId};

use super::sample::{
    Tried, account, account_at, after, anonymous, at_once, check_there, key, open, password,
    password_of, refresh_token, session, token_session, with_two_accounts,
};
use crate::act::{AccountError, NewAccount, NewSession};

#[track_caller]
fn check_taken(result: &Result<(), AccountError>) {
    assert!(matches!(result, Err(AccountError::Taken)), "{result:?}");
}

/// Law: what was kept is found, whole.
#[doc(hidden)]
pub async fn an_account_is_found_by_its_id_and_by_its_name(store: Tried) {
    let mut new = account_at(1, "ada", "ada@example.com");
    new.account.role = Role::Administrator;
    new.account.epoch.0 = 7;
    new.account.password_version.0 = 5;
    new.account.disabled = true;
    store.open_account(new.clone()).await.unwrap();

    let kept = (new.account.clone(), new.password.clone());
    assert_eq!(store.account(AccountId(1)).await.unwrap().as_ref(), Some(&new.account));
    let password = Some((new.password, PasswordVersion(5)));
    assert_eq!(store.password(AccountId(1)).await.unwrap(), password);
    assert_eq!(store.account_named(&new.account.username).await.unwrap(), Some(kept));

    let nobody = Username::parse("grace").unwrap();
    assert_eq!(store.account(AccountId(2)).await.unwrap(), None);
    assert_eq!(store.password(AccountId(2)).await.unwrap(), None);
    assert_eq!(store.account_named(&nobody).await.unwrap(), None);
}

/// Law: neither an id nor a name is overwritten.
#[doc(hidden)]
pub async fn a_name_is_given_once(store: Tried) {
    let first = account(1, "ada");
    store.open_account(first.clone()).await.unwrap();
    let second = NewAccount { password: password(2), ..account(2, "ada") };
    check_taken(&store.open_account(second).await);
    check_taken(&store.open_account(account(1, "grace")).await);

    assert_eq!(store.account(AccountId(1)).await.unwrap(), Some(first.account));
    assert_eq!(store.account(AccountId(2)).await.unwrap(), None);
    assert_eq!(password_of(&store, AccountId(1)).await, Some(password(1)));
    assert_eq!(store.events(9).await.unwrap().len(), 1, "a refused account is no event");
}

/// Law: nobody can register a name that people take for another's (UTS #39).
#[doc(hidden)]
pub async fn a_name_that_looks_like_another_is_taken(store: Tried) {
    store.open_account(account(1, "ace")).await.unwrap();
    store.open_account(account(2, "admin")).await.unwrap();
    check_taken(&store.open_account(account(3, "асе")).await);
    check_taken(&store.open_account(account(4, "adrnin")).await);
    let lookalike = Username::parse("асе").unwrap();
    assert_eq!(store.account_named(&lookalike).await.unwrap(), None);
}

/// Law: one mailbox has one account, and having none is shared by many.
#[doc(hidden)]
pub async fn an_address_is_given_once_whatever_its_capitals(store: Tried) {
    store.open_account(account_at(1, "ada", "ada@example.com")).await.unwrap();
    check_taken(&store.open_account(account_at(2, "grace", "Ada@Example.COM")).await);
    store.open_account(account(3, "linus")).await.unwrap();
    store.open_account(account(4, "margaret")).await.unwrap();
}

/// Law: a rehash that comes after a change of password does not bring the old one back.
#[doc(hidden)]
pub async fn a_rehash_replaces_only_the_hash_it_was_made_from(store: Tried) {
    store.open_account(account(1, "ada")).await.unwrap();
    store.rehash(AccountId(1), &password(9), password(2)).await.unwrap();
    assert_eq!(password_of(&store, AccountId(1)).await, Some(password(1)));
    store.rehash(AccountId(1), &password(1), password(2)).await.unwrap();
    let kept = store.password(AccountId(1)).await.unwrap();
    assert_eq!(kept, Some((password(2), PasswordVersion(0))), "the password is the same");
    store.rehash(AccountId(2), &password(1), password(2)).await.unwrap();
}

/// Law: pages have no overlap and no gap, and the last says so.
#[doc(hidden)]
pub async fn accounts_are_listed_in_pages(store: Tried) {
    for (n, name) in [(3, "linus"), (1, "ada"), (2, "grace")] {
        store.open_account(account(n, name)).await.unwrap();
    }
    let page = async |after: Option<u128>, limit| {
        let page = store.accounts(after.map(AccountId), limit).await.unwrap();
        (page.items.iter().map(|account| account.id.0).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(None, 2).await, (vec![1, 2], true));
    assert_eq!(page(Some(2), 2).await, (vec![3], false));
    assert_eq!(page(None, 3).await, (vec![1, 2, 3], false));
    assert_eq!(page(Some(3), 3).await, (vec![], false));
    assert_eq!(page(None, usize::MAX).await, (vec![1, 2, 3], false));
}

/// Law: a member is no administrator.
#[doc(hidden)]
pub async fn an_administrator_is_noticed(store: Tried) {
    with_two_accounts(&store).await;
    assert!(!store.has_administrator().await.unwrap());
    let mut new = account(3, "linus");
    new.account.role = Role::Administrator;
    store.open_account(new).await.unwrap();
    assert!(store.has_administrator().await.unwrap());
}

/// Law: whoever registers is signed in, in one act, and the session before it ends.
#[doc(hidden)]
pub async fn an_account_is_opened_with_its_first_session(store: Tried) {
    open(&store, &[&anonymous(9)]).await;
    let first = NewSession { replaces: Some(key(9)), ..session(10, 1) };
    store.open_account(NewAccount { session: Some(first), ..account(1, "ada") }).await.unwrap();
    let found = store.session_by_key(key(10)).await.unwrap().unwrap();
    assert_eq!(found.account, store.account(AccountId(1)).await.unwrap());
    assert!(found.check(&Lifetimes::default(), after(1)).is_ok());
    check_there(store.session_by_key(key(9)).await.unwrap().as_ref(), false);
    let kinds: Vec<_> = store.events(9).await.unwrap().iter().map(|event| event.kind).collect();
    for kind in [EventKind::AccountCreated, EventKind::SessionOpened, EventKind::SessionEnded] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

/// Law: an account whose session is refused is not opened either, and replaces nothing.
#[doc(hidden)]
pub async fn an_account_whose_session_is_refused_leaves_no_trace(store: Tried) {
    store.open_account(account(1, "ada")).await.unwrap();
    open(&store, &[&anonymous(9), &token_session(10, 1)]).await;
    let before = (store.events(99).await.unwrap(), store.head().await.unwrap());
    let wrong = |change: fn(&mut NewSession)| {
        let mut new = token_session(20, 2);
        new.replaces = Some(key(9));
        change(&mut new);
        new
    };
    let refused = [
        // An id, a secret, a refresh token in use.
        wrong(|new| new.session.sid = SessionId(10)),
        wrong(|new| new.session.key = Some(key(9))),
        wrong(|new| new.refresh = Some(refresh_token(20, 10))),
        // Another's, and nobody's: a way around the proof.
        wrong(|new| new.session.owner = session(20, 1).session.owner),
        wrong(|new| new.session.owner = None),
        // Of another epoch, and with another password.
        wrong(|new| new.session.owner.as_mut().unwrap().epoch = Epoch(1)),
        wrong(|new| new.proved = Some(PasswordVersion(1))),
        wrong(|new| new.proved = None),
    ];
    for new in refused {
        let told = format!("{new:?}");
        let grace = NewAccount { session: Some(new), ..account(2, "grace") };
        let opened = store.open_account(grace).await;
        assert!(matches!(opened, Err(AccountError::SessionRefused)), "{opened:?}: {told}");
    }
    assert_eq!(store.account(AccountId(2)).await.unwrap(), None);
    check_there(store.session(SessionId(20)).await.unwrap().as_ref(), false);
    check_there(store.session_by_key(key(9)).await.unwrap().as_ref(), true);
    assert_eq!((store.events(99).await.unwrap(), store.head().await.unwrap()), before);

    let again = NewAccount { session: Some(session(20, 2)), ..account(2, "grace") };
    store.open_account(again).await.unwrap();
}

/// Law: two people who press the button at once do not both get the name.
#[doc(hidden)]
pub async fn of_parallel_registrations_of_one_name_one_counts(store: Tried) {
    let results =
        at_once(&store, 20, |store, n| async move { store.open_account(account(n, "ada")).await });
    let results = results.await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(AccountError::Taken))));
    assert_eq!(store.accounts(None, 99).await.unwrap().items.len(), 1);
}
