//! What a hostile reader found, each with the story that showed it.

use std::sync::mpsc;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding};
use doorward_core::event::EventKind;
use doorward_server::settings::Audience;
use doorward_wire::jose::Algorithm;
use serde_json::json;

use crate::harness::{OTHER_PASSWORD, PASSWORD, Process, Server, eventually};

/// A client that shows its access token and an old refresh token means to be signed out.
#[tokio::test]
async fn a_logout_with_an_unknown_refresh_token_still_ends_the_session_of_the_credential() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let unknown = json!({ "refresh_token": "dwr_nope" });

    let tokens = server.tokens(&ada).await;
    let request = server.client().post_json("/api/v1/logout", &unknown);
    request.bearer(&tokens.access).await.must_be(204);
    server.whoami(&tokens.access).await.must_be(401);

    let browser = server.sign_in(&ada).await;
    let copy = browser.copy();
    browser.post_json("/api/v1/logout", &unknown).await.must_be(204);
    assert!(!copy.is_signed_in().await);

    let bad = server.client().post_json("/api/v1/logout", &unknown).bearer("x.y.z");
    bad.await.must_be_problem(401, "invalid_token");
    server.client().post_json("/api/v1/logout", &unknown).await.must_be(204);
}

/// A flood that costs its sender nothing must not hide what the event log is for.
#[tokio::test]
async fn a_flood_of_doubled_cookies_hides_no_failed_login() {
    let server = Server::start().await;
    server.member("ada").await;
    let doubled = format!("doorward={0}; doorward={0}", "A".repeat(43));
    for _ in 0..100 {
        server.client().get("/livez").header("cookie", doubled.as_bytes()).await.must_be(200);
    }
    let wrong = json!({ "username": "ada", "password": OTHER_PASSWORD, "carrier": "token" });
    server.client().post_json("/api/v1/login", &wrong).await.must_be(401);
    server.event(EventKind::LoginFailed).await;
    assert!(server.events(EventKind::CookieAmbiguous).await.len() < 100);
}

/// Two people change the password at once, each in a session of their own: one of them is told.
#[tokio::test]
async fn of_two_password_changes_at_once_one_is_refused() {
    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (one, other) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let change =
        |new: &str| json!({ "current": PASSWORD, "new": new, "keep_other_sessions": true });
    let (first, second) = (change(OTHER_PASSWORD), change("nine grey pebbles sinking"));
    let (first, second) = tokio::join!(
        one.post_json("/api/v1/account/password", &first),
        other.post_json("/api/v1/account/password", &second),
    );
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

/// Whoever proves themselves twice at once by token gets one new refresh token that works.
#[tokio::test]
async fn of_parallel_proofs_by_token_one_counts_and_the_others_are_told() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    let proof = json!({ "password": PASSWORD });
    let path = "/api/v1/session/reauthenticate";
    let prove = || server.client().post_json(path, &proof).bearer(&tokens.access);

    // Both hash threads are kept busy until all four have been let in and wait for their check.
    let (open, gates) = (0..2).map(|_| mpsc::channel::<()>()).unzip::<_, _, Vec<_>, Vec<_>>();
    for gate in gates {
        let app = server.app.clone();
        tokio::spawn(async move { app.hashing.run(move |_| gate.recv().is_err()).await });
    }
    let released = async {
        eventually("four proofs in the queue", async || {
            (server.app.hashing.waiting() == 6).then_some(())
        })
        .await;
        drop(open);
    };
    let (a, b, c, d, ()) = tokio::join!(prove(), prove(), prove(), prove(), released);
    let (good, told): (Vec<_>, Vec<_>) = [a, b, c, d].into_iter().partition(|r| r.status == 200);
    assert_eq!(good.len(), 1);
    assert!(told.iter().all(|reply| reply.status == 401));
    let refresh = good[0].json()["refresh_token"].as_str().unwrap().to_owned();
    server.refresh(&refresh).await.must_be(200);
}

/// An administrator here is nobody special to another service, unless that was granted.
#[tokio::test]
async fn a_token_tells_of_a_role_only_where_it_was_granted() {
    let api = "https://api.example";
    let server = Server::with(|settings| {
        let scopes = vec!["orders".to_owned()];
        let algorithm = Algorithm::EdDsa;
        settings.audiences = vec![Audience { name: api.to_owned(), algorithm, scopes }];
    })
    .await;
    let root = server.administrator("root").await;
    let roles = async |more| {
        let tokens = server.tokens_with(&root, more).await;
        let claims = tokens.access.split('.').nth(1).unwrap().to_owned();
        let claims = Base64UrlUnpadded::decode_vec(&claims).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        claims["roles"].clone()
    };
    assert_eq!(roles(json!({ "audience": api, "scope": "orders" })).await, json!(null));
    assert_eq!(roles(json!({})).await, json!(null));
    let granted = roles(json!({ "scope": "doorward.admin" })).await;
    assert_eq!(granted, json!(["administrator"]));
}

/// A request that was held back until its session had ended does nothing.
#[tokio::test]
async fn a_form_whose_body_comes_after_the_logout_ends_nothing() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = Server::start().await;
    let ada = server.member("ada").await;
    let (here, there) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let form = format!("sid={}", there.sid().await);
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /account/sessions/end HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: doorward={}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        server.address,
        format_args!("http://{}", server.address),
        here.secret(),
        form.len(),
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    here.post("/api/v1/logout").await.must_be(204);
    stream.write_all(form.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(there.is_signed_in().await, "{answer}");
}

/// What an error page shows as its reference is in the log.
#[tokio::test]
async fn the_reference_of_an_answer_is_in_the_log() {
    let process = Process::start(&[]).await;
    let request = process.client().get("/api/v1/session").bearer("x.y.z");
    request.header("x-request-id", b"findme-12345678").await.must_be(401);
    eventually("the line of the log", async || {
        process.stderr().contains("findme-12345678").then_some(())
    })
    .await;
}

/// The link that was printed at the first start is of no use once there is an administrator.
#[tokio::test]
async fn the_first_setup_link_does_not_outlive_the_first_administrator() {
    let server = Server::start().await;
    let secret = doorward_server::flow::setup::draw_link(&*server.store, &server.app.ambient);
    let code = format!("dws_{}", secret.await.unwrap().expose().as_str());
    server.administrator("root").await;
    server.clock.advance(Duration::from_secs(1));
    let form = [("code", code.as_str()), ("username", "eve"), ("password", PASSWORD)];
    server.browser().post_form("/setup", &form).await.must_be(403);
    assert_eq!(server.rows().account, 1);
}
