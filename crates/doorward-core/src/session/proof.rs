//! How the owner of a session proved themselves, and how sure that makes us.

/// How sure we are of the owner: the authentication assurance level of NIST SP 800-63B-4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assurance {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
    /// Two factors, one of them hardware that resists phishing.
    Aal3,
}

impl Assurance {
    /// The value of `acr`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
            Self::Aal3 => "aal3",
        }
    }

    /// Reads a value of `acr`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Aal1, Self::Aal2, Self::Aal3].into_iter().find(|level| level.name() == name)
    }
}

/// How the owner proved themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a password.
    Password,
}

impl Method {
    /// Every method there is.
    pub const ALL: [Self; 1] = [Self::Password];

    /// The method's value of `amr` (RFC 8176).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "pwd",
        }
    }

    /// Reads a value of `amr`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}
