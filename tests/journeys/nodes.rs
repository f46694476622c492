//! Many servers on one PostgreSQL database: any of them answers anything, and an end is one everywhere.
//!
//! Where it matters what a server remembers, `/api/v1/account` is asked: nothing but the session is read for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use postgres_server::{Durability, Server as Postgres};
use serde_json::json;

use crate::harness::cluster::{Cluster, Node};
use crate::harness::process::{Data, run};
use crate::harness::relay::{Relay, Wire};
use crate::harness::server::{PRODUCTION, login_body};
use crate::harness::{Browser, eventually, report};

/// How long what one server has ended may count at another.
const BOUND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn any_server_answers_what_another_began() {
    let (_cluster, [a, b]) = Cluster::of::<2>().await;
    let ada = a.member("ada").await;
    // A cookie of one is known to the other at once, and so is what it keeps.
    let at_a = a.sign_in(&ada).await;
    let at_b = b.browser_of(&at_a);
    assert_eq!(at_b.sid().await, at_a.sid().await);
    at_b.put_json("/api/v1/session/data/basket", &json!(["tea"])).await.must_be(201);
    let seen = at_a.get("/api/v1/session").await.must_be(200).json();
    assert_eq!(seen["session"]["data"]["basket"], json!(["tea"]));
    // Tokens of one are verified by the other, and turned there.
    let tokens = b.tokens(&ada).await;
    a.whoami(&tokens.access).await.must_be(200);
    let turned = a.refresh(&tokens.refresh).await.must_be(200).json();
    b.whoami(turned["access_token"].as_str().unwrap()).await.must_be(200);
    // Both publish the same keys.
    let keys = async |node: &Node| node.client().get("/.well-known/jwks.json").await.json();
    assert_eq!(keys(&a).await, keys(&b).await);
    // A new proof at one, and the secret of before opens nothing at the other.
    let body = json!({ "password": ada.password });
    let old = b.browser_of(&at_a);
    at_a.post_json("/api/v1/session/reauthenticate", &body).await.must_be(200);
    b.browser_of(&at_a).get("/api/v1/session").await.must_be(200);
    eventually("the old secret opens nothing", || async {
        let body = json!(1);
        (old.put_json("/api/v1/session/data/x", &body).await.status == 401).then_some(())
    })
    .await;
}

/// What another server still lets through, asked all the time, from the moment an end is acknowledged.
async fn let_through_for(browser: &Browser) -> Duration {
    let ended = Instant::now();
    let mut last = Duration::ZERO;
    loop {
        let asked = ended.elapsed();
        match browser.get("/api/v1/session").await.status.as_u16() {
            200 => last = asked,
            401 => return last,
            other => panic!("{other}"),
        }
        assert!(asked < 5 * BOUND, "it is let through for ever");
    }
}

#[tokio::test]
async fn an_end_at_one_server_is_an_end_at_the_others_within_the_bound() {
    let (_cluster, [a, b, c]) = Cluster::of::<3>().await;
    let ada = a.member("ada").await;
    let mut late = Vec::new();
    for _ in 0..30 {
        let at_a = a.sign_in(&ada).await;
        let (at_b, at_c) = (b.browser_of(&at_a), c.browser_of(&at_a));
        // Both remember it.
        at_b.get("/api/v1/session").await.must_be(200);
        at_c.get("/api/v1/session").await.must_be(200);
        at_a.post_json("/api/v1/logout", &json!({})).await.must_be(204);
        let (at_b, at_c) = tokio::join!(let_through_for(&at_b), let_through_for(&at_c));
        late.extend([at_b, at_c]);
    }
    late.sort_unstable();
    let longest = late[late.len() - 1];
    report(&format!(
        "another server lets an ended session through for {:?} in the middle, {longest:?} at the most, of {}",
        late[late.len() / 2],
        late.len()
    ));
    assert!(longest < BOUND, "{longest:?}");
}

