use doorward_wire::{AccountId, FreshSecret, SessionId};

use super::*;
use crate::account::{Account, Epoch, PasswordVersion};
use crate::session::{Lifetimes, Owner, Session};

const NOON: UnixTime = UnixTime(1_700_000_000);

fn live(role: Role, acr: Assurance) -> LiveSession {
    let account = Account {
        id: AccountId(42),
        username: Username::parse("ada").unwrap(),
        email: None,
        role,
        epoch: Epoch(0),
        password_version: PasswordVersion(0),
        disabled: false,
        created_at: NOON,
    };
    let session = Session {
        owner: Some(Owner { account: AccountId(42), epoch: Epoch(0) }),
        acr,
        ..Session::open_anonymous(SessionId(1), &FreshSecret::from_random([1; 32]), NOON)
    };
    session.check(Some(account), &Lifetimes::default(), NOON).unwrap()
}

fn member() -> LiveSession {
    live(Role::Member, Assurance::Aal1)
}

fn rule(path: &str, admission: Admission) -> Rule {
    Rule { path: PathPattern::parse(path).unwrap(), methods: vec![], admission }
}

fn administrators() -> Admission {
    Admission::Members(Demand { roles: vec![Role::Administrator], ..Demand::default() })
}

fn wiki() -> Site {
    let origin = OriginPattern::parse("https://wiki.example.com").unwrap();
    let reading = Rule { methods: vec!["GET".into()], ..rule("/public", Admission::Anybody) };
    let rules = vec![reading, rule("/admin", administrators()), rule("/attic", Admission::Nobody)];
    Site { rules, ..Site::for_members(origin) }
}

#[track_caller]
fn check(site: &Site, visit: (&str, &str), who: Option<&LiveSession>, expected: Verdict) {
    let who = who.and_then(Member::of);
    let ruling = site.rule_on(Visit { method: visit.0, path: visit.1 }, who, NOON);
    assert_eq!(ruling.verdict, expected, "{visit:?} by rule {:?}", ruling.rule);
}

const NOT_ONE_OF_THEM: Verdict = Verdict::Denied(Denial::NotOneOfThem);

#[test]
fn the_first_rule_that_fits_decides() {
    let (site, ada) = (wiki(), member());
    check(&site, ("GET", "/public"), None, Verdict::Allowed);
    check(&site, ("GET", "/public/a/b"), None, Verdict::Allowed);
    check(&site, ("GET", "/publication"), None, Verdict::SignIn);
    check(&site, ("POST", "/public/a"), None, Verdict::SignIn);
    check(&site, ("POST", "/public/a"), Some(&ada), Verdict::Allowed);
    check(&site, ("GET", "/"), Some(&ada), Verdict::Allowed);
    check(&site, ("GET", "/admin/users"), None, Verdict::SignIn);
    check(&site, ("GET", "/admin/users"), Some(&ada), NOT_ONE_OF_THEM);
    let root = live(Role::Administrator, Assurance::Aal1);
    check(&site, ("GET", "/admin/users"), Some(&root), Verdict::Allowed);
    check(&site, ("GET", "/attic"), Some(&root), Verdict::Denied(Denial::Closed));
    check(&site, ("GET", "/attic"), None, Verdict::SignIn);
}

#[test]
fn a_path_that_can_be_read_in_two_ways_must_be_allowed_in_both() {
    let (site, ada) = (wiki(), member());
    for path in [
        "/public/../admin",
        "/public/..",
        "/public/./x",
        "/public//x",
        "//public",
        "/public/%2e%2e/admin",
        "/public/%2E%2e%2fadmin",
        "/public%2f..%2fadmin",
        "/public/..;/admin",
        "/public;x=y",
        "/public\\..\\admin",
        "/public/%5c..",
        "/public/%252e%252e/admin",
        "/public/%00",
        "/public/%c0%af..",
        "/public/%",
        "/public/%zz",
        "/public/\u{e9}",
        "/PUBLIC/x",
        "/Admin",
        "/%61dmin",
        "",
        "public",
        "*",
    ] {
        check(&site, ("GET", path), Some(&ada), Verdict::Denied(Denial::Closed));
        let asked = site.rule_on(Visit { method: "GET", path }, None, NOON).verdict;
        assert_eq!(asked, Verdict::SignIn, "{path}");
    }
    // Without a rule that says otherwise, every reading is allowed.
    let origin = OriginPattern::parse("https://a.example.com").unwrap();
    check(&Site::for_members(origin), ("GET", "/a//b/../c"), Some(&ada), Verdict::Allowed);
}

#[test]
fn letters_of_other_scripts_and_spaces_are_read_in_one_way() {
    for path in ["/public/%C3%A9t%C3%A9", "/public/a%20b", "/public/a+b~c:@!$&'()*,=", "/public/"] {
        check(&wiki(), ("GET", path), None, Verdict::Allowed);
    }
}

