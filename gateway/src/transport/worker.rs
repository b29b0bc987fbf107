//! What serves the sockets of one thread when their connections ring: a single task writes for all of them.

use super::socket::Seated;
use crate::connection::bell::Bell;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use tokio::task::{coop, yield_now};

/// Sockets that are written to before those that can be read get their turn.
const RINGS_PER_TURN: usize = 128;

thread_local! {
    static WORKER: Worker = Worker::default();
}

/// The sockets of this thread.
#[derive(Default)]
struct Worker {
    bell: Arc<Bell>,
    /// By seat.
    sockets: RefCell<HashMap<u64, Rc<Seated>>>,
    last_seat: Cell<u64>,
    /// Whether its task runs. A runtime that ends takes the task along; the next one on this thread starts another.
    is_running: Cell<bool>,
}

/// The place of a socket among those of its thread, until it is dropped.
pub(super) struct Seat(u64);

impl Drop for Seat {
    fn drop(&mut self) {
        // A thread that ends has dropped them all.
        let _ = WORKER.try_with(|worker| worker.sockets.borrow_mut().remove(&self.0));
    }
}

/// Has a socket served by this thread when its connection rings.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread's task ends with its runtime, and holds nothing that is lost with it"
)]
pub(super) fn sit(socket: &Rc<Seated>) -> Seat {
    WORKER.with(|worker| {
        if !worker.is_running.replace(true) {
            actix_rt::spawn(coop::unconstrained(answer(worker.bell.clone())));
        }
        let seat = worker.last_seat.get() + 1;
        worker.last_seat.set(seat);
        worker.sockets.borrow_mut().insert(seat, socket.clone());
        socket.connection.sit(worker.bell.clone(), seat);
        Seat(seat)
    })
}

/// Serves whoever rings, for as long as the thread's runtime runs. It yields by itself, so the runtime's budget, which
/// would end its turn amid a fan-out, is not applied.
async fn answer(bell: Arc<Bell>) {
    let _running = Running;
    let mut rung = Vec::new();
    loop {
        poll_fn(|context| bell.poll_take(&mut rung, context)).await;
        for portion in rung.chunks(RINGS_PER_TURN) {
            portion.iter().for_each(|seat| serve(*seat));
            yield_now().await;
        }
        rung.clear();
    }
}

fn serve(seat: u64) {
    let socket = WORKER.with(|worker| worker.sockets.borrow().get(&seat).cloned());
    // It rang as it ended.
    if let Some(socket) = socket {
        socket.answer();
    }
}

struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        let _ = WORKER.try_with(|worker| worker.is_running.set(false));
    }
}
