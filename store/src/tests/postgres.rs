//! What only PostgreSQL has: fences of row-level security, two nodes on one database, and a server that goes away.

use super::catalogue;
use super::engine::{self, Database};
use super::live;
use super::world::{START_MS, World, committed, holding, sent, seqs};
use crate::db::Fence;
use crate::open::check_role;
use crate::{AppChange, KeyPrint, LinkPurpose, NewApiKey, NewLink, NewMaterial, NewSigningKey, Store, sql};
use sea_orm::ConnectionTrait;
use sea_orm::sqlx::{self, Connection, PgConnection};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::clock::SystemClock;
use tokenim_domain::id::{AccountId, AppId, OrgId};
use tokenim_domain::log::live::body;
use tokenim_domain::log::{About, Commit, Draft, MessageLog, Since, Write};
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::origin::Origin;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::role::{Change, Mode};
use tokenim_domain::scope::Scopes;
use tokenim_domain::secret::Secret;
use tokenim_domain::{Code, Result};
use tokenim_migrations::fence;
use tokio::task::JoinSet;

/// How often a test looks for what it waits for.
const LOOK: Duration = Duration::from_millis(10);
/// How long it looks at most; far above what anything takes, because the machine may be busy.
const WAITS_WITHIN: Duration = Duration::from_secs(20);

/// A world on PostgreSQL; `None`, said on stderr, where the run has no server.
async fn postgres() -> Option<World> {
    if engine::server().is_none() {
        eprintln!("skipped: no PostgreSQL server; run under scripts/postgres");
        return None;
    }
    let world = World::with_group().await;
    assert!(world.store.writer.is_postgres() && world.store.log_writer.is_postgres());
    Some(world)
}

async fn texts(on: &impl ConnectionTrait, query: &str) -> Vec<String> {
    let rows = sql::rows(on, query, []).await.unwrap();
    rows.iter().map(|row| sql::get(row, "text").unwrap()).collect()
}

#[tokio::test]
async fn both_engines_have_the_same_tables_columns_and_keys() {
    let Some(world) = postgres().await else { return };
    let file = World::on_file().await;
    let (ours, theirs) = (catalogue::read(&world).await, catalogue::read(&file).await);
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, table) in &ours {
        assert_eq!(table, &theirs[name], "{name}");
    }
}

#[tokio::test]
async fn every_table_is_fenced_even_from_its_owner() {
    let Some(world) = postgres().await else { return };
    let open = "SELECT relname::text AS text FROM pg_class WHERE relnamespace = current_schema()::regnamespace
        AND relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(texts(&world.all(), open).await, ["seaql_migrations"]);
    let free = "SELECT rolname::text AS text FROM pg_roles WHERE rolname LIKE 'tim\\_%' AND (rolsuper OR rolbypassrls OR rolcanlogin
        OR oid IN (SELECT relowner FROM pg_class WHERE relnamespace = current_schema()::regnamespace))";
    assert_eq!(texts(&world.all(), free).await, [""; 0], "a role of ours that no fence holds");
}

/// Tables that an org's own work reaches without the org's fence are those of the list, and no other.
#[tokio::test]
async fn what_is_exempt_is_listed() {
    let Some(world) = postgres().await else { return };
    let open = "SELECT tablename || ' ' || roles[1] AS text FROM pg_policies WHERE schemaname = current_schema() AND qual = 'true' ORDER BY 1";
    let found: BTreeSet<_> = texts(&world.all(), open).await.into_iter().collect();
    let worker = catalogue::read(&world).await.into_keys().map(|table| format!("{table} {}", fence::WORKER));
    let listed = fence::EXEMPT.iter().map(|(table, role, _)| format!("{table} {role}"));
    assert_eq!(found, worker.chain(listed).collect());
}

