//! Laws of authorization codes.

use doorward_core::client::SITES;
use doorward_core::code::{Code, Redemption};
use doorward_core::event::{Event, EventKind};
use doorward_core::grant::Grant;
use doorward_core::redirect::RedirectUri;
use doorward_core::revocation::{LogEntry, Revoked, revoke};
use doorward_core::session::Lifetimes;
use doorward_wire::jose::Thumbprint;
use doorward_wire::pkce::Challenge;
use doorward_wire::{ClientId, SessionId, TokenId};

use super::clients::client;
use super::sample::{
    Tried, after, at_once, ending, event, key, open, presented, secret, session, with_two_accounts,
};
use crate::act::{Presented, RedeemError, Redeemed, Redeeming, RotateError};

const SID: SessionId = SessionId(10);
const SHOP: ClientId = ClientId(1);
const CALLBACK: &str = "https://shop.example/cb";

fn code(n: u64) -> Code {
    Code {
        key: key(n),
        sid: SID,
        client: SHOP,
        redirect_uri: CALLBACK.into(),
        challenge: Challenge([7; 32]),
        grant: Grant {
            audience: "api".into(),
            scope: "read".into(),
            client: SHOP.to_string(),
            jkt: None,
        },
        expires_at: after(60),
        used: None,
    }
}

/// Ada's sessions 10 and 11, a shop and another client.
async fn begin(store: &Tried) {
    with_two_accounts(store).await;
    open(store, &[&session(10, 1), &session(11, 1)]).await;
    for n in [1, 2] {
        let redirects = vec![RedirectUri::parse(CALLBACK).unwrap()];
        let client = doorward_core::client::Client { redirects, ..client(n) };
        let told =
            Event { kind: EventKind::ClientCreated, ..event(800 + u64::try_from(n).unwrap()) };
        store.add_client(client, told).await.unwrap();
    }
}

/// A redemption of the `n`th code, for the `token`th tokens.
fn redeeming(n: u64, token: u64) -> Redeeming {
    Redeeming {
        key: key(n),
        redemption: Redemption {
            client: SHOP,
            redirect_uri: CALLBACK.into(),
            challenge: Challenge([7; 32]),
        },
        refresh: Some(secret(token).digest()),
        token: TokenId(token.into()),
        jkt: None,
        lifetimes: Lifetimes::default(),
        now: after(30),
    }
}

async fn keep(store: &Tried, n: u64) {
    assert!(store.keep_code(code(n)).await.unwrap());
}

fn refused(redeemed: &Result<Redeemed, RedeemError>) {
    assert!(matches!(redeemed, Err(RedeemError::Refused)), "{redeemed:?}");
}

/// Law: a code gives one refresh token, which hangs from its session and is its client's.
#[doc(hidden)]
pub async fn a_code_gives_one_refresh_token_of_its_client(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    let jkt = Some(Thumbprint([5; 32]));
    let redeemed = store.redeem_code(Redeeming { jkt, ..redeeming(1, 50) }).await.unwrap();
    let expected = Grant { jkt, ..code(1).grant };
    assert_eq!((redeemed.live.session().sid, &redeemed.grant), (SID, &expected));
    assert_eq!(store.session_of_refresh(secret(50).digest()).await.unwrap(), Some(SID));
    let client = SHOP.to_string();
    let rotated = Presented { client, jkt, ..presented(&secret(50), 1, after(40)) };
    assert_eq!(store.rotate(rotated).await.unwrap().grant, expected);
    assert_eq!(store.head().await.unwrap(), 0);
}

/// Law: a refresh token is of use to nobody but its client, and stays as it was.
#[doc(hidden)]
pub async fn a_refresh_token_of_one_client_is_unknown_to_another(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    store.redeem_code(redeeming(1, 50)).await.unwrap();
    for other in ["doorward", &ClientId(2).to_string(), ""] {
        let client = other.to_owned();
        let rotated =
            store.rotate(Presented { client, ..presented(&secret(50), 1, after(40)) }).await;
        assert!(matches!(rotated, Err(RotateError::Unknown)), "{rotated:?}");
    }
    let client = SHOP.to_string();
    let own = Presented { client, ..presented(&secret(50), 2, after(40)) };
    assert_eq!(store.rotate(own).await.unwrap().salt, [2; 32]);
}

/// Law: a code is for one client, one address, one verifier and one minute, and whoever comes with another
/// takes nothing from its owner.
#[doc(hidden)]
pub async fn a_code_is_refused_to_everybody_but_its_owner(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    refused(&store.redeem_code(redeeming(2, 50)).await);
    let with = |change: fn(&mut Redemption)| {
        let mut asked = redeeming(1, 50);
        change(&mut asked.redemption);
        asked
    };
    for asked in [
        with(|it| it.client = ClientId(2)),
        with(|it| it.redirect_uri.push('x')),
        with(|it| it.challenge = Challenge([8; 32])),
    ] {
        refused(&store.redeem_code(asked).await);
    }
    refused(&store.redeem_code(Redeeming { now: after(60), ..redeeming(1, 50) }).await);
    assert!(store.redeem_code(redeeming(1, 50)).await.is_ok());
}

