//! Who is asking.

use doorward_wire::token::{AccessClaims, AssertionClaims};
use doorward_wire::{AccountId, SessionId, UnixTime};

use crate::known::Evidence;

/// Who is asking. Only a [`Guard`](crate::Guard) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    account: AccountId,
    session: SessionId,
    username: Option<String>,
    roles: Vec<String>,
    assurance: u8,
    proved_at: UnixTime,
    powers: Powers,
}

/// What whoever is asking may do in somebody's name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Powers {
    /// It is the owner, in a browser: all that the owner may.
    InPerson,
    /// It is a program with a token: no more than these scopes.
    Token { scope: String },
}

/// What is known of somebody in a browser.
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    pub(crate) username: String,
    pub(crate) roles: Vec<String>,
    pub(crate) acr: String,
    pub(crate) proved_at: UnixTime,
}

impl Identity {
    pub(crate) fn of(claims: &AccessClaims) -> Self {
        Self {
            account: claims.sub,
            session: claims.sid,
            username: None,
            roles: claims.roles.clone(),
            assurance: level(&claims.acr),
            proved_at: claims.auth_time,
            powers: Powers::Token { scope: claims.scope.clone() },
        }
    }

    pub(crate) fn in_person(person: Person) -> Self {
        Self {
            account: person.account,
            session: person.session,
            username: Some(person.username),
            roles: person.roles,
            assurance: level(&person.acr),
            proved_at: person.proved_at,
            powers: Powers::InPerson,
        }
    }

    pub(crate) fn asserted(claims: AssertionClaims) -> Self {
        Self::in_person(Person {
            account: claims.sub,
            session: claims.sid,
            username: claims.preferred_username,
            roles: claims.roles,
            acr: claims.acr,
            proved_at: claims.auth_time,
        })
    }

    /// What can be revoked of it.
    pub(crate) fn evidence(&self) -> Evidence {
        let (account, session) = (self.account, self.session);
        Evidence { account, session, proved_at: self.proved_at, token: None, client: None }
    }

    /// Who it is, for ever.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// The session that was shown, or that the token hangs from.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// The name they log in with, which they may change: keep [`account`](Self::account). A token does
    /// not say it.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// Whether `scope` is allowed. A scope limits what a token may do for its owner; an owner in a browser
    /// is not limited by any.
    #[must_use]
    pub fn allows(&self, scope: &str) -> bool {
        match &self.powers {
            Powers::InPerson => true,
            Powers::Token { scope: granted } => granted.split(' ').any(|one| one == scope),
        }
    }

    /// Whether the account has `role`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// How sure the proof was of who they are: 1, 2 or 3 (NIST SP 800-63B). 0 if it was not said.
    #[must_use]
    pub fn assurance(&self) -> u8 {
        self.assurance
    }

    /// When they last proved who they are.
    #[must_use]
    pub fn proved_at(&self) -> UnixTime {
        self.proved_at
    }

    /// Whether it is the owner in a browser, and no program with a token.
    #[must_use]
    pub fn is_in_person(&self) -> bool {
        self.powers == Powers::InPerson
    }
}

fn level(acr: &str) -> u8 {
    match acr {
        "aal1" => 1,
        "aal2" => 2,
        "aal3" => 3,
        _ => 0,
    }
}
