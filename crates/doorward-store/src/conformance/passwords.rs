//! Laws of a change of password.

use doorward_core::account::{Epoch, PasswordVersion};
use doorward_core::event::EventKind;
use doorward_core::session::{Lifetimes, Owner, Session};
use doorward_wire::{AccountId, SessionId};

use super::sample::{
    Tried, after, at_once, change, check_there, event, key, new_secret, open, password,
    password_of, presented, refresh_token, renamed, secret, session, token_session,
    with_two_accounts,
};
use crate::act::{NewSession, PasswordChange, RotateError, SessionError};

const ADA: AccountId = AccountId(1);

#[track_caller]
fn check_gone(result: &Result<(), SessionError>) {
    assert!(matches!(result, Err(SessionError::Gone)), "{result:?}");
}

/// A change of password that leaves the other sessions, and so the epoch.
fn quiet_change(new: &NewSession, n: u8) -> PasswordChange {
    PasswordChange { renamed: renamed(new, n.into(), Epoch(0)), ..change(new, n) }
}

/// Law: whoever stole a session is out, and whoever changed the password stays.
#[doc(hidden)]
pub async fn a_new_password_moves_the_epoch_and_ends_the_other_sessions(store: Tried) {
    with_two_accounts(&store).await;
    let mine = session(10, 1);
    open(&store, &[&mine, &session(11, 1), &token_session(12, 1), &session(13, 2)]).await;
    let asked = change(&mine, 2);
    store.change_password(asked.clone()).await.unwrap();

    assert_eq!(password_of(&store, ADA).await, Some(password(2)));
    assert_eq!(store.account(ADA).await.unwrap().unwrap().epoch, Epoch(1));
    assert_eq!(store.account(AccountId(2)).await.unwrap().unwrap().epoch, Epoch(0));
    let kept = store.session_by_key(key(2)).await.unwrap().unwrap();
    assert_eq!(kept.session, asked.renamed.session);
    assert!(kept.check(&Lifetimes::default(), after(61)).is_ok());
    check_there(store.session_by_key(key(10)).await.unwrap().as_ref(), false);
    for (sid, there) in [(10, true), (11, false), (12, false), (13, true)] {
        check_there(store.session(SessionId(sid)).await.unwrap().as_ref(), there);
    }

    let log = store.revocations(0, 9).await.unwrap();
    assert_eq!(log.len(), 3, "one entry for each session that ended, and one for the new proof");
    let events = store.events(99).await.unwrap();
    let told = |kind| events.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    assert_eq!(told(EventKind::PasswordChanged).len(), 1);
    let mut ended: Vec<_> = told(EventKind::SessionEnded).iter().map(|it| it.session).collect();
    ended.sort();
    assert_eq!(ended, [Some(SessionId(11)), Some(SessionId(12))]);
    assert!(told(EventKind::SessionEnded).iter().all(|event| event.account == Some(ADA)));
}

/// Law: who unticks the box stays signed in elsewhere.
#[doc(hidden)]
pub async fn a_new_password_can_leave_the_other_sessions(store: Tried) {
    with_two_accounts(&store).await;
    let mine = session(10, 1);
    open(&store, &[&mine, &session(11, 1)]).await;
    store.change_password(quiet_change(&mine, 2)).await.unwrap();

    let kept = store.password(ADA).await.unwrap();
    assert_eq!(kept, Some((password(2), PasswordVersion(1))));
    assert_eq!(store.account(ADA).await.unwrap().unwrap().epoch, Epoch(0));
    for (n, there) in [(10, false), (11, true), (2, true)] {
        check_there(store.session_by_key(key(n)).await.unwrap().as_ref(), there);
    }
    assert_eq!(store.head().await.unwrap(), 1, "the new proof");
}

/// Law: an old password that was checked before a change cannot undo the change.
#[doc(hidden)]
pub async fn a_change_in_a_past_epoch_changes_nothing(store: Tried) {
    with_two_accounts(&store).await;
    let (mine, other) = (session(10, 1), session(11, 1));
    open(&store, &[&mine, &other]).await;
    store.change_password(change(&mine, 2)).await.unwrap();
    let before = (store.head().await.unwrap(), store.events(99).await.unwrap());

    check_gone(&store.change_password(change(&other, 3)).await);
    check_gone(&store.change_password(change(&session(12, 9), 4)).await);
    assert_eq!(password_of(&store, ADA).await, Some(password(2)));
    check_there(store.session_by_key(key(2)).await.unwrap().as_ref(), true);
    assert_eq!((store.head().await.unwrap(), store.events(99).await.unwrap()), before);
}

