//! Protected sites in PostgreSQL.

use async_trait::async_trait;
use doorward_core::event::Event;

use super::acts::{Acted, Verdict};
use super::columns::{Columns, a_count, all, change, only, params, whole};
use super::link::Link;
use super::{PostgresStore, events};
use crate::Sites;
use crate::act::{KeptSite, SiteKeeping, StoreFailed};

#[async_trait]
impl Sites for PostgresStore {
    async fn sites(&self) -> Result<Vec<KeptSite>, StoreFailed> {
        const ALL: &str = "SELECT origin, document, changed_at FROM site ORDER BY origin";
        self.readers.read(|db| async move { all(&db, ALL, &[], site).await }).await
    }

    async fn keep_site(
        &self,
        site: KeptSite,
        most: u64,
        event: Event,
    ) -> Result<SiteKeeping, StoreFailed> {
        self.acts
            .act((site, event), move |db, asked| async move {
                let (site, event) = &*asked;
                keep(&db, site, most, event).await
            })
            .await
    }

    async fn remove_site(&self, origin: &str, event: Event) -> Result<bool, StoreFailed> {
        const REMOVE: &str = "DELETE FROM site WHERE origin = $1";
        self.acts
            .act((origin.to_owned(), event), |db, asked| async move {
                if change(&db, REMOVE, params![asked.0]).await? == 0 {
                    return Ok(Verdict::Undo(false));
                }
                events::keep(&db, &asked.1).await?;
                Ok(Verdict::Keep(true))
            })
            .await
    }
}

async fn keep(db: &Link, site: &KeptSite, most: u64, event: &Event) -> Acted<SiteKeeping> {
    const REPLACE: &str = "UPDATE site SET document = $2, changed_at = $3 WHERE origin = $1";
    const COUNT: &str = "SELECT count(*) FROM site";
    const ADD: &str = "INSERT INTO site (origin, document, changed_at) VALUES ($1, $2, $3)";
    // One at a time, so that they can be counted.
    db.perform("LOCK TABLE site IN SHARE ROW EXCLUSIVE MODE").await?;
    let row = params![site.origin, site.document, whole(site.changed_at.0)];
    let kept = if change(db, REPLACE, row).await? == 1 {
        SiteKeeping::Replaced
    } else if only(db, COUNT, &[], a_count).await? >= most {
        return Ok(Verdict::Undo(SiteKeeping::Full));
    } else {
        change(db, ADD, row).await?;
        SiteKeeping::New
    };
    events::keep(db, event).await?;
    Ok(Verdict::Keep(kept))
}

fn site(row: &mut Columns<'_>) -> Result<KeptSite, StoreFailed> {
    Ok(KeptSite { origin: row.take()?, document: row.take()?, changed_at: row.time()? })
}
