use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::cookie::{CookieForm, MAX_AGE_MAX};
use crate::{FreshSecret, UnixTime};

const NOW: UnixTime = UnixTime(1_700_000_000);

fn place(url: &str) -> Place {
    url.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

fn visit(url: &str) -> Request {
    Request::visit(place(url))
}

fn login() -> Request {
    visit("https://id.example.com/login")
}

fn keep(line: &str, request: &Request) -> Received {
    SetCookie::parse(line.as_bytes()).keep(request, NOW)
}

fn kept(line: &str) -> Kept {
    let Received { kept, findings, .. } = keep(line, &login());
    kept.unwrap_or_else(|| panic!("{line}: {findings:?}"))
}

fn codes(findings: &[Finding], severity: Severity) -> Vec<&'static str> {
    let of = findings.iter().filter(|finding| finding.severity() == severity);
    of.map(|finding| finding.rule.code()).collect()
}

/// The line is dropped for these reasons and no other.
#[track_caller]
fn dropped(line: &str, request: &Request, expected: &[&str]) {
    let received = keep(line, request);
    let told = codes(&received.findings, Severity::Dropped);
    assert_eq!(told, expected, "{line}: {:?}", received.findings);
    assert_eq!(received.kept.is_none(), !expected.is_empty(), "{line}");
}

/// The line is kept, and these rules changed it.
#[track_caller]
fn changed(line: &str, expected: &[&str]) -> Kept {
    let received = keep(line, &login());
    assert_eq!(codes(&received.findings, Severity::Changed), expected, "{:?}", received.findings);
    received.kept.unwrap_or_else(|| panic!("{line} is dropped: {:?}", received.findings))
}

#[track_caller]
fn advised(line: &str, request: &Request, code: &str, yes: bool) {
    let findings = keep(line, request).findings;
    assert_eq!(codes(&findings, Severity::Advice).contains(&code), yes, "{line}: {findings:?}");
}

#[track_caller]
fn withheld(cookie: &Kept, request: &Request, now: UnixTime, expected: &[&str]) {
    let sending = cookie.send(request, now);
    assert_eq!(codes(&sending.findings, Severity::Withheld), expected, "{:?}", sending.findings);
    assert_eq!(sending.is_sent(), expected.is_empty());
}

#[test]
fn our_own_cookie_is_kept_as_it_is_sent_and_nothing_can_be_said_against_it() {
    let secret = FreshSecret::from_random([3; 32]);
    for (form, url) in [
        (CookieForm::Production, "https://id.example.com/login"),
        (CookieForm::Development, "http://localhost:7117/login"),
    ] {
        for max_age in [None, Some(MAX_AGE_MAX * 2)] {
            let received = keep(&form.set(&secret, max_age), &visit(url));
            assert_eq!(received.findings, [], "{form:?}");
            let kept = received.kept.unwrap();
            assert!(kept.host_only && kept.http_only && kept.same_site == SameSite::Lax);
            assert_eq!(kept.expires_at, max_age.map(|_| NOW.after(MAX_AGE_MAX)));
            let pair = format!("{}={}", form.name(), secret.expose().as_str());
            assert_eq!(kept.pair().as_slice(), pair.as_bytes());
        }
    }
}

#[test]
fn clearing_our_cookie_takes_away_the_one_that_was_set() {
    let secret = FreshSecret::from_random([3; 32]);
    let set = kept(&CookieForm::Production.set(&secret, None));
    let received = keep(&CookieForm::Production.clear(), &login());
    assert_eq!(codes(&received.findings, Severity::Dropped), ["expired-on-arrival"]);
    let gone = received.taken_away.unwrap();
    assert_eq!((gone.name, gone.domain, gone.path), (set.name, set.domain, set.path));
    // Without the attributes of its prefix the clearing line itself is refused.
    let forgotten = keep("__Host-Http-doorward=; Max-Age=0", &login());
    assert!(forgotten.taken_away.is_none());
}

#[test]
fn name_and_value_may_be_4096_bytes_together_and_no_more() {
    let line = |value: usize| format!("name={}; Path=/", "x".repeat(value));
    dropped(&line(4092), &login(), &[]);
    dropped(&line(4093), &login(), &["too-long"]);
    // What is trimmed does not count, nor do the attributes.
    let trimmed = format!("name= {} ; Path=/; a={}", "x".repeat(4092), "y".repeat(1000));
    dropped(&trimmed, &login(), &[]);
    dropped(&format!("={}", "x".repeat(4096)), &login(), &[]);
    dropped(&format!("={}", "x".repeat(4097)), &login(), &["too-long"]);
}

