//! Nodes tell that they run, and are missed when they do not.

use super::world::World;
use crate::{Beat, NODE_STALE_MS};
use tokenim_domain::id::NodeId;

#[tokio::test]
async fn a_node_is_listed_goes_stale_and_is_forgotten() {
    let world = World::new().await;
    let id = || NodeId::new(&*world.clock, &*world.rng);
    let beat = |id, connections| Beat {
        id,
        name: "here".into(),
        version: "1.0",
        started_ms: 1,
        connections,
        rss_bytes: 10,
        cpu_ms: 20,
    };
    let (first, second) = (id(), id());
    for (node, connections) in [(first, 1), (second, 2), (first, 3)] {
        world.store.beat(&beat(node, connections)).await.unwrap();
    }
    let nodes = async || {
        let mut nodes = world.store.list_nodes().await.unwrap();
        nodes.sort_by_key(|node| node.connections);
        nodes.into_iter().map(|node| (node.id, node.connections, node.is_stale)).collect::<Vec<_>>()
    };
    assert_eq!(nodes().await, [(second, 2, false), (first, 3, false)]);
    world.clock.shift(NODE_STALE_MS + 1);
    world.store.beat(&beat(first, 3)).await.unwrap();
    assert_eq!(nodes().await, [(second, 2, true), (first, 3, false)]);
    world.clock.shift(24 * 3_600_000);
    world.store.beat(&beat(first, 3)).await.unwrap();
    assert_eq!(nodes().await, [(first, 3, false)]);
    world.store.forget_node(first).await.unwrap();
    assert!(nodes().await.is_empty());
}
