//! The page that says what a browser makes of a `Set-Cookie` line.

use doorward_wire::UnixTime;
use doorward_wire::cookie::explain::{Request, SetCookie};
use serde_json::Value;

use crate::harness::{Reply, Server};

/// What Chromium 156 did with some hundred lines.
const CAPTURE: &str =
    include_str!("../../crates/doorward-wire/tests/vectors/cookies/chromium-156.json");

/// Asks the page, as its own form does.
async fn ask(server: &Server, fields: &[(&str, &str)]) -> Reply {
    server.browser().post_form("/inspect/cookie", fields).await
}

/// The heading of the answer.
#[track_caller]
fn verdict(reply: &Reply) -> String {
    let (_, after) = reply.text().split_once("<h2 id=\"verdict\">").unwrap();
    after.split_once("</h2>").unwrap().0.to_owned()
}

/// `{x*9}` written out, if the whole is ASCII: what else a header may hold, no form can send.
fn written_out(text: &str) -> Option<String> {
    let whole = match text.split_once('{') {
        None => text.to_owned(),
        Some((before, rest)) => {
            let (inside, after) = rest.split_once('}').unwrap();
            let (what, times) = inside.rsplit_once('*').unwrap();
            format!("{before}{}{}", what.repeat(times.parse().unwrap()), written_out(after)?)
        }
    };
    whole.is_ascii().then_some(whole)
}

#[tokio::test]
async fn each_line_that_a_form_can_send_ends_on_the_page_as_in_chromium() {
    let server = Server::start().await;
    let capture: Value = serde_json::from_str(CAPTURE).unwrap();
    let (mut as_chromium, mut otherwise) = (0, 0);
    for row in capture["stored"].as_array().unwrap() {
        let (from, line) = (row["from"].as_str().unwrap(), row["set_cookie"].as_str().unwrap());
        let Some(line) = written_out(line) else { continue };
        // A line that is nothing, or several, is told so beside its field.
        if line.trim().is_empty() || line.contains(['\r', '\n']) {
            continue;
        }
        let reply = ask(&server, &[("line", &line), ("from", from)]).await.must_be(200);
        let kept = verdict(&reply).starts_with("Kept, as it is set by ");
        let request = Request::visit(from.parse().unwrap());
        let ours = SetCookie::parse(line.as_bytes()).keep(&request, UnixTime(1_790_000_000));
        assert_eq!(kept, ours.kept.is_some(), "{line}");
        if kept == row["kept"].is_object() { as_chromium += 1 } else { otherwise += 1 }
    }
    // Those few are named, with their reasons, where the rules are held against the capture.
    assert!(as_chromium > 230 && otherwise <= 13, "{as_chromium} alike, {otherwise} otherwise");
}

#[tokio::test]
async fn a_later_request_ends_on_the_page_as_in_chromium() {
    let server = Server::start().await;
    let capture: Value = serde_json::from_str(CAPTURE).unwrap();
    let mut asked_count = 0;
    for row in capture["sent"].as_array().unwrap() {
        let (site, kind) = match row["asked"].as_str().unwrap() {
            "same-site" => ("same-site", "navigation"),
            "cross-site-navigation" => ("cross-site", "navigation"),
            "cross-site-frame" => ("cross-site", "frame"),
            "cross-site-subresource" => ("cross-site", "fetch"),
            other => panic!("{other}"),
        };
        let age = row["age"].to_string();
        for (name, line) in capture["cookies"].as_object().unwrap() {
            let fields = [
                ("line", line.as_str().unwrap()),
                ("from", "https://doorward.test:7443/set"),
                ("to", "https://doorward.test:7443/echo"),
                ("method", row["method"].as_str().unwrap()),
                ("site", site),
                ("kind", kind),
                ("after", &age),
            ];
            let reply = ask(&server, &fields).await.must_be(200);
            let sent = reply.text().contains("<h2>Sent with ");
            assert_ne!(sent, reply.text().contains("<h2>Not sent with "), "{}", reply.describe());
            let theirs = row["sent"].as_array().unwrap().iter().any(|sent| sent == name);
            assert_eq!(sent, theirs, "{line}, {row}");
            asked_count += 1;
        }
    }
    assert!(asked_count > 20, "{asked_count}");
}

