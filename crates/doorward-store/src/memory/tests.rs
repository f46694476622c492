use std::sync::Arc;

use super::MemoryStore;

crate::store_laws!(async || (Arc::new(MemoryStore::default()), ()));