#[test]
fn what_is_asked_of_members_is_asked_whole() {
    let demand = Demand {
        accounts: vec![Username::parse("ada").unwrap()],
        assurance: Some(Assurance::Aal2),
        proved_within: Some(Duration::from_mins(15)),
        ..Demand::default()
    };
    let origin = OriginPattern::parse("https://vault.example.com").unwrap();
    let site = Site { otherwise: Admission::Members(demand), ..Site::for_members(origin) };
    check(&site, ("GET", "/"), Some(&member()), Verdict::Denied(Denial::Assurance));
    let sure = live(Role::Member, Assurance::Aal2);
    check(&site, ("GET", "/"), Some(&sure), Verdict::Allowed);
    let visit = Visit { method: "GET", path: "/" };
    let later = NOON.after(Duration::from_mins(15));
    assert_eq!(site.rule_on(visit, Member::of(&sure), later).verdict, Verdict::ProveAgain);
}

#[test]
fn an_anonymous_session_is_nobody() {
    let session = Session::open_anonymous(SessionId(1), &FreshSecret::from_random([1; 32]), NOON);
    let anonymous = session.check(None, &Lifetimes::default(), NOON).unwrap();
    check(&wiki(), ("GET", "/"), Some(&anonymous), Verdict::SignIn);
    check(&wiki(), ("GET", "/attic"), Some(&anonymous), Verdict::SignIn);
}

#[test]
fn an_origin_has_one_spelling() {
    for (scheme, host, expected) in [
        ("https", "app.example.com", "https://app.example.com"),
        ("https", "APP.example.com:443", "https://app.example.com"),
        ("http", "localhost:8080", "http://localhost:8080"),
        ("http", "localhost:80", "http://localhost"),
        ("https", "[::1]:8443", "https://[::1]:8443"),
    ] {
        assert_eq!(Origin::of(scheme, host).unwrap().as_str(), expected);
    }
    for (scheme, host) in [
        ("https", ""),
        ("https", "a@b"),
        ("https", "a b"),
        ("https", "a,b"),
        ("https", "a/b"),
        ("https", "a:"),
        ("https", "a:0"),
        ("https", "a:080"),
        ("https", "a:99999"),
        ("https", "a..b"),
        ("https", "a."),
        ("https", "[::1"),
        ("https", "[evil]"),
        ("https", "\u{e9}.example"),
        ("javascript", "a"),
        ("HTTPS", "a"),
    ] {
        assert!(Origin::of(scheme, host).is_err(), "{scheme} {host}");
    }
}

#[test]
fn an_address_is_split_where_its_origin_ends() {
    for (url, origin, rest) in [
        ("https://a.example/x?y", "https://a.example", "/x?y"),
        ("https://a.example", "https://a.example", ""),
        ("https://a.example?x", "https://a.example", "?x"),
        ("https://a.example\\@evil", "https://a.example", "\\@evil"),
    ] {
        let (found, after) = Origin::split(url).unwrap();
        assert_eq!((found.as_str(), after), (origin, rest));
    }
    for url in ["//a.example", "https:a.example", "https://a@evil.example/", "javascript://a"] {
        assert!(Origin::split(url).is_err(), "{url}");
    }
}

#[test]
fn the_most_precise_pattern_is_the_site() {
    let site = |text: &str| Site::for_members(OriginPattern::parse(text).unwrap());
    let sites = Sites::of(vec![
        site("https://*.example.com"),
        site("https://*.lab.example.com"),
        site("https://wiki.lab.example.com"),
    ])
    .unwrap();
    let find = |host: &str| {
        let origin = Origin::of("https", host).unwrap();
        sites.find(&origin).map(|site| site.origin.to_string())
    };
    assert_eq!(find("a.example.com").unwrap(), "https://*.example.com");
    assert_eq!(find("a.lab.example.com").unwrap(), "https://*.lab.example.com");
    assert_eq!(find("wiki.lab.example.com").unwrap(), "https://wiki.lab.example.com");
    assert_eq!(find("example.com"), None);
    assert_eq!(find("a.example.com:8443"), None);
    assert_eq!(find("aexample.com"), None);
    assert!(Sites::of(vec![site("https://a.example"), site("https://A.example:443")]).is_err());
}

#[test]
fn a_pattern_that_is_too_wide_or_plain_is_refused() {
    for text in [
        "https://*",
        "https://*.com",
        "*",
        "https://a.*.com",
        "http://app.example.com",
        "https://app.example.com/",
        "https://app.example.com/path",
        "https://user@app.example.com",
        "app.example.com",
    ] {
        assert!(OriginPattern::parse(text).is_err(), "{text}");
    }
    for text in ["http://localhost:8080", "http://*.localhost:8080", "https://*.example.com:8443"] {
        assert_eq!(OriginPattern::parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn a_rule_says_its_path_plainly() {
    for text in ["", "admin", "/a/../b", "/a//b", "/a;b", "/a?b", "/a*", "/%61"] {
        assert!(PathPattern::parse(text).is_err(), "{text}");
    }
    for text in ["/", "/admin", "/a/b", "/%C3%A9"] {
        assert_eq!(PathPattern::parse(text).unwrap().as_str(), text);
    }
    assert_eq!(PathPattern::parse("/admin/").unwrap().as_str(), "/admin");
}
