//! The operator area: the service in numbers, its orgs, plans, nodes and jobs.
use askama::Template;

use crate::{
    frame::{Frame, Theme},
    language::Language,
    problem::Problems,
    role::role_name,
    time::Utc,
};

/// A figure of the home page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Sockets open on this node.
    pub connections: i64,
    /// Orgs.
    pub orgs: i64,
    /// Orgs that are suspended.
    pub suspended: i64,
    /// Accounts.
    pub accounts: i64,
    /// Apps.
    pub apps: i64,
    /// Jobs that wait.
    pub waiting: i64,
    /// Seconds the oldest of them waits.
    pub oldest_s: i64,
    /// Jobs that were given up.
    pub dead: i64,
}

/// The home page.
#[derive(Template)]
#[template(path = "operator-home.html")]
pub struct HomePage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The figures.
    pub figures: Figures,
    /// When they were read.
    pub at: Utc,
}

/// An org in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Code of its plan.
    pub plan: String,
    /// How many members it has.
    pub members: i64,
    /// How many apps.
    pub apps: i64,
    /// When it was created.
    pub created: Utc,
    /// Whether it is suspended.
    pub is_suspended: bool,
}

/// The list of orgs.
#[derive(Template)]
#[template(path = "operator-orgs.html")]
pub struct OrgsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// What is searched for.
    pub search: &'a str,
    /// A page of orgs.
    pub orgs: &'a [OrgRow],
    /// Where the next page is; empty at the end.
    pub next: String,
}

/// An app of an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `live` or `test`.
    pub mode: &'static str,
    /// Sockets open on this node.
    pub connections: i64,
}

/// A member of an org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Its address.
    pub email: String,
    /// The stored role.
    pub role: &'static str,
    /// Whether it signs in with a second factor.
    pub has_totp: bool,
}

/// What a plan grants of one feature, and how much of it is used where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRow {
    /// The stored name of the feature.
    pub feature: String,
    /// How much; `None` = without limit.
    pub value: Option<i64>,
    /// Whether it is refused at the limit.
    pub is_hard: bool,
    /// How much is used.
    pub used: Option<i64>,
}

/// One org.
#[derive(Template)]
#[template(path = "operator-org.html")]
pub struct OrgPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The org.
    pub org: &'a OrgRow,
    /// Why it is suspended, if it is.
    pub suspended_reason: Option<&'a str>,
    /// Its apps.
    pub apps: &'a [AppRow],
    /// Its first members.
    pub members: &'a [MemberRow],
    /// What its plan grants.
    pub grants: &'a [GrantRow],
    /// Plans it can be moved to: code and name.
    pub plans: &'a [(String, String)],
    /// Sockets that a suspension would close on this node.
    pub connections: i64,
    /// The reason in a form that was refused.
    pub reason: &'a str,
    /// What is wrong with it.
    pub problems: Problems,
}

impl OrgPage<'_> {
    fn role(&self, role: &str) -> String {
        role_name(&self.frame.text, role)
    }

    fn feature(&self, feature: &str) -> String {
        feature_name(&self.frame, feature)
    }

    /// What a suspension does.
    fn consequence(&self) -> String {
        let number = |number: i64| self.frame.number(&number);
        self.frame.text.fill(
            "operator-suspend-help",
            [
                ("connections", number(self.connections)),
                ("apps", number(self.org.apps)),
                ("members", number(self.org.members)),
            ],
        )
    }

    /// Whether its grants stand beside what is used of them.
    const fn has_use(&self) -> bool {
        true
    }

    fn has_plan(&self, code: &str) -> bool {
        self.org.plan == code
    }
}

/// A plan in its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: i64,
    /// Whether orgs may choose it themselves.
    pub is_public: bool,
    /// Orgs that have it, in any version.
    pub orgs: i64,
    /// What it grants.
    pub grants: Vec<GrantRow>,
}

/// The plans.
#[derive(Template)]
#[template(path = "operator-plans.html")]
pub struct PlansPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The plans, the smallest first.
    pub plans: &'a [PlanRow],
}

impl PlansPage<'_> {
    const fn has_use(&self) -> bool {
        false
    }

    fn feature(&self, feature: &str) -> String {
        feature_name(&self.frame, feature)
    }
}

/// A process that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Its id.
    pub id: String,
    /// The machine's name.
    pub name: String,
    /// The running version.
    pub version: String,
    /// Minutes since its start.
    pub up_minutes: i64,
    /// Sockets open.
    pub connections: i64,
    /// Share of one processor since its start, in percent.
    pub cpu_percent: i64,
    /// Resident memory, mebibytes.
    pub rss_mib: i64,
    /// When it told of itself last.
    pub seen: Utc,
    /// Whether that is too long ago.
    pub is_stale: bool,
}

/// The nodes.
#[derive(Template)]
#[template(path = "operator-nodes.html")]
pub struct NodesPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// The nodes.
    pub nodes: &'a [NodeRow],
}

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRow {
    /// Its id.
    pub id: String,
    /// Which work it is.
    pub kind: String,
    /// The org it was for.
    pub org: Option<String>,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was given up.
    pub dead: Utc,
    /// Why.
    pub error: String,
}

/// Mails and jobs.
#[derive(Template)]
#[template(path = "operator-jobs.html")]
pub struct JobsPage<'a> {
    /// What surrounds it.
    pub frame: Frame<'a>,
    /// Jobs that wait.
    pub waiting: i64,
    /// Seconds the oldest of them waits.
    pub oldest_s: i64,
    /// Jobs that were given up.
    pub dead: i64,
    /// A page of those.
    pub jobs: &'a [DeadRow],
    /// Where the next page is; empty at the end.
    pub next: String,
    /// What is wrong with a form.
    pub problems: Problems,
}

/// A feature of plans in words; one that has none here is shown as it is.
fn feature_name(frame: &Frame<'_>, feature: &str) -> String {
    frame.text.get(match feature {
        "connections" => "operator-feature-connections",
        "message_rate" => "operator-feature-message-rate",
        "msg_sent" => "operator-feature-msg-sent",
        "apps" => "operator-feature-apps",
        "members" => "operator-feature-members",
        "large_body_bytes" => "operator-feature-large-body-bytes",
        other => return other.to_owned(),
    })
}