/// The fence alone: the role of the app with queries that name no org.
#[tokio::test]
async fn without_any_filter_an_org_sees_and_changes_its_own_rows_only() {
    let Some(world) = postgres().await else { return };
    let other = world.another_org("other").await;
    world.commit_one(Write::Create(super::world::new_group(other.app, "c1", &["mallory"]))).await.unwrap();
    world.send("c1", "alice", "m1").await;
    let count = async |fence: Fence, table: &str| -> i64 {
        let row = sql::row(&world.store.readers.within(fence), &format!("SELECT count(*) AS n FROM {table}"), []).await;
        sql::get(&row.unwrap().unwrap(), "n").unwrap()
    };
    for (name, table) in catalogue::read(&world).await {
        let own = name == "org" || table.columns.contains_key("org_id") || table.columns.contains_key("app_id");
        if !own {
            continue;
        }
        let of = |org| count(Fence::Org(org), &name);
        let (ours, theirs) = (of(world.app().org).await, of(other.app.org).await);
        assert_eq!(ours + theirs, count(Fence::Worker, &name).await, "{name}");
        assert_eq!(of(OrgId(uuid::Uuid::nil())).await, 0, "{name}");
    }
    for (table, expected) in
        [("message", 2), ("conversation", 1), ("member", 2), ("app", 1), ("org", 1), ("api_key", 1)]
    {
        assert_eq!(count(Fence::Org(world.app().org), table).await, expected, "{table}");
    }
    let ours = world.store.writer.within(Fence::Org(world.app().org));
    let touched = sql::run(&ours, "UPDATE conversation SET name = 'taken'", []).await.unwrap();
    let removed = sql::run(&ours, "DELETE FROM member WHERE \"user\" = 'mallory'", []).await.unwrap();
    assert_eq!((touched, removed), (1, 0));
    let insert = "INSERT INTO app_user (app_id, id, created_ms) VALUES ($1, 'x', 1)";
    sql::run(&ours, insert, [world.app().app.into()]).await.unwrap();
    let refused = sql::run(&ours, insert, [other.app.app.into()]).await.unwrap_err();
    assert!(refused.to_string().contains("row-level security"), "{refused}");
    let moved = sql::run(&ours, "UPDATE app SET org_id = $1", [other.app.org.into()]).await.unwrap_err();
    assert!(moved.to_string().contains("row-level security"), "{moved}");
}

#[tokio::test]
async fn the_role_of_an_org_sees_nothing_where_no_org_is_named() {
    let Some(world) = postgres().await else { return };
    world.send("c1", "alice", "m1").await;
    let tx = world.store.writer.begin().await.unwrap();
    sql::run(&tx, "SELECT set_config('role', 'tim_app', true)", []).await.unwrap();
    for table in ["org", "app", "message", "conversation", "member", "usage_append", "audit_event", "account"] {
        let row = sql::row(&tx, &format!("SELECT count(*) AS n FROM {table}"), []).await.unwrap().unwrap();
        assert_eq!(sql::get::<i64>(&row, "n").unwrap(), 0, "{table}");
    }
}

/// What names an org names it for one transaction: the next user of the connection is outside again.
#[tokio::test]
async fn a_fence_ends_with_its_transaction() {
    let Some(world) = postgres().await else { return };
    for _ in 0..20 {
        world.store.org(world.app().org).list_apps().await.unwrap();
        let row = sql::row(
            &world.store.readers,
            "SELECT current_user::text AS text, coalesce(current_setting('tim.org', true), '') AS org",
            [],
        )
        .await;
        let row = row.unwrap().unwrap();
        assert_eq!(
            (sql::get::<String>(&row, "text").unwrap(), sql::get::<String>(&row, "org").unwrap()),
            ("tim_auth".into(), String::new())
        );
    }
}

