//! Whereabouts: roughly where a login comes from, and whether the account has been there lately.
//!
//! ```text
//!   Device ──▶ Whereabouts ──is_new(visits)──▶ the event `login.new_place`, or nothing
//! ```
//!
//! A place is a device in a person's words ("Firefox on Linux") and a country. Where nobody knows
//! countries it is the device and a network: the first 16 bits of an IPv4 address, the first 32 of
//! an IPv6 address, which is about what a provider has.
//!
//! # What this module answers
//!
//! - *A stolen password used elsewhere*: its owner is told of the first login from there.
//! - *People who move*: an address changes daily, a browser's version monthly. Neither is news.
//!
//! # What is not here
//!
//! No database of places, and no verdict on a place: being new is not being wrong.

use std::net::IpAddr;
use std::time::Duration;

use doorward_wire::UnixTime;

use crate::device::Device;

/// How long a place stays known after the last login from it.
pub const REMEMBERED: Duration = Duration::from_hours(90 * 24);

/// How many places of one account are kept. Beyond it the one seen longest ago is forgotten.
pub const VISIT_COUNT_MAX: usize = 256;

/// Roughly where a login comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The device, in a person's words.
    pub device: String,
    /// The network its address belongs to.
    pub network: String,
    /// The country, where that is known.
    pub country: Option<String>,
}

/// Whereabouts of a successful login, and when the last one was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Where.
    pub whereabouts: Whereabouts,
    /// When.
    pub seen_at: UnixTime,
}

impl Whereabouts {
    /// Where a device is, roughly. `country` is what a database of places says of its address.
    ///
    /// ```
    /// use doorward_core::{device::Device, whereabouts::Whereabouts};
    /// let device = Device::seen("curl/8.5.0", "192.0.2.77".into());
    /// assert_eq!(Whereabouts::of(&device, None).network, "192.0.0.0/16");
    /// ```
    #[must_use]
    pub fn of(device: &Device, country: Option<String>) -> Self {
        Self { device: device.label.clone(), network: network(&device.ip), country }
    }

    /// Whether the account was not seen here lately. `visits` are those of its logins before;
    /// the very first login of an account is not news to anybody.
    #[must_use]
    pub fn is_new(&self, visits: &[Visit], now: UnixTime) -> bool {
        !visits.is_empty() && !visits.iter().any(|visit| self.is_seen_in(visit, now))
    }

    fn is_seen_in(&self, visit: &Visit, now: UnixTime) -> bool {
        now.since(visit.seen_at) < REMEMBERED && self.is_near(&visit.whereabouts)
    }

    /// Whether this is the same place, as far as both are known.
    #[must_use]
    pub fn is_near(&self, other: &Self) -> bool {
        // What was seen before there was a database of places is compared by its network.
        let near = match (&self.country, &other.country) {
            (Some(here), Some(there)) => here == there,
            _ => self.network == other.network,
        };
        near && self.device == other.device
    }
}

/// The network of an address: IPv4 /16, IPv6 /32. What is no address is its own network.
fn network(ip: &str) -> String {
    match ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, ..] = ip.octets();
            format!("{a}.{b}.0.0/16")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, ..] = ip.segments();
            format!("{a:x}:{b:x}::/32")
        }
        Err(_) => ip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const DAYS: u64 = 24 * 60 * 60;

    fn at(label: &str, ip: &str, country: Option<&str>) -> Whereabouts {
        let device = Device { label: label.into(), ip: ip.into(), ..Device::default() };
        Whereabouts::of(&device, country.map(str::to_owned))
    }

    fn home() -> Whereabouts {
        at("Firefox on Linux", "192.0.2.1", None)
    }

    fn seen(whereabouts: Whereabouts, days_ago: u64) -> Visit {
        Visit { whereabouts, seen_at: UnixTime(NOW.0 - days_ago * DAYS) }
    }

    #[track_caller]
    fn check(login: &Whereabouts, before: &[Visit], is_new: bool) {
        assert_eq!(login.is_new(before, NOW), is_new, "{login:?} after {before:?}");
    }

    #[test]
    fn the_very_first_login_is_no_news() {
        check(&home(), &[], false);
    }

    #[test]
    fn a_place_is_known_for_ninety_days_and_no_longer() {
        check(&home(), &[seen(home(), 0)], false);
        let just_under = Visit { seen_at: UnixTime(NOW.0 - 90 * DAYS + 1), ..seen(home(), 0) };
        check(&home(), &[just_under], false);
        check(&home(), &[seen(home(), 90)], true);
        check(&home(), &[seen(home(), 91), seen(home(), 3)], false);
    }

    #[test]
    fn another_device_or_another_network_is_a_new_place() {
        let before = [seen(home(), 1)];
        check(&at("Firefox on Linux", "192.0.255.255", None), &before, false);
        check(&at("Firefox on Linux", "192.1.2.1", None), &before, true);
        check(&at("Chrome on Linux", "192.0.2.1", None), &before, true);
        check(&at("Firefox on Windows", "192.0.2.1", None), &before, true);
    }

    #[test]
    fn a_device_here_and_another_device_there_do_not_make_a_known_place() {
        let before = [seen(home(), 1), seen(at("curl", "198.51.100.1", None), 1)];
        check(&at("Firefox on Linux", "198.51.100.1", None), &before, true);
    }

    #[test]
    fn an_address_of_version_six_is_known_by_its_first_thirty_two_bits() {
        let before = [seen(at("curl", "2001:db8:1::1", None), 1)];
        check(&at("curl", "2001:db8:ffff::2", None), &before, false);
        check(&at("curl", "2001:db9:1::1", None), &before, true);
        // Written as version six, an address of version four is the same address.
        check(
            &at("curl", "::ffff:192.0.2.9", None),
            &[seen(at("curl", "192.0.2.1", None), 1)],
            false,
        );
    }

    #[test]
    fn where_countries_are_known_they_decide() {
        let before = [seen(at("curl", "192.0.2.1", Some("SE")), 1)];
        check(&at("curl", "203.0.113.1", Some("SE")), &before, false);
        check(&at("curl", "192.0.2.1", Some("GB")), &before, true);
        // One of the two was not known: the networks are compared.
        check(&at("curl", "192.0.2.1", None), &before, false);
        check(&at("curl", "203.0.113.1", None), &before, true);
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_place_new() {
        let later = Visit { whereabouts: home(), seen_at: UnixTime(NOW.0 + DAYS) };
        check(&home(), &[later], false);
    }
}
