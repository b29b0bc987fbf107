//! The navigation of a visit: the entries that have a page and that the visitor may open.
use tokenim_store::ConsoleSession;
use tokenim_templates::{
    frame::AppPlace,
    nav::{
        Entry::{self, *},
        Group, Link, Nav,
    },
};

use crate::routes::{Verb, Who, routes};

/// Every entry with its place and path, in the order they are shown. One without a route of its path is left out.
const ENTRIES: &[(Group, Entry, &str)] = &[
    (Group::Main, Overview, "/console/overview"),
    (Group::Main, Apps, "/console/apps"),
    (Group::Main, Usage, "/console/usage"),
    (Group::App, App, "/console/apps/{app}"),
    (Group::App, Quickstart, "/console/apps/{app}/quickstart"),
    (Group::App, Keys, "/console/apps/{app}/keys"),
    (Group::App, SigningKeys, "/console/apps/{app}/signing-keys"),
    (Group::App, Origins, "/console/apps/{app}/origins"),
    (Group::Org, Members, "/console/members"),
    (Group::Org, Audit, "/console/audit"),
    (Group::Org, Settings, "/console/settings"),
    (Group::Org, Billing, "/console/plan"),
    (Group::Own, Account, "/console/account"),
    (Group::Own, Docs, "/docs"),
    (Group::Own, Operator, "/operator"),
    (Group::Operator, OperatorOrgs, "/operator/orgs"),
    (Group::Operator, OperatorNodes, "/operator/nodes"),
    (Group::Operator, OperatorPlans, "/operator/plans"),
    (Group::Operator, OperatorAnnouncements, "/operator/announcements"),
    (Group::Operator, OperatorJobs, "/operator/jobs"),
    (Group::Operator, OperatorAudit, "/operator/audit"),
];
/// Where another org is chosen.
const ORGS: &str = "/console/orgs";

/// The entries of a session, on a page about that app or about none.
pub(crate) fn nav(session: &ConsoleSession, app: Option<&AppPlace>, path: &str) -> Nav {
    let links = ENTRIES.iter().filter(|(group, _, path)| is_of_area(session, *group) && is_open(session, path));
    let links = links.filter_map(|(group, entry, path)| {
        let href = match app {
            Some(app) => path.replace("{app}", &app.id),
            None if path.contains("{app}") => return None,
            None => (*path).to_owned(),
        };
        Some(Link { group: *group, entry: *entry, href, is_here: false })
    });
    Nav::new(links.collect(), path)
}

/// Where this session may choose another org; empty where it cannot.
pub(crate) fn orgs(session: &ConsoleSession) -> &'static str {
    if !session.is_operator && is_open(session, ORGS) { ORGS } else { "" }
}

/// The operator area has its own entries and a way back; the console shows the way into it.
fn is_of_area(session: &ConsoleSession, group: Group) -> bool {
    match group {
        Group::Operator => session.is_operator,
        Group::Own => true,
        Group::Main | Group::App | Group::Org => !session.is_operator,
    }
}

fn is_open(session: &ConsoleSession, path: &str) -> bool {
    let page = routes().find(|spec| spec.verb == Verb::Get && spec.path == path);
    page.is_some_and(|spec| match spec.who {
        Who::Public | Who::SignedIn => true,
        Who::May(action) => session.member.as_ref().is_some_and(|member| member.role.may(action)),
        Who::Operator => session.may_operate,
    })
}
