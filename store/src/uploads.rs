//! Sweeping up behind large bodies and attachments: what has begun and was not committed, chunks of what was, and what nobody can
//! read any more.

use crate::db::Fence;
use crate::entity::{attachment, large_body, message_attachment, upload};
use crate::log::upload::{CLEARED, COMMITTED, DROPPED, OPEN, SEAL_WAIT, body_name, chunks_name};
use crate::{Store, fault, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use tokenim_domain::Result;
use tokenim_domain::id::UploadId;
use tokenim_domain::meter::{RULE_VERSION, hour_of};

/// Milliseconds in which a body must be committed after it began.
pub const UPLOAD_MS_MAX: i64 = 24 * 3_600_000;
/// Milliseconds in which an attachment must be sent after its commit.
pub const UNSENT_MS_MAX: i64 = 24 * 3_600_000;
/// Milliseconds after which what was given up is deleted: a check that was under way then has put its object by now.
pub const GRACE_MS: i64 = 2 * SEAL_WAIT.as_millis() as i64;
/// Rows read at a time.
const SWEPT_MAX: u64 = 100;
/// Pages of each kind that one sweep takes; the rest waits for the next.
const PAGES_MAX: u64 = 50;

/// What was there at the hour, whenever it is asked: rows of bodies that went since stay for [`GRACE_MS`].
const SAMPLE: &str = "
INSERT INTO stored_hour (app_id, hour_ms, bytes, rule_version)
SELECT app_id, $1, CAST(SUM(bytes) AS BIGINT), $2 FROM (
    SELECT app_id, bytes, created_ms, dropped_ms FROM large_body
    UNION ALL SELECT app_id, bytes, created_ms, dropped_ms FROM attachment) AS kept
WHERE created_ms < $1 AND (dropped_ms IS NULL OR dropped_ms >= $1)
AND NOT EXISTS (SELECT 1 FROM app a WHERE a.id = kept.app_id AND a.deleted_ms < $1) GROUP BY app_id
ON CONFLICT (app_id, hour_ms) DO NOTHING";

/// What an app held that was deleted; of other things it has, bytes alone cost room.
const ABANDON: [&str; 3] = [
    "UPDATE upload SET state = 'dropped', dropped_ms = $1 WHERE state = 'open' AND app_id IN (SELECT id FROM app WHERE deleted_ms IS NOT NULL)",
    "UPDATE large_body SET dropped_ms = $1 WHERE dropped_ms IS NULL AND app_id IN (SELECT id FROM app WHERE deleted_ms IS NOT NULL)",
    "UPDATE attachment SET dropped_ms = $1 WHERE dropped_ms IS NULL AND app_id IN (SELECT id FROM app WHERE deleted_ms IS NOT NULL)",
];

impl Store {
    /// Sweeps once: up to [`PAGES_MAX`] pages of each kind. Each row says what is to be deleted before it is, and goes when it was; so a
    /// crash leaks nothing. What can't be deleted holds up nothing else.
    ///
    /// Errors: `unavailable`, `overloaded`, of the first step that failed; the next sweep goes on.
    pub async fn sweep_uploads(&self) -> Result<()> {
        let now = self.clock.now_ms();
        let steps = [
            self.abandon_deleted(now).await,
            self.expire_uploads(now).await,
            self.expire_unsent(now).await,
            self.sweep_dropped(now).await,
            self.clear_committed().await,
            self.sweep_bodies(now).await,
            self.sweep_attachments(now).await,
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

    /// Deletes what writes left half done that a crash ended; those that may be under way stay. It looks at every object, so once an
    /// hour is often enough.
    ///
    /// Errors: `unavailable`.
    pub async fn sweep_staged(&self) -> Result<()> {
        self.objects.delete_staged(self.clock.now_ms()).await
    }

    async fn abandon_deleted(&self, now: i64) -> Result<()> {
        for text in ABANDON {
            sql::run(&self.writer.within(Fence::Worker), text, [now.into()]).await.map_err(fault::query)?;
        }
        Ok(())
    }

    async fn expire_unsent(&self, now: i64) -> Result<()> {
        let late = attachment::Entity::update_many()
            .col_expr(attachment::Column::DroppedMs, Expr::value(now))
            .filter(attachment::Column::SentMs.is_null())
            .filter(attachment::Column::DroppedMs.is_null())
            .filter(attachment::Column::CreatedMs.lt(now - UNSENT_MS_MAX));
        late.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
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
        let found = upload::Entity::find()
            .filter(upload::Column::State.eq(DROPPED))
            .filter(upload::Column::DroppedMs.lt(now - GRACE_MS))
            .order_by_asc(upload::Column::DroppedMs);
        let done = |row: upload::Model| async move {
            self.objects.delete_all(&chunks_name(row.app_id, row.id)).await?;
            self.objects.delete(&body_name(row.app_id, row.id)).await?;
            self.forget_upload(&row).await
        };
        self.sweep(found, done).await
    }

    async fn clear_committed(&self) -> Result<()> {
        let found =
            upload::Entity::find().filter(upload::Column::State.eq(COMMITTED)).order_by_asc(upload::Column::CreatedMs);
        let done = |row: upload::Model| async move {
            self.objects.delete_all(&chunks_name(row.app_id, row.id)).await?;
            let cleared = upload::Entity::update_many()
                .col_expr(upload::Column::State, Expr::value(CLEARED))
                .filter(upload::Column::AppId.eq(row.app_id))
                .filter(upload::Column::Id.eq(row.id))
                // An attachment may have been given up meanwhile.
                .filter(upload::Column::State.eq(COMMITTED));
            cleared.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
        };
        self.sweep(found, done).await
    }

    async fn sweep_bodies(&self, now: i64) -> Result<()> {
        let found = large_body::Entity::find()
            .filter(large_body::Column::DroppedMs.lt(now - GRACE_MS))
            .order_by_asc(large_body::Column::DroppedMs);
        let done = |row: large_body::Model| async move {
            self.objects.delete(&body_name(row.app_id, row.object)).await?;
            let gone = large_body::Entity::delete_by_id((row.app_id, row.conversation_id, row.seq));
            gone.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
        };
        self.sweep(found, done).await
    }

    async fn sweep_attachments(&self, now: i64) -> Result<()> {
        let found = attachment::Entity::find()
            .filter(attachment::Column::DroppedMs.lt(now - GRACE_MS))
            .order_by_asc(attachment::Column::DroppedMs);
        let done = |row: attachment::Model| async move {
            self.objects.delete(&body_name(row.app_id, UploadId(row.id.0))).await?;
            // Messages carry it still where their app was deleted.
            let carried = message_attachment::Entity::delete_many()
                .filter(message_attachment::Column::AppId.eq(row.app_id))
                .filter(message_attachment::Column::Attachment.eq(row.id));
            carried.exec(&self.writer.within(Fence::Worker)).await.map_err(fault::query)?;
            let gone = attachment::Entity::delete_by_id((row.app_id, row.id));
            gone.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
        };
        self.sweep(found, done).await
    }

    /// Forgets what was cleared long ago, and looks once more for a chunk that was put while it was committed.
    async fn forget_cleared(&self, now: i64) -> Result<()> {
        let found = upload::Entity::find()
            .filter(upload::Column::State.eq(CLEARED))
            .filter(upload::Column::CreatedMs.lt(now - UPLOAD_MS_MAX))
            .order_by_asc(upload::Column::CreatedMs);
        let done = |row: upload::Model| async move {
            self.objects.delete_all(&chunks_name(row.app_id, row.id)).await?;
            self.forget_upload(&row).await
        };
        self.sweep(found, done).await
    }

    async fn forget_upload(&self, row: &upload::Model) -> Result<()> {
        let gone = upload::Entity::delete_by_id((row.app_id, row.id));
        gone.exec(&self.writer.within(Fence::Worker)).await.map(drop).map_err(fault::query)
    }

    /// Takes pages of rows that go, or change, as they are done; the next page begins behind those that could not be.
    ///
    /// Errors: the first of them.
    async fn sweep<E: EntityTrait, F: Future<Output = Result<()>>>(
        &self,
        found: Select<E>,
        done: impl Fn(E::Model) -> F,
    ) -> Result<()> {
        let (mut stuck, mut failed) = (0, None);
        for _ in 0..PAGES_MAX {
            let page = found.clone().offset(stuck).limit(SWEPT_MAX);
            let rows = page.all(&self.writer.within(Fence::Worker)).await.map_err(fault::query)?;
            let is_last = (rows.len() as u64) < SWEPT_MAX;
            for row in rows {
                if let Err(error) = done(row).await {
                    stuck += 1;
                    failed.get_or_insert(error);
                }
            }
            if is_last {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }
}