/// Where another server hears of nothing: what it remembers would let them in.
#[tokio::test]
async fn whoever_waits_for_the_cluster_is_answered_when_it_is_an_end_everywhere() {
    let (cluster, [a]) = Cluster::of::<1>().await;
    let (b, wire) = behind_a_wire(&cluster).await;
    let ada = a.member("ada").await;
    for path in ["/api/v1/sessions", "/api/v1/sessions/{sid}", "/api/v1/logout"] {
        let at_a = a.sign_in(&ada).await;
        let at_b = b.browser_of(&at_a);
        // Its wire may have been held just before.
        eventually("the other server answers", || async {
            (at_b.get("/api/v1/account").await.status == 200).then_some(())
        })
        .await;
        wire.set(Wire::Held);
        // All that this asks for is remembered.
        at_b.get("/api/v1/account").await.must_be(200);
        let path = format!("{path}?wait=cluster").replace("{sid}", &at_a.sid().await);
        let ending = if path.contains("logout") {
            at_a.post_json(&path, &json!({})).await
        } else {
            at_a.delete(&path).await
        };
        ending.must_be(204);
        let (late, ()) = tokio::join!(at_b.get("/api/v1/account"), async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            wire.set(Wire::Whole);
        });
        // Or it could not ask at all.
        assert!([401, 503].contains(&late.status.as_u16()), "{}", late.describe());
    }
    let at_a = a.sign_in(&ada).await;
    at_a.delete("/api/v1/sessions?wait=galaxy").await.must_be_problem(422, "unknown-value");
}

/// A server whose way to the database can be cut.
async fn behind_a_wire(cluster: &Cluster) -> (Node, Relay) {
    let wire = Relay::to_socket(cluster.database.socket()).await;
    let (address, name) = (wire.address, cluster.database.name());
    let url = format!("postgres://doorward@{address}/{name}?sslmode=disable");
    (cluster.join(&url).await, wire)
}

