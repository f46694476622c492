//! Said: what a page says has just been done, after the redirect that follows a POST.

/// Something that has just been done. It travels in a URL, so it is a code and never words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The account has just been made.
    Welcome,
    /// One session was ended.
    SessionEnded,
    /// All sessions but this one were ended.
    OthersEnded,
    /// A notice was answered: it was them.
    WasMe,
    /// A notice was answered: it was somebody else, and all other sessions were ended.
    NotMe,
    /// The password was changed; other sessions live on.
    PasswordChanged,
    /// The password was changed and all other sessions were ended.
    PasswordChangedAndOthersEnded,
}

impl Said {
    pub(super) const ALL: [Self; 7] = [
        Self::Welcome,
        Self::SessionEnded,
        Self::OthersEnded,
        Self::WasMe,
        Self::NotMe,
        Self::PasswordChanged,
        Self::PasswordChangedAndOthersEnded,
    ];

    /// Its name in a URL.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::SessionEnded => "session-ended",
            Self::OthersEnded => "others-ended",
            Self::WasMe => "was-me",
            Self::NotMe => "not-me",
            Self::PasswordChanged => "password-changed",
            Self::PasswordChangedAndOthersEnded => "password-changed-others-ended",
        }
    }

    /// What this code says; any other says nothing.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|said| said.code() == code)
    }

    /// The words.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Welcome => "Welcome. Your account is ready.",
            Self::SessionEnded => {
                "That session is signed out. Access tokens it gave to other services end within five \
                 minutes."
            }
            Self::OthersEnded => {
                "All your other sessions are signed out. Access tokens they gave to other services \
                 end within five minutes."
            }
            Self::WasMe => "Good. You will not be asked about that again.",
            Self::NotMe => {
                "All your other sessions are signed out. Now change your password, below."
            }
            Self::PasswordChanged => "Your password is changed.",
            Self::PasswordChangedAndOthersEnded => {
                "Your password is changed, and all your other sessions are signed out."
            }
        }
    }
}
