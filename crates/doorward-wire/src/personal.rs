//! Personal access tokens, as text.
//!
//! ```text
//!   dwp_ 8uQ…43 characters…Zk  3f-Qx0
//!   └┬─┘ └──────────┬────────┘ └──┬─┘
//!   for scanners   256 random bits   a checksum, so that a mistyped one is told from a wrong one
//! ```

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::secret::{FreshSecret, PresentedSecret, SecretDigest};

/// What every personal access token begins with.
pub const PREFIX: &str = "dwp_";

/// The characters of the checksum.
const CHECKSUM: usize = 6;

/// The text of a token, once.
///
/// ```
/// use doorward_wire::personal::{read, write};
/// use doorward_wire::FreshSecret;
///
/// let secret = FreshSecret::from_random([7; 32]);
/// let text = write(&secret);
/// assert_eq!(text.len(), 4 + 43 + 6);
/// assert_eq!(read(&text), Some(secret.digest()));
/// assert_eq!(read(&text.replace("dwp_B", "dwp_C")), None);
/// ```
#[must_use]
pub fn write(secret: &FreshSecret) -> Zeroizing<String> {
    let body = secret.expose();
    let mut text = Zeroizing::new(String::with_capacity(64));
    text.push_str(PREFIX);
    text.push_str(&body);
    let sum = checksum(&text);
    text.push_str(&sum);
    text
}

/// What the store would keep of a token, if the text can be one.
#[must_use]
pub fn read(text: &str) -> Option<SecretDigest> {
    let (begin, sum) = text.split_at_checked(text.len().checked_sub(CHECKSUM)?)?;
    let secret = PresentedSecret::parse(begin.strip_prefix(PREFIX)?).ok()?;
    (checksum(begin) == sum).then(|| secret.digest())
}

/// It keeps nobody out: it only says that a text was mistyped, or found by a scanner that guesses.
fn checksum(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digest = Sha256::digest(text);
    digest.iter().take(CHECKSUM).map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_mistyped_or_of_another_kind_is_none() {
        let text = write(&FreshSecret::from_random([9; 32])).to_string();
        assert!(read(&text).is_some());
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
            let mut changed = text.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(read(&changed), None, "character {at}");
        }
        let body = FreshSecret::from_random([9; 32]).expose().to_string();
        for wrong in
            ["", "dwp_", "é", &body, &format!("dwr_{body}"), &format!("{text} "), &text[1..]]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
