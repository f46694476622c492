//! The rules, and what each is called, does and says.

use super::{Finding, Severity};

use Rule as R;
use Severity::{Advice, Changed, Dropped, Withheld};

/// A rule that browsers go by, or a mistake they let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each rule says what it is in the table below, for people")]
pub enum Rule {
    Nul,
    ControlCharacter,
    InnerTab,
    Empty,
    TooLong,
    DomainNotAscii,
    DomainMismatch,
    DomainPublicSuffix,
    SecureOverHttp,
    CrossSite,
    NoneWithoutSecure,
    PrefixSecure,
    PrefixHost,
    PrefixHttp,
    PrefixHostHttp,
    NamelessPrefix,
    PartitionedWithoutSecure,
    ExpiredOnArrival,
    Expired,
    OtherHost,
    OtherDomain,
    OtherPath,
    SecureOnly,
    StrictFromCrossSite,
    LaxEmbedded,
    LaxUnsafe,
    OtherPartition,
    Nameless,
    SpaceAround,
    AttributeTooLong,
    AttributeRepeated,
    AttributeUnknown,
    FlagWithValue,
    ExpiresUnreadable,
    MaxAgeUnreadable,
    LifetimeCapped,
    DomainDot,
    DomainEmpty,
    DomainHostOnly,
    PathNotAbsolute,
    SameSiteUnknown,
    ExpiresOverruled,
    PathDefault,
    DomainWidens,
    SuffixUnchecked,
    SameSiteAbsent,
    SecureAbsent,
    SecureOnLocalhost,
    PrefixCase,
    Commas,
    Quotes,
    Octets,
    ThirdParty,
    LaxAllowingUnsafe,
}

