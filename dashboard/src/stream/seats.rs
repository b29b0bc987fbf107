//! How many streams a console session and this node may hold; the oldest of a session makes room for a new one.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokenim_domain::id::SessionId;
use tokio::sync::watch;

/// Streams of one console session; hidden tabs hold none.
const SESSION_STREAMS_MAX: usize = 3;
/// Streams of one node: an open connection each.
const NODE_STREAMS_MAX: usize = 10_000;

/// What a stream is told from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A newer stream of the session needs the place.
    Leave,
    /// The session may have ended.
    CheckAgain,
}

/// Places taken, by session.
#[derive(Default)]
pub(crate) struct Seats {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    by_session: HashMap<SessionId, Vec<Place>>,
    count: usize,
    last_number: u64,
}

struct Place {
    number: u64,
    orders: watch::Sender<Option<Order>>,
}

/// One stream's place; given back when dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    session: SessionId,
    number: u64,
    orders: watch::Receiver<Option<Order>>,
}

impl Seats {
    /// Takes a place; none where the node has no more.
    pub(crate) fn take(self: &Arc<Self>, session: SessionId) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.count >= NODE_STREAMS_MAX {
            return None;
        }
        taken.count += 1;
        taken.last_number += 1;
        let number = taken.last_number;
        let (sender, orders) = watch::channel(None);
        let places = taken.by_session.entry(session).or_default();
        places.push(Place { number, orders: sender });
        let surplus = places.len().saturating_sub(SESSION_STREAMS_MAX);
        for place in &places[..surplus] {
            place.orders.send_replace(Some(Order::Leave));
        }
        Some(Seat { seats: Arc::clone(self), session, number, orders })
    }

    /// Tells the streams of a session to look whether it still holds.
    pub(crate) fn check_again(&self, session: SessionId) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for place in taken.by_session.get(&session).into_iter().flatten() {
            place.orders.send_replace(Some(Order::CheckAgain));
        }
    }

    /// The same for several.
    pub(crate) fn check_all_again(&self, sessions: &[SessionId]) {
        sessions.iter().for_each(|session| self.check_again(*session));
    }
}

impl Seat {
    /// Waits for the next order; safe to abandon.
    pub(crate) async fn order(&mut self) -> Order {
        loop {
            if self.orders.changed().await.is_err() {
                return Order::Leave;
            }
            if let Some(order) = *self.orders.borrow_and_update() {
                return order;
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.count = taken.count.saturating_sub(1);
        let Some(places) = taken.by_session.get_mut(&self.session) else { return };
        places.retain(|place| place.number != self.number);
        if places.is_empty() {
            taken.by_session.remove(&self.session);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokenim_domain::{clock::SystemClock, rng::SystemRng};

    use super::*;

    fn session() -> SessionId {
        SessionId::new(&SystemClock::new(), &SystemRng)
    }

    #[actix_web::test]
    async fn the_fourth_stream_of_a_session_takes_the_place_of_the_first() {
        let seats = Arc::<Seats>::default();
        let one = session();
        let mut held: Vec<Seat> = (0..4).filter_map(|_| seats.take(one)).collect();
        assert_eq!(held[0].order().await, Order::Leave);
        assert!(!held[1].orders.has_changed().unwrap());
        let other = seats.take(session()).unwrap();
        assert!(!other.orders.has_changed().unwrap());
    }

    #[actix_web::test]
    async fn dropped_seats_leave_nothing_behind() {
        let seats = Arc::<Seats>::default();
        let one = session();
        let mut seat = seats.take(one).unwrap();
        seats.check_again(one);
        assert_eq!(seat.order().await, Order::CheckAgain);
        drop(seat);
        let taken = seats.taken.lock().unwrap();
        assert!(taken.by_session.is_empty() && taken.count == 0);
    }
}
