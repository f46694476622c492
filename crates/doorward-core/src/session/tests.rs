use doorward_wire::PresentedSecret;

use super::*;
use crate::account::{PasswordVersion, Role};
use crate::username::Username;

const NOON: UnixTime = UnixTime(1_700_000_000);
const EPOCH: Epoch = Epoch(3);

fn secret(n: u8) -> FreshSecret {
    FreshSecret::from_random([n; 32])
}

fn account(id: u128, epoch: Epoch) -> Account {
    Account {
        id: AccountId(id),
        username: Username::parse("ada").unwrap(),
        email: None,
        role: Role::Member,
        epoch,
        password_version: PasswordVersion(0),
        disabled: false,
        created_at: NOON,
    }
}

fn session_seen(seen_at: UnixTime) -> Session {
    Session {
        owner: Some(Owner { account: AccountId(42), epoch: EPOCH }),
        seen_at,
        ..Session::open_anonymous(SessionId(1), &secret(1), NOON)
    }
}

fn after(seconds: u64) -> UnixTime {
    UnixTime(NOON.0 + seconds)
}

#[track_caller]
fn check(session: Session, epoch: Epoch, now: UnixTime, expected: Result<(), SessionRefusal>) {
    let checked = session.check(Some(account(42, epoch)), &Lifetimes::default(), now);
    assert_eq!(checked.map(|_| ()), expected);
}

fn live() -> LiveSession {
    session_seen(NOON).check(Some(account(42, EPOCH)), &Lifetimes::default(), after(9)).unwrap()
}

#[test]
fn a_session_in_use_is_live() {
    check(session_seen(NOON), EPOCH, after(1), Ok(()));
}

#[test]
fn silence_is_forgiven_until_the_idle_limit_and_not_at_it() {
    check(session_seen(NOON), EPOCH, after(3599), Ok(()));
    check(session_seen(NOON), EPOCH, after(3600), Err(SessionRefusal::Idle));
}

#[test]
fn a_busy_session_still_ends_at_the_absolute_limit() {
    let absolute = 24 * 3600;
    check(session_seen(after(absolute - 1)), EPOCH, after(absolute - 1), Ok(()));
    check(session_seen(after(absolute)), EPOCH, after(absolute), Err(SessionRefusal::Old));
}

#[test]
fn a_remembered_session_has_longer_limits_and_they_hold() {
    let day = 24 * 3600;
    let remembered = |seen_at| Session { remembered: true, ..session_seen(seen_at) };
    check(remembered(NOON), EPOCH, after(14 * day - 1), Ok(()));
    check(remembered(NOON), EPOCH, after(14 * day), Err(SessionRefusal::Idle));
    check(remembered(after(30 * day)), EPOCH, after(30 * day), Err(SessionRefusal::Old));
}

#[test]
fn the_highest_assurance_has_the_shortest_limits_even_when_remembered() {
    let sure = Session { remembered: true, acr: Assurance::Aal3, ..session_seen(NOON) };
    check(sure.clone(), EPOCH, after(15 * 60 - 1), Ok(()));
    check(sure, EPOCH, after(15 * 60), Err(SessionRefusal::Idle));
}

#[test]
fn any_other_epoch_is_refused_even_an_earlier_one() {
    for epoch in [Epoch(EPOCH.0 + 1), Epoch(EPOCH.0 - 1)] {
        check(session_seen(NOON), epoch, NOON, Err(SessionRefusal::Superseded));
    }
}

#[test]
fn a_clock_that_steps_back_ends_no_session() {
    check(session_seen(NOON), EPOCH, UnixTime(NOON.0 - 3600), Ok(()));
}

#[test]
fn a_session_of_the_far_future_does_not_count_until_it_is_near() {
    let ahead = AHEAD_MAX.as_secs();
    let opened = |opened_at, seen_at| Session { opened_at, ..session_seen(seen_at) };
    for session in [opened(after(ahead), NOON), opened(NOON, after(ahead))] {
        check(session, EPOCH, NOON, Ok(()));
    }
    for session in [opened(after(ahead + 1), NOON), opened(NOON, after(ahead + 1))] {
        check(session.clone(), EPOCH, NOON, Err(SessionRefusal::Ahead));
        check(session, EPOCH, after(1), Ok(()));
    }
}

#[test]
fn the_session_of_a_disabled_or_deleted_account_does_not_count() {
    let disabled = Account { disabled: true, ..account(42, EPOCH) };
    for owner in [None, Some(disabled), Some(account(43, EPOCH))] {
        let checked = session_seen(NOON).check(owner, &Lifetimes::default(), NOON);
        assert_eq!(checked.map(|_| ()), Err(SessionRefusal::OwnerGone));
    }
}

#[test]
fn an_anonymous_session_is_live_and_nobodys() {
    let anonymous = Session::open_anonymous(SessionId(1), &secret(1), NOON);
    let live = anonymous.check(None, &Lifetimes::default(), after(1)).unwrap();
    assert_eq!(live.account(), None);
}

#[test]
fn most_requests_write_nothing() {
    let lifetimes = Lifetimes::default();
    assert_eq!(live().touch(&lifetimes, after(59)), None);
    let touch = Touch { seen_at: after(60), acr: Assurance::Aal1, generation: 0, ip: None };
    assert_eq!(live().touch(&lifetimes, after(60)), Some(touch));
}

#[track_caller]
fn assurance_at(session: Session, now: UnixTime, expected: Assurance) {
    let lifetimes = Lifetimes::default();
    let live = session.check(Some(account(42, EPOCH)), &lifetimes, now).unwrap();
    assert_eq!(live.session().acr, expected);
}

