//! Laws of notices, and of the places that logins come from.

use doorward_core::event::{Event, EventKind};
use doorward_core::whereabouts::{VISIT_COUNT_MAX, Whereabouts};
use doorward_wire::{AccountId, SessionId, UnixTime};

use super::sample::{
    Tried, after, at_once, change, event, key, open, presented, secret, session, token_session,
    with_two_accounts,
};
use crate::act::{NewSession, SessionError};

const ADA: AccountId = AccountId(1);
const GRACE: AccountId = AccountId(2);
const DAY: u64 = 24 * 60 * 60;

/// The `n`th event: one that alarms Ada.
fn alarm(n: u64) -> Event {
    Event { kind: EventKind::SecretReuseDetected, account: Some(ADA), ..event(n) }
}

/// How Ada's answer is told.
fn answered(n: u64) -> Event {
    Event { kind: EventKind::NoticeAnswered, account: Some(ADA), ..event(n) }
}

async fn notices(store: &Tried, account: AccountId) -> Vec<Event> {
    store.notices_of(account, None, 99).await.unwrap().items
}

/// Law: what alarms stays until its owner has said something to it, and then is history.
#[doc(hidden)]
pub async fn an_alarming_event_is_a_notice_until_it_is_answered(store: Tried) {
    store.note(alarm(1)).await.unwrap();
    store.note(Event { kind: EventKind::LoginSucceeded, ..alarm(2) }).await.unwrap();
    store.note(Event { account: None, ..alarm(3) }).await.unwrap();
    store.note(alarm(4)).await.unwrap();
    assert_eq!(notices(&store, ADA).await, [alarm(4), alarm(1)]);
    assert_eq!(store.notice(ADA, alarm(1).id).await.unwrap(), Some(alarm(1)));
    assert_eq!(store.notice(ADA, event(2).id).await.unwrap(), None, "it alarms nobody");

    assert!(store.answer_notice(ADA, alarm(1).id, answered(5)).await.unwrap());
    assert_eq!(notices(&store, ADA).await, [alarm(4)]);
    assert_eq!(store.notice(ADA, alarm(1).id).await.unwrap(), None);
    let all = store.events_of(ADA, None, 9).await.unwrap().items;
    assert_eq!((all.len(), &all[0]), (4, &answered(5)), "the event itself stays");

    assert!(!store.answer_notice(ADA, alarm(1).id, answered(6)).await.unwrap());
    assert_eq!(store.events(99).await.unwrap()[0], answered(5), "a second answer writes nothing");
}

/// Law: the same again about the same session asks nobody twice, until the first was answered.
#[doc(hidden)]
pub async fn what_alarms_again_and_again_is_one_notice(store: Tried) {
    let of =
        |n, sid: Option<u64>| Event { session: sid.map(|sid| SessionId(sid.into())), ..alarm(n) };
    for event in [of(1, Some(7)), of(2, Some(7)), of(3, Some(8)), of(4, None), of(5, None)] {
        store.note(event).await.unwrap();
    }
    store.note(Event { kind: EventKind::BindingRefused, ..of(6, Some(7)) }).await.unwrap();
    store.note(Event { account: Some(GRACE), ..of(7, Some(7)) }).await.unwrap();
    let open: Vec<_> = notices(&store, ADA).await.into_iter().map(|told| told.id).collect();
    assert_eq!(open, [6, 5, 4, 3, 1].map(|n| event(n).id));
    assert_eq!(notices(&store, GRACE).await.len(), 1);
    store.answer_notice(ADA, event(1).id, answered(8)).await.unwrap();
    store.note(of(9, Some(7))).await.unwrap();
    assert_eq!(notices(&store, ADA).await[0].id, event(9).id);
    assert_eq!(store.events(99).await.unwrap().len(), 9, "the log has them all");
}

/// Law: somebody else's notice is none.
#[doc(hidden)]
pub async fn a_notice_is_answered_by_its_owner_alone(store: Tried) {
    store.note(alarm(1)).await.unwrap();
    assert_eq!(notices(&store, GRACE).await, []);
    assert_eq!(store.notice(GRACE, alarm(1).id).await.unwrap(), None);
    assert!(!store.answer_notice(GRACE, alarm(1).id, answered(2)).await.unwrap());
    assert_eq!(notices(&store, ADA).await, [alarm(1)]);
    assert_eq!(store.events(9).await.unwrap(), [alarm(1)]);
}