#[test]
fn an_attribute_of_1024_bytes_counts_and_one_more_is_ignored() {
    let line = |length: usize| format!("a=1; Path=/{}", "p".repeat(length - 1));
    assert_eq!(changed(&line(1024), &[]).path.len(), 1024);
    assert_eq!(changed(&line(1025), &["attribute-too-long"]).path, b"/");
    let both = format!("a=1; Path=/x; {}", &line(1025)[5..]);
    assert_eq!(changed(&both, &["attribute-too-long"]).path, b"/x");
    // A prefix is not satisfied by what is ignored.
    let host = format!("__Host-a=1; Secure; {}", &line(1025)[5..]);
    dropped(&host, &login(), &["prefix-host"]);
}

#[test]
fn a_life_is_cut_to_400_days_to_the_second() {
    let end = |seconds: u64| Some(NOW.after(Duration::from_secs(seconds)));
    assert_eq!(changed("a=1; Max-Age=34560000", &[]).expires_at, end(34_560_000));
    assert_eq!(changed("a=1; Max-Age=34560001", &["lifetime-capped"]).expires_at, end(34_560_000));
    let huge = format!("a=1; Max-Age={}", "9".repeat(100));
    assert_eq!(changed(&huge, &["lifetime-capped"]).expires_at, end(34_560_000));
    // 2023-11-14T22:13:20Z and 400 days.
    let at = |second: u8| format!("a=1; Expires=Wed, 18 Dec 2024 22:13:{second} GMT");
    assert_eq!(changed(&at(20), &[]).expires_at, end(34_560_000));
    assert_eq!(changed(&at(21), &["lifetime-capped"]).expires_at, end(34_560_000));
    assert_eq!(changed(&at(19), &[]).expires_at, end(34_559_999));
}

#[test]
fn max_age_goes_before_expires_whatever_their_order() {
    let end = Some(UnixTime(NOW.0 + 60));
    for line in [
        "a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; max-age=60",
    ] {
        assert_eq!(kept(line).expires_at, end);
        advised(line, &login(), "expires-overruled", true);
    }
    // One that cannot be read overrules nothing.
    let line = "a=1; Max-Age=1h; Expires=Wed, 18 Dec 2024 22:13:20 GMT";
    let expires_at = changed(line, &["max-age-unreadable"]).expires_at;
    assert_eq!(expires_at, Some(NOW.after(MAX_AGE_MAX)));
}

#[test]
fn a_cookie_ends_at_its_end_and_not_after_it() {
    let cookie = kept("a=1; Path=/; Max-Age=60");
    withheld(&cookie, &login(), UnixTime(NOW.0 + 59), &[]);
    withheld(&cookie, &login(), UnixTime(NOW.0 + 60), &["expired"]);
    for age in ["0", "-1", "-0", "-99999999999999999999"] {
        dropped(&format!("a=1; Max-Age={age}"), &login(), &["expired-on-arrival"]);
    }
    dropped("a=1; Max-Age=1", &login(), &[]);
    for age in ["", "-", "--1", "+5", "5.0", "5s", "0x10", "\"7\"", "1 2"] {
        assert_eq!(
            changed(&format!("a=1; Max-Age={age}"), &["max-age-unreadable"]).expires_at,
            None
        );
    }
}

#[test]
fn each_prefix_asks_for_each_of_its_attributes_in_any_case() {
    let parts = ["Secure", "HttpOnly", "Path=/"];
    for (name_as_written, code, needed) in [
        ("__Secure-x", "prefix-secure", 0b001),
        ("__Http-x", "prefix-http", 0b011),
        ("__Host-x", "prefix-host", 0b101),
        ("__Host-Http-x", "prefix-host-http", 0b111),
    ] {
        for given in 0..8 {
            let chosen = (0..3).filter(|bit| given & (1 << bit) != 0).map(|bit| parts[bit]);
            let attributes: Vec<&str> = chosen.collect();
            let expected: &[&str] = if given & needed == needed { &[] } else { &[code] };
            for name in [
                name_as_written.to_owned(),
                name_as_written.to_uppercase(),
                name_as_written.to_lowercase(),
            ] {
                let line = format!("{name}=1; {}", attributes.join("; "));
                dropped(&line, &login(), expected);
                advised(&line, &login(), "prefix-case", name[2..4] != name_as_written[2..4]);
            }
        }
    }
}

