//! Parts of a site, by their paths.

/// A part of a site: a path, and everything below it.
///
/// ```
/// use doorward_core::site::PathPattern;
/// assert!(PathPattern::parse("/admin").is_ok());
/// assert!(PathPattern::parse("admin").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(String);

/// Why a text is no path of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a path begins with / and is written plainly, as in /admin, which is everything below it too"
)]
pub struct PathRefusal;

/// Whether a path lies in a part of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    Exactly,
    /// If capitals do not matter.
    ButForCase,
    Not,
}

impl PathPattern {
    /// Reads the path of a rule. `/` is everything.
    pub fn parse(text: &str) -> Result<Self, PathRefusal> {
        // What it says must be what is compared.
        if is_doubtful(text) || text.contains(['*', '?', '#']) {
            return Err(PathRefusal);
        }
        Ok(Self(text.strip_suffix('/').unwrap_or(text).to_owned()))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    pub(super) fn fit(&self, path: &str) -> Fit {
        let Some((head, rest)) = path.split_at_checked(self.0.len()) else { return Fit::Not };
        if !(rest.is_empty() || rest.starts_with('/')) {
            return Fit::Not;
        }
        match head {
            head if head == self.0 => Fit::Exactly,
            head if head.eq_ignore_ascii_case(&self.0) => Fit::ButForCase,
            _ => Fit::Not,
        }
    }
}

/// Whether two programs may read this path in two ways: it has a part that some of them decode, drop,
/// resolve or cut off.
pub(super) fn is_doubtful(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"%\\;".contains(&byte);
    let Some(below) = path.strip_prefix('/') else { return true };
    let mut parts = below.split('/').peekable();
    while let Some(part) = parts.next() {
        // Nothing between two slashes; at the very end it is a folder's own name.
        let is_empty = part.is_empty() && parts.peek().is_some();
        if is_empty || matches!(part, "." | "..") || !is_plain(part, plain) {
            return true;
        }
    }
    false
}

/// Whether each byte means itself. What is encoded because it cannot be written otherwise does.
fn is_plain(part: &str, plain: impl Fn(u8) -> bool) -> bool {
    let mut bytes = part.bytes();
    let mut encoded = Vec::new();
    while let Some(byte) = bytes.next() {
        if plain(byte) {
            encoded.push(byte);
            continue;
        }
        let digits = (byte == b'%').then(|| [bytes.next(), bytes.next()]);
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let Some([Some(high), Some(low)]) = digits else { return false };
        let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
        let decoded = high * 16 + low;
        // Letters of other scripts, and a space. Whatever else is encoded could have been written.
        if decoded < 0x80 && decoded != b' ' {
            return false;
        }
        encoded.push(decoded);
    }
    // Some read an overlong spelling of a slash as a slash.
    std::str::from_utf8(&encoded).is_ok()
}
