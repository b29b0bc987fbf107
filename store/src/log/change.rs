//! Membership changes: who is added and removed by whom, and the member rows that move with a member event.

use super::append::{Batch, Head};
use super::tally::{self, Marks, TALLY_ABOVE};
use super::{allowed, contact, member_role, members};
use crate::entity::{conversation, member};
use crate::sql::Text;
use crate::{fault, sql};
use sea_orm::{EntityTrait, Value};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokenim_domain::group::{AddRule, JoinRule};
use tokenim_domain::id::MessageId;
use tokenim_domain::limits::MEMBERS_MAX;
use tokenim_domain::log::{AppRef, Event, EventBody, MemberChange, Outcome};
use tokenim_domain::name::{Conversation, User};
use tokenim_domain::role::{Change, ConversationKind, MemberRole};
use tokenim_domain::{Code, Error, Result, sabotage};

/// A conversation and who asks something of it, as they stand in the transaction.
pub(super) struct Scene {
    pub(super) row: conversation::Model,
    /// The role of the user who asks; `None` = the app's server, which may do all.
    role: Option<MemberRole>,
}

impl Scene {
    /// Looks a group up. The outer result is the database's, the inner one the answer.
    ///
    /// Errors: `not_found` for no such conversation or an actor who is no member; `forbidden` for a direct one.
    pub(super) async fn find(
        batch: &Batch<'_>,
        app: AppRef,
        conversation: &Conversation,
        actor: Option<&User>,
    ) -> Result<Result<Scene>> {
        let Some(row) = find(batch, app, conversation).await? else { return Ok(Err(Code::NotFound.into())) };
        let role = match actor {
            None => None,
            Some(actor) => match find_member(batch, app, conversation, actor).await? {
                Some(member) => Some(member_role(&member.role)?),
                None => return Ok(Err(Code::NotFound.into())),
            },
        };
        if row.kind == ConversationKind::Direct.as_str() {
            return Ok(Err(Error::new(Code::Forbidden).says("the members of a direct conversation are fixed")));
        }
        Ok(Ok(Scene { row, role }))
    }

    /// Whether who asks has a role that may. Errors: `forbidden`, in those words.
    pub(super) fn check(&self, may: impl FnOnce(MemberRole) -> bool, refusal: &'static str) -> Result<()> {
        match self.role {
            Some(role) if !may(role) => Err(Error::new(Code::Forbidden).says(refusal)),
            Some(_) | None => Ok(()),
        }
    }
}

/// The row of a conversation.
pub(super) async fn find(
    batch: &Batch<'_>,
    app: AppRef,
    conversation: &Conversation,
) -> Result<Option<conversation::Model>> {
    let key = (app.app, conversation.as_str().to_owned());
    conversation::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)
}

/// The row of a member.
pub(super) async fn find_member(
    batch: &Batch<'_>,
    app: AppRef,
    conversation: &Conversation,
    user: &User,
) -> Result<Option<member::Model>> {
    let key = (app.app, conversation.as_str().to_owned(), user.as_str().to_owned());
    member::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)
}

/// How users come into the conversation of a row by themselves.
pub(super) fn join_rule(row: &conversation::Model) -> Result<JoinRule> {
    JoinRule::find(&row.join_rule).ok_or_else(|| Error::internal("unknown rule of joining"))
}

/// Who may add members to the conversation of a row.
pub(super) fn add_rule(row: &conversation::Model) -> Result<AddRule> {
    AddRule::find(&row.add_rule).ok_or_else(|| Error::internal("unknown rule of adding"))
}

/// Adds or removes members, where the actor may. The outer result is the database's, the inner one the answer.
pub(super) async fn change(batch: &Batch<'_>, change: MemberChange) -> Result<Result<Outcome>> {
    let scene = allowed!(Scene::find(batch, change.app, &change.conversation, change.actor.as_ref()).await?);
    let present = roles_of(batch, &change).await?;
    let users = match change.change {
        Change::Removed => allowed!(removed(&scene, &change, &present)),
        _ => allowed!(added(batch, &scene, &change, &present).await?),
    };
    if users.is_empty() {
        return Ok(Ok(Outcome::Changed(None)));
    }
    let body = EventBody::Member { change: change.change, actor: change.actor, users, until_ms: None };
    Ok(Ok(Outcome::Changed(Some(append(batch, change.app, &scene.row, body).await?))))
}

