//! Members of the org and invitations to it.
use std::collections::HashMap;

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    invitations::{self, Invite},
    members,
};
use tokenim_domain::{
    Error,
    actor::{Acting, Action},
    id::{AccountId, InvitationId},
    membership::InvitationState,
    role::OrgRole,
};
use tokenim_store::{InvitationView, OrgMember};
use tokenim_templates::{
    flash::Flash,
    page::members::{InvitationRow, InviteForm, MatrixRow, MemberPage, MemberRow, MembersPage},
    problem::Problems,
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::{Form, Nothing},
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

/// The list's path.
const PATH: &str = "/console/members";
const READ: Who = Who::May(Action::ReadMembers);
const CHANGE: Who = Who::May(Action::ChangeMembers);
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, READ, |visit| Box::pin(show(visit))),
    post("/console/members/invite", CHANGE, |visit, form| Box::pin(invite(visit, form))).fresh().once(),
    get("/console/members/{account}", READ, |visit| Box::pin(show_one(visit))),
    post("/console/members/{account}/role", CHANGE, |visit, form| Box::pin(change_role(visit, form))).fresh().once(),
    post("/console/members/{account}/remove", CHANGE, |visit, form| Box::pin(remove(visit, form))).fresh().once(),
    post("/console/invitations/{id}/resend", CHANGE, |visit, form| Box::pin(resend(visit, form))).once(),
    post("/console/invitations/{id}/revoke", CHANGE, |visit, form| Box::pin(revoke(visit, form))).once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    email: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleChange {
    from: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    typed: String,
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, StatusCode::OK, blank(), Problems::none()).await
}

/// A form nobody filled in yet: most who are invited write code, and a slip gives no power over the org.
fn blank() -> InviteForm {
    InviteForm { email: String::new(), role: OrgRole::Developer.as_str().to_owned() }
}

async fn invite(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Invitation { email, role } = form.parse()?;
    let wanted = Invite { email: email.clone(), role: known_role(&role)?, language: visit.language.tag().to_owned() };
    match invitations::invite(&visit.console.store, &visit.acting()?, wanted).await {
        Ok(_) => Ok(answer::done(visit, Flash::Invited, PATH)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, InviteForm { email, role }, problems).await
        }
    }
}

async fn resend(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Nothing {} = form.parse()?;
    let (id, language) = (visit.path::<InvitationId>("id")?, visit.language.tag().to_owned());
    let done = invitations::resend(&visit.console.store, &visit.acting()?, id, language).await;
    back(visit, done.map(drop), Flash::Invited).await
}

async fn revoke(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Nothing {} = form.parse()?;
    let id = visit.path::<InvitationId>("id")?;
    let done = invitations::revoke(&visit.console.store, &visit.acting()?, id).await;
    back(visit, done.map(drop), Flash::Saved).await
}

async fn back(visit: &Visit<'_>, done: Result<(), Error>, flash: Flash) -> Answer {
    match done {
        Ok(()) => Ok(answer::done(visit, flash, PATH)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, blank(), problems).await
        }
    }
}

async fn show_one(visit: &mut Visit<'_>) -> Answer {
    page_of_one(visit, StatusCode::OK, Problems::none()).await
}

async fn change_role(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let RoleChange { from, role } = form.parse()?;
    let (account, from, to) = (visit.path::<AccountId>("account")?, known_role(&from)?, known_role(&role)?);
    let done = members::change_role(&visit.console.store, &visit.acting()?, account, from, to).await;
    settle(visit, account, done).await
}

async fn remove(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Removal { typed } = form.parse()?;
    let account = visit.path::<AccountId>("account")?;
    let done = if typed.trim().to_lowercase() == find(visit, account).await?.email {
        members::remove(&visit.console.store, &visit.acting()?, account).await
    } else {
        Err(Error::invalid("typed", "the address of the member"))
    };
    settle(visit, account, done).await
}

