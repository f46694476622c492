//! What a session costs in the file, and that its `User-Agent` goes with it.

use doorward_core::data::Precondition;
use doorward_core::session::{Device, Lifetimes};
use doorward_wire::{AccountId, SessionId};

use super::*;
use crate::act::NewSession;
use crate::conformance::sample::{
    Tried, account, after, anonymous, at_once, data_key, ending, event, key, session,
    token_session, used, with_two_accounts,
};
use crate::{Accounts, RefreshTokens, SessionData, Sessions};

/// The session, opened by a browser of this name.
fn by(user_agent: &str, new: NewSession) -> NewSession {
    let device = Device::seen(user_agent, new.device.ip.clone());
    NewSession { device, ..new }
}

/// Checks which browsers the file knows, and how many sessions each has.
#[track_caller]
fn check_known(store: &SqliteStore, expected: &[(&str, u64)]) {
    const KNOWN: &str = "SELECT text, session_count FROM user_agent ORDER BY text";
    let read = |db: &Connection| columns::all(db, KNOWN, (), |row| Ok((row.take()?, row.count()?)));
    let known: Vec<(String, u64)> = store.readers.read(read).unwrap();
    let known: Vec<_> = known.iter().map(|(text, count)| (text.as_str(), *count)).collect();
    assert_eq!(known, expected);
}

#[tokio::test]
async fn a_user_agent_is_kept_once_and_goes_with_its_last_session() {
    let directory = Directory::new();
    let store = directory.open();
    for (n, browser) in [(10, "a"), (11, "b"), (12, "a"), (13, ""), (14, "a")] {
        store.open_session(by(browser, anonymous(n))).await.unwrap();
    }
    check_known(&store, &[("a", 3), ("b", 1)]);
    store.touch(vec![(SessionId(10), used(after(60)))]).await.unwrap();
    let refused = store.open_session(by("a", anonymous(10))).await;
    assert!(refused.is_err() && store.open_session(by("c", anonymous(11))).await.is_err());
    for (n, expected) in [(10, [("a", 2), ("b", 1)]), (12, [("a", 1), ("b", 1)])] {
        assert!(store.end_session(SessionId(n.into()), ending(n)).await.unwrap());
        check_known(&store, &expected);
    }
    store.end_session(SessionId(14), ending(14)).await.unwrap();
    check_known(&store, &[("b", 1)]);
    let nameless = store.session(SessionId(13)).await.unwrap().unwrap();
    assert_eq!(nameless.device, Device::seen("", "192.0.2.1".into()));
    store.end_session(SessionId(11), ending(11)).await.unwrap();
    check_known(&store, &[]);
}

#[tokio::test]
async fn a_user_agent_goes_however_its_sessions_go() {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    with_two_accounts(&(store.clone() as Tried)).await;
    for (n, browser) in [(10, "ended"), (11, "ended"), (13, "stays")] {
        store.open_session(by(browser, session(n, 1))).await.unwrap();
    }
    store.open_session(by("swept", anonymous(14))).await.unwrap();
    store.open_session(by("replaced", anonymous(15))).await.unwrap();
    let login = NewSession { replaces: Some(key(15)), ..session(16, 2) };
    store.open_session(by("with its account", login)).await.unwrap();
    store.touch(vec![(SessionId(13), used(after(3599)))]).await.unwrap();
    let account = ("with its account", 1);
    check_known(&store, &[("ended", 2), ("stays", 1), ("swept", 1), account]);
    // No act deletes an account yet; the sessions go by a foreign key, and the trigger sees it.
    on_writer(&store, "DELETE FROM account WHERE username = 'grace'").await;
    check_known(&store, &[("ended", 2), ("stays", 1), ("swept", 1)]);
    store.end_sessions_of(AccountId(1), Some(SessionId(13)), ending(1)).await.unwrap();
    check_known(&store, &[("stays", 1), ("swept", 1)]);
    store.sweep(&Lifetimes::default(), after(3600), 9).await.unwrap();
    check_known(&store, &[("stays", 1)]);
    on_writer(&store, "UPDATE session SET user_agent = NULL").await;
    check_known(&store, &[]);
}

