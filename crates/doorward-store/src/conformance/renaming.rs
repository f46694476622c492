//! Laws of proving oneself again: the session gets a new secret, and the old one dies.

use doorward_core::account::{Epoch, PasswordVersion};
use doorward_core::revocation::{LogEntry, Revoked, revoke};
use doorward_core::session::Lifetimes;
use doorward_wire::{AccountId, SessionId};

use super::sample::{
    Tried, after, at_once, change, check_there, device, ending, event, key, new_secret, open,
    other_device, refresh_token, renamed, session, token_session, used, with_two_accounts,
};
use crate::act::{NewSecret, NewSession, PasswordChange, SessionError};

#[track_caller]
fn check_gone(result: &Result<(), SessionError>) {
    assert!(matches!(result, Err(SessionError::Gone)), "{result:?}");
}

#[track_caller]
fn check_taken(result: &Result<(), SessionError>) {
    assert!(matches!(result, Err(SessionError::Taken)), "{result:?}");
}

#[track_caller]
fn check_one_counted(results: &[Result<(), SessionError>]) {
    let (counted, refused): (Vec<_>, Vec<_>) = results.iter().partition(|result| result.is_ok());
    assert_eq!(counted.len(), 1, "{results:?}");
    for result in refused {
        check_gone(result);
    }
}

/// Law: a rename leaves one session, not two, and it does not get older or younger.
#[doc(hidden)]
pub async fn a_renamed_session_answers_to_its_new_key_alone(store: Tried) {
    with_two_accounts(&store).await;
    let new = session(10, 1);
    open(&store, &[&new, &session(11, 1)]).await;
    store.touch(vec![(SessionId(10), used(after(90)))]).await.unwrap();
    let mut asked = new_secret(&new, 20, event(1));
    store.rename(asked.clone()).await.unwrap();
    check_there(store.session_by_key(key(10)).await.unwrap().as_ref(), false);
    asked.renamed.session.seen_at = after(90);
    let found = store.session_by_key(key(20)).await.unwrap().unwrap();
    assert_eq!(found.session, asked.renamed.session);
    assert_eq!(store.sessions_of(AccountId(1), None, 9).await.unwrap().items.len(), 2);
    assert_eq!(store.events(99).await.unwrap().iter().filter(|it| it.id == event(1).id).count(), 1);
}

/// Law: a login that shows the secret from before a new proof ends that session, too.
#[doc(hidden)]
pub async fn a_login_ends_the_session_whose_retired_key_it_replaces(store: Tried) {
    with_two_accounts(&store).await;
    let before = session(10, 1);
    open(&store, &[&before]).await;
    store.rename(new_secret(&before, 20, event(1))).await.unwrap();
    open(&store, &[&NewSession { replaces: Some(key(10)), ..session(11, 2) }]).await;
    check_there(store.session_by_key(key(20)).await.unwrap().as_ref(), false);
    check_there(store.session_by_key(key(11)).await.unwrap().as_ref(), true);
    let log = store.revocations(0, 9).await.unwrap();
    let told: Vec<_> = log.iter().map(|entry| entry.revocation.revoked).collect();
    assert_eq!(told, [Revoked::Proof(SessionId(10)), Revoked::Session(SessionId(10))]);
}

/// Law: that the owner proved themselves again stands in the log, for whoever verifies the access
/// tokens from before elsewhere; and a rename that is refused leaves no word of it.
#[doc(hidden)]
pub async fn a_new_proof_is_told_in_the_log(store: Tried) {
    with_two_accounts(&store).await;
    let before = session(10, 1);
    open(&store, &[&before]).await;
    let asked = new_secret(&before, 20, event(1));
    store.rename(asked.clone()).await.unwrap();
    check_gone(&store.rename(asked.clone()).await);
    let expected = revoke(Revoked::Proof(SessionId(10)), asked.renamed.session.proved_at);
    let log = store.revocations(0, 9).await.unwrap();
    assert_eq!(log, [LogEntry { seq: 1, revocation: expected }]);
}

