//! Random writes in random batches: the store tells and holds what the model does.

use super::model::{Amends, Conversation, Model, State, told};
use super::world::{World, governing, holding, member_change, new_direct, new_group, text_body, watermark};
use super::{deliveries, usage};
use crate::FoundedOrg;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use std::collections::{BTreeMap, BTreeSet};
use tokenim_domain::Code;
use tokenim_domain::clock::Clock;
use tokenim_domain::group::{AddRule, JoinRule, SettingsChange};
use tokenim_domain::log::{
    About, Amendment, AppRef, BlockChange, DirectoryCursor, DirectoryQuery, Draft, Emoji, EventBody, From, GroupAct,
    Growth, List, ListQuery, LiveText, Mark, MembersQuery, MessageAct, MessageLog, MessageState, Piece, RangeQuery,
    Reaction, Since, TextQuery, Write, live,
};
use tokenim_domain::meter::Meter;
use tokenim_domain::name::{ClientMsgId, User};
use tokenim_domain::role::{Change, ContentKind, MemberRole};

const USERS: [&str; 4] = ["u0", "u1", "u2", "u3"];
const CONVERSATIONS: [&str; 3] = ["c0", "c1", "c2"];
const DEVICES: [&str; 2] = ["phone", "desk"];
/// Pieces of live messages; the first is of those that are begun only.
const TEXTS: [&str; 4] = ["", "é", "a\"b\u{0}\n", "ab"];
const IDS: [&str; 5] = ["m0", "m1", "m2", "m3", "m4"];

/// One thing to do, by places in the lists above.
#[derive(Debug, Clone)]
enum Op {
    Group { id: usize, members: Vec<usize> },
    Direct { id: usize, from: usize, to: usize },
    Send { to: usize, sender: usize, id: usize, prev: Option<usize>, reply_to: Option<i64>, body: usize },
    Amend { at: usize, actor: Option<usize>, id: Option<usize>, target: i64, act: usize },
    Begin { to: usize, sender: usize, id: usize, reply_to: Option<i64>, text: usize },
    Grow { at: usize, actor: Option<usize>, target: i64, offset: Option<i64>, text: usize },
    Change { at: usize, actor: Option<usize>, removes: bool, users: Vec<usize> },
    Move { at: usize, user: usize, read: Option<i64>, received: Option<i64> },
    Hold { at: usize, user: usize, device: usize, seq: i64, since: Option<i64> },
    Govern { at: usize, actor: Option<usize>, act: Ask, user: usize },
    Block { user: usize, other: usize, is_blocked: bool },
}

/// What is asked of a conversation.
#[derive(Debug, Clone)]
enum Ask {
    Update(SettingsChange),
    Join,
    Decline,
    Role(MemberRole),
    Mute(i64),
    Ban,
    Unban,
}

fn ask() -> impl Strategy<Value = Ask> {
    let rule = option::of(select(JoinRule::ALL));
    let adds = option::of(select(AddRule::ALL));
    let name = option::of(option::of(select(&["one", "two"][..])));
    let settings = (name, rule, adds).prop_map(|(name, join, add)| {
        Ask::Update(SettingsChange { name: name.map(|name| name.map(str::to_owned)), join, add })
    });
    prop_oneof![
        3 => settings,
        3 => Just(Ask::Join),
        1 => Just(Ask::Decline),
        4 => select(MemberRole::ALL).prop_map(Ask::Role),
        2 => prop_oneof![Just(0i64), Just(60_000), Just(5_000_000)].prop_map(Ask::Mute),
        2 => Just(Ask::Ban),
        1 => Just(Ask::Unban),
    ]
}

/// What happens between two batches.
#[derive(Debug, Clone)]
enum Between {
    Nothing,
    Clock(i64),
    RollUp,
}

