//! Laws of session data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use doorward_core::data::{Datum, KEY_COUNT_MAX, Precondition, QUOTA};
use doorward_wire::SessionId;

use super::sample::{
    Tried, anonymous, at_once, data_key, ending, event, key, open, session, with_two_accounts,
};
use crate::act::{DataError, NewSession, Written};

const SID: SessionId = SessionId(10);

async fn write(
    store: &Tried,
    key: &str,
    json: &str,
    condition: Precondition,
) -> Result<u64, DataError> {
    let written = store.write_datum(SID, &data_key(key), json, condition).await;
    written.map(|written| written.version)
}

async fn all(store: &Tried, sid: u128) -> Vec<(String, String, u64)> {
    let data = store.data(SessionId(sid)).await.unwrap();
    data.into_iter().map(|(key, it)| (key.as_str().to_owned(), it.json, it.version)).collect()
}

fn datum(key: &str, json: &str, version: u64) -> (String, String, u64) {
    (key.to_owned(), json.to_owned(), version)
}

/// Law: a value is what was last written, and its version counts the writes.
#[doc(hidden)]
pub async fn a_value_is_written_read_and_removed(store: Tried) {
    open(&store, &[&anonymous(10), &anonymous(11)]).await;
    assert_eq!(write(&store, "b", "1", Precondition::Any).await.unwrap(), 1);
    assert_eq!(write(&store, "b", "\"é\"", Precondition::Version(1)).await.unwrap(), 2);
    assert_eq!(write(&store, "a", "{}", Precondition::Version(0)).await.unwrap(), 1);
    assert_eq!(all(&store, 10).await, [datum("a", "{}", 1), datum("b", "\"é\"", 2)]);
    assert_eq!(all(&store, 11).await, []);
    let expected = Datum { json: "{}".into(), version: 1 };
    assert_eq!(store.data(SID).await.unwrap()[0], (data_key("a"), expected));

    store.remove_datum(SID, &data_key("b"), Precondition::Version(2)).await.unwrap();
    store.remove_datum(SID, &data_key("b"), Precondition::Any).await.unwrap();
    assert_eq!(all(&store, 10).await, [datum("a", "{}", 1)]);
}

/// Law: whoever has not seen the newest value is told so, and overwrites nothing.
#[doc(hidden)]
pub async fn a_write_against_an_old_version_is_refused(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    let none_yet = write(&store, "a", "0", Precondition::Version(1)).await;
    assert!(matches!(none_yet, Err(DataError::Conflict(0))), "{none_yet:?}");
    write(&store, "a", "1", Precondition::Any).await.unwrap();
    write(&store, "a", "2", Precondition::Any).await.unwrap();
    for version in [0, 1, 3] {
        let condition = Precondition::Version(version);
        let written = write(&store, "a", "9", condition).await;
        assert!(matches!(written, Err(DataError::Conflict(2))), "{written:?}");
        let removed = store.remove_datum(SID, &data_key("a"), condition).await;
        assert!(matches!(removed, Err(DataError::Conflict(2))), "{removed:?}");
    }
    assert_eq!(all(&store, 10).await, [datum("a", "2", 2)]);
}

/// Law: parallel requests that write different keys lose nothing.
#[doc(hidden)]
pub async fn parallel_writers_of_different_keys_both_stay(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    let versions = at_once(&store, 40, |store, n| async move {
        write(&store, &format!("k{n}"), "1", Precondition::Version(0)).await.unwrap()
    });
    assert!(versions.await.iter().all(|version| *version == 1));
    assert_eq!(all(&store, 10).await.len(), 40);
}

/// Law: of those who read the same version one writes, and the others are told.
#[doc(hidden)]
pub async fn of_parallel_writers_of_one_version_one_counts(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    write(&store, "a", "0", Precondition::Any).await.unwrap();
    let results = at_once(&store, 20, |store, n| async move {
        write(&store, "a", &n.to_string(), Precondition::Version(1)).await
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|result| matches!(result, Ok(2))).count(), 1);
    let told = results.iter().filter(|result| matches!(result, Err(DataError::Conflict(2))));
    assert_eq!(told.count(), 19);
}

