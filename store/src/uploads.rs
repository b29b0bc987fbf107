//! Sweeping up behind large bodies: what has begun and was not committed, chunks of what was, and bodies nobody can read.

use crate::db::Fence;
use crate::entity::{large_body, upload};
use crate::log::upload::{CLEARED, COMMITTED, DROPPED, OPEN, SEAL_WAIT, body_name, chunks_name};
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokenim_domain::meter::{RULE_VERSION, hour_of};
use tokenim_domain::{Error, Result};

/// Milliseconds in which a body must be committed after it began.
pub const UPLOAD_MS_MAX: i64 = 24 * 3_600_000;
/// Milliseconds after which what was given up is deleted: a check that was under way then has put its object by now.
pub const GRACE_MS: i64 = 2 * SEAL_WAIT.as_millis() as i64;
/// Rows read at a time.
const SWEPT_MAX: u64 = 100;
/// Pages of each kind that one sweep takes; the rest waits for the next.
const PAGES_MAX: u64 = 50;

/// What was there at the hour, whenever it is asked: rows of bodies that went since stay for [`GRACE_MS`].
const SAMPLE: &str = "
INSERT INTO stored_hour (app_id, hour_ms, bytes, rule_version)
SELECT app_id, $1, CAST(SUM(bytes) AS BIGINT), $2 FROM large_body
WHERE created_ms < $1 AND (dropped_ms IS NULL OR dropped_ms >= $1) GROUP BY app_id
ON CONFLICT (app_id, hour_ms) DO NOTHING";

impl Store {
    /// Sweeps once: up to [`PAGES_MAX`] pages of each kind. Each row says what is to be deleted before it is, and goes when it was; so a
    /// crash leaks nothing. What can't be deleted holds up nothing else.
    ///
    /// Errors: `unavailable`, `overloaded`, of the first step that failed; the next sweep goes on.
    pub async fn sweep_uploads(&self) -> Result<()> {
        let now = self.clock.now_ms();
        let steps = [
            self.expire_uploads(now).await,
            self.sweep_dropped(now).await,
            self.clear_committed().await,
            self.sweep_bodies(now).await,
            self.forget_cleared(now).await,
        ];
        steps.into_iter().collect()
    }

    /// Samples what each app kept at the last full hour. Told again for the same hour, it changes nothing.
    ///
    /// Errors: `unavailable`, `overloaded`; nothing is sampled then.
    pub async fn sample_stored(&self) -> Result<()> {
        let values = [hour_of(self.clock.now_ms()).into(), i64::from(RULE_VERSION).into()];
        let on = self.writer.within(Fence::Worker);
        sql::run(&on, SAMPLE, values).await.map(drop).map_err(fault::query)
    }

    async fn expire_uploads(&self, now: i64) -> Result<()> {
        let late = upload::Entity::update_many()
            .col_expr(upload::Column::State, Expr::value(DROPPED))
            .col_expr(upload::Column::DroppedMs, Expr::value(now))
            .filter(upload::Column::State.eq(OPEN))
            .filter(upload::Column::CreatedMs.lt(now - UPLOAD_MS_MAX));
        late.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
    }

    async fn sweep_dropped(&self, now: i64) -> Result<()> {
        let on = self.writer.within(Fence::Worker);
        let found = upload::Entity::find()
            .filter(upload::Column::State.eq(DROPPED))
            .filter(upload::Column::DroppedMs.lt(now - GRACE_MS))
            .order_by_asc(upload::Column::DroppedMs);
        let mut pages = Pages::default();
        while let Some(at) = pages.next() {
            let rows = found.clone().offset(at).limit(SWEPT_MAX).all(&on).await.map_err(fault::query)?;
            pages.read(rows.len());
            for row in rows {
                let chunks = self.objects.delete_all(&chunks_name(row.app_id, row.id)).await;
                let gone = match chunks {
                    Ok(()) => self.objects.delete(&body_name(row.app_id, row.id)).await,
                    Err(error) => Err(error),
                };
                if pages.is_done(gone) {
                    upload::Entity::delete_by_id((row.app_id, row.id)).exec(&on).await.map_err(fault::query)?;
                }
            }
        }
        pages.end()
    }

