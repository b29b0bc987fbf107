//! The bus port: events of one node reach the others. It may lose, repeat and reorder; the log is the truth.

use std::future::Future;
use std::sync::{Arc, Mutex};
use tokenim_domain::log::{Delta, Event};
use tokio::sync::{Notify, mpsc};

/// Batches waiting at one node; a node that lags further misses some and finds them by seq.
const BATCHES_MAX: usize = 1_024;

/// Events that one node committed together.
#[derive(Debug, Clone)]
pub struct Published {
    /// The node they come from, which has delivered them itself.
    pub node: u64,
    /// In the order of their commit.
    pub events: Vec<Arc<Event>>,
    /// What live messages grew by before them.
    pub deltas: Vec<Delta>,
}

/// How events reach other nodes.
pub trait Bus: Send + Sync + 'static {
    /// Offers events to every other node; nothing is promised of their arrival.
    fn publish(&self, published: Arc<Published>) -> impl Future<Output = ()> + Send;

    /// What other nodes publish from now on. `lost` is told whenever the bus knows that it may have lost some of it.
    fn subscribe(&self, node: u64, lost: Arc<Notify>) -> mpsc::Receiver<Arc<Published>>;

    /// Whether there are other nodes.
    fn has_others(&self) -> bool;
}

/// A node's number and the ways to it.
type Node = (u64, mpsc::Sender<Arc<Published>>, Arc<Notify>);

/// The bus of nodes in one process.
#[derive(Debug, Clone, Default)]
pub struct LocalBus {
    nodes: Arc<Mutex<Vec<Node>>>,
}

impl Bus for LocalBus {
    async fn publish(&self, published: Arc<Published>) {
        let mut nodes = self.nodes.lock().expect("no holder panics");
        nodes.retain(|(_, sender, _)| !sender.is_closed());
        for (_, sender, lost) in nodes.iter().filter(|(node, ..)| *node != published.node) {
            // A full queue loses the batch, as a real bus would.
            if sender.try_send(published.clone()).is_err() {
                lost.notify_one();
            }
        }
    }

    fn subscribe(&self, node: u64, lost: Arc<Notify>) -> mpsc::Receiver<Arc<Published>> {
        let (sender, receiver) = mpsc::channel(BATCHES_MAX);
        self.nodes.lock().expect("no holder panics").push((node, sender, lost));
        receiver
    }

    fn has_others(&self) -> bool {
        self.nodes.lock().expect("no holder panics").len() > 1
    }
}