/// Law: ten thousand writers at once lose nothing. A value counts its writes, of those who insist on
/// one version one wins, and who could not be served is told.
#[doc(hidden)]
pub async fn ten_thousand_writers_at_once_lose_nothing(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    let seen = Arc::new(AtomicU64::new(0));
    let results = at_once(&store, 10_000, |store, n| {
        let seen = Arc::clone(&seen);
        async move {
            if n.is_multiple_of(2) {
                let key = format!("k{}", n % 100);
                return (write(&store, &key, "1", Precondition::Any).await, key);
            }
            let newest = Precondition::Version(seen.load(Ordering::Acquire));
            let mut written = write(&store, "shared", "1", newest).await;
            // Whoever was told of another version tries once more, from there.
            if let Err(DataError::Conflict(version)) = written {
                written = write(&store, "shared", "2", Precondition::Version(version)).await;
            }
            if let Ok(version) = written {
                seen.fetch_max(version, Ordering::AcqRel);
            }
            (written, "shared".to_owned())
        }
    });
    let mut given: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (result, key) in results.await {
        match result {
            Ok(version) => given.entry(key).or_default().push(version),
            // A queue has an end, and says so.
            Err(DataError::Conflict(_)) if key == "shared" => {}
            Err(DataError::Failed(_)) => {}
            Err(refused) => panic!("{key}: {refused}"),
        }
    }
    assert!(given.contains_key("shared") && given.len() > 1, "{given:?}");
    for (key, versions) in &mut given {
        versions.sort_unstable();
        assert!(versions.iter().copied().eq(1..=versions.len() as u64), "{key}: {versions:?}");
    }
    let kept: Vec<_> = all(&store, 10).await.into_iter().map(|(key, _, n)| (key, n)).collect();
    let given: Vec<_> = given.into_iter().map(|(key, all)| (key, all.len() as u64)).collect();
    assert_eq!(kept, given);
}

