//! Laws of the setup link, and of the probe.

use doorward_core::account::Role;
use doorward_wire::AccountId;

use super::sample::{Tried, account, after, anonymous, at_once, check_there, key, open, session};
use crate::act::{AccountError, NewAccount};

fn administrator(n: u64, name: &str) -> NewAccount {
    let mut new = account(n, name);
    new.account.role = Role::Administrator;
    new
}

#[track_caller]
fn check_spent(result: &Result<(), AccountError>) {
    assert!(matches!(result, Err(AccountError::LinkSpent)), "{result:?}");
}

/// Law: one link makes one administrator, however many race for it.
#[doc(hidden)]
pub async fn a_setup_link_is_spent_once(store: Tried) {
    store.keep_setup(key(1), after(1800)).await.unwrap();
    let results = at_once(&store, 20, |store, n| async move {
        let n = usize::try_from(n).unwrap();
        let name = format!("admin-{}", char::from(b"abcdefghkmnpqrstuvwxyz"[n]));
        let new = administrator(n as u64, &name);
        store.spend_setup(key(1), new, after(1)).await
    });
    let results = results.await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    for result in results.iter().filter(|result| result.is_err()) {
        check_spent(result);
    }
    assert_eq!(store.accounts(None, 99).await.unwrap().items.len(), 1);
    assert!(store.has_administrator().await.unwrap());
    assert_eq!(store.events(99).await.unwrap().len(), 1);
}

/// Law: whoever chose a name that is taken may choose another.
#[doc(hidden)]
pub async fn a_taken_name_does_not_spend_the_link(store: Tried) {
    store.open_account(account(1, "ada")).await.unwrap();
    store.keep_setup(key(1), after(1800)).await.unwrap();
    let taken = store.spend_setup(key(1), administrator(2, "ada"), after(1)).await;
    assert!(matches!(taken, Err(AccountError::Taken)), "{taken:?}");
    assert!(!store.has_administrator().await.unwrap());
    store.spend_setup(key(1), administrator(2, "grace"), after(1)).await.unwrap();
    check_spent(&store.spend_setup(key(1), administrator(3, "linus"), after(1)).await);
}

/// Law: a link found in an old log opens nothing.
#[doc(hidden)]
pub async fn an_expired_or_unknown_link_makes_no_account(store: Tried) {
    check_spent(&store.spend_setup(key(1), administrator(1, "ada"), after(1)).await);
    store.keep_setup(key(1), after(1800)).await.unwrap();
    check_spent(&store.spend_setup(key(2), administrator(1, "ada"), after(1)).await);
    check_spent(&store.spend_setup(key(1), administrator(1, "ada"), after(1800)).await);
    assert_eq!(store.account(AccountId(1)).await.unwrap(), None);
    store.spend_setup(key(1), administrator(1, "ada"), after(1799)).await.unwrap();
}

/// Law: there is one link at a time.
#[doc(hidden)]
pub async fn a_new_link_makes_the_one_before_void(store: Tried) {
    store.keep_setup(key(1), after(1800)).await.unwrap();
    store.keep_setup(key(2), after(3600)).await.unwrap();
    check_spent(&store.spend_setup(key(1), administrator(1, "ada"), after(1)).await);
    store.spend_setup(key(2), administrator(1, "ada"), after(1)).await.unwrap();
}

/// Law: the link for the first administrator does not outlive the first administrator, and a later
/// one is drawn on purpose.
#[doc(hidden)]
pub async fn an_administrator_made_otherwise_makes_the_link_void(store: Tried) {
    store.keep_setup(key(1), after(1800)).await.unwrap();
    store.open_account(account(1, "ada")).await.unwrap();
    let taken = store.open_account(administrator(2, "ada")).await;
    assert!(matches!(taken, Err(AccountError::Taken)), "{taken:?}");
    // Neither a member's account nor one that was refused did.
    store.spend_setup(key(1), administrator(2, "grace"), after(1)).await.unwrap();

    store.keep_setup(key(2), after(1800)).await.unwrap();
    store.open_account(administrator(3, "linus")).await.unwrap();
    check_spent(&store.spend_setup(key(2), administrator(4, "mallory"), after(1)).await);
    store.keep_setup(key(3), after(1800)).await.unwrap();
    store.spend_setup(key(3), administrator(4, "margaret"), after(1)).await.unwrap();
}

/// Law: the administrator is signed in as the link is spent, or it is not spent.
#[doc(hidden)]
pub async fn a_link_is_spent_with_the_session_it_opens(store: Tried) {
    store.keep_setup(key(1), after(1800)).await.unwrap();
    open(&store, &[&anonymous(10)]).await;
    let signed_in = |n| NewAccount { session: Some(session(n, 1)), ..administrator(1, "ada") };
    let refused = store.spend_setup(key(1), signed_in(10), after(1)).await;
    assert!(matches!(refused, Err(AccountError::SessionRefused)), "{refused:?}");
    assert!(!store.has_administrator().await.unwrap());
    store.spend_setup(key(1), signed_in(11), after(1)).await.unwrap();
    check_there(store.session_by_key(key(11)).await.unwrap().as_ref(), true);
}

/// Law: a store that works says so, again and again.
#[doc(hidden)]
pub async fn a_healthy_store_passes_its_probe(store: Tried) {
    store.probe(after(0)).await.unwrap();
    store.probe(after(0)).await.unwrap();
    store.probe(after(1)).await.unwrap();
}
