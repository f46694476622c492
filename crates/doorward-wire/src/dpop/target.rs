//! What a proof is for: a method and an address.

/// A request that a proof is shown with.
///
/// ```
/// use doorward_wire::dpop::Target;
///
/// let target = Target { method: "POST", origin: "https://id.example.com", path: "/oauth/token" };
/// assert!(target.is_meant("POST", "HTTPS://ID.example.com:443/oauth/%74oken?x=y#z"));
/// assert!(!target.is_meant("GET", "https://id.example.com/oauth/token"));
/// assert!(!target.is_meant("POST", "http://id.example.com/oauth/token"));
/// assert!(!target.is_meant("POST", "https://id.example.com:8443/oauth/token"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The origin that clients call us by. What the request says of it is not asked.
    pub origin: &'a str,
    /// The path, as it was sent, without the query.
    pub path: &'a str,
}

impl Target<'_> {
    /// Whether a proof's `htm` and `htu` mean this request: letter by letter once both addresses are in one
    /// spelling (RFC 3986, sections 6.2.2 and 6.2.3).
    #[must_use]
    pub fn is_meant(&self, htm: &str, htu: &str) -> bool {
        let (Some((origin, path)), Some((ours, _))) = (split(htu), split(self.origin)) else {
            return false;
        };
        htm == self.method && origin == ours && one_spelling(path) == one_spelling(self.path)
    }
}

/// The origin of an address in one spelling, and its path.
fn split(url: &str) -> Option<(String, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let path = after.split(['?', '#']).next().unwrap_or_default();
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let port = match &*scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
    (!authority.is_empty() && authority.bytes().all(plain))
        .then(|| (format!("{scheme}://{authority}"), path))
}

/// A path in which nothing is encoded that need not be, and the rest in capitals.
fn one_spelling(path: &str) -> Vec<u8> {
    let path = if path.is_empty() { "/" } else { path };
    let mut spelled = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let decoded = match after {
            [high, low, ..] if *byte == b'%' => {
                hex(*high).and_then(|high| Some(high * 16 + hex(*low)?))
            }
            _ => None,
        };
        let Some(decoded) = decoded else {
            spelled.push(*byte);
            rest = after;
            continue;
        };
        rest = &after[2..];
        if decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded) {
            spelled.push(decoded);
        } else {
            spelled.extend(format!("%{decoded:02X}").bytes());
        }
    }
    spelled
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok())
}
