//! What a connection was not sent of a conversation, so that nothing of it counts as delivered, and all else does.

use tokenim_domain::log::Since;
use tokenim_domain::name::Conversation;

/// Of a passive connection nobody notes which was the first event it was not sent: nothing before it counts.
pub(super) const UNKNOWN: i64 = 0;
/// Parts that were sent and not acknowledged, of one conversation; of more the first are let go, and count nothing.
const PARTS_MAX: usize = 16;

/// Conversations of which something was withheld. They are looked through: each leaves once what comes after is acknowledged.
#[derive(Debug, Default)]
pub(super) struct AllWithheld(Vec<Withheld>);

/// What was withheld of one conversation, between the parts that were sent.
#[derive(Debug)]
struct Withheld {
    conversation: Conversation,
    /// What was sent before something was withheld and is not acknowledged, oldest first.
    sent: Vec<Part>,
    /// Seq above which it is sent everything again; `None` while it is not.
    until: Option<i64>,
}

#[derive(Debug)]
struct Part {
    /// Seq above which it was sent; `None` = as where nothing was withheld.
    above: Option<i64>,
    to: i64,
}

impl AllWithheld {
    fn get(&self, conversation: &Conversation) -> Option<&Withheld> {
        self.0.iter().find(|it| it.conversation == *conversation)
    }

    fn find(&mut self, conversation: &Conversation) -> Option<&mut Withheld> {
        self.0.iter_mut().find(|it| it.conversation == *conversation)
    }

    /// Notes that events from a seq on are not sent.
    pub(super) fn withhold(&mut self, conversation: &Conversation, from: i64) {
        let Some(it) = self.find(conversation) else {
            // Most connections are passive in few large conversations, and many connections are.
            self.0.reserve_exact(1);
            let sent = if from == UNKNOWN { Vec::new() } else { vec![Part { above: None, to: from - 1 }] };
            self.0.push(Withheld { conversation: conversation.clone(), sent, until: None });
            return;
        };
        match it.until.take() {
            Some(_) if from == UNKNOWN => it.sent.clear(),
            Some(until) if until < from - 1 => it.sent.push(Part { above: Some(until), to: from - 1 }),
            _ => {}
        }
        if it.sent.len() > PARTS_MAX {
            it.sent.remove(0);
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
        let it = self.get(conversation)?;
        match it.sent.iter().find(|part| seq <= part.to) {
            Some(part) => part.above.map(Since::Above),
            // While it is withheld nothing from there on was sent.
            None => Some(Since::Above(it.until.unwrap_or(i64::MAX))),
        }
    }

    /// Where the parts end that were sent before something was withheld, where a move up to `seq` goes over them: a move counts
    /// from one seq on, so each is moved to by itself.
    pub(super) fn sent_before(&self, conversation: &Conversation, seq: i64) -> Vec<i64> {
        let sent = self.get(conversation).map_or(&[][..], |it| &it.sent);
        sent.iter().map(|part| part.to).filter(|to| *to < seq).collect()
    }

    /// Notes that a move up to a seq is committed. What lies below it needs no remembering: a cursor never goes back.
    pub(super) fn settle(&mut self, conversation: &Conversation, seq: i64) {
        let Some(at) = self.0.iter().position(|it| it.conversation == *conversation) else { return };
        let it = &mut self.0[at];
        it.sent.retain(|part| part.to > seq);
        if it.sent.is_empty() && it.until.is_some_and(|until| until <= seq) {
            self.0.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_before_and_after_counts_and_what_was_withheld_does_not() {
        let (mut all, c) = (AllWithheld::default(), Conversation::trusted("c"));
        assert_eq!((all.since(&c, 9), all.sent_before(&c, 9)), (None, vec![]));
        all.withhold(&c, 5);
        all.withhold(&c, 6);
        assert_eq!((all.since(&c, 4), all.sent_before(&c, 4)), (None, vec![]), "sent as ever");
        assert_eq!((all.since(&c, 7), all.sent_before(&c, 7)), (Some(Since::Above(i64::MAX)), vec![4]));
        all.resume(&c, 8);
        all.resume(&c, 11);
        assert_eq!((all.since(&c, 12), all.sent_before(&c, 12)), (Some(Since::Above(8)), vec![4]));
        // Once more, with nothing acknowledged between.
        all.withhold(&c, 15);
        assert_eq!((all.since(&c, 14), all.sent_before(&c, 20)), (Some(Since::Above(8)), vec![4, 14]));
        assert_eq!((all.since(&c, 3), all.since(&c, 20)), (None, Some(Since::Above(i64::MAX))));
        all.settle(&c, 12);
        assert_eq!(all.sent_before(&c, 20), [14]);
        all.settle(&c, 20);
        assert_eq!(all.since(&c, 21), Some(Since::Above(i64::MAX)), "still withheld");
        all.resume(&c, 22);
        all.settle(&c, 22);
        assert!(all.0.is_empty());
    }

    #[test]
    fn before_what_a_passive_connection_was_not_sent_nothing_counts() {
        let (mut all, c) = (AllWithheld::default(), Conversation::trusted("c"));
        all.withhold(&c, UNKNOWN);
        all.resume(&c, 8);
        assert_eq!((all.since(&c, 4), all.sent_before(&c, 9)), (Some(Since::Above(8)), vec![]));
        all.withhold(&c, 12);
        all.resume(&c, 13);
        all.withhold(&c, UNKNOWN);
        assert_eq!((all.since(&c, 14), all.sent_before(&c, 14)), (Some(Since::Above(i64::MAX)), vec![]));
    }
}
