//! Laws of refresh tokens.

use doorward_core::event::EventKind;
use doorward_core::grant::Grant;
use doorward_core::refresh::HangingToken;
use doorward_core::session::SessionRefusal;
use doorward_wire::jose::Thumbprint;
use doorward_wire::{AccountId, FreshSecret, SessionId, UnixTime};

use super::sample::{
    Tried, after, at_once, change, check_there, ending, key, open, presented, secret, session,
    successor, token_session, used, with_two_accounts,
};
use crate::act::{Presented, RotateError, Rotated};

const SID: SessionId = SessionId(10);

/// Opens Ada's session 10, which is carried by tokens, and another.
async fn begin(store: &Tried) -> FreshSecret {
    with_two_accounts(store).await;
    open(store, &[&token_session(10, 1), &token_session(11, 1)]).await;
    secret(10)
}

async fn rotate(
    store: &Tried,
    secret: &FreshSecret,
    salt: u8,
    now: UnixTime,
) -> Result<Rotated, RotateError> {
    store.rotate(presented(secret, salt, now)).await
}

/// Checks that the session has ended because of a reuse, and that everybody was told.
async fn check_reused(store: &Tried, rotated: Result<Rotated, RotateError>) {
    assert!(matches!(rotated, Err(RotateError::Reused(SID))), "{rotated:?}");
    check_there(store.session(SID).await.unwrap().as_ref(), false);
    check_there(store.session(SessionId(11)).await.unwrap().as_ref(), true);
    assert_eq!(store.session_of_refresh(key(10)).await.unwrap(), None);
    assert_eq!(store.head().await.unwrap(), 1);
    let newest = store.events(1).await.unwrap().remove(0);
    assert_eq!((newest.kind, newest.session), (EventKind::TokenReuseDetected, Some(SID)));
    assert_eq!(newest.account, Some(AccountId(1)));
}

/// Law: whoever does not look like the owner gets nothing and takes nothing from the owner; a copy of
/// a used token gives them away all the same.
#[doc(hidden)]
pub async fn a_withheld_token_stays_as_it_was_and_a_reuse_is_a_reuse(store: Tried) {
    let first = begin(&store).await;
    let withheld = async |now| {
        let asked = Presented { withheld: true, ..presented(&first, 9, now) };
        store.rotate(asked).await
    };
    let before = store.session(SID).await.unwrap();
    let rotated = withheld(after(100)).await;
    assert!(matches!(rotated, Err(RotateError::Withheld)), "{rotated:?}");
    assert_eq!(store.session(SID).await.unwrap(), before, "it was no use of the session");
    assert_eq!(rotate(&store, &first, 1, after(100)).await.unwrap().salt, [1; 32]);
    let rotated = withheld(after(109)).await;
    assert!(matches!(rotated, Err(RotateError::Withheld)), "within the window: {rotated:?}");
    check_reused(&store, withheld(after(110)).await).await;
}

/// Law: a token gives way to its successor, which is good for the same.
#[doc(hidden)]
pub async fn a_first_use_keeps_the_successor(store: Tried) {
    let first = begin(&store).await;
    let rotated = rotate(&store, &first, 1, after(100)).await.unwrap();
    assert_eq!(rotated.salt, [1; 32]);
    assert_eq!(rotated.live.session().sid, SID);
    assert_eq!(rotated.live.account().unwrap().id, AccountId(1));
    assert_eq!(rotated.device, token_session(10, 1).device);
    let grant = Grant {
        audience: "api".into(),
        scope: "read write".into(),
        client: "app".into(),
        jkt: None,
    };
    assert_eq!(rotated.grant, grant);

    let mut current = successor(&first, 1);
    for salt in 2..6 {
        let rotated = rotate(&store, &current, salt, after(100)).await.unwrap();
        assert_eq!((rotated.salt, &rotated.grant), ([salt; 32], &grant));
        current = successor(&current, salt);
    }
    let unknown = rotate(&store, &secret(99), 1, after(100)).await;
    assert!(matches!(unknown, Err(RotateError::Unknown)), "{unknown:?}");
}

/// Law: a client whose answer was lost asks again and is not logged out.
#[doc(hidden)]
pub async fn a_second_use_within_the_window_gets_the_same_successor(store: Tried) {
    let first = begin(&store).await;
    rotate(&store, &first, 1, after(100)).await.unwrap();
    for (salt, now) in [(2, 100), (3, 109), (4, 50)] {
        let again = rotate(&store, &first, salt, after(now)).await.unwrap();
        assert_eq!(again.salt, [1; 32]);
        assert_eq!(again.grant.scope, "read write");
        let never_kept = successor(&first, salt).digest();
        assert_eq!(store.session_of_refresh(never_kept).await.unwrap(), None);
    }
    assert!(rotate(&store, &successor(&first, 1), 5, after(109)).await.is_ok());
}

