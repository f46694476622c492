//! The token inspector: on a page, and on the command line.

use std::process::Stdio;

use doorward_server::settings::Audience;
use doorward_wire::jose::Algorithm;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::harness::process::DOORWARD;
use crate::harness::{PASSWORD, Process, Server, Tokens};

const SHOP: &str = "https://shop.example";

async fn ask(server: &Server, token: &str) -> String {
    let reply = server.browser().post_form("/inspect/token", &[("token", token)]).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    reply.must_be(200).text().to_owned()
}

/// The verdicts on a page, in their order.
fn verdicts(page: &str) -> Vec<&str> {
    let badges = page.split("<span class=\"badge").skip(1);
    badges.map(|rest| rest.split('>').nth(1).unwrap().split('<').next().unwrap()).collect()
}

#[tokio::test]
async fn the_page_says_what_failed_and_what_was_not_reached() {
    let server = Server::with(|settings| {
        settings.audiences =
            vec![Audience { name: SHOP.to_owned(), algorithm: Algorithm::Es256, scopes: vec![] }];
    })
    .await;
    let ada = server.member("ada").await;
    let tokens = server.tokens(&ada).await;
    let page = ask(&server, &tokens.access).await;
    assert!(page.contains("This token counts.") && page.contains(&tokens.sid), "{page}");
    assert_eq!(verdicts(&page), ["passed"; 12]);
    // What was pasted does not come back.
    assert!(!page.contains(&tokens.access));

    // As the service that it is for would.
    let shop = server.tokens_with(&ada, json!({ "audience": SHOP })).await;
    let page = ask(&server, &shop.access).await;
    assert!(page.contains("This token counts.") && page.contains(SHOP), "{page}");

    let mut forged = tokens.access.clone();
    let at = forged.len() - 20;
    let letter = if &forged[at..=at] == "A" { "B" } else { "A" };
    forged.replace_range(at..=at, letter);
    let page = ask(&server, &forged).await;
    assert!(page.contains("This token is refused."));
    let expected = [&["passed"; 4][..], &["failed"], &["not reached"; 7]].concat();
    assert_eq!(verdicts(&page), expected);

    server.client().post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    let page = ask(&server, &tokens.access).await;
    assert!(page.contains("its session has ended"), "{page}");
    assert_eq!(verdicts(&page), [&["passed"; 11][..], &["failed"]].concat());
    server.clock.advance_seconds(331);
    let page = ask(&server, &shop.access).await;
    assert_eq!(verdicts(&page)[8..10], ["failed", "not reached"]);
}

#[tokio::test]
async fn what_is_no_token_is_answered_too() {
    let server = Server::start().await;
    let tokens = server.tokens(&server.member("ada").await).await;
    for (text, word) in [
        ("x", "no token that we know"),
        ("<script>alert(1)</script>", "no token that we know"),
        (tokens.refresh.as_str(), "a refresh token"),
    ] {
        let page = ask(&server, text).await;
        assert!(page.contains(word) && !page.contains("<script>alert"), "{page}");
        assert!(!page.contains(&tokens.refresh[4..]));
    }
    let post =
        async |token: &str| server.browser().post_form("/inspect/token", &[("token", token)]).await;
    assert!(post(" ").await.must_be(422).text().contains("Paste a token."));
    assert!(post(&"x".repeat(17_000)).await.must_be(422).text().contains("8 KiB"));
    // From another site's page nothing is asked.
    let foreign = server.client().post_form("/inspect/token", &[("token", "x")]);
    foreign.header("sec-fetch-site", "cross-site").await.must_be(403);
}

/// Runs a command with this on its standard input.
async fn run(args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(DOORWARD)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that has read enough closes its end.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn the_command_line_says_the_same() {
    let process = Process::start(&[]).await;
    let client = process.client();
    let body = json!({ "username": "ada", "password": PASSWORD });
    client.post_json("/api/v1/accounts", &body).await.must_be(201);
    let body = json!({ "username": "ada", "password": PASSWORD, "carrier": "token" });
    let tokens = Tokens::read(&client.post_json("/api/v1/login", &body).await.must_be(200));
    let line = format!("{}\n", tokens.access);

    let (code, said, _) = run(&["token", "inspect"], &line).await;
    assert!(code == 0 && said.contains("Nothing of it was verified") && said.contains(&tokens.sid));
    let (_, said, _) = run(&["token", "inspect", "--json"], &line).await;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["claims"]["sid"], tokens.sid);

    let data = process.data().path().to_str().unwrap().to_owned();
    let verify = async |input: &str| {
        let (code, said, complaint) =
            run(&["token", "verify", "--json", "--data", &data], input).await;
        let said: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{complaint}"));
        (code, said)
    };
    let (code, said) = verify(&line).await;
    assert_eq!((code, &said["good"]), (0, &json!(true)), "{said}");
    assert_eq!(said["checks"].as_array().unwrap().len(), 12);

    // By the published keys alone, as anybody could.
    let jwks = process.data().beside("jwks.json");
    std::fs::write(&jwks, client.get("/.well-known/jwks.json").await.must_be(200).body).unwrap();
    let jwks = jwks.to_str().unwrap().to_owned();
    let by_keys = async |audience: &str| {
        let words = ["token", "verify", "--jwks", &jwks, "--issuer", &process.url];
        run(&[&words[..], &["--audience", audience]].concat(), &line).await
    };
    let (code, said, _) = by_keys(&process.url).await;
    assert!(code == 0 && !said.contains("failed"), "{said}");
    let (code, said, complaint) = by_keys("https://other.example").await;
    assert!(code == 3 && complaint.contains("refused: audience"), "{said} {complaint}");
    assert!(said.contains("not reached"));

    client.post("/api/v1/logout").bearer(&tokens.access).await.must_be(204);
    let (code, said) = verify(&line).await;
    assert_eq!((code, &said["refused"]), (3, &json!("session")), "{said}");
    let (code, said) = verify("a.b.c").await;
    assert_eq!((code, &said["refused"]), (3, &json!("form")), "{said}");
    for (input, word) in [("", "no token on standard input"), (&*"x".repeat(20_000), "8 KiB")] {
        let (code, _, complaint) = run(&["token", "inspect"], input).await;
        assert!(code == 1 && complaint.contains(word), "{complaint}");
    }
    // Never as an argument, where others can see it.
    assert_eq!(run(&["token", "inspect", &tokens.access], "").await.0, 2);
}
