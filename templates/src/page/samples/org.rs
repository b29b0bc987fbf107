//! Samples of the pages about orgs, their people, their settings and their log.
use askama::Template;

use super::{AT_MS, HOSTILE};
use crate::{
    frame::Frame,
    page::{
        audit::{AuditFilter, AuditLinks, AuditPage, Check, EventRow},
        invitation::{InvitationPage, Standing},
        members::{InvitationRow, InviteForm, MatrixRow, MemberPage, MemberRow, MembersPage},
        orgs::{OrgRow, OrgsPage},
        settings::{Heir, ManagementKeyPage, ManagementKeyRow, SettingsPage},
    },
    problem::Problems,
    time::Utc,
};

const ROLES: [&str; 5] = ["owner", "admin", "developer", "billing", "viewer"];
const ACTIONS: [&str; 13] = [
    "read_overview",
    "read_usage",
    "read_apps",
    "change_apps",
    "read_keys",
    "change_keys",
    "read_members",
    "change_members",
    "change_settings",
    "read_audit",
    "read_billing",
    "change_billing",
    "transfer_ownership",
];

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for is_empty in [false, true] {
        pages.push((format!("orgs {is_empty}"), orgs(frame.clone(), is_empty)));
        pages.push((format!("members {is_empty}"), members(frame.clone(), is_empty)));
        for check in [Check::NotAsked, Check::Intact(12_000), Check::Broken(7)] {
            pages.push((format!("audit {is_empty} {check:?}"), audit(frame.clone(), is_empty, check)));
        }
        pages.push((format!("settings {is_empty}"), settings(frame.clone(), is_empty)));
        pages.push((format!("member {is_empty}"), member(frame.clone(), is_empty)));
    }
    for standing in Standing::ALL {
        pages.push((format!("invitation {standing:?}"), invitation(frame.clone(), standing)));
    }
    let key = ManagementKeyPage { frame: frame.clone(), name: HOSTILE, secret: "tim_live_mk_x" };
    pages.push(("management key".to_owned(), key.render().expect("renders")));
    pages
}

/// A problem at a field, or none.
fn problems(frame: &Frame<'_>, field: &'static str, is_there: bool) -> Problems {
    if is_there { Problems::of_code(frame.text, "invalid_field", Some(field), 0) } else { Problems::none() }
}

fn orgs(frame: Frame<'_>, is_empty: bool) -> String {
    let org = |id: &str, is_here| OrgRow {
        id: id.to_owned(),
        name: HOSTILE.to_owned(),
        role: "owner",
        is_here,
        suspended: (!is_here).then(|| HOSTILE.to_owned()),
    };
    let all = if is_empty { Vec::new() } else { vec![org("org_1", true), org("org_2", false)] };
    let problems = problems(&frame, "name", !is_empty);
    OrgsPage { frame, orgs: &all, name: HOSTILE, is_verified: !is_empty, problems }.render().expect("renders")
}

fn row(may_change: bool) -> MemberRow {
    MemberRow {
        account: format!("acc_{may_change}"),
        email: HOSTILE.to_owned(),
        role: "admin",
        joined: Utc::from_ms(AT_MS),
        has_totp: may_change,
        is_self: !may_change,
        may_change,
    }
}

fn members(frame: Frame<'_>, is_empty: bool) -> String {
    let invitation = |is_open| InvitationRow {
        id: format!("inv_{is_open}"),
        email: HOSTILE.to_owned(),
        role: "viewer",
        is_open,
        invited_by: HOSTILE.to_owned(),
        expires: Utc::from_ms(AT_MS),
        may_change: is_open,
    };
    let invitations = if is_empty { Vec::new() } else { vec![invitation(true), invitation(false)] };
    let next = |path: &str| if is_empty { String::new() } else { path.to_owned() };
    let page = MembersPage {
        members: &[row(true), row(false)],
        next_members: next("/console/members?after=acc_1"),
        invitations: &invitations,
        next_invitations: next("/console/members?invited_after=inv_1"),
        taken: 4,
        allowed: is_empty.then_some(5),
        requires_totp: !is_empty,
        roles: ROLES.to_vec(),
        grantable: if is_empty { Vec::new() } else { ROLES.to_vec() },
        matrix: ACTIONS.map(|action| MatrixRow { action, cells: vec![true, false, true, false, true] }).to_vec(),
        form: InviteForm { email: HOSTILE.to_owned(), role: "viewer".to_owned() },
        problems: problems(&frame, "email", !is_empty),
        frame,
    };
    page.render().expect("renders")
}