fn op() -> impl Strategy<Value = Op> {
    let (user, conversation, id) = (0..USERS.len(), 0..CONVERSATIONS.len(), 0..IDS.len());
    let some_users = || btree_set(0..USERS.len(), 1..4).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    prop_oneof![
        2 => (conversation.clone(), some_users().prop_shuffle()).prop_map(|(id, members)| Op::Group { id, members }),
        1 => (conversation.clone(), user.clone(), 1..USERS.len()).prop_map(|(id, from, step)| Op::Direct { id, from, to: (from + step) % USERS.len() }),
        9 => (conversation.clone(), user.clone(), id.clone(), option::weighted(0.2, id.clone()), option::weighted(0.3, 0..6i64), 0..8usize)
            .prop_map(|(to, sender, id, prev, reply_to, body)| Op::Send { to, sender, id, prev, reply_to, body: body / 6 }),
        9 => (conversation.clone(), option::weighted(0.8, user.clone()), option::weighted(0.4, id.clone()), 0..9i64, 0..12usize)
            .prop_map(|(at, actor, id, target, act)| Op::Amend { at, actor, id, target, act }),
        4 => (conversation.clone(), user.clone(), id, option::weighted(0.2, 0..6i64), 0..TEXTS.len())
            .prop_map(|(to, sender, id, reply_to, text)| Op::Begin { to, sender, id, reply_to, text }),
        9 => (conversation.clone(), option::weighted(0.5, user.clone()), 0..9i64, option::weighted(0.5, 0..8i64), 1..TEXTS.len())
            .prop_map(|(at, actor, target, offset, text)| Op::Grow { at, actor, target, offset, text }),
        3 => (conversation.clone(), option::weighted(0.7, user.clone()), any::<bool>(), some_users())
            .prop_map(|(at, actor, removes, users)| Op::Change { at, actor, removes, users }),
        3 => (conversation.clone(), user.clone(), option::of(0..8i64), option::of(0..8i64)).prop_map(|(at, user, read, received)| Op::Move { at, user, read, received }),
        9 => (conversation.clone(), user.clone(), 0..DEVICES.len(), 1..16i64, option::weighted(0.6, 0..9_000_000i64))
            .prop_map(|(at, user, device, seq, since)| Op::Hold { at, user, device, seq, since }),
        9 => (conversation, option::weighted(0.8, user.clone()), ask(), user.clone()).prop_map(|(at, actor, act, user)| Op::Govern { at, actor, act, user }),
        2 => (user, 1..USERS.len(), any::<bool>()).prop_map(|(user, step, is_blocked)| Op::Block { user, other: (user + step) % USERS.len(), is_blocked }),
    ]
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![3 => Just(Between::Nothing), 2 => (-5_400_000i64..5_400_000).prop_map(Between::Clock), 1 => Just(Between::RollUp)]
}

fn write(world: &World, app: AppRef, op: &Op) -> Write {
    match op {
        Op::Group { id, members } => {
            Write::Create(new_group(app, CONVERSATIONS[*id], &members.iter().map(|at| USERS[*at]).collect::<Vec<_>>()))
        }
        Op::Direct { id, from, to } => Write::Create(new_direct(app, CONVERSATIONS[*id], [USERS[*from], USERS[*to]])),
        Op::Amend { at, actor, id, target, act } => Write::Amend(Amendment {
            app,
            client_msg_id: id.map(|id| ClientMsgId::trusted(IDS[id])),
            ..world.amendment(CONVERSATIONS[*at], actor.map(|actor| USERS[actor]), *target, self::act(*act))
        }),
        Op::Send { to, sender, id, prev, reply_to, body } => Write::Send(Draft {
            app,
            about: About { reply_to: *reply_to, ..About::default() },
            prev: prev.map(|prev| ClientMsgId::trusted(IDS[prev])),
            body: if *body == 0 { text_body("short") } else { text_body(&"long".repeat(1_300)) },
            ..world.draft(CONVERSATIONS[*to], USERS[*sender], IDS[*id])
        }),
        Op::Begin { to, sender, id, reply_to, text } => Write::Send(Draft {
            app,
            about: About { reply_to: *reply_to, live: true, ..About::default() },
            body: live::body(&live::escape(TEXTS[*text])),
            ..world.draft(CONVERSATIONS[*to], USERS[*sender], IDS[*id])
        }),
        Op::Grow { at, actor, target, offset, text } => Write::Grow(Growth {
            app,
            conversation: tokenim_domain::name::Conversation::trusted(CONVERSATIONS[*at]),
            actor: actor.map(|actor| User::trusted(USERS[actor])),
            target: *target,
            piece: Piece { offset: *offset, text: TEXTS[*text].into() },
        }),
        Op::Change { at, actor, removes, users } => {
            let change = if *removes { Change::Removed } else { Change::Added };
            Write::Change(member_change(
                app,
                CONVERSATIONS[*at],
                actor.map(|actor| USERS[actor]),
                change,
                &users.iter().map(|at| USERS[*at]).collect::<Vec<_>>(),
            ))
        }
        Op::Move { at, user, read, received } => {
            Write::Move(watermark(app, CONVERSATIONS[*at], USERS[*user], *read, *received))
        }
        Op::Hold { at, user, device, seq, since } => {
            // A connection that began a while ago, one that named a place, or one that was passive.
            let since = match since {
                Some(ago) => Since::Time(world.clock.now_ms() - ago),
                None => Since::Above(seq / 2),
            };
            Write::Move(holding(app, CONVERSATIONS[*at], (USERS[*user], DEVICES[*device]), *seq, since))
        }
        Op::Govern { at, actor, act, user } => {
            let user = User::trusted(USERS[*user]);
            let act = match act.clone() {
                Ask::Update(change) => GroupAct::Update(change),
                Ask::Join => GroupAct::Join,
                Ask::Decline => GroupAct::Decline(vec![user]),
                Ask::Role(role) => GroupAct::Role(user, role),
                Ask::Mute(for_ms) => GroupAct::Mute(user, for_ms),
                Ask::Ban => GroupAct::Ban(user),
                Ask::Unban => GroupAct::Unban(user),
            };
            Write::Govern(governing(app, CONVERSATIONS[*at], actor.map(|actor| USERS[actor]), act))
        }
        Op::Block { user, other, is_blocked } => {
            let (user, other) = (User::trusted(USERS[*user]), User::trusted(USERS[*other]));
            Write::Block(BlockChange::new(app, user, other, *is_blocked).unwrap())
        }
    }
}

