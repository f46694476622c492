//! What only the machine knows: the time, and bytes nobody can foresee.
//!
//! Both are arguments everywhere. The binary brings the real ones; a test brings its own clock and
//! moves it by hand.

use doorward_wire::jose::Algorithm;
use doorward_wire::{
    ClientId, EventId, FreshSecret, KeyId, SessionId, StreamId, TokenId, UnixTime,
};
use zeroize::Zeroizing;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn unix_ms(&self) -> u64;

    /// Milliseconds on a clock that nobody sets, which goes on while the machine sleeps.
    fn steady_ms(&self) -> u64;

    /// Seconds since 1970.
    fn now(&self) -> UnixTime {
        UnixTime(self.unix_ms() / 1000)
    }
}

/// Draws bytes that nobody can foresee, and keys made of them.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`. There is no failure: a machine that cannot draw randomness must stop.
    fn fill(&self, bytes: &mut [u8]);

    /// Makes a private key: PKCS#8 DER, or for HS256 raw bytes. It may take a second.
    fn signing_key(&self, algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyNotMade>;
}

/// The cryptographic library could not make a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signing key could not be made")]
pub struct KeyNotMade;

/// The clock and the entropy of one server.
pub struct Ambient {
    /// Tells the time.
    pub clock: Box<dyn Clock>,
    /// Draws randomness.
    pub entropy: Box<dyn Entropy>,
}

impl std::fmt::Debug for Ambient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ambient")
    }
}

impl Ambient {
    /// The time.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// `N` bytes that nobody can foresee.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    /// A secret of 256 bits.
    #[must_use]
    pub fn secret(&self) -> FreshSecret {
        FreshSecret::from_random(self.random())
    }

    /// A new session id.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        SessionId::new(self.clock.unix_ms(), self.random())
    }

    /// A new account id.
    #[must_use]
    pub fn account_id(&self) -> doorward_wire::AccountId {
        doorward_wire::AccountId::new(self.clock.unix_ms(), self.random())
    }

    /// A new client id.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        ClientId::new(self.clock.unix_ms(), self.random())
    }

    /// A new id of a stream of signals.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        StreamId::new(self.clock.unix_ms(), self.random())
    }

    /// A new token id.
    #[must_use]
    pub fn token_id(&self) -> TokenId {
        TokenId::new(self.clock.unix_ms(), self.random())
    }

    /// A new key id.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        KeyId::new(self.clock.unix_ms(), self.random())
    }

    /// A new event id.
    #[must_use]
    pub fn event_id(&self) -> EventId {
        EventId::new(self.clock.unix_ms(), self.random())
    }
}