/// Law: where the owner has proved themselves is what the session is known by, and a proof that does
/// not count moves nothing.
#[doc(hidden)]
pub async fn a_session_is_known_by_the_device_of_the_last_proof(store: Tried) {
    with_two_accounts(&store).await;
    let (new, changed, tokens) = (session(10, 1), session(11, 2), token_session(12, 1));
    open(&store, &[&new, &changed, &tokens]).await;
    let known = async |sid| store.session(SessionId(sid)).await.unwrap().unwrap().device;

    let late = NewSecret { device: other_device(), ..new_secret(&new, 20, event(1)) };
    let late = NewSecret { proved: PasswordVersion(7), ..late };
    check_gone(&store.rename(late.clone()).await);
    assert_eq!(known(10).await, device());
    store.rename(NewSecret { proved: PasswordVersion(0), ..late.clone() }).await.unwrap();
    assert_eq!(known(10).await, other_device());
    check_gone(&store.rename(NewSecret { device: device(), ..late }).await);
    assert_eq!(known(10).await, other_device());

    let by_token = NewSecret { device: other_device(), ..new_secret(&tokens, 30, event(2)) };
    store.rename(by_token).await.unwrap();
    assert_eq!(known(12).await, other_device());
    let change = PasswordChange { device: other_device(), ..change(&changed, 2) };
    store.change_password(change).await.unwrap();
    assert_eq!(known(11).await, other_device());
}

/// Law: a secret that was replaced is known as such until its session ends, and opens nothing.
#[doc(hidden)]
pub async fn a_retired_key_is_remembered_as_long_as_its_session(store: Tried) {
    with_two_accounts(&store).await;
    let new = session(10, 1);
    open(&store, &[&new]).await;
    assert_eq!(store.session_by_retired_key(key(10)).await.unwrap(), None);
    let asked = new_secret(&new, 20, event(1));
    store.rename(asked.clone()).await.unwrap();
    let (found, retired) = store.session_by_retired_key(key(10)).await.unwrap().unwrap();
    assert_eq!((found.session, Some(retired)), (asked.renamed.session, asked.renamed.retired));
    assert_eq!(store.session_by_retired_key(key(20)).await.unwrap(), None);
    store.end_session(SessionId(10), ending(2)).await.unwrap();
    assert_eq!(store.session_by_retired_key(key(10)).await.unwrap(), None);
}

/// Law: two sessions never answer to one secret.
#[doc(hidden)]
pub async fn a_rename_takes_no_other_sessions_key(store: Tried) {
    with_two_accounts(&store).await;
    let new = session(10, 1);
    open(&store, &[&new, &session(11, 1), &token_session(12, 2)]).await;
    check_taken(&store.rename(new_secret(&new, 11, event(1))).await);
    let refresh = Some(refresh_token(10, 12));
    check_taken(&store.rename(NewSecret { refresh, ..new_secret(&new, 20, event(1)) }).await);
    for n in [10, 11] {
        let found = store.session_by_key(key(n)).await.unwrap().unwrap();
        assert_eq!(found.session.sid, SessionId(n.into()));
    }
}

/// Law: logging out wins over a rename that comes after it.
#[doc(hidden)]
pub async fn an_ended_session_cannot_be_renamed(store: Tried) {
    with_two_accounts(&store).await;
    for new in [session(10, 1), token_session(11, 1)] {
        let sid = new.session.sid;
        open(&store, &[&new]).await;
        store.end_session(sid, ending(u64::try_from(sid.0).unwrap())).await.unwrap();
        let refresh = Some(refresh_token(11, 30));
        check_gone(&store.rename(NewSecret { refresh, ..new_secret(&new, 20, event(99)) }).await);
        check_there(store.session(sid).await.unwrap().as_ref(), false);
        check_there(store.session_by_key(key(20)).await.unwrap().as_ref(), false);
        assert_eq!(store.session_of_refresh(key(30)).await.unwrap(), None);
    }
}

