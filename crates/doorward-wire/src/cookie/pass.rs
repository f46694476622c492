//! Passes: the small cookie that opens a protected site, and nothing of ours.
//!
//! ```text
//! one site:     __Host-Http-doorward-site=<75>; Path=/; Secure; HttpOnly; SameSite=Lax
//! a domain:     __Http-doorward-site=<75>; Domain=example.com; Path=/; Secure; HttpOnly; SameSite=Lax
//! development:  doorward-site=<75>; Path=/; HttpOnly; SameSite=Lax
//! ```
//!
//! # What this module answers
//!
//! - *An app that keeps the cookies it is sent*: what an app behind a proxy sees is no session cookie. It
//!   opens the sites it was made for, and cannot read an account, change a password or end a session.
//! - *A pass of another site*: where it counts is under the MAC.
//! - *A pass that outlives its session*: it names the session, which is asked each time, and the proof
//!   it was made after: with a new proof of its owner the older passes are over.
//! - *Memory*: nothing is kept of a pass.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

use super::{MAX_AGE_MAX, values};
use crate::id::SessionId;
use crate::time::UnixTime;

const SID_BYTES: usize = 16;
const STAMPED_BYTES: usize = SID_BYTES + 8;
const PASS_BYTES: usize = STAMPED_BYTES + 32;

/// The key under which passes are made. Every node of a server has the same.
pub struct PassKey(hmac::Key);

/// What a pass says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The session that it hangs from.
    pub sid: SessionId,
    /// When that session's owner had proved themselves.
    pub proved_at: UnixTime,
}

/// Where a pass counts, and so what its cookie looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassForm<'a> {
    /// For one site, over HTTPS: its origin.
    Site(&'a str),
    /// For a domain and all below it, over HTTPS.
    Domain(&'a str),
    /// For one site over plain HTTP on this machine: its origin.
    Development(&'a str),
}

/// The value of a pass as it was sent. It proves nothing until [`PassKey::read`].
pub struct PresentedPass(Zeroizing<String>);

impl PassKey {
    /// Makes the key from a secret that only this server's nodes have.
    #[must_use]
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// What a pass says, if we made it and for here.
    ///
    /// ```
    /// use doorward_wire::cookie::{Pass, PassForm, PassKey, PresentedPass};
    /// use doorward_wire::{SessionId, UnixTime};
    ///
    /// let key = PassKey::from_secret(&[7; 32]);
    /// let pass = Pass { sid: SessionId(1), proved_at: UnixTime(1_700_000_000) };
    /// let wiki = PassForm::Site("https://wiki.example.com");
    /// let cookie = wiki.set(&key, pass, None);
    /// let sent = cookie.split(';').next().unwrap();
    /// let shown = PresentedPass::read(wiki, [sent.as_bytes()]).unwrap();
    /// assert_eq!(key.read(wiki, &shown), Some(pass));
    /// assert_eq!(key.read(PassForm::Site("https://blog.example.com"), &shown), None);
    /// ```
    #[must_use]
    pub fn read(&self, form: PassForm<'_>, shown: &PresentedPass) -> Option<Pass> {
        let mut bytes = [0; PASS_BYTES];
        let decoded = Base64UrlUnpadded::decode(&*shown.0, &mut bytes).ok()?;
        if decoded.len() != PASS_BYTES {
            return None;
        }
        let (stamped, mac) = bytes.split_at(STAMPED_BYTES);
        hmac::verify(&self.0, &message(form, stamped), mac).ok()?;
        let (sid, proved_at) = stamped.split_at(SID_BYTES);
        Some(Pass {
            sid: SessionId(u128::from_be_bytes(sid.try_into().ok()?)),
            proved_at: UnixTime(u64::from_be_bytes(proved_at.try_into().ok()?)),
        })
    }

    fn value(&self, form: PassForm<'_>, pass: Pass) -> Zeroizing<String> {
        let mut bytes = [0; PASS_BYTES];
        let (stamped, mac) = bytes.split_at_mut(STAMPED_BYTES);
        stamped[..SID_BYTES].copy_from_slice(&pass.sid.0.to_be_bytes());
        stamped[SID_BYTES..].copy_from_slice(&pass.proved_at.0.to_be_bytes());
        mac.copy_from_slice(hmac::sign(&self.0, &message(form, stamped)).as_ref());
        Zeroizing::new(Base64UrlUnpadded::encode_string(&bytes))
    }
}

/// What is under the MAC. All but the last part have one length, so that no two messages are alike.
fn message(form: PassForm<'_>, stamped: &[u8]) -> Vec<u8> {
    let (kind, place) = match form {
        PassForm::Site(origin) | PassForm::Development(origin) => (b's', origin),
        PassForm::Domain(domain) => (b'd', domain),
    };
    [&[kind][..], stamped, place.as_bytes()].concat()
}

impl PassForm<'_> {
    /// The cookie's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Site(_) => "__Host-Http-doorward-site",
            Self::Domain(_) => "__Http-doorward-site",
            Self::Development(_) => "doorward-site",
        }
    }

    fn attributes(self) -> String {
        match self {
            Self::Site(_) => "Path=/; Secure; HttpOnly; SameSite=Lax".to_owned(),
            Self::Domain(domain) => {
                format!("Domain={domain}; Path=/; Secure; HttpOnly; SameSite=Lax")
            }
            Self::Development(_) => "Path=/; HttpOnly; SameSite=Lax".to_owned(),
        }
    }

    /// The `Set-Cookie` value that gives the browser a pass, for as long as its session may last or for
    /// its own session.
    #[must_use]
    pub fn set(self, key: &PassKey, pass: Pass, max_age: Option<Duration>) -> Zeroizing<String> {
        let value = key.value(self, pass);
        let mut text = Zeroizing::new(String::with_capacity(256));
        for part in [self.name(), "=", value.as_str(), "; ", &self.attributes()] {
            text.push_str(part);
        }
        if let Some(max_age) = max_age {
            text.push_str("; Max-Age=");
            text.push_str(&max_age.min(MAX_AGE_MAX).as_secs().to_string());
        }
        text
    }

    /// The `Set-Cookie` value that takes the pass away.
    #[must_use]
    pub fn clear(self) -> String {
        format!("{}=; {}; Max-Age=0", self.name(), self.attributes())
    }
}

