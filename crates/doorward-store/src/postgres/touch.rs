//! Uses of sessions, written into PostgreSQL.

use doorward_core::session::Touch;
use doorward_wire::SessionId;

use super::columns::{bytes, change, params, whole};
use super::link::Link;
use super::words::assurance_number;
use crate::act::StoreFailed;

/// Writes a use of a session, as part of an act.
pub(super) async fn one(db: &Link, sid: SessionId, used: Touch) -> Result<(), StoreFailed> {
    all(db, &[(sid, used)]).await
}

/// Writes uses of sessions, given by rising id, as part of an act: in as many goes as one session was
/// used times.
pub(super) async fn all(db: &Link, touches: &[(SessionId, Touch)]) -> Result<(), StoreFailed> {
    let mut turn = 0;
    loop {
        let of_one = touches.chunk_by(|(left, _), (right, _)| left == right);
        let now: Vec<_> = of_one.filter_map(|of_one| of_one.get(turn)).collect();
        if now.is_empty() {
            return Ok(());
        }
        each(db, &now).await?;
        turn += 1;
    }
}

/// Writes a use of each session. The numbers of the levels sort as the levels do.
async fn each(db: &Link, touches: &[&(SessionId, Touch)]) -> Result<(), StoreFailed> {
    const LOCK: &str = "SELECT count(*) FROM (SELECT 1 FROM session WHERE sid = ANY ($1)
        ORDER BY sid FOR NO KEY UPDATE) AS locked";
    const TOUCH: &str = "UPDATE session SET seen_at = greatest(session.seen_at, used.seen_at),
            acr = CASE WHEN session.generation = used.generation
                THEN least(session.acr, used.acr) ELSE session.acr END,
            ip = CASE WHEN session.generation = used.generation AND session.seen_at < used.seen_at
                THEN coalesce(used.ip, session.ip) ELSE session.ip END
        FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::smallint[], $5::text[])
            AS used (sid, seen_at, generation, acr, ip)
        WHERE session.sid = used.sid";
    let uses = || touches.iter();
    let sids: Vec<_> = uses().map(|(sid, _)| bytes(sid.0)).collect();
    if touches.len() > 1 {
        db.query(LOCK, params![sids]).await?;
    }
    let row = params![
        sids,
        uses().map(|(_, used)| whole(used.seen_at.0)).collect::<Vec<_>>(),
        uses().map(|(_, used)| i64::from(used.generation)).collect::<Vec<_>>(),
        uses().map(|(_, used)| assurance_number(used.acr)).collect::<Vec<_>>(),
        uses().map(|(_, used)| used.ip.map(|ip| ip.to_string())).collect::<Vec<_>>(),
    ];
    db.changes_sessions(uses().map(|(sid, _)| *sid));
    change(db, TOUCH, row).await?;
    Ok(())
}
