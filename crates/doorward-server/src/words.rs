//! Words: what an event is called for whom it concerns. The same on the pages and in the API.

use doorward_core::event::{Event, EventKind};

/// What happened, as a sentence for the account's owner. It names no device and no place.
#[must_use]
pub fn of_event(event: &Event) -> &'static str {
    let reason = event.reason.as_deref();
    match event.kind {
        EventKind::AccountCreated => "Your account was made.",
        EventKind::SetupCompleted => "Your account was made with the setup link.",
        EventKind::LoginSucceeded => "Signed in.",
        EventKind::LoginFailed => "A wrong password was given.",
        EventKind::LoginNewPlace => {
            "Signed in from a device or a place that was not seen in the last 90 days."
        }
        EventKind::SessionOpened => "A session was opened.",
        EventKind::SessionReauthenticated => "The password was confirmed.",
        EventKind::SecretReuseDetected => {
            "An old copy of a sign-in cookie was used. Its session was signed out."
        }
        EventKind::SessionSuspicious => "A session was used from somewhere that does not fit it.",
        EventKind::SessionBound => "A session was bound to the device that it was opened on.",
        EventKind::BindingRefused => {
            "A sign-in cookie was used without the device that it belongs to."
        }
        EventKind::SessionEnded => session_ended(reason),
        EventKind::PasswordChanged => "Your password was changed.",
        EventKind::TokenReuseDetected => {
            "An app’s refresh token was used twice, so there may be a copy. Its session was signed out."
        }
        EventKind::NoticeAnswered => match reason {
            Some("was-me") => "You said that it was you.",
            _ => "You said that it was not you.",
        },
        EventKind::CookieAmbiguous => "A browser sent two cookies of our name.",
        EventKind::CsrfRejected => "A request from another site was refused.",
        EventKind::ClientCreated => "A client was made.",
        EventKind::ClientSecretRotated => "A client was given a new secret.",
        EventKind::ClientRevoked => "Everything issued to a client was revoked.",
        EventKind::ClientDeleted => "A client was deleted.",
        EventKind::PersonalTokenCreated => "You made a personal access token.",
        EventKind::PersonalTokenRevoked => "You revoked a personal access token.",
        EventKind::KeyCreated => "A signing key was made.",
        EventKind::KeyRetired => "A signing key was retired.",
        EventKind::KeyGone => "A signing key has ended.",
        EventKind::SiteKept => "You said who may open a site.",
        EventKind::SiteRemoved => "You removed a site.",
        EventKind::DatabaseRestored => "The database was put back from a backup.",
    }
}

fn session_ended(reason: Option<&str>) -> &'static str {
    match reason {
        Some("logout") => "Signed out.",
        Some("ended-by-owner") => "A session was signed out by you, from elsewhere.",
        Some("replaced") => "A session ended because the same browser signed in again.",
        Some("password-changed") => "A session was signed out because your password was changed.",
        Some("not-me") => "A session was signed out because you said: this wasn’t me.",
        Some("restored") => "Everybody was signed out: the database was put back from a backup.",
        _ => "A session was signed out.",
    }
}
