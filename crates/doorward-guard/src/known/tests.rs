use doorward_wire::KeyId;
use doorward_wire::jose::{Algorithm, KeySet, SigningKey};
use doorward_wire::revocation::Revocation;
use doorward_wire::token::{self, AccessClaims, Audiences, Expectation, Shown};

use super::*;

const NOON: UnixTime = UnixTime(1_800_000_000);
const BOUND: Duration = Duration::from_secs(1);

fn bulletin(after: u64, revoked: &[Revoked]) -> Bulletin {
    let entry = |(seq, revoked): (u64, &Revoked)| LogEntry {
        seq,
        revocation: Revocation {
            revoked: *revoked,
            not_before: NOON,
            expires_at: UnixTime(NOON.0 + 330),
        },
    };
    let seq = after + revoked.len() as u64;
    Bulletin {
        iss: "https://id.example".into(),
        iat: NOON,
        log: "log".into(),
        run: "run".into(),
        ms: 0,
        keys: None,
        after,
        seq,
        head: seq,
        entries: (after + 1..).zip(revoked).map(entry).collect(),
    }
}

/// A token of session 1, account 2, name 3, whose owner proved themselves then.
fn token(auth_time: u64) -> Evidence {
    let key = SigningKey::from_material(KeyId(1), Algorithm::Hs256, &[7; 32]).unwrap();
    let claims = AccessClaims {
        iss: "https://id.example".into(),
        sub: AccountId(2),
        aud: Audiences::one("https://api.example"),
        exp: UnixTime(NOON.0 + 300),
        iat: NOON,
        nbf: None,
        jti: TokenId(3),
        client_id: "shop".into(),
        scope: String::new(),
        sid: SessionId(1),
        auth_time: UnixTime(auth_time),
        acr: "aal1".into(),
        amr: vec![],
        groups: vec![],
        roles: vec![],
        cnf: None,
        status: None,
    };
    let expected = Expectation {
        issuer: "https://id.example",
        audience: "https://api.example",
        algorithms: &[Algorithm::Hs256],
        shown: Shown::Bearer,
    };
    let text = token::sign(&claims, &key).unwrap();
    let keys = KeySet::of([key.verifying_key()]).unwrap();
    Evidence::of(token::verify(&text, &keys, &expected, NOON).unwrap().as_unrevoked())
}

/// Knows the log up to `seq`, as of this moment.
fn knowing(seq: u64, at: Moment) -> Known {
    let mut known = Known::default();
    known.begin(&bulletin(0, &[]));
    known.take(&bulletin(seq, &[]), true, Some(at), at).unwrap();
    known
}

#[track_caller]
fn check_revoked(revoked: Revoked, auth_time: u64, expected: Result<(), Doubt>) {
    let mut known = knowing(0, Moment(0));
    assert_eq!(known.check(&token(auth_time), BOUND, Moment(0)), Ok(()));
    known.take(&bulletin(0, &[revoked]), false, Some(Moment(1)), Moment(1)).unwrap();
    assert_eq!(known.check(&token(auth_time), BOUND, Moment(1)), expected, "{revoked:?}");
}

#[test]
fn each_kind_of_entry_refuses_what_it_names_and_nothing_else() {
    let (before, at) = (NOON.0 - 1, NOON.0);
    for revoked in [Revoked::Session(SessionId(1)), Revoked::Token(TokenId(3))] {
        check_revoked(revoked, before, Err(Doubt::Revoked));
        check_revoked(revoked, at + 9, Err(Doubt::Revoked));
    }
    for revoked in [Revoked::Proof(SessionId(1)), Revoked::Account(AccountId(2))] {
        check_revoked(revoked, before, Err(Doubt::Revoked));
        check_revoked(revoked, at, Ok(()));
    }
    for other in [
        Revoked::Session(SessionId(2)),
        Revoked::Proof(SessionId(2)),
        Revoked::Account(AccountId(1)),
        Revoked::Token(TokenId(1)),
        Revoked::Client(ClientId(1)),
    ] {
        check_revoked(other, before, Ok(()));
    }
}

#[test]
fn knowledge_is_good_up_to_its_bound_and_no_longer() {
    let known = knowing(0, Moment(5000));
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(6000)), Ok(()));
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(6001)), Err(Doubt::Stale));
    assert_eq!(Known::default().check(&token(NOON.0), BOUND, Moment(0)), Err(Doubt::Stale));
}

#[test]
fn what_is_known_to_be_revoked_is_refused_however_old_the_knowledge_is() {
    let mut known = knowing(0, Moment(0));
    let ended = bulletin(0, &[Revoked::Session(SessionId(1))]);
    known.take(&ended, false, Some(Moment(1)), Moment(1)).unwrap();
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(99_999)), Err(Doubt::Revoked));
}