/// Law: a button that is pressed twice answers once.
#[doc(hidden)]
pub async fn of_parallel_answers_one_counts(store: Tried) {
    store.note(alarm(1)).await.unwrap();
    let answers = at_once(&store, 20, |store, n| async move {
        store.answer_notice(ADA, alarm(1).id, answered(100 + n)).await.unwrap()
    });
    assert_eq!(answers.await.into_iter().filter(|counted| *counted).count(), 1);
    assert_eq!(store.events(99).await.unwrap().len(), 2);
}

/// Law: none of many notices is cut off.
#[doc(hidden)]
pub async fn notices_are_listed_in_pages_newest_first(store: Tried) {
    for n in 1..=5 {
        store.note(alarm(n)).await.unwrap();
    }
    let page = store.notices_of(ADA, None, 2).await.unwrap();
    assert_eq!((page.items, page.more), (vec![alarm(5), alarm(4)], true));
    let rest = store.notices_of(ADA, Some(alarm(4).id), 3).await.unwrap();
    assert_eq!((rest.items, rest.more), (vec![alarm(3), alarm(2), alarm(1)], false));
}

/// Law: a notice does not outlive its event, and holds up no sweep.
#[doc(hidden)]
pub async fn a_notice_goes_with_its_event(store: Tried) {
    store.note(alarm(1)).await.unwrap();
    store.note(Event { at: after(100), ..alarm(2) }).await.unwrap();
    assert_eq!(store.sweep_events(after(50), 9).await.unwrap(), 1);
    assert_eq!(notices(&store, ADA).await.len(), 1);
    assert!(!store.answer_notice(ADA, alarm(1).id, answered(3)).await.unwrap());
}

/// Law: an alarm is never lost between the act and its notice.
#[doc(hidden)]
pub async fn a_reuse_opens_a_notice_in_the_act_that_ends_the_session(store: Tried) {
    with_two_accounts(&store).await;
    let mine = session(12, 1);
    open(&store, &[&token_session(10, 1), &mine]).await;
    store.rotate(presented(&secret(10), 1, after(1))).await.unwrap();
    store.rotate(presented(&secret(10), 2, after(60))).await.unwrap_err();
    let told = notices(&store, ADA).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind, EventKind::TokenReuseDetected);
    assert_eq!(told[0].session, Some(SessionId(10)));

    let mut changed = change(&mine, 2);
    changed.event.account = Some(ADA);
    changed.event.session = Some(SessionId(12));
    store.change_password(changed).await.unwrap();
    let told: Vec<_> = notices(&store, ADA).await.into_iter().map(|told| told.kind).collect();
    assert_eq!(told, [EventKind::TokenReuseDetected, EventKind::PasswordChanged]);
}

/// The `n`th session of Ada, from a place.
fn arriving(n: u64, (label, network): (&str, &str), now: UnixTime) -> NewSession {
    let mut new = session(n, 1);
    new.session.opened_at = now;
    new.event.kind = EventKind::LoginSucceeded;
    new.event.account = Some(ADA);
    new.event.at = now;
    new.whereabouts =
        Some(Whereabouts { device: label.into(), network: network.into(), country: None });
    new
}

const HOME: (&str, &str) = ("Firefox on Linux", "192.0.0.0/16");
const THERE: (&str, &str) = ("Firefox on Linux", "198.51.0.0/16");

