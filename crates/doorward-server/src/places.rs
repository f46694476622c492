//! Places: where an address is, by a database that the operator may bring.

use std::net::IpAddr;

use doorward_core::place::Place;

/// Says where addresses are.
pub trait Places: Send + Sync {
    /// Where an address seems to be, if that is known.
    fn place_of(&self, ip: IpAddr) -> Option<Place>;
}