#[tokio::test]
async fn an_address_takes_the_bytes_it_has_and_comes_back_as_it_went_in() {
    const LENGTH: &str = "SELECT octet_length(ip) FROM session ORDER BY sid DESC LIMIT 1";
    let directory = Directory::new();
    let store = directory.open();
    let lengths = [
        ("192.0.2.1", 4),
        ("2001:db8::1", 16),
        ("::ffff:192.0.2.1", 16),
        // No addresses, or not in their one spelling: kept as they are.
        ("192.0.2.01", 10),
        ("2001:DB8::1", 11),
        ("a socket", 8),
        ("", 0),
    ];
    for (n, (ip, length)) in (10..).zip(lengths) {
        let device = Device::seen("curl/8", ip.into());
        let new = NewSession { device: device.clone(), ..anonymous(n) };
        store.open_session(new).await.unwrap();
        let found = store.session(SessionId(n.into())).await.unwrap().unwrap();
        assert_eq!(found.device, device);
        let kept: i64 = store.readers.read(|db| only(db, LENGTH, ())).unwrap();
        assert_eq!(kept, length, "{ip}");
    }
}

/// Bytes of whole pages that each session takes, with its indexes and all that hangs from it.
fn bytes_each(store: &SqliteStore, session_count: u64) -> u64 {
    const PAGES: &str = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = 1
        AND (name GLOB 'session*' OR name GLOB 'refresh_token*' OR name GLOB '*user_agent*')";
    store.readers.read(|db| only::<i64>(db, PAGES, ()).map(columns::count)).unwrap() / session_count
}

/// Opens many sessions as a server does: ids by time, accounts and browsers as they come.
async fn bytes_of_many(of_one: impl Fn(u64) -> NewSession + Send + Sync + 'static) -> u64 {
    const COUNT: u64 = 6000;
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    for n in 1..=99 {
        store.open_account(account(n, &format!("person-{n}"))).await.unwrap();
    }
    let (of_one, tried) = (Arc::new(of_one), store.clone() as Tried);
    for half in 0..2 {
        let opened = at_once(&tried, COUNT / 2, |store, n| {
            let new = of_one(half * COUNT / 2 + n);
            async move { store.open_session(new).await.is_ok() }
        });
        assert!(opened.await.iter().all(|opened| *opened));
    }
    bytes_each(&store, COUNT)
}

fn of_a_browser(n: u64, mut new: NewSession) -> NewSession {
    new.session.sid = SessionId((u128::from(n) << 80) | u128::from(n.wrapping_mul(0x9E37_79B9)));
    if let Some(token) = &mut new.refresh {
        token.sid = new.session.sid;
    }
    new.event = event(100_000 + n);
    let text = format!(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/{}.0.0.0 Safari/537.36",
        100 + n % 50
    );
    by(&text, new)
}

#[tokio::test]
async fn a_session_takes_few_bytes_whatever_its_browser_is_called() {
    let cookie = bytes_of_many(|n| of_a_browser(n, session(n, 1 + n * 7 % 99))).await;
    let nameless = bytes_of_many(|n| by("", of_a_browser(n, session(n, 1 + n * 7 % 99)))).await;
    let tokens = bytes_of_many(|n| of_a_browser(n, token_session(n, 1 + n * 7 % 99))).await;
    // None takes less than the digests in it.
    for (each, most) in [(cookie, 250), (nameless, 250), (tokens, 300)] {
        assert!((100..=most).contains(&each), "{cookie}, {nameless} without a name, {tokens}");
    }
}

#[tokio::test]
async fn a_flood_of_browsers_leaves_with_its_sessions() {
    let directory = Directory::new();
    let store = Arc::new(directory.open());
    let tried = store.clone() as Tried;
    let opened = at_once(&tried, 500, |store, n| async move {
        let longest = format!("{n:0>256}");
        store.open_session(by(&longest, anonymous(n))).await.is_ok()
    });
    assert!(opened.await.iter().all(|opened| *opened));
    // The text and its index, and nothing for the sessions that are gone.
    let each = bytes_each(&store, 500);
    assert!(each <= 1000, "{each}");
    while !store.sweep(&Lifetimes::default(), after(3600), 200).await.unwrap().is_done {}
    check_known(&store, &[]);
}

