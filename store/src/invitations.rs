//! Invitations to an org: made with the mail that carries their link, known by the hash of its token, accepted once.

use crate::audit::Event;
use crate::change::Change;
use crate::db::Fence;
use crate::entity::{account, invitation, job, org_member};
use crate::jobs::enqueue_mail;
use crate::link::note_verified;
use crate::orgs::role;
use crate::scope::OrgScope;
use crate::{Store, fault, plans, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use serde_json::json;
use tokenim_domain::actor::{Acting, Actor};
use tokenim_domain::id::{self, AccountId, InvitationId, OrgId};
use tokenim_domain::mail::{Mail, Matter};
use tokenim_domain::membership::{INVITATION_MS, InvitationState, check_grant};
use tokenim_domain::plan::Feature;
use tokenim_domain::role::OrgRole;
use tokenim_domain::secret::{Secret, sha256};
use tokenim_domain::{Code, Error, Result};

/// Invitations read at once: a page of 200, and one more that tells of another page.
pub const INVITATIONS_READ_MAX: u64 = 201;
/// Milliseconds between two mails of one invitation.
const RESEND_AFTER_MS: i64 = 60_000;
/// Invitations an org may mail within [`DAY_MS`], those sent again too: each goes to somebody who did not ask for it.
pub const INVITATIONS_PER_DAY_MAX: u64 = 200;
/// The same to one address.
const MAILS_PER_ADDRESS_MAX: u64 = 5;
const DAY_MS: i64 = 24 * 3_600_000;

/// Whom to invite, and the link that the mail carries.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// The address, lower case.
    pub email: String,
    /// What they will be.
    pub role: OrgRole,
    /// The mail's link.
    pub link: InvitationLink,
}

/// The way into an invitation. The token is in the mail and nowhere else.
#[derive(Debug, Clone)]
pub struct InvitationLink {
    /// SHA-256 of the token.
    pub hash: [u8; 32],
    /// Path and query of the page that accepts, with the token.
    pub path: Secret,
    /// Name or address of who invites, as the mail says it.
    pub inviter: String,
    /// Language of the mail where the address has no account that chose one.
    pub language: String,
}

/// An invitation, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationView {
    /// Its id.
    pub id: InvitationId,
    /// Where to.
    pub org: OrgId,
    /// The address.
    pub email: String,
    /// What they will be.
    pub role: OrgRole,
    /// Who invited: an id, as the audit log writes it.
    pub invited_by: String,
    /// When, milliseconds since 1970.
    pub created_ms: i64,
    /// Until when it can be accepted.
    pub expires_ms: i64,
    /// How it stands now.
    pub state: InvitationState,
}