type Users = Vec<(User, Option<MemberRole>)>;

/// Those of the named who are members. Whoever names others has to moderate, and stand above each of them.
fn removed(scene: &Scene, change: &MemberChange, present: &HashMap<User, MemberRole>) -> Result<Users> {
    for user in &change.users {
        match present.get(user) {
            Some(role) if change.actor.as_ref() == Some(user) => scene.check(
                |_| role.may_leave(),
                "the owner cannot leave the conversation; give the role to somebody else first",
            )?,
            Some(role) => scene.check(|own| own.may_act_on(*role), "only a member of higher rank may remove one")?,
            None => scene.check(MemberRole::may_moderate, "only owner and admins may remove members")?,
        }
    }
    let users = change.users.iter().filter_map(|user| present.get_key_value(user));
    Ok(users.map(|(user, role)| (user.clone(), Some(*role))).collect())
}

/// Those of the named who are no members yet, who then exist. The outer result is the database's, the inner one the answer.
async fn added(
    batch: &Batch<'_>,
    scene: &Scene,
    change: &MemberChange,
    present: &HashMap<User, MemberRole>,
) -> Result<Result<Users>> {
    let rule = add_rule(&scene.row)?;
    allowed!(scene.check(|role| role.may_add(rule), "the conversation's rule lets only higher roles add members"));
    let mut seen = HashSet::new();
    let fresh = change.users.iter().filter(|user| !present.contains_key(*user) && seen.insert(*user));
    let fresh: Vec<User> = fresh.cloned().collect();
    if fresh.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    allowed!(room(&scene.row, fresh.len()));
    let mut roles = HashMap::new();
    if let Some(actor) = &change.actor {
        if contact::any_banned(batch, change.app, &change.conversation, &fresh).await? {
            let message = "a user among them is banned; a moderator may unban first";
            return Ok(Err(Error::new(Code::Forbidden).says(message).at("members")));
        }
        let unasked = contact::without_requests(batch, change.app, &change.conversation, &fresh).await?;
        // Who asked is no stranger to who lets it in.
        if !unasked.is_empty() {
            allowed!(contact::check(batch, change.app, actor, &unasked).await?);
        }
        roles = contact::roles_before(batch, change.app, &change.conversation, &fresh).await?;
    }
    members::insert_users(&batch.tx, change.app, &fresh, batch.now_ms).await?;
    let role = |user: &User| roles.get(user).copied().unwrap_or(change.role);
    Ok(Ok(fresh.into_iter().map(|user| (user.clone(), Some(role(&user)))).collect()))
}

/// Checks that so many more fit. Errors: `limit_reached`.
pub(super) fn room(row: &conversation::Model, more: usize) -> Result<()> {
    if row.members + more as i64 > MEMBERS_MAX as i64 {
        let message = format!("a conversation has at most {MEMBERS_MAX} members");
        return Err(Error::new(Code::LimitReached).says(message));
    }
    Ok(())
}

async fn roles_of(batch: &Batch<'_>, change: &MemberChange) -> Result<HashMap<User, MemberRole>> {
    let values = [change.app.app.into(), change.conversation.as_str().into(), members::names(&change.users).into()];
    let rows = sql::rows(&batch.tx, FIND_ROLES.on(&batch.tx), values).await?;
    rows.iter().map(role_of).collect()
}

/// A user and its role, of a row that has both.
pub(super) fn role_of(row: &sea_orm::QueryResult) -> Result<(User, MemberRole)> {
    Ok((User::trusted(&sql::get::<String>(row, "user")?), member_role(&sql::get::<String>(row, "role")?)?))
}

/// Appends an event that is no message, and moves the rows that tell the same.
pub(super) async fn append(
    batch: &Batch<'_>,
    app: AppRef,
    row: &conversation::Model,
    body: EventBody,
) -> Result<Arc<Event>> {
    let id = MessageId::new(&*batch.store.clock, &*batch.store.rng);
    let name = Conversation::trusted(&row.id);
    let mut head = Head {
        epoch: row.epoch,
        found_seq: row.last_seq,
        seq: row.last_seq,
        msg_no: row.last_msg_no,
        last_ms: row.last_ms,
        units_cum: row.units_cum,
    };
    let placed = batch.place(&mut head, app, &name, id, body, None);
    let event = placed.event.clone();
    batch.write(&[placed], &HashMap::from([((app.app, name), head)])).await?;
    if let EventBody::Member { change, actor, users, until_ms } = &event.body {
        let moved = Moved { batch, row, event: &event, users: &members::names(users.iter().map(|(user, _)| user)) };
        moved.move_rows(*change, actor.as_ref(), users, *until_ms).await?;
    }
    Ok(event)
}

