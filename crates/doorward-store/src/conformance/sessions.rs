//! Laws of sessions.

use doorward_core::account::Epoch;
use doorward_core::data::Precondition;
use doorward_core::event::EventKind;
use doorward_core::revocation::{Revoked, revoke};
use doorward_core::session::{Assurance, Lifetimes, Touch};
use doorward_wire::{AccountId, SessionId};

use super::sample::{
    Tried, account, after, anonymous, at_once, check_there, data_key, device, ending, event, key,
    new_secret, open, presented, refresh_token, secret, session, token_session, used,
    with_two_accounts,
};
use crate::act::{Found, NewSession, Presented, SessionError};

#[track_caller]
fn check_gone(result: &Result<(), SessionError>) {
    assert!(matches!(result, Err(SessionError::Gone)), "{result:?}");
}

#[track_caller]
fn check_taken(result: &Result<(), SessionError>) {
    assert!(matches!(result, Err(SessionError::Taken)), "{result:?}");
}

/// Law: what was opened is found, whole, with its account.
#[doc(hidden)]
pub async fn an_open_session_is_found_by_its_key_and_by_its_id(store: Tried) {
    with_two_accounts(&store).await;
    let (owned, nobodys) = (session(10, 1), anonymous(11));
    open(&store, &[&owned, &nobodys]).await;
    let account = store.account(AccountId(1)).await.unwrap();
    for (new, account) in [(owned, account), (nobodys, None)] {
        let found = Found { session: new.session.clone(), device: new.device, account };
        let by_key = store.session_by_key(new.session.key.unwrap()).await.unwrap();
        assert_eq!(by_key.as_ref(), Some(&found));
        assert_eq!(store.session(new.session.sid).await.unwrap(), Some(found));
    }
    check_there(store.session_by_key(key(12)).await.unwrap().as_ref(), false);
    check_there(store.session(SessionId(12)).await.unwrap().as_ref(), false);
}

/// Law: many sessions have no key, and none is found by another's.
#[doc(hidden)]
pub async fn a_session_of_tokens_is_found_by_its_id(store: Tried) {
    with_two_accounts(&store).await;
    let new = token_session(10, 1);
    open(&store, &[&new, &token_session(11, 1)]).await;
    let found = store.session(SessionId(10)).await.unwrap().unwrap();
    assert_eq!(found.session, new.session);
    check_there(store.session_by_key(key(10)).await.unwrap().as_ref(), false);
}

/// Law: no sid, no key and no refresh token is given twice, and a refusal leaves no trace.
#[doc(hidden)]
pub async fn nothing_is_ever_overwritten(store: Tried) {
    with_two_accounts(&store).await;
    let (cookie, token) = (session(10, 1), token_session(11, 1));
    open(&store, &[&cookie, &token]).await;
    let events = store.events(99).await.unwrap();

    let mut same_sid = session(20, 2);
    same_sid.session.sid = cookie.session.sid;
    check_taken(&store.open_session(same_sid).await);
    let mut same_key = session(21, 2);
    same_key.session.key = cookie.session.key;
    check_taken(&store.open_session(same_key).await);
    let refresh = Some(refresh_token(22, 11));
    check_taken(&store.open_session(NewSession { refresh, ..token_session(22, 2) }).await);

    let kept = store.session_by_key(key(10)).await.unwrap().unwrap();
    assert_eq!(kept.session, cookie.session);
    for sid in [20, 21, 22] {
        check_there(store.session(SessionId(sid)).await.unwrap().as_ref(), false);
    }
    assert_eq!(store.session_of_refresh(key(11)).await.unwrap(), Some(SessionId(11)));
    assert_eq!(store.events(99).await.unwrap(), events);
}

