//! The cookie of a browser that is on its way to sign in for a site of another domain, and back.
//!
//! It is the site's own: no page of ours reads it. What is in it counts only together with a code, which is
//! bound to its verifier (RFC 7636), and with the `state` that came back beside it.

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use super::{CookieForm, values};

/// How long a browser may be on its way, in seconds.
const MAX_AGE: u64 = 600;

/// What a site remembers of a browser on its way.
#[derive(Debug)]
pub struct Going {
    /// What must come back.
    pub state: String,
    /// What the code is bound to.
    pub verifier: Zeroizing<String>,
    /// The address that the browser wanted.
    pub back: String,
}

impl Going {
    /// The cookie's name.
    #[must_use]
    pub const fn name(form: CookieForm) -> &'static str {
        match form {
            CookieForm::Production => "__Host-Http-doorward-going",
            CookieForm::Development => "doorward-going",
        }
    }

    /// The `Set-Cookie` value that remembers it for ten minutes.
    ///
    /// ```
    /// use doorward_wire::cookie::{CookieForm, Going};
    ///
    /// let (state, back) = ("s".repeat(43), "https://wiki.example/x".to_owned());
    /// let going = Going { state, verifier: "v".repeat(43).into(), back };
    /// let cookie = going.set(CookieForm::Production);
    /// let sent = cookie.split(';').next().unwrap();
    /// let read = Going::read(CookieForm::Production, [sent.as_bytes()]).unwrap();
    /// assert_eq!((read.state, read.back), (going.state, going.back));
    /// ```
    #[must_use]
    pub fn set(&self, form: CookieForm) -> Zeroizing<String> {
        let back = Base64UrlUnpadded::encode_string(self.back.as_bytes());
        let (state, verifier) = (&self.state, self.verifier.as_str());
        let value = Zeroizing::new(format!("{state}.{verifier}.{back}"));
        Zeroizing::new(cookie(form, &value, MAX_AGE))
    }

    /// The `Set-Cookie` value that forgets it.
    #[must_use]
    pub fn clear(form: CookieForm) -> String {
        cookie(form, "", 0)
    }

    /// Reads it from the values of all `Cookie` headers of a request. Two of the name count as none.
    pub fn read<'a>(form: CookieForm, headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let mut ours = values(Self::name(form), headers);
        let value = ours.next().filter(|_| ours.next().is_none())?;
        let mut parts = std::str::from_utf8(value).ok()?.split('.');
        let (state, verifier, back) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || state.len() != 43 {
            return None;
        }
        let back = String::from_utf8(Base64UrlUnpadded::decode_vec(back).ok()?).ok()?;
        Some(Self { state: state.to_owned(), verifier: verifier.to_owned().into(), back })
    }
}

fn cookie(form: CookieForm, value: &str, max_age: u64) -> String {
    let secure = match form {
        CookieForm::Production => " Secure;",
        CookieForm::Development => "",
    };
    let name = Going::name(form);
    format!("{name}={value}; Path=/;{secure} HttpOnly; SameSite=Lax; Max-Age={max_age}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_nothing() {
        let read = |value: &str| {
            Going::read(CookieForm::Development, [format!("doorward-going={value}").as_bytes()])
        };
        let state = "s".repeat(43);
        assert!(read(&format!("{state}.v.aHR0cHM6Ly9h")).is_some());
        for bad in [
            "",
            "a.b.c",
            &format!("{state}.v"),
            &format!("{state}.v.aHR0.x"),
            &format!("{state}.v.!"),
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
        let twice = format!("doorward-going={state}.v.aHR0cHM6Ly9h");
        let headers = [twice.as_bytes(), twice.as_bytes()];
        assert!(Going::read(CookieForm::Development, headers).is_none());
    }
}
