//! Protected sites in SQLite.

use async_trait::async_trait;
use doorward_core::event::Event;
use rusqlite::{Connection, params};

use super::columns::{Columns, all, change, only, whole};
use super::writer::{Acted, Verdict};
use super::{SqliteStore, events};
use crate::Sites;
use crate::act::{KeptSite, SiteKeeping, StoreFailed};

#[async_trait]
impl Sites for SqliteStore {
    async fn sites(&self) -> Result<Vec<KeptSite>, StoreFailed> {
        const ALL: &str = "SELECT origin, document, changed_at FROM site ORDER BY origin";
        self.readers.read(|db| all(db, ALL, (), site))
    }

    async fn keep_site(
        &self,
        site: KeptSite,
        most: u64,
        event: Event,
    ) -> Result<SiteKeeping, StoreFailed> {
        self.writer.act(move |db| keep(db, &site, most, &event)).await
    }

    async fn remove_site(&self, origin: &str, event: Event) -> Result<bool, StoreFailed> {
        const REMOVE: &str = "DELETE FROM site WHERE origin = ?1";
        let origin = origin.to_owned();
        self.writer
            .act(move |db| {
                if change(db, REMOVE, (origin,))? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(db, &event)?;
                Ok(Verdict::Keep(true))
            })
            .await
    }
}

fn keep(db: &Connection, site: &KeptSite, most: u64, event: &Event) -> Acted<SiteKeeping> {
    const REPLACE: &str = "UPDATE site SET document = ?2, changed_at = ?3 WHERE origin = ?1";
    const COUNT: &str = "SELECT count(*) FROM site";
    const ADD: &str = "INSERT INTO site (origin, document, changed_at) VALUES (?1, ?2, ?3)";
    let row = params![site.origin, site.document, whole(site.changed_at.0)];
    let kept = if change(db, REPLACE, row)? == 1 {
        SiteKeeping::Replaced
    } else if only::<i64>(db, COUNT, ())? >= whole(most) {
        return Ok(Verdict::Undo(SiteKeeping::Full));
    } else {
        change(db, ADD, row)?;
        SiteKeeping::New
    };
    events::keep(db, event)?;
    Ok(Verdict::Keep(kept))
}

fn site(row: &mut Columns<'_>) -> Result<KeptSite, StoreFailed> {
    Ok(KeptSite { origin: row.take()?, document: row.take()?, changed_at: row.time()? })
}
