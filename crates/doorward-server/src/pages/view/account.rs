//! Views of one's own account: sessions, notices, activity, password.

use askama::Template;

use super::super::assets;
use super::{Moment, Problem, Said, Trouble, Visitor, problems};

/// What a browser or an app sends to show its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The session cookie.
    Cookie,
    /// Access and refresh tokens.
    Token,
}

impl Carrier {
    fn words(self) -> &'static str {
        match self {
            Self::Cookie => "Browser",
            Self::Token => "App with a token",
        }
    }
}

/// Where something came from, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whence {
    /// The device: `Firefox on Linux`.
    pub device: Option<String>,
    /// The place: `Lyon, France`.
    pub place: Option<String>,
    /// The address.
    pub ip: Option<String>,
}

impl Whence {
    fn words(&self) -> String {
        let all = [&self.device, &self.place, &self.ip].into_iter().flatten();
        let known: Vec<&str> = all.map(String::as_str).filter(|text| !text.is_empty()).collect();
        if known.is_empty() { "Unknown device".to_owned() } else { known.join(" · ") }
    }
}

/// A refresh token that can still renew a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The service that its access tokens are for.
    pub service: String,
    /// What they allow there.
    pub scope: String,
    /// The program that asked for it.
    pub client: String,
    /// When it was last renewed.
    pub issued: Moment,
}

/// One session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The public id, for the button that ends it.
    pub sid: String,
    /// The device: `Firefox on Linux`.
    pub label: String,
    /// The place, where it is known.
    pub place: Option<String>,
    /// The address it was opened from.
    pub ip: String,
    /// What carries it.
    pub carrier: Carrier,
    /// How its owner proved themselves: `Password (one factor)`.
    pub proof: String,
    /// Whether it goes on with one device only.
    pub is_bound: bool,
    /// When it was opened.
    pub opened: Moment,
    /// When its owner proved themselves again, if they have.
    pub proved_again: Option<Moment>,
    /// When it was last used.
    pub seen: Moment,
    /// When it ends, however busy.
    pub expires: Moment,
    /// When the last access token that was handed out ends, at the latest.
    pub last_token_ends: Option<Moment>,
    /// What can renew it.
    pub tokens: Vec<TokenRow>,
}

/// Something alarming that its owner has not answered. Posts `id` and `was_me` (`1` or `0`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// The id of its event.
    pub id: String,
    /// What happened.
    pub what: &'static str,
    /// When.
    pub at: Moment,
    /// From where.
    pub from: Whence,
}

/// A line of one's own event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// What happened.
    pub what: &'static str,
    /// When.
    pub at: Moment,
    /// From where.
    pub from: Whence,
}

/// `/account`: who is signed in, where, and their password.
///
/// Every form posts `account`, for whom it was drawn. Beside it: `sid` and `after` to `/account/sessions/end`;
/// nothing to `…/end-others` and `…/end-all`; a [`NoticeRow`]'s answer to `/account/notices`; and
/// `current`, `new`, `end_other_sessions` (`1` or absent) to `/account/password`.
#[derive(Clone, Debug, Template)]
#[template(path = "account.html")]
pub struct AccountPage<'a> {
    /// What has just been done.
    pub said: Option<Said>,
    /// What was not accepted, whichever form it was.
    pub trouble: Option<Trouble<'a>>,
    /// Who is signed in.
    pub visitor: Visitor<'a>,
    /// Their address.
    pub email: Option<&'a str>,
    /// What they are here: `Administrator`.
    pub role: &'a str,
    /// What they should look at, newest first.
    pub notices: Vec<NoticeRow>,
    /// Whether there is more to look at.
    pub more_notices: bool,
    /// The session this page was asked with.
    pub current: SessionRow,
    /// Some of their other sessions, newest first.
    pub others: Vec<SessionRow>,
    /// After which session this page begins, if it is not the first.
    pub after: Option<String>,
    /// After which session the next page begins, if there is one.
    pub older: Option<String>,
    /// The fewest characters a password may have.
    pub password_min: usize,
    /// What is wrong with the current password that was given.
    pub current_problem: Option<&'a str>,
    /// What is wrong with the new password that was given.
    pub new_problem: Option<&'a str>,
    /// Whether "Sign out my other sessions" is ticked; it is unless the person unticked it.
    pub end_other_sessions: bool,
}

impl<'a> AccountPage<'a> {
    fn has_problem(&self) -> bool {
        self.trouble.is_some() || !self.problems().is_empty()
    }

    fn problems(&self) -> Vec<Problem<'a>> {
        problems([("current", self.current_problem), ("new", self.new_problem)])
    }

    /// Why the password should be changed, where there is a reason.
    fn why_change(&self) -> Option<&'static str> {
        (self.said == Some(Said::NotMe)).then_some(
            "Whoever it was may know your password. Change it to one that you use nowhere else.",
        )
    }
}

/// `/account/activity`: what happened to the account.
#[derive(Clone, Debug, Template)]
#[template(path = "activity.html")]
pub struct ActivityPage<'a> {
    /// Who is signed in.
    pub visitor: Visitor<'a>,
    /// What they should look at, newest first.
    pub notices: Vec<NoticeRow>,
    /// Whether there is more to look at.
    pub more_notices: bool,
    /// Some of what happened, newest first.
    pub events: Vec<EventRow>,
    /// Whether there are newer events than these.
    pub is_later_page: bool,
    /// Before which event the next page begins, if there is one.
    pub older: Option<String>,
}
