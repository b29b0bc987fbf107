//! The attach gate: live events wait while the backlog is read, so that no seq is missed between the two.

use super::Chunk;
use bytes::Bytes;
use tokenim_domain::name::Conversation;

/// Chunks that may wait.
const CHUNKS_MAX: usize = 2_048;
/// Pushes that may wait.
const PUSHES_MAX: usize = 64;
/// Bytes that may wait.
const BYTES_MAX: usize = 1024 * 1024;

/// Events that came while the connection attached.
#[derive(Debug, Default)]
pub struct Gate {
    waiting: Vec<Chunk>,
    pushes: Vec<Bytes>,
    bytes: usize,
    overflown: bool,
}

/// What waited at a gate.
#[derive(Debug)]
pub struct Waited {
    /// Events above what the backlog holds, in order.
    pub chunks: Vec<Chunk>,
    /// Pushes that must arrive, like `resync`: the backlog may have been read before what they are about.
    pub pushes: Vec<Bytes>,
}

impl Gate {
    /// Keeps a chunk until the gate opens. Past the bounds everything is let go and the attach fails as a whole.
    pub fn wait(&mut self, chunk: Chunk) {
        self.bytes += chunk.bytes.len();
        if self.overflown || self.waiting.len() >= CHUNKS_MAX || self.bytes > BYTES_MAX {
            self.overflown = true;
            self.waiting = Vec::new();
        } else {
            self.waiting.push(chunk);
        }
    }

    /// Keeps a push that must arrive until the gate opens.
    pub fn push(&mut self, push: Bytes) {
        self.overflown |= self.pushes.len() >= PUSHES_MAX;
        if !self.overflown {
            self.pushes.push(push);
        }
    }

    /// What waited, of the events those above the heads; `None` if the gate overflowed.
    ///
    /// A chunk that straddles a head is kept whole: the client drops seqs it holds.
    #[must_use]
    pub fn above(self, heads: &[(Conversation, i64)]) -> Option<Waited> {
        let is_above = |chunk: &Chunk| {
            heads
                .iter()
                .find(|(conversation, _)| *conversation == chunk.conversation)
                .is_none_or(|(_, head)| chunk.last > *head)
        };
        (!self.overflown)
            .then(|| Waited { chunks: self.waiting.into_iter().filter(is_above).collect(), pushes: self.pushes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn chunk(conversation: &str, last: i64, bytes: usize) -> Chunk {
        let (conversation, bytes) = (Conversation::trusted(conversation), Bytes::from(vec![0; bytes]));
        Chunk { conversation, epoch: 1, first: last, last, messages: 1, bytes }
    }

    #[test]
    fn what_the_backlog_holds_is_not_released_again() {
        let mut gate = Gate::default();
        for seq in 1..=5 {
            gate.wait(chunk("a", seq, 1));
            gate.wait(chunk("b", seq, 1));
        }
        let seqs: Vec<_> = gate
            .above(&[(Conversation::trusted("a"), 3)])
            .unwrap()
            .chunks
            .iter()
            .map(|c| (c.conversation.as_str().to_owned(), c.last))
            .collect();
        let of = |name: &str| seqs.iter().filter(|(n, _)| n == name).map(|(_, seq)| *seq).collect::<Vec<_>>();
        assert_eq!((of("a"), of("b")), (vec![4, 5], vec![1, 2, 3, 4, 5]));
    }

    #[test]
    fn overflow_fails_the_attach_and_holds_nothing() {
        let mut gate = Gate::default();
        gate.wait(chunk("a", 1, BYTES_MAX));
        gate.wait(chunk("a", 2, 1));
        assert!(gate.waiting.is_empty());
        assert!(gate.above(&[]).is_none());
        let mut gate = Gate::default();
        (1..=2_049).for_each(|seq| gate.wait(chunk("a", seq, 1)));
        assert!(gate.above(&[]).is_none());
        let mut gate = Gate::default();
        (0..PUSHES_MAX).for_each(|_| gate.push(Bytes::from_static(b"p")));
        gate.push(Bytes::from_static(b"p"));
        assert!(gate.above(&[]).is_none());
    }
}
