//! Laws of protected sites.

use doorward_core::event::{Event, EventKind};

use super::sample::{Tried, after, event};
use crate::act::{KeptSite, SiteKeeping};

fn site(origin: &str, document: &str, n: u64) -> KeptSite {
    KeptSite { origin: origin.to_owned(), document: document.to_owned(), changed_at: after(n) }
}

fn kept(n: u64) -> Event {
    Event { kind: EventKind::SiteKept, ..event(n) }
}

/// Law: an origin has one site, the one that was kept last, and there are no more than may be.
#[doc(hidden)]
pub async fn an_origin_has_one_site(store: Tried) {
    let (b, a) = (site("https://b.example", "{}", 1), site("https://a.example", "{}", 2));
    assert_eq!(store.keep_site(b.clone(), 2, kept(1)).await.unwrap(), SiteKeeping::New);
    assert_eq!(store.keep_site(a, 2, kept(2)).await.unwrap(), SiteKeeping::New);
    let changed = site("https://a.example", r#"{"allow":"nobody"}"#, 3);
    let replaced = store.keep_site(changed.clone(), 2, kept(3)).await.unwrap();
    assert_eq!(replaced, SiteKeeping::Replaced);
    let third = site("https://c.example", "{}", 4);
    assert_eq!(store.keep_site(third.clone(), 2, kept(4)).await.unwrap(), SiteKeeping::Full);
    assert_eq!(store.sites().await.unwrap(), [changed, b.clone()]);
    let events = store.events(10).await.unwrap();
    assert_eq!(events.len(), 3, "what was not kept is not told");
    assert!(store.remove_site("https://a.example", kept(5)).await.unwrap());
    assert!(!store.remove_site("https://a.example", kept(6)).await.unwrap());
    assert_eq!(store.events(10).await.unwrap().len(), 4);
    assert_eq!(store.keep_site(third.clone(), 2, kept(7)).await.unwrap(), SiteKeeping::New);
    assert_eq!(store.sites().await.unwrap(), [b, third]);
}
