//! Setting up a guard that follows its issuer.

use std::net::SocketAddr;
use std::time::Duration;

use doorward_wire::jose::Algorithm;

use crate::credential::Credential;
use crate::dial::{Address, AddressRefused, Roots};
use crate::follow::Followed;
use crate::server::Beside;
use crate::{Guard, Setup, Source};

/// How old a guard's knowledge may be unless it is told otherwise.
const BOUND: Duration = Duration::from_secs(1);

/// The shortest bound: below it one lost heartbeat would shut everybody out.
const BOUND_MIN: Duration = Duration::from_millis(500);

/// The longest: beyond it nobody can say that a session ends everywhere.
const BOUND_MAX: Duration = Duration::from_mins(5);

/// A guard that is being set up. [`start`](Self::start) makes it.
#[derive(Debug)]
#[must_use]
pub struct Following {
    issuer: String,
    audience: String,
    credential: Credential,
    algorithms: Vec<Algorithm>,
    bound: Duration,
    roots: Roots,
    way: Option<SocketAddr>,
    beside: Option<SocketAddr>,
}

impl Following {
    pub(crate) fn new(issuer: &str, audience: &str, credential: Credential) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            credential,
            algorithms: vec![Algorithm::EdDsa],
            bound: BOUND,
            roots: Roots::System,
            way: None,
            beside: None,
        }
    }

    /// Accepts these algorithms and no others, of tokens and of the issuer's own statements. `HS256`
    /// is not for guards: its secret is not published.
    pub fn accept(self, algorithms: &[Algorithm]) -> Self {
        Self { algorithms: algorithms.to_vec(), ..self }
    }

    /// How old knowledge may be, from half a second to five minutes. One second unless it is said.
    pub fn bound(self, bound: Duration) -> Self {
        Self { bound: bound.clamp(BOUND_MIN, BOUND_MAX), ..self }
    }

    /// Whose certificates the issuer may show. Those that the machine trusts unless it is said.
    pub fn roots(self, roots: Roots) -> Self {
        Self { roots, ..self }
    }

    /// Where the issuer is reached, if that is not where its name leads: inside a cluster, say. Its
    /// name stays what certificates and requests speak of.
    pub fn by_way_of(self, way: SocketAddr) -> Self {
        Self { way: Some(way), ..self }
    }

    /// Says that the app is on the server's own origin, behind the same proxy, and the server listens at
    /// `at` with plain HTTP and takes the app for one of its proxies (`--trusted-proxy`): then the session's
    /// cookie counts in the app. Keys and revocations are asked for there, too. What the server says of a cookie is used again for a second, as long as the
    /// feed does not say otherwise.
    pub fn beside(self, at: SocketAddr) -> Self {
        Self { beside: Some(at), ..self }
    }

    /// Begins to follow, on the runtime of tokio that this is called on, until the last clone of the
    /// guard is dropped.
    ///
    /// It does not wait: before the issuer was heard of, nobody is accepted ([`Guard::ready`]).
    ///
    /// # Panics
    ///
    /// Outside a runtime of tokio.
    pub fn start(self) -> Result<Guard, AddressRefused> {
        let address = match (self.beside, self.way) {
            (Some(at), _) => Address::plain(&self.issuer, at)?,
            (None, Some(way)) => Address::of(&self.issuer, &self.roots)?.by_way_of(way),
            (None, None) => Address::of(&self.issuer, &self.roots)?,
        };
        let names = (self.issuer.clone(), self.algorithms.clone());
        let followed = Followed::start(names, self.bound, address, self.credential);
        let source = Source::Followed(followed);
        let setup = Setup::new((&self.issuer, &self.audience), self.algorithms, source);
        Ok(Guard::of(match self.beside {
            Some(at) => setup.beside(Beside::at(&self.issuer, at)?),
            None => setup,
        }))
    }
}