/// Law: whoever comes late reveals that there are two, and the session ends for both.
#[doc(hidden)]
pub async fn a_use_after_the_window_ends_the_session(store: Tried) {
    let first = begin(&store).await;
    rotate(&store, &first, 1, after(100)).await.unwrap();
    let late = rotate(&store, &first, 2, after(110)).await;
    check_reused(&store, late).await;
    let other_branch = rotate(&store, &successor(&first, 1), 3, after(110)).await;
    assert!(matches!(other_branch, Err(RotateError::Unknown)), "{other_branch:?}");
}

/// Law: once the successor was used, the window is closed, however short a time ago.
#[doc(hidden)]
pub async fn a_use_after_the_successors_ends_the_session(store: Tried) {
    let first = begin(&store).await;
    rotate(&store, &first, 1, after(100)).await.unwrap();
    rotate(&store, &successor(&first, 1), 2, after(100)).await.unwrap();
    let late = rotate(&store, &first, 3, after(100)).await;
    check_reused(&store, late).await;
}

/// Law: no token of a session is forgotten before the session, so that a theft shows at last.
#[doc(hidden)]
pub async fn a_token_used_long_ago_still_ends_the_session(store: Tried) {
    let first = begin(&store).await;
    let mut current = secret(10);
    for salt in 1..20 {
        rotate(&store, &current, salt, after(u64::from(salt) * 600)).await.unwrap();
        current = successor(&current, salt);
    }
    let late = rotate(&store, &first, 99, after(20 * 600)).await;
    check_reused(&store, late).await;
}

/// Law: parallel uses of one token make one living branch, and nobody honest is logged out.
#[doc(hidden)]
pub async fn parallel_uses_of_one_token_get_one_successor(store: Tried) {
    let first = begin(&store).await;
    let salts = at_once(&store, 20, |store, n| async move {
        let salt = 1 + u8::try_from(n).unwrap();
        rotate(&store, &secret(10), salt, after(100)).await.unwrap().salt
    });
    let salts = salts.await;
    assert!(salts.iter().all(|salt| *salt == salts[0]), "{salts:?}");
    let mut kept = 0;
    for salt in 1..=20 {
        let successor = successor(&first, salt).digest();
        kept += u8::from(store.session_of_refresh(successor).await.unwrap().is_some());
    }
    assert_eq!(kept, 1);
}

/// Law: with the session its tokens have gone.
#[doc(hidden)]
pub async fn a_token_of_an_ended_session_is_unknown(store: Tried) {
    let first = begin(&store).await;
    rotate(&store, &first, 1, after(100)).await.unwrap();
    store.end_session(SID, ending(1)).await.unwrap();
    for secret in [first, successor(&secret(10), 1)] {
        let rotated = rotate(&store, &secret, 2, after(101)).await;
        assert!(matches!(rotated, Err(RotateError::Unknown)), "{rotated:?}");
    }
    assert_eq!(store.head().await.unwrap(), 1);
}

/// Law: a refresh token does not outlive the limits of its session, and a refusal uses nothing up.
#[doc(hidden)]
pub async fn a_token_of_a_session_past_its_limits_is_refused(store: Tried) {
    let first = begin(&store).await;
    let idle = rotate(&store, &first, 1, after(3600)).await;
    assert!(matches!(idle, Err(RotateError::Refused(SessionRefusal::Idle))), "{idle:?}");
    store.touch(vec![(SID, used(after(86_399)))]).await.unwrap();
    let old = rotate(&store, &first, 1, after(86_400)).await;
    assert!(matches!(old, Err(RotateError::Refused(SessionRefusal::Old))), "{old:?}");
    assert!(rotate(&store, &first, 2, after(86_399)).await.is_ok());
    assert_eq!(store.head().await.unwrap(), 0);

    let mine = session(12, 1);
    open(&store, &[&mine]).await;
    store.change_password(change(&mine, 2)).await.unwrap();
    let ended = rotate(&store, &secret(11), 1, after(61)).await;
    assert!(matches!(ended, Err(RotateError::Unknown)), "{ended:?}");
}

