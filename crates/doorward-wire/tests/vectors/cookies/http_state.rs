//! The `http-state` corpus: what RFC 6265 (2011) was written from.
//!
//! A test is the `Set-Cookie` lines of one response from
//! `http://home.example.org:8888/cookie-parser`, perhaps where it redirects to, and the `Cookie`
//! header that the next request must have. RFC 6265bis decides some of it otherwise: those are
//! named below with what a user agent of today sends.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use doorward_wire::cookie::explain::{Place, Request, parse_date};
use doorward_wire::cookie::{Carried, CookieForm};
use doorward_wire::{FreshSecret, UnixTime};
use serde_json::Value;

use super::super::{collection, list, text};
use super::Jar;

/// April 2011, when RFC 6265 came out: the corpus calls 2019 the future.
const NOW: UnixTime = UnixTime(1_303_862_400);

/// RFC 6265 ignored what has no name (5.2, steps 2 and 5); today it is kept (5.6, step 3).
const NAMELESS: &str = "a cookie without a name is kept, and sent as its value";
/// RFC 6265 ignored an empty Domain (5.2.3); today it counts, if it is the last (5.7, step 7).
const EMPTY_DOMAIN: &str = "an empty Domain, if it is the last, makes the cookie its host's alone";
/// The test is disabled in the corpus: user agents once cut lines there (5.6, step 1).
const CONTROL: &str = "a control character drops the whole line, and cuts none";
/// The test is disabled in the corpus (5.1.4 compares without decoding).
const SPELLING: &str = "paths are compared as they are sent, without decoding";

/// Where RFC 6265bis departs from the corpus: the test, what is sent, and why.
const DEVIATIONS: [(&str, Option<&str>, &str); 27] = [
    ("0004", Some("foo"), NAMELESS),
    ("0021", Some("a=b; x; c=d"), NAMELESS),
    ("0023", Some("foo"), NAMELESS),
    ("0024", Some("foo"), NAMELESS),
    ("0025", Some("foo"), NAMELESS),
    ("0026", Some("foo"), NAMELESS),
    ("0027", Some("bar"), NAMELESS),
    ("0028", Some("foo"), NAMELESS),
    ("chromium0009", Some("BLAHHH"), NAMELESS),
    ("chromium0010", Some("\"BLA\\\"HHH\""), NAMELESS),
    ("chromium0012", Some("ABC"), NAMELESS),
    ("disabled-chromium0022", None, CONTROL),
    ("disabled-chromium0023", None, CONTROL),
    ("disabled-path0029", None, SPELLING),
    ("mozilla0012", Some("test=\"fubar! = foo; five"), NAMELESS),
    ("mozilla0014", Some("six"), NAMELESS),
    ("mozilla0015", Some("seven"), NAMELESS),
    ("mozilla0016", Some("eight"), NAMELESS),
    ("mozilla0017", Some("eight; test=six"), NAMELESS),
    ("name0017", Some("a=bar"), NAMELESS),
    ("name0023", Some("foo"), NAMELESS),
    ("name0025", Some("==a=bar"), NAMELESS),
    ("name0028", Some("a"), NAMELESS),
    ("name0031", Some("\"foo"), NAMELESS),
    ("name0032", Some("\"foo\\\"bar"), NAMELESS),
    ("name0033", Some("aaa"), NAMELESS),
    ("optional-domain0042", Some("foo=bar"), EMPTY_DOMAIN),
];

struct Case {
    name: String,
    lines: Vec<Vec<u8>>,
    next: Place,
    expected: Option<Vec<u8>>,
}

fn cases() -> Option<Vec<Case>> {
    let folder = collection("http-state/data/parser")?;
    let entries = fs::read_dir(&folder).expect("a folder that exists can be read");
    let paths = entries.map(|entry| entry.expect("and so can its entries").path());
    let name = |path: PathBuf| path.file_name()?.to_str()?.strip_suffix("-test").map(str::to_owned);
    let names: BTreeSet<String> = paths.filter_map(name).collect();
    let read = |file: String| fs::read(folder.join(file)).expect("and so can its files");
    let case = |name: String| {
        let test = read(format!("{name}-test"));
        let lines: Vec<&[u8]> = test.split(|byte| *byte == b'\n').collect();
        let header =
            |line: &&[u8], name: &str| line.strip_prefix(name.as_bytes()).map(<[u8]>::to_vec);
        let location = lines.iter().find_map(|line| header(line, "Location: "));
        let location = location.map(|url| String::from_utf8(url).expect("a URL is ASCII"));
        let next = location.unwrap_or_else(|| format!("/cookie-parser-result?{name}"));
        let host = if next.starts_with('/') { "http://home.example.org:8888" } else { "" };
        let expected = read(format!("{name}-expected"));
        let expected = header(&expected.trim_ascii_end(), "Cookie:");
        Case {
            lines: lines.iter().filter_map(|line| header(line, "Set-Cookie:")).collect(),
            next: format!("{host}{next}").parse().expect("a URL of the corpus"),
            expected: expected
                .map(|value| value.trim_ascii().to_vec())
                .filter(|value| !value.is_empty()),
            name,
        }
    };
    Some(names.into_iter().map(case).collect())
}

fn play(case: &Case) -> Option<Vec<u8>> {
    let place = "http://home.example.org:8888/cookie-parser".parse().expect("a URL");
    let (request, mut jar) = (Request::visit(place), Jar::empty(NOW));
    for line in &case.lines {
        jar.receive(line, &request);
    }
    jar.header(&Request::visit(case.next.clone()))
}

