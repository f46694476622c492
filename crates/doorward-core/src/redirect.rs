//! Where a client wants people back: its redirect URIs.
//!
//! # What this module answers
//!
//! - *A code that is sent to somebody else* (RFC 9700, section 4.1): an address counts only if it is one that
//!   the client was registered with, letter by letter. The port of a loopback address is free, for an app on
//!   somebody's own machine that cannot know it (RFC 8252, section 7.3).
//! - *An address that is no page*: `javascript:`, `data:`, a fragment, a user before the host, plain HTTP
//!   through a network: none of these can be registered.

use crate::site::Origin;

/// The longest address.
pub const REDIRECT_MAX: usize = 1024;

/// An address that a client may want people back at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri(String);

/// The text is no address that people can be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectRefused {
    /// It is no absolute address of a page.
    #[error("a redirect URI is https://host/path, without a fragment and without a user")]
    NotAnAddress,
    /// It is plain HTTP, and not to this machine.
    #[error("a redirect URI is https, or http on 127.0.0.1 or [::1] or localhost")]
    Insecure,
}

impl RedirectUri {
    /// Reads an address.
    ///
    /// ```
    /// use doorward_core::redirect::RedirectUri;
    ///
    /// assert!(RedirectUri::parse("https://shop.example.com/callback").is_ok());
    /// for bad in ["http://shop.example.com/callback", "javascript:alert(1)", "https://a/b#c"] {
    ///     assert!(RedirectUri::parse(bad).is_err());
    /// }
    /// ```
    pub fn parse(text: &str) -> Result<Self, RedirectRefused> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\#\"<>^`{|}*".contains(&byte);
        if text.len() > REDIRECT_MAX || !text.bytes().all(plain) {
            return Err(RedirectRefused::NotAnAddress);
        }
        let (origin, rest) = Origin::split(text).map_err(|_| RedirectRefused::NotAnAddress)?;
        if !rest.starts_with('/') {
            return Err(RedirectRefused::NotAnAddress);
        }
        let is_here = matches!(origin.host(), "localhost" | "127.0.0.1" | "[::1]");
        let is_here = is_here || origin.host().ends_with(".localhost");
        if origin.as_str().starts_with("http:") && !is_here {
            return Err(RedirectRefused::Insecure);
        }
        Ok(Self(text.to_owned()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its origin.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        Origin::split(&self.0).ok().map(|(origin, _)| origin)
    }

    /// Whether somebody who asks for `text` asks for this one.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        if self.0 == text {
            return true;
        }
        let parts = |uri: &'_ str| -> Option<(String, String)> {
            let rest = uri.strip_prefix("http://")?;
            let (authority, path) = rest.split_at(rest.find('/')?);
            let host = ["127.0.0.1", "[::1]"].into_iter().find(|host| {
                let port = authority.strip_prefix(host);
                port.is_some_and(|port| {
                    port.is_empty() || port.strip_prefix(':').is_some_and(is_port)
                })
            })?;
            Some((host.to_owned(), path.to_owned()))
        };
        parts(&self.0).is_some_and(|own| parts(text) == Some(own))
    }
}

impl std::str::FromStr for RedirectUri {
    type Err = RedirectRefused;

    fn from_str(text: &str) -> Result<Self, RedirectRefused> {
        Self::parse(text)
    }
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_can_be_registered() {
        for good in [
            "https://a.example/",
            "https://a.example:8443/cb?app=1",
            "http://127.0.0.1/cb",
            "http://127.0.0.1:7000/cb",
            "http://[::1]/cb",
            "http://localhost:3000/cb",
            "http://app.localhost:3000/cb",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "a.example/cb",
            "https://a.example",
            "https://*.a.example/cb",
            "https://a.example/cb#x",
            "https://u@a.example/cb",
            "https://a.example\\@evil/cb",
            "https://a.example/c b",
            "javascript:alert(1)",
            "data:text/html,x",
            "com.example.app:/cb",
            "ftp://a.example/cb",
            &format!("https://a.example/{}", "x".repeat(REDIRECT_MAX)),
        ] {
            assert_eq!(RedirectUri::parse(bad), Err(RedirectRefused::NotAnAddress), "{bad}");
        }
        for bad in ["http://a.example/cb", "http://10.0.0.1/cb", "http://127.0.0.1.evil/cb"] {
            assert_eq!(RedirectUri::parse(bad), Err(RedirectRefused::Insecure), "{bad}");
        }
    }

    #[test]
    fn an_address_fits_letter_by_letter_but_for_a_loopback_port() {
        let registered = RedirectUri::parse("https://a.example/cb").unwrap();
        assert!(registered.fits("https://a.example/cb"));
        for other in [
            "https://a.example/cb/",
            "https://a.example/cb?x",
            "https://A.example/cb",
            "https://a.example:443/cb",
            "https://a.example/CB",
            "https://a.example/x/../cb",
            "http://a.example/cb",
            "https://a.example.evil/cb",
        ] {
            assert!(!registered.fits(other), "{other}");
        }
        let native = RedirectUri::parse("http://127.0.0.1/cb").unwrap();
        for same in ["http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "http://127.0.0.1:1/cb"] {
            assert!(native.fits(same), "{same}");
        }
        for other in [
            "http://127.0.0.1:51004/cb2",
            "http://localhost:51004/cb",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.1:@evil/cb",
            "http://127.0.0.1.evil/cb",
            "http://[::1]:5/cb",
        ] {
            assert!(!native.fits(other), "{other}");
        }
        // A name is no address: whoever answers for it may change.
        let named = RedirectUri::parse("http://localhost:3000/cb").unwrap();
        assert!(!named.fits("http://localhost:3001/cb"));
    }
}
