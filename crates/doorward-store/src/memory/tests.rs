use std::sync::Arc;

use super::MemoryStore;
use crate::conformance::histories;
use crate::conformance::sample::Tried;

crate::store_laws!(async || (Arc::new(MemoryStore::default()), ()));

/// Nothing is kept beyond the process: there is no crash to come back from.
impl histories::Trial for Arc<MemoryStore> {
    fn store(&self) -> Tried {
        self.clone()
    }

    fn crash(&mut self) -> bool {
        false
    }
}

#[test]
fn ten_thousand_histories_of_sessions_go_by_the_rules() {
    histories::hold(Arc::<MemoryStore>::default, histories::Plan { first: 0, count: 10_000 });
}