impl OrgScope<'_> {
    /// The org's invitations that nobody accepted or took back, the oldest first, from above `after` where one is given.
    ///
    /// Shapes: at most [`INVITATIONS_READ_MAX`]. Errors: `unavailable`, `overloaded`.
    pub async fn list_invitations(&self, after: Option<InvitationId>, limit: u64) -> Result<Vec<InvitationView>> {
        let query = invitation::Entity::find()
            .filter(invitation::Column::OrgId.eq(self.org))
            .filter(invitation::Column::AcceptedMs.is_null())
            .filter(invitation::Column::RevokedMs.is_null());
        let query = sql::page(query, invitation::Column::Id, after, limit.min(INVITATIONS_READ_MAX));
        let rows = query.all(&self.reader()).await.map_err(fault::query)?;
        rows.into_iter().map(|row| view(row, self.store.clock.now_ms())).collect()
    }

    /// Invites an address, with the mail that tells it.
    ///
    /// Errors: `forbidden` for a role above the actor's own; `conflict` where the address is a member or has an open
    /// invitation; `plan_limit` where the plan's members are all there or invited; `rate_limited` after
    /// [`INVITATIONS_PER_DAY_MAX`] in a day, 5 of them to one address; `unavailable`, `overloaded`.
    pub async fn invite(self, acting: &Acting, new: NewInvitation) -> Result<InvitationView> {
        check_grant(acting, new.role)?;
        let change = self.begin(&acting.actor).await?;
        let org = change.lock_org().await?;
        let now = self.store.clock.now_ms();
        change.check_new(&new.email, now).await?;
        change.check_mails(&new.email, now).await?;
        let row = change.add_invitation(new, &org.name).await?;
        let after = json!({"email": row.email, "role": row.role, "expires_ms": row.expires_ms});
        change.commit(Event::new("invitation.created", row.id).after(after)).await?;
        view(row, now)
    }

    /// Sends an invitation again, under a new link; the old one ends, and seven days begin anew.
    ///
    /// Errors: `not_found`; `forbidden` for a role above the actor's own; `invitation_used`, `invitation_revoked`;
    /// `rate_limited` within a minute and as for [`Self::invite`]; `plan_limit` where it had expired and its place is taken; `unavailable`, `overloaded`.
    pub async fn resend_invitation(
        self,
        acting: &Acting,
        id: InvitationId,
        link: InvitationLink,
    ) -> Result<InvitationView> {
        let change = self.begin(&acting.actor).await?;
        let org = change.lock_org().await?;
        let now = self.store.clock.now_ms();
        let mut row = change.invitation(id).await?;
        check_grant(acting, role(&row.role)?)?;
        match state(&row, now) {
            InvitationState::Open => {}
            InvitationState::Expired => change.check_new(&row.email, now).await?,
            closed => closed.check_open()?,
        }
        let next_ms = row.expires_ms - INVITATION_MS + RESEND_AFTER_MS;
        if now < next_ms {
            return Err(Error::new(Code::RateLimited).retry_after(next_ms.abs_diff(now)));
        }
        change.check_mails(&row.email, now).await?;
        row.hash = link.hash.to_vec();
        row.expires_ms = now + INVITATION_MS;
        invitation::Entity::update_many()
            .col_expr(invitation::Column::Hash, Expr::value(row.hash.clone()))
            .col_expr(invitation::Column::ExpiresMs, Expr::value(row.expires_ms))
            .filter(invitation::Column::OrgId.eq(self.org))
            .filter(invitation::Column::Id.eq(id))
            .exec(&change.tx)
            .await
            .map_err(fault::query)?;
        change.send(&row, &org.name, link).await?;
        change.commit(Event::new("invitation.resent", id).after(json!({"expires_ms": row.expires_ms}))).await?;
        view(row, now)
    }

    /// Takes an invitation back.
    ///
    /// Errors: `not_found`; `forbidden` for a role above the actor's own; `invitation_used`, `invitation_revoked`;
    /// `unavailable`, `overloaded`.
    pub async fn revoke_invitation(self, acting: &Acting, id: InvitationId) -> Result<InvitationView> {
        let change = self.begin(&acting.actor).await?;
        let now = self.store.clock.now_ms();
        let mut row = change.invitation(id).await?;
        check_grant(acting, role(&row.role)?)?;
        match state(&row, now) {
            InvitationState::Open | InvitationState::Expired => {}
            closed => closed.check_open()?,
        }
        row.revoked_ms = Some(now);
        change.close_invitation(id, invitation::Column::RevokedMs, now).await?;
        let before = json!({"email": row.email, "role": row.role});
        change.commit(Event::new("invitation.revoked", id).before(before)).await?;
        view(row, now)
    }
}

impl Store {
    /// The invitation of a token's hash, and the name of its org.
    ///
    /// Errors: `unavailable`, `overloaded`.
    pub async fn find_invitation(&self, hash: [u8; 32]) -> Result<Option<(InvitationView, String)>> {
        let found = invitation::Entity::find().filter(invitation::Column::Hash.eq(hash.to_vec())).one(&self.readers);
        let Some(row) = found.await.map_err(fault::query)? else { return Ok(None) };
        let Some(org) = self.org(row.org_id).find().await? else { return Ok(None) };
        Ok(Some((view(row, self.clock.now_ms())?, org.name)))
    }

