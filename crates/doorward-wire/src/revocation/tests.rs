use serde_json::{Value, json};

use super::*;
use crate::jose::COMPACT_BYTES_MAX;
use crate::jose::sample::signing_key;
use crate::token::{self, ACCESS_TOKEN_TYPE, Expectation, Shown, TokenRefusal};

const ISSUER: &str = "https://id.example.com";

fn key() -> SigningKey {
    signing_key(Algorithm::EdDsa)
}

fn keys() -> KeySet {
    KeySet::of(Algorithm::ALL.map(|algorithm| signing_key(algorithm).verifying_key())).unwrap()
}

fn entry(seq: u64, revoked: Revoked) -> LogEntry {
    let (not_before, expires_at) = (UnixTime(1_700_000_000), UnixTime(1_700_000_330));
    LogEntry { seq, revocation: Revocation { revoked, not_before, expires_at } }
}

fn bulletin(after: u64, entries: Vec<LogEntry>) -> Bulletin {
    Bulletin {
        iss: ISSUER.into(),
        iat: UnixTime(1_700_000_000),
        log: "log".into(),
        run: "run".into(),
        ms: 7,
        keys: Some("\"etag\"".into()),
        after,
        seq: after + entries.len() as u64,
        head: after + entries.len() as u64,
        entries,
    }
}

fn read(text: &str) -> Result<Bulletin, BulletinRefusal> {
    Bulletin::verify(text, &keys(), ISSUER, &[Algorithm::EdDsa])
}

/// A bulletin that is right but for this, and rightly signed.
fn with(change: impl FnOnce(&mut Value)) -> Result<Bulletin, BulletinRefusal> {
    let entries = vec![entry(42, Revoked::Session(SessionId(1)))];
    let mut value = serde_json::to_value(bulletin(41, entries)).unwrap();
    change(&mut value);
    read(&sign_compact(&key(), BULLETIN_TYPE, &value).unwrap())
}

#[test]
fn what_was_signed_is_what_is_read() {
    let all = [
        Revoked::Session(SessionId(1)),
        Revoked::Proof(SessionId(2)),
        Revoked::Account(AccountId(3)),
        Revoked::Token(TokenId(4)),
        Revoked::Client(ClientId(5)),
    ];
    let entries = (42..).zip(all).map(|(seq, revoked)| entry(seq, revoked)).collect();
    for bulletin in [bulletin(41, entries), bulletin(41, vec![]), bulletin(0, vec![])] {
        assert_eq!(read(&bulletin.sign(&key()).unwrap()), Ok(bulletin));
    }
    for revoked in all {
        assert_eq!(Revoked::from_parts(revoked.kind(), revoked.id_bits()), Some(revoked));
    }
}

#[test]
fn an_entry_is_written_with_its_id_in_text() {
    let written = serde_json::to_value(entry(42, Revoked::Proof(SessionId(1)))).unwrap();
    let expected = json!({
        "seq": 42, "kind": "proof", "id": "ses_00000000000000000000000001",
        "not_before": 1_700_000_000, "expires_at": 1_700_000_330,
    });
    assert_eq!(written, expected);
}

#[test]
fn the_largest_bulletin_is_as_long_as_a_token_may_be_at_most() {
    let most = (0..ENTRIES_MAX as u64)
        .map(|n| entry(u64::from(u32::MAX) + 1 + n, Revoked::Account(AccountId(u128::MAX))))
        .collect::<Vec<_>>();
    let mut largest = bulletin(u64::from(u32::MAX), most);
    largest.iss = format!("https://{}", "x".repeat(255));
    (largest.log, largest.run) = ("x".repeat(43), "x".repeat(43));
    let longest = signing_key(Algorithm::Rs256);
    let text = largest.sign(&longest).unwrap();
    assert!(text.len() <= COMPACT_BYTES_MAX, "{}", text.len());
}

