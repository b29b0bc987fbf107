//! `history`: a page of one conversation's events.

use super::Call;
use crate::encode;
use tokenim_domain::log::{From, MessageLog, RangeQuery};
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_domain::{Code, Error, Result};
use tokenim_protocol::command::History;
use tokenim_protocol::limits::{
    EVENT_OVERHEAD_BYTES_MAX, HISTORY_PAGE_DEFAULT, HISTORY_PAGE_MAX, SERVER_FRAME_BYTES_MAX,
};

/// Reads a page that fits one server frame.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let history: History<'_> = call.fields()?;
    let conversation = Conversation::parse(&history.conversation)?;
    call.allow(&conversation, Cap::Read)?;
    let limit = history.limit.unwrap_or(HISTORY_PAGE_DEFAULT);
    if !(1..=HISTORY_PAGE_MAX).contains(&limit) {
        return Err(Error::invalid("limit", format!("`limit` must be 1 to {HISTORY_PAGE_MAX}")));
    }
    let query = RangeQuery {
        app: call.session.identity.app,
        conversation,
        viewer: Some(call.session.identity.user.clone()),
        thread: history.thread,
        from: from(&history)?,
        limit,
        bytes_max: SERVER_FRAME_BYTES_MAX - limit as usize * EVENT_OVERHEAD_BYTES_MAX,
    };
    let log = call.gateway.inner.log.clone();
    call.later(async move { Ok(encode::page(&log.read_range(query).await?)) });
    Ok(())
}

fn from(history: &History<'_>) -> Result<From> {
    let places = [("after", history.after), ("before", history.before), ("around", history.around)];
    if let Some((name, _)) = places.into_iter().find(|(_, seq)| seq.is_some_and(|seq| seq < 0)) {
        return Err(Error::invalid(name, format!("`{name}` is a seq, 0 or more")));
    }
    match (history.after, history.before, history.around) {
        (None, None, None) => Ok(From::Newest),
        (Some(seq), None, None) => Ok(From::After(seq)),
        (None, Some(seq), None) => Ok(From::Before(seq)),
        (None, None, Some(seq)) => Ok(From::Around(seq)),
        _ => Err(Error::new(Code::InvalidRequest).says("give at most one of `after`, `before` and `around`")),
    }
}