/// The rows that move with one member event.
struct Moved<'a> {
    batch: &'a Batch<'a>,
    /// The conversation as it was found; its head, which moved from there, vouches for it.
    row: &'a conversation::Model,
    event: &'a Event,
    users: &'a str,
}

impl Moved<'_> {
    async fn move_rows(
        &self,
        change: Change,
        actor: Option<&User>,
        users: &[(User, Option<MemberRole>)],
        until_ms: Option<i64>,
    ) -> Result<()> {
        let members = users.iter().filter(|(_, role)| role.is_some()).count() as i64;
        let more = match change {
            Change::Created | Change::Added => members,
            Change::Removed | Change::Banned => -members,
            Change::Unbanned | Change::Role | Change::Muted | Change::Unmuted => 0,
        };
        let is_tallied = self.row.is_tallied || self.row.members + more > TALLY_ABOVE;
        if is_tallied && !self.row.is_tallied {
            tally::begin(self.batch, self.event.app.app, &self.event.conversation).await?;
        }
        match change {
            Change::Created => self.insert(users, is_tallied).await?,
            Change::Added => {
                if actor.is_none() {
                    // The app's server lets in whom it wants, as it wants.
                    self.run(DELETE_BEFORE, []).await?;
                }
                self.insert(users, is_tallied).await?;
                for text in [DELETE_REQUESTS, DELETE_BANS, DELETE_BEFORE] {
                    self.run(text, []).await?;
                }
            }
            Change::Removed => self.delete().await?,
            Change::Banned => {
                self.delete().await?;
                self.run(DELETE_REQUESTS, []).await?;
                let actor = actor.map(User::as_str);
                self.run(INSERT_BANS, [actor.into(), self.batch.now_ms.into()]).await?;
            }
            Change::Unbanned => self.run(DELETE_BANS, []).await?,
            Change::Role => self.each_role(users).await?,
            Change::Muted | Change::Unmuted => self.run(SET_MUTED, [until_ms.into()]).await?,
        }
        self.run_plain(SET_VERSION, [self.event.seq.into(), more.into(), is_tallied.into()]).await
    }

    async fn insert(&self, users: &[(User, Option<MemberRole>)], is_tallied: bool) -> Result<()> {
        let seq = self.event.seq;
        if is_tallied {
            let marks = Marks { joined: seq, read: seq, received: seq };
            self.batch.tally().count((self.event.app.app, &self.event.conversation), marks, users.len() as i64);
        }
        let pair = |(user, role): &(User, Option<MemberRole>)| json!([user.as_str(), role.map(MemberRole::as_str)]);
        let pairs = serde_json::Value::from(users.iter().map(pair).collect::<Vec<_>>()).to_string();
        self.run_plain(INSERT_MEMBERS.on(&self.batch.tx), [pairs.into(), seq.into(), is_tallied.into()]).await
    }

    async fn delete(&self) -> Result<()> {
        self.run(KEEP_BEFORE, [self.batch.now_ms.into()]).await?;
        let (app, conversation) = (self.event.app.app, &self.event.conversation);
        let values = [app.into(), conversation.as_str().into(), self.users.into(), self.event.seq.into()];
        let gone = sql::rows(&self.batch.tx, DELETE_MEMBERS.on(&self.batch.tx), values).await?;
        let mut tally = self.batch.tally();
        for row in gone.iter().filter(|_| !sabotage::is("leaver_stays_tallied")) {
            if sql::get(row, "is_tallied")? {
                tally.count((app, conversation), Marks::of(row)?, -1);
            }
        }
        Ok(())
    }

    /// At most two: who gets the role, and who gave its own away.
    async fn each_role(&self, users: &[(User, Option<MemberRole>)]) -> Result<()> {
        for (user, role) in users {
            let role = role.map(MemberRole::as_str);
            self.run_plain(SET_ROLE, [user.as_str().into(), role.into()]).await?;
        }
        Ok(())
    }

    /// Runs a statement on the app, the conversation, the users and what follows.
    async fn run<const N: usize>(&self, text: Text, more: [Value; N]) -> Result<()> {
        let users = [Value::from(self.users)].into_iter().chain(more);
        self.run_plain(text.on(&self.batch.tx), users).await
    }

    async fn run_plain(&self, text: &str, more: impl IntoIterator<Item = Value>) -> Result<()> {
        let key = [self.event.app.app.into(), self.event.conversation.as_str().into()];
        sql::run(&self.batch.tx, text, key.into_iter().chain(more)).await.map(drop).map_err(fault::query)
    }
}

