//! Where accounts signed in from lately, in PostgreSQL.

use doorward_core::whereabouts::{REMEMBERED, VISIT_COUNT_MAX, Visit, Whereabouts};
use doorward_wire::AccountId;

use super::columns::{Columns, all, bytes, change, params, rows, whole};
use super::events;
use super::link::Link;
use crate::act::{NewSession, StoreFailed};

/// Keeps where a login came from, and tells of it if the account was not seen there lately, as part
/// of the act that opens its session and holds its account.
pub(super) async fn arrive(db: &Link, new: &NewSession) -> Result<(), StoreFailed> {
    const LATELY: &str = "SELECT device, network, country, seen_at FROM visit
        WHERE account = $1";
    const KEEP: &str = "INSERT INTO visit (account, device, network, country, seen_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (account, device, network, country)
            DO UPDATE SET seen_at = greatest(visit.seen_at, excluded.seen_at)";
    let Some((account, here)) = new.arrival() else { return Ok(()) };
    let now = new.session.opened_at;
    let before = all(db, LATELY, params![bytes(account.0)], visit).await?;
    if here.is_new(&before, now) {
        events::keep(db, &new.arriving()).await?;
    }
    let row = params![
        bytes(account.0),
        here.device,
        here.network,
        here.country.as_deref().unwrap_or_default(),
        whole(now.0),
    ];
    change(db, KEEP, row).await?;
    if before.len() >= VISIT_COUNT_MAX
        || before.iter().any(|visit| now.since(visit.seen_at) >= REMEMBERED)
    {
        forget(db, account, whole(now.before(REMEMBERED).0)).await?;
    }
    Ok(())
}

/// Forgets places that are not known any more, and beyond so many those seen longest ago.
async fn forget(db: &Link, account: AccountId, past: i64) -> Result<(), StoreFailed> {
    const OLD: &str = "DELETE FROM visit WHERE account = $1 AND seen_at <= $2";
    const MANY: &str = "DELETE FROM visit WHERE account = $1 AND (device, network, country) IN (
        SELECT device, network, country FROM visit WHERE account = $1
        ORDER BY seen_at DESC, device, network, country OFFSET $2)";
    change(db, OLD, params![bytes(account.0), past]).await?;
    change(db, MANY, params![bytes(account.0), rows(VISIT_COUNT_MAX)]).await?;
    Ok(())
}

fn visit(row: &mut Columns<'_>) -> Result<Visit, StoreFailed> {
    let (device, network, country) = (row.take()?, row.take()?, row.take::<String>()?);
    let country = Some(country).filter(|country| !country.is_empty());
    Ok(Visit { whereabouts: Whereabouts { device, network, country }, seen_at: row.time()? })
}
