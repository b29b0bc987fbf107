//! What is asked of a conversation beside adding and removing members: settings, joins, roles, mutes and bans.

use super::append::Batch;
use super::change::{self, Scene, append};
use super::{allowed, contact, member_role, members};
use crate::entity::{join_request, member, member_ban};
use crate::fault;
use crate::sql::{self, Text};
use sea_orm::EntityTrait;
use tokenim_domain::group::{JoinRule, SettingsChange};
use tokenim_domain::limits::{BANS_MAX, JOIN_REQUESTS_MAX, MODERATORS_TOLD_MAX};
use tokenim_domain::log::{EventBody, Governing, GroupAct, JoinRequest, Joined, Outcome};
use tokenim_domain::name::User;
use tokenim_domain::role::{Change, ConversationKind, MemberRole};
use tokenim_domain::{Code, Error, Result};

/// Does what is asked, where the actor may. The outer result is the database's, the inner one the answer.
pub(super) async fn govern(batch: &Batch<'_>, asked: Governing) -> Result<Result<Outcome>> {
    if let GroupAct::Join = asked.act {
        return join(batch, asked).await;
    }
    let scene = allowed!(Scene::find(batch, asked.app, &asked.conversation, asked.actor.as_ref()).await?);
    let act = Acting { batch, scene, asked: &asked };
    match &asked.act {
        GroupAct::Update(change) => act.update(change).await,
        GroupAct::Join => Ok(Err(Error::internal("handled above"))),
        GroupAct::Decline(users) => act.decline(users).await,
        GroupAct::Role(user, role) => act.give(user, *role).await,
        GroupAct::Mute(user, for_ms) => act.mute(user, *for_ms).await,
        GroupAct::Ban(user) => act.ban(user).await,
        GroupAct::Unban(user) => act.unban(user).await,
    }
}

/// One act in its transaction.
struct Acting<'a> {
    batch: &'a Batch<'a>,
    scene: Scene,
    asked: &'a Governing,
}

type Answer = Result<Result<Outcome>>;

