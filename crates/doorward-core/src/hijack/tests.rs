use std::cell::Cell;

use super::*;
use crate::place::Continent;

const NOON: UnixTime = UnixTime(1_700_000_000);

const CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/156.0.0.0 Safari/537.36";
const NEXT_CHROME: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/157.0.0.0 Safari/537.36";
const CHROME_ELSEWHERE: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like \
    Gecko) Chrome/156.0.0.0 Mobile Safari/537.36";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/156.0.0.0 Safari/537.36 Edg/156.0.0.0";

const LYON: &str = "192.0.2.1";
const LYON_TOO: &str = "192.0.2.2";
const PARIS: &str = "192.0.2.3";
const MOSCOW: &str = "192.0.2.4";
const SYDNEY: &str = "198.51.100.1";
const EUROPE: &str = "198.51.100.2";
const NOWHERE: &str = "203.0.113.1";

fn place_of(ip: &str) -> Option<Place> {
    let at = |latitude, longitude| Point::new(latitude, longitude, 0.0);
    let (continent, point) = match ip {
        LYON | LYON_TOO => (Continent::Europe, at(45.76, 4.84)),
        PARIS => (Continent::Europe, at(48.86, 2.35)),
        MOSCOW => (Continent::Europe, at(55.75, 37.62)),
        SYDNEY => (Continent::Oceania, at(-33.87, 151.21)),
        EUROPE => (Continent::Europe, None),
        _ => return None,
    };
    Place::new(None, None, Some(continent), point)
}

/// What a session that was known by this, at noon, is suspected of.
fn judge(
    (carrier, reactions): (Carrier, Reactions),
    known: (&str, &str),
    seen: (&str, &str),
    after: u64,
) -> Vec<Signal> {
    let device = Device::seen(known.0, known.1.to_owned());
    let known = Known { device: &device, seen_at: NOON, carrier };
    let seen = Sighting { user_agent: seen.0, ip: seen.1 };
    let now = UnixTime(NOON.0 + after);
    let suspicions = reactions.judge(known, seen, place_of, now);
    assert!(suspicions.iter().all(|suspicion| suspicion.asks));
    suspicions.into_iter().map(|suspicion| suspicion.signal).collect()
}

const BY_COOKIE: (Carrier, Reactions) = (
    Carrier::Cookie,
    Reactions { browser: Reaction::Ask, continent: Reaction::Ask, travel: Reaction::Ask },
);

#[track_caller]
fn browsers(known: &str, seen: &str, expected: &[Signal]) {
    assert_eq!(judge(BY_COOKIE, (known, LYON), (seen, LYON), 60), expected);
    assert_eq!(judge(BY_COOKIE, (seen, LYON), (known, LYON), 60), expected, "and back");
}

#[track_caller]
fn places(known: &str, seen: &str, after: u64, expected: &[Signal]) {
    assert_eq!(judge(BY_COOKIE, (CHROME, known), (CHROME, seen), after), expected);
    assert_eq!(judge(BY_COOKIE, (CHROME, seen), (CHROME, known), after), expected, "and back");
    let by_token = (Carrier::Token, BY_COOKIE.1);
    assert_eq!(judge(by_token, (CHROME, known), (CHROME, seen), after), expected, "by token");
}

#[test]
fn another_family_of_browsers_is_a_signal() {
    for (known, seen) in [
        (CHROME, FIREFOX),
        (CHROME, EDGE),
        (FIREFOX, "curl/8.5.0"),
        (EDGE, "python-requests/2.32.3"),
        ("curl/8.5.0", "Go-http-client/1.1"),
        ("node", "axios/1.7.9"),
    ] {
        browsers(known, seen, &[Signal::Browser]);
    }
}

#[test]
fn the_same_browser_in_another_version_or_dress_is_none() {
    browsers(CHROME, CHROME, &[]);
    browsers(CHROME, NEXT_CHROME, &[]);
    browsers(CHROME, CHROME_ELSEWHERE, &[]);
    browsers("curl/8.5.0", "curl/8.6.0", &[]);
    let long = format!("{CHROME} {} Edg/156.0", "x".repeat(300));
    browsers(CHROME, &long, &[]);
    browsers(&long, &format!("{long}."), &[]);
    let dirty = CHROME.replace(' ', "\t");
    browsers(&dirty, CHROME, &[]);
}

#[test]
fn a_browser_that_hides_or_that_nobody_knows_is_no_signal() {
    for unknown in ["", "Mozilla/5.0", "my-own-script"] {
        browsers(CHROME, unknown, &[]);
        browsers("", unknown, &[]);
    }
}

#[test]
fn programs_with_tokens_may_change_their_library() {
    let by_token = (Carrier::Token, BY_COOKIE.1);
    assert_eq!(judge(by_token, ("curl/8.5.0", LYON), ("okhttp/4.12.0", LYON), 60), []);
    let away = judge(by_token, ("curl/8.5.0", LYON), ("okhttp/4.12.0", SYDNEY), 60);
    assert_eq!(away, [Signal::Continent, Signal::Travel]);
}