impl PresentedPass {
    /// Reads the pass from the values of all `Cookie` headers of a request. Two of the name count as
    /// none: nobody can say which one is the owner's.
    pub fn read<'a>(
        form: PassForm<'_>,
        headers: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Self> {
        let mut ours = values(form.name(), headers);
        let value = ours.next().filter(|_| ours.next().is_none())?;
        let text = std::str::from_utf8(value).ok()?;
        Some(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for PassKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassKey(…)")
    }
}

// It opens a site for as long as its session lasts.
impl fmt::Debug for PresentedPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PresentedPass(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: Pass = Pass { sid: SessionId(77), proved_at: UnixTime(1_700_000_000) };

    fn key() -> PassKey {
        PassKey::from_secret(&[1; 32])
    }

    fn shown(form: PassForm<'_>, value: &str) -> PresentedPass {
        PresentedPass::read(form, [format!("{}={value}", form.name()).as_bytes()]).unwrap()
    }

    #[test]
    fn a_pass_is_good_where_it_was_made_for_alone() {
        let site = PassForm::Site("https://example.com");
        let value = key().value(site, PASS);
        assert_eq!(key().read(site, &shown(site, &value)), Some(PASS));
        for other in [
            PassForm::Site("https://wiki.example.com"),
            PassForm::Domain("https://example.com"),
            PassForm::Domain("example.com"),
        ] {
            assert_eq!(key().read(other, &shown(other, &value)), None, "{other:?}");
        }
        assert_eq!(PassKey::from_secret(&[2; 32]).read(site, &shown(site, &value)), None);
    }

    #[test]
    fn a_pass_with_any_other_letter_is_none() {
        let site = PassForm::Site("https://example.com");
        let value = key().value(site, PASS).to_string();
        assert_eq!(value.len(), 75);
        for at in 0..value.len() {
            let other = if value.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut changed = value.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(key().read(site, &shown(site, &changed)), None, "letter {at}");
        }
        for wrong in ["", &value[1..], &format!("{value}A"), &format!("{value}=")] {
            assert_eq!(key().read(site, &shown(site, wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn two_passes_are_none() {
        let site = PassForm::Site("https://example.com");
        let one = format!("{}={}", site.name(), *key().value(site, PASS));
        assert!(PresentedPass::read(site, [one.as_bytes()]).is_some());
        assert!(PresentedPass::read(site, [one.as_bytes(), one.as_bytes()]).is_none());
        assert!(PresentedPass::read(site, [format!("{one}; {one}").as_bytes()]).is_none());
    }

    #[test]
    fn the_cookie_has_every_attribute() {
        let set = PassForm::Domain("example.com").set(&key(), PASS, None);
        assert!(set.ends_with("; Domain=example.com; Path=/; Secure; HttpOnly; SameSite=Lax"));
        let set = PassForm::Site("https://a.example").set(&key(), PASS, Some(MAX_AGE_MAX * 2));
        assert!(set.starts_with("__Host-Http-doorward-site="), "{}", set.as_str());
        assert!(!set.contains("Domain") && set.ends_with("; Max-Age=34560000"));
        assert!(set.len() < 200);
        let clear = PassForm::Domain("example.com").clear();
        assert!(clear.contains("Domain=example.com") && clear.ends_with("; Max-Age=0"));
    }

    #[test]
    fn neither_key_nor_pass_is_ever_told() {
        let site = PassForm::Site("https://a.example");
        let value = key().value(site, PASS);
        let told = format!("{:?} {:?}", key(), shown(site, &value));
        assert_eq!(told, "PassKey(…) PresentedPass(…)");
    }
}