    async fn clear_committed(&self) -> Result<()> {
        let on = self.writer.within(Fence::Worker);
        let found =
            upload::Entity::find().filter(upload::Column::State.eq(COMMITTED)).order_by_asc(upload::Column::CreatedMs);
        let mut pages = Pages::default();
        while let Some(at) = pages.next() {
            let rows = found.clone().offset(at).limit(SWEPT_MAX).all(&on).await.map_err(fault::query)?;
            pages.read(rows.len());
            for row in rows {
                if pages.is_done(self.objects.delete_all(&chunks_name(row.app_id, row.id)).await) {
                    let cleared = upload::Entity::update_many()
                        .col_expr(upload::Column::State, Expr::value(CLEARED))
                        .filter(upload::Column::AppId.eq(row.app_id))
                        .filter(upload::Column::Id.eq(row.id));
                    cleared.exec(&on).await.map_err(fault::query)?;
                }
            }
        }
        pages.end()
    }

    async fn sweep_bodies(&self, now: i64) -> Result<()> {
        let on = self.writer.within(Fence::Worker);
        let found = large_body::Entity::find()
            .filter(large_body::Column::DroppedMs.lt(now - GRACE_MS))
            .order_by_asc(large_body::Column::DroppedMs);
        let mut pages = Pages::default();
        while let Some(at) = pages.next() {
            let rows = found.clone().offset(at).limit(SWEPT_MAX).all(&on).await.map_err(fault::query)?;
            pages.read(rows.len());
            for row in rows {
                if pages.is_done(self.objects.delete(&body_name(row.app_id, row.object)).await) {
                    let row = large_body::Entity::delete_by_id((row.app_id, row.conversation_id, row.seq));
                    row.exec(&on).await.map_err(fault::query)?;
                }
            }
        }
        pages.end()
    }

    /// Forgets what was cleared long ago, and looks once more for a chunk that was put while it was committed.
    async fn forget_cleared(&self, now: i64) -> Result<()> {
        let on = self.writer.within(Fence::Worker);
        let found = upload::Entity::find()
            .filter(upload::Column::State.eq(CLEARED))
            .filter(upload::Column::CreatedMs.lt(now - UPLOAD_MS_MAX))
            .order_by_asc(upload::Column::CreatedMs);
        let mut pages = Pages::default();
        while let Some(at) = pages.next() {
            let rows = found.clone().offset(at).limit(SWEPT_MAX).all(&on).await.map_err(fault::query)?;
            pages.read(rows.len());
            for row in rows {
                if pages.is_done(self.objects.delete_all(&chunks_name(row.app_id, row.id)).await) {
                    upload::Entity::delete_by_id((row.app_id, row.id)).exec(&on).await.map_err(fault::query)?;
                }
            }
        }
        pages.end()
    }
}

/// The pages of a step, whose rows go as they are done: the next page begins behind those that could not be.
#[derive(Default)]
struct Pages {
    read: u64,
    stuck: u64,
    is_last: bool,
    failed: Option<Error>,
}

impl Pages {
    /// How many rows to skip; `None` = enough for this sweep.
    fn next(&self) -> Option<u64> {
        (!self.is_last && self.read < PAGES_MAX).then_some(self.stuck)
    }

    fn read(&mut self, rows: usize) {
        self.read += 1;
        self.is_last = (rows as u64) < SWEPT_MAX;
    }

    fn is_done(&mut self, deleted: Result<()>) -> bool {
        deleted
            .map_err(|error| {
                self.stuck += 1;
                self.failed.get_or_insert(error);
            })
            .is_ok()
    }

    fn end(self) -> Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}
