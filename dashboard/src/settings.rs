//! The org's settings: name and rules, management keys, giving the org away.
use std::collections::HashMap;

use actix_web::http::StatusCode;
use serde::Deserialize;
use tokenim_control::{
    management_keys::{self, Wanted},
    orgs,
};
use tokenim_domain::{
    Error,
    actor::Action,
    id::{AccountId, KeyId},
    role::OrgRole,
};
use tokenim_store::{ManagementKeyView, OrgPatch};
use tokenim_templates::{
    flash::Flash,
    page::settings::{Heir, ManagementKeyPage, ManagementKeyRow, SettingsPage},
    problem::Problems,
    time::Utc,
};

use crate::{
    answer,
    fault::Fault,
    form::{self, Form, Nothing},
    keys::creator,
    members::{grantable, known_role},
    pager::{ROWS, cursor, cut},
    problems::{Refusal, refusal},
    routes::{Answer, RouteSpec, Who, get, post},
    session,
    visit::Visit,
};

/// Members that the form offers the org to.
const HEIRS_MAX: u64 = 200;
const PATH: &str = "/console/settings";
const CHANGE: Who = Who::May(Action::ChangeSettings);
pub(crate) const ROUTES: &[RouteSpec] = &[
    get(PATH, CHANGE, |visit| Box::pin(show(visit))),
    post(PATH, CHANGE, |visit, form| Box::pin(update(visit, form))).fresh().once(),
    post("/console/settings/management-keys", CHANGE, |visit, form| Box::pin(create_key(visit, form)))
        .fresh()
        .shown_once(),
    post("/console/settings/management-keys/{key}/revoke", CHANGE, |visit, form| Box::pin(revoke_key(visit, form)))
        .fresh()
        .once(),
    post("/console/settings/transfer", Who::May(Action::TransferOwnership), |visit, form| {
        Box::pin(transfer(visit, form))
    })
    .fresh()
    .once(),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    name: String,
    requires_totp: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    key_name: String,
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transfer {
    account: String,
    typed: String,
}

async fn show(visit: &mut Visit<'_>) -> Answer {
    page(visit, StatusCode::OK, None, Problems::none()).await
}

async fn update(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Rules { name, requires_totp } = form.parse()?;
    let requires_totp = match requires_totp.as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(Fault::Form),
    };
    let patch = OrgPatch { name: Some(name.clone()), requires_totp: Some(requires_totp) };
    let done = orgs::update(&visit.console.store, &visit.acting()?, patch).await;
    settle(visit, done.map(drop), Some(&name)).await
}

async fn create_key(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let NewKey { key_name, role } = form.parse()?;
    let wanted = Wanted { name: key_name, role: known_role(&role)?, expires_ms: None };
    match management_keys::create(&visit.console.store, &visit.acting()?, wanted).await {
        Ok((key, secret)) => {
            let page = ManagementKeyPage { frame: visit.frame(None), name: &key.name, secret: secret.expose() };
            answer::page(StatusCode::OK, &page, visit)
        }
        Err(mut error) => {
            // The page's other form has a field of that name.
            if error.param == Some("name") {
                error.param = Some("key_name");
            }
            settle(visit, Err(error), None).await
        }
    }
}

async fn revoke_key(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Nothing {} = form.parse()?;
    let key: KeyId = visit.path("key")?;
    let done = management_keys::revoke(&visit.console.store, &visit.acting()?, key).await;
    settle(visit, done.map(drop), None).await
}

async fn transfer(visit: &mut Visit<'_>, form: &Form) -> Answer {
    let Transfer { account, typed } = form.parse()?;
    let account: AccountId = form::id(&account)?;
    let done = if typed.trim() == visit.member()?.org_name {
        orgs::transfer_ownership(&visit.console.store, &visit.acting()?, visit.signed_in()?.account, account).await
    } else {
        Err(Error::invalid("typed", "the name of the org"))
    };
    if done.is_ok() {
        session::look_again(visit, account).await?;
        session::look_again(visit, visit.signed_in()?.account).await?;
    }
    settle(visit, done, None).await
}

async fn settle(visit: &Visit<'_>, done: Result<(), Error>, name: Option<&str>) -> Answer {
    match done {
        Ok(()) => Ok(answer::done(visit, Flash::Saved, PATH)),
        Err(error) => {
            let Refusal { status, problems } = refusal(visit, error)?;
            page(visit, status, name, problems).await
        }
    }
}

async fn page(visit: &Visit<'_>, status: StatusCode, name: Option<&str>, problems: Problems) -> Answer {
    let (session, member, acting) = (visit.signed_in()?, visit.member()?, visit.acting()?);
    let org = visit.org()?;
    let mut keys = org.list_management_keys(cursor(visit, "after")?, ROWS).await?;
    let next_keys = cut(&mut keys, PATH, "after", |key| key.id);
    let names = org.actor_names(keys.iter().map(|key| key.created_by.as_str())).await?;
    let keys: Vec<_> = keys.into_iter().map(|key| key_row(&names, key, visit.now_ms)).collect();
    let mut heirs = None;
    if member.role.may(Action::TransferOwnership) {
        let members = org.list_members(None, HEIRS_MAX).await?.into_iter();
        let others = members.filter(|other| other.role != OrgRole::Owner);
        heirs = Some(
            others.map(|other| Heir { account: other.account.to_string(), email: other.email }).collect::<Vec<_>>(),
        );
    }
    let page = SettingsPage {
        frame: visit.frame(None),
        org: &member.org_name,
        org_id: member.org.to_string(),
        name: name.unwrap_or(&member.org_name),
        requires_totp: member.requires_totp,
        has_totp: session.has_totp,
        keys: &keys,
        next_keys,
        grantable: grantable(&acting),
        heirs: heirs.as_deref(),
        problems,
    };
    answer::page(status, &page, visit)
}

fn key_row(names: &HashMap<String, String>, key: ManagementKeyView, now_ms: i64) -> ManagementKeyRow {
    ManagementKeyRow {
        is_standing: key.revoked_ms.is_none() && key.expires_ms.is_none_or(|end| now_ms < end),
        id: key.id.to_string(),
        name: key.name,
        role: key.role.as_str(),
        hint: key.hint,
        created: Utc::from_ms(key.created_ms),
        created_by: creator(names, Some(key.created_by)),
        used: key.last_used_ms.map(Utc::from_ms),
        expires: key.expires_ms.map(Utc::from_ms),
    }
}