/// Law: that is so also when the first change left the epoch where it was.
#[doc(hidden)]
pub async fn a_change_of_a_past_password_changes_nothing(store: Tried) {
    with_two_accounts(&store).await;
    let (mine, other) = (session(10, 1), session(11, 1));
    open(&store, &[&mine, &other]).await;
    store.change_password(quiet_change(&mine, 2)).await.unwrap();
    let before = (store.head().await.unwrap(), store.events(99).await.unwrap());

    check_gone(&store.change_password(quiet_change(&other, 3)).await);
    check_gone(&store.change_password(change(&other, 4)).await);
    let ahead = PasswordVersion(2);
    let early = PasswordChange { expected_password: ahead, ..quiet_change(&other, 5) };
    check_gone(&store.change_password(early).await);
    let kept = store.password(ADA).await.unwrap();
    assert_eq!(kept, Some((password(2), PasswordVersion(1))));
    assert_eq!((store.head().await.unwrap(), store.events(99).await.unwrap()), before);

    let expected_password = PasswordVersion(1);
    let next = PasswordChange { expected_password, ..quiet_change(&other, 6) };
    store.change_password(next).await.unwrap();
    assert_eq!(store.account(ADA).await.unwrap().unwrap().password_version, PasswordVersion(2));
}

/// Law: a login whose password was checked before it was changed opens no session after, whether or
/// not the change left the other sessions.
#[doc(hidden)]
pub async fn no_session_is_opened_by_a_past_password(store: Tried) {
    with_two_accounts(&store).await;
    let (mine, hers) = (session(10, 1), session(11, 2));
    open(&store, &[&mine, &hers]).await;
    store.change_password(quiet_change(&mine, 2)).await.unwrap();
    store.change_password(change(&hers, 3)).await.unwrap();

    let epoch = |new: NewSession, epoch| {
        let owner = new.session.owner.map(|owner| Owner { epoch, ..owner });
        NewSession { session: Session { owner, ..new.session }, ..new }
    };
    let unproved = |new| NewSession { proved: None, ..new };
    for late in [
        session(20, 1),
        token_session(20, 1),
        unproved(session(20, 1)),
        session(20, 2),
        // Checked against the old password, and the account read after the change.
        epoch(session(20, 2), Epoch(1)),
    ] {
        check_gone(&store.open_session(late).await);
        check_there(store.session(SessionId(20)).await.unwrap().as_ref(), false);
        assert_eq!(store.session_of_refresh(key(20)).await.unwrap(), None);
    }
    let proved = Some(PasswordVersion(1));
    open(&store, &[&NewSession { proved, ..session(20, 1) }]).await;
    open(&store, &[&NewSession { proved, ..epoch(session(21, 2), Epoch(1)) }]).await;
}

/// Law: of logins and a change that meet, no login of the old password comes after the change.
#[doc(hidden)]
pub async fn a_login_beside_a_change_is_before_it_or_refused(store: Tried) {
    with_two_accounts(&store).await;
    let mine = session(10, 1);
    open(&store, &[&mine]).await;
    let results = at_once(&store, 40, |store, n| async move {
        if n == 20 {
            store.change_password(change(&session(10, 1), 2)).await.unwrap();
            return None;
        }
        Some(store.open_session(session(100 + n, 1)).await)
    });
    for refused in results.await.into_iter().flatten().filter(Result::is_err) {
        check_gone(&refused);
    }
    // Those before it ended with it, and those after it were refused: either way they are not there.
    let left = store.sessions_of(ADA, None, 99).await.unwrap().items;
    let left: Vec<_> = left.iter().map(|found| found.session.sid).collect();
    assert_eq!(left, [mine.session.sid]);
}