/// One row of the table: the rule, its code, what it does, where it is written, what it says.
type Row = (Rule, &'static str, Severity, &'static str, &'static str);

/// In the order of [`Rule`], which a test holds it to. Sections are of RFC 6265bis if of nothing else.
const TABLE: &[Row] = &[
    (R::Nul, "nul", Dropped, "RFC 9110, 5.5", "A NUL byte: browsers refuse the whole response."),
    (R::ControlCharacter, "control-character", Dropped, "5.6", "A control character."),
    (R::InnerTab, "inner-tab", Dropped, "Chromium", "A tab inside; 5.6 would keep it."),
    (R::Empty, "empty", Dropped, "5.7 (2)", "Neither a name nor a value."),
    (R::TooLong, "too-long", Dropped, "5.6 (5)", "Name and value are over 4096 bytes together."),
    (R::DomainNotAscii, "domain-not-ascii", Dropped, "5.7 (8)", "`Domain` is not in ASCII."),
    (R::DomainMismatch, "domain-mismatch", Dropped, "5.7 (10)", "The host is not under `Domain`."),
    (
        R::DomainPublicSuffix,
        "domain-public-suffix",
        Dropped,
        "5.7 (9)",
        "`Domain` is a whole public suffix.",
    ),
    (R::SecureOverHttp, "secure-over-http", Dropped, "5.7 (13)", "`Secure` came over plain http."),
    (
        R::CrossSite,
        "cross-site",
        Dropped,
        "5.7 (18)",
        "Set from a part of another site's page, and not `SameSite=None`.",
    ),
    (
        R::NoneWithoutSecure,
        "none-without-secure",
        Dropped,
        "5.7 (19)",
        "`SameSite=None` without `Secure`.",
    ),
    (R::PrefixSecure, "prefix-secure", Dropped, "5.7 (20)", "`__Secure-` without `Secure`."),
    (
        R::PrefixHost,
        "prefix-host",
        Dropped,
        "5.7 (21)",
        "`__Host-` without `Secure` or `Path=/`, or with `Domain`.",
    ),
    (
        R::PrefixHttp,
        "prefix-http",
        Dropped,
        "layered-cookies, 5.4.3",
        "`__Http-` without `Secure` or `HttpOnly`.",
    ),
    (
        R::PrefixHostHttp,
        "prefix-host-http",
        Dropped,
        "layered-cookies, 5.4.3",
        "`__Host-Http-` without what both prefixes ask.",
    ),
    (
        R::NamelessPrefix,
        "nameless-prefix",
        Dropped,
        "5.7 (22)",
        "No name, and a value that would read as a prefix.",
    ),
    (
        R::PartitionedWithoutSecure,
        "partitioned-without-secure",
        Dropped,
        "CHIPS",
        "`Partitioned` without `Secure`.",
    ),
    (
        R::ExpiredOnArrival,
        "expired-on-arrival",
        Dropped,
        "5.7",
        "Its end is already past: it takes an older cookie away.",
    ),
    (R::Expired, "expired", Withheld, "5.7", "It has ended."),
    (R::OtherHost, "other-host", Withheld, "5.8.3", "It goes to the host that set it alone."),
    (R::OtherDomain, "other-domain", Withheld, "5.8.3", "The host is not under its domain."),
    (R::OtherPath, "other-path", Withheld, "5.1.4", "The path is not under its path."),
    (R::SecureOnly, "secure-only", Withheld, "5.8.3", "`Secure`, and the request is in the clear."),
    (
        R::StrictFromCrossSite,
        "strict-from-cross-site",
        Withheld,
        "5.6.7.1",
        "`SameSite=Strict`, and another site asked.",
    ),
    (
        R::LaxEmbedded,
        "lax-embedded",
        Withheld,
        "5.6.7.1",
        "`SameSite=Lax` or none, for a part of another site's page.",
    ),
    (
        R::LaxUnsafe,
        "lax-unsafe",
        Withheld,
        "5.6.7.1",
        "`SameSite=Lax` or none, and another site asked with an unsafe method.",
    ),
    (
        R::OtherPartition,
        "other-partition",
        Withheld,
        "CHIPS",
        "`Partitioned`, and set under another top-level site.",
    ),
    (R::Nameless, "nameless", Changed, "5.6 (3)", "No `=`: the whole is the value of no name."),
    (R::SpaceAround, "space-around", Changed, "5.6 (4)", "Space around name or value goes."),
    (
        R::AttributeTooLong,
        "attribute-too-long",
        Changed,
        "5.6",
        "An attribute's value is over 1024 bytes, and the attribute is ignored.",
    ),
    (
        R::AttributeRepeated,
        "attribute-repeated",
        Changed,
        "5.7",
        "Of the same attribute the last counts.",
    ),
    (R::AttributeUnknown, "attribute-unknown", Changed, "5.6", "No such attribute: it is ignored."),
    (R::FlagWithValue, "flag-with-value", Changed, "5.6.5", "`Secure=false` is `Secure`."),
    (
        R::ExpiresUnreadable,
        "expires-unreadable",
        Changed,
        "5.6.1",
        "`Expires` is no date: ignored.",
    ),
    (
        R::MaxAgeUnreadable,
        "max-age-unreadable",
        Changed,
        "5.6.2",
        "`Max-Age` is no number: ignored.",
    ),
    (R::LifetimeCapped, "lifetime-capped", Changed, "5.5", "Its life is cut to 400 days."),
    (R::DomainDot, "domain-dot", Changed, "5.6.3", "The dot before `Domain` means nothing."),
    (R::DomainEmpty, "domain-empty", Changed, "5.7 (10)", "An empty `Domain` is none."),
    (
        R::DomainHostOnly,
        "domain-host-only",
        Changed,
        "5.7 (9)",
        "`Domain` is the host itself and can have no hosts under it.",
    ),
    (
        R::PathNotAbsolute,
        "path-not-absolute",
        Changed,
        "5.6.4",
        "`Path` does not begin with `/`: ignored.",
    ),
    (
        R::SameSiteUnknown,
        "same-site-unknown",
        Changed,
        "5.6.7",
        "No such `SameSite`: as if absent.",
    ),
    (
        R::ExpiresOverruled,
        "expires-overruled",
        Advice,
        "5.7 (6)",
        "`Max-Age` goes before `Expires`.",
    ),
    (
        R::PathDefault,
        "path-default",
        Advice,
        "5.1.4",
        "Without `Path` it stays under the page that set it.",
    ),
    (
        R::DomainWidens,
        "domain-widens",
        Advice,
        "5.8.3",
        "`Domain` hands it to every host under it.",
    ),
    (
        R::SuffixUnchecked,
        "suffix-unchecked",
        Advice,
        "5.7 (9)",
        "A public suffix of several labels cannot be checked here.",
    ),
    (
        R::SameSiteAbsent,
        "same-site-absent",
        Advice,
        "5.6.7.2",
        "Without `SameSite` browsers differ.",
    ),
    (
        R::SecureAbsent,
        "secure-absent",
        Advice,
        "5.8.3",
        "Without `Secure` it also goes in the clear.",
    ),
    (
        R::SecureOnLocalhost,
        "secure-on-localhost",
        Advice,
        "5.8.3",
        "`Secure` over http to this machine: each browser decides.",
    ),
    (R::PrefixCase, "prefix-case", Advice, "5.4", "A prefix in another case binds browsers only."),
    (R::Commas, "commas", Advice, "3", "Two cookies joined by a comma are one."),
    (R::Quotes, "quotes", Advice, "4.1.1", "Quotes around the value belong to it."),
    (R::Octets, "octets", Advice, "4.1.1", "A byte that servers must not send."),
    (
        R::ThirdParty,
        "third-party",
        Advice,
        "7.1",
        "Sent for a part of another site's page, where third-party cookies are let through.",
    ),
    (
        R::LaxAllowingUnsafe,
        "lax-allowing-unsafe",
        Advice,
        "5.6.7.2",
        "Without `SameSite`, sent for the first two minutes.",
    ),
];

impl Rule {
    /// Every rule, the order of findings.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// Its name for programs, which never changes.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.row().1
    }

    /// What it does to a cookie.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.row().2
    }

    /// Where it is written: a section, and the step in parentheses. Of RFC 6265bis if it names no other.
    #[must_use]
    pub fn section(self) -> &'static str {
        self.row().3
    }

    /// What it says, of any cookie.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.row().4
    }

    /// Where it is written, in full.
    #[must_use]
    pub fn source(self) -> String {
        let section = self.section();
        if section.starts_with(|first: char| first.is_ascii_digit()) {
            return format!("RFC 6265bis, {section}");
        }
        section.to_owned()
    }

    pub(super) fn found(self, message: impl Into<String>) -> Finding {
        Finding { rule: self, message: message.into() }
    }
}