#[test]
fn two_factors_count_as_two_for_a_day_and_for_an_hour_of_silence() {
    let (hour, day) = (3600, 24 * 3600);
    let remembered =
        |seen_at| Session { remembered: true, acr: Assurance::Aal2, ..session_seen(seen_at) };
    assurance_at(remembered(NOON), after(hour - 1), Assurance::Aal2);
    assurance_at(remembered(NOON), after(hour), Assurance::Aal1);
    assurance_at(remembered(after(day - 2)), after(day - 1), Assurance::Aal2);
    assurance_at(remembered(after(day - 1)), after(day), Assurance::Aal1);
    let proved = Session { proved_at: after(day), ..remembered(after(day)) };
    assurance_at(proved, after(day), Assurance::Aal2);
}

#[test]
fn a_lapse_is_written_with_the_use_that_found_it() {
    let lifetimes = Lifetimes { touch: Duration::from_hours(2), ..Lifetimes::default() };
    let sure = Session { remembered: true, acr: Assurance::Aal2, ..session_seen(NOON) };
    let check = |session: Session, now| session.check(Some(account(42, EPOCH)), &lifetimes, now);
    let live = check(sure.clone(), after(3599)).unwrap();
    assert_eq!(live.touch(&lifetimes, after(3599)), None);
    let touch = check(sure.clone(), after(3600)).unwrap().touch(&lifetimes, after(3600)).unwrap();
    assert_eq!((touch.acr, touch.seen_at), (Assurance::Aal1, after(3600)));
    let mut kept = sure;
    kept.apply(touch);
    let next = check(kept, after(3601)).unwrap();
    assert_eq!(next.session().acr, Assurance::Aal1, "the next request does not undo it");
}

#[test]
fn of_two_uses_the_later_stands_and_a_use_never_raises_the_assurance() {
    let mut session = Session { acr: Assurance::Aal2, generation: 3, ..session_seen(NOON) };
    let touch = |seen_at, acr, generation| Touch { seen_at, acr, generation, ip: None };
    session.apply(touch(after(9), Assurance::Aal3, 3));
    assert_eq!((session.seen_at, session.acr), (after(9), Assurance::Aal2));
    session.apply(touch(after(5), Assurance::Aal1, 2));
    assert_eq!((session.seen_at, session.acr), (after(9), Assurance::Aal2));
    session.apply(touch(after(5), Assurance::Aal1, 3));
    assert_eq!((session.seen_at, session.acr), (after(9), Assurance::Aal1));
}

#[test]
fn the_latest_use_says_where_a_session_was_used() {
    let session = Session { generation: 3, ..session_seen(NOON) };
    let ip = Some("192.0.2.7".parse().unwrap());
    let used = |seen_at, generation| Touch { generation, ..live().used(seen_at) };
    assert_eq!(used(after(1), 3).from(ip).moves(&session), ip);
    assert_eq!(used(NOON, 3).from(ip).moves(&session), None, "another use was there already");
    assert_eq!(used(after(1), 2).from(ip).moves(&session), None, "from before a proof");
    assert_eq!(used(after(1), 3).moves(&session), None);
}

#[test]
fn a_new_proof_gives_a_new_secret_and_buys_no_longer_life() {
    let proven = Proven::for_tests(AccountId(42));
    let renamed = live().rename((&proven, Epoch(4)), &secret(2), after(9)).unwrap();
    let retired = renamed.retired.unwrap();
    assert_eq!((retired.key, retired.at, retired.proved_at), (secret(1).digest(), after(9), NOON));
    assert!(retired.reads && !renamed.clone().dead_at_once().retired.unwrap().reads);
    assert_eq!(renamed.session.key, Some(secret(2).digest()));
    assert_eq!(renamed.session.opened_at, NOON);
    assert_eq!((live().session().generation, renamed.session.generation), (0, 1));
    check(renamed.session.clone(), Epoch(4), after(10), Ok(()));
    check(renamed.session, EPOCH, after(10), Err(SessionRefusal::Superseded));
}

#[test]
fn a_new_proof_is_later_than_the_one_before_also_within_one_second() {
    let proven = Proven::for_tests(AccountId(42));
    let renamed_at = |now| {
        let renamed = live().rename((&proven, EPOCH), &secret(2), now).unwrap();
        renamed.session.proved_at
    };
    assert_eq!(renamed_at(NOON), after(1));
    assert_eq!(renamed_at(after(1)), after(1));
    assert_eq!(renamed_at(after(9)), after(9));
    // A clock that was a little ahead is still behind its own proofs; one far ahead was wrong.
    assert_eq!(renamed_at(NOON.before(Duration::from_secs(29))), after(1));
    let long_before = NOON.before(Duration::from_secs(30));
    assert_eq!(renamed_at(long_before), long_before);
}

#[test]
fn one_person_cannot_raise_the_session_of_another() {
    let proven = Proven::for_tests(AccountId(43));
    assert_eq!(live().rename((&proven, EPOCH), &secret(2), after(9)), Err(AnotherOwner));
}

#[test]
fn a_session_carried_by_tokens_answers_to_no_cookie() {
    let proven = Proven::for_tests(AccountId(42));
    let wish = Wish { carrier: Carrier::Token, remembered: false };
    let session = Session::open((&proven, EPOCH), wish, (SessionId(1), &secret(1)), NOON);
    assert_eq!(session.key, None);
}

#[test]
fn a_proof_is_recent_until_its_window_closes_and_not_at_its_close() {
    assert!(live().proved_within(Duration::from_mins(5), after(299)));
    assert!(!live().proved_within(Duration::from_mins(5), after(300)));
}

#[test]
fn a_presented_secret_finds_what_a_fresh_one_opened() {
    let presented = PresentedSecret::parse(&secret(1).expose()).unwrap();
    assert_eq!(session_seen(NOON).key, Some(presented.digest()));
}