#[test]
fn another_continent_is_a_signal_however_long_the_journey() {
    let days = 3 * 24 * 3600;
    places(LYON, SYDNEY, days, &[Signal::Continent]);
    places(EUROPE, SYDNEY, days, &[Signal::Continent]);
    places(LYON, LYON_TOO, 0, &[]);
    places(LYON, EUROPE, 0, &[]);
}

#[test]
fn what_no_airliner_does_is_a_signal() {
    // 2 527.88 km: at a thousand an hour that takes 9 100.36 seconds.
    places(LYON, MOSCOW, 0, &[Signal::Travel]);
    places(LYON, MOSCOW, 9100, &[Signal::Travel]);
    places(LYON, MOSCOW, 9101, &[]);
    places(LYON, SYDNEY, 3600, &[Signal::Continent, Signal::Travel]);
}

#[test]
fn a_short_way_is_never_too_fast() {
    places(LYON, PARIS, 0, &[]);
}

#[test]
fn a_journey_is_impossible_only_over_both_limits() {
    // Just beyond the nearest that is looked at, which takes half an hour.
    assert!(!is_impossible(500.0, 0.0));
    assert!(is_impossible(500.001, 0.0));
    assert!(is_impossible(500.001, 1800.0));
    assert!(!is_impossible(500.001, 1801.0));
    // Two thousand kilometres in just two hours, in less, and in more.
    assert!(!is_impossible(2000.0, 7200.0));
    assert!(is_impossible(2000.0, 7199.0));
    assert!(!is_impossible(2000.0, 7201.0));
}

#[test]
fn what_is_not_known_is_no_signal() {
    for known in [LYON, SYDNEY, NOWHERE, ""] {
        places(known, NOWHERE, 0, &[]);
        places(known, "not an address", 0, &[]);
    }
}

#[test]
fn a_clock_that_steps_back_makes_nobody_fast() {
    let device = Device::seen(CHROME, LYON.to_owned());
    let known = Known { device: &device, seen_at: NOON, carrier: Carrier::Cookie };
    let seen = Sighting { user_agent: CHROME, ip: MOSCOW };
    let judged = |now| Reactions::default().judge(known, seen, place_of, UnixTime(now)).len();
    assert_eq!(judged(NOON.0 - 1), 0);
    assert_eq!(judged(NOON.0), 1);
}

#[test]
fn an_address_is_looked_up_only_when_it_is_another() {
    let asked = Cell::new(0);
    let counting = |ip: &str| {
        asked.set(asked.get() + 1);
        place_of(ip)
    };
    let device = Device::seen(CHROME, LYON.to_owned());
    let known = Known { device: &device, seen_at: NOON, carrier: Carrier::Cookie };
    let here = Sighting { user_agent: CHROME, ip: LYON };
    assert_eq!(Reactions::default().judge(known, here, counting, NOON), []);
    assert_eq!(asked.get(), 0);
    let off = Reactions { continent: Reaction::Off, travel: Reaction::Off, ..Reactions::default() };
    let there = Sighting { ip: SYDNEY, ..here };
    assert_eq!(off.judge(known, there, counting, NOON), []);
    assert_eq!(asked.get(), 0);
    assert_eq!(Reactions::default().judge(known, there, counting, NOON).len(), 2);
    assert_eq!(asked.get(), 2);
}

#[test]
fn each_signal_has_the_reaction_that_was_decided_for_it() {
    let device = Device::seen(CHROME, LYON.to_owned());
    let known = Known { device: &device, seen_at: NOON, carrier: Carrier::Cookie };
    let seen = Sighting { user_agent: FIREFOX, ip: SYDNEY };
    for (browser, continent, travel) in [
        (Reaction::Ask, Reaction::Note, Reaction::Off),
        (Reaction::Off, Reaction::Ask, Reaction::Note),
        (Reaction::Note, Reaction::Off, Reaction::Ask),
        (Reaction::Off, Reaction::Off, Reaction::Off),
    ] {
        let expected: Vec<_> =
            [(Signal::Browser, browser), (Signal::Continent, continent), (Signal::Travel, travel)]
                .into_iter()
                .filter(|(_, reaction)| *reaction != Reaction::Off)
                .map(|(signal, reaction)| Suspicion { signal, asks: reaction == Reaction::Ask })
                .collect();
        let reactions = Reactions { browser, continent, travel };
        assert_eq!(reactions.judge(known, seen, place_of, NOON), expected);
    }
}

#[test]
fn a_reaction_is_read_by_its_name() {
    for reaction in [Reaction::Ask, Reaction::Note, Reaction::Off] {
        assert_eq!(Reaction::from_name(reaction.name()), Some(reaction));
    }
    assert_eq!(Reaction::from_name("Ask"), None);
    assert_eq!(Reaction::from_name(""), None);
}
