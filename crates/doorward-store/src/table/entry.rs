//! An entry of the table: a session as found, laid out small. What many sessions have in common is
//! kept once: their accounts, their browsers, and how they were opened.

use std::collections::HashSet;
use std::hash::Hash;
use std::mem::size_of;
use std::net::Ipv4Addr;
use std::sync::Arc;

use doorward_core::account::{Account, Epoch};
use doorward_core::binding::Bound;
use doorward_core::session::{Assurance, Carrier, Device, Method, Owner, Session};
use doorward_wire::{AccountId, SecretDigest, SessionId, UnixTime};

use super::locks::{Lock, Locks};
use crate::act::Found;

/// What a browser's name costs beside its text.
const AGENT_BYTES: usize = 112;

/// A session of the table.
///
/// A session's fields come in by [`Entry::of`] and out by [`Entry::found`], and nowhere else. Both
/// name them all: a new field does not compile until it has its place here.
pub(crate) struct Entry<L: Locks> {
    sid: [u8; 16],
    key: Option<[u8; 32]>,
    owner: Option<(Arc<Member<L>>, Epoch)>,
    opened_at: UnixTime,
    proved_at: UnixTime,
    seen_at: UnixTime,
    generation: u32,
    kind: Arc<Kind>,
    agent: Arc<Agent>,
    ip: Ip,
    /// Few are: they have it beside them.
    bound: Option<Box<Bound>>,
}

/// An account that has sessions in the table, as the store has it. One change of it counts for them
/// all: "log out everywhere" is a new epoch in one place.
pub(crate) struct Member<L: Locks> {
    pub(crate) id: AccountId,
    /// What it was counted as.
    pub(crate) bytes: usize,
    standing: L::Lock<Kept<Account>>,
}

/// What the store has of something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kept<T> {
    /// This.
    Here(T),
    /// Nothing.
    Gone,
    /// Something that could not be read: whoever wants it asks the store, and gets the failure.
    Unreadable,
}

/// How a session was opened: few are unlike.
#[derive(PartialEq, Eq)]
pub(crate) struct Kind {
    carrier: Carrier,
    remembered: bool,
    amr: Vec<Method>,
    acr: Assurance,
}

/// A browser or program, by what it calls itself.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Agent {
    user_agent: String,
    label: String,
}

/// An address. Most are four numbers, and need no text of their own.
enum Ip {
    V4([u8; 4]),
    Text(Box<str>),
}

/// What entries share, each kept once.
pub(crate) struct Shared {
    // There are as few kinds as there are ways to log in: looking at each is quicker than hashing.
    kinds: Vec<Arc<Kind>>,
    // Anybody can call their browser what they like, so the hash is keyed.
    agents: HashSet<Arc<Agent>>,
    bytes: usize,
}

impl<T> Kept<Box<T>> {
    pub(crate) fn unboxed(self) -> Kept<T> {
        match self {
            Self::Here(kept) => Kept::Here(*kept),
            Self::Gone => Kept::Gone,
            Self::Unreadable => Kept::Unreadable,
        }
    }
}

impl<L: Locks> Entry<L> {
    /// Lays out a session. `member` is its account, if it has an owner.
    pub(crate) fn of(found: Found, member: Option<Arc<Member<L>>>, shared: &mut Shared) -> Self {
        let Found { session, device, account: _ } = found;
        let Session {
            sid,
            key,
            owner,
            carrier,
            remembered,
            opened_at,
            proved_at,
            seen_at,
            generation,
            amr,
            acr,
            bound,
        } = session;
        let Device { user_agent, label, ip } = device;
        Self {
            sid: sid.0.to_be_bytes(),
            key: key.map(|key| key.0),
            owner: member.zip(owner).map(|(member, owner)| (member, owner.epoch)),
            opened_at,
            proved_at,
            seen_at,
            generation,
            kind: shared.kind(Kind { carrier, remembered, amr, acr }),
            agent: shared.agent(Agent { user_agent, label }),
            ip: Ip::of(ip),
            bound: bound.map(Box::new),
        }
    }