/// Law: who renews a token uses the session, and it does not fall idle.
#[doc(hidden)]
pub async fn a_rotation_is_a_use_of_the_session(store: Tried) {
    let first = begin(&store).await;
    let seen_at = async || store.session(SID).await.unwrap().unwrap().session.seen_at;
    let rotated = rotate(&store, &first, 1, after(3000)).await.unwrap();
    assert_eq!(rotated.live.session().seen_at, after(3000));
    assert_eq!(seen_at().await, after(3000));
    rotate(&store, &first, 2, after(3009)).await.unwrap();
    assert_eq!(seen_at().await, after(3009));
    rotate(&store, &successor(&first, 1), 2, after(3001)).await.unwrap();
    assert_eq!(seen_at().await, after(3009), "a clock that steps back moves nothing back");
}

/// Law: looking is not using.
#[doc(hidden)]
pub async fn the_session_of_a_token_is_found_without_using_it(store: Tried) {
    let first = begin(&store).await;
    assert_eq!(store.session_of_refresh(key(10)).await.unwrap(), Some(SID));
    assert_eq!(store.session_of_refresh(key(99)).await.unwrap(), None);
    assert_eq!(rotate(&store, &first, 7, after(9)).await.unwrap().salt, [7; 32]);
    assert_eq!(store.session_of_refresh(key(10)).await.unwrap(), Some(SID));
}

/// Law: an owner sees one living branch for each session, whatever came before it.
#[doc(hidden)]
pub async fn the_tokens_of_a_session_are_those_that_were_not_used(store: Tried) {
    let first = begin(&store).await;
    let grant = Grant {
        audience: "api".into(),
        scope: "read write".into(),
        client: "app".into(),
        jkt: None,
    };
    let hanging = |sid, issued_at, is_successor| HangingToken {
        sid: SessionId(sid),
        grant: grant.clone(),
        issued_at,
        is_successor,
    };
    let sids = [SessionId(11), SessionId(99), SID];
    let both = store.tokens_of(&sids).await.unwrap();
    assert_eq!(both, [hanging(11, after(0), false), hanging(10, after(0), false)]);

    rotate(&store, &first, 1, after(100)).await.unwrap();
    rotate(&store, &first, 2, after(105)).await.unwrap();
    let one = store.tokens_of(&[SID]).await.unwrap();
    assert_eq!(one, [hanging(10, after(100), true)], "one, however often it was asked for");
    rotate(&store, &successor(&first, 1), 2, after(300)).await.unwrap();
    assert_eq!(store.tokens_of(&[SID]).await.unwrap(), [hanging(10, after(300), true)]);

    assert_eq!(store.tokens_of(&[]).await.unwrap(), []);
    store.end_session(SID, ending(1)).await.unwrap();
    assert_eq!(store.tokens_of(&sids).await.unwrap(), [hanging(11, after(0), false)]);
}

/// Law: a token that is bound to a key turns for that key alone, and one that is not for none. Whoever
/// shows another takes nothing from the owner.
#[doc(hidden)]
pub async fn a_bound_token_turns_for_its_key_alone(store: Tried) {
    with_two_accounts(&store).await;
    let mut bound = token_session(10, 1);
    let key = Thumbprint([7; 32]);
    bound.refresh.as_mut().unwrap().grant.jkt = Some(key);
    open(&store, &[&bound, &token_session(11, 1)]).await;
    let turn = async |n: u64, salt: u8, jkt: Option<Thumbprint>, now: u64| {
        store.rotate(Presented { jkt, ..presented(&secret(n), salt, after(now)) }).await
    };
    for wrong in [None, Some(Thumbprint([8; 32]))] {
        let turned = turn(10, 1, wrong, 100).await;
        assert!(matches!(turned, Err(RotateError::Key)), "{turned:?}");
    }
    let turned = turn(11, 1, Some(key), 100).await;
    assert!(matches!(turned, Err(RotateError::Key)), "bound to none: {turned:?}");
    let rotated = turn(10, 2, Some(key), 100).await.unwrap();
    assert_eq!((rotated.salt, rotated.grant.jkt), ([2; 32], Some(key)));
    // A used one in a thief's hands, who does not have the key, ends nothing; the successor is bound, too.
    let late = turn(10, 3, None, 200).await;
    assert!(matches!(late, Err(RotateError::Key)), "{late:?}");
    let next = successor(&secret(10), 2);
    let stolen = store.rotate(presented(&next, 4, after(200))).await;
    assert!(matches!(stolen, Err(RotateError::Key)), "{stolen:?}");
    let own = Presented { jkt: Some(key), ..presented(&next, 4, after(200)) };
    assert_eq!(store.rotate(own).await.unwrap().grant.jkt, Some(key));
    let hanging = store.tokens_of(&[SID]).await.unwrap();
    assert_eq!(hanging[0].grant.jkt, Some(key));
}
