//! Fuzzing of page cursors, as `gateway/src/tests/fuzz.rs` does it: seeded mutations asked of every list, over a real store.

use super::house::House;
use serde_json::{Value, json};
use tokenim_domain::id;

/// Rounds, where the environment asks for no other number: each asks the store.
const ROUNDS: u64 = 150;
/// Changes of one cursor, at most.
const CHANGES_MAX: usize = 4;
/// What a change puts in.
const PIECES: [&str; 12] = ["", "cur_", "0", "7", "z", "-", "+", "A", "\u{0}", "é", ":", "9223372036854775807"];

/// Knuth's generator of 64 bits: what matters is that it is the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// A cursor with some of its letters replaced, removed and put in.
    fn mutate(&mut self, cursor: &str) -> String {
        let mut letters: Vec<String> = cursor.chars().map(String::from).collect();
        for _ in 0..self.below(CHANGES_MAX + 1) {
            let (at, piece) = (self.below(letters.len().max(1)), PIECES[self.below(PIECES.len())].to_owned());
            let until = letters.len().min(at + self.below(2));
            letters.splice(at.min(letters.len())..until, [piece]);
        }
        letters.concat()
    }
}

/// A number from the environment, for who fuzzes longer.
#[expect(clippy::disallowed_methods, reason = "a test that is told how long to run")]
fn env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn path(list: &str, cursor: &str) -> String {
    let mark = if list.contains('?') { '&' } else { '?' };
    let encoded: String = cursor.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{list}{mark}cursor={encoded}")
}

#[actix_web::test]
async fn cursors_are_read_or_refused_by_every_list() {
    let house = House::new().await;
    house.group("c1").await;
    for at in 0..3 {
        house.send("c1", &format!("m{at}"), "x").await;
    }
    let reaction = json!({"user": "bob", "emoji": "+1"});
    house.post(house.key(), "/v1/conversations/c1/messages/2/reactions", reaction).await;
    let (key, manager) = (house.key().to_owned(), house.manager().await);
    let (forwards, back) = (id::encode(2), id::encode(1 << 64 | u128::from(i64::MAX.unsigned_abs())));
    let lists = [
        (&key, "/v1/conversations/c1/messages", format!("cur_{forwards}")),
        (&key, "/v1/conversations/c1/messages", format!("cur_{back}")),
        (&key, "/v1/conversations/c1/messages/2/reactions", "cur_-9223372036854775808".to_owned()),
        (&key, "/v1/conversations/c1/pins", "cur_9223372036854775807".to_owned()),
        (&key, "/v1/conversations/c1/members", "cur_alice".to_owned()),
        (&key, "/v1/conversations/c1/messages/2/receipts?who=has_not", "cur_alice".to_owned()),
        (&key, "/v1/conversations/c1/requests", "cur_bob".to_owned()),
        (&key, "/v1/conversations/c1/bans", "cur_bob".to_owned()),
        (&key, "/v1/users/alice/blocks", "cur_bob".to_owned()),
        (&manager, "/v1/manage/apps", format!("cur_{}", house.alpha.app.app)),
        (&manager, "/v1/manage/keys", format!("cur_key_{forwards}")),
    ];
    for (credential, list, cursor) in &lists {
        assert_eq!(house.get(credential, &path(list, cursor)).await.status, 200, "{list} {cursor}");
    }
    let mut random = Random(env("TOKENIM_FUZZ_SEED").unwrap_or(7));
    for _ in 0..env("TOKENIM_FUZZ_ROUNDS").unwrap_or(ROUNDS) {
        let (credential, list, cursor) = &lists[random.below(lists.len())];
        let cursor = random.mutate(cursor);
        // No key asks more often than it may.
        house.pass(1_000);
        let answer = house.get(credential, &path(list, &cursor)).await;
        match answer.status {
            // What it goes on with is a cursor again.
            200 => {
                if let Some(next) = answer.json["next_cursor"].as_str() {
                    assert_eq!(house.get(credential, &path(list, next)).await.status, 200, "{list} {cursor:?} {next}");
                }
            }
            status => {
                let error = &answer.json["error"];
                assert_eq!((status, &error["param"]), (422, &Value::from("cursor")), "{list} {cursor:?}: {error}");
            }
        }
    }
}
