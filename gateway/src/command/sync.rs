//! `sync`: the directory of the user's conversations, the most recently changed first.

use super::recover::{Heads, Outcome, epoch_first, heads, outcome};
use super::{Call, no_page};
use crate::encode;
use tokenim_domain::Result;
use tokenim_domain::log::{DirectoryCursor, DirectoryQuery, Entry, MessageLog, Standing};
use tokenim_domain::name::Conversation;
use tokenim_domain::token::caps::Cap;
use tokenim_protocol::command::Sync;
use tokenim_protocol::grammar::is_id;
use tokenim_protocol::limits::{DIRECTORY_PAGE_MAX, SERVER_FRAME_BYTES_MAX};
use tokenim_protocol::reply::Json;

/// Bytes of conversations after which a page ends: one more, whose name is long and whose last event is large, still fits the frame.
const PAGE_BYTES_MAX: usize = SERVER_FRAME_BYTES_MAX - 32 * 1024;

/// Reads one page of the directory.
///
/// A conversation that changes between two pages moves to the front; its change reaches the connection as a push.
pub fn run<L: MessageLog>(call: &Call<'_, L>) -> Result<()> {
    let sync: Sync<'_> = call.fields()?;
    let heads = heads(sync.heads)?;
    let after = sync.page.as_deref().map(cursor).transpose()?;
    let (session, log) = (call.session.clone(), call.gateway.inner.log.clone());
    call.later(async move {
        let identity = &session.identity;
        let query = DirectoryQuery {
            app: identity.app,
            user: identity.user.clone(),
            after,
            limit: DIRECTORY_PAGE_MAX,
            held: held(&heads),
        };
        let entries = log.directory(query).await?;
        Ok(page(&entries, &heads, |entry| identity.allows(entry.at.conversation.as_str(), Cap::Read)))
    });
    Ok(())
}

/// The heads that may be those of a conversation.
fn held(heads: &Heads) -> Vec<(String, i64, i64)> {
    let named = heads.iter().filter(|(name, _)| is_id(name));
    named.map(|(name, (epoch, seq))| (name.clone(), *epoch, *seq)).collect()
}

fn page(entries: &[Entry], heads: &Heads, visible: impl Fn(&Entry) -> bool) -> String {
    let mut out = String::from("{\"conversations\":[");
    let start = out.len();
    let mut told = 0;
    for entry in entries {
        if out.len() > PAGE_BYTES_MAX {
            break;
        }
        told += 1;
        if !visible(entry) {
            continue;
        }
        out.raw(if out.len() > start { "," } else { "" });
        encode::write_entry(&mut out, entry);
        if let Some(at) = heads.get(entry.at.conversation.as_str()) {
            write_outcome(&mut out, &entry.at, *at);
        }
        out.raw("}");
    }
    let more = entries[..told].last().filter(|_| told < entries.len() || entries.len() == DIRECTORY_PAGE_MAX);
    out.raw("],\"done\":").raw(if more.is_none() { "true" } else { "false" });
    if let Some(last) = more {
        out.raw(",\"next\":").quoted(&format!("{}:{}", last.last_ms, last.at.conversation));
    }
    out.raw("}");
    out
}

/// What a client that stands there has to do. Nothing follows a `sync`, so whoever is behind pages what it missed.
fn write_outcome(out: &mut String, standing: &Standing, at: (i64, i64)) {
    let outcome = match outcome(standing, at) {
        Outcome::Recovered if at.1.max(standing.first - 1) < standing.head => Outcome::TooFar,
        outcome => outcome,
    };
    out.raw(",\"outcome\":").quoted(outcome.as_str());
    if outcome == Outcome::EpochChanged {
        out.raw(",\"epoch_first\":").int(epoch_first(standing, at));
    }
}

/// A cursor is `<last_ms>:<conversation>`; it names nothing the user can't see.
fn cursor(text: &str) -> Result<DirectoryCursor> {
    let parsed = text.split_once(':').and_then(|(ms, name)| {
        Some(DirectoryCursor { last_ms: ms.parse().ok()?, conversation: Conversation::parse(name).ok()? })
    });
    parsed.ok_or_else(no_page)
}
