//! The browser or program that opened a session, for its owner to recognise.

/// The most characters of a `User-Agent` that are kept.
pub const USER_AGENT_MAX: usize = 256;

/// The browser or program that opened a session. It is what was said, not what was proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The `User-Agent` as sent, without control characters, cut to [`USER_AGENT_MAX`].
    pub user_agent: String,
    /// In a person's words: "Firefox on Linux".
    pub label: String,
    /// The address it came from.
    pub ip: String,
}

// The order matters: Edge and Opera call themselves Chrome too, and Chrome calls itself Safari.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];

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
        let user_agent = user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX);
        Self::kept(user_agent.collect(), ip)
    }

    /// Describes a device again by what was kept of it: the label follows from the `User-Agent`, and
    /// is not kept.
    #[must_use]
    pub fn kept(user_agent: String, ip: String) -> Self {
        let first = |names: &[(&str, &'static str)]| {
            names.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
        };
        let label = match (first(&BROWSERS), first(&SYSTEMS)) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(name), None) | (None, Some(name)) => name.to_owned(),
            (None, None) => "Unknown device".to_owned(),
        };
        Self { user_agent, label, ip }
    }
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
    fn a_hostile_user_agent_is_cut_and_cleaned() {
        let device = Device::seen(&format!("a\r\nb\0{}", "x".repeat(9999)), String::new());
        assert_eq!(device.user_agent.chars().count(), USER_AGENT_MAX);
        assert!(device.user_agent.starts_with("abx"));
    }
}