#[test]
fn each_test_sends_what_the_corpus_expects_or_a_deviation_that_is_named() {
    let Some(cases) = cases() else { return };
    let (mut passed, mut wrong, mut deviated) = (0, Vec::new(), BTreeSet::new());
    for case in &cases {
        let sent = play(case);
        if let Some((name, instead, why)) = DEVIATIONS.iter().find(|known| known.0 == case.name) {
            assert_ne!(sent, case.expected, "{name} is no deviation: {why}");
            let instead = instead.map(|text| text.as_bytes().to_vec());
            assert_eq!(sent, instead, "{name}: {why}");
            deviated.insert(*name);
        } else if sent == case.expected {
            passed += 1;
        } else {
            let told =
                |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|b| b.escape_ascii().to_string());
            wrong.push(format!("{}: {:?}, not {:?}", case.name, told(&sent), told(&case.expected)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((cases.len(), passed, deviated.len()), (222, 195, DEVIATIONS.len()));
}

#[test]
fn each_date_is_read_as_the_corpus_reads_it() {
    let mut counts = (0, 0);
    for file in ["examples", "bsd-examples"] {
        let Some(path) = collection(&format!("http-state/data/dates/{file}.json")) else { return };
        let json = fs::read_to_string(path).expect("a file that exists can be read");
        // One of the two begins with its licence, in comments that JSON has not.
        let json: String = json.lines().filter(|line| !line.starts_with("//")).collect();
        let dates: Value = serde_json::from_str(&json).expect("the rest is JSON");
        for date in list(&serde_json::json!({ "dates": dates }), "dates") {
            let read = parse_date(text(date, "test").as_bytes());
            let read = read.map(|at| UnixTime(u64::try_from(at).expect("after 1970")).to_string());
            let expected = date["expected"].as_str().map(rfc_3339);
            assert_eq!(read, expected, "{}", text(date, "test"));
            if read.is_some() { counts.0 += 1 } else { counts.1 += 1 }
        }
    }
    assert_eq!(counts, (61, 9));
}

/// `Mon, 10 Dec 2007 17:02:24 GMT` in the other spelling, without reading it as a date.
fn rfc_3339(text: &str) -> String {
    let parts: Vec<&str> = text.split(' ').collect();
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(parts[2]).expect("a month") / 3 + 1;
    format!("{}-{month:02}-{}T{}Z", parts[3], parts[1], parts[4])
}

/// Every `Cookie` header the corpus knows: those it expects, and those its lines lead to.
fn headers(cases: &[Case]) -> Vec<Vec<u8>> {
    let lines = cases.iter().flat_map(|case| case.lines.iter().cloned());
    let expected = cases.iter().filter_map(|case| case.expected.clone());
    lines.chain(expected).chain(cases.iter().filter_map(play)).collect()
}

#[test]
fn no_header_of_the_corpus_holds_a_secret() {
    let Some(cases) = cases() else { return };
    for header in headers(&cases) {
        for form in [CookieForm::Production, CookieForm::Development] {
            let read = form.read([header.as_slice()]);
            assert!(matches!(read, Carried::Nothing), "{read:?}: {}", header.escape_ascii());
        }
    }
}

/// The corpus's tricks with our own name and a good secret in place of its own.
#[test]
fn a_secret_is_read_from_a_header_only_where_it_stands_byte_for_byte() {
    let Some(cases) = cases() else { return };
    let fresh = FreshSecret::from_random([7; 32]);
    let (mut secrets, mut others) = (0, 0);
    for form in [CookieForm::Production, CookieForm::Development] {
        let ours = format!("{}={}", form.name(), fresh.expose().as_str());
        for header in headers(&cases) {
            for disguised in disguises(&header, form.name(), &fresh.expose()) {
                let pairs = disguised.split(|byte| *byte == b';');
                let pairs = pairs.map(|pair| pair.strip_prefix(b" ").unwrap_or(pair));
                let exact = pairs.filter(|pair| *pair == ours.as_bytes()).count();
                match form.read([disguised.as_slice()]) {
                    Carried::Secret(read) => {
                        assert_eq!(read.digest(), fresh.digest());
                        assert_eq!(exact, 1, "{}", disguised.escape_ascii());
                        secrets += 1;
                    }
                    Carried::Nothing | Carried::Garbage | Carried::Ambiguous => others += 1,
                }
            }
        }
    }
    assert!(secrets > 100 && others > 100, "{secrets} secrets and {others} others");
}

/// A header with our pair put where its first name and its first value stand, and at every `;`.
fn disguises(header: &[u8], name: &str, secret: &str) -> Vec<Vec<u8>> {
    let equals = header.iter().position(|byte| *byte == b'=').unwrap_or(header.len());
    let end = header[equals..].iter().position(|byte| *byte == b';');
    let end = end.map_or(header.len(), |end| equals + end);
    let value = header.get(equals + 1..end).unwrap_or_default();
    let mut disguises = vec![
        [name.as_bytes(), &header[equals..]].concat(),
        [&header[..equals], b"=", secret.as_bytes(), &header[end..]].concat(),
        [name.as_bytes(), b"=", secret.as_bytes(), &header[end..]].concat(),
        [header, b"; ", name.as_bytes(), b"=", secret.as_bytes()].concat(),
        [header, name.as_bytes(), b"=", secret.as_bytes()].concat(),
    ];
    // The corpus's own characters around the secret: quotes, spaces, tabs, commas.
    if let (Some(first), Some(last)) = (value.first(), value.last()) {
        let (first, last) = (&[*first][..], &[*last][..]);
        let around = [name.as_bytes(), b"=", first, secret.as_bytes(), last, &header[end..]];
        disguises.push(around.concat());
    }
    disguises
}
