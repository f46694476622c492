//! A grant: what the access tokens of a session may be used for, and where.

use std::time::Duration;

use doorward_wire::jose::Thumbprint;
use doorward_wire::token::{AccessClaims, Audiences, Confirmation};
use doorward_wire::{TokenId, UnixTime};

use crate::account::{Account, Role};
use crate::session::LiveSession;

/// How long an access token lives, unless its session ends sooner.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(5);

/// The client that Doorward itself is: logins through its own API.
pub const OWN_CLIENT: &str = "doorward";

/// The scope that lets an administrator's token administrate.
pub const ADMIN_SCOPE: &str = "doorward.admin";

/// The scope that lets a program follow the revocation log: it tells which sessions and accounts
/// there are, so only an administrator may grant it.
pub const REVOCATIONS_SCOPE: &str = "doorward.revocations";

/// What the access tokens of a session may be used for, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// The service they are for. Empty means Doorward's own API.
    pub audience: String,
    /// What they allow there: names separated by single spaces (RFC 6749, section 3.3).
    pub scope: String,
    /// Who asked for them.
    pub client: String,
    /// The key that they are bound to, if they are (RFC 9449).
    pub jkt: Option<Thumbprint>,
}

/// The text of a scope is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedScope;

/// The most characters of a scope.
pub const SCOPE_MAX: usize = 1024;

/// Decides whether a text has the form of a scope, whoever asks. Ask before the password is checked,
/// so that the answer tells nothing of it.
pub fn check_form(asked: &str) -> Result<(), MalformedScope> {
    let allowed = |c: char| matches!(c, '\x21' | '\x23'..='\x5b' | '\x5d'..='\x7e');
    if asked.len() > SCOPE_MAX || !asked.chars().all(|c| c == ' ' || allowed(c)) {
        return Err(MalformedScope);
    }
    Ok(())
}

/// Reads a requested scope and narrows it to what this account may have.
///
/// Scope names are those of RFC 6749, section 3.3; a control character, a quote or a backslash is
/// refused, so a scope can never break out of a header. Names that nobody may have here are left
/// out, which that section allows.
pub fn narrow(asked: &str, account: &Account, offered: &[&str]) -> Result<String, MalformedScope> {
    check_form(asked)?;
    let mut granted: Vec<&str> = Vec::new();
    for name in asked.split(' ').filter(|name| !name.is_empty()) {
        let is_for_administrators = matches!(name, ADMIN_SCOPE | REVOCATIONS_SCOPE);
        let may = offered.contains(&name)
            && (!is_for_administrators || account.role == Role::Administrator);
        if may && !granted.contains(&name) {
            granted.push(name);
        }
    }
    Ok(granted.join(" "))
}

impl Grant {
    /// The claims of an access token, or `None` in an anonymous session.
    ///
    /// A token never outlives its session.
    #[must_use]
    pub fn claims(
        &self,
        live: &LiveSession,
        issuer: &str,
        jti: TokenId,
        now: UnixTime,
    ) -> Option<AccessClaims> {
        let account = live.account()?;
        let session = live.session();
        let audience = if self.audience.is_empty() { issuer } else { &self.audience };
        // Told only where it was granted: to another service an administrator here is nobody special.
        let is_granted =
            audience == issuer && self.scope.split(' ').any(|name| name == ADMIN_SCOPE);
        let roles = match account.role {
            Role::Administrator if is_granted => vec![Role::Administrator.name().to_owned()],
            Role::Administrator | Role::Member => Vec::new(),
        };
        Some(AccessClaims {
            iss: issuer.to_owned(),
            sub: account.id,
            aud: Audiences::one(audience),
            exp: now.after(ACCESS_TOKEN_LIFE).min(live.expires_at()),
            iat: now,
            nbf: None,
            jti,
            client_id: self.client.clone(),
            scope: self.scope.clone(),
            sid: session.sid,
            auth_time: session.proved_at,
            acr: session.acr.name().to_owned(),
            amr: session.amr.iter().map(|method| method.name().to_owned()).collect(),
            groups: Vec::new(),
            roles,
            cnf: self.jkt.map(|key| Confirmation { jkt: key.to_string() }),
            status: None,
        })
    }
}