/// Law: the event of a new place is in the act of the login.
#[doc(hidden)]
pub async fn a_login_from_a_new_place_is_told_with_it(store: Tried) {
    with_two_accounts(&store).await;
    // The very first, and the same place again.
    open(&store, &[&arriving(10, HOME, after(1)), &arriving(11, HOME, after(2))]).await;
    assert_eq!(notices(&store, ADA).await, []);

    let mut elsewhere = arriving(12, THERE, after(3));
    elsewhere.replaces = Some(key(10));
    open(&store, &[&elsewhere]).await;
    let told = notices(&store, ADA).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].kind, EventKind::LoginNewPlace);
    assert_eq!((told[0].session, told[0].at), (Some(SessionId(12)), after(3)));
    assert_eq!(told[0].device, elsewhere.event.device);
    let kinds: Vec<_> =
        store.events(3).await.unwrap().into_iter().map(|event| event.kind).collect();
    let expected = [EventKind::LoginNewPlace, EventKind::SessionEnded, EventKind::LoginSucceeded];
    assert_eq!(kinds, expected, "each has an id of its own");

    // Known by now; and another account's place is not this one's.
    open(&store, &[&arriving(13, THERE, after(4))]).await;
    let mut grace = arriving(14, ("curl", HOME.1), after(5));
    grace.session.owner = session(14, 2).session.owner;
    open(&store, &[&grace]).await;
    assert_eq!(notices(&store, ADA).await.len(), 1);
    assert_eq!(notices(&store, GRACE).await, []);
}

/// Law: a login that opened nothing makes no place known.
#[doc(hidden)]
pub async fn a_refused_login_is_remembered_nowhere(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&arriving(10, HOME, after(1))]).await;
    let mut stale = arriving(11, THERE, after(2));
    stale.proved = None;
    let refused = store.open_session(stale).await;
    assert!(matches!(refused, Err(SessionError::Gone)), "{refused:?}");
    assert_eq!(notices(&store, ADA).await, []);
    open(&store, &[&arriving(12, THERE, after(3))]).await;
    assert_eq!(notices(&store, ADA).await.len(), 1, "it is new still");
}

/// Law: who was away for three months is told again, and forgotten places stay forgotten.
#[doc(hidden)]
pub async fn a_place_is_forgotten_after_ninety_days(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&arriving(10, HOME, after(0)), &arriving(11, HOME, after(89 * DAY))]).await;
    assert_eq!(notices(&store, ADA).await.len(), 0);
    open(&store, &[&arriving(12, HOME, after(179 * DAY))]).await;
    assert_eq!(notices(&store, ADA).await.len(), 1);
    open(&store, &[&arriving(13, HOME, after(179 * DAY))]).await;
    assert_eq!(notices(&store, ADA).await.len(), 1);
}

/// Law: whoever roams for ever fills no disk, and the place of today is known.
#[doc(hidden)]
pub async fn the_places_of_an_account_are_bounded(store: Tried) {
    with_two_accounts(&store).await;
    let last = VISIT_COUNT_MAX as u64 + 1;
    for n in 0..=last {
        let network = format!("10.{n}.0.0/16");
        open(&store, &[&arriving(100 + n, (HOME.0, &network), after(n))]).await;
    }
    assert_eq!(notices(&store, ADA).await.len(), 99, "as many as were asked for");
    let told = store.notices_of(ADA, None, 9999).await.unwrap().items.len() as u64;
    assert_eq!(told, last, "each but the first");
    // The newest is known, the oldest is not any more.
    open(&store, &[&arriving(2000, (HOME.0, &format!("10.{last}.0.0/16")), after(last))]).await;
    assert_eq!(store.notices_of(ADA, None, 9999).await.unwrap().items.len() as u64, last);
    open(&store, &[&arriving(2001, (HOME.0, "10.0.0.0/16"), after(last))]).await;
    assert_eq!(store.notices_of(ADA, None, 9999).await.unwrap().items.len() as u64, last + 1);
}

/// Law: in a network that is of two countries each is known by itself.
#[doc(hidden)]
pub async fn a_country_does_not_hide_another_of_the_same_network(store: Tried) {
    with_two_accounts(&store).await;
    let of = |n, country: Option<&str>| {
        let mut new = arriving(n, HOME, after(n));
        new.whereabouts.as_mut().unwrap().country = country.map(str::to_owned);
        new
    };
    open(&store, &[&of(10, Some("France")), &of(11, Some("Russia"))]).await;
    assert_eq!(notices(&store, ADA).await.len(), 1);
    open(&store, &[&of(12, Some("France")), &of(13, Some("Russia")), &of(14, None)]).await;
    assert_eq!(notices(&store, ADA).await.len(), 1, "both are known by now");
}