/// What is left of a connection's rights when somebody forgets or forges: a reset leads back into the narrow role, a
/// statement brings no second one with it, and a connection whose role was lost on the way is not used.
#[tokio::test]
async fn a_connection_stays_in_its_narrow_role() {
    let Some(world) = postgres().await else { return };
    let (readers, role) = (&world.store.readers, "SELECT current_user::text AS text");
    let on = world.store.writer.begin().await.unwrap();
    for text in ["SELECT set_config('role', 'tim_worker', true)", "RESET ROLE"] {
        sql::run(&on, text, []).await.unwrap();
    }
    assert_eq!(texts(&on, role).await, ["tim_auth"]);
    let forged = sql::rows(readers, "SELECT 1; SET ROLE tim_worker", []).await.unwrap_err();
    assert!(std::error::Error::source(&forged).unwrap().to_string().contains("multiple commands"), "{forged:?}");
    assert_eq!(texts(readers, role).await, ["tim_auth"]);
    check_role(readers, fence::AUTH).await.unwrap();
    sql::run(&on, "SELECT set_config('role', 'tim_worker', true)", []).await.unwrap();
    let lost = check_role(&on, fence::AUTH).await.unwrap_err();
    assert!(
        std::error::Error::source(&lost).is_some_and(|cause| cause.to_string().contains("startup options")),
        "{lost:?}"
    );
}

#[tokio::test]
async fn look_ups_that_precede_the_org_reach_no_message() {
    let Some(world) = postgres().await else { return };
    for table in ["message", "conversation", "member", "app_user", "usage_append", "audit_event", "idempotency"] {
        let refused = sql::rows(&world.store.readers, &format!("SELECT * FROM {table}"), []).await.unwrap_err();
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("permission denied"), "{table}: {cause}");
    }
    for table in ["account", "api_key", "signing_key", "console_session", "audit_event"] {
        let refused = sql::rows(&world.store.log_readers, &format!("SELECT * FROM {table}"), []).await;
        assert!(refused.is_err(), "{table}");
    }
}

/// Two nodes write to the same conversations at once, each in another order, with repeats and changes of members.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_meet_leave_no_gap_and_no_repeat() {
    let Some(world) = postgres().await else { return };
    world.group("c2", &["alice", "bob"]).await;
    let other = world.open_again().await;
    let node = |store: Store, forward: bool| {
        let mut batches = Vec::new();
        for round in 0..30 {
            let draft = |conversation: &str, id: String| Write::Send(world.draft(conversation, "alice", &id));
            let mut batch: Vec<_> = ["c1", "c2"]
                .iter()
                .flat_map(|c| [draft(c, format!("both-{round}")), draft(c, format!("{forward}-{round}"))])
                .collect();
            if round % 5 == 0 {
                let change = if forward { Change::Added } else { Change::Removed };
                batch.push(Write::Change(super::world::member_change(world.app(), "c1", None, change, &["carol"])));
            }
            if !forward {
                batch.reverse();
            }
            batches.push(batch);
        }
        async move {
            for batch in batches {
                committed(store.append(batch).await).into_iter().for_each(|outcome| drop(outcome.unwrap()));
            }
        }
    };
    tokio::join!(node(world.store.clone(), true), node(other, false));
    for conversation in ["c1", "c2"] {
        let page = world.log(conversation).await;
        assert_eq!(seqs(&page.events), (1..=page.head).collect::<Vec<_>>());
        let ids: Vec<_> = page
            .events
            .iter()
            .filter_map(|event| match &event.body {
                tokenim_domain::log::EventBody::Message { client_msg_id, .. } => Some(client_msg_id.to_string()),
                _ => None,
            })
            .collect();
        assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (90, 90), "{conversation}");
    }
    let tiles = "SELECT count(*) FROM (SELECT seq_from, lag(seq_to, 1, 0::bigint) OVER (PARTITION BY conversation_id ORDER BY seq_to) AS before FROM usage_append) AS u WHERE seq_from <> before + 1";
    assert_eq!(world.number(tiles).await, 0);
}

/// A message with a file is said again on another node while the first try is under way: both are told of the one message.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_meets_its_first_try_finds_the_message_and_not_a_missing_file() {
    let Some(world) = postgres().await else { return };
    let other = world.open_again().await;
    for round in 0..40 {
        let (id, content) = (format!("file-{round}"), round.to_string().into_bytes());
        let file = super::attachments::upload_file(&world, "alice", &id, &content).await.unwrap();
        let draft = super::attachments::naming(&world, "c1", "alice", &format!("m-{round}"), &[file.id]);
        let (one, two) =
            tokio::join!(world.store.append(vec![Write::Send(draft.clone())]), other.append(vec![Write::Send(draft)]));
        let [one, two] = [one, two].map(|commit| sent(committed(commit).remove(0)));
        assert_eq!(one.seq, two.seq, "{round}");
    }
}

