//! Receipts of large conversations: the tally tells what a pass over the members would, whatever happened to them.

use super::engine;
use super::world::{World, committed, governing, member_change, new_group, watermark};
use crate::log::tally::{DROP_EMPTY, SUM};
use crate::sql;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokenim_domain::Code;
use tokenim_domain::log::{
    AppRef, GroupAct, Member, MembersQuery, MessageLog, Receipt, Receipts, ReceiptsQuery, Write,
};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::Change;

/// Members that a page looks through.
const SCAN: usize = 4_096;

/// What the tally has to hold.
const EXPECTED: &str = "
SELECT app_id, conversation_id, kind, level, seq >> bits AS bucket, count(*) AS members FROM (
    SELECT app_id, conversation_id, 'joined' AS kind, joined_seq AS seq FROM member WHERE is_tallied
    UNION ALL SELECT app_id, conversation_id, 'read', read_seq FROM member WHERE is_tallied
    UNION ALL SELECT app_id, conversation_id, 'received', received_seq FROM member WHERE is_tallied) AS marks
CROSS JOIN (SELECT 0 AS level, 0 AS bits UNION ALL SELECT 1, 6 UNION ALL SELECT 2, 12 UNION ALL SELECT 3, 18 UNION ALL SELECT 4, 24) AS levels
GROUP BY app_id, conversation_id, kind, level, seq >> bits";
const HELD: &str = "SELECT app_id, conversation_id, kind, level, bucket, members FROM receipt_tally";

/// Checks the whole tally, and what it is made of.
pub async fn check(world: &World) {
    for (held, other) in [(HELD, EXPECTED), (EXPECTED, HELD)] {
        let differ =
            format!("SELECT count(*) FROM (SELECT * FROM ({held}) AS a EXCEPT SELECT * FROM ({other}) AS b) AS c");
        assert_eq!(world.number(&differ).await, 0, "buckets that differ");
    }
    let torn = "SELECT count(*) FROM member m JOIN conversation c ON c.app_id = m.app_id AND c.id = m.conversation_id
        WHERE m.is_tallied <> c.is_tallied";
    assert_eq!(world.number(torn).await, 0, "members that are counted where others are not");
    let untallied = "SELECT count(*) FROM conversation WHERE members > 256 AND NOT is_tallied";
    assert_eq!(world.number(untallied).await, 0, "large conversations without a tally");
    // Else who has read a message is not `read >= seq` less `joined > seq`.
    let early = "SELECT count(*) FROM member WHERE read_seq < joined_seq OR received_seq < joined_seq";
    assert_eq!(world.number(early).await, 0, "watermarks before the member's first event");
}

fn name(at: usize) -> String {
    format!("u{at:05}")
}

fn names(of: std::ops::Range<usize>) -> Vec<String> {
    of.map(name).collect()
}

fn change(app: AppRef, change: Change, users: &[String]) -> Write {
    Write::Change(member_change(app, "g", None, change, &users.iter().map(String::as_str).collect::<Vec<_>>()))
}

fn create(app: AppRef, users: &[String]) -> Write {
    Write::Create(new_group(app, "g", &users.iter().map(String::as_str).collect::<Vec<_>>()))
}

/// What asks how many have read an event of the group `g`.
pub fn query(app: AppRef, seq: i64) -> ReceiptsQuery {
    let conversation = Conversation::trusted("g");
    ReceiptsQuery { app, conversation, viewer: None, seq, state: Receipt::Read, has: None, after: None, limit: 50 }
}

async fn members(world: &World, app: AppRef) -> Vec<Member> {
    let query = MembersQuery { app, limit: 1_000_000, ..world.members_query("g") };
    world.store.members(query).await.unwrap()
}

/// The whole list of who has or has not, and in how many pages.
async fn listed(world: &World, query: ReceiptsQuery) -> (Vec<String>, usize) {
    let (mut users, mut pages, mut query) = (Vec::new(), 0, query);
    loop {
        let Receipts { page, next, .. } = world.store.receipts(query.clone()).await.unwrap();
        assert!(page.len() <= query.limit as usize);
        pages += 1;
        users.extend(page.iter().map(|one| one.user.to_string()));
        match next {
            None => return (users, pages),
            Some(next) => query.after = Some(next),
        }
    }
}