fn act(number: usize) -> MessageAct {
    let react = |emoji, on| MessageAct::React { emoji: Emoji::trusted(emoji), on, count: 0 };
    let edit = |body| MessageAct::Edit { kind: ContentKind::Text, body };
    let end = |offset, text: &str| MessageAct::End {
        last: Piece { offset, text: text.into() },
        kind: ContentKind::Text,
        body: "".into(),
    };
    match number {
        9 => end(None, ""),
        10 => end(None, TEXTS[2]),
        11 => end(Some(2), &"long".repeat(1_300)),
        0 => edit(text_body("edited")),
        1 => edit(text_body(&"again".repeat(1_100))),
        2 => MessageAct::Delete,
        3 => MessageAct::Pin { on: true },
        4 => MessageAct::Pin { on: false },
        5 => react("+1", true),
        6 => react("+1", false),
        7 => react("\u{1f44d}", true),
        _ => react("\u{1f44d}", false),
    }
}

#[test]
fn the_store_does_what_the_model_does() {
    compare_with_the_model(TestRunner::new(Config { failure_persistence: None, ..Config::default() }));
}

/// Runs the cases of a runner; one that differs panics.
pub fn compare_with_the_model(mut runner: TestRunner) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let batches = vec((vec(op(), 1..7), between()), 1..14);
    runner
        .run(&batches, |batches| {
            runtime.block_on(run(&world, &batches));
            Ok(())
        })
        .unwrap();
}

/// One case, in an org of its own.
async fn run(world: &World, batches: &[(Vec<Op>, Between)]) {
    let founded = world.another_org("random").await;
    let mut model = Model::default();
    for (ops, between) in batches {
        let writes: Vec<_> = ops.iter().map(|op| write(world, founded.app, op)).collect();
        let expected: Vec<_> = writes.iter().map(|write| model.apply(write, world.clock.now_ms())).collect();
        let outcomes = world.commit(writes).await;
        assert_eq!(outcomes.iter().map(told).collect::<Vec<_>>(), expected);
        match between {
            Between::Nothing => {}
            Between::Clock(ms) => world.clock.shift(*ms),
            Between::RollUp => drop(world.store.roll_up_usage().await.unwrap()),
        }
    }
    world.clock.shift(super::world::START_MS - world.clock.now_ms());
    compare(world, &founded, &model).await;
}

async fn compare(world: &World, founded: &FoundedOrg, model: &Model) {
    let app = founded.app;
    for (id, expected) in &model.conversations {
        compare_log(world, app, id, expected).await;
        compare_members(world, app, id, expected).await;
    }
    for user in USERS {
        compare_directory(world, app, user, model).await;
        let blocked: BTreeSet<_> =
            model.blocks.iter().filter(|(by, _)| by == user).map(|(_, other)| other.clone()).collect();
        assert_eq!(listed(world, app, List::Blocks(User::trusted(user))).await, blocked);
    }
    let hours: BTreeMap<_, _> =
        usage::hours(&world.store, app.org).await.into_iter().map(|((_, hour), units)| (hour, units)).collect();
    assert_eq!(hours, model.hours());
    let delivered = usage::hours_of(&world.store, app.org, Meter::MsgDelivered).await;
    assert_eq!(
        delivered.into_iter().map(|((_, hour), units)| (hour, units)).collect::<BTreeMap<_, _>>(),
        model.delivered
    );
    deliveries::check_rows(world, app.app).await;
    assert_eq!(deliveries::cursors(world, app.app).await, model.cursors);
}

