//! The session cookie: one small cookie that carries a secret and nothing else.
//!
//! ```text
//! production:   __Host-Http-doorward=<43>; Path=/; Secure; HttpOnly; SameSite=Lax
//! development:  doorward=<43>; Path=/; HttpOnly; SameSite=Lax
//! ```
//!
//! # What this module answers
//!
//! - *Theft by script*: `HttpOnly`, and the `__Host-Http-` prefix, which a browser gives only to a
//!   cookie that a server set (draft layered-cookies, section 4.1.3).
//! - *Tossing*: a sibling domain cannot set a `__Host-` cookie; and two cookies of our name in one
//!   request are [`Carried::Ambiguous`], never "take the first" (RFC 6265bis, section 5.8.3).
//! - *Prefix spoofing and parser tricks*: names are compared byte for byte, values are 43 characters
//!   of base64url or nothing. No unquoting, no percent-decoding, no trimming beyond RFC 6265.
//! - *Size and number*: one cookie, under 150 bytes with its attributes, that never grows.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::secret::{FreshSecret, PresentedSecret};

pub mod explain;
mod going;
mod pass;

pub use going::Going;
pub use pass::{Pass, PassForm, PassKey, PresentedPass};

/// The longest life a browser gives a cookie: 400 days (RFC 6265bis, section 5.5).
pub const MAX_AGE_MAX: Duration = Duration::from_hours(400 * 24);

/// Where the server is reached, and so what its cookie looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieForm {
    /// Over HTTPS: `__Host-Http-doorward`, `Secure`.
    Production,
    /// Over plain HTTP on localhost: `doorward`, without `Secure`.
    Development,
}

/// What the `Cookie` headers of one request carried under our name.
#[derive(Debug)]
pub enum Carried {
    /// No cookie of our name.
    Nothing,
    /// One cookie of our name whose value cannot be a secret.
    Garbage,
    /// Two cookies of our name: nobody can say which one is the owner's.
    Ambiguous,
    /// One secret. It proves nothing until a session answers to it.
    Secret(PresentedSecret),
}

impl CookieForm {
    /// The cookie's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "__Host-Http-doorward",
            Self::Development => "doorward",
        }
    }

    const fn attributes(self) -> &'static str {
        match self {
            Self::Production => "Path=/; Secure; HttpOnly; SameSite=Lax",
            Self::Development => "Path=/; HttpOnly; SameSite=Lax",
        }
    }

    /// Reads our cookie from the values of all `Cookie` headers of a request.
    ///
    /// ```
    /// use doorward_wire::cookie::{Carried, CookieForm};
    /// let value = "A".repeat(43);
    /// let one = format!("theme=dark; doorward={value}");
    /// assert!(matches!(CookieForm::Development.read([one.as_bytes()]), Carried::Secret(_)));
    /// let two = format!("doorward={value}; doorward={value}");
    /// assert!(matches!(CookieForm::Development.read([two.as_bytes()]), Carried::Ambiguous));
    /// ```
    pub fn read<'a>(self, headers: impl IntoIterator<Item = &'a [u8]>) -> Carried {
        let mut ours = values(self.name(), headers);
        let Some(value) = ours.next() else { return Carried::Nothing };
        if ours.next().is_some() {
            return Carried::Ambiguous;
        }
        let secret = std::str::from_utf8(value).ok().map(PresentedSecret::parse);
        secret.and_then(Result::ok).map_or(Carried::Garbage, Carried::Secret)
    }

    /// The `Set-Cookie` value that gives the browser a secret.
    ///
    /// Without `max_age` the cookie ends with the browser's session. With it, the browser keeps it
    /// that long, capped at [`MAX_AGE_MAX`]; the server's own limits hold either way.
    #[must_use]
    pub fn set(self, secret: &FreshSecret, max_age: Option<Duration>) -> Zeroizing<String> {
        let (name, attributes, value) = (self.name(), self.attributes(), secret.expose());
        let mut text = Zeroizing::new(String::with_capacity(160));
        for part in [name, "=", value.as_str(), "; ", attributes] {
            text.push_str(part);
        }
        if let Some(max_age) = max_age {
            text.push_str("; Max-Age=");
            text.push_str(&max_age.min(MAX_AGE_MAX).as_secs().to_string());
        }
        text
    }

    /// The `Set-Cookie` value that takes the cookie away: the same attributes, and no life.
    #[must_use]
    pub fn clear(self) -> String {
        format!("{}=; {}; Max-Age=0", self.name(), self.attributes())
    }
}