/// Compares counts and lists at a seq with a pass over the members.
async fn compare(world: &World, app: AppRef, members: &[Member], seq: i64) {
    let then: Vec<_> = members.iter().filter(|member| member.joined <= seq).collect();
    let of = |state: Receipt, member: &Member| match state {
        Receipt::Read => member.read >= seq,
        Receipt::Received => member.received >= seq,
    };
    let count = |state| then.iter().filter(|member| of(state, member)).count() as i64;
    let told = world.store.receipts(query(app, seq)).await.unwrap();
    assert_eq!(
        (told.members, told.read, told.received),
        (then.len() as i64, count(Receipt::Read), count(Receipt::Received)),
        "counts at {seq}"
    );
    assert_eq!((told.page, told.next), (Vec::new(), None));
    for (state, has) in [(Receipt::Read, true), (Receipt::Received, false)] {
        let (users, _) = listed(world, ReceiptsQuery { state, has: Some(has), ..query(app, seq) }).await;
        let expected: Vec<_> =
            then.iter().filter(|member| of(state, member) == has).map(|m| m.user.to_string()).collect();
        assert_eq!(users, expected, "{state:?} {has} at {seq}");
    }
}

#[derive(Debug, Clone)]
enum Op {
    Send(usize),
    /// Somebody has read or received up to so many events below the head, or beyond it.
    Move(usize, i64, bool),
    Add(usize, usize),
    Remove(usize, usize),
    Ban(usize),
    Unban(usize),
}

/// Users that come and go; twice as many as make a conversation large.
const USERS: usize = 520;

fn op() -> impl Strategy<Value = Op> {
    let user = || 0..USERS;
    prop_oneof![
        2 => (1..40usize).prop_map(Op::Send),
        8 => (user(), -1..150i64, any::<bool>()).prop_map(|(user, back, read)| Op::Move(user, back, read)),
        2 => (user(), 1..60usize).prop_map(|(from, some)| Op::Add(from, some)),
        2 => (user(), 1..60usize).prop_map(|(from, some)| Op::Remove(from, some)),
        1 => user().prop_map(Op::Ban),
        1 => user().prop_map(Op::Unban),
    ]
}

fn writes(world: &World, app: AppRef, op: &Op, head: i64, number: &mut usize) -> Vec<Write> {
    let few = |from: &usize, some: &usize| names(*from..(from + some).min(USERS));
    let govern = |act| vec![Write::Govern(governing(app, "g", None, act))];
    match op {
        Op::Send(some) => {
            let draft = |_| {
                *number += 1;
                Write::Send(tokenim_domain::log::Draft { app, ..world.draft("g", "owner", &format!("m{number}")) })
            };
            (0..*some).map(draft).collect()
        }
        Op::Move(user, back, true) => vec![Write::Move(watermark(app, "g", &name(*user), Some(head - back), None))],
        Op::Move(user, back, false) => vec![Write::Move(watermark(app, "g", &name(*user), None, Some(head - back)))],
        Op::Add(from, some) => vec![change(app, Change::Added, &few(from, some))],
        Op::Remove(from, some) => vec![change(app, Change::Removed, &few(from, some))],
        Op::Ban(user) => govern(GroupAct::Ban(User::trusted(&name(*user)))),
        Op::Unban(user) => govern(GroupAct::Unban(User::trusted(&name(*user)))),
    }
}

/// Conversations that grow, shrink and are read at random, around the size from which they are tallied.
#[test]
fn the_tally_tells_what_a_pass_over_the_members_would() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let batches = (100..400usize, vec(vec(op(), 1..24), 1..20));
    TestRunner::new(Config { cases: 24, max_shrink_iters: 40, failure_persistence: None, ..Config::default() })
        .run(&batches, |(first, batches)| {
            runtime.block_on(run(&world, first, &batches));
            Ok(())
        })
        .unwrap();
}

async fn run(world: &World, first: usize, batches: &[Vec<Op>]) {
    let app = world.another_org("random").await.app;
    let begun: Vec<_> = ["owner".to_owned()].into_iter().chain(names(0..first)).collect();
    world.commit_one(create(app, &begun)).await.unwrap();
    let (mut head, mut number) = (1, 0);
    for ops in batches {
        let batch = ops.iter().flat_map(|op| writes(world, app, op, head, &mut number)).collect();
        world.commit(batch).await;
        let shown = world.store.find_conversation(app, &Conversation::trusted("g"), None).await.unwrap().unwrap();
        head = shown.last_seq;
    }
    check(world).await;
    let members = members(world, app).await;
    for seq in [1, 2, head / 3, head / 2, head - 1, head].into_iter().filter(|seq| (1..=head).contains(seq)) {
        compare(world, app, &members, seq).await;
    }
}

/// A group of `some` in which messages were sent.
async fn large(some: usize) -> World {
    let world = World::new().await;
    let users: Vec<_> = ["owner".to_owned()].into_iter().chain(names(1..some)).collect();
    world.commit_one(create(world.app(), &users)).await.unwrap();
    for at in 0..3 {
        world.send("g", "owner", &format!("m{at}")).await;
    }
    world
}

async fn is_tallied(world: &World) -> bool {
    world.number("SELECT count(*) FROM receipt_tally").await > 0
}

