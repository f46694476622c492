//! Views: what each page is told before it is drawn.
//!
//! A view holds words already chosen and times already written. Its template may not ask anybody
//! anything, and every value in it is escaped by askama. A page that comes back with a problem says
//! so in its title, in a summary that takes the focus, and beside the field (WCAG 2.2, 3.3.1).
//!
//! # What this module answers
//!
//! - *Cross-site scripting* (attack 22): no template marks anything as safe, none has inline code,
//!   and the tests put hostile text in every field of every page.
//! - *Open redirect*: [`LoginPage`] links to nothing outside this origin, whatever it is told.
//! - *Text injection by link*: a [`Said`] is one of ours, named by a code; never words of a URL.
//!
//! # What is not here
//!
//! No HTTP: the handlers choose status, headers and when a page is shown.

use askama::Template;
use form_urlencoded::byte_serialize;

use super::assets;

pub use self::account::{
    AccountPage, ActivityPage, Carrier, EventRow, NoticeRow, SessionRow, TokenRow, Whence,
};
pub use self::said::Said;
pub use self::tokens::{PersonalRow, ServiceChoice, TokensPage};

mod account;
pub mod cookie;
mod said;
#[cfg(test)]
mod tests;
pub mod token;
mod tokens;

/// Where a person goes after signing in, unless they came for something.
const HOME: &str = "/account";

/// A time, written for a person and for a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// For a person: `today, 14:05 UTC`.
    pub text: String,
    /// For a machine, as RFC 3339: `2026-11-23T14:05:00Z`.
    pub machine: String,
}

/// Who is signed in, for the head of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor<'a> {
    /// What they are called.
    pub username: &'a str,
    /// The id of their account, which every form says it was drawn for. It is no secret.
    pub account: &'a str,
}

/// Why a form was not accepted, when none of its fields is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble<'a> {
    /// The password queue is full (503).
    Busy,
    /// The throttle says no (429).
    TooMany {
        /// How long to wait, in words: `40 seconds`.
        wait: &'a str,
    },
    /// It did not come from a page of ours, or from one long gone (403 `csrf-rejected`).
    Stale,
    /// It was drawn for another account than who is signed in now (409).
    AnotherAccount {
        /// Who is.
        username: &'a str,
    },
}

/// One thing to put right, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem<'a> {
    /// The `id` of the field.
    pub id: &'static str,
    /// What is wrong with it and what would be right, as a sentence.
    pub text: &'a str,
}

/// A field of a form that may have come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field<'a> {
    /// What the person wrote.
    pub value: &'a str,
    /// What is wrong with it, as a sentence.
    pub problem: Option<&'a str>,
}

/// Why the login page is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginState<'a> {
    /// Somebody came to sign in.
    Fresh,
    /// They have just signed out.
    SignedOut,
    /// They have just signed out here and everywhere else.
    SignedOutEverywhere,
    /// They said that somebody else was in their session, and it has ended with all others.
    NotMe,
    /// They had a session, and it has ended.
    Ended,
    /// The same for an unknown account as for a wrong password.
    WrongCredentials,
    /// They are signed in already. Shown unless the query says `another=1`.
    AlreadySignedIn {
        /// As whom.
        visitor: Visitor<'a>,
    },
    /// The form was not accepted.
    Trouble(Trouble<'a>),
}

/// `/login`. Posts `username`, `password`, `remember` (`1` or absent) and `return_to`.
#[derive(Clone, Debug, Template)]
#[template(path = "login.html")]
pub struct LoginPage<'a> {
    /// Why it is shown.
    pub state: LoginState<'a>,
    /// What was written before; the password is never sent back.
    pub username: &'a str,
    /// Whether "Keep me signed in on this device" is ticked.
    pub remember: bool,
    /// Where to go afterwards: a path of ours that the handler has checked.
    pub return_to: Option<&'a str>,
    /// Whether to offer a link to `/register`.
    pub registration_open: bool,
}

