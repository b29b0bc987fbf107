//! A store on a file or database of its own, one org in it, and short ways to write to it and look at it.

use super::engine::{self, Database};
use crate::db::{Fence, Fenced};
use crate::entity::{account, org_member};
use crate::{FoundedOrg, NewOrg, Settings, Store, sql};
use sea_orm::EntityTrait;
use sea_orm::sqlx::{self, Connection, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokenim_domain::clock::Clock;
use tokenim_domain::id::AccountId;
use tokenim_domain::log::{
    About, Amendment, AppRef, Commit, ConversationView, Credential, DirectoryQuery, Draft, Event, From, Governing,
    GroupAct, Held, Member, MemberChange, MembersQuery, MessageAct, MessageLog, NewConversation, Outcome, Page,
    RangeQuery, Reach, Sent, Since, Watermark, Write,
};
use tokenim_domain::name::{ClientMsgId, Conversation, Device, User};
use tokenim_domain::plan::quota::Allowance;
use tokenim_domain::rng::Rng;
use tokenim_domain::role::{Change, ContentKind, ConversationKind, MemberRole, Mode, OrgRole};
use tokenim_domain::{Code, Result};

/// Milliseconds since 1970 at which every test begins: half past an hour.
pub const START_MS: i64 = 1_790_001_000_000;

/// Wall time that stands still until the test moves it.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Moves the wall clock, back as well.
    pub fn shift(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014) from a fixed seed.
pub struct SeededRng(AtomicU64);

impl Rng for SeededRng {
    fn fill(&self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::SeqCst).wrapping_add(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A store and what was made in it.
pub struct World {
    pub store: Store,
    pub clock: Arc<TestClock>,
    pub rng: Arc<SeededRng>,
    pub founded: FoundedOrg,
    pub folder: TempDir,
    pub settings: Settings,
    /// Dropped after the store.
    #[expect(dead_code, reason = "dropped with the world")]
    pub database: Option<Database>,
}

impl World {
    /// A fresh database with one org.
    pub async fn new() -> World {
        World::on(Database::fresh().await).await
    }

    /// A fresh SQLite file with one org, whatever the engine of the run.
    pub async fn on_file() -> World {
        World::on(None).await
    }

    /// That file with the group `c1`.
    pub async fn on_file_with_group() -> World {
        let world = World::on_file().await;
        world.group("c1", &["alice", "bob"]).await;
        world
    }

    async fn on(database: Option<Database>) -> World {
        let folder = tempfile::tempdir().unwrap();
        let settings = engine::settings(folder.path(), database.as_ref().map(Database::url));
        if database.is_some() {
            engine::make_master_key(&settings);
        }
        let clock = Arc::new(TestClock(AtomicI64::new(START_MS)));
        let rng = Arc::new(SeededRng(AtomicU64::new(1)));
        let store = open(&settings, &clock, &rng).await;
        let founded = found(&store, "first").await;
        World { store, clock, rng, founded, folder, settings, database }
    }

    /// A connection that sees the rows of every org.
    pub fn all(&self) -> Fenced<'_> {
        self.store.writer.within(Fence::Worker)
    }

    /// A fresh database whose org has a group `c1` of alice (the owner) and bob; its log holds one event.
    pub async fn with_group() -> World {
        let world = World::new().await;
        world.group("c1", &["alice", "bob"]).await;
        world
    }

    /// Closes the database and opens it again, as a restart does.
    pub async fn reopen(mut self) -> World {
        self.store.close().await;
        self.store = self.open_again().await;
        self
    }

    /// A second store on the same database, as another process has it.
    pub async fn open_again(&self) -> Store {
        open(&self.settings, &self.clock, &self.rng).await
    }

    pub fn app(&self) -> AppRef {
        self.founded.app
    }

    /// Another org with an app of its own.
    pub async fn another_org(&self, name: &str) -> FoundedOrg {
        found(&self.store, name).await
    }

    /// An account in no org whose address is not verified, made if it is new.
    pub async fn account(&self, name: &str) -> AccountId {
        let email = format!("{name}@example.com");
        if let Some(known) = self.store.find_account_by_email(&email).await.unwrap() {
            return known.id;
        }
        let id = AccountId::new(&*self.clock, &*self.rng);
        let row = account::Model {
            id,
            email,
            password_hash: "hash".into(),
            is_operator: false,
            language: None,
            created_ms: self.clock.now_ms(),
            verified_ms: None,
            theme: None,
            sealed_totp: None,
            totp_confirmed_ms: None,
            totp_step: None,
        };
        sql::insert(&self.all(), row).await.unwrap();
        id
    }

    /// That account as a member of the first org in this role, whatever it was.
    pub async fn member(&self, name: &str, role: OrgRole) -> AccountId {
        let (org_id, account_id) = (self.app().org, self.account(name).await);
        org_member::Entity::delete_by_id((org_id, account_id)).exec(&self.all()).await.unwrap();
        let row = org_member::Model { org_id, account_id, role: role.as_str().into(), created_ms: self.clock.now_ms() };
        sql::insert(&self.all(), row).await.unwrap();
        account_id
    }

    pub async fn commit(&self, batch: Vec<Write>) -> Vec<Result<Outcome>> {
        committed(self.store.append(batch).await)
    }

    pub async fn commit_one(&self, write: Write) -> Result<Outcome> {
        self.commit(vec![write]).await.pop().unwrap()
    }

    pub async fn group(&self, id: &str, members: &[&str]) -> ConversationView {
        match self.commit_one(Write::Create(new_group(self.app(), id, members))).await {
            Ok(Outcome::Created(view, _)) => view,
            other => panic!("not created: {other:?}"),
        }
    }

    pub fn draft(&self, conversation: &str, sender: &str, client_msg_id: &str) -> Draft {
        Draft {
            app: self.app(),
            conversation: Conversation::trusted(conversation),
            sender: User::trusted(sender),
            client_msg_id: ClientMsgId::trusted(client_msg_id),
            prev: None,
            kind: ContentKind::Text,
            body: text_body(client_msg_id),
            about: About::default(),
            may_send: true,
            credential: Credential { key: self.founded.signing.id, label: None },
            allowance: Allowance::default(),
        }
    }

    pub async fn send(&self, conversation: &str, sender: &str, client_msg_id: &str) -> Sent {
        sent(self.commit_one(Write::Send(self.draft(conversation, sender, client_msg_id))).await)
    }

    pub fn amendment(&self, conversation: &str, actor: Option<&str>, target: i64, act: MessageAct) -> Amendment {
        Amendment {
            app: self.app(),
            conversation: Conversation::trusted(conversation),
            actor: actor.map(User::trusted),
            client_msg_id: None,
            target,
            act,
            moderates: true,
            credential: Credential { key: self.founded.signing.id, label: None },
            allowance: Allowance::default(),
        }
    }

    pub async fn change(
        &self,
        conversation: &str,
        actor: Option<&str>,
        change: Change,
        users: &[&str],
    ) -> Result<Outcome> {
        self.commit_one(Write::Change(member_change(self.app(), conversation, actor, change, users))).await
    }

    pub async fn move_to(
        &self,
        conversation: &str,
        user: &str,
        read: Option<i64>,
        received: Option<i64>,
    ) -> Result<Outcome> {
        self.commit_one(Write::Move(watermark(self.app(), conversation, user, read, received))).await
    }

    /// A device says that it holds a conversation up to a seq.
    pub async fn hold(&self, conversation: &str, user: &str, device: &str, seq: i64, since: Since) -> Result<Outcome> {
        self.commit_one(Write::Move(holding(self.app(), conversation, (user, device), seq, since))).await
    }

    pub fn range(&self, conversation: &str, from: From) -> RangeQuery {
        RangeQuery {
            app: self.app(),
            conversation: Conversation::trusted(conversation),
            viewer: None,
            thread: None,
            from,
            limit: 10_000,
            bytes_max: 1 << 30,
        }
    }

    pub async fn log(&self, conversation: &str) -> Page {
        self.store.read_range(self.range(conversation, From::After(0))).await.unwrap()
    }

    /// What asks for the members of a conversation as the server.
    pub fn members_query(&self, conversation: &str) -> MembersQuery {
        let conversation = Conversation::trusted(conversation);
        MembersQuery { app: self.app(), conversation, viewer: None, after: None, limit: 100 }
    }

    /// What asks for the first page of a user's directory.
    pub fn directory_query(&self, user: &str) -> DirectoryQuery {
        DirectoryQuery { app: self.app(), user: User::trusted(user), after: None, limit: 10, held: Vec::new() }
    }

    pub async fn members(&self, conversation: &str) -> Vec<Member> {
        self.store.members(self.members_query(conversation)).await.unwrap()
    }

    /// Runs a statement as who owns the tables: what no role of a server may do.
    pub async fn tamper(&self, text: &'static str) {
        match &self.settings.postgres {
            Some(url) => {
                let mut owner = PgConnection::connect(url.expose()).await.unwrap();
                sqlx::raw_sql(text).execute(&mut owner).await.unwrap();
            }
            None => drop(sql::run(&self.store.writer, text, []).await.unwrap()),
        }
    }

    /// One number of the database.
    pub async fn number(&self, query: &str) -> i64 {
        let row =
            sql::row(&self.all(), &format!("SELECT CAST(({query}) AS BIGINT) AS number"), []).await.unwrap().unwrap();
        sql::get(&row, "number").unwrap()
    }
}

async fn open(settings: &Settings, clock: &Arc<TestClock>, rng: &Arc<SeededRng>) -> Store {
    Store::open(settings, clock.clone(), rng.clone()).await.unwrap().store
}

/// Settings of a SQLite file.
pub fn settings(folder: &TempDir) -> Settings {
    engine::settings(folder.path(), None)
}

async fn found(store: &Store, name: &str) -> FoundedOrg {
    store.found_org(&new_org(name)).await.unwrap()
}

pub fn new_org(name: &str) -> NewOrg {
    NewOrg {
        email: format!("{name}@example.com"),
        password_hash: "hash".into(),
        org: name.into(),
        app: format!("{name} app"),
        mode: Mode::Live,
        plan: "operator",
        is_verified: true,
        is_operator: true,
        language: None,
    }
}

pub fn users(names: &[&str]) -> Vec<User> {
    names.iter().map(|name| User::trusted(name)).collect()
}

pub fn new_group(app: AppRef, id: &str, members: &[&str]) -> NewConversation {
    let actor = members.first().map(|name| User::trusted(name));
    NewConversation {
        app,
        id: Conversation::trusted(id),
        kind: ConversationKind::Group,
        members: users(members),
        name: None,
        actor,
    }
}

pub fn new_direct(app: AppRef, id: &str, members: [&str; 2]) -> NewConversation {
    NewConversation { kind: ConversationKind::Direct, ..new_group(app, id, &members) }
}

pub fn member_change(
    app: AppRef,
    conversation: &str,
    actor: Option<&str>,
    change: Change,
    names: &[&str],
) -> MemberChange {
    MemberChange {
        app,
        conversation: Conversation::trusted(conversation),
        actor: actor.map(User::trusted),
        change,
        users: users(names),
        role: MemberRole::Member,
    }
}

pub fn governing(app: AppRef, conversation: &str, actor: Option<&str>, act: GroupAct) -> Governing {
    let conversation = Conversation::trusted(conversation);
    Governing { app, conversation, actor: actor.map(User::trusted), act }
}

pub fn watermark(app: AppRef, conversation: &str, user: &str, read: Option<i64>, received: Option<i64>) -> Watermark {
    Watermark {
        app,
        conversation: Conversation::trusted(conversation),
        user: User::trusted(user),
        read,
        received,
        held: None,
    }
}

/// What a device's `received` is.
pub fn holding(app: AppRef, conversation: &str, (user, device): (&str, &str), seq: i64, since: Since) -> Watermark {
    let held = Held { device: Device::trusted(device), reaches: vec![Reach { seq, since }], label: None };
    Watermark { held: Some(held), ..watermark(app, conversation, user, None, Some(seq)) }
}

pub fn text_body(text: &str) -> Box<str> {
    format!("{{\"text\":\"{text}\"}}").into()
}

pub fn committed(commit: Commit) -> Vec<Result<Outcome>> {
    match commit {
        Commit::Committed(outcomes) => outcomes,
        other => panic!("not committed: {other:?}"),
    }
}

pub fn sent(outcome: Result<Outcome>) -> Sent {
    match outcome {
        Ok(Outcome::Sent(sent)) => sent,
        other => panic!("not sent: {other:?}"),
    }
}

pub fn code(outcome: Result<Outcome>) -> Code {
    outcome.unwrap_err().code
}

pub fn seqs(events: &[Event]) -> Vec<i64> {
    events.iter().map(|event| event.seq).collect()
}
