//! Notices: what a page says has just been done, after the redirect that follows a POST.

/// Something that has just been done. It travels in a URL, so it is a code and never words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The account has just been made.
    Welcome,
    /// One session was ended.
    SessionEnded,
    /// All sessions but this one were ended.
    OthersEnded,
    /// The password was changed; other sessions live on.
    PasswordChanged,
    /// The password was changed and all other sessions were ended.
    PasswordChangedAndOthersEnded,
}

impl Notice {
    pub(super) const ALL: [Self; 5] = [
        Self::Welcome,
        Self::SessionEnded,
        Self::OthersEnded,
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
            Self::PasswordChanged => "password-changed",
            Self::PasswordChangedAndOthersEnded => "password-changed-others-ended",
        }
    }

    /// The notice of this code; anything else says nothing.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.code() == code)
    }

    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Welcome => "Welcome. Your account is ready.",
            Self::SessionEnded => "That session is signed out.",
            Self::OthersEnded => "All your other sessions are signed out.",
            Self::PasswordChanged => "Your password is changed.",
            Self::PasswordChangedAndOthersEnded => {
                "Your password is changed, and all your other sessions are signed out."
            }
        }
    }
}
