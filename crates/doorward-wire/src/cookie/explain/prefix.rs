//! Names that promise how their cookie was set (section 5.4).

use super::finding::shown;
use super::{Finding, Rule, SetCookie};

/// What a name promises by how it begins.
#[derive(Clone, Copy)]
struct Prefix {
    text: &'static str,
    rule: Rule,
    host: bool,
    http: bool,
}

/// The longer first: `__Host-Http-` is no `__Host-`.
const PREFIXES: [Prefix; 4] = [
    Prefix { text: "__Host-Http-", rule: Rule::PrefixHostHttp, host: true, http: true },
    Prefix { text: "__Host-", rule: Rule::PrefixHost, host: true, http: false },
    Prefix { text: "__Http-", rule: Rule::PrefixHttp, host: false, http: true },
    Prefix { text: "__Secure-", rule: Rule::PrefixSecure, host: false, http: false },
];

/// Judges a cookie by its prefix. Browsers match it in any case, for servers that do so too.
pub(super) fn check(cookie: &SetCookie<'_>, findings: &mut Vec<Finding>) {
    let name = cookie.name();
    if name.is_empty() {
        check_nameless(cookie.value(), findings);
        return;
    }
    let Some(prefix) = prefix_of(name) else { return };
    let mut amiss = Vec::new();
    if !cookie.has("Secure") {
        amiss.push("Secure is missing");
    }
    if prefix.http && !cookie.has("HttpOnly") {
        amiss.push("HttpOnly is missing");
    }
    if prefix.host && cookie.values("Path").next_back() != Some(b"/") {
        amiss.push("Path=/ is missing");
    }
    if prefix.host && cookie.values("Domain").next_back().is_some_and(|value| !value.is_empty()) {
        amiss.push("Domain must not be there");
    }
    if !amiss.is_empty() {
        let said = format!("A name with {} promises more: {}.", prefix.text, amiss.join(", "));
        findings.push(prefix.rule.found(said));
    }
    if !name.starts_with(prefix.text.as_bytes()) {
        let said = format!(
            "{} begins like {}, in another case. Browsers hold it to the promise, servers that \
             compare bytes do not.",
            shown(name),
            prefix.text
        );
        findings.push(Rule::PrefixCase.found(said));
    }
}

/// `=__Host-x=1` has no name, but comes back as `__Host-x=1`: a forged promise.
///
/// Chromium also looks behind further `=`, for servers that would skip them.
fn check_nameless(value: &[u8], findings: &mut Vec<Finding>) {
    let plain = |byte: &u8| !matches!(byte, b'=' | b' ' | b'\t');
    let start = value.iter().position(plain).unwrap_or(value.len());
    if let Some(prefix) = prefix_of(&value[start..]) {
        let said = format!(
            "It has no name, and its value would come back looking like a name with {}.",
            prefix.text
        );
        findings.push(Rule::NamelessPrefix.found(said));
    }
}

fn prefix_of(name: &[u8]) -> Option<Prefix> {
    let begins = |prefix: &Prefix| {
        let start = name.get(..prefix.text.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.text.as_bytes()))
    };
    PREFIXES.into_iter().find(begins)
}
