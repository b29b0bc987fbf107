//! Samples of the operator area's pages.
use askama::Template;

use super::{AT_MS, HOSTILE};
use crate::{
    frame::Frame,
    page::{announcements::*, operator::*},
    problem::Problems,
    time::Utc,
};

const FEATURES: [&str; 6] = ["connections", "message_rate", "msg_sent", "apps", "members", "other"];

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let figures =
        Figures { connections: 4096, orgs: 12, suspended: 1, accounts: 40, apps: 31, waiting: 3, oldest_s: 7, dead: 2 };
    let home = HomePage { frame: frame.clone(), figures, at: Utc::from_ms(AT_MS) };
    let mut pages = vec![("operator home".to_owned(), home.render().expect("renders"))];
    for is_empty in [false, true] {
        pages.push((format!("operator orgs {is_empty}"), orgs(frame.clone(), is_empty)));
        pages.push((format!("operator org {is_empty}"), org(frame.clone(), is_empty)));
        pages.push((format!("operator nodes {is_empty}"), nodes(frame.clone(), is_empty)));
        pages.push((format!("operator announcements {is_empty}"), announcements(frame.clone(), is_empty)));
        pages.push((format!("operator jobs {is_empty}"), jobs(frame.clone(), is_empty)));
    }
    for stage in [Stage::Shown, Stage::Ended] {
        pages.push((format!("operator announcement {stage:?}"), announcement(frame.clone(), stage)));
    }
    let plan = |code: &str, is_public| PlanRow {
        code: code.to_owned(),
        name: HOSTILE.to_owned(),
        version: 1,
        is_public,
        orgs: 7,
        grants: grants(),
    };
    let plans = PlansPage { frame: frame.clone(), plans: &[plan("basic", true), plan("operator", false)] };
    pages.push(("operator plans".to_owned(), plans.render().expect("renders")));
    pages
}

fn announcement_form() -> AnnouncementForm<'static> {
    AnnouncementForm {
        is_warning: true,
        title_en: HOSTILE,
        title_zh: HOSTILE,
        text_en: HOSTILE,
        text_zh: HOSTILE,
        starts_at: HOSTILE,
        ends_at: HOSTILE,
        reason: HOSTILE,
        limits: Limits { title_chars_max: 60, text_chars_max: 500 },
    }
}

fn announcement_row(stage: Stage) -> AnnouncementRow {
    AnnouncementRow {
        id: format!("ann_{stage:?}"),
        title: HOSTILE.to_owned(),
        is_warning: stage == Stage::Shown,
        stage,
        starts: Utc::from_ms(AT_MS),
        ends: Utc::from_ms(AT_MS + 1),
    }
}

fn announcements(frame: Frame<'_>, is_empty: bool) -> String {
    let all = [Stage::Planned, Stage::Shown, Stage::Ended].map(announcement_row);
    let next = if is_empty { String::new() } else { "/operator/announcements?before=ann_1".to_owned() };
    let problems =
        if is_empty { Problems::of_code(frame.text, "invalid_field", Some("ends_at"), 0) } else { Problems::none() };
    let rows = if is_empty { &[] } else { all.as_slice() };
    AnnouncementsPage { frame, rows, form: announcement_form(), next, problems }.render().expect("renders")
}

fn announcement(frame: Frame<'_>, stage: Stage) -> String {
    let (row, problems) = (announcement_row(stage), Problems::none());
    AnnouncementPage { frame, row, form: announcement_form(), version: HOSTILE, problems }.render().expect("renders")
}

fn grants() -> Vec<GrantRow> {
    let grant = |(at, feature): (usize, &str)| GrantRow {
        feature: feature.to_owned(),
        value: (at % 2 == 0).then_some(5_000),
        is_hard: at % 2 == 0,
        used: (at % 3 == 0).then_some(1_204),
    };
    FEATURES.into_iter().enumerate().map(grant).collect()
}

fn row(is_suspended: bool) -> OrgRow {
    OrgRow {
        id: format!("org_{is_suspended}"),
        name: HOSTILE.to_owned(),
        plan: "basic".to_owned(),
        members: 3,
        apps: 2,
        created: Utc::from_ms(AT_MS),
        is_suspended,
    }
}

fn orgs(frame: Frame<'_>, is_empty: bool) -> String {
    let all = if is_empty { Vec::new() } else { vec![row(true), row(false)] };
    let next = if is_empty { String::new() } else { "/operator/orgs?after=org_1".to_owned() };
    OrgsPage { frame, search: HOSTILE, orgs: &all, next }.render().expect("renders")
}

fn org(frame: Frame<'_>, is_suspended: bool) -> String {
    let app = |mode| AppRow { id: format!("app_{mode}"), name: HOSTILE.to_owned(), mode, connections: 7 };
    let apps = if is_suspended { Vec::new() } else { vec![app("live"), app("test")] };
    let member = |has_totp| MemberRow { email: HOSTILE.to_owned(), role: "owner", has_totp };
    let members = if is_suspended { Vec::new() } else { vec![member(true), member(false)] };
    let plans = [("basic".to_owned(), "Basic".to_owned()), ("pro".to_owned(), HOSTILE.to_owned())];
    let problems = Problems::of_code(frame.text, "invalid_field", Some("reason"), 0);
    let page = OrgPage {
        org: &row(is_suspended),
        suspended_reason: is_suspended.then_some(HOSTILE),
        apps: &apps,
        members: &members,
        grants: &grants(),
        plans: if is_suspended { &[] } else { &plans },
        connections: 14,
        reason: HOSTILE,
        problems: if is_suspended { problems } else { Problems::none() },
        frame,
    };
    page.render().expect("renders")
}

fn nodes(frame: Frame<'_>, is_empty: bool) -> String {
    let node = |is_stale| NodeRow {
        id: "nod_1".to_owned(),
        name: HOSTILE.to_owned(),
        version: "0.1.0".to_owned(),
        up_minutes: 1_440,
        connections: 4_096,
        cpu_percent: 35,
        rss_mib: 120,
        seen: Utc::from_ms(AT_MS),
        is_stale,
    };
    let nodes = if is_empty { Vec::new() } else { vec![node(true), node(false)] };
    NodesPage { frame, nodes: &nodes }.render().expect("renders")
}

fn jobs(frame: Frame<'_>, is_empty: bool) -> String {
    let job = |id: &str, org: Option<&str>| DeadRow {
        id: id.to_owned(),
        kind: "mail".to_owned(),
        org: org.map(str::to_owned),
        attempts: 12,
        dead: Utc::from_ms(AT_MS),
        error: HOSTILE.to_owned(),
    };
    let jobs = if is_empty { Vec::new() } else { vec![job("job_1", Some("org_1")), job("job_2", None)] };
    let page = JobsPage {
        waiting: 3,
        oldest_s: 61,
        dead: 2,
        jobs: &jobs,
        next: if is_empty { String::new() } else { "/operator/jobs?after=job_1".to_owned() },
        problems: Problems::none(),
        frame,
    };
    page.render().expect("renders")
}