/// Law: a login whose password was checked before it was changed does not get in after.
#[doc(hidden)]
pub async fn no_session_is_opened_in_a_past_epoch(store: Tried) {
    let mut ada = account(1, "ada");
    ada.account.epoch = Epoch(1);
    let mut grace = account(2, "grace");
    grace.account.disabled = true;
    store.open_account(ada).await.unwrap();
    store.open_account(grace).await.unwrap();
    let in_epoch = |n: u64, account, epoch| {
        let mut new = session(n, account);
        new.session.owner.as_mut().unwrap().epoch = Epoch(epoch);
        new
    };
    check_gone(&store.open_session(in_epoch(10, 1, 0)).await);
    check_gone(&store.open_session(in_epoch(11, 1, 2)).await);
    check_gone(&store.open_session(in_epoch(12, 2, 0)).await);
    check_gone(&store.open_session(in_epoch(13, 3, 0)).await);
    store.open_session(in_epoch(14, 1, 1)).await.unwrap();
    for sid in 10..14 {
        check_there(store.session(SessionId(sid)).await.unwrap().as_ref(), false);
    }
}

/// Law: of two late touches the later one stands.
#[doc(hidden)]
pub async fn a_touch_never_moves_time_back(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    let sid = SessionId(10);
    store.touch(vec![(sid, used(after(300))), (sid, used(after(200)))]).await.unwrap();
    store.touch(vec![(sid, used(after(100)))]).await.unwrap();
    let found = store.session(sid).await.unwrap().unwrap();
    assert_eq!(found.session.seen_at, after(300));
    assert_eq!(found.session.opened_at, after(0));
}

/// Law: a session was last used where its latest use was, and what comes late does not pull it back.
#[doc(hidden)]
pub async fn a_touch_takes_the_address_along(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&anonymous(10), &token_session(11, 1)]).await;
    let ip = async |sid| store.session(SessionId(sid)).await.unwrap().unwrap().device.ip;
    let touch = async |seen_at, ip: Option<&str>| {
        let ip = ip.map(|ip| ip.parse().unwrap());
        store.touch(vec![(SessionId(10), used(seen_at).from(ip))]).await.unwrap();
    };
    touch(after(0), Some("198.51.100.1")).await;
    assert_eq!(ip(10).await, device().ip, "not later than what was there");
    touch(after(100), Some("198.51.100.1")).await;
    assert_eq!(ip(10).await, "198.51.100.1");
    touch(after(200), Some("2001:db8::1")).await;
    assert_eq!(ip(10).await, "2001:db8::1");
    touch(after(150), Some("203.0.113.1")).await;
    assert_eq!(ip(10).await, "2001:db8::1");
    touch(after(300), None).await;
    assert_eq!(ip(10).await, "2001:db8::1");
    let past = Touch { generation: 1, ..used(after(400)) }.from("203.0.113.1".parse().ok());
    store.touch(vec![(SessionId(10), past)]).await.unwrap();
    assert_eq!(ip(10).await, "2001:db8::1", "of another generation");

    let refreshed =
        Presented { ip: "203.0.113.1".parse().ok(), ..presented(&secret(11), 1, after(9)) };
    store.rotate(refreshed).await.unwrap();
    assert_eq!(ip(11).await, "203.0.113.1");
}

/// Law: an assurance that has lapsed is written with the use that found it, and never raised by one.
#[doc(hidden)]
pub async fn a_touch_lowers_the_assurance_and_never_raises_it(store: Tried) {
    with_two_accounts(&store).await;
    let mut new = session(10, 1);
    new.session.acr = Assurance::Aal2;
    open(&store, &[&new]).await;
    let acr = async || store.session(SessionId(10)).await.unwrap().unwrap().session.acr;
    let touch = |acr, generation| {
        store.touch(vec![(SessionId(10), Touch { acr, generation, ..used(after(9)) })])
    };
    touch(Assurance::Aal3, 0).await.unwrap();
    assert_eq!(acr().await, Assurance::Aal2);
    touch(Assurance::Aal1, 0).await.unwrap();
    assert_eq!(acr().await, Assurance::Aal1);
}

/// Law: what a new proof has shown does not lapse by a use from before it.
#[doc(hidden)]
pub async fn a_touch_from_before_a_proof_leaves_its_assurance(store: Tried) {
    with_two_accounts(&store).await;
    let new = session(10, 1);
    open(&store, &[&new]).await;
    let mut asked = new_secret(&new, 20, event(1));
    asked.renamed.session.acr = Assurance::Aal2;
    store.rename(asked).await.unwrap();
    store.touch(vec![(SessionId(10), used(after(90)))]).await.unwrap();
    let kept = store.session(SessionId(10)).await.unwrap().unwrap().session;
    assert_eq!((kept.acr, kept.seen_at), (Assurance::Aal2, after(90)));
}