async fn compare_log(world: &World, app: AppRef, id: &str, expected: &Conversation) {
    let page = world.store.read_range(RangeQuery { app, ..world.range(id, From::After(0)) }).await.unwrap();
    assert_eq!((page.head, page.events.len()), (expected.last_seq(), expected.events.len()));
    for (seq, (event, expected_event)) in (1..).zip(page.events.iter().zip(&expected.events)) {
        assert_eq!((event.seq, event.msg_no, event.at_ms), (seq, expected.msg_no(seq), expected_event.at_ms));
        let message = match &event.body {
            EventBody::Message { sender, client_msg_id, body, state, about, .. } => {
                assert_eq!(about.live, expected_event.live && !body.is_empty());
                let state = state.as_deref().cloned().unwrap_or_default();
                let known = expected.states.get(&seq).cloned().unwrap_or_default();
                assert_eq!(
                    as_model(&state),
                    State { body: None, live: None, reactions: counted(&known), ..known.clone() }
                );
                let first = known
                    .body
                    .filter(|now| *now == **body)
                    .map_or_else(|| body.to_string(), |_| expected_event.message.as_ref().unwrap().2.clone());
                Some((sender.to_string(), client_msg_id.to_string(), first))
            }
            EventBody::Member { .. } | EventBody::Amended { .. } | EventBody::Settings { .. } => None,
        };
        assert_eq!(message, expected_event.message);
        let amends = match &event.body {
            EventBody::Amended { target, actor, client_msg_id, act } => Some(Amends {
                target: *target,
                actor: actor.as_ref().map(ToString::to_string),
                client_msg_id: client_msg_id.as_ref().map(ToString::to_string),
                act: act.clone(),
            }),
            EventBody::Message { .. } | EventBody::Member { .. } | EventBody::Settings { .. } => None,
        };
        assert_eq!(amends, expected_event.amends);
    }
    let app_id = match world.store.writer.is_postgres() {
        true => format!("'{}'", app.app.0),
        false => format!("unhex('{}')", app.app.0.simple()),
    };
    let of = format!("app_id = {app_id} AND conversation_id = '{id}'");
    compare_live(world, app, id, expected).await;
    let tiles = format!(
        "SELECT count(*) FROM (SELECT seq_from, lag(seq_to, 1, 0) OVER (ORDER BY seq_to) + 1 AS expected FROM usage_append WHERE {of}) AS u WHERE seq_from <> expected"
    );
    assert_eq!(world.number(&tiles).await, 0, "usage rows do not tile {id}");
    assert_eq!(world.number(&format!("SELECT max(seq_to) FROM usage_append WHERE {of}")).await, expected.last_seq());
    let wrong = format!(
        "SELECT count(*) FROM usage_append u WHERE {of} AND (units, messages, bytes) <> (
         SELECT sum(units), count(*) FILTER (WHERE type = 1),
             CASE WHEN count(*) FILTER (WHERE type IN (1, 3, 10) AND body = '') > 0 THEN u.bytes -- erased
                 ELSE sum(CASE WHEN type IN (1, 3, 10) AND units > 0 THEN octet_length(body) ELSE 0 END) END FROM message m
         WHERE m.app_id = u.app_id AND m.conversation_id = u.conversation_id AND m.seq BETWEEN u.seq_from AND u.seq_to)"
    );
    assert_eq!(world.number(&wrong).await, 0, "a usage row of {id} counts something else than its range");
}

/// Texts that grow, or grew, and rows of those that do.
async fn compare_live(world: &World, app: AppRef, id: &str, expected: &Conversation) {
    let (mut live, mut bytes) = (0, 0);
    for (seq, event) in (1..).zip(&expected.events).filter(|(_, event)| event.message.is_some()) {
        let conversation = tokenim_domain::name::Conversation::trusted(id);
        let query = TextQuery { app, conversation, viewer: None, target: seq, offset: 0 };
        let found = world.store.live_text(query).await.map_err(|error| error.code);
        let state = expected.states.get(&seq).cloned().unwrap_or_default();
        let of = |text: String, ended| LiveText { offset: text.len() as i64, text, ended };
        let known = match (state.live, state.ended) {
            (Some(text), _) => {
                (live, bytes) = (live + 1, bytes + text.len());
                Ok(of(text, None))
            }
            (None, Some(ended)) => match &expected.events[ended as usize - 1].amends.as_ref().unwrap().act {
                MessageAct::End { body, .. } => Ok(of(live::text_of(body).unwrap(), Some(ended))),
                other => panic!("{other:?} ended it"),
            },
            (None, None) if event.message.as_ref().unwrap().2.is_empty() => Err(Code::NotFound),
            (None, None) => Err(Code::NotLive),
        };
        assert_eq!(found, known);
    }
    let count = |what: &str, table: &str| {
        let app_id = match world.store.writer.is_postgres() {
            true => format!("'{}'", app.app.0),
            false => format!("unhex('{}')", app.app.0.simple()),
        };
        format!("SELECT CAST({what} AS BIGINT) FROM {table} WHERE app_id = {app_id} AND conversation_id = '{id}'")
    };
    assert_eq!(world.number(&count("count(*)", "live_message")).await, live, "live messages of {id}");
    let held = count("COALESCE(sum(to_byte - from_byte), 0)", "live_piece");
    assert_eq!(world.number(&held).await, bytes as i64, "pieces of {id}");
}