/// Whoever left muted comes back muted.
macro_rules! insert_members {
    ($each:literal) => {
        concat!(
            "INSERT INTO member (app_id, conversation_id, \"user\", role, joined_seq, read_seq, received_seq, is_tallied, muted_until_ms) ",
            "SELECT $1, $2, w.value->>0, w.value->>1, $4, $4, $4, $5, (SELECT b.muted_until_ms FROM member_before b ",
            "WHERE b.app_id = $1 AND b.conversation_id = $2 AND b.\"user\" = w.value->>0) FROM ", $each
        )
    };
}
const INSERT_MEMBERS: Text = Text {
    sqlite: insert_members!("json_each($3) w"),
    postgres: insert_members!("json_array_elements($3::json) AS w(value)"),
};
/// A statement on the rows of the users in `$3`, of a table that holds few of a conversation.
macro_rules! of_users {
    ($start:literal $(, $end:literal)?) => {
        Text {
            sqlite: concat!($start, " WHERE app_id = $1 AND conversation_id = $2 AND \"user\" IN (SELECT value FROM json_each($3))" $(, $end)?),
            postgres: concat!($start, " WHERE app_id = $1 AND conversation_id = $2 AND \"user\" = ANY (ARRAY(SELECT json_array_elements_text($3::json)))" $(, $end)?),
        }
    };
}
/// The same of the members. Without statistics PostgreSQL takes any conversation for a small one, reads all of its members
/// and compares each with each of the users; a conversation it can't look up makes it look up the users.
macro_rules! of_members {
    ($start:literal $(, $end:literal)?) => {
        Text {
            sqlite: of_users!($start $(, $end)?).sqlite,
            postgres: concat!($start, " WHERE app_id = $1 AND conversation_id || '' = $2 AND \"user\" = ANY (ARRAY(SELECT json_array_elements_text($3::json)))" $(, $end)?),
        }
    };
}
pub(super) use of_users;

const DELETE_MEMBERS: Text =
    of_members!("DELETE FROM member", " AND joined_seq <= $4 RETURNING joined_seq, read_seq, received_seq, is_tallied");
const KEEP_BEFORE: Text = of_members!(
    "INSERT INTO member_before (app_id, conversation_id, \"user\", role, muted_until_ms)
SELECT app_id, conversation_id, \"user\", role, muted_until_ms FROM member",
    " AND (role = 'guest' OR muted_until_ms > $4)
ON CONFLICT (app_id, conversation_id, \"user\") DO UPDATE SET role = excluded.role, muted_until_ms = excluded.muted_until_ms"
);
const FIND_ROLES: Text = of_members!("SELECT \"user\", role FROM member");
const DELETE_REQUESTS: Text = of_users!("DELETE FROM join_request");
const DELETE_BANS: Text = of_users!("DELETE FROM member_ban");
const DELETE_BEFORE: Text = of_users!("DELETE FROM member_before");
const SET_MUTED: Text = of_members!("UPDATE member SET muted_until_ms = $4");
const INSERT_BANS: Text = Text {
    sqlite: "
INSERT INTO member_ban (app_id, conversation_id, \"user\", actor, created_ms)
SELECT $1, $2, value, $4, $5 FROM json_each($3)",
    postgres: "
INSERT INTO member_ban (app_id, conversation_id, \"user\", actor, created_ms)
SELECT $1, $2, value, $4, $5 FROM json_array_elements_text($3::json) AS w(value)",
};
const SET_ROLE: &str = "UPDATE member SET role = $4 WHERE app_id = $1 AND conversation_id = $2 AND \"user\" = $3";
const SET_VERSION: &str = "UPDATE conversation SET member_version = $3, members = members + $4, is_tallied = $5 WHERE app_id = $1 AND id = $2";