/// Law: the owner and a thief who change it at once do not both succeed.
#[doc(hidden)]
pub async fn of_parallel_changes_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    let sessions: Vec<_> = (10..18).map(|n| session(n, 1)).collect();
    open(&store, &sessions.iter().collect::<Vec<_>>()).await;
    let results = at_once(&store, 8, |store, n| async move {
        let asked = change(&session(10 + n, 1), 20 + u8::try_from(n).unwrap());
        store.change_password(asked).await
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    assert_eq!(store.account(ADA).await.unwrap().unwrap().epoch, Epoch(1));
    let left = store.sessions_of(ADA, None, 99).await.unwrap().items;
    assert_eq!(left.len(), 1);
    assert!(left[0].clone().check(&Lifetimes::default(), after(61)).is_ok());
    assert_eq!(store.head().await.unwrap(), 7 + 1, "seven ends, and one new proof");
}

/// Law: that is so also when neither would end the other's session.
#[doc(hidden)]
pub async fn of_parallel_changes_that_leave_the_others_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    let sessions: Vec<_> = (10..18).map(|n| session(n, 1)).collect();
    open(&store, &sessions.iter().collect::<Vec<_>>()).await;
    let results = at_once(&store, 8, |store, n| async move {
        let n = u8::try_from(n).unwrap();
        let asked = quiet_change(&session(10 + u64::from(n), 1), 20 + n);
        (20 + n, store.change_password(asked).await)
    });
    let (numbers, results): (Vec<_>, Vec<_>) = results.await.into_iter().unzip();
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    results.iter().filter(|result| result.is_err()).for_each(check_gone);
    let winner = numbers[results.iter().position(Result::is_ok).unwrap()];
    let kept = store.password(ADA).await.unwrap();
    assert_eq!(kept, Some((password(winner), PasswordVersion(1))));
    assert_eq!(store.sessions_of(ADA, None, 99).await.unwrap().items.len(), 8);
    assert_eq!(store.head().await.unwrap(), 1, "the new proof");
}

/// Law: two changes from one session are two proofs, and one of them counts.
#[doc(hidden)]
pub async fn of_parallel_changes_of_one_session_of_tokens_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&token_session(10, 1)]).await;
    let results = at_once(&store, 20, |store, n| async move {
        let refresh = Some(refresh_token(10, 50 + n));
        let asked = quiet_change(&token_session(10, 1), 20 + u8::try_from(n).unwrap());
        store.change_password(PasswordChange { refresh, ..asked }).await
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let mut answering = 0;
    for n in 50..70 {
        answering += u8::from(store.session_of_refresh(key(n)).await.unwrap().is_some());
    }
    assert_eq!(answering, 1);
}

/// Law: a change from a past generation of its session changes nothing.
#[doc(hidden)]
pub async fn a_change_from_a_session_renamed_meanwhile_changes_nothing(store: Tried) {
    with_two_accounts(&store).await;
    for (new, n) in [(session(10, 1), 20), (token_session(11, 1), 30)] {
        open(&store, &[&new]).await;
        store.rename(new_secret(&new, n, event(n))).await.unwrap();
        check_gone(&store.change_password(change(&new, 2)).await);
        check_gone(&store.change_password(quiet_change(&new, 2)).await);
        assert_eq!(password_of(&store, ADA).await, Some(password(1)));
    }
}

/// Law: logging out wins over a change that comes after it, for the password too.
#[doc(hidden)]
pub async fn a_change_from_an_ended_session_changes_nothing(store: Tried) {
    with_two_accounts(&store).await;
    let other = session(11, 1);
    open(&store, &[&other]).await;
    check_gone(&store.change_password(change(&session(10, 1), 2)).await);
    assert_eq!(password_of(&store, ADA).await, Some(password(1)));
    assert_eq!(store.account(ADA).await.unwrap().unwrap().epoch, Epoch(0));
    check_there(store.session_by_key(key(11)).await.unwrap().as_ref(), true);
}

/// Law: a refresh token stolen before the change renews nothing after it.
#[doc(hidden)]
pub async fn a_change_leaves_one_refresh_token(store: Tried) {
    with_two_accounts(&store).await;
    let mine = token_session(10, 1);
    open(&store, &[&mine]).await;
    let refresh = Some(refresh_token(10, 50));
    store.change_password(PasswordChange { refresh, ..change(&mine, 2) }).await.unwrap();
    let rotated = store.rotate(presented(&secret(10), 1, after(70))).await;
    assert!(matches!(rotated, Err(RotateError::Unknown)), "{rotated:?}");
    assert!(store.rotate(presented(&secret(50), 1, after(70))).await.is_ok());
}
