use clap::Parser;

use super::*;

const NOW: UnixTime = UnixTime(1_700_000_000);

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    command: CookieCommand,
}

#[track_caller]
fn tell(arguments: &[&str]) -> (String, Option<&'static str>) {
    let arguments = ["cookie", "explain"].into_iter().chain(arguments.iter().copied());
    let CookieCommand::Explain(explain) = Line::try_parse_from(arguments).unwrap().command;
    explain.tell(explain.line.as_bytes(), NOW)
}

#[test]
fn a_cookie_that_is_kept_is_told_in_words_and_without_its_value() {
    let line = "Set-Cookie: sid=S3cr3t; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=3600";
    let (told, no) = tell(&[line]);
    assert_eq!(no, None);
    assert_eq!(
        told,
        "\
Kept, as it is set by https://id.example.com/.

  name         sid
  value        6 bytes
  goes to      id.example.com alone
  path         /, which is every path
  connections  secure ones alone
  scripts      cannot read it
  is sent      by links from other sites, not by their forms, frames and scripts
  lives        until 2023-11-14T23:13:20Z, 1h from now"
    );
}

#[test]
fn a_cookie_that_is_dropped_is_told_with_every_reason_and_its_rule() {
    let (told, no) = tell(&[
        "__Host-sid=S3cr3t; Path=/app; SameSite=Lax",
        "--from",
        "https://id.example.com/app/login",
    ]);
    assert_eq!(no, Some("a browser would not keep this cookie"));
    assert_eq!(
        told,
        "\
Dropped, when it is set by https://id.example.com/app/login.

  name         __Host-sid
  value        6 bytes

  dropped      prefix-host  (RFC 6265bis, 5.7 (21))
               A name with __Host- promises more: Secure is missing, Path=/ is missing.

  advice       secure-absent  (RFC 6265bis, 5.8.3)
               Without Secure it also goes over plain http, where anyone can read it and set
               another in its place."
    );
}

#[test]
fn a_later_request_is_told_with_what_holds_the_cookie_back() {
    let line = "sid=S3cr3t; Secure; SameSite=Lax; Path=/";
    let to = ["--to", "https://id.example.com/x"];
    assert_eq!(tell(&[line, to[0], to[1]]).1, None);
    let foreign = [line, to[0], to[1], "--site", "cross-site"];
    assert_eq!(tell(&foreign).1, None);
    assert_eq!(tell(&[&foreign[..], &["--navigation"]].concat()).1, None);
    for (arguments, code) in [
        (&["--method", "POST"][..], "lax-unsafe"),
        (&["--frame"], "lax-embedded"),
        (&["--fetch"], "lax-embedded"),
    ] {
        let (told, no) = tell(&[&foreign[..], arguments].concat());
        assert_eq!(no, Some("a browser would not send this cookie there"));
        assert!(told.contains(code) && told.contains("Not sent with"), "{told}");
    }
    let told = tell(&[&foreign[..], &["--method", "POST"]].concat()).0;
    let heading = "with POST https://id.example.com/x, by a link or a form of another site.";
    assert!(told.contains(heading), "{told}");
    let ends = "sid=1; Path=/; Max-Age=60";
    assert_eq!(tell(&[ends, to[0], to[1], "--after", "59s"]).1, None);
    assert!(tell(&[ends, to[0], to[1], "--after", "1m"]).0.contains("expired"));
}

#[test]
fn a_long_life_is_told_in_days() {
    const DAY: u64 = 24 * 60 * 60;
    let lives = |age: u64| tell(&[&format!("a=1; Path=/; Max-Age={age}")]).0;
    assert!(lives(2 * DAY - 1).contains(", 1day 23h 59m 59s from now"));
    assert!(lives(2 * DAY).contains(", 2 days from now"));
    assert!(lives(u64::MAX).contains(", 400 days from now"));
}

#[test]
fn json_has_the_codes_and_not_the_value() {
    let to = ["--to", "http://id.example.com/"];
    let (told, no) = tell(&["sid=S3cr3t; Secure; Path=/", to[0], to[1], "--json"]);
    assert!(no.is_some() && !told.contains("S3cr3t"), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["kept"], true);
    assert_eq!(told["sent"], false);
    assert_eq!(told["cookie"]["value_bytes"], 6);
    assert_eq!(told["findings"][0]["code"], "same-site-absent");
    assert_eq!(told["sending"][0]["severity"], "withheld");
    assert_eq!(told["sending"][0]["code"], "secure-only");
}

#[test]
fn without_a_url_the_line_s_domain_says_where_it_was_set() {
    let told = tell(&["a=1; Domain=.shop.example; Path=/"]).0;
    assert!(told.starts_with("Kept, as it is set by https://shop.example/."), "{told}");
    let (told, no) = tell(&["a=1; Domain=shop.example, x; Path=/"]);
    assert!(no.is_some() && told.contains("domain-mismatch"), "{told}");
}

#[test]
fn a_line_that_clears_a_cookie_says_which() {
    let (told, no) = tell(&["SET-COOKIE:\tsid=; Path=/; Max-Age=0"]);
    assert!(no.is_some(), "{told}");
    assert!(told.starts_with("Not kept: it takes an older cookie away"), "{told}");
    assert!(told.contains("goes to      id.example.com alone"), "{told}");
}

#[test]
fn what_a_terminal_would_obey_is_written_out() {
    let strange = "\u{1b}[31ma=1; Domain=\u{1b}[2J; \u{1b}]0;x";
    let (told, _) = tell(&[strange]);
    assert!(!told.contains('\u{1b}'), "{told:?}");
}