/// A message's state in the model's words, reactions by how many.
fn as_model(state: &MessageState) -> State {
    let seq = |mark: &Option<Mark>| mark.map(|mark| mark.seq);
    let users = |one: &Reaction| (one.emoji.as_str().to_owned(), vec![String::new(); one.count as usize]);
    State {
        body: None,
        live: None,
        ended: seq(&state.ended),
        edited: seq(&state.edited),
        deleted: seq(&state.deleted),
        pinned: state.pinned,
        replies: state.replies,
        reactions: state.reactions.iter().map(users).collect(),
    }
}

fn counted(state: &State) -> Vec<(String, Vec<String>)> {
    state.reactions.iter().map(|(emoji, users)| (emoji.clone(), vec![String::new(); users.len()])).collect()
}

async fn compare_members(world: &World, app: AppRef, id: &str, expected: &Conversation) {
    let conversation = tokenim_domain::name::Conversation::trusted(id);
    let query = MembersQuery { app, ..world.members_query(id) };
    let members = world.store.members(query).await.unwrap();
    let as_model = |member: &tokenim_domain::log::Member| {
        (
            member.user.to_string(),
            super::model::Member {
                role: member.role,
                joined: member.joined,
                read: member.read,
                received: member.received,
                muted_until_ms: member.muted_until_ms,
            },
        )
    };
    assert_eq!(members.iter().map(as_model).collect::<BTreeMap<_, _>>(), expected.members);
    let view = world.store.find_conversation(app, &conversation, None).await.unwrap().unwrap();
    assert_eq!(view.members as usize, expected.members.len(), "the counter of {id}");
    assert_eq!((view.name, view.join, view.add), (expected.name.clone(), expected.join, expected.add));
    let owners = expected.members.values().filter(|member| member.role == MemberRole::Owner).count();
    assert!(owners <= 1, "{id} has {owners} owners");
    assert_eq!(listed(world, app, List::Bans(conversation.clone())).await, expected.bans);
    assert_eq!(listed(world, app, List::Requests(conversation.clone())).await, expected.requests);
    let list = world.store.member_lists(vec![(app, conversation)]).await.unwrap().pop().unwrap();
    let joined: BTreeMap<_, _> = list.members.iter().map(|(user, joined)| (user.to_string(), *joined)).collect();
    assert_eq!(joined, expected.members.iter().map(|(user, member)| (user.clone(), member.joined)).collect());
}

async fn listed(world: &World, app: AppRef, list: List) -> BTreeSet<String> {
    let query = ListQuery { app, list, viewer: None, after: None, limit: 100 };
    world.store.listed(query).await.unwrap().iter().map(|one| one.user.to_string()).collect()
}

async fn compare_directory(world: &World, app: AppRef, user: &str, model: &Model) {
    let (mut shown, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let page = world
            .store
            .directory(DirectoryQuery { app, after, limit: 2, ..world.directory_query(user) })
            .await
            .unwrap();
        let Some(last) = page.last() else { break };
        after = Some(DirectoryCursor { last_ms: last.last_ms, conversation: last.at.conversation.clone() });
        shown.extend(page.iter().map(|e| {
            (-e.last_ms, e.at.conversation.to_string(), e.at.head, e.at.msg_no, e.at.first, e.read, e.read_msg_no)
        }));
    }
    let entry = |(id, found): (&String, &Conversation)| {
        let member = found.members.get(user)?;
        Some((
            -found.last_ms(),
            id.clone(),
            found.last_seq(),
            found.msg_no(found.last_seq()),
            member.joined,
            member.read,
            found.msg_no(member.read),
        ))
    };
    let mut expected: Vec<_> = model.conversations.iter().filter_map(entry).collect();
    expected.sort();
    assert_eq!(shown, expected, "the directory of {user}");
}