/// Law: of two who prove themselves at once in one session, one gets it.
#[doc(hidden)]
pub async fn of_parallel_renames_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1)]).await;
    let results = at_once(&store, 20, |store, n| async move {
        store.rename(new_secret(&session(10, 1), 20 + n, event(n))).await
    });
    check_one_counted(&results.await);
    let mut answering = 0;
    for n in 20..40 {
        answering += u8::from(store.session_by_key(key(n)).await.unwrap().is_some());
    }
    assert_eq!(answering, 1);
}

/// Law: that is so without a cookie, too: one refresh token is left, and it is the winner's.
#[doc(hidden)]
pub async fn of_parallel_renames_of_a_session_of_tokens_one_counts(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&token_session(10, 1)]).await;
    let results = at_once(&store, 20, |store, n| async move {
        let refresh = Some(refresh_token(10, 20 + n));
        let new = token_session(10, 1);
        let asked = NewSecret { refresh, ..new_secret(&new, 20 + n, event(n)) };
        (n, store.rename(asked).await)
    });
    let (numbers, results): (Vec<_>, Vec<_>) = results.await.into_iter().unzip();
    check_one_counted(&results);
    let winner = results.iter().position(Result::is_ok).map(|place| 20 + numbers[place]);
    for n in [10].into_iter().chain(20..40) {
        let there = store.session_of_refresh(key(n)).await.unwrap().is_some();
        assert_eq!(there, Some(n) == winner, "{n}");
    }
}

/// Law: a session is renamed from what it is, once after another.
#[doc(hidden)]
pub async fn a_rename_of_a_past_generation_changes_nothing(store: Tried) {
    with_two_accounts(&store).await;
    for (mut new, n) in [(session(10, 1), 20), (token_session(11, 1), 30)] {
        open(&store, &[&new]).await;
        for generation in 1..=3 {
            let asked = new_secret(&new, n + u64::from(generation), event(n + 1));
            let mut asked = NewSecret { event: event(n + u64::from(generation)), ..asked };
            store.rename(asked.clone()).await.unwrap();
            // Again, and a generation too far.
            check_gone(&store.rename(asked.clone()).await);
            new.session = asked.renamed.session.clone();
            asked.renamed.retired = renamed(&new, 0, Epoch(0)).retired;
            asked.renamed.session.generation += 2;
            check_gone(&store.rename(asked).await);
            let kept = store.session(new.session.sid).await.unwrap().unwrap().session;
            assert_eq!((kept.generation, &kept), (generation, &new.session));
        }
    }
}

/// Law: an old password proved before a change does not pull the session back behind it.
#[doc(hidden)]
pub async fn no_session_is_renamed_into_a_past_epoch(store: Tried) {
    with_two_accounts(&store).await;
    let mine = token_session(10, 1);
    open(&store, &[&mine]).await;
    let asked = change(&mine, 2);
    store.change_password(asked.clone()).await.unwrap();
    let kept = NewSession { session: asked.renamed.session.clone(), ..mine };
    let past = NewSecret { proved: PasswordVersion(1), ..new_secret(&kept, 30, event(1)) };
    check_gone(&store.rename(past).await);
    let found = store.session(SessionId(10)).await.unwrap().unwrap();
    assert_eq!(found.session, asked.renamed.session);
    assert!(found.check(&Lifetimes::default(), after(61)).is_ok());
}

/// Law: an old password proved before a change raises no session after it, even when the change left
/// every session where it was.
#[doc(hidden)]
pub async fn no_session_is_renamed_by_a_past_password(store: Tried) {
    with_two_accounts(&store).await;
    let (mine, other) = (session(10, 1), session(11, 1));
    open(&store, &[&mine, &other]).await;
    let asked = PasswordChange { renamed: renamed(&mine, 20, Epoch(0)), ..change(&mine, 2) };
    store.change_password(asked).await.unwrap();
    let late = new_secret(&other, 30, event(1));
    check_gone(&store.rename(late.clone()).await);
    check_there(store.session_by_key(key(11)).await.unwrap().as_ref(), true);
    store.rename(NewSecret { proved: PasswordVersion(1), ..late }).await.unwrap();
}