#[tokio::test]
async fn a_conversation_is_tallied_from_the_member_on_that_makes_it_large() {
    let world = large(256).await;
    world.move_to("g", &name(7), Some(3), None).await.unwrap();
    assert!(!is_tallied(&world).await, "a small one pays nothing");
    compare(&world, world.app(), &members(&world, world.app()).await, 3).await;
    world.commit_one(change(world.app(), Change::Added, &names(256..257))).await.unwrap();
    assert!(is_tallied(&world).await);
    check(&world).await;
    // It stays so, and is told nothing else once it is small.
    world.commit_one(change(world.app(), Change::Removed, &names(100..257))).await.unwrap();
    world.move_to("g", &name(8), None, Some(4)).await.unwrap();
    assert!(is_tallied(&world).await);
    check(&world).await;
    for seq in 1..=6 {
        compare(&world, world.app(), &members(&world, world.app()).await, seq).await;
    }
}

#[tokio::test]
pub async fn who_leaves_leaves_the_tally() {
    let world = large(300).await;
    world.move_to("g", &name(5), Some(4), None).await.unwrap();
    world.commit_one(change(world.app(), Change::Removed, &names(1..10))).await.unwrap();
    let ban = GroupAct::Ban(User::trusted(&name(20)));
    world.commit_one(Write::Govern(governing(world.app(), "g", None, ban))).await.unwrap();
    let told = world.store.receipts(query(world.app(), 4)).await.unwrap();
    assert_eq!((told.members, told.read, told.received), (290, 0, 0));
    check(&world).await;
}

#[tokio::test]
async fn the_tally_of_one_app_is_not_that_of_another() {
    let world = large(300).await;
    let other = world.another_org("other").await.app;
    world.commit_one(create(other, &names(0..400))).await.unwrap();
    world.move_to("g", &name(5), Some(4), None).await.unwrap();
    let told = world.store.receipts(query(other, 1)).await.unwrap();
    assert_eq!((told.members, told.read), (400, 400));
    let refused = world.store.receipts(query(other, 2)).await.unwrap_err();
    assert_eq!(refused.code, Code::InvalidField, "its log has one event");
    let stranger = ReceiptsQuery { viewer: Some(User::trusted(&name(350))), ..query(world.app(), 1) };
    assert_eq!(world.store.receipts(stranger).await.unwrap_err().code, Code::NotFound);
    let told = world.store.receipts(query(world.app(), 4)).await.unwrap();
    assert_eq!((told.members, told.read), (300, 1));
    check(&world).await;
}

/// A move that is refused, one that is repeated, and a batch that is not committed count nothing.
#[tokio::test]
async fn what_does_not_move_does_not_count() {
    let world = large(300).await;
    for (user, read) in [(name(1), 3), (name(1), 3), (name(1), 2), (name(2), 99), ("stranger".to_owned(), 2)] {
        drop(world.move_to("g", &user, Some(read), None).await);
    }
    world.commit_one(change(world.app(), Change::Added, &names(1..50))).await.unwrap();
    world.commit_one(change(world.app(), Change::Removed, &["stranger".to_owned()])).await.unwrap();
    check(&world).await;
    let told = world.store.receipts(query(world.app(), 3)).await.unwrap();
    assert_eq!((told.members, told.read, told.received), (300, 1, 1));
}

#[tokio::test]
async fn a_page_looks_through_so_many_members_and_no_more() {
    let world = large(SCAN + 1_000).await;
    let last = name(SCAN + 999);
    for user in [name(3), last.clone()] {
        world.move_to("g", &user, Some(4), None).await.unwrap();
    }
    let has = |after| ReceiptsQuery { has: Some(true), after, limit: 1, ..query(world.app(), 4) };
    let first = world.store.receipts(has(None)).await.unwrap();
    let users = |receipts: &Receipts| receipts.page.iter().map(|one| one.user.to_string()).collect::<Vec<_>>();
    assert_eq!((users(&first), first.read), (vec![name(3)], 2));
    // "owner" comes before the others: the last that was looked at is no member of the page.
    assert_eq!(first.next.clone().unwrap().as_str(), name(SCAN - 1));
    let second = world.store.receipts(has(first.next)).await.unwrap();
    assert_eq!((users(&second), second.next), (vec![last.clone()], None));
    let empty = world.store.receipts(has(Some(User::trusted(&name(3))))).await.unwrap();
    assert_eq!((users(&empty), empty.next.unwrap().as_str()), (Vec::new(), &*name(SCAN + 3)));
    assert_eq!(listed(&world, has(None)).await.0, [name(3), last]);
    let (missing, pages) =
        listed(&world, ReceiptsQuery { has: Some(false), limit: 200, ..query(world.app(), 4) }).await;
    assert_eq!((missing.len(), pages), (SCAN + 998, 26));
    // Whom the counts know of nobody, nothing is looked through for.
    let nobody = ReceiptsQuery { state: Receipt::Received, has: Some(false), ..query(world.app(), 1) };
    assert_eq!(listed(&world, nobody).await, (Vec::new(), 1));
}