/// Law: once an end was acknowledged, none of many writers writes any more, and nothing is left of
/// what they wrote.
#[doc(hidden)]
pub async fn an_end_amid_ten_thousand_writes_is_the_end_of_them(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    let (has_ended, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let results = at_once(&store, 101, |store, n| {
        let (has_ended, count) = (Arc::clone(&has_ended), Arc::clone(&count));
        async move {
            if n == 0 {
                while count.load(Ordering::Acquire) < 2000 {
                    tokio::task::yield_now().await;
                }
                store.end_session(SID, ending(1)).await.unwrap();
                has_ended.store(true, Ordering::Release);
            }
            for turn in 0..100 {
                // The second half waits for the end; the first does not.
                while turn > 50 && !has_ended.load(Ordering::Acquire) {
                    tokio::task::yield_now().await;
                }
                let is_late = has_ended.load(Ordering::Acquire);
                match write(&store, &format!("k{n}"), "1", Precondition::Any).await {
                    Ok(_) if is_late => panic!("a write after the end"),
                    Ok(_) => {
                        count.fetch_add(1, Ordering::AcqRel);
                    }
                    Err(DataError::Gone) => {}
                    Err(refused) => panic!("{refused}"),
                }
            }
        }
    });
    results.await;
    assert!(count.load(Ordering::Acquire) >= 2000);
    assert_eq!(all(&store, 10).await, []);
    let late = write(&store, "k1", "1", Precondition::Any).await;
    assert!(matches!(late, Err(DataError::Gone)), "{late:?}");
}

/// Law: a save that was under way when its session ended brings nothing back.
#[doc(hidden)]
pub async fn an_ended_session_takes_no_data(store: Tried) {
    open(&store, &[&anonymous(10)]).await;
    write(&store, "a", "1", Precondition::Any).await.unwrap();
    store.end_session(SID, ending(1)).await.unwrap();
    for condition in [Precondition::Any, Precondition::Version(0), Precondition::Version(1)] {
        let written = write(&store, "a", "2", condition).await;
        assert!(matches!(written, Err(DataError::Gone)), "{written:?}");
        let removed = store.remove_datum(SID, &data_key("a"), condition).await;
        assert!(matches!(removed, Err(DataError::Gone)), "{removed:?}");
    }
    assert_eq!(all(&store, 10).await, []);
    open(&store, &[&NewSession { event: event(2), ..anonymous(10) }]).await;
    assert_eq!(all(&store, 10).await, [], "another session of that name begins empty");
}

/// Law: keys and values count in bytes, up to the limit; what is over it changes nothing.
#[doc(hidden)]
pub async fn over_the_quota_nothing_is_stored(store: Tried) {
    open(&store, &[&anonymous(10), &anonymous(11)]).await;
    let text = |bytes: usize| format!("\"{}\"", "é".repeat((bytes - 2) / 2));
    // One byte of key and all the rest of value, in characters of two bytes each.
    write(&store, "a", &text(1000), Precondition::Any).await.unwrap();
    let rest = QUOTA - 1001 - 4;
    write(&store, "rest", &format!("{}1", text(rest - 1)), Precondition::Any).await.unwrap();
    let before = all(&store, 10).await;
    let size: usize = before.iter().map(|(key, json, _)| key.len() + json.len()).sum();
    assert_eq!(size, QUOTA);

    for (key, json) in [("b", "1"), ("a", text(1002).as_str())] {
        let written = write(&store, key, json, Precondition::Any).await;
        assert!(matches!(written, Err(DataError::TooLarge)), "{written:?}");
    }
    assert_eq!(all(&store, 10).await, before);
    store.write_datum(SessionId(11), &data_key("b"), "1", Precondition::Any).await.unwrap();
    assert_eq!(write(&store, "a", "1", Precondition::Any).await.unwrap(), 2);
}

/// Law: a session has so many keys and no more, also empty ones.
#[doc(hidden)]
pub async fn over_the_count_of_keys_nothing_is_stored(store: Tried) {
    open(&store, &[&anonymous(10), &anonymous(11)]).await;
    for n in 0..KEY_COUNT_MAX {
        write(&store, &format!("k{n}"), "0", Precondition::Any).await.unwrap();
    }
    for condition in [Precondition::Any, Precondition::Version(0)] {
        let written = write(&store, "one-more", "0", condition).await;
        assert!(matches!(written, Err(DataError::TooLarge)), "{written:?}");
    }
    assert_eq!(all(&store, 10).await.len(), KEY_COUNT_MAX);
    assert_eq!(write(&store, "k0", "1", Precondition::Any).await.unwrap(), 2);
    store.write_datum(SessionId(11), &data_key("k"), "1", Precondition::Any).await.unwrap();
    store.remove_datum(SID, &data_key("k1"), Precondition::Any).await.unwrap();
    write(&store, "one-more", "0", Precondition::Any).await.unwrap();
}

/// Law: a write says whether it made the key, and a key made anew goes on above what was removed: so
/// whoever saw it before overwrites nothing.
#[doc(hidden)]
pub async fn a_key_made_anew_has_no_version_it_had_before(store: Tried) {
    open(&store, &[&anonymous(10), &anonymous(11)]).await;
    let write = async |key: &str, condition| {
        let written = store.write_datum(SID, &data_key(key), "1", condition).await;
        written.map(|written| (written.version, written.is_new))
    };
    assert_eq!(write("a", Precondition::Any).await.unwrap(), (1, true));
    assert_eq!(write("a", Precondition::Any).await.unwrap(), (2, false));
    assert_eq!(write("b", Precondition::Any).await.unwrap(), (1, true));
    store.remove_datum(SID, &data_key("a"), Precondition::Any).await.unwrap();
    store.remove_datum(SID, &data_key("b"), Precondition::Any).await.unwrap();
    store.remove_datum(SID, &data_key("nothing"), Precondition::Any).await.unwrap();
    for condition in [Precondition::Version(1), Precondition::Version(2)] {
        let stale = write("a", condition).await;
        assert!(matches!(stale, Err(DataError::Conflict(0))), "{stale:?}");
    }
    assert_eq!(write("a", Precondition::Version(0)).await.unwrap(), (3, true));
    for condition in [Precondition::Version(1), Precondition::Version(2)] {
        let stale = write("a", condition).await;
        assert!(matches!(stale, Err(DataError::Conflict(3))), "{stale:?}");
    }
    assert_eq!(write("b", Precondition::Any).await.unwrap(), (3, true));
    assert_eq!(write("b", Precondition::Version(3)).await.unwrap(), (4, false));
    let theirs = store.write_datum(SessionId(11), &data_key("a"), "1", Precondition::Any).await;
    assert_eq!(theirs.unwrap(), Written { version: 1, is_new: true }, "another session's own");
}

/// Law: that is so across a login, too, for the keys that stayed behind.
#[doc(hidden)]
pub async fn no_version_of_the_session_before_a_login_comes_again(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&anonymous(10)]).await;
    for key in ["gone", "gone", "gone", "left", "left", "basket"] {
        write(&store, key, "1", Precondition::Any).await.unwrap();
    }
    store.remove_datum(SID, &data_key("gone"), Precondition::Any).await.unwrap();
    let carry = vec![data_key("basket")];
    open(&store, &[&NewSession { replaces: Some(key(10)), carry, ..session(11, 1) }]).await;
    for (key, version) in [("gone", 4), ("left", 4), ("basket", 2)] {
        let key = data_key(key);
        let written = store.write_datum(SessionId(11), &key, "2", Precondition::Any).await;
        assert_eq!(written.unwrap().version, version, "{key:?}");
    }
}

/// Law: a basket goes over at login; what a person before left on this computer does not.
#[doc(hidden)]
pub async fn only_named_keys_go_over_and_only_from_an_anonymous_session(store: Tried) {
    with_two_accounts(&store).await;
    open(&store, &[&anonymous(10)]).await;
    for (key, json) in [("basket", "1"), ("basket", "2"), ("role", "9")] {
        write(&store, key, json, Precondition::Any).await.unwrap();
    }
    let carry = vec![data_key("basket"), data_key("nothing"), data_key("basket")];
    let login = NewSession { replaces: Some(key(10)), carry: carry.clone(), ..session(11, 1) };
    open(&store, &[&login]).await;
    // Its version stays, so a page from before the login can still save.
    assert_eq!(all(&store, 11).await, [datum("basket", "2", 2)]);

    let other = NewSession { replaces: Some(key(11)), carry, ..session(12, 2) };
    open(&store, &[&other]).await;
    assert_eq!(all(&store, 12).await, []);
}