impl LoginPage<'_> {
    fn is_wrong(&self) -> bool {
        self.state == LoginState::WrongCredentials
    }

    fn has_problem(&self) -> bool {
        matches!(self.state, LoginState::WrongCredentials | LoginState::Trouble(_))
    }

    /// The second lock on the open redirect; the first is the handler's.
    fn continue_to(&self) -> &str {
        self.return_to.filter(|target| stays_here(target)).unwrap_or(HOME)
    }

    fn register_link(&self) -> String {
        link("/register", self.return_to)
    }
}

/// The part of a form that describes a new account. Posts `username`, `email` and `password`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewAccountForm<'a> {
    /// The name to sign in with.
    pub username: Field<'a>,
    /// The address, which may be left empty.
    pub email: Field<'a>,
    /// What is wrong with the password, which is never sent back.
    pub password_problem: Option<&'a str>,
    /// The fewest characters a password may have.
    pub password_min: usize,
    /// What is wrong with the form as a whole.
    pub trouble: Option<Trouble<'a>>,
}

impl<'a> NewAccountForm<'a> {
    fn has_problem(&self) -> bool {
        self.trouble.is_some() || !self.problems().is_empty()
    }

    fn problems(&self) -> Vec<Problem<'a>> {
        problems([
            ("username", self.username.problem),
            ("email", self.email.problem),
            ("password", self.password_problem),
        ])
    }
}

/// `/register`. Posts a [`NewAccountForm`] and `return_to`.
#[derive(Clone, Debug, Template)]
#[template(path = "register.html")]
pub struct RegisterPage<'a> {
    /// The form.
    pub form: NewAccountForm<'a>,
    /// Where to go afterwards: a path of ours that the handler has checked.
    pub return_to: Option<&'a str>,
}

impl RegisterPage<'_> {
    fn login_link(&self) -> String {
        link("/login", self.return_to)
    }
}

/// `/setup`, for the first administrator. Posts `code` and a [`NewAccountForm`].
///
/// Without JavaScript a person pastes the code or the whole link, so the handler takes what follows
/// the last `#`.
#[derive(Clone, Debug, Template)]
#[template(path = "setup.html")]
pub struct SetupPage<'a> {
    /// The secret from the setup link. It is sent back with a problem elsewhere in the form:
    /// the script has taken it out of the address bar, and it would be lost.
    pub code: Field<'a>,
    /// The form.
    pub form: NewAccountForm<'a>,
}

impl<'a> SetupPage<'a> {
    fn has_problem(&self) -> bool {
        self.code.problem.is_some() || self.form.has_problem()
    }

    fn problems(&self) -> Vec<Problem<'a>> {
        let mut all = problems([("code", self.code.problem)]);
        all.extend(self.form.problems());
        all
    }
}

/// `/logout`: asks, since nothing unsafe happens on GET. Posts `account`.
#[derive(Clone, Debug, Template)]
#[template(path = "logout.html")]
pub struct LogoutPage<'a> {
    /// Who would be signed out, where the page may say so.
    pub visitor: Option<Visitor<'a>>,
    /// What went wrong the last time.
    pub trouble: Option<Trouble<'a>>,
}

/// What came of the last try to confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmState<'a> {
    /// Nobody has tried yet.
    Fresh,
    /// The password was wrong.
    WrongPassword,
    /// The form was not accepted.
    Trouble(Trouble<'a>),
}

/// `/account/confirm`: asks for the password once more. Posts `account`, `password` and `return_to`.
#[derive(Clone, Debug, Template)]
#[template(path = "confirm.html")]
pub struct ConfirmPage<'a> {
    /// Whose session it is.
    pub visitor: Visitor<'a>,
    /// Whether it is asked because something looked strange; otherwise somebody came by themselves.
    pub is_asked: bool,
    /// What came of the last try.
    pub state: ConfirmState<'a>,
    /// Where to go afterwards: a path of ours that the handler has checked.
    pub return_to: Option<&'a str>,
}

impl ConfirmPage<'_> {
    fn is_wrong(&self) -> bool {
        self.state == ConfirmState::WrongPassword
    }

    fn has_problem(&self) -> bool {
        self.state != ConfirmState::Fresh
    }
}

