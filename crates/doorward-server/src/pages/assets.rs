//! Assets: the files our pages ask for, compiled in, each under a name that changes with it.
//!
//! An asset's path carries a digest of its bytes, so a browser may keep it for ever and still sees
//! a new version at once. A path with an old digest (a page from before an upgrade, or from
//! another node) gets today's bytes, not to be kept.
//!
//! # What is not here
//!
//! No HTTP types: the route turns an [`Asset`] into an answer.

use std::fmt;

/// Whoever has this exact path has these exact bytes, for ever.
const KEEP: &str = "public, max-age=31536000, immutable";
/// The path is from another version: use the bytes now, ask again next time.
const ASK_AGAIN: &str = "no-cache";

/// The one stylesheet.
pub static STYLE: Asset =
    Asset::new("style.css", "text/css; charset=utf-8", include_bytes!("../../assets/style.css"));
/// Show-password buttons and the Caps Lock hint.
pub static FORM: Asset =
    Asset::new("form.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/form.js"));
/// Moves the setup code from the link's fragment into the form.
pub static SETUP: Asset = Asset::new(
    "setup.js",
    "text/javascript; charset=utf-8",
    include_bytes!("../../assets/setup.js"),
);
/// The mark, as the page's icon.
pub static DOOR: Asset =
    Asset::new("door.svg", "image/svg+xml", include_bytes!("../../assets/door.svg"));

static ALL: [&Asset; 4] = [&STYLE, &FORM, &SETUP, &DOOR];

/// An embedded file. Shown (`Display`), it is its own path: `/assets/0123456789abcdef/style.css`.
#[derive(Debug)]
pub struct Asset {
    /// The last part of its path.
    pub name: &'static str,
    /// Its `Content-Type`.
    pub media_type: &'static str,
    /// What is sent.
    pub bytes: &'static [u8],
    version: u64,
}

impl Asset {
    const fn new(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self { name, media_type, bytes, version: digest(bytes) }
    }

    /// The asset of this name, for `GET /assets/{version}/{name}`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|asset| asset.name == name)
    }

    /// The `Cache-Control` of an answer to a path that carried this version.
    #[must_use]
    pub fn cache_control(&self, version: &str) -> &'static str {
        if version == format!("{:016x}", self.version) { KEEP } else { ASK_AGAIN }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/assets/{:016x}/{}", self.version, self.name)
    }
}

/// FNV-1a, at compile time. It tells our own versions apart; it defends against nobody.
const fn digest(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::{ALL, ASK_AGAIN, Asset, KEEP, STYLE, digest};

    #[test]
    fn the_path_an_asset_shows_leads_back_to_it_and_may_be_kept() {
        for asset in ALL {
            let path = asset.to_string();
            let parts: Vec<&str> = path.split('/').collect();
            let ["", "assets", version, name] = parts[..] else { panic!("{path}") };
            assert_eq!(Asset::find(name).unwrap().bytes, asset.bytes);
            assert_eq!(asset.cache_control(version), KEEP);
        }
    }

    #[test]
    fn a_path_of_another_version_is_never_kept() {
        for version in ["", "0", "0000000000000000", "../style.css"] {
            assert_eq!(STYLE.cache_control(version), ASK_AGAIN);
        }
    }

    #[test]
    fn an_unknown_name_finds_nothing() {
        for name in ["", "style", "STYLE.CSS", "../style.css", "style.css\0"] {
            assert!(Asset::find(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn the_digest_is_fnv_1a() {
        assert_eq!(digest(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(digest(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(digest(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