#[tokio::test]
async fn one_refresh_token_shown_to_two_servers_at_once_has_one_successor() {
    let (_cluster, [a, b]) = Cluster::of::<2>().await;
    let ada = a.member("ada").await;
    for _ in 0..20 {
        let tokens = a.tokens(&ada).await;
        let (at_a, at_b) = tokio::join!(a.refresh(&tokens.refresh), b.refresh(&tokens.refresh));
        let (at_a, at_b) = (at_a.must_be(200).json(), at_b.must_be(200).json());
        assert_eq!(at_a["refresh_token"], at_b["refresh_token"]);
        b.refresh(at_a["refresh_token"].as_str().unwrap()).await.must_be(200);
        // Used by one, reused at the other: a copy.
        a.refresh(&tokens.refresh).await.must_be_problem(401, "invalid-refresh-token");
        let now = at_b["access_token"].as_str().unwrap();
        eventually("the session has ended", || async {
            (b.whoami(now).await.status == 401).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_is_killed_takes_nothing_with_it() {
    let (cluster, [a, b]) = Cluster::of::<2>().await;
    let ada = a.member("ada").await;
    let (kept, ended) = (a.sign_in(&ada).await, a.sign_in(&ada).await);
    ended.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    // Killed among many logins: what was acknowledged is there.
    let (mut logins, count) = (tokio::task::JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..80 {
        let (browser, body) = (a.browser(), login_body(&ada, "cookie", json!({})));
        let count = Arc::clone(&count);
        logins.spawn(async move {
            let request = browser.request("POST", "/api/v1/login").json(&body);
            let reply = browser.attempt(request).await.filter(|reply| reply.status == 200);
            count.fetch_add(usize::from(reply.is_some()), Ordering::Relaxed);
            reply.map(|_| browser)
        });
    }
    eventually("some logins are done", || async {
        (count.load(Ordering::Relaxed) >= 5).then_some(())
    })
    .await;
    let data = a.process.kill().await;
    let acknowledged: Vec<_> = logins.join_all().await.into_iter().flatten().collect();
    assert!((5..80).contains(&acknowledged.len()), "killed among them: {}", acknowledged.len());
    for browser in acknowledged.iter().chain([&kept]) {
        b.browser_of(browser).get("/api/v1/session").await.must_be(200);
    }
    b.browser_of(&ended).get("/api/v1/session").await.must_be(401);
    let again = cluster.start(&data, &cluster.database.url()).await;
    again.browser_of(&kept).get("/api/v1/session").await.must_be(200);
    again.browser_of(&ended).get("/api/v1/session").await.must_be(401);
}

#[tokio::test]
async fn without_the_database_nobody_is_let_in_and_with_it_everybody_is_again() {
    let postgres = Postgres::own(Durability::Full);
    let (_cluster, [a, b]) = Cluster::on::<2>(postgres.database()).await;
    let ada = a.member("ada").await;
    let (kept, ended) = (a.sign_in(&ada).await, a.sign_in(&ada).await);
    ended.post_json("/api/v1/logout", &json!({})).await.must_be(204);
    let (at_a, at_b) = (a.browser_of(&kept), b.browser_of(&kept));
    for stop in [Postgres::stop, Postgres::crash] {
        at_b.get("/api/v1/account").await.must_be(200);
        stop(&postgres);
        // What was read just before may count for the bound, and no longer.
        tokio::time::sleep(BOUND).await;
        at_a.get("/api/v1/account").await.must_be_problem(503, "store-unavailable");
        at_b.get("/api/v1/account").await.must_be_problem(503, "store-unavailable");
        a.client().get("/readyz").await.must_be(503);
        a.client().get("/livez").await.must_be(200);
        at_b.post_json("/api/v1/logout", &json!({})).await.must_be(503);
        postgres.start();
        for node in [&a, &b] {
            eventually("it answers again", || async {
                (node.client().get("/readyz").await.status == 200).then_some(())
            })
            .await;
        }
        at_a.get("/api/v1/account").await.must_be(200);
        at_b.get("/api/v1/account").await.must_be(200);
        a.browser_of(&ended).get("/api/v1/account").await.must_be(401);
    }
}

#[tokio::test]
async fn a_server_that_is_cut_off_lets_nobody_in_by_what_it_remembers() {
    let (cluster, [a]) = Cluster::of::<1>().await;
    let (b, wire) = behind_a_wire(&cluster).await;
    let ada = a.member("ada").await;
    for state in [Wire::Held, Wire::Cut] {
        let at_a = a.sign_in(&ada).await;
        let (at_b, other) = (b.browser_of(&at_a), b.browser_of(&a.sign_in(&ada).await));
        at_b.get("/api/v1/account").await.must_be(200);
        wire.set(state);
        at_a.post_json("/api/v1/logout", &json!({})).await.must_be(204);
        tokio::time::sleep(BOUND).await;
        let began = Instant::now();
        let refused = at_b.get("/api/v1/account").await;
        assert!([401, 503].contains(&refused.status.as_u16()), "{}", refused.describe());
        assert!(
            began.elapsed() < Duration::from_secs(8),
            "it must not hang: {:?}",
            began.elapsed()
        );
        wire.set(Wire::Whole);
        eventually("it lets others in again", || async {
            (other.get("/api/v1/account").await.status == 200).then_some(())
        })
        .await;
        at_b.get("/api/v1/account").await.must_be(401);
    }
}

/// Nothing of a secret is on the command line.
#[tokio::test]
async fn a_server_takes_its_secrets_from_files_that_the_environment_names() {
    let (cluster, [a]) = Cluster::of::<1>().await;
    let ada = a.member("ada").await;
    let data = Data::fresh();
    let (store, key) = (data.beside("store"), a.process.data().path().join("master.key"));
    std::fs::write(&store, format!("{}\n", cluster.database.url())).unwrap();
    let store = format!("DOORWARD_SERVER__STORE_FILE={}", store.display());
    let key = format!("DOORWARD_SERVER__MASTER_KEY_FILE={}", key.display());
    let args = ["--url", PRODUCTION, "--trusted-proxy", "127.0.0.1/32"];
    let b = Node { process: data.start_through(&["env", &store, &key], &args).await };
    assert!(!data.path().join("master.key").exists(), "none is drawn");
    let tokens = a.tokens(&ada).await;
    b.whoami(&tokens.access).await.must_be(200);
}

#[tokio::test]
async fn a_server_with_another_master_key_or_no_database_says_what_is_wrong() {
    let (cluster, [_a]) = Cluster::of::<1>().await;
    let stranger = Data::fresh();
    let folder = stranger.path().to_str().unwrap();
    let url = cluster.database.url();
    let serve = async |store: &str| {
        let data = ["serve", "--no-open", "--listen", "127.0.0.1:0", "--data", folder];
        let ended = run(&[
            &data[..],
            &["--url", PRODUCTION, "--trusted-proxy", "127.0.0.1/32"],
            &["--store", store],
        ]
        .concat())
        .await;
        assert!(!ended.status.success());
        String::from_utf8(ended.stderr).unwrap()
    };
    let said = serve(&url).await;
    assert!(
        said.contains("master.key is missing") && said.contains("from another server"),
        "{said}"
    );
    assert!(!stranger.path().join("master.key").exists(), "none is drawn");
    let secret = "s3cret-of-nobody";
    let said = serve(&format!("postgres://doorward:{secret}@127.0.0.1:1/doorward")).await;
    assert!(said.contains("PostgreSQL") && !said.contains(secret), "{said}");
    let words = ["db", "migrate", "--dry-run", "--data", folder];
    let config = stranger.beside("doorward.toml");
    std::fs::write(&config, format!("[server]\nstore = \"{url}\"\n")).unwrap();
    let done = run(&[&words[..], &["--config", config.to_str().unwrap()]].concat()).await;
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "up to date\n");
    let said = serve("mysql://x").await;
    assert!(said.contains("SQLite file or a PostgreSQL database"), "{said}");
}
