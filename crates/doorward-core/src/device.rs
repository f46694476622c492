//! The browser or program that a session is known by, for its owner to recognise.

/// The most characters of a `User-Agent` that are kept.
pub const USER_AGENT_MAX: usize = 256;

/// The browser or program that opened a session, or in which its owner last proved themselves. It is
/// what was said, not what was proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The `User-Agent` as sent, without control characters, cut to [`USER_AGENT_MAX`].
    pub user_agent: String,
    /// In a person's words: "Firefox on Linux".
    pub label: String,
    /// The address it came from.
    pub ip: String,
}

/// What a request shows of the device behind it, as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// The `User-Agent`; empty when there is none, or none that is text.
    pub user_agent: &'a str,
    /// The address it came from.
    pub ip: &'a str,
}

/// A family of browsers, or of programs that speak HTTP: whatever its version and its system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browser(&'static str);

// The order matters: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari.
const BROWSERS: [(&str, &str); 18] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-requests/", "Python Requests"),
    ("python-httpx/", "Python HTTPX"),
    ("aiohttp/", "Python aiohttp"),
    ("Go-http-client/", "Go"),
    ("okhttp/", "OkHttp"),
    ("undici", "Node.js"),
    ("axios/", "axios"),
    ("Python-urllib/", "Python urllib"),
];

/// What the `fetch` of Node.js calls itself, and nothing else. Too short to be looked for inside.
const NODE: &str = "node";

const SYSTEMS: [(&str, &str); 8] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

impl Device {
    /// Describes a device by what its request said.
    ///
    /// ```
    /// use doorward_core::device::Device;
    /// let text = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    /// assert_eq!(Device::seen(text, "127.0.0.1".into()).label, "Firefox on Linux");
    /// assert_eq!(Device::seen("", "127.0.0.1".into()).label, "Unknown device");
    /// ```
    #[must_use]
    pub fn seen(user_agent: &str, ip: String) -> Self {
        Self::kept(kept(user_agent).collect(), ip)
    }

    /// Describes a device again by what was kept of it: the label follows from the `User-Agent`, and
    /// is not kept.
    #[must_use]
    pub fn kept(user_agent: String, ip: String) -> Self {
        let browser = Browser::of(&user_agent).map(Browser::name);
        let label = match (browser, first(&SYSTEMS, &user_agent)) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(name), None) | (None, Some(name)) => name.to_owned(),
            (None, None) => "Unknown device".to_owned(),
        };
        Self { user_agent, label, ip }
    }

    /// The family that its browser says it is of.
    #[must_use]
    pub fn browser(&self) -> Option<Browser> {
        Browser::of(&self.user_agent)
    }
}

impl Sighting<'_> {
    /// The device that shows itself so.
    #[must_use]
    pub fn device(&self) -> Device {
        Device::seen(self.user_agent, self.ip.to_owned())
    }

    /// The family that its browser says it is of, by as much of its words as would be kept.
    #[must_use]
    pub fn browser(&self) -> Option<Browser> {
        Browser::of(&kept(self.user_agent).collect::<String>())
    }
}

impl Browser {
    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    fn of(user_agent: &str) -> Option<Self> {
        if user_agent == NODE {
            return Some(Self("Node.js"));
        }
        first(&BROWSERS, user_agent).map(Self)
    }
}

/// As much of a `User-Agent` as is kept.
fn kept(user_agent: &str) -> impl Iterator<Item = char> {
    user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX)
}

fn first(names: &[(&str, &'static str)], user_agent: &str) -> Option<&'static str> {
    names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_that_call_themselves_chrome_are_told_apart() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
        let label = |text: &str| Device::seen(text, String::new()).label;
        assert_eq!(label(chrome), "Chrome on Windows");
        assert_eq!(label(&format!("{chrome} Edg/156.0")), "Edge on Windows");
        assert_eq!(label("curl/8.5.0"), "curl");
    }

    #[test]
    fn programs_are_told_apart_by_the_library_they_name() {
        let name = |user_agent| {
            let sighting = Sighting { user_agent, ip: "192.0.2.1" };
            assert_eq!(sighting.browser(), sighting.device().browser(), "{user_agent}");
            sighting.browser().map(Browser::name)
        };
        for (user_agent, expected) in [
            ("python-requests/2.32.3", "Python Requests"),
            ("python-httpx/0.28.1", "Python HTTPX"),
            ("Python/3.12 aiohttp/3.11.2", "Python aiohttp"),
            ("Python-urllib/3.12", "Python urllib"),
            ("Go-http-client/1.1", "Go"),
            ("okhttp/4.12.0", "OkHttp"),
            ("node", "Node.js"),
            ("undici", "Node.js"),
            ("axios/1.7.9", "axios"),
            ("Wget/1.24.5", "Wget"),
        ] {
            assert_eq!(name(user_agent), Some(expected));
        }
        for unknown in ["", "Mozilla/5.0", "some node", "nodejs", "CURL"] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_hostile_user_agent_is_cut_and_cleaned() {
        let device = Device::seen(&format!("a\r\nb\0{}", "x".repeat(9999)), String::new());
        assert_eq!(device.user_agent.chars().count(), USER_AGENT_MAX);
        assert!(device.user_agent.starts_with("abx"));
    }
}
