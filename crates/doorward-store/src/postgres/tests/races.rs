//! Races between two nodes, each of which does what the law of its own store would rule out by a lock in
//! memory.

use std::collections::BTreeSet;

use doorward_core::account::Epoch;
use doorward_core::data::Precondition;
use doorward_core::event::{Event, EventKind};
use doorward_core::session::{Lifetimes, Owner};
use doorward_wire::{AccountId, SessionId};
use tokio::task::JoinSet;

use super::*;
use crate::act::{DataError, Ending, RotateError, SessionError};
use crate::conformance::sample::{
    account, after, anonymous, change, data_key, ending, event, key, presented, secret, session,
    successor, token_session, used, with_two_accounts,
};

const ADA: AccountId = AccountId(1);

/// Does something many times at once, on both nodes by turns, and gathers what came of it.
async fn on_both<T, F>(nodes: &[Tried; 2], count: u64, act: impl Fn(Tried, u64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut acts = JoinSet::new();
    for n in 0..count {
        acts.spawn(act(Arc::clone(&nodes[usize::from(n % 2 == 1)]), n));
    }
    acts.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_beside_a_change_of_password_on_another_node_is_before_it_or_refused() {
    let (nodes, _database) = two_nodes().await;
    with_two_accounts(&nodes[0]).await;
    let mine = session(10, 1);
    nodes[0].open_session(mine.clone()).await.unwrap();
    let change = change(&mine, 2);
    let outcomes = on_both(&nodes, 41, |node, n| {
        let change = change.clone();
        async move {
            if n == 20 {
                node.change_password(change).await.unwrap();
                return None;
            }
            match node.open_session(session(100 + n, 1)).await {
                Ok(()) => Some(SessionId((100 + n).into())),
                Err(SessionError::Gone) => None,
                Err(refused) => panic!("{refused}"),
            }
        }
    });
    let opened = outcomes.await.into_iter().flatten().count();
    // Those that came in before were ended by it, each with its entry, and the proof has one.
    let there = nodes[1].sessions_of(ADA, None, 99).await.unwrap().items;
    assert_eq!(there.len(), 1, "{opened} came in, and none is there");
    assert_eq!(there[0].session.owner, Some(Owner { account: ADA, epoch: Epoch(1) }));
    assert_eq!(nodes[0].head().await.unwrap(), opened as u64 + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_beside_an_end_of_everything_on_another_node_is_before_it_or_refused() {
    let (nodes, _database) = two_nodes().await;
    with_two_accounts(&nodes[0]).await;
    for round in 0..20 {
        let epoch = Epoch(u32::try_from(round).unwrap());
        let both = on_both(&nodes, 8, |node, n| async move {
            let id = 1000 + round * 10 + n;
            if n == 3 {
                node.end_sessions_of(ADA, None, ending(id)).await.unwrap();
                return;
            }
            let mut new = session(id, 1);
            new.session.owner = Some(Owner { account: ADA, epoch });
            assert!(matches!(node.open_session(new).await, Ok(()) | Err(SessionError::Gone)));
        });
        both.await;
        assert_eq!(nodes[0].sessions_of(ADA, None, 99).await.unwrap().items, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_uses_of_one_refresh_token_on_two_nodes_all_get_one_successor() {
    let (nodes, _database) = two_nodes().await;
    with_two_accounts(&nodes[0]).await;
    nodes[0].open_session(token_session(10, 1)).await.unwrap();
    let mut current = secret(10);
    for round in 0..10 {
        let salts = on_both(&nodes, 8, |node, n| {
            let salt = u8::try_from(round * 10 + n).unwrap();
            let presented = presented(&current, salt, after(round));
            async move { node.rotate(presented).await.unwrap().salt }
        });
        let salts: BTreeSet<_> = salts.await.into_iter().collect();
        assert_eq!(salts.len(), 1, "{salts:?}");
        current = successor(&current, salts.first().unwrap()[0]);
    }
    assert_eq!(nodes[1].tokens_of(&[SessionId(10)]).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reuse_on_two_nodes_ends_the_session_once() {
    let (nodes, _database) = two_nodes().await;
    with_two_accounts(&nodes[0]).await;
    nodes[0].open_session(token_session(10, 1)).await.unwrap();
    nodes[0].rotate(presented(&secret(10), 1, after(1))).await.unwrap();
    let outcomes = on_both(&nodes, 8, |node, n| async move {
        let mut late = presented(&secret(10), 2, after(60));
        late.reuse = Event { kind: EventKind::TokenReuseDetected, ..event(500 + n) };
        node.rotate(late).await.unwrap_err()
    });
    let outcomes = outcomes.await;
    let told = outcomes.iter().filter(|it| matches!(it, RotateError::Reused(_))).count();
    assert_eq!(told, 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|it| matches!(it, RotateError::Reused(_) | RotateError::Unknown)));
    assert_eq!(nodes[1].head().await.unwrap(), 1);
    assert_eq!(nodes[1].notices_of(ADA, None, 9).await.unwrap().items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_ends_on_two_nodes_leave_no_gap_for_whoever_follows() {
    let (nodes, _database) = two_nodes().await;
    for n in 0..200 {
        nodes[0].open_session(anonymous(n)).await.unwrap();
    }
    let follower = tokio::spawn({
        let node = Arc::clone(&nodes[1]);
        async move {
            let mut seen = 0;
            while seen < 200 {
                for entry in node.revocations(seen, 7).await.unwrap() {
                    assert_eq!(entry.seq, seen + 1, "a number below it was not there yet");
                    seen = entry.seq;
                }
            }
        }
    });
    let ended = on_both(&nodes, 400, |node, n| async move {
        let ending = Ending { event: event(10_000 + n), ..ending(0) };
        node.end_session(SessionId((n / 2).into()), ending).await.unwrap()
    });
    assert_eq!(ended.await.iter().filter(|ended| **ended).count(), 200, "each once");
    follower.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_beside_an_end_on_another_node_is_before_it_or_refused() {
    let (nodes, database) = two_nodes().await;
    for round in 0..20 {
        let sid = SessionId(round.into());
        nodes[0].open_session(anonymous(round)).await.unwrap();
        let both = on_both(&nodes, 10, |node, n| async move {
            if n == 5 {
                node.end_session(sid, ending(10_000 + round)).await.unwrap();
                return;
            }
            let key = data_key(&format!("k{n}"));
            let done = match n % 3 {
                0 => node.remove_datum(sid, &key, Precondition::Any).await,
                1 => node.touch(vec![(sid, used(after(n)))]).await.map_err(DataError::Failed),
                _ => node.write_datum(sid, &key, "1", Precondition::Any).await.map(drop),
            };
            assert!(matches!(done, Ok(()) | Err(DataError::Gone)), "{done:?}");
        });
        both.await;
        assert!(nodes[1].session(sid).await.unwrap().is_none());
    }
    assert_eq!(database.sql("SELECT count(*) FROM session_datum"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_writers_of_one_version_on_two_nodes_one_counts() {
    let (nodes, _database) = two_nodes().await;
    nodes[0].open_session(anonymous(10)).await.unwrap();
    for version in 0..10 {
        let results = on_both(&nodes, 10, |node, n| async move {
            let only = Precondition::Version(version);
            node.write_datum(SessionId(10), &data_key("a"), &n.to_string(), only).await
        });
        let written = results.await.iter().filter(|result| result.is_ok()).count();
        assert_eq!(written, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_touched_and_ended_and_renewed_everywhere_deadlocks_nobody() {
    let (nodes, _database) = two_nodes().await;
    with_two_accounts(&nodes[0]).await;
    for n in 0..60 {
        nodes[0].open_session(session(100 + n, 1 + n % 2)).await.unwrap();
    }
    let mixed = on_both(&nodes, 200, |node, n| async move {
        let sid = SessionId((100 + n * 7 % 60).into());
        match n % 5 {
            0 => {
                let all =
                    (100..160_u64).rev().map(|at| (SessionId(at.into()), used(after(n)))).collect();
                node.touch(all).await.unwrap();
            }
            1 if n % 25 == 1 => {
                let account = AccountId(1 + u128::from(n % 2));
                node.end_sessions_of(account, Some(sid), ending(20_000 + n * 100)).await.unwrap();
            }
            2 => drop(node.end_session(sid, ending(10_000 + n)).await.unwrap()),
            3 => {
                let mut new = session(1000 + n, 1);
                new.replaces = Some(key(100 + n * 3 % 60));
                let opened = node.open_session(new).await;
                assert!(matches!(opened, Ok(()) | Err(SessionError::Gone)), "{opened:?}");
            }
            _ => drop(node.sweep(&Lifetimes::default(), after(n), 5).await.unwrap()),
        }
    });
    mixed.await;
    let (head, log) =
        (nodes[1].head().await.unwrap(), nodes[1].revocations(0, 9999).await.unwrap());
    assert!(log.iter().map(|entry| entry.seq).eq(1..=head));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_sweep_at_once_forget_each_session_once() {
    let (nodes, _database) = two_nodes().await;
    for n in 0..200 {
        nodes[0].open_session(anonymous(n)).await.unwrap();
    }
    let swept = on_both(&nodes, 2, |node, _| async move {
        let mut forgotten = 0;
        loop {
            let swept = node.sweep(&Lifetimes::default(), after(3600), 9).await.unwrap();
            forgotten += swept.forgotten;
            if swept.is_done {
                return forgotten;
            }
        }
    });
    let swept: u64 = swept.await.iter().sum();
    assert_eq!(nodes[0].head().await.unwrap(), swept);
    // One that both held at once is left for the next pass.
    let rest = nodes[0].sweep(&Lifetimes::default(), after(3600), 999).await.unwrap().forgotten;
    assert_eq!(swept + rest, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_the_link_for_an_administrator_are_given_once_across_nodes() {
    let (nodes, _database) = two_nodes().await;
    let named = on_both(&nodes, 10, |node, n| async move {
        node.open_account(account(1 + n, "ada")).await.is_ok()
    });
    assert_eq!(named.await.iter().filter(|kept| **kept).count(), 1);
    nodes[0].keep_setup(key(1), after(60)).await.unwrap();
    let spent = on_both(&nodes, 10, |node, n| async move {
        let new = account(100 + n, ["grace", "linus", "margaret"][usize::try_from(n % 3).unwrap()]);
        node.spend_setup(key(1), new, after(0)).await.is_ok()
    });
    assert_eq!(spent.await.iter().filter(|kept| **kept).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_taken_once_on_two_nodes() {
    let (nodes, _database) = two_nodes().await;
    for n in 0..20 {
        let spent = on_both(&nodes, 6, |node, _| async move {
            node.spend_proof([n; 32], after(60), 1000).await.unwrap()
        });
        let spent = spent.await;
        let first = spent.iter().filter(|it| **it == crate::act::ProofSpending::First).count();
        assert_eq!(first, 1, "{spent:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_hears_of_what_another_has_ended() {
    let (nodes, _database) = two_nodes().await;
    for n in 0..20 {
        nodes[0].open_session(anonymous(n)).await.unwrap();
        let mut appended = nodes[1].appended();
        appended.borrow_and_update();
        nodes[0].end_session(SessionId(n.into()), ending(n)).await.unwrap();
        let heard = tokio::time::timeout(Duration::from_secs(2), appended.changed());
        heard.await.expect("in time").unwrap();
        assert_eq!(nodes[1].head().await.unwrap(), n + 1);
    }
}