/// The values of every cookie of this name, byte for byte.
pub(crate) fn values<'a>(
    name: &'static str,
    headers: impl IntoIterator<Item = &'a [u8]>,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .into_iter()
        .flat_map(|header| header.split(|byte| *byte == b';'))
        .map(|pair| pair.strip_prefix(b" ").unwrap_or(pair))
        .filter_map(move |pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: CookieForm = CookieForm::Production;

    fn good() -> String {
        FreshSecret::from_random([5; 32]).expose().to_string()
    }

    #[track_caller]
    fn check(header: &[u8], expected: &str) {
        let read = match FORM.read([header]) {
            Carried::Nothing => "nothing",
            Carried::Garbage => "garbage",
            Carried::Ambiguous => "ambiguous",
            Carried::Secret(_) => "secret",
        };
        assert_eq!(read, expected, "{}", String::from_utf8_lossy(header));
    }

    #[test]
    fn one_cookie_among_others_is_read() {
        let good = good();
        check(format!("__Host-Http-doorward={good}").as_bytes(), "secret");
        check(format!("a=b; __Host-Http-doorward={good}; c=d").as_bytes(), "secret");
        check(format!("a=b;__Host-Http-doorward={good}").as_bytes(), "secret");
    }

    #[test]
    fn two_cookies_of_our_name_are_neither() {
        let good = good();
        let header = format!("__Host-Http-doorward={good}; __Host-Http-doorward={good}");
        check(header.as_bytes(), "ambiguous");
        let one = format!("__Host-Http-doorward={good}");
        assert!(matches!(FORM.read([one.as_bytes(), one.as_bytes()]), Carried::Ambiguous));
        check(format!("__Host-Http-doorward=; {one}").as_bytes(), "ambiguous");
    }

    #[test]
    fn names_that_only_look_like_ours_are_not_ours() {
        let good = good();
        for name in [
            "__host-http-doorward",
            "__HOST-Http-doorward",
            "%5F_Host-Http-doorward",
            "=__Host-Http-doorward",
            "\t__Host-Http-doorward",
            "  __Host-Http-doorward",
            "__Host-Http-doorward ",
            "x__Host-Http-doorward",
            "a,__Host-Http-doorward",
            "doorward",
        ] {
            check(format!("x=y; {name}={good}").as_bytes(), "nothing");
        }
    }

    #[test]
    fn values_that_are_not_a_secret_are_garbage() {
        let good = good();
        for value in [
            String::new(),
            format!("\"{good}\""),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}="),
            format!("{good},x"),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{}\u{e9}", &good[..41]),
        ] {
            check(format!("__Host-Http-doorward={value}").as_bytes(), "garbage");
        }
        let mut control = format!("__Host-Http-doorward={good}").into_bytes();
        control[30] = 0;
        check(&control, "garbage");
        control[30] = 0xFF;
        check(&control, "garbage");
    }

    #[test]
    fn the_cookie_has_every_attribute_and_stays_small() {
        let secret = FreshSecret::from_random([5; 32]);
        let set = FORM.set(&secret, None);
        assert_eq!(
            set.as_str(),
            format!("__Host-Http-doorward={}; Path=/; Secure; HttpOnly; SameSite=Lax", good())
        );
        assert!(FORM.name().len() + 1 + good().len() < 100);
        assert!(FORM.clear().ends_with("=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"));
        let long = FORM.set(&secret, Some(MAX_AGE_MAX * 2));
        assert!(long.ends_with("; Max-Age=34560000"), "{}", long.as_str());
        assert!(long.len() < 150);
        assert!(!CookieForm::Development.set(&secret, None).contains("Secure"));
    }
}