#[test]
fn a_host_cookie_has_no_domain_and_the_root_for_its_path() {
    let root = visit("https://id.example.com/");
    dropped("__Host-x=1; Secure; Path=/", &root, &[]);
    dropped("__Host-x=1; Secure", &root, &["prefix-host"]);
    dropped("__Host-x=1; Secure; Path=/; Path=/x", &root, &["prefix-host"]);
    dropped("__Host-x=1; Secure; Path=/; Domain=id.example.com", &root, &["prefix-host"]);
    dropped("__Host-x=1; Secure; Path=/; Domain=", &root, &[]);
    dropped("__Host=1", &root, &[]);
}

#[test]
fn a_value_without_a_name_cannot_pass_for_a_prefix() {
    for line in [
        "=__Host-x=1; Secure; Path=/",
        "__Host-x; Secure; Path=/",
        "=__sEcUrE-x; Secure",
        "= __Http-x=1; Secure; HttpOnly",
        "==__Host-Http-x=1; Secure; HttpOnly; Path=/",
    ] {
        dropped(line, &login(), &["nameless-prefix"]);
    }
    dropped("=x__Host-y", &login(), &[]);
}

#[test]
fn secure_is_kept_where_nobody_can_listen() {
    for url in [
        "https://id.example.com/",
        "http://localhost:7117/",
        "http://app.localhost/",
        "http://127.0.0.1/",
        "http://127.9.9.9/",
        "http://[::1]/",
    ] {
        dropped("a=1; Secure", &visit(url), &[]);
        advised("a=1; Secure", &visit(url), "secure-on-localhost", url.starts_with("http:"));
    }
    for url in ["http://id.example.com/", "http://localhost.example.com/", "http://128.0.0.1/"] {
        dropped("a=1; Secure", &visit(url), &["secure-over-http"]);
    }
    let cookie = kept("a=1; Secure; Path=/");
    withheld(&cookie, &visit("http://id.example.com/"), NOW, &["secure-only"]);
}

#[test]
fn none_and_partitioned_need_secure() {
    dropped("a=1; SameSite=None", &login(), &["none-without-secure"]);
    dropped("a=1; Partitioned", &login(), &["partitioned-without-secure"]);
    let both = ["none-without-secure", "partitioned-without-secure"];
    dropped("a=1; SameSite=nOnE; partitioned", &login(), &both);
    dropped("a=1; SameSite=None; Partitioned; Secure", &login(), &[]);
}

#[test]
fn a_domain_is_the_host_or_above_it_and_belongs_to_nobody_else() {
    for (domain, expected) in [
        ("example.com", ("example.com", false)),
        (".Example.COM", ("example.com", false)),
        ("id.example.com", ("id.example.com", false)),
        ("", ("id.example.com", true)),
    ] {
        let cookie = kept(&format!("a=1; Domain={domain}"));
        assert_eq!((cookie.domain.as_str(), cookie.host_only), expected);
    }
    for domain in
        ["x.id.example.com", "xample.com", "example.org", "..example.com", "example.com.", "."]
    {
        dropped(&format!("a=1; Domain={domain}"), &login(), &["domain-mismatch"]);
    }
    dropped("a=1; Domain=com", &login(), &["domain-public-suffix"]);
    dropped("a=1; Domain=exämple.com", &login(), &["domain-not-ascii"]);
    advised("a=1; Domain=example.com", &login(), "suffix-unchecked", true);
    for (url, domain) in [("http://localhost/", "localhost"), ("http://10.0.0.1/", "10.0.0.1")] {
        let kept = keep(&format!("a=1; Domain={domain}"), &visit(url)).kept.unwrap();
        assert!(kept.host_only, "{url}");
    }
    dropped("a=1; Domain=0.0.1", &visit("http://10.0.0.1/"), &["domain-mismatch"]);
}

