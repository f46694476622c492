//! Sealing: how a secret that must be read again rests in a store.
//!
//! Signing keys cannot be kept as digests. They are sealed with AES-256-GCM under a master key that
//! lives outside the database, so a copy of the database alone signs nothing. The purpose is bound
//! in as associated data: a sealed thing cannot be moved to another row and opened there.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroizing;

/// The key that seals what a store must be able to give back, and the root of what is derived.
pub struct MasterKey {
    sealing: LessSafeKey,
    root: Zeroizing<[u8; 32]>,
}

/// The sealed thing could not be opened: another master key, another purpose, or changed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sealed with another key, or changed since")]
pub struct CannotOpen;

/// The text was not 32 bytes in base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64url: 43 characters")]
pub struct MalformedMasterKey;

impl MasterKey {
    /// Reads a master key from its text: 43 characters of base64url.
    pub fn parse(text: &str) -> Result<Self, MalformedMasterKey> {
        let mut bytes = Zeroizing::new([0; 32]);
        match Base64UrlUnpadded::decode(text, &mut bytes[..]) {
            Ok(decoded) if decoded.len() == 32 => Self::from_bytes(&bytes),
            _ => Err(MalformedMasterKey),
        }
    }

    /// Makes a master key from bytes that nobody else knows.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, MalformedMasterKey> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| MalformedMasterKey)?;
        Ok(Self { sealing: LessSafeKey::new(key), root: Zeroizing::new(*bytes) })
    }

    /// A secret of its own for one `purpose`: the same on every node that has this master key, and
    /// after every restart.
    ///
    /// ```
    /// use doorward_wire::seal::MasterKey;
    /// let master = MasterKey::from_bytes(&[1; 32]).unwrap();
    /// assert_eq!(*master.derive("a"), *MasterKey::from_bytes(&[1; 32]).unwrap().derive("a"));
    /// assert_ne!(*master.derive("a"), *master.derive("b"));
    /// ```
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derive(&self.root[..], purpose, "")
    }

    /// Seals `secret` for `purpose`. The nonce must never have been used before: draw it.
    ///
    /// # Panics
    ///
    /// With a secret of 64 GiB or more.
    ///
    /// ```
    /// use doorward_wire::seal::MasterKey;
    /// let master = MasterKey::from_bytes(&[1; 32]).unwrap();
    /// let sealed = master.seal("key_1", b"private", [2; 12]);
    /// assert_eq!(master.open("key_1", &sealed).unwrap().as_slice(), b"private");
    /// assert!(master.open("key_2", &sealed).is_err());
    /// ```
    #[must_use]
    pub fn seal(&self, purpose: &str, secret: &[u8], nonce: [u8; NONCE_LEN]) -> Vec<u8> {
        let mut sealed = secret.to_vec();
        let tag = self
            .sealing
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut sealed,
            )
            .expect("AES-GCM refuses only inputs of 64 GiB and more");
        let mut out = nonce.to_vec();
        out.append(&mut sealed);
        out.extend_from_slice(tag.as_ref());
        out
    }

    /// Opens what [`seal`](Self::seal) made for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CannotOpen> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(CannotOpen)?;
        let mut opened = Zeroizing::new(rest.to_vec());
        let length = self
            .sealing
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(purpose.as_bytes()),
                &mut opened,
            )
            .map_err(|_| CannotOpen)?
            .len();
        opened.truncate(length);
        Ok(opened)
    }
}

/// Derives a secret of its own for each `context` from one root, for one `purpose`.
///
/// Whoever learns one of them learns neither the root nor the others: HMAC-SHA256 is a
/// pseudorandom function, and the two parts cannot run into each other.
///
/// ```
/// use doorward_wire::seal::derive;
/// assert_ne!(*derive(&[7; 32], "hs256", "a"), *derive(&[7; 32], "hs256", "b"));
/// ```
#[must_use]
pub fn derive(root: &[u8], purpose: &str, context: &str) -> Zeroizing<[u8; 32]> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, root);
    let mut message = hmac::Context::with_key(&key);
    message.update(&(purpose.len() as u64).to_be_bytes());
    message.update(purpose.as_bytes());
    message.update(context.as_bytes());
    let mut secret = Zeroizing::new([0; 32]);
    secret.copy_from_slice(message.sign().as_ref());
    secret
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_or_another_key_opens_nothing() {
        let master = MasterKey::from_bytes(&[1; 32]).unwrap();
        let sealed = master.seal("p", b"secret", [2; 12]);
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(master.open("p", &changed).err(), Some(CannotOpen));
        }
        let other = MasterKey::from_bytes(&[3; 32]).unwrap();
        assert_eq!(other.open("p", &sealed).err(), Some(CannotOpen));
        assert_eq!(master.open("p", &sealed[..11]).err(), Some(CannotOpen));
    }

    #[test]
    fn the_sealed_form_does_not_show_the_secret() {
        let master = MasterKey::from_bytes(&[1; 32]).unwrap();
        let sealed = master.seal("p", b"the secret itself", [2; 12]);
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
    }
}