/// Law: a request that was under way when its session ended does not bring it back.
#[doc(hidden)]
pub async fn a_touch_never_revives_an_ended_session(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    assert!(store.end_session(SessionId(10), ending(1)).await.unwrap());
    store.touch(vec![(SessionId(10), used(after(300)))]).await.unwrap();
    check_there(store.session(SessionId(10)).await.unwrap().as_ref(), false);
    check_there(store.session_by_key(key(10)).await.unwrap().as_ref(), false);
}

/// Law: the end of a session is the end of all that hangs from it, and is told once.
#[doc(hidden)]
pub async fn an_end_takes_everything_and_is_told_once(store: Tried) {
    with_two_accounts(&store).await;
    let (mine, sid) = (token_session(10, 1), SessionId(10));
    open(&store, &[&mine, &token_session(11, 1)]).await;
    store.write_datum(sid, &data_key("a"), "1", Precondition::Any).await.unwrap();
    assert!(store.end_session(sid, ending(1)).await.unwrap());
    assert!(!store.end_session(sid, ending(2)).await.unwrap());
    assert!(!store.end_session(SessionId(99), ending(3)).await.unwrap());

    check_there(store.session(sid).await.unwrap().as_ref(), false);
    assert_eq!(store.data(sid).await.unwrap(), []);
    assert_eq!(store.session_of_refresh(key(10)).await.unwrap(), None);
    assert_eq!(store.session_of_refresh(key(11)).await.unwrap(), Some(SessionId(11)));

    let log = store.revocations(0, 9).await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].seq, 1);
    assert_eq!(log[0].revocation, revoke(Revoked::Session(sid), ending(1).now));
    let events = store.events(99).await.unwrap();
    let ended: Vec<_> =
        events.iter().filter(|event| event.kind == EventKind::SessionEnded).collect();
    assert_eq!(ended.len(), 1);
    assert_eq!((ended[0].id, ended[0].session), (ending(1).event.id, Some(sid)));
    assert_eq!(ended[0].account, Some(AccountId(1)));
}

/// Law: pressing the button twice is one logout.
#[doc(hidden)]
pub async fn parallel_endings_of_one_session_make_one_entry(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    let results = at_once(&store, 20, |store, n| async move {
        store.end_session(SessionId(10), ending(n)).await.unwrap()
    });
    assert_eq!(results.await.iter().filter(|there| **there).count(), 1);
    assert_eq!(store.head().await.unwrap(), 1);
}

/// Law: one account's "log out everywhere" leaves the others alone, and this session if so asked.
#[doc(hidden)]
pub async fn ending_all_sessions_of_one_account_leaves_the_others(store: Tried) {
    with_two_accounts(&store).await;
    let all = [session(10, 1), session(11, 1), token_session(12, 1), session(13, 2), anonymous(14)];
    open(&store, &all.iter().collect::<Vec<_>>()).await;
    let (ada, this) = (AccountId(1), Some(SessionId(11)));
    assert_eq!(store.end_sessions_of(ada, this, ending(1)).await.unwrap(), 2);
    for (sid, there) in [(10, false), (11, true), (12, false), (13, true), (14, true)] {
        check_there(store.session(SessionId(sid)).await.unwrap().as_ref(), there);
    }
    let ended: Vec<_> = store.events(99).await.unwrap();
    let ended: Vec<_> = ended.iter().filter(|it| it.kind == EventKind::SessionEnded).collect();
    assert_eq!(ended.len(), 2);
    assert_eq!(ended[1].id, ending(1).event.id);
    assert_eq!(ended[0].id.0, ending(1).event.id.0 + 1);
    assert_eq!((ended[1].session, ended[0].session), (Some(SessionId(10)), Some(SessionId(12))));

    assert_eq!(store.end_sessions_of(ada, None, ending(2)).await.unwrap(), 1);
    assert_eq!(store.end_sessions_of(ada, None, ending(3)).await.unwrap(), 0);
    assert_eq!(store.head().await.unwrap(), 3);
}