#[test]
fn a_host_only_cookie_stays_and_a_domain_cookie_goes_down_but_not_up() {
    let hosts = ["https://id.example.com/", "https://a.id.example.com/", "https://example.com/"];
    let alone = kept("a=1; Path=/");
    let below = kept("a=1; Path=/; Domain=id.example.com");
    for (host, alone_is, below_is) in [
        (hosts[0], &[][..], &[][..]),
        (hosts[1], &["other-host"], &[]),
        (hosts[2], &["other-host"], &["other-domain"]),
    ] {
        withheld(&alone, &visit(host), NOW, alone_is);
        withheld(&below, &visit(host), NOW, below_is);
    }
    withheld(&alone, &visit("https://id.example.com:8443/"), NOW, &[]);
}

#[test]
fn a_path_covers_itself_and_what_lies_below_it_segment_by_segment() {
    let cookie = kept("a=1; Path=/app");
    for (path, there) in [
        ("/app", true),
        ("/app/", true),
        ("/app/x", true),
        ("/apple", false),
        ("/", false),
        ("/APP", false),
    ] {
        let expected: &[&str] = if there { &[] } else { &["other-path"] };
        withheld(&cookie, &visit(&format!("https://id.example.com{path}")), NOW, expected);
    }
    for (url, default) in
        [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b", "/a"), ("//x", "/"), ("", "/")]
    {
        assert_eq!(place(&format!("https://id.example.com{url}")).default_path(), default, "{url}");
    }
    let deep = visit("https://id.example.com/a/b");
    advised("a=1", &deep, "path-default", true);
    advised("a=1; Path=/", &deep, "path-default", false);
    assert_eq!(changed("a=1; Path=app", &["path-not-absolute"]).path, b"/");
}

#[test]
fn same_site_decides_by_who_asked_and_how() {
    let at = |context, method| Request { method, context, ..login() };
    let contexts = [
        at(Context::SameSite, Method::Unsafe),
        at(Context::CrossSiteNavigation, Method::Safe),
        at(Context::CrossSiteNavigation, Method::Unsafe),
        at(Context::CrossSiteFrame, Method::Safe),
        at(Context::CrossSiteSubresource, Method::Safe),
    ];
    let strict = "strict-from-cross-site";
    for (line, reasons) in [
        ("a=1; Path=/; SameSite=Strict", ["", strict, strict, strict, strict]),
        ("a=1; Path=/; SameSite=Lax", ["", "", "lax-unsafe", "lax-embedded", "lax-embedded"]),
        ("a=1; Path=/", ["", "", "", "lax-embedded", "lax-embedded"]),
        ("a=1; Path=/; SameSite=None; Secure", [""; 5]),
        (
            "a=1; Path=/; SameSite=None; Secure; Partitioned",
            ["", "", "", "other-partition", "other-partition"],
        ),
    ] {
        let cookie = kept(line);
        for (request, reason) in contexts.iter().zip(reasons) {
            let expected: Vec<&str> = [reason].into_iter().filter(|one| !one.is_empty()).collect();
            withheld(&cookie, request, NOW, &expected);
        }
    }
}

#[test]
fn a_cookie_without_same_site_goes_along_with_a_foreign_post_for_two_minutes_and_no_longer() {
    let cookie = kept("a=1; Path=/");
    let post = Request { context: Context::CrossSiteNavigation, method: Method::Unsafe, ..login() };
    let sending = cookie.send(&post, UnixTime(NOW.0 + 120));
    assert_eq!(codes(&sending.findings, Severity::Advice), ["lax-allowing-unsafe"]);
    assert!(sending.is_sent());
    withheld(&cookie, &post, UnixTime(NOW.0 + 121), &["lax-unsafe"]);
}

#[test]
fn a_cookie_set_in_a_foreign_page_lives_there_if_it_may_be_set_at_all() {
    let framed = Request { context: Context::CrossSiteFrame, ..login() };
    for line in ["a=1; Path=/; Secure", "a=1; SameSite=Lax", "a=1; SameSite=Strict; Secure"] {
        dropped(line, &framed, &["cross-site"]);
    }
    let parted = keep("a=1; Path=/; SameSite=None; Secure; Partitioned", &framed).kept.unwrap();
    withheld(&parted, &framed, NOW, &[]);
    withheld(&parted, &login(), NOW, &["other-partition"]);
    let third = keep("a=1; Path=/; SameSite=None; Secure", &framed).kept.unwrap();
    assert_eq!(codes(&third.send(&framed, NOW).findings, Severity::Advice), ["third-party"]);
}

#[test]
fn control_characters_drop_the_line_wherever_they_stand() {
    for byte in (0..32).chain([127]) {
        for line in ["a=1?; Path=/", "a?=1", "a=1; x?y=1", "a=1; x=1?2"] {
            let line = line.replace('?', &format!("{}z", char::from(byte)));
            let expected: &[&str] = match byte {
                0 => &["nul"],
                9 => &["inner-tab"],
                _ => &["control-character"],
            };
            dropped(&line, &login(), expected);
        }
    }
    assert_eq!(changed("\ta\t=\tb\t; Path=/", &["space-around"]).pair().as_slice(), b"a=b");
}

#[test]
fn what_browsers_read_otherwise_than_it_looks_is_said() {
    assert!(changed("a=1; Secure=false", &["flag-with-value"]).secure);
    assert_eq!(
        changed("a=1; SameSite=\"Lax\"", &["same-site-unknown"]).same_site,
        SameSite::Default
    );
    assert!(!changed("a=1; \"Secure\"", &["attribute-unknown"]).secure);
    assert_eq!(changed("a=1; Path=/x; Path=/y", &["attribute-repeated"]).path, b"/y");
    assert_eq!(changed("a=1; Expires=tomorrow", &["expires-unreadable"]).expires_at, None);
    assert_eq!(changed("flag; Path=/", &["nameless"]).pair().as_slice(), b"flag");
    assert_eq!(changed("a= b", &["space-around"]).pair().as_slice(), b"a=b");
    changed("a=1; ; ;;", &[]);
    changed("a=1; Priority=High", &[]);
    advised("a=b, c=d; Path=/", &login(), "commas", true);
    advised("a=b; Expires=Wed, 18 Dec 2024 22:13:20 GMT", &login(), "commas", false);
    advised("a=\"b\"", &login(), "quotes", true);
    advised("a=\"b\"", &login(), "octets", false);
    for line in ["a=b c", "a=é", "a=\\", "a b=c", "a=\"", "a=b,c"] {
        advised(line, &login(), "octets", true);
    }
    dropped("=", &login(), &["empty"]);
    dropped("; Path=/", &login(), &["empty"]);
}

#[test]
fn every_reason_is_named_and_the_weightiest_comes_first() {
    let line = "__Host-a=1; Domain=example.org; SameSite=None; Path=x; Max-Age=1y";
    let findings = keep(line, &visit("http://id.example.com/")).findings;
    let order: Vec<Severity> = findings.iter().map(Finding::severity).collect();
    assert!(order.is_sorted(), "{order:?}");
    let expected = ["domain-mismatch", "none-without-secure", "prefix-host"];
    assert_eq!(codes(&findings, Severity::Dropped), expected);
    assert_eq!(codes(&findings, Severity::Changed), ["max-age-unreadable", "path-not-absolute"]);
}

#[test]
fn a_value_is_never_shown_and_nothing_reaches_a_terminal_raw() {
    let secret = "S3cr3tS3cr3tS3cr3t";
    let strange = "\u{1b}]0;title\u{7}\u{202e}";
    for line in [
        format!("a={secret}"),
        secret.to_owned(),
        format!("a= \"{secret}\" ; Path=/"),
        format!("a={secret}, b={secret}"),
        format!("__Host-x={secret}; Domain={strange}; Path={strange}; {strange}={strange}"),
        format!("{strange}={secret}; SameSite={strange}; Max-Age={strange}; Expires={strange}"),
    ] {
        let cookie = SetCookie::parse(line.as_bytes());
        let received = cookie.keep(&login(), NOW);
        let told: Vec<String> = received.findings.iter().map(ToString::to_string).collect();
        let told = format!("{} {cookie:?} {received:?}", told.join(" "));
        assert!(!told.contains(secret), "{told}");
        assert!(!told.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{told}");
    }
}

#[test]
fn no_bytes_are_too_strange_to_be_explained() {
    let mut state = 7_u32;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % bound
    };
    let words = [
        "a=1",
        "__Host-x=1",
        "Secure",
        "Path=/",
        "Path=",
        "Domain=",
        "example.com",
        ".",
        "=",
        ";",
        " ",
        "\t",
        "Max-Age=",
        "99",
        "-",
        "Expires=",
        "18 Dec",
        "22:13:2",
        ":",
        "SameSite=None",
        "Partitioned",
        "\u{0}",
        "é",
        "\"",
        ",",
        "xxxxxxxxxxxxxxxx",
    ];
    for _ in 0..20_000 {
        let line: String = (0..next(14)).map(|_| words[next(words.len())]).collect();
        let received = keep(&line, &login());
        let dropped = !codes(&received.findings, Severity::Dropped).is_empty();
        assert_eq!(received.kept.is_none(), dropped, "{line:?}");
        assert!(!(received.kept.is_some() && received.taken_away.is_some()), "{line:?}");
        if let Some(kept) = received.kept {
            // What comes back is never more than what was sent, and stands in one pair.
            assert!(kept.pair().len() <= line.len() && !kept.pair().contains(&b';'), "{line:?}");
            let _ = kept.send(&visit("https://example.com/x"), NOW);
        }
    }
}

#[test]
fn dates_are_read_to_the_second_and_days_that_do_not_exist_are_none() {
    for (text, expected) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("31 Dec 1969 23:59:59", Some(-1)),
        ("01 Jan 1601 00:00:00", Some(-11_644_473_600)),
        ("31 Dec 9999 23:59:59", Some(253_402_300_799)),
        ("29 Feb 2000 00:00:00", Some(951_782_400)),
        ("29 Feb 2100 00:00:00", None),
        ("31 Dec 1600 23:59:59", None),
        ("30 Feb 2024 00:00:00", None),
        ("01 Jan 2024 24:00:00", None),
        ("01 Jan 2024 00:60:00", None),
        ("01 Jan 2024 00:00:60", None),
        ("00 Jan 2024 00:00:00", None),
        ("1 jan 24 0:0:0", Some(1_704_067_200)),
        ("1 jan 70 0:0:0", Some(0)),
        ("1 jan 69 0:0:0", Some(3_124_224_000)),
        ("", None),
        ("99999999999999999999999999999999 jan 24 0:0:0", None),
    ] {
        assert_eq!(parse_date(text.as_bytes()), expected, "{text}");
    }
}

