//! `receipts`: how many have read or received a message, and who has or has not.

use super::{Call, page_after};
use crate::encode;
use tokenim_domain::log::{MessageLog, ReceiptsQuery};
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Error, Result};
use tokenim_protocol::command::Receipts;
use tokenim_protocol::limits::MEMBERS_PAGE_MAX;

/// Reads counts, and a page where `who` is given.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let fields: Receipts<'_> = call.fields()?;
    let conversation = Conversation::parse(&fields.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let limit = fields.limit.unwrap_or(MEMBERS_PAGE_MAX);
    if !(1..=MEMBERS_PAGE_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("`limit` must be 1 to {MEMBERS_PAGE_MAX}")));
    }
    let query = ReceiptsQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        seq: fields.seq,
        state: ReceiptsQuery::state_of(fields.state.as_deref())?,
        has: ReceiptsQuery::has_of(fields.who.as_deref())?,
        after: fields.page.as_deref().map(page_after).transpose()?,
        limit,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move {
        let has_page = query.has.is_some();
        let receipts = log.receipts(query).await?;
        Ok(encode::receipts(&receipts, has_page))
    });
    Ok(())
}
