//! A server that stalls: an open loop shows it, a closed loop hides it.

use crate::schedule::Schedule;
use crate::sender::Sender;
use crate::stream::Address;
use crate::tally::Tally;
use crate::websocket::Connection;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};

const STALL: Duration = Duration::from_millis(500);
const STALLS_BEFORE: u64 = 50;

/// Answers every command at once, but for number [`STALLS_BEFORE`], before which it does nothing for [`STALL`].
async fn serve(mut stream: TcpStream) {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        stream.read_buf(&mut bytes).await.unwrap();
    }
    stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
    let (mut bytes, mut answered) = (Vec::new(), 0);
    while stream.read_buf(&mut bytes).await.unwrap() > 0 {
        while let Some((id, used)) = command(&bytes) {
            bytes.drain(..used);
            answered += 1;
            if answered == STALLS_BEFORE {
                tokio::time::sleep(STALL).await;
            }
            let reply = format!("{{\"id\":{id},\"ok\":{{}}}}");
            stream.write_all(&[&[0x81, reply.len() as u8], reply.as_bytes()].concat()).await.unwrap();
        }
    }
}

/// The id of the first command, and how many bytes it takes.
fn command(bytes: &[u8]) -> Option<(u64, usize)> {
    let (start, length) = match usize::from(*bytes.get(1)? & 0x7f) {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        short => (2, short),
    };
    let (mask, masked) = (bytes.get(start..start + 4)?, bytes.get(start + 4..start + 4 + length)?);
    let text: Vec<u8> = masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    let text = String::from_utf8(text).unwrap();
    let id = text.strip_prefix("{\"id\":").unwrap().split(',').next().unwrap().parse().unwrap();
    Some((id, start + 4 + length))
}

async fn sender(serving: &mut JoinSet<()>) -> (Sender, Rc<Tally>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = Address::new(listener.local_addr().unwrap(), None);
    serving.spawn_local(async move { serve(listener.accept().await.unwrap().0).await });
    let connection = Connection::open(&address, "token", "").await.unwrap();
    let tally = Tally::new();
    tally.recording.set(true);
    (Sender::new(connection, "room", 1, tally.clone()), tally)
}

/// 200 messages a second for a while, and so many unanswered at most.
async fn open_loop(lasts: Duration, in_flight: usize) -> Rc<Tally> {
    let test = async {
        let mut serving = JoinSet::new();
        let (mut sender, tally) = sender(&mut serving).await;
        sender.send_on(&Schedule::part(Instant::now(), 200.0, lasts, 0, 1), in_flight).await.unwrap();
        tally
    };
    LocalSet::new().run_until(test).await
}

#[tokio::test]
async fn an_open_loop_counts_everybody_who_waited_while_the_server_stalled() {
    let tally = open_loop(Duration::from_secs(1), 250).await;
    let latency = tally.ack_latency.borrow();
    assert_eq!((tally.sent.get(), latency.count()), (200, 200));
    // Half of the messages were due during the stall, and those of its first half waited for the other half at least.
    assert!(latency.quantile_ms(0.8) >= 200.0 && latency.quantiles().max_ms >= 500.0, "{:?}", latency.quantiles());
}

#[tokio::test]
async fn a_closed_loop_sees_one_slow_answer() {
    let test = async {
        let mut serving = JoinSet::new();
        let (mut sender, tally) = sender(&mut serving).await;
        let stop = async {
            while tally.acked.get() < 200 {
                tokio::task::yield_now().await;
            }
            tally.stopping.set(true);
        };
        let (done, ()) = tokio::join!(sender.keep_in_flight(1), stop);
        done.unwrap();
        // The same stall is one sample in two hundred, which not even the 99th percentile shows.
        let latency = tally.ack_latency.borrow().quantiles();
        assert!(latency.max_ms >= 500.0 && latency.p99_ms < latency.max_ms, "{latency:?}");
    };
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn what_the_end_of_the_schedule_overtakes_is_not_sent() {
    // One in flight: the stall takes longer than what is left of the schedule.
    let tally = open_loop(Duration::from_millis(500), 1).await;
    let (sent, acked) = (tally.sent.get(), tally.acked.get());
    assert!(sent < 100 && sent == acked, "{sent} sent, {acked} acknowledged");
}
