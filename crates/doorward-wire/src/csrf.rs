//! Cross-site requests: whether an unsafe request came from our own pages.
//!
//! A browser says where a request comes from in two headers that scripts cannot set:
//! `Sec-Fetch-Site`, and in older browsers `Origin`. That is the whole defence; there is no token in
//! a form to be leaked, forgotten or tossed. `same-site` is not trusted: a sibling subdomain may be
//! somebody else's.

/// What a request says of where it comes from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provenance<'a> {
    /// The `Sec-Fetch-Site` header.
    pub fetch_site: Option<&'a str>,
    /// The `Origin` header.
    pub origin: Option<&'a str>,
    /// Whether the request carries a cookie of our name, whatever its value.
    pub carries_cookie: bool,
}

/// A request that did not come from our own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrfRefusal {
    /// `Sec-Fetch-Site` says it came from elsewhere.
    FetchSite,
    /// `Origin` is not ours.
    Origin,
    /// It carries a cookie and does not say where it comes from.
    Unknown,
}

/// Decides whether an unsafe request may use or set our cookie. `ours` knows our own origins.
///
/// ```
/// use doorward_wire::csrf::{self, Provenance};
/// let evil = Provenance { origin: Some("https://evil.example"), ..Provenance::default() };
/// assert!(csrf::check(evil, |origin| origin == "https://id.example").is_err());
/// ```
pub fn check(from: Provenance<'_>, ours: impl Fn(&str) -> bool) -> Result<(), CsrfRefusal> {
    match (from.fetch_site, from.origin) {
        (Some("same-origin" | "none"), _) => Ok(()),
        (Some(_), _) => Err(CsrfRefusal::FetchSite),
        (None, Some(origin)) if ours(origin) => Ok(()),
        (None, Some(_)) => Err(CsrfRefusal::Origin),
        // Not a browser. Without a cookie there is nothing to ride on.
        (None, None) if from.carries_cookie => Err(CsrfRefusal::Unknown),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(
        fetch_site: Option<&str>,
        origin: Option<&str>,
        carries_cookie: bool,
    ) -> Option<CsrfRefusal> {
        check(Provenance { fetch_site, origin, carries_cookie }, |origin| origin == "https://us")
            .err()
    }

    #[test]
    fn our_own_pages_pass() {
        assert_eq!(refused(Some("same-origin"), Some("https://us"), true), None);
        assert_eq!(refused(Some("none"), None, true), None);
        assert_eq!(refused(None, Some("https://us"), true), None);
    }

    #[test]
    fn other_sites_siblings_and_sandboxes_do_not() {
        for site in ["cross-site", "same-site", "", "SAME-ORIGIN", "same-origin, none"] {
            assert_eq!(refused(Some(site), Some("https://us"), true), Some(CsrfRefusal::FetchSite));
        }
        for origin in ["null", "https://us.evil", "https://us/", "HTTPS://US", ""] {
            assert_eq!(refused(None, Some(origin), true), Some(CsrfRefusal::Origin));
            assert_eq!(refused(None, Some(origin), false), Some(CsrfRefusal::Origin));
        }
    }

    #[test]
    fn a_program_without_a_cookie_has_nothing_to_ride_on() {
        assert_eq!(refused(None, None, false), None);
        assert_eq!(refused(None, None, true), Some(CsrfRefusal::Unknown));
    }
}
