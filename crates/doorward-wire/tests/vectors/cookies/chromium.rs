//! What Chromium 156 did with some hundred lines, in `chromium-156.json`: each line was the answer
//! to a navigation, and the browser was then asked for its cookies over `DevTools`.

use std::collections::BTreeSet;
use std::fs;

use doorward_wire::UnixTime;
use doorward_wire::cookie::explain::{Context, Kept, Method, Request, SameSite, SetCookie};
use serde_json::Value;

use super::super::{collection, list, text};

const CAPTURE: &str = include_str!("chromium-156.json");

const LIST: &str = "we have no public suffix list, and say so with `suffix-unchecked`";
const LAST: &str =
    "the last that can be read counts (5.7, step 6); in Chromium the last, read or not";
const DATE: &str = "the grammar of 5.1.1 and the scanner of Chromium part ways on broken dates";

/// Lines that Chromium takes otherwise than the text and we, and why.
const DIFFERENT: [(&str, &str); 13] = [
    ("a=1; Domain=co.uk", LIST),
    ("a=1; Domain=github.io", LIST),
    (
        "__Host-a=1; Secure; Path=/; Domain=127.0.0.1",
        "a Domain is a Domain (4.1.3.2); Chromium lets it pass if it is the host's own address",
    ),
    ("a=1; Max-Age=+5", "a plus sign is no digit (5.6.2, step 2)"),
    ("a=1; Max-Age=60; Max-Age=x", LAST),
    ("a=1; Max-Age=60; Max-Age=", LAST),
    ("a=1; Max-Age=60; Max-Age=x; Expires=Fri, 01 Jan 2099 00:00:00 GMT", LAST),
    ("a=1; Expires=Fri, 01 Jan 2099 00:00:00 GMT; Expires=x", LAST),
    ("a=1; Expires=Fri, 01 Jan 1600 00:00:00 GMT", DATE),
    ("a=1; Expires=Fri, 01 Jan 209 00:00:00 GMT", DATE),
    ("a=1; Expires=Fri, 01 Jan 12099 00:00:00 GMT", DATE),
    ("a=1; Expires=Fri, 01 Jan 2099 00:00:000 GMT", DATE),
    ("a=1; Expires=Fri, 1st Jan 2099 00:00:00 GMT", DATE),
];

fn capture() -> (Value, UnixTime) {
    let capture: Value = serde_json::from_str(CAPTURE).expect("the capture is JSON");
    let at = UnixTime(capture["captured_at"].as_u64().expect("a time"));
    (capture, at)
}

/// `{x*9}` written out.
fn expand(text: &str) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').expect("a closed brace");
    let (what, times) = inside.rsplit_once('*').expect("a count");
    format!("{before}{}{}", what.repeat(times.parse().expect("a number")), expand(after))
}

/// The bytes that were sent.
fn latin_1(text: &str) -> Vec<u8> {
    expand(text).chars().map(|one| u8::try_from(one).expect("Latin-1")).collect()
}

fn said(same_site: SameSite) -> Option<&'static str> {
    match same_site {
        SameSite::Default => None,
        SameSite::Strict => Some("Strict"),
        SameSite::Lax => Some("Lax"),
        SameSite::None => Some("None"),
    }
}

/// What differs between what we say and what Chromium stored, if anything.
fn difference(ours: Option<&Kept>, theirs: &Value, now: UnixTime) -> Option<String> {
    let (Some(ours), false) = (ours, theirs.is_null()) else {
        let told = |kept| if kept { "keep" } else { "drop" };
        let (we, they) = (told(ours.is_some()), told(!theirs.is_null()));
        return (we != they).then(|| format!("we {we}, Chromium would {they}"));
    };
    let dot = if ours.host_only { "" } else { "." };
    // DevTools shows nothing of a value that is not UTF-8.
    let value = String::from_utf8(ours.value.to_vec()).unwrap_or_default();
    let lives = ours.expires_at.map(|end| end.since(now).as_secs());
    let pairs = [
        (Value::from(String::from_utf8_lossy(&ours.name)), "name"),
        (Value::from(value), "value"),
        (Value::from(format!("{dot}{}", ours.domain)), "domain"),
        (Value::from(String::from_utf8_lossy(&ours.path)), "path"),
        (Value::from(ours.secure), "secure"),
        (Value::from(ours.http_only), "http_only"),
        (Value::from(said(ours.same_site)), "same_site"),
        (Value::from(ours.partition.is_some()), "partitioned"),
        (Value::from(lives), "lives"),
    ];
    let differs = |(ours, name): &(Value, &str)| {
        let theirs = &theirs[*name];
        theirs.as_str().map_or_else(|| theirs.clone(), |text| Value::from(expand(text))) != *ours
    };
    let (ours, name) = pairs.into_iter().find(differs)?;
    Some(format!("{name} is {ours}, Chromium has {}", theirs[name]))
}