#[test]
fn a_place_is_read_as_a_browser_reads_it_or_not_at_all() {
    for (url, expected) in [
        ("HTTPS://ID.Example.com", "https://id.example.com/"),
        ("http://localhost:7117/a?b#c", "http://localhost:7117/a"),
        ("https://[::0001]:443/x", "https://[::1]/x"),
        ("http://h:/", "http://h/"),
        ("http://h?x/y", "http://h/"),
    ] {
        assert_eq!(place(url).to_string(), expected);
    }
    for (url, refused) in [
        ("id.example.com", PlaceRefused::Scheme),
        ("ftp://id.example.com/", PlaceRefused::Scheme),
        ("https://a@id.example.com/", PlaceRefused::User),
        ("https:///x", PlaceRefused::Host),
        ("https://idé.example.com/", PlaceRefused::Host),
        ("https://a..b/", PlaceRefused::Host),
        ("https://127.1/", PlaceRefused::Host),
        ("https://[::1/", PlaceRefused::Host),
        ("https://h:70000/", PlaceRefused::Port),
        ("https://h:+80/", PlaceRefused::Port),
        ("https://h/a b", PlaceRefused::Path),
        ("https://h/a/../b", PlaceRefused::Path),
        ("https://h/a/%2E%2e", PlaceRefused::Path),
        ("https://h/\\", PlaceRefused::Path),
    ] {
        assert_eq!(url.parse::<Place>(), Err(refused), "{url}");
    }
}

#[test]
fn each_rule_has_its_own_row_in_the_order_of_the_rules() {
    let rules: Vec<Rule> = Rule::all().collect();
    for (at, rule) in rules.iter().enumerate() {
        assert_eq!(*rule as usize, at, "{rule:?}");
    }
    let codes: BTreeSet<&str> = rules.iter().map(|rule| rule.code()).collect();
    assert_eq!(codes.len(), rules.len());
}

#[test]
fn the_reference_page_lists_every_rule_as_it_is() {
    // Its other tables have two columns.
    let is_row = |line: &str| line.starts_with("| `") && line.split('|').count() == 6;
    let page = include_str!("../../../../../docs/reference/cookie-linter.md");
    let rows: Vec<String> = Rule::all()
        .map(|rule| {
            let (code, severity) = (rule.code(), rule.severity().name());
            format!("| `{code}` | {severity} | {} | {} |", rule.source(), rule.summary())
        })
        .collect();
    let written: Vec<&str> = page.lines().filter(|line| is_row(line)).collect();
    assert_eq!(written, rows, "the page must have:\n{}", rows.join("\n"));
}
