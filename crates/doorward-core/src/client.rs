//! A client: a service that speaks for itself, or asks about the tokens that people bring it.
//!
//! ```text
//!   id + secret ──▶ a token of its own          (RFC 6749, section 4.4)
//!               └─▶ "does this token count?"    (RFC 7662), for the audiences it serves
//! ```
//!
//! # What this module answers
//!
//! - *A client that asks about tokens of other services* (RFC 7662, section 4): it is told of those
//!   for the audiences it serves, and nothing of any other.
//! - *A secret that was told to somebody*: it can be changed, and with it everything that was issued
//!   before.

use doorward_wire::{ClientId, SecretDigest, UnixTime};

use crate::redirect::RedirectUri;

pub use crate::label::{Label as ClientName, LabelRefused as NameRefused};

/// What every client's secret begins with, so that scanners find a leaked one.
pub const PREFIX: &str = "dwc_";

/// The client that we are ourselves, for sites behind a proxy in other domains: it is in no store, has no
/// secret, and its codes give passes and no tokens.
pub const SITES: ClientId = ClientId(0);

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id, for ever.
    pub id: ClientId,
    /// What people call it.
    pub name: ClientName,
    /// What its own tokens may allow at our API.
    pub scopes: Vec<String>,
    /// The audiences it serves: about tokens for these it may ask.
    pub serves: Vec<String>,
    /// Where it wants people back who have signed in for it. Without one it is a client of no people.
    pub redirects: Vec<RedirectUri>,
    /// The audience of its people's tokens. Empty means our own API.
    pub audience: String,
    /// Whether it can keep no secret: an app in a browser, or on somebody's own machine (RFC 6749, section
    /// 2.1). It shows none, and is known by its addresses and by PKCE alone.
    pub is_public: bool,
    /// When it was made.
    pub created_at: UnixTime,
    /// The digest of its secret. The secret has 256 random bits, so it needs no slow hash.
    pub secret: SecretDigest,
    /// Its tokens from before this time count no longer.
    pub tokens_from: UnixTime,
}

/// A client asked for a scope that it may not have (RFC 6749, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client may not have that scope")]
pub struct ScopeRefused;

impl Client {
    /// Decides what a token of the client itself allows. Without a wish it is all that it may have.
    ///
    /// ```
    /// # use doorward_core::client::{Client, ClientName, ScopeRefused};
    /// # use doorward_wire::{ClientId, FreshSecret, UnixTime};
    /// # let client = Client {
    /// #     id: ClientId(1), name: ClientName::parse("shop").unwrap(),
    /// #     scopes: vec!["doorward.revocations".into()], serves: vec![], created_at: UnixTime(0),
    /// #     redirects: vec![], audience: String::new(), is_public: false,
    /// #     secret: FreshSecret::from_random([1; 32]).digest(), tokens_from: UnixTime(0),
    /// # };
    /// assert_eq!(client.grant(None), Ok("doorward.revocations".into()));
    /// assert_eq!(client.grant(Some("doorward.admin")), Err(ScopeRefused));
    /// ```
    pub fn grant(&self, asked: Option<&str>) -> Result<String, ScopeRefused> {
        let Some(asked) = asked else { return Ok(self.scopes.join(" ")) };
        let mut granted: Vec<&str> = Vec::new();
        for name in asked.split(' ').filter(|name| !name.is_empty()) {
            if !self.scopes.iter().any(|scope| scope == name) {
                return Err(ScopeRefused);
            }
            if !granted.contains(&name) {
                granted.push(name);
            }
        }
        Ok(granted.join(" "))
    }

    /// The address that people are to be sent back to, if it is one of its own. Without a wish it is its
    /// only one (RFC 6749, section 3.1.2.3).
    #[must_use]
    pub fn redirect<'a>(&'a self, asked: Option<&'a str>) -> Option<&'a str> {
        match (asked, &*self.redirects) {
            (Some(asked), all) => all.iter().any(|own| own.fits(asked)).then_some(asked),
            (None, [only]) => Some(only.as_str()),
            (None, _) => None,
        }
    }

    /// Whether a token of its own that was issued then still counts.
    #[must_use]
    pub fn accepts_token_of(&self, iat: UnixTime) -> bool {
        iat >= self.tokens_from
    }

    /// From when on its tokens count, if everything from before `now` is to end: the next second, since
    /// a token knows no smaller time.
    #[must_use]
    pub fn revoked_at(now: UnixTime) -> UnixTime {
        UnixTime(now.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use doorward_wire::FreshSecret;

    use super::*;

    fn client() -> Client {
        Client {
            id: ClientId(1),
            name: ClientName::parse("shop").unwrap(),
            scopes: vec!["a".into(), "b".into()],
            serves: vec![],
            redirects: vec![RedirectUri::parse("https://shop.example/cb").unwrap()],
            audience: String::new(),
            is_public: false,
            created_at: UnixTime(0),
            secret: FreshSecret::from_random([1; 32]).digest(),
            tokens_from: UnixTime(100),
        }
    }

    #[test]
    fn a_name_is_one_line_that_is_not_empty() {
        for good in ["a", " shop ", &"x".repeat(64), "Ünïcode"] {
            assert_eq!(ClientName::parse(good).unwrap().as_str(), good.trim());
        }
        for bad in ["", "  ", &"x".repeat(65), "a\nb", "a\u{7f}"] {
            assert_eq!(ClientName::parse(bad), Err(NameRefused), "{bad:?}");
        }
    }

    #[test]
    fn a_scope_is_never_widened() {
        let client = client();
        for (asked, granted) in [
            (None, Ok("a b")),
            (Some(""), Ok("")),
            (Some("b"), Ok("b")),
            (Some("b  b a"), Ok("b a")),
            (Some("a c"), Err(ScopeRefused)),
            (Some("A"), Err(ScopeRefused)),
        ] {
            assert_eq!(client.grant(asked), granted.map(str::to_owned), "{asked:?}");
        }
    }

    #[test]
    fn people_are_sent_back_to_an_address_of_the_clients_own() {
        let mut client = client();
        let own = "https://shop.example/cb";
        assert_eq!(client.redirect(None), Some(own));
        assert_eq!(client.redirect(Some(own)), Some(own));
        assert_eq!(client.redirect(Some("https://evil.example/cb")), None);
        client.redirects.push(RedirectUri::parse("https://shop.example/other").unwrap());
        assert_eq!(client.redirect(None), None, "which of them");
        assert_eq!(client.redirect(Some(own)), Some(own));
        client.redirects.clear();
        assert_eq!((client.redirect(None), client.redirect(Some(own))), (None, None));
    }

    #[test]
    fn tokens_from_before_count_no_longer() {
        let client = client();
        assert!(!client.accepts_token_of(UnixTime(99)) && client.accepts_token_of(UnixTime(100)));
        assert_eq!(Client::revoked_at(UnixTime(5)), UnixTime(6));
    }
}