/// Two nodes hear the same device say what it holds, at once: each event counts once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_move_one_cursor_count_each_event_once() {
    let Some(world) = postgres().await else { return };
    let seqs = 2..42;
    for at in seqs.clone() {
        world.send("c1", "alice", &format!("m{at}")).await;
    }
    let (app, other) = (world.app(), world.open_again().await);
    let node = |store: Store| {
        let seqs = seqs.clone();
        async move {
            for seq in seqs {
                let to = holding(app, "c1", ("bob", "phone"), seq, Since::Time(0));
                committed(store.append(vec![Write::Move(to)]).await)
                    .into_iter()
                    .for_each(|outcome| drop(outcome.unwrap()));
            }
        }
    };
    tokio::join!(node(world.store.clone()), node(other));
    super::deliveries::check_rows(&world, app.app).await;
    assert_eq!(world.number("SELECT sum(units) FROM usage_receive").await, 40);
}

/// Two nodes add to one live message at once: every piece is stored once, and pieces tile the text; its end meets them too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_grow_one_message_leave_no_gap_and_no_repeat() {
    let Some(world) = postgres().await else { return };
    let about = About { live: true, ..About::default() };
    let draft = Draft { about, body: body(""), ..world.draft("c1", "alice", "s1") };
    let target = sent(world.commit_one(Write::Send(draft)).await).seq;
    let other = world.open_again().await;
    let node = |store: Store, letter: &'static str| {
        let pieces: Vec<_> = (0..40).map(|_| Write::Grow(live::growth(&world, target, letter))).collect();
        async move {
            for piece in pieces {
                committed(store.append(vec![piece]).await).into_iter().for_each(|outcome| drop(outcome.unwrap()));
            }
        }
    };
    tokio::join!(node(world.store.clone(), "a"), node(other.clone(), "bb"));
    let text = live::text(&world, target).await;
    assert_eq!((text.matches('a').count(), text.matches("bb").count(), text.len()), (40, 40, 120));
    let tiles = "SELECT count(*) FROM (SELECT from_byte, lag(to_byte, 1, 0::bigint) OVER (ORDER BY from_byte) AS before FROM live_piece) AS p WHERE from_byte <> before";
    assert_eq!(world.number(tiles).await, 0);
    // One ends it while the other goes on: what was stored before is in its body, the rest is refused.
    let end = Write::Amend(live::end(&world, target));
    let pieces: Vec<_> = (0..40).map(|_| Write::Grow(live::growth(&world, target, "c"))).collect();
    let goes_on = async move {
        let mut stored = 0;
        for piece in pieces {
            match committed(other.append(vec![piece]).await).remove(0) {
                Ok(_) => stored += 1,
                Err(error) => assert_eq!(error.code, Code::NotLive),
            }
        }
        stored
    };
    let ends = async { world.commit_one(end).await.unwrap() };
    let (stored, _) = tokio::join!(goes_on, ends);
    assert_eq!(live::text(&world, target).await.matches('c').count(), stored);
    let left = "SELECT (SELECT count(*) FROM live_message) + (SELECT count(*) FROM live_piece)";
    assert_eq!(world.number(left).await, 0);
}

