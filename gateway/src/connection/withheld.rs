//! What a connection was not sent of a conversation, so that nothing of it counts as delivered, and all else does.

use tokenim_domain::log::Since;
use tokenim_domain::name::Conversation;

/// Of a passive connection nobody notes which was the first event it was not sent: nothing before it counts.
pub(super) const UNKNOWN: i64 = 0;

/// Conversations of which something was withheld; a connection has few, so they are looked through.
#[derive(Debug, Default)]
pub(super) struct AllWithheld(Vec<Withheld>);

/// What was withheld of one conversation, the last time.
#[derive(Debug)]
struct Withheld {
    conversation: Conversation,
    /// Seq above which it was sent everything before that; `None` = as where nothing was withheld.
    sent_above: Option<i64>,
    /// The first seq that was withheld, or [`UNKNOWN`].
    from: i64,
    /// Seq above which it is sent everything again; `None` while it is not.
    until: Option<i64>,
}

impl AllWithheld {
    fn find(&mut self, conversation: &Conversation) -> Option<&mut Withheld> {
        self.0.iter_mut().find(|it| it.conversation == *conversation)
    }

    /// Notes that events from a seq on are not sent.
    pub(super) fn withhold(&mut self, conversation: &Conversation, from: i64) {
        match self.find(conversation) {
            Some(it) => {
                if let Some(until) = it.until.take() {
                    (it.sent_above, it.from) = (Some(until), from);
                }
            }
            None => {
                // Most connections are passive in few large conversations, and many connections are.
                self.0.reserve_exact(1);
                self.0.push(Withheld { conversation: conversation.clone(), sent_above: None, from, until: None });
            }
        }
    }

    /// Notes that events above a seq are sent again, where some were withheld.
    pub(super) fn resume(&mut self, conversation: &Conversation, above: i64) {
        if let Some(it) = self.find(conversation) {
            it.until.get_or_insert(above);
        }
    }

    /// Since when it was sent what is up to a seq; `None` where nothing was withheld before that.
    pub(super) fn since(&self, conversation: &Conversation, seq: i64) -> Option<Since> {
        let it = self.0.iter().find(|it| it.conversation == *conversation)?;
        match seq < it.from {
            true => it.sent_above.map(Since::Above),
            // While it is withheld nothing from there on was sent.
            false => Some(Since::Above(it.until.unwrap_or(i64::MAX))),
        }
    }

    /// The last seq before what was withheld, where a move up to `seq` goes over both.
    pub(super) fn sent_before(&self, conversation: &Conversation, seq: i64) -> Option<i64> {
        let it = self.0.iter().find(|it| it.conversation == *conversation)?;
        (it.from > UNKNOWN + 1 && seq >= it.from).then_some(it.from - 1)
    }

    /// Notes that what was sent before is acknowledged.
    pub(super) fn settle(&mut self, conversation: &Conversation) {
        if let Some(it) = self.find(conversation) {
            it.from = UNKNOWN;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_and_after_counts_and_what_was_withheld_does_not() {
        let (mut all, c) = (AllWithheld::default(), Conversation::trusted("c"));
        assert_eq!((all.since(&c, 9), all.sent_before(&c, 9)), (None, None));
        all.withhold(&c, 5);
        all.withhold(&c, 6);
        assert_eq!((all.since(&c, 4), all.sent_before(&c, 4)), (None, None), "sent as ever");
        assert_eq!((all.since(&c, 7), all.sent_before(&c, 7)), (Some(Since::Above(i64::MAX)), Some(4)));
        all.resume(&c, 8);
        all.resume(&c, 11);
        assert_eq!((all.since(&c, 12), all.sent_before(&c, 12)), (Some(Since::Above(8)), Some(4)));
        all.settle(&c);
        assert_eq!((all.since(&c, 12), all.sent_before(&c, 12)), (Some(Since::Above(8)), None));
        all.withhold(&c, 15);
        assert_eq!((all.since(&c, 14), all.sent_before(&c, 20)), (Some(Since::Above(8)), Some(14)));
        assert_eq!(all.since(&c, 20), Some(Since::Above(i64::MAX)));
    }
}