/// Law: a code that comes twice ends what came of it, in its session and of its client, and nothing else.
#[doc(hidden)]
pub async fn a_code_that_comes_twice_ends_what_came_of_it(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    keep(&store, 2).await;
    assert!(store.keep_code(Code { sid: SessionId(11), ..code(3) }).await.unwrap());
    store.redeem_code(redeeming(1, 50)).await.unwrap();
    store.redeem_code(redeeming(3, 53)).await.unwrap();
    for _ in 0..2 {
        let again = store.redeem_code(redeeming(1, 51)).await;
        assert!(matches!(again, Err(RedeemError::Again(SID))), "{again:?}");
    }
    let of = async |n| store.session_of_refresh(secret(n).digest()).await.unwrap();
    assert_eq!((of(50).await, of(51).await, of(53).await), (None, None, Some(SessionId(11))));
    let entry = |seq| LogEntry { seq, revocation: revoke(Revoked::Token(TokenId(50)), after(30)) };
    assert_eq!(store.revocations(0, 9).await.unwrap(), [entry(1), entry(2)]);
    assert!(store.session(SID).await.unwrap().is_some(), "the session goes on");
    // Another code of the same session is as good as before.
    assert!(store.redeem_code(redeeming(2, 52)).await.is_ok());
}

/// Law: of parallel redemptions of one code one counts.
#[doc(hidden)]
pub async fn of_parallel_redemptions_one_counts(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    let all = at_once(&store, 50, |store, n| async move {
        store.redeem_code(redeeming(1, 100 + n)).await.is_ok()
    })
    .await;
    assert_eq!(all.iter().filter(|counts| **counts).count(), 1);
}

/// Law: no code outlives its session or its client, and none is kept for one that is gone.
#[doc(hidden)]
pub async fn a_code_goes_with_its_session_and_its_client(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    assert!(store.keep_code(Code { sid: SessionId(11), ..code(2) }).await.unwrap());
    store.redeem_code(redeeming(2, 52)).await.unwrap();
    assert!(store.end_session(SID, ending(900)).await.unwrap());
    refused(&store.redeem_code(redeeming(1, 50)).await);
    assert!(!store.keep_code(code(4)).await.unwrap());
    let told = Event { kind: EventKind::ClientDeleted, ..event(901) };
    assert!(store.keep_code(Code { sid: SessionId(11), ..code(5) }).await.unwrap());
    assert!(store.delete_client(SHOP, after(31), told).await.unwrap());
    refused(&store.redeem_code(redeeming(5, 55)).await);
    assert_eq!(store.session_of_refresh(secret(52).digest()).await.unwrap(), None);
    assert!(!store.keep_code(Code { sid: SessionId(11), ..code(6) }).await.unwrap());
}

/// Law: what was issued to a client, its people's refresh tokens too, ends when the client is revoked.
#[doc(hidden)]
pub async fn a_revoked_client_has_no_refresh_tokens(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    store.redeem_code(redeeming(1, 50)).await.unwrap();
    let told = Event { kind: EventKind::ClientRevoked, ..event(901) };
    assert!(store.revoke_client(SHOP, after(31), told).await.unwrap());
    assert_eq!(store.session_of_refresh(secret(50).digest()).await.unwrap(), None);
}

/// Law: a code of our own, for a site, gives no refresh token, and counts once as any other.
#[doc(hidden)]
pub async fn a_code_for_a_site_gives_no_refresh_token(store: Tried) {
    begin(&store).await;
    assert!(store.keep_code(Code { client: SITES, ..code(1) }).await.unwrap());
    let mut asked = Redeeming { refresh: None, ..redeeming(1, 50) };
    asked.redemption.client = SITES;
    assert_eq!(store.redeem_code(asked.clone()).await.unwrap().live.session().sid, SID);
    assert!(store.tokens_of(&[SID]).await.unwrap().is_empty());
    let again = store.redeem_code(asked).await;
    assert!(matches!(again, Err(RedeemError::Again(SID))), "{again:?}");
}

/// Law: what one client has of a session ends without the session and without what others have.
#[doc(hidden)]
pub async fn what_a_client_has_of_a_session_ends_alone(store: Tried) {
    begin(&store).await;
    keep(&store, 1).await;
    assert!(store.keep_code(Code { sid: SessionId(11), ..code(2) }).await.unwrap());
    store.redeem_code(redeeming(1, 50)).await.unwrap();
    store.redeem_code(redeeming(2, 51)).await.unwrap();
    assert!(!store.end_grant(SID, ClientId(2)).await.unwrap());
    assert!(store.end_grant(SID, SHOP).await.unwrap());
    assert!(!store.end_grant(SID, SHOP).await.unwrap());
    let of = async |n| store.session_of_refresh(secret(n).digest()).await.unwrap();
    assert_eq!((of(50).await, of(51).await), (None, Some(SessionId(11))));
    assert!(store.session(SID).await.unwrap().is_some());
}

/// Law: codes are swept when they are over, a slice at a time.
#[doc(hidden)]
pub async fn codes_are_swept_when_they_are_over(store: Tried) {
    begin(&store).await;
    for n in 1..=3 {
        let expires_at = after(60 + n);
        assert!(store.keep_code(Code { expires_at, ..code(n) }).await.unwrap());
    }
    assert_eq!(store.sweep_codes(after(62), 1).await.unwrap(), 1);
    assert_eq!(store.sweep_codes(after(62), 9).await.unwrap(), 1);
    assert_eq!(store.sweep_codes(after(62), 9).await.unwrap(), 0);
    assert!(store.redeem_code(Redeeming { now: after(62), ..redeeming(3, 50) }).await.is_ok());
}