/// Any refusal or failure that has no page of its own. There is always a way on.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// The HTTP status, which also chooses the words.
    pub status: u16,
    /// The stable word for what went wrong, which has some words of its own.
    pub code: &'a str,
    /// The origin of this server, for whoever came by another name.
    pub origin: &'a str,
    /// Who is signed in, where that is known.
    pub signed_in: Option<Visitor<'a>>,
    /// What finds this moment in our logs.
    pub request_id: &'a str,
    /// When it happened.
    pub at: Option<Moment>,
}

/// The page that a browser with a bound session gets when it comes from somebody else's page. It asks
/// for the same address again, at once and without a script.
#[derive(Template)]
#[template(path = "once-more.html")]
pub struct OnceMorePage;

impl ErrorPage<'_> {
    fn heading(&self) -> &'static str {
        match (self.code, self.status) {
            ("csrf-rejected", _) => "Please try that again",
            ("registration-closed", _) => "Ask for an account",
            (_, 403) => "That is not allowed",
            (_, 404) => "There is nothing here",
            (_, 410) => "This link no longer works",
            (_, 413) => "That is too much at once",
            (_, 429) => "Too many tries",
            (_, 503) => "Back in a moment",
            (_, 400..=499) => "That did not work",
            _ => "Something broke on our side",
        }
    }

    fn sentence(&self) -> &'static str {
        match (self.code, self.status) {
            ("csrf-rejected", _) => {
                "That form was too old or did not come from this page, so nothing was done."
            }
            ("leads-nowhere", _) => {
                "You are signed in, but the site that you came from does not see it, so you were sent to \
                 and fro. Whoever runs it should look at its proxy."
            }
            ("unknown-app", _) => {
                "The app that sent you here is not known here, or wants you back at an address that is not \
                 its own. Nothing was told to it. Whoever runs it should look at its redirect URI."
            }
            ("registration-closed", _) => "Accounts are made by an administrator here.",
            ("unknown-host" | "https-required", _) => "Doorward is reached by another address.",
            ("headers-too-large", _) => {
                "Your browser sent more than Doorward takes. If this comes again, remove the cookies \
                 of this site."
            }
            (_, 403) => "Your request was refused, and nothing was changed.",
            (_, 404) => "The address may be mistyped, or the page is gone.",
            (_, 410) => "It has been used already, or its time has run out.",
            (_, 413) => "What you sent is larger than Doorward takes.",
            (_, 429) => "Please wait a little before you try again.",
            (_, 503) => "Doorward is busy or restarting. Please try again shortly.",
            (_, 400..=499) => {
                "Doorward could not make sense of that request, and nothing was changed."
            }
            _ => "It is not your fault, and it has been written to the log.",
        }
    }

    fn way_on(&self) -> &str {
        match self.code {
            "csrf-rejected" => HOME,
            "registration-closed" => "/login",
            "unknown-host" | "https-required" => self.origin,
            _ => "/",
        }
    }

    fn button(&self) -> &'static str {
        match self.code {
            "csrf-rejected" => "Go to your account",
            "registration-closed" => "Sign in",
            _ if self.signed_in.is_some() => "Go to your account",
            _ => "Start again",
        }
    }
}

fn problems<'a, const N: usize>(fields: [(&'static str, Option<&'a str>); N]) -> Vec<Problem<'a>> {
    fields.into_iter().filter_map(|(id, text)| Some(Problem { id, text: text? })).collect()
}

/// Whether a browser reads this as a path of our own origin. `//host` and `/\host` are other
/// origins, and browsers drop tabs and newlines before they look (WHATWG URL, section 4.4).
fn stays_here(target: &str) -> bool {
    target.starts_with('/')
        && !target.starts_with("//")
        && !target.contains(|c: char| c == '\\' || c.is_control())
}

pub(crate) fn link(path: &str, return_to: Option<&str>) -> String {
    match return_to {
        None => path.to_owned(),
        Some(target) => {
            format!("{path}?return_to={}", byte_serialize(target.as_bytes()).collect::<String>())
        }
    }
}
