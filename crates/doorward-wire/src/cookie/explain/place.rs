//! Where a request goes: scheme, host, port and path, as a browser would send them.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// How a request travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// Where a request goes. Query and fragment say nothing about cookies and are left out.
///
/// ```
/// use doorward_wire::cookie::explain::Place;
/// let place: Place = "https://ID.example.com:8443/login?next=/".parse().unwrap();
/// assert_eq!(place.to_string(), "https://id.example.com:8443/login");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is not the URL of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceRefused {
    /// It does not begin with `http://` or `https://`.
    #[error("it begins with neither http:// nor https://")]
    Scheme,
    /// A name or a password stands before the host.
    #[error("it carries a user, which browsers take out")]
    User,
    /// The host is neither a name in ASCII nor an address.
    #[error("its host is neither a name in ASCII (write ü as xn--…) nor an address")]
    Host,
    /// The port is not a number up to 65535.
    #[error("its port is not a number up to 65535")]
    Port,
    /// The path is not spelled as a browser sends it.
    #[error("its path is not as a browser sends it (percent-encoded, without . and ..)")]
    Path,
}

impl Place {
    /// How the request travels.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, which cookies ignore (section 8.5).
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, which begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path a cookie gets that names none (section 5.1.4).
    #[must_use]
    pub fn default_path(&self) -> &str {
        match self.path.rfind('/') {
            None | Some(0) => "/",
            Some(last) => &self.path[..last],
        }
    }

    /// Whether the host is an address, which has no parent domains.
    #[must_use]
    pub fn is_address(&self) -> bool {
        self.host.starts_with('[') || self.host.parse::<Ipv4Addr>().is_ok()
    }

    /// Whether the host is this machine, by the names browsers trust to stay on it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let name = self.host.strip_suffix('.').unwrap_or(&self.host);
        let address = self.host.parse::<Ipv4Addr>();
        name == "localhost"
            || name.ends_with(".localhost")
            || address.is_ok_and(|address| address.is_loopback())
            || self.host == "[::1]"
    }

    /// Whether browsers call the connection secure: https, or this machine (section 5.8.3).
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::Https || self.is_local()
    }

    /// Whether the host is `domain` or lies under it (section 5.1.3).
    #[must_use]
    pub fn domain_matches(&self, domain: &str) -> bool {
        let above = self.host.strip_suffix(domain).filter(|_| !self.is_address());
        self.host == domain || above.is_some_and(|rest| rest.ends_with('.'))
    }

    /// Whether the path is `cookie_path` or lies under it (section 5.1.4).
    #[must_use]
    pub fn path_matches(&self, cookie_path: &[u8]) -> bool {
        let Some(rest) = self.path.as_bytes().strip_prefix(cookie_path) else { return false };
        rest.is_empty() || cookie_path.ends_with(b"/") || rest.starts_with(b"/")
    }
}

impl FromStr for Place {
    type Err = PlaceRefused;

    fn from_str(text: &str) -> Result<Self, PlaceRefused> {
        let (scheme, rest) = text.split_once("://").ok_or(PlaceRefused::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(PlaceRefused::Scheme),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(PlaceRefused::User);
        }
        // The last colon belongs to an address in brackets unless a bracket stands before it.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (authority, ""),
        };
        let usual = if scheme == Scheme::Https { 443 } else { 80 };
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = if port.is_empty() { Some(usual) } else { port.parse().ok() };
        let port = port.filter(|_| digits).ok_or(PlaceRefused::Port)?;
        let path = if path.is_empty() { "/" } else { path };
        if !as_sent(path) {
            return Err(PlaceRefused::Path);
        }
        let (host, path) = (read_host(host)?, path.to_owned());
        Ok(Self { scheme, host, port, path })
    }
}

/// The host as browsers write it.
fn read_host(text: &str) -> Result<String, PlaceRefused> {
    let host = text.to_ascii_lowercase();
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| PlaceRefused::Host)?;
        return Ok(format!("[{address}]"));
    }
    let name = host.strip_suffix('.').unwrap_or(&host);
    let labels_good = name.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    });
    // A browser reads a host that ends in a number as an address, or not at all.
    let last = name.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    if !labels_good || numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err(PlaceRefused::Host);
    }
    Ok(host)
}

fn as_sent(path: &str) -> bool {
    let dots = |segment: &str| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    };
    path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && !path.split('/').any(dots)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual) = match self.scheme {
            Scheme::Http => ("http", 80),
            Scheme::Https => ("https", 443),
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}