/// Looks until a connection to this world's database waits for a lock.
async fn until_somebody_waits(world: &World) {
    let waiting = "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
        WHERE NOT l.granted AND a.datname = current_database()";
    let looking = async {
        while world.number(waiting).await == 0 {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(WAITS_WITHIN, looking).await.expect("a connection waits for a lock");
}

#[tokio::test]
async fn a_batch_waits_for_a_lock_and_sees_what_was_committed_meanwhile() {
    let Some(world) = postgres().await else { return };
    let other = world.open_again().await;
    let tx = other.log_writer.begin().await.unwrap();
    sql::rows(&tx, "SELECT 1 AS n FROM conversation WHERE id = 'c1' FOR UPDATE", []).await.unwrap();
    sql::run(&tx, "DELETE FROM member WHERE conversation_id = 'c1' AND \"user\" = 'bob'", []).await.unwrap();
    sql::run(&tx, "UPDATE conversation SET last_seq = 2, member_version = 2 WHERE id = 'c1'", []).await.unwrap();
    let sending = world.store.append(vec![Write::Send(world.draft("c1", "bob", "m1"))]);
    let removing = async {
        until_somebody_waits(&world).await;
        tx.commit().await.unwrap();
    };
    let (outcome, ()) = tokio::join!(sending, removing);
    let refused = committed(outcome).pop().unwrap().unwrap_err();
    assert_eq!(refused.code, Code::NotFound, "removed before the message could be placed");
}

/// The connection dies inside COMMIT, by a constraint that is checked there.
#[tokio::test]
async fn a_connection_that_dies_in_commit_leaves_the_outcome_unknown() {
    let Some(world) = postgres().await else { return };
    let owner = world.settings.postgres.as_ref().unwrap();
    let change = async |sql: &'static str| {
        let mut owner = PgConnection::connect(owner.expose()).await.unwrap();
        sqlx::raw_sql(sql).execute(&mut owner).await.unwrap();
    };
    change(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
            AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER die AFTER INSERT ON message DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION die()",
    )
    .await;
    let draft = || vec![Write::Send(world.draft("c1", "alice", "m1"))];
    match world.store.append(draft()).await {
        Commit::Unknown(error) => assert_eq!(error.code, Code::OutcomeUnknown),
        other => panic!("{other:?}"),
    }
    change("DROP TRIGGER die ON message").await;
    assert_eq!(sent(committed(world.store.append(draft()).await).pop().unwrap()).seq, 2, "the next connection works");
}

/// One member's errand in an org that others change at the same time: everything that is told to the nodes, and a mail to
/// the owners, whose accounts are looked up outside the org.
async fn errand(store: Store, world: (OrgId, AppId), number: u8) -> Result<()> {
    let (org, app) = world;
    let (scope, by) = (|| store.org(org), Actor::machine());
    for round in 0..5 {
        let print = |kind: u8| KeyPrint {
            hint: "…".into(),
            hash: [kind, number, round].repeat(11)[..32].try_into().unwrap(),
        };
        let (name, scopes) = (format!("{number}-{round}"), Scopes::All);
        let new = NewApiKey { name: name.clone(), scopes, print: print(1), expires_ms: None };
        let key = scope().create_api_key(&by, app, new).await?.id;
        let next = scope().rotate_api_key(&by, key, print(2), i64::MAX).await?.id;
        scope().revoke_api_key(&by, key, Some(&Matter::Test)).await?;
        scope().revoke_api_key(&by, next, None).await?;
        let material = NewMaterial::Secret(Secret::new("s3cret".into()));
        let new = NewSigningKey { name: name.clone(), material, expires_ms: None };
        let signing = scope().create_signing_key(&by, app, new).await?.id;
        scope().revoke_signing_key(&by, signing).await?;
        let origin = Origin::parse(&format!("https://{name}.example")).unwrap();
        scope().add_origin(&by, app, &origin).await?;
        let renamed =
            AppChange { name: Some(name.clone()), is_suspended: Some(round % 2 == 0), ..AppChange::default() };
        scope().update_app(&by, app, renamed).await?;
        scope().remove_origin(&by, app, &origin).await?;
        let made = scope().create_app(&by, &name, Mode::Test).await?.id;
        scope().delete_app(&by, made).await?;
    }
    Ok(())
}

/// An account of the org that verifies its address again and again, which is told to all its orgs.
async fn verify_often(store: Store, account: AccountId) -> Result<()> {
    let by = |account| Actor { who: Who::Account(account), ..Actor::machine() };
    for round in 0..20 {
        let mail = Mail { to: "first@example.com".into(), language: "en".into(), matter: Matter::Test };
        let link = NewLink { hash: [round; 32], purpose: LinkPurpose::Verify, expires_ms: i64::MAX, mail };
        store.create_link(account, &link).await?;
        sql::run(&store.writer, "UPDATE account SET verified_ms = NULL WHERE id = $1", [account.into()]).await.unwrap();
        store.verify_address([round; 32], by).await?;
    }
    Ok(())
}

/// Whatever changes an org takes its locks in one order (store/src/change.rs), so nobody waits in a circle.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_changes_of_one_org_never_deadlock() {
    let Some(world) = postgres().await else { return };
    let mut errands = JoinSet::new();
    for number in 0..10 {
        errands.spawn(errand(world.store.clone(), (world.app().org, world.app().app), number));
    }
    errands.spawn(verify_often(world.store.clone(), world.founded.account));
    while let Some(done) = errands.join_next().await {
        done.unwrap().unwrap();
    }
    assert!(world.store.org(world.app().org).verify_audit().await.unwrap().is_intact());
    // Connections report what they counted when they end.
    world.store.close().await;
    let mut owner = PgConnection::connect(world.settings.postgres.as_ref().unwrap().expose()).await.unwrap();
    let count = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(sqlx::query_scalar::<_, i64>(count).fetch_one(&mut owner).await.unwrap(), 0);
}

