//! What the table is locked with. It is a parameter, so that a test can put in locks that try every
//! order of their holders.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

/// A kind of locks, and of words that are read without one.
pub(crate) trait Locks: 'static {
    /// Lets in many who look, or one who changes.
    type Lock<T: Send + Sync>: Lock<T>;
    /// A number that all threads see.
    type Word: Word;
}

/// Lets in many who look, or one who changes.
pub(crate) trait Lock<T>: Send + Sync {
    fn new(value: T) -> Self;
    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R;
    fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R;
}

/// A number that all threads see. Whoever loads what was stored sees all that was done before.
pub(crate) trait Word: Send + Sync {
    fn new(value: u64) -> Self;
    fn load(&self) -> u64;
    fn store(&self, value: u64);
}

/// The locks of every day.
pub(crate) struct Plain;

impl Locks for Plain {
    type Lock<T: Send + Sync> = RwLock<T>;
    type Word = AtomicU64;
}

impl<T: Send + Sync> Lock<T> for RwLock<T> {
    fn new(value: T) -> Self {
        Self::new(value)
    }

    fn look<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.read())
    }

    fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.write())
    }
}

impl Word for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    fn store(&self, value: u64) {
        self.store(value, Ordering::Release);
    }
}