#[tokio::test]
async fn large_conversations_of_before_get_their_tally_by_migration() {
    let world = large(400).await;
    world.group("small", &["alice", "bob"]).await;
    for at in 1..60 {
        world.move_to("g", &name(at), Some(1 + at as i64 % 4), Some(4)).await.unwrap();
    }
    world.commit_one(change(world.app(), Change::Added, &names(400..420))).await.unwrap();
    let before = members(&world, world.app()).await;
    world
        .tamper(
            "DROP TABLE receipt_tally; ALTER TABLE conversation DROP COLUMN is_tallied;
            ALTER TABLE member DROP COLUMN is_tallied; DELETE FROM seaql_migrations WHERE version = 'm0056_receipt_tally'",
        )
        .await;
    let world = world.reopen().await;
    check(&world).await;
    assert_eq!(world.number("SELECT count(*) FROM conversation WHERE is_tallied").await, 1);
    for seq in 1..=5 {
        compare(&world, world.app(), &before, seq).await;
    }
    world.move_to("g", &name(300), Some(4), None).await.unwrap();
    world.commit_one(change(world.app(), Change::Removed, &names(1..300))).await.unwrap();
    check(&world).await;
}

/// Every look-up of the tally is by its key, and none reads all of it.
#[tokio::test]
async fn the_tally_is_looked_up_by_its_key() {
    let world = large(1_000).await;
    let (explain, key) = match world.store.writer.is_postgres() {
        true => ("EXPLAIN", "receipt_tally_pkey"),
        false => ("EXPLAIN QUERY PLAN", "USING PRIMARY KEY"),
    };
    for at in 1..1_000 {
        world.move_to("g", &name(at), Some(1 + at as i64 % 4), None).await.unwrap();
    }
    if world.store.writer.is_postgres() {
        world.tamper("INSERT INTO receipt_tally SELECT app_id, 'other', kind, level, n, 1 FROM receipt_tally, generate_series(1000, 6000) AS n WHERE kind = 'joined' AND level < 2 AND bucket < 2; ANALYZE receipt_tally").await;
    }
    let list = r#"[[1,"read",0,3,63],[1,"read",1,1,63]]"#;
    let gone = format!(r#"[["{}","g","read",0,1]]"#, world.app().app.0.simple());
    let values = [vec![world.app().app.into(), "g".into(), list.into()], vec![gone.into()]];
    for (text, values) in [SUM, DROP_EMPTY].into_iter().zip(values) {
        let rows = sql::rows(&world.all(), &format!("{explain} {}", text.on(&world.all())), values).await.unwrap();
        let column = if world.store.writer.is_postgres() { "QUERY PLAN" } else { "detail" };
        let plan: Vec<String> = rows.iter().map(|row| sql::get(row, column).unwrap()).collect();
        let plan = plan.join("\n");
        let reads_all = plan.contains("Seq Scan on receipt_tally")
            || plan.contains("SCAN t")
            || plan.contains("SCAN receipt_tally");
        assert!(plan.contains(key) && !reads_all, "{plan}");
    }
}

/// Two nodes move the same members' watermarks, and add and remove members, while the conversation becomes large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_meet_keep_one_tally() {
    if engine::server().is_none() {
        return eprintln!("skipped: no PostgreSQL server; run under scripts/postgres");
    }
    let world = large(250).await;
    for at in 3..100 {
        world.send("g", "owner", &format!("m{at}")).await;
    }
    let (app, other) = (world.app(), world.open_again().await);
    let node = |store: crate::Store, odd: usize| async move {
        for round in 0..40 {
            let seq = |user: usize| 1 + ((round * 7 + user * (3 + odd)) % 100) as i64;
            let moves = (1..120).map(|user| (user * 3 + round) % 249 + 1);
            let mut batch: Vec<_> =
                moves.map(|user| Write::Move(watermark(app, "g", &name(user), Some(seq(user)), None))).collect();
            if round % 5 == odd {
                let some = names(250 + odd * 20 + round..252 + odd * 20 + round);
                batch.push(change(app, if round % 10 == odd { Change::Added } else { Change::Removed }, &some));
                batch.push(change(app, Change::Removed, &names(200 + round..201 + round)));
                batch.push(change(app, Change::Added, &names(200 + round..201 + round)));
            }
            for outcome in committed(store.append(batch).await) {
                outcome.unwrap();
            }
        }
    };
    tokio::join!(node(world.store.clone(), 0), node(other.clone(), 1));
    assert!(is_tallied(&world).await);
    check(&world).await;
    other.close().await;
}