fn member(frame: Frame<'_>, is_above: bool) -> String {
    let problems = problems(&frame, "typed", !is_above);
    let page = MemberPage { frame, member: &row(!is_above), grantable: ROLES.to_vec(), problems };
    page.render().expect("renders")
}

fn invitation(frame: Frame<'_>, standing: Standing) -> String {
    let page = InvitationPage {
        frame,
        org: HOSTILE,
        email: HOSTILE,
        role: "developer",
        expires: Utc::from_ms(AT_MS),
        standing,
        token: "token",
        sign_in: "/sign-in?next=/invitations/accept".to_owned(),
        sign_up: "/sign-up?next=/invitations/accept".to_owned(),
    };
    page.render().expect("renders")
}

fn audit(frame: Frame<'_>, is_empty: bool, check: Check) -> String {
    let event = |seq, is_full: bool| EventRow {
        seq,
        at: Utc::from_ms(AT_MS),
        kind: "account".to_owned(),
        actor: "acc_1".to_owned(),
        actor_name: is_full.then(|| HOSTILE.to_owned()),
        address: is_full.then(|| "127.0.0.1".to_owned()),
        action: "member.removed".to_owned(),
        object: "acc_2".to_owned(),
        before: is_full.then(|| HOSTILE.to_owned()),
        after: is_full.then(|| HOSTILE.to_owned()),
        reason: is_full.then(|| HOSTILE.to_owned()),
        only_actor: "/console/audit?actor=acc_1".to_owned(),
        only_action: "/console/audit?action=member.removed".to_owned(),
    };
    let events = if is_empty { Vec::new() } else { vec![event(2, true), event(1, false)] };
    let link = |path: &str| if is_empty { String::new() } else { path.to_owned() };
    let links = AuditLinks {
        path: "/console/audit",
        newer: link("/console/audit?after=2"),
        older: link("/console/audit?before=1"),
        check: "/console/audit?check=1".to_owned(),
        ndjson: "/console/audit.ndjson".to_owned(),
        csv: link("/console/audit.csv"),
    };
    let filter = match check {
        Check::NotAsked => AuditFilter::default(),
        Check::Intact(_) | Check::Broken(_) => AuditFilter { action: HOSTILE.to_owned(), actor: HOSTILE.to_owned() },
    };
    AuditPage { frame, events: &events, filter: &filter, links: &links, check }.render().expect("renders")
}

fn settings(frame: Frame<'_>, is_empty: bool) -> String {
    let key = |is_standing: bool| ManagementKeyRow {
        id: format!("key_{is_standing}"),
        name: HOSTILE.to_owned(),
        role: "developer",
        hint: "tim_live_mk_…abcd".to_owned(),
        created: Utc::from_ms(AT_MS),
        created_by: HOSTILE.to_owned(),
        used: is_standing.then(|| Utc::from_ms(AT_MS)),
        expires: is_standing.then(|| Utc::from_ms(AT_MS)),
        is_standing,
    };
    let keys = if is_empty { Vec::new() } else { vec![key(true), key(false)] };
    let heirs =
        if is_empty { Vec::new() } else { vec![Heir { account: "acc_1".to_owned(), email: HOSTILE.to_owned() }] };
    let page = SettingsPage {
        org: HOSTILE,
        org_id: "org_1".to_owned(),
        name: HOSTILE,
        requires_totp: !is_empty,
        has_totp: is_empty,
        keys: &keys,
        next_keys: if is_empty { String::new() } else { "/console/settings?after=key_1".to_owned() },
        grantable: ROLES.to_vec(),
        heirs: Some(&heirs),
        problems: problems(&frame, "key_name", !is_empty),
        frame,
    };
    page.render().expect("renders")
}