#[test]
fn each_line_is_kept_as_chromium_keeps_it_or_a_difference_that_is_named() {
    let (capture, now) = capture();
    let (mut wrong, mut named, mut agreed) = (Vec::new(), BTreeSet::new(), 0);
    for row in list(&capture, "stored") {
        let request = Request::visit(text(row, "from").parse().expect("a URL"));
        let line = latin_1(text(row, "set_cookie"));
        let received = SetCookie::parse(&line).keep(&request, now);
        let difference = difference(received.kept.as_ref(), &row["kept"], now);
        let known = DIFFERENT.iter().find(|known| known.0 == text(row, "set_cookie"));
        match (difference, known) {
            (None, None) => agreed += 1,
            (Some(_), Some(known)) => drop(named.insert(known.0)),
            (Some(difference), None) => wrong.push(format!("{row}\n    {difference}")),
            (None, Some(known)) => wrong.push(format!("{known:?} is no difference")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((agreed, named.len()), (253, DIFFERENT.len()));
}

fn asked(row: &Value) -> Request {
    let place = "https://doorward.test:7443/echo".parse().expect("a URL");
    let context = match text(row, "asked") {
        "same-site" => Context::SameSite,
        "cross-site-navigation" => Context::CrossSiteNavigation,
        "cross-site-frame" => Context::CrossSiteFrame,
        "cross-site-subresource" => Context::CrossSiteSubresource,
        other => panic!("no context {other}"),
    };
    Request { place, method: Method::of(text(row, "method")), context }
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn cookies_are_set_from_each_kind_of_request_as_chromium_sets_them() {
    let (capture, now) = capture();
    let cookies = capture["cookies"].as_object().expect("cookies by name");
    for row in list(&capture, "set") {
        let kept = |line: &Value| {
            let line = line.as_str().expect("a line").as_bytes();
            SetCookie::parse(line).keep(&asked(row), now).kept.is_some()
        };
        let ours = cookies.iter().filter(|(_, line)| kept(line)).map(|(name, _)| name.as_str());
        assert_eq!(ours.collect::<BTreeSet<_>>(), names(&row["kept"]), "{row}");
    }
}

#[test]
fn cookies_go_along_with_each_kind_of_request_as_chromium_sends_them() {
    let (capture, now) = capture();
    let cookies = capture["cookies"].as_object().expect("cookies by name");
    let login = "https://doorward.test:7443/set".parse().expect("a URL");
    let login = Request::visit(login);
    for row in list(&capture, "sent") {
        let later = UnixTime(now.0 + row["age"].as_u64().expect("seconds"));
        let sent = |line: &Value| {
            let line = line.as_str().expect("a line").as_bytes();
            let kept = SetCookie::parse(line).keep(&login, now).kept.expect("it is kept");
            kept.send(&asked(row), later).is_sent()
        };
        let ours = cookies.iter().filter(|(_, line)| sent(line)).map(|(name, _)| name.as_str());
        assert_eq!(ours.collect::<BTreeSet<_>>(), names(&row["sent"]), "{row}");
    }
}

/// The lines behind the rows of the shared file, which holds what became of them alone.
///
/// They were set again in the capture beside this file, with the same outcome.
const SENT: [(&str, &str); 17] = [
    ("", "nameless9"),
    ("__Host-Http-ok", "__Host-Http-ok=1; Secure; HttpOnly; Path=/"),
    ("__Host-ok", "__Host-ok=1; Secure; HttpOnly; Path=/"),
    ("__Http-ok", "__Http-ok=1; Secure; HttpOnly; Path=/"),
    ("__Secure-ok", "__Secure-ok=1; Secure; Path=/"),
    ("age400", "age400=1; Max-Age=34560000; Path=/"),
    ("age401", "age401=1; Max-Age=34646400; Path=/"),
    ("attr1024", "attr1024=1; Path=/{p*1023}"),
    ("attr1025", "attr1025=1; Path=/{p*1024}"),
    ("dotdom", "dotdom=1; Domain=.doorward.test; Path=/"),
    ("dq", "dq=\"quoted\"; Path=/"),
    ("exp2099", "exp2099=1; Expires=Fri, 01 Jan 2099 00:00:00 GMT"),
    ("none_sec", "none_sec=1; SameSite=None; Secure"),
    ("part", "part=1; Partitioned; Secure; Path=/"),
    ("sz4096", "sz4096={x*4090}"),
    ("tab", "tab=\tx"),
    ("utf8", "utf8=\u{20ac}"),
];

#[test]
fn each_row_of_the_shared_observations_is_what_we_say_too() {
    let Some(path) = collection("chromium-cookie-behaviour.txt") else { return };
    let rows = fs::read_to_string(path).expect("a file that exists can be read");
    let place = "https://doorward.test/".parse().expect("a URL");
    let (request, now) = (Request::visit(place), UnixTime(1_790_000_000));
    let mut seen = 0;
    for row in rows.lines() {
        // How many of 200 cookies a full store keeps; no line decides that.
        if row.starts_with("many: ") {
            continue;
        }
        let name = row.split(" size ").next().unwrap_or_default();
        let line = SENT.iter().find(|sent| sent.0 == name);
        let line = expand(line.unwrap_or_else(|| panic!("no line is known for {row}")).1);
        let received = SetCookie::parse(line.as_bytes()).keep(&request, now);
        let kept = received.kept.unwrap_or_else(|| panic!("{row}: {:?}", received.findings));
        assert_eq!(row_of(&kept, now), row, "{line}");
        seen += 1;
    }
    assert_eq!(seen, SENT.len());
}

/// A cookie as a row of the shared file.
fn row_of(kept: &Kept, now: UnixTime) -> String {
    let title = |yes| if yes { "True" } else { "False" };
    let path = String::from_utf8_lossy(&kept.path);
    let partition = "{'topLevelSite': 'https://doorward.test', 'hasCrossSiteAncestor': False}";
    let days = kept.expires_at.map(|end| format!("{}.0", end.since(now).as_secs() / 86_400));
    format!(
        "{} size {} dom {}{} path {}..{} sec {} ho {} ss {} part {} days {}",
        String::from_utf8_lossy(&kept.name),
        kept.name.len() + kept.value.len(),
        if kept.host_only { "" } else { "." },
        kept.domain,
        &path[..path.len().min(6)],
        path.len(),
        title(kept.secure),
        title(kept.http_only),
        said(kept.same_site).unwrap_or("None"),
        kept.partition.map_or("None", |_| partition),
        days.as_deref().unwrap_or("session"),
    )
}