/// A file as the first Doorward left it, with all that can hang from a session.
pub(super) const BEFORE: &str = "
    INSERT INTO account VALUES (x'00000000000000000000000000000001', 'ada', 'ada', NULL, 'member',
        0, 0, 0, 1700000000, '$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEBAQEBAQEBAQEBAQ$AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE');
    INSERT INTO session VALUES
        (x'0000000000000000000000000000000a', zeroblob(32), x'00000000000000000000000000000001', 0,
        'cookie', 1, 1700000000, 1700000001, 1700000002, 3, 4, 'pwd', 'aal2', 'Firefox/140.0 Linux',
        'Firefox on Linux', '192.0.2.1'),
        (x'0000000000000000000000000000000b', NULL, x'00000000000000000000000000000001', 0,
        'token', 0, 1700000000, 1700000000, 1700000000, 0, 0, 'pwd', 'aal1', 'Firefox/140.0 Linux',
        'Firefox on Linux', '2001:db8::1'),
        (x'0000000000000000000000000000000c', x'0100000000000000000000000000000000000000000000000000000000000000', NULL, NULL,
        'cookie', 0, 1700000000, 1700000000, 1700000000, 0, 0, '', 'aal1', '', 'Unknown device', '');
    INSERT INTO session_datum VALUES (x'0000000000000000000000000000000a', 'a', 7, '1');
    INSERT INTO retired_key VALUES (x'0200000000000000000000000000000000000000000000000000000000000000',
        x'0000000000000000000000000000000a', 1700000001);
    INSERT INTO refresh_token VALUES (x'0300000000000000000000000000000000000000000000000000000000000000',
        x'0000000000000000000000000000000b', NULL, 1700000000, NULL, NULL, '', '', 'app');";

#[tokio::test]
async fn sessions_from_before_this_table_are_found_with_all_that_hangs_from_them() {
    let directory = Directory::new();
    let db = Connection::open(directory.file()).unwrap();
    db.execute_batch(schema::MIGRATIONS[0]).unwrap();
    db.execute_batch(BEFORE).unwrap();
    db.pragma_update(None, "application_id", schema::APPLICATION_ID).unwrap();
    db.pragma_update(None, "user_version", 1).unwrap();
    drop(db);

    let store = directory.open();
    check_known(&store, &[("Firefox/140.0 Linux", 2)]);
    let digest = |first| {
        let mut bytes = [0; 32];
        bytes[0] = first;
        doorward_wire::SecretDigest(bytes)
    };
    let cookie = store.session_by_key(digest(0)).await.unwrap().unwrap();
    let expected = doorward_core::session::Session {
        key: Some(digest(0)),
        remembered: true,
        proved_at: after(1),
        seen_at: after(2),
        generation: 3,
        acr: doorward_core::session::Assurance::Aal2,
        ..session(10, 1).session
    };
    assert_eq!(cookie.session, expected);
    assert_eq!(cookie.device, Device::seen("Firefox/140.0 Linux", "192.0.2.1".into()));
    let tokens = store.session(SessionId(11)).await.unwrap().unwrap();
    assert_eq!(tokens.session, token_session(11, 1).session);
    assert_eq!(tokens.device.ip, "2001:db8::1");
    let nobodys = store.session_by_key(digest(1)).await.unwrap().unwrap();
    assert_eq!((nobodys.session.owner, nobodys.device), (None, Device::seen("", String::new())));

    assert_eq!(store.session_of_refresh(digest(3)).await.unwrap(), Some(SessionId(11)));
    let retired = store.session_by_retired_key(digest(2)).await.unwrap().unwrap();
    assert_eq!((retired.0, retired.1.at, retired.1.reads), (cookie, after(1), false));
    // The version that was removed is remembered, too.
    let key = data_key("b");
    let written = store.write_datum(SessionId(10), &key, "1", Precondition::Any).await;
    assert_eq!(written.unwrap().version, 5);
    assert_eq!(store.data(SessionId(10)).await.unwrap().len(), 2);
    store.end_session(SessionId(10), ending(1)).await.unwrap();
    assert_eq!(store.data(SessionId(10)).await.unwrap(), []);
    check_known(&store, &[("Firefox/140.0 Linux", 1)]);
}
