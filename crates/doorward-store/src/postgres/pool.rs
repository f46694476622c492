//! Connections for acts: each act has one for itself.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Sizes;
use super::address::Address;
use super::fault::Fault;
use super::link::Link;

pub(super) struct Pool {
    address: Address,
    places: Arc<Semaphore>,
    patience: Duration,
    idle: Mutex<Vec<Arc<Link>>>,
}

/// A connection that is taken. Unless it is given back it is closed, and what was begun on it the server
/// takes back.
pub(super) struct Taken<'a> {
    pool: &'a Pool,
    link: Arc<Link>,
    _place: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(address: Address, sizes: Sizes) -> Self {
        let places = Arc::new(Semaphore::new(sizes.pool_max));
        Self { address, places, patience: sizes.patience, idle: Mutex::default() }
    }

    /// Takes a connection, once one is free, and makes one if there is none.
    pub(super) async fn take(&self) -> Result<Taken<'_>, Fault> {
        let place = match timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await {
            Ok(place) => place.map_err(|closed| Fault::Stopped(closed.to_string()))?,
            Err(_late) => return Err(Fault::NoneFree),
        };
        let link = match self.newest() {
            Some(link) => link,
            None => Arc::new(Link::open(&self.address).await?),
        };
        Ok(Taken { pool: self, link, _place: place })
    }

    /// The connection that was used last, so that those too many are left alone.
    fn newest(&self) -> Option<Arc<Link>> {
        let mut idle = self.idle.lock();
        while let Some(link) = idle.pop() {
            if !link.is_closed() {
                return Some(link);
            }
        }
        None
    }
}

impl Taken<'_> {
    /// The connection.
    pub(super) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Gives the connection back, with nothing begun on it.
    pub(super) fn give_back(self) {
        self.pool.idle.lock().push(Arc::clone(&self.link));
    }
}
