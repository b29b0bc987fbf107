//! Where connections ring that have something queued: one bell for each thread that serves sockets, so that a fan-out to a
//! thousand of them wakes one task and not a thousand.

use std::sync::{Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// The bell of a thread. Each connection stands in its list once at most, so there are no more than it has sockets.
#[derive(Debug, Default)]
pub struct Bell {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Seats, in the order in which they rang.
    rung: Vec<u64>,
    /// Whoever waits for the first.
    waker: Option<Waker>,
}

impl Bell {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder panics")
    }

    /// Has a seat served soon. The caller sees to it that it is in the list once.
    pub(super) fn ring(&self, seat: u64) {
        let mut inner = self.inner();
        inner.rung.push(seat);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes all that have rung, into an empty list. Ready once there are some.
    pub fn poll_take(&self, rung: &mut Vec<u64>, context: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.inner();
        if inner.rung.is_empty() {
            inner.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        std::mem::swap(&mut inner.rung, rung);
        Poll::Ready(())
    }
}