/// The role of an org's work and the one that spans orgs add to the audit log, and alter nothing in it.
#[tokio::test]
async fn what_was_noted_is_not_altered() {
    let Some(world) = postgres().await else { return };
    let org = Fence::Org(world.app().org);
    for fence in [org, Fence::Worker] {
        for text in ["UPDATE audit_event SET action = 'x'", "DELETE FROM audit_event"] {
            let refused = sql::run(&world.store.writer.within(fence), text, []).await.unwrap_err();
            assert!(refused.to_string().contains("permission denied"), "{fence:?} {text}: {refused}");
        }
    }
}

#[tokio::test]
async fn an_org_sees_no_secret_of_its_members_accounts() {
    let Some(world) = postgres().await else { return };
    let reader = world.store.readers.within(Fence::Org(world.app().org));
    for column in ["password_hash", "sealed_totp", "totp_step", "is_operator"] {
        let refused = sql::rows(&reader, &format!("SELECT {column} FROM account"), []).await.unwrap_err();
        assert!(std::error::Error::source(&refused).unwrap().to_string().contains("permission denied"), "{column}");
    }
    assert_eq!(sql::rows(&reader, "SELECT id, email FROM account", []).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_empty_database_is_made_ready_and_its_key_is_not_lost() {
    if engine::server().is_none() {
        return;
    }
    let database = Database::empty("ready").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = engine::settings(folder.path(), Some(database.url()));
    let open = async |settings: &crate::Settings| {
        Store::open(settings, Arc::new(SystemClock::new()), Arc::new(SystemRng)).await
    };
    assert_eq!(Store::pending_migrations(&settings).await.unwrap(), None);
    let (a, b) = tokio::join!(open(&settings), open(&settings));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a.migrated.max(b.migrated) > 0 && a.migrated.min(b.migrated) == 0);
    assert_eq!(Store::pending_migrations(&settings).await.unwrap(), Some(0));
    a.store.close().await;
    b.store.close().await;
    let elsewhere = engine::settings(&folder.path().join("elsewhere"), Some(database.url()));
    let error = open(&elsewhere).await.unwrap_err();
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("master.key is missing"), "{error:?}");
}

#[tokio::test]
async fn a_sent_message_keeps_the_clock_of_its_batch() {
    let Some(world) = postgres().await else { return };
    let one = sent(world.commit_one(Write::Send(world.draft("c1", "alice", "m1"))).await);
    assert_eq!((one.seq, one.at_ms), (2, START_MS));
}