impl Acting<'_> {
    async fn update(&self, change: &SettingsChange) -> Answer {
        allowed!(self.scene.check(MemberRole::may_update, "only owner and admins may change the conversation"));
        let row = &self.scene.row;
        let (join, add) = (change::join_rule(row)?, change::add_rule(row)?);
        let change = SettingsChange {
            name: change.name.clone().filter(|name| *name != row.name),
            join: change.join.filter(|rule| *rule != join),
            add: change.add.filter(|rule| *rule != add),
        };
        if change.is_empty() {
            return Ok(Ok(Outcome::Changed(None)));
        }
        let values = [
            self.asked.app.app.into(),
            row.id.as_str().into(),
            change.name.clone().unwrap_or_else(|| row.name.clone()).into(),
            change.join.unwrap_or(join).as_str().into(),
            change.add.unwrap_or(add).as_str().into(),
        ];
        sql::run(&self.batch.tx, SET_SETTINGS, values).await.map_err(fault::query)?;
        self.append(EventBody::Settings { actor: self.asked.actor.clone(), change }).await
    }

    async fn decline(&self, users: &[User]) -> Answer {
        allowed!(self.scene.check(MemberRole::may_moderate, "only owner and admins decide on who asks to join"));
        let values = [self.asked.app.app.into(), self.asked.conversation.as_str().into(), members::names(users).into()];
        let gone = sql::run(&self.batch.tx, DECLINE.on(&self.batch.tx), values).await.map_err(fault::query)?;
        Ok(Ok(Outcome::Listed(gone > 0)))
    }

    async fn give(&self, user: &User, to: MemberRole) -> Answer {
        let member = allowed!(self.member(user).await?);
        let from = member_role(&member.role)?;
        let refusal = "only the owner gives and takes the roles of owner and admin, and nobody changes an equal";
        allowed!(self.scene.check(|own| own.may_give(from, to), refusal));
        if from == to {
            return Ok(Ok(Outcome::Changed(None)));
        }
        let mut users = vec![(user.clone(), Some(to))];
        // There is one owner at most: who had the role keeps the next one.
        if to == MemberRole::Owner
            && let Some(owner) = self.owner().await?
        {
            users.push((owner, Some(MemberRole::Admin)));
        }
        self.member_event(Change::Role, users, None).await
    }

    async fn mute(&self, user: &User, for_ms: i64) -> Answer {
        let member = allowed!(self.target(user, "only a member of higher rank may mute one").await?);
        let role = Some(member_role(&member.role)?);
        let is_muted = member.muted_until_ms.is_some_and(|until| until > self.batch.now_ms);
        match (for_ms, is_muted) {
            (0, false) => Ok(Ok(Outcome::Changed(None))),
            (0, true) => self.member_event(Change::Unmuted, vec![(user.clone(), role)], None).await,
            (for_ms, _) => {
                let until_ms = Some(self.batch.now_ms.saturating_add(for_ms));
                self.member_event(Change::Muted, vec![(user.clone(), role)], until_ms).await
            }
        }
    }

    async fn ban(&self, user: &User) -> Answer {
        let refusal = "only a member of higher rank may ban one";
        let role = match self.find_member(user).await? {
            Some(member) => Some(member_role(&member.role)?),
            None => None,
        };
        allowed!(self.scene.check(|own| role.map_or(own.may_moderate(), |role| own.may_act_on(role)), refusal));
        if self.is_banned(user).await? {
            return Ok(Ok(Outcome::Changed(None)));
        }
        if self.count(COUNT_BANS, BANS_MAX).await? {
            return Ok(Err(Error::new(Code::LimitReached).says(format!("a conversation has at most {BANS_MAX} bans"))));
        }
        self.member_event(Change::Banned, vec![(user.clone(), role)], None).await
    }

    async fn unban(&self, user: &User) -> Answer {
        allowed!(self.scene.check(MemberRole::may_moderate, "only owner and admins may unban"));
        if !self.is_banned(user).await? {
            return Ok(Ok(Outcome::Changed(None)));
        }
        self.member_event(Change::Unbanned, vec![(user.clone(), None)], None).await
    }

    async fn find_member(&self, user: &User) -> Result<Option<member::Model>> {
        change::find_member(self.batch, self.asked.app, &self.asked.conversation, user).await
    }

    /// A member by name. Errors: `not_found` at `user`.
    async fn member(&self, user: &User) -> Result<Result<member::Model>> {
        let refusal = || Error::new(Code::NotFound).says("the user is no member of the conversation").at("user");
        Ok(self.find_member(user).await?.ok_or_else(refusal))
    }

    /// A member whom the actor may act on. Errors: `forbidden` for an actor who moderates nothing, whoever is named.
    async fn target(&self, user: &User, refusal: &'static str) -> Result<Result<member::Model>> {
        allowed!(self.scene.check(MemberRole::may_moderate, refusal));
        let member = allowed!(self.member(user).await?);
        let role = member_role(&member.role)?;
        allowed!(self.scene.check(|own| own.may_act_on(role), refusal));
        Ok(Ok(member))
    }

    async fn owner(&self) -> Result<Option<User>> {
        let values = [self.asked.app.app.into(), self.asked.conversation.as_str().into()];
        let row = sql::row(&self.batch.tx, OWNER.on(&self.batch.tx), values).await?;
        row.map(|row| Ok(User::trusted(&sql::get::<String>(&row, "user")?))).transpose()
    }

    async fn is_banned(&self, user: &User) -> Result<bool> {
        is_banned(self.batch, self.asked, user).await
    }

    async fn count(&self, text: &str, max: usize) -> Result<bool> {
        is_full(self.batch, self.asked, text, max).await
    }

    async fn member_event(
        &self,
        change: Change,
        users: Vec<(User, Option<MemberRole>)>,
        until_ms: Option<i64>,
    ) -> Answer {
        self.append(EventBody::Member { change, actor: self.asked.actor.clone(), users, until_ms }).await
    }

    async fn append(&self, body: EventBody) -> Answer {
        let event = append(self.batch, self.asked.app, &self.scene.row, body).await?;
        Ok(Ok(Outcome::Changed(Some(event))))
    }
}