    /// The session with its account as both are now, or `None` if the account could not be read.
    pub(crate) fn found(&self) -> Option<Found> {
        let account = match &self.owner {
            None => None,
            Some((member, _)) => match member.standing.look(Kept::clone) {
                Kept::Here(account) => Some(account),
                Kept::Gone => None,
                Kept::Unreadable => return None,
            },
        };
        let owner =
            self.owner.as_ref().map(|(member, epoch)| Owner { account: member.id, epoch: *epoch });
        let session = Session {
            sid: self.sid(),
            key: self.key.map(SecretDigest),
            owner,
            carrier: self.kind.carrier,
            remembered: self.kind.remembered,
            opened_at: self.opened_at,
            proved_at: self.proved_at,
            seen_at: self.seen_at,
            generation: self.generation,
            amr: self.kind.amr.clone(),
            acr: self.kind.acr,
            bound: self.bound.as_deref().copied(),
        };
        let Agent { user_agent, label } = &*self.agent;
        let device = Device {
            user_agent: user_agent.clone(),
            label: label.clone(),
            ip: self.ip.text().into_owned(),
        };
        Some(Found { session, device, account })
    }

    pub(crate) fn sid(&self) -> SessionId {
        SessionId(u128::from_be_bytes(self.sid))
    }

    pub(crate) fn key(&self) -> Option<SecretDigest> {
        self.key.map(SecretDigest)
    }

    pub(crate) fn seen_at(&self) -> UnixTime {
        self.seen_at
    }

    /// The bytes that it holds beside its own and those that it shares.
    pub(crate) fn bytes_beside(&self) -> usize {
        let ip = match &self.ip {
            Ip::V4(_) => 0,
            Ip::Text(text) => text.len(),
        };
        ip + self.bound.as_ref().map_or(0, |_| size_of::<Bound>())
    }

    /// Takes it apart, into what may be shared.
    pub(crate) fn into_parts(self) -> (Option<Arc<Member<L>>>, Arc<Kind>, Arc<Agent>) {
        (self.owner.map(|(member, _)| member), self.kind, self.agent)
    }
}

impl<L: Locks> Member<L> {
    pub(crate) fn new(id: AccountId, standing: Kept<Account>, bytes: usize) -> Self {
        Self { id, bytes, standing: Lock::new(standing) }
    }

    pub(crate) fn change(&self, standing: Kept<Account>) {
        self.standing.change(|kept| *kept = standing);
    }
}

/// The bytes of an account's texts.
pub(crate) fn account_text(standing: &Kept<Account>) -> usize {
    match standing {
        Kept::Here(account) => {
            let email = account.email.as_ref().map_or(0, |email| email.as_str().len());
            account.username.as_str().len() + email
        }
        Kept::Gone | Kept::Unreadable => 0,
    }
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { kinds: Vec::new(), agents: HashSet::new(), bytes: 0 }
    }

    fn kind(&mut self, kind: Kind) -> Arc<Kind> {
        if let Some(known) = self.kinds.iter().find(|known| ***known == kind) {
            return Arc::clone(known);
        }
        let kind = Arc::new(kind);
        self.kinds.push(Arc::clone(&kind));
        kind
    }

    fn agent(&mut self, agent: Agent) -> Arc<Agent> {
        if let Some(known) = self.agents.get(&agent) {
            return Arc::clone(known);
        }
        let agent = Arc::new(agent);
        self.bytes += AGENT_BYTES + agent.text();
        self.agents.insert(Arc::clone(&agent));
        agent
    }

    /// Forgets what the last entry shared with nobody any more.
    pub(crate) fn release(&mut self, kind: &Arc<Kind>, agent: &Arc<Agent>) {
        // Ours here and the one in the set: nobody else has one, for only the ledger hands them out.
        if Arc::strong_count(agent) == 2 {
            self.agents.remove(agent);
            self.bytes -= AGENT_BYTES + agent.text();
        }
        if Arc::strong_count(kind) == 2 {
            self.kinds.retain(|known| !Arc::ptr_eq(known, kind));
        }
    }

    /// How much memory the agents hold.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Agent {
    fn text(&self) -> usize {
        self.user_agent.len() + self.label.len()
    }
}

impl Ip {
    fn of(text: String) -> Self {
        match text.parse::<Ipv4Addr>() {
            Ok(address) => Self::V4(address.octets()),
            Err(_) => Self::Text(text.into()),
        }
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::V4(octets) => Ipv4Addr::from(*octets).to_string().into(),
            Self::Text(text) => (&**text).into(),
        }
    }
}