#[test]
fn an_old_bulletin_that_arrives_late_makes_nothing_fresh() {
    let mut known = knowing(0, Moment(1000));
    // Made at 1200, read at 9000: the process was frozen in between.
    known.take(&bulletin(0, &[]), false, Some(Moment(1200)), Moment(9000)).unwrap();
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(9000)), Err(Doubt::Stale));
    // Nor does one whose time nobody knows, or that claims to be from the time to come.
    known.take(&bulletin(0, &[]), false, None, Moment(9000)).unwrap();
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(9000)), Err(Doubt::Stale));
    known.take(&bulletin(0, &[]), false, Some(Moment(50_000)), Moment(9000)).unwrap();
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(10_001)), Err(Doubt::Stale));
}

#[test]
fn a_gap_another_log_and_another_run_are_noticed_and_what_was_known_stays() {
    let ended = Revoked::Session(SessionId(1));
    let mut known = knowing(0, Moment(0));
    known.take(&bulletin(0, &[ended]), false, Some(Moment(1)), Moment(1)).unwrap();
    let at = Moment(2);
    assert_eq!(known.take(&bulletin(2, &[]), false, Some(at), at), Err(Gap));
    let other_log = Bulletin { log: "other".into(), ..bulletin(1, &[]) };
    let other_run = Bulletin { run: "other".into(), ..bulletin(1, &[]) };
    for other in [other_log, other_run] {
        assert_eq!(known.position(&other), 0);
        for is_answer in [false, true] {
            assert_eq!(known.take(&other, is_answer, Some(at), at), Err(Gap));
        }
    }
    assert_eq!(known.position(&bulletin(1, &[])), 1);
    known.begin(&Bulletin { log: "other".into(), ..bulletin(0, &[]) });
    assert_eq!((known.seq(), known.check(&token(NOON.0), BOUND, at)), (0, Err(Doubt::Revoked)));
}

#[test]
fn what_is_told_twice_counts_once_and_what_is_behind_is_not_the_end() {
    let mut known = knowing(0, Moment(0));
    let ended = Revoked::Session(SessionId(9));
    known.take(&bulletin(0, &[ended, ended]), false, Some(Moment(1)), Moment(1)).unwrap();
    known.take(&bulletin(0, &[ended]), false, Some(Moment(2)), Moment(2)).unwrap();
    assert_eq!(known.seq(), 2);
    // There is more to come: nothing is known as of now.
    let part = Bulletin { head: 9, ..bulletin(2, &[ended]) };
    known.take(&part, false, Some(Moment(3000)), Moment(3000)).unwrap();
    assert_eq!(known.check(&token(NOON.0), BOUND, Moment(3000)), Err(Doubt::Stale));
}

#[test]
fn entries_are_forgotten_when_nothing_they_affect_can_be_shown() {
    let mut known = knowing(0, Moment(0));
    let ended = Revoked::Session(SessionId(1));
    known.take(&bulletin(0, &[ended]), false, Some(Moment(0)), Moment(0)).unwrap();
    for (seconds, expected) in [(389, 1), (421, 0)] {
        let at = Moment(seconds * 1000);
        // The issuer's clock is a year ahead: that changes nothing.
        let ahead = Bulletin { iat: UnixTime(NOON.0 + 31_536_000), ..bulletin(1, &[]) };
        known.take(&ahead, false, Some(at), at).unwrap();
        assert_eq!(known.entry_count(), expected, "after {seconds} s");
    }
}

#[test]
fn the_issuers_time_goes_on_by_our_steady_clock() {
    let known = knowing(0, Moment(10_000));
    assert_eq!(known.issuer_time(Moment(10_000)), Some(NOON));
    assert_eq!(known.issuer_time(Moment(15_999)), Some(UnixTime(NOON.0 + 5)));
    assert_eq!(Known::default().issuer_time(Moment(1)), None);
}

#[test]
fn a_statement_was_made_after_the_question_and_its_followers_as_much_later_as_they_say() {
    let answer = Bulletin { ms: 500, ..bulletin(0, &[]) };
    let anchor = Anchor::of(&answer, Moment(10_000));
    assert_eq!(anchor.made_at(&answer), Some(Moment(10_000)));
    let later = Bulletin { ms: 1700, ..bulletin(0, &[]) };
    assert_eq!(anchor.made_at(&later), Some(Moment(11_200)));
    let elsewhere = Bulletin { run: "other".into(), ..later };
    assert_eq!(anchor.made_at(&elsewhere), None);
}