/// Lets a user in, or notes that it asks; what does not take anybody looks like nothing.
async fn join(batch: &Batch<'_>, asked: Governing) -> Answer {
    let Some(user) = asked.actor.clone() else {
        return Ok(Err(Error::new(Code::Forbidden).says("users join; the app's server adds members")));
    };
    let Some(row) = change::find(batch, asked.app, &asked.conversation).await? else {
        return Ok(Err(Code::NotFound.into()));
    };
    if change::find_member(batch, asked.app, &asked.conversation, &user).await?.is_some() {
        return Ok(Ok(Outcome::Joined(Joined::Member(None))));
    }
    let rule = change::join_rule(&row)?;
    if rule == JoinRule::Invite || row.kind == ConversationKind::Direct.as_str() {
        return Ok(Err(Code::NotFound.into()));
    }
    if is_banned(batch, &asked, &user).await? {
        return Ok(Err(Error::new(Code::Forbidden).says("the user is banned from this conversation")));
    }
    match rule {
        JoinRule::Approval | JoinRule::Invite => request(batch, &asked, user).await,
        JoinRule::Open => {
            allowed!(change::room(&row, 1));
            let me = std::slice::from_ref(&user);
            let before = contact::roles_before(batch, asked.app, &asked.conversation, me).await?;
            members::insert_users(&batch.tx, asked.app, me, batch.now_ms).await?;
            let role = before.get(&user).copied().unwrap_or(MemberRole::Member);
            let users = vec![(user, Some(role))];
            let body = EventBody::Member { change: Change::Added, actor: asked.actor, users, until_ms: None };
            let event = append(batch, asked.app, &row, body).await?;
            Ok(Ok(Outcome::Joined(Joined::Member(Some(event)))))
        }
    }
}

async fn request(batch: &Batch<'_>, asked: &Governing, user: User) -> Answer {
    let (app, conversation) = (asked.app, asked.conversation.clone());
    let key = (app.app, conversation.as_str().to_owned(), user.as_str().to_owned());
    let known = join_request::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)?.is_some();
    let mut moderators = Vec::new();
    if !known {
        if is_full(batch, asked, COUNT_REQUESTS, JOIN_REQUESTS_MAX).await? {
            let message = format!("at most {JOIN_REQUESTS_MAX} users wait to be let in");
            return Ok(Err(Error::new(Code::LimitReached).says(message)));
        }
        let values = [app.app.into(), conversation.as_str().into(), user.as_str().into(), batch.now_ms.into()];
        sql::run(&batch.tx, INSERT_REQUEST, values).await.map_err(fault::query)?;
        let values = [app.app.into(), conversation.as_str().into(), (MODERATORS_TOLD_MAX as i64).into()];
        let rows = sql::rows(&batch.tx, MODERATORS.on(&batch.tx), values).await?;
        moderators =
            rows.iter().map(|row| Ok(User::trusted(&sql::get::<String>(row, "user")?))).collect::<Result<_>>()?;
    }
    Ok(Ok(Outcome::Joined(Joined::Requested(JoinRequest { app, conversation, user, moderators }))))
}

async fn is_banned(batch: &Batch<'_>, asked: &Governing, user: &User) -> Result<bool> {
    let key = (asked.app.app, asked.conversation.as_str().to_owned(), user.as_str().to_owned());
    Ok(member_ban::Entity::find_by_id(key).one(&batch.tx).await.map_err(fault::query)?.is_some())
}

/// Whether a list has as many rows as it may.
async fn is_full(batch: &Batch<'_>, asked: &Governing, text: &str, max: usize) -> Result<bool> {
    let max = max as i64;
    let row = sql::row(&batch.tx, text, [asked.app.app.into(), asked.conversation.as_str().into(), max.into()]).await?;
    Ok(row.map(|row| sql::get::<i64>(&row, "count")).transpose()?.is_some_and(|count| count >= max))
}

const SET_SETTINGS: &str =
    "UPDATE conversation SET name = $3, join_rule = $4, add_rule = $5 WHERE app_id = $1 AND id = $2";
const DECLINE: Text = change::of_users!("DELETE FROM join_request");
/// The condition is that of the index, which SQLite is told: without statistics it prefers the primary key, every member.
macro_rules! moderating {
    ($more:literal) => {
        Text {
            sqlite: concat!("SELECT \"user\" FROM member INDEXED BY member_moderating WHERE app_id = $1 AND conversation_id = $2 AND role IN ('owner', 'admin')", $more),
            postgres: concat!("SELECT \"user\" FROM member WHERE app_id = $1 AND conversation_id = $2 AND role IN ('owner', 'admin')", $more),
        }
    };
}
const OWNER: Text = moderating!(" AND role = 'owner'");
const MODERATORS: Text = moderating!(" LIMIT $3");
const COUNT_BANS: &str = "
SELECT count(*) AS count FROM (SELECT 1 FROM member_ban WHERE app_id = $1 AND conversation_id = $2 LIMIT $3) AS some_rows";
const COUNT_REQUESTS: &str = "
SELECT count(*) AS count FROM (SELECT 1 FROM join_request WHERE app_id = $1 AND conversation_id = $2 LIMIT $3) AS some_rows";
const INSERT_REQUEST: &str = "INSERT INTO join_request (app_id, conversation_id, \"user\", created_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