#[test]
fn entries_are_numbered_one_by_one_or_all_are_refused() {
    let session = || Revoked::Session(SessionId(1));
    let mut more = bulletin(41, vec![entry(42, session())]);
    more.seq = 43;
    let mut fewer = bulletin(41, vec![entry(42, session()), entry(43, session())]);
    fewer.seq = 42;
    let mut backwards = bulletin(41, vec![]);
    backwards.seq = 40;
    let mut heartbeat = bulletin(41, vec![]);
    heartbeat.seq = 42;
    let mut beyond = bulletin(41, vec![entry(42, session())]);
    beyond.head = 41;
    for wrong in [
        more,
        fewer,
        backwards,
        heartbeat,
        beyond,
        bulletin(41, vec![entry(43, session())]),
        bulletin(41, vec![entry(42, session()), entry(42, session())]),
        bulletin(41, vec![entry(43, session()), entry(42, session())]),
        bulletin(u64::MAX, vec![]),
    ] {
        let is_last = wrong.after == u64::MAX;
        let got = read(&wrong.sign(&key()).unwrap());
        // A heartbeat at the end of all numbers is right, if odd.
        assert_eq!(got.is_ok(), is_last, "{wrong:?}");
    }
}

#[test]
fn a_member_that_is_missing_or_odd_refuses_the_whole() {
    assert!(with(|_| ()).is_ok());
    for member in ["iss", "iat", "log", "run", "ms", "after", "seq", "head", "entries"] {
        let without = with(|value| {
            value.as_object_mut().unwrap().remove(member);
        });
        assert_eq!(without, Err(BulletinRefusal::Claims), "{member}");
        assert_eq!(with(|value| value[member] = json!([{}])), Err(BulletinRefusal::Claims));
    }
    assert_eq!(with(|value| value["log"] = json!("")), Err(BulletinRefusal::Claims));
    assert_eq!(with(|value| value["run"] = json!("x".repeat(129))), Err(BulletinRefusal::Claims));
    assert_eq!(with(|value| value["iss"] = json!("https://evil")), Err(BulletinRefusal::Issuer));
}

#[test]
fn a_kind_of_entry_that_we_do_not_know_refuses_the_whole() {
    let kind = with(|value| value["entries"][0]["kind"] = json!("planet"));
    assert_eq!(kind, Err(BulletinRefusal::Claims));
    let id = with(|value| value["entries"][0]["id"] = json!("acc_00000000000000000000000001"));
    assert_eq!(id, Err(BulletinRefusal::Claims));
}

#[test]
fn a_bulletin_is_no_access_token_and_an_access_token_no_bulletin() {
    let text = bulletin(41, vec![]).sign(&key()).unwrap();
    let expected = Expectation {
        issuer: ISSUER,
        audience: ISSUER,
        algorithms: &Algorithm::ALL,
        shown: Shown::Bearer,
    };
    let verified = token::verify(&text, &keys(), &expected, UnixTime(1_700_000_000));
    assert_eq!(verified, Err(TokenRefusal::Type));
    let claims = serde_json::to_value(bulletin(41, vec![])).unwrap();
    for typ in [ACCESS_TOKEN_TYPE, "JWT", "dpop+jwt", "", "Doorward-revocations+jwt "] {
        let other = sign_compact(&key(), typ, &claims).unwrap();
        assert_eq!(read(&other), Err(BulletinRefusal::Type), "{typ}");
    }
}

#[test]
fn only_the_issuers_keys_and_algorithms_sign() {
    let bulletin = bulletin(41, vec![]);
    let es256 = bulletin.sign(&signing_key(Algorithm::Es256)).unwrap();
    assert_eq!(read(&es256), Err(BulletinRefusal::Algorithm));
    let text = bulletin.sign(&key()).unwrap();
    let algorithms = [Algorithm::EdDsa];
    let nobody = Bulletin::verify(&text, &KeySet::default(), ISSUER, &algorithms);
    assert_eq!(nobody, Err(BulletinRefusal::Key));
    let other = text.replace('.', ".A");
    assert!(read(&other).is_err());
    let mut forged = text;
    let at = forged.len() - 10;
    let letter = if &forged[at..=at] == "A" { "B" } else { "A" };
    forged.replace_range(at..=at, letter);
    assert_eq!(read(&forged), Err(BulletinRefusal::Signature));
}