#[tokio::test]
async fn the_answer_has_the_reasons_their_rules_and_never_the_value() {
    let server = Server::start().await;
    let line = "Set-Cookie: __Host-sid=S3cr3tValue; Path=/app; SameSite=Lax";
    let reply = ask(&server, &[("line", line), ("from", "https://id.example.com/app")]).await;
    let page = reply.must_be(200);
    assert_eq!(verdict(&page), "Dropped, when it is set by https://id.example.com/app");
    let (head, form) = page.text().split_once("<h2 id=\"ask\">").unwrap();
    for said in ["prefix-host", "RFC 6265bis, 5.7 (21)", "Path=/ is missing", "11 bytes"] {
        assert!(head.contains(said), "{said}: {head}");
    }
    assert!(!head.contains("S3cr3tValue"), "{head}");
    assert!(form.contains("S3cr3tValue"), "the line is still in its field, to be tried again");
    // The same words as on the command line.
    let words = ["cookie", "explain", line, "--from", "https://id.example.com/app"];
    let cli = crate::harness::process::run(&words);
    let cli = String::from_utf8(cli.await.stdout).unwrap();
    assert!(cli.starts_with(&verdict(&page)), "{cli}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_told_beside_its_field_and_nothing_is_lost() {
    let server = Server::start().await;
    let good = [("line", "a=1; Path=/"), ("to", "https://id.example.com/x"), ("after", "5")];
    ask(&server, &good).await.must_be(200);
    let long = format!("a={}", "x".repeat(16 * 1024 - 1));
    let most = format!("a={}", "x".repeat(16 * 1024 - 2));
    ask(&server, &[("line", &most)]).await.must_be(200);
    for (name, value) in [
        ("line", ""),
        ("line", " \r\n"),
        ("line", long.as_str()),
        ("line", "a=1\r\nb=2"),
        ("from", "ftp://id.example.com/"),
        ("from", "id.example.com"),
        ("from", "https://ada@id.example.com/"),
        ("to", "https://id.example.com:99999/"),
        ("to", "javascript:alert(1)"),
        ("method", "BREW"),
        ("site", "none"),
        ("kind", "dance"),
        ("after", "-1"),
        ("after", "1.5"),
        ("after", "34560001"),
        ("after", "99999999999999999999999"),
    ] {
        let mut fields = vec![(name, value)];
        fields.extend(good.into_iter().filter(|(known, _)| *known != name));
        let reply = ask(&server, &fields).await.must_be(422);
        let page = reply.text();
        assert!(page.contains("<title>Problem: Cookie linter"), "{name}={value}: {page}");
        assert!(
            page.contains("role=\"alert\"") && page.contains("aria-invalid=\"true\""),
            "{page}"
        );
        let kept = fields.iter().filter(|(known, _)| *known != name);
        for (_, value) in kept {
            assert!(page.contains(value), "{value} was lost: {page}");
        }
        assert!(!page.contains("id=\"verdict\""), "{page}");
    }
    ask(&server, &[("line", "a=1"), ("after", "34560000"), ("to", "https://a.example/")])
        .await
        .must_be(200);
}

#[tokio::test]
async fn the_line_is_read_from_the_form_alone_and_kept_nowhere() {
    let server = Server::start().await;
    let rows = server.rows();
    let events = server.store.events(1000).await.unwrap().len();
    let query = "/inspect/cookie?line=sid%3DS3cr3tValue";
    let page = server.client().get(query).await.must_be(200);
    assert!(!page.text().contains("S3cr3tValue"), "an address is in logs and in histories");
    assert!(page.text().contains("<form method=\"post\" action=\"/inspect/cookie\""));
    let reply = ask(&server, &[("line", "sid=S3cr3tValue")]).await.must_be(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.set_cookie(), None);
    assert_eq!(server.rows(), rows);
    assert_eq!(server.store.events(1000).await.unwrap().len(), events);
    // A foreign page cannot put its words into ours; a program may ask.
    let form = server.client().post_form("/inspect/cookie", &[("line", "a=1")]);
    let foreign = form.clone().header("origin", "https://evil.example").await;
    foreign.must_be(403);
    form.await.must_be(200);
}