/// Whoever was changed sees it at once, also on pages that stand open.
async fn settle(visit: &Visit<'_>, account: AccountId, done: Result<(), Error>) -> Answer {
    match done {
        Ok(()) => {
            session::look_again(visit, account).await?;
            Ok(answer::done(visit, Flash::Saved, PATH))
        }
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page_of_one(visit, status, problems).await
        }
    }
}

/// A role that a form names; no form of ours names another word.
pub(crate) fn known_role(text: &str) -> Result<OrgRole, Fault> {
    OrgRole::find(text).ok_or(Fault::Form)
}

async fn find(visit: &Visit<'_>, account: AccountId) -> Result<OrgMember, Fault> {
    visit.org()?.find_member(account).await?.ok_or(Fault::NotFound)
}

/// Roles that the visitor may give; none where they may not change members.
pub(crate) fn grantable(acting: &Acting) -> Vec<&'static str> {
    OrgRole::ALL.iter().filter(|role| acting.right.may_grant(**role)).map(|role| role.as_str()).collect()
}

fn member_row(acting: &Acting, own: AccountId, member: OrgMember) -> MemberRow {
    MemberRow {
        account: member.account.to_string(),
        email: member.email,
        role: member.role.as_str(),
        joined: Utc::from_ms(member.joined_ms),
        has_totp: member.has_totp,
        is_self: member.account == own,
        may_change: acting.right.may_grant(member.role),
    }
}

fn invitation_row(acting: &Acting, names: &HashMap<String, String>, invitation: InvitationView) -> InvitationRow {
    InvitationRow {
        id: invitation.id.to_string(),
        email: invitation.email,
        role: invitation.role.as_str(),
        is_open: invitation.state == InvitationState::Open,
        invited_by: names.get(&invitation.invited_by).cloned().unwrap_or(invitation.invited_by),
        expires: Utc::from_ms(invitation.expires_ms),
        may_change: acting.right.may_grant(invitation.role),
    }
}

async fn page_of_one(visit: &Visit<'_>, status: StatusCode, problems: Problems) -> Answer {
    let acting = visit.acting()?;
    let member = find(visit, visit.path("account")?).await?;
    let member = member_row(&acting, visit.signed_in()?.account, member);
    let page = MemberPage { frame: visit.frame(None), member: &member, grantable: grantable(&acting), problems };
    answer::page(status, &page, visit)
}

async fn page(visit: &Visit<'_>, status: StatusCode, form: InviteForm, problems: Problems) -> Answer {
    let (acting, own) = (visit.acting()?, visit.signed_in()?.account);
    let org = visit.org()?;
    let mut members = org.list_members(cursor(visit, "after")?, ROWS).await?;
    let mut invitations = org.list_invitations(cursor(visit, "invited_after")?, ROWS).await?;
    let next_members = cut(&mut members, PATH, "after", |member| member.account);
    let next_invitations = cut(&mut invitations, PATH, "invited_after", |invitation| invitation.id);
    let seats = org.count_members().await?;
    let names = org.actor_names(invitations.iter().map(|invitation| invitation.invited_by.as_str())).await?;
    let matrix = Action::ALL.iter().map(|action| MatrixRow {
        action: action.as_str(),
        cells: OrgRole::ALL.iter().map(|role| role.may(*action)).collect(),
    });
    let members: Vec<_> = members.into_iter().map(|member| member_row(&acting, own, member)).collect();
    let invitations: Vec<_> =
        invitations.into_iter().map(|invitation| invitation_row(&acting, &names, invitation)).collect();
    let page = MembersPage {
        frame: visit.frame(None),
        members: &members,
        next_members,
        invitations: &invitations,
        next_invitations,
        taken: i64::try_from(seats.members + seats.invitations).unwrap_or(i64::MAX),
        allowed: org.members_max().await?,
        requires_totp: visit.member()?.requires_totp,
        roles: OrgRole::ALL.iter().map(|role| role.as_str()).collect(),
        grantable: grantable(&acting),
        matrix: matrix.collect(),
        form,
        problems,
    };
    answer::page(status, &page, visit)
}