/// Law: a login whose password was checked before "log out everywhere" opens no session after it, and
/// the session that stays still counts.
#[doc(hidden)]
pub async fn ending_all_sessions_moves_the_epoch(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&session(10, 1), &session(11, 1)]).await;
    let this = SessionId(10);
    store.end_sessions_of(AccountId(1), Some(this), ending(1)).await.unwrap();
    let late = store.open_session(session(12, 1)).await;
    assert!(matches!(late, Err(SessionError::Gone)), "{late:?}");
    let kept = store.session(this).await.unwrap().unwrap();
    assert!(kept.check(&Lifetimes::default(), after(61)).is_ok());
    let theirs = store.open_session(session(13, 2)).await;
    assert!(theirs.is_ok(), "{theirs:?}");
}

/// Law: a browser has one session; the one before a login ends, and says why.
#[doc(hidden)]
pub async fn a_login_ends_the_session_it_replaces(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&anonymous(10)]).await;
    open(&store, &[&NewSession { replaces: Some(key(10)), ..session(11, 1) }]).await;
    check_there(store.session_by_key(key(10)).await.unwrap().as_ref(), false);
    check_there(store.session_by_key(key(11)).await.unwrap().as_ref(), true);
    let log = store.revocations(0, 9).await.unwrap();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].revocation.revoked, Revoked::Session(SessionId(10)));
    let newest = store.events(1).await.unwrap().remove(0);
    assert_eq!((newest.kind, newest.session), (EventKind::SessionEnded, Some(SessionId(10))));
    assert_eq!(newest.reason.as_deref(), Some("replaced"));

    // It may have gone meanwhile: that is no reason not to log in.
    open(&store, &[&NewSession { replaces: Some(key(10)), ..session(12, 1) }]).await;
    assert_eq!(store.head().await.unwrap(), 1);
}

/// Law: a login that fails leaves the session before it as it was.
#[doc(hidden)]
pub async fn a_refused_login_replaces_nothing(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&anonymous(10), &session(11, 1)]).await;
    let replaces = Some(key(10));
    check_taken(&store.open_session(NewSession { replaces, ..session(11, 1) }).await);
    check_gone(&store.open_session(NewSession { replaces, ..session(12, 9) }).await);
    check_there(store.session_by_key(key(10)).await.unwrap().as_ref(), true);
    assert_eq!(store.head().await.unwrap(), 0);
}

/// Law: the newest come first; pages have no overlap and no gap, and show one account's sessions
/// only.
#[doc(hidden)]
pub async fn sessions_are_listed_in_pages_newest_first(store: Tried) {
    with_two_accounts(&store).await;
    let all = [session(12, 1), session(10, 1), session(13, 2), session(11, 1), anonymous(14)];
    open(&store, &all.iter().collect::<Vec<_>>()).await;
    let page = async |after: Option<u128>, limit| {
        let page = store.sessions_of(AccountId(1), after.map(SessionId), limit).await.unwrap();
        (page.items.iter().map(|found| found.session.sid.0).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(None, 2).await, (vec![12, 11], true));
    assert_eq!(page(Some(11), 2).await, (vec![10], false));
    assert_eq!(page(None, 3).await, (vec![12, 11, 10], false));
    assert_eq!(page(Some(10), 3).await, (vec![], false));
}

/// Law: whoever was told that they are logged in, or out, is so for the next request.
#[doc(hidden)]
pub async fn what_was_acknowledged_is_seen_at_once(store: Tried) {
    let results = at_once(&store, 100, |store, n| async move {
        let (new, sid) = (anonymous(n), SessionId(n.into()));
        store.open_session(new).await.unwrap();
        let opened = store.session_by_key(key(n)).await.unwrap().is_some();
        store.touch(vec![(sid, used(after(n)))]).await.unwrap();
        let touched = store.session(sid).await.unwrap().unwrap().session.seen_at == after(n);
        store.end_session(sid, ending(n)).await.unwrap();
        opened && touched && store.session_by_key(key(n)).await.unwrap().is_none()
    });
    assert!(results.await.iter().all(|seen| *seen));
}