    /// Makes an account a member by the invitation of a token's hash. The mail reached its address, so that is verified.
    ///
    /// Errors: `not_found`; `invitation_foreign` where the account has another address; `invitation_expired`,
    /// `invitation_used`, `invitation_revoked`; `conflict` where the account is a member already; `unavailable`,
    /// `overloaded`.
    pub async fn accept_invitation(&self, hash: [u8; 32], actor: &Actor, account: AccountId) -> Result<InvitationView> {
        let tx = sql::begin(&self.writer).await?;
        let now = self.clock.now_ms();
        let found = invitation::Entity::find().filter(invitation::Column::Hash.eq(hash.to_vec())).one(&tx).await;
        let seen = found.map_err(fault::query)?.ok_or_else(no_invitation)?;
        let known = account::Entity::find_by_id(account).one(&tx).await.map_err(fault::query)?;
        if known.is_none_or(|known| known.email != seen.email) {
            return Err(Code::InvitationForeign.into());
        }
        let verified = account::Entity::update_many()
            .col_expr(account::Column::VerifiedMs, Expr::value(now))
            .filter(account::Column::Id.eq(account))
            .filter(account::Column::VerifiedMs.is_null())
            .exec(&tx)
            .await
            .map_err(fault::query)?;
        let change = self.org(seen.org_id).go_on(tx, actor).await?;
        change.lock_org().await?;
        let mut row = change.invitation(seen.id).await?;
        if row.hash != hash {
            return Err(no_invitation());
        }
        state(&row, now).check_open()?;
        if change.role_of(account).await.is_ok() {
            return Err(Error::new(Code::Conflict).says("the account is a member already"));
        }
        change.add_member(account, role(&row.role)?).await?;
        change.close_invitation(row.id, invitation::Column::AcceptedMs, now).await?;
        row.accepted_ms = Some(now);
        let event = Event::new("invitation.accepted", row.id).after(json!({"account": account, "role": row.role}));
        if verified.rows_affected == 1 {
            // All of the account's orgs are told, this one too.
            note_verified(self, &change.tx, account, actor).await?;
            sql::enter(&change.tx, Fence::of(seen.org_id)).await?;
            change.commit(event).await?;
        } else {
            change.commit_and_tell(event).await?;
        }
        view(row, now)
    }
}

