//! Where a site is reached.

use std::fmt;

/// An origin in the one spelling that a browser has for it (RFC 6454, section 6.2):
/// `https://wiki.example.com`, `http://localhost:8080`.
///
/// ```
/// use doorward_core::site::Origin;
///
/// let origin = Origin::of("https", "Wiki.Example.com:443").unwrap();
/// assert_eq!(origin.as_str(), "https://wiki.example.com");
/// assert!(Origin::of("ftp", "example.com").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// One origin, or all below a domain: `https://*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: Scheme,
    /// The host and port, or what they end with.
    rest: String,
    is_below: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// Why a text is no origin of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginRefusal {
    /// It is not a scheme, a host and perhaps a port.
    #[error("an origin is a scheme, a host and perhaps a port, as in https://app.example.com")]
    Malformed,
    /// It would be reached over plain HTTP, where anybody reads along.
    #[error("only this machine's own names are served over plain HTTP: use https://")]
    Plain,
    /// It is there already.
    #[error("it is there twice")]
    Twice,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.name() == text)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn port(self) -> &'static str {
        match self {
            Self::Http => ":80",
            Self::Https => ":443",
        }
    }
}

impl Origin {
    /// Puts an origin together from a scheme and the value of a `Host` header.
    pub fn of(scheme: &str, host: &str) -> Result<Self, OriginRefusal> {
        let scheme = Scheme::parse(scheme).ok_or(OriginRefusal::Malformed)?;
        Ok(Self(format!("{}://{}", scheme.name(), authority(scheme, host)?)))
    }

    /// Splits an address into its origin and what comes after it: a path with a query, or nothing.
    pub fn split(url: &str) -> Result<(Self, &str), OriginRefusal> {
        let (scheme, rest) = url.split_once("://").ok_or(OriginRefusal::Malformed)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (host, after) = rest.split_at(end);
        Ok((Self::of(scheme, host)?, after))
    }

    /// The origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its host, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        name(rest)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl OriginPattern {
    /// Reads a site's origin. Plain HTTP is for names of this machine alone.
    ///
    /// ```
    /// use doorward_core::site::{Origin, OriginPattern};
    ///
    /// let pattern = OriginPattern::parse("https://*.example.com").unwrap();
    /// assert!(pattern.fits(&Origin::of("https", "a.example.com").unwrap()));
    /// assert!(!pattern.fits(&Origin::of("https", "example.com").unwrap()));
    /// assert!(!pattern.fits(&Origin::of("https", "evilexample.com").unwrap()));
    /// assert!(OriginPattern::parse("http://example.com").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, OriginRefusal> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginRefusal::Malformed)?;
        let scheme = Scheme::parse(scheme).ok_or(OriginRefusal::Malformed)?;
        let below = rest.strip_prefix("*.");
        let rest = authority(scheme, below.unwrap_or(rest))?;
        // A whole top-level domain, or every address, is nobody's.
        if below.is_some() && !name(&rest).contains('.') && name(&rest) != "localhost" {
            return Err(OriginRefusal::Malformed);
        }
        if scheme == Scheme::Http && !is_of_this_machine(name(&rest)) {
            return Err(OriginRefusal::Plain);
        }
        Ok(Self { scheme, rest, is_below: below.is_some() })
    }

    /// Whether an origin is this one, or one of these.
    #[must_use]
    pub fn fits(&self, origin: &Origin) -> bool {
        let Some((scheme, rest)) = origin.as_str().split_once("://") else { return false };
        if scheme != self.scheme.name() {
            return false;
        }
        if !self.is_below {
            return rest == self.rest;
        }
        rest.strip_suffix(&*self.rest)
            .and_then(|below| below.strip_suffix('.'))
            .is_some_and(|below| !below.is_empty())
    }

    /// How precisely it says which: the more the better.
    pub(super) fn precision(&self) -> (bool, usize) {
        (!self.is_below, self.rest.len())
    }

    /// The host that it is, or is below.
    #[must_use]
    pub fn host(&self) -> &str {
        name(&self.rest)
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.is_below { "*." } else { "" };
        write!(f, "{}://{below}{}", self.scheme.name(), self.rest)
    }
}

/// A host and port in their one spelling.
fn authority(scheme: Scheme, text: &str) -> Result<String, OriginRefusal> {
    let text = text.to_ascii_lowercase();
    let text = text.strip_suffix(scheme.port()).unwrap_or(&text);
    let host = name(text);
    let port = text[host.len()..].strip_prefix(':');
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|it| it > 0) && !port.starts_with('0');
    let is_name = |host: &str| {
        !host.is_empty()
            && host.len() <= 253
            && host.split('.').all(|label| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
            })
    };
    let is_address = |host: &str| {
        let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inside.is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok())
    };
    if !port.is_none_or(is_port) || !(is_name(host) || is_address(host)) {
        return Err(OriginRefusal::Malformed);
    }
    Ok(text.to_owned())
}

/// The host of a host and port.
fn name(authority: &str) -> &str {
    let end = match authority.strip_prefix('[').and_then(|rest| rest.find(']')) {
        Some(end) => end + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    &authority[..end]
}

/// Whether a name is one that only this machine has.
fn is_of_this_machine(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
}