impl Change<'_> {
    /// Writes an invitation and its mail; the caller commits.
    pub(crate) async fn add_invitation(&self, new: NewInvitation, org: &str) -> Result<invitation::Model> {
        let store = self.scope.store;
        let now = store.clock.now_ms();
        let row = invitation::Model {
            org_id: self.scope.org,
            id: InvitationId::new(&*store.clock, &*store.rng),
            email: new.email,
            role: new.role.as_str().to_owned(),
            hash: new.link.hash.to_vec(),
            invited_by: self.actor.who.to_string(),
            created_ms: now,
            expires_ms: now + INVITATION_MS,
            accepted_ms: None,
            revoked_ms: None,
        };
        sql::insert(&self.tx, row.clone()).await?;
        self.send(&row, org, new.link).await?;
        Ok(row)
    }

    /// Whether one more invitation, to this address, is right.
    async fn check_new(&self, email: &str, now: i64) -> Result<()> {
        let known = account::Entity::find().select_only().column(account::Column::Id);
        let known = known.filter(account::Column::Email.eq(email)).into_tuple::<AccountId>().one(&self.tx).await;
        if let Some(known) = known.map_err(fault::query)? {
            let member = org_member::Entity::find_by_id((self.scope.org, known)).one(&self.tx).await;
            if member.map_err(fault::query)?.is_some() {
                return Err(Error::new(Code::Conflict).says("this address is a member already").at("email"));
            }
        }
        let of_org = || invitation::Entity::find().filter(invitation::Column::OrgId.eq(self.scope.org));
        let open = of_org()
            .filter(invitation::Column::Email.eq(email))
            .filter(invitation::Column::AcceptedMs.is_null())
            .filter(invitation::Column::RevokedMs.is_null())
            .filter(invitation::Column::ExpiresMs.gt(now))
            .count(&self.tx);
        if open.await.map_err(fault::query)? > 0 {
            return Err(Error::new(Code::Conflict).says("this address is invited already; send it again").at("email"));
        }
        let seats = self.seats().await?;
        let taken = i64::try_from(seats.members + seats.invitations).unwrap_or(i64::MAX);
        let granted = plans::granted(&self.tx, self.scope.org, Feature::Members).await?;
        granted.admit(Feature::Members, taken)
    }

    /// Whether one more mail, to this address, is right: those of the last day are all jobs still.
    async fn check_mails(&self, email: &str, now: i64) -> Result<()> {
        let limits = [(MAIL_KEY.to_owned(), INVITATIONS_PER_DAY_MAX), (address_key(email), MAILS_PER_ADDRESS_MAX)];
        for (key, mails_max) in limits {
            let mails = job::Entity::find()
                .filter(job::Column::OrgId.eq(self.scope.org))
                .filter(job::Column::DedupKey.starts_with(key))
                .filter(job::Column::CreatedMs.gt(now - DAY_MS))
                .count(&self.tx);
            if mails.await.map_err(fault::query)? >= mails_max {
                return Err(Error::new(Code::RateLimited).retry_after(DAY_MS.unsigned_abs()));
            }
        }
        Ok(())
    }

    async fn send(&self, row: &invitation::Model, org: &str, link: InvitationLink) -> Result<()> {
        // The address may be of nobody in this org, so it is looked up outside the org's fence.
        sql::enter(&self.tx, Fence::Worker).await?;
        let known = account::Entity::find().filter(account::Column::Email.eq(&row.email)).one(&self.tx).await;
        let language = known.map_err(fault::query)?.and_then(|known| known.language).unwrap_or(link.language);
        sql::enter(&self.tx, Fence::of(self.scope.org)).await?;
        let matter = Matter::Invitation {
            org: org.to_owned(),
            inviter: link.inviter,
            role: role(&row.role)?,
            path: link.path.expose().to_owned(),
            expires_ms: row.expires_ms,
        };
        let mail = Mail { to: row.email.clone(), language, matter };
        enqueue_mail(self.scope.store, &self.tx, Some(self.scope.org), &mail_key(&row.email, link.hash), &mail).await
    }

    async fn invitation(&self, id: InvitationId) -> Result<invitation::Model> {
        let found = invitation::Entity::find_by_id((self.scope.org, id)).one(&self.tx).await;
        found.map_err(fault::query)?.ok_or_else(no_invitation)
    }

    /// Writes when an invitation ended, into the column that says how.
    async fn close_invitation(&self, id: InvitationId, how: invitation::Column, now: i64) -> Result<()> {
        invitation::Entity::update_many()
            .col_expr(how, Expr::value(now))
            .filter(invitation::Column::OrgId.eq(self.scope.org))
            .filter(invitation::Column::Id.eq(id))
            .exec(&self.tx)
            .await
            .map(drop)
            .map_err(fault::query)
    }
}

fn no_invitation() -> Error {
    Error::new(Code::NotFound).says("no such invitation")
}

/// How the keys of an org's invitation mails begin, and then those to one address.
const MAIL_KEY: &str = "invitation:";

fn address_key(email: &str) -> String {
    format!("{MAIL_KEY}{}:", short(sha256(email.as_bytes())))
}

/// One mail per link.
fn mail_key(email: &str, hash: [u8; 32]) -> String {
    address_key(email) + &short(hash)
}

/// Half of a hash is plenty to tell it from others.
fn short(hash: [u8; 32]) -> String {
    let (half, _) = hash.split_first_chunk().expect("32 bytes have a first half");
    id::encode(u128::from_be_bytes(*half))
}

fn state(row: &invitation::Model, now: i64) -> InvitationState {
    InvitationState::of(now, row.expires_ms, row.accepted_ms, row.revoked_ms)
}

fn view(row: invitation::Model, now: i64) -> Result<InvitationView> {
    Ok(InvitationView {
        id: row.id,
        org: row.org_id,
        role: role(&row.role)?,
        state: state(&row, now),
        email: row.email,
        invited_by: row.invited_by,
        created_ms: row.created_ms,
        expires_ms: row.expires_ms,
    })
}
