//! Samples of every page, rendered in both languages and all themes, and what must hold for each.
mod operator;
mod org;

use std::time::Duration;

use std::collections::BTreeSet;

use askama::Template;

use super::{
    account::{AccountPage, QrPicture, RecoveryCodesPage, Seed, SessionRow, TotpPage},
    apps::{AppPage, AppView, AppsPage, NewAppPage},
    code::{CodePage, ElevatePage},
    keys::{Age, KeyView, KeysPage, ScopeChoice, SecretPage, SigningKeysPage, State, Used},
    link::{ForgotPage, ResetPage, VerifyPage},
    mailbox::{MailPage, MailboxPage, Row},
    notice::{Kind, NoticePage},
    origins::OriginsPage,
    plan::{Grant, PlanCard, PlanChangePage, PlanPage},
    prove::ProvePage,
    quickstart::{self, QuickstartPage},
    sign_in::{Problem, SignInPage},
    sign_up::SignUpPage,
    told::{Told, ToldPage},
    usage::overview::OverviewPage,
    usage::{
        self, AppUnits, HourRow, Links, UsagePage, UsageView,
        chart::Chart,
        filter::*,
        pulse::{Pulse, Refusal},
        quota::QuotaBar,
    },
};
use crate::{
    assets::Assets,
    flash::Flash,
    frame::{AppPlace, Frame, Mode, Theme, Viewer},
    language::Language,
    nav::{Entry, Group, Link, Nav},
    problem::Problems,
    text::Text,
    time::{HOUR_MS, Utc},
};

const AT_MS: i64 = 1_795_615_503_000;
const HOSTILE: &str = "<script>alert(1)</script>\"'&";

fn view(units: Vec<i64>) -> UsageView {
    let from_ms = AT_MS.div_euclid(HOUR_MS) * HOUR_MS - HOUR_MS * (units.len() as i64 - 1);
    let total = units.iter().sum();
    let app = |name: &str, mode| AppUnits {
        id: format!("app_{}", mode as u8),
        name: name.to_owned(),
        mode,
        units: total / 2,
    };
    let row = |at_ms| HourRow {
        at: Utc::from_ms(at_ms),
        at_ms,
        app_id: "app_0".into(),
        app_name: HOSTILE.into(),
        units: 1204,
        complete: false,
    };
    UsageView {
        total,
        test_total: total / 2,
        complete_to: Utc::from_ms(AT_MS),
        connections: 4096,
        pulse: pulse(),
        quotas: quotas(),
        apps: vec![app(HOSTILE, Mode::Live), app("Shop", Mode::Test)],
        rows: if total > 0 { vec![row(from_ms), row(from_ms + HOUR_MS)] } else { Vec::new() },
        chart: Chart { from_ms, step_ms: HOUR_MS, complete: units.len() - 1, before: vec![40; units.len()], units },
    }
}

/// Every state of the health line, and refusals.
fn pulse() -> Pulse {
    let refusal = |code, count| Refusal { code, app: HOSTILE.into(), count, lately: 1, last: Utc::from_ms(AT_MS) };
    Pulse {
        draining: true,
        api: Some(Duration::from_millis(3)),
        delivery: None,
        messages: 42,
        pace_seconds: 10,
        refusals: vec![refusal("token_expired", 1_204), refusal("rate_limited", 1)],
    }
}

/// Every state of a bar.
fn quotas() -> Vec<QuotaBar> {
    let bar = |app: Option<&str>, limit, is_hard, used| QuotaBar {
        app: app.map(str::to_owned),
        limit,
        is_hard,
        used,
        resets_at: app.is_none().then(|| Utc::from_ms(AT_MS)),
    };
    let hard = [0, 80, 100].map(|used| bar(None, Some(100), true, used));
    let soft = [0, 80, 100].map(|used| bar(Some(HOSTILE), Some(100), false, used));
    hard.into_iter().chain(soft).chain([bar(None, None, false, 7)]).collect()
}

fn plan(code: &str, is_current: bool, is_larger: bool) -> PlanCard {
    let values = [("connections", Some(100), true), ("message_rate", None, true), ("msg_sent", Some(5_000_000), false)];
    let more = [("apps", Some(5), true), ("members", Some(3), true)];
    let grant = |(feature, value, is_hard)| Grant { feature, value, is_hard };
    let grants = values.into_iter().chain(more).map(grant).collect();
    PlanCard { code: code.into(), name: HOSTILE.into(), is_current, is_larger, grants }
}

fn plan_pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    for may_change in [false, true] {
        let page = PlanPage {
            frame: frame.clone(),
            current: plan("basic", true, false),
            since: Utc::from_ms(AT_MS),
            plans: vec![plan("basic", true, false), plan("pro", false, true), plan("mini", false, false)],
            may_change,
        };
        pages.push((format!("plan {may_change}"), page.render().expect("renders")));
    }
    for (is_larger, problems) in
        [(true, Problems::none()), (false, Problems::of_code(frame.text, "email_unverified", None, 0))]
    {
        let (from, to) = (plan("basic", true, false), plan("pro", false, is_larger));
        let page = PlanChangePage { frame: frame.clone(), from, to, problems };
        pages.push((format!("plan-change {is_larger}"), page.render().expect("renders")));
    }
    pages
}

fn filter() -> Filter {
    Filter {
        app: String::new(),
        apps: vec![AppOption { id: "app_0".into(), name: HOSTILE.into(), mode: Mode::Live, chosen: true }],
        presets: Span::ALL
            .map(|span| Preset { span, href: "/console/usage?range=24h".into(), chosen: span == Span::Day })
            .to_vec(),
        custom: false,
        range_fields: vec![("range", "24h".into())],
    }
}

fn usage_page(frame: Frame<'_>, view: &UsageView) -> String {
    let links = Links {
        here: "/console/usage".into(),
        csv: "/console/usage.csv".into(),
        older: "/console/usage?after=1".into(),
        ..Links::default()
    };
    let text = frame.text;
    let page = UsagePage {
        text: &text,
        heading: usage::heading(text, Some(HOSTILE)),
        view,
        filter: filter(),
        links: &links,
        stream: "/console/stream?topics=figures".into(),
        sampled_at: Utc::from_ms(AT_MS),
        chart_json: "{\"units\":[1]}".into(),
        snippet: "curl".into(),
        moving_states: usage::moving_states(text),
        frame,
    };
    page.render().expect("renders")
}

fn every_page(frame: Frame<'_>) -> Vec<(String, String)> {
    let mut pages = vec![
        ("usage".to_owned(), usage_page(frame.clone(), &view(vec![0, 7, 1_204_331, 35]))),
        ("usage-empty".to_owned(), usage_page(frame.clone(), &view(vec![0, 0]))),
    ];
    pages.push(("overview".to_owned(), overview(frame.clone())));
    pages.extend(quickstarts(&frame));
    pages.extend(plan_pages(&frame));
    for problem in [None, Some(Problem::Mismatch), Some(Problem::Limited { wait_s: 1 }), Some(Problem::Busy)] {
        let page = SignInPage {
            frame: frame.clone(),
            email: HOSTILE,
            email_chars_max: 254,
            password_chars_max: 256,
            next: "/console/usage",
            problem,
        };
        pages.push((format!("sign-in {problem:?}"), page.render().expect("renders")));
    }
    for mails in [0, 2] {
        let row = Row { href: "/dev/mail/job_1".into(), subject: HOSTILE, to: HOSTILE, at: Utc::from_ms(AT_MS) };
        let older = (mails > 0).then(|| "/dev/mail?before=job_1".to_owned());
        let page = MailboxPage { frame: frame.clone(), mails: vec![row; mails], newest: mails > 0, older };
        pages.push((format!("mailbox {mails}"), page.render().expect("renders")));
    }
    let lines = vec!["https://console.example/verify?a=1&b=2", "http://not a link", "javascript:alert(1)", HOSTILE];
    let page = MailPage { frame: frame.clone(), subject: HOSTILE, head: HOSTILE, lines, html: HOSTILE };
    pages.push(("mail".to_owned(), page.render().expect("renders")));
    for kind in Kind::SAMPLES {
        let page = NoticePage {
            frame: frame.clone(),
            kind: kind.clone(),
            action: "/console",
            code: "not_found",
            request_id: "req_1",
            at: Utc::from_ms(AT_MS),
        };
        pages.push((format!("notice {kind:?}"), page.render().expect("renders")));
    }
    for problems in [Problems::none(), Problems::of_code(frame.text, "invalid_field", Some("password"), 0)] {
        let page = ProvePage {
            frame: frame.clone(),
            email: HOSTILE,
            has_totp: problems.is_empty(),
            code_chars_max: 32,
            password_chars_max: 256,
            next: "/console/usage",
            problems,
        };
        pages.push((format!("prove {}", page.problems.is_empty()), page.render().expect("renders")));
    }
    pages.extend(account_pages(&frame));
    pages.extend(pages_of_apps(&frame));
    pages.extend(org::pages(&frame));
    pages.extend(operator::pages(&frame));
    pages
}

fn overview(frame: Frame<'_>) -> String {
    let (text, view) = (frame.text, view(vec![0, 7]));
    let page = OverviewPage {
        text: &text,
        view: &view,
        links: &Links::default(),
        starts: vec![("/console/apps/app_0/quickstart".into(), HOSTILE.into())],
        stream: "/console/stream?topics=figures".into(),
        sampled_at: Utc::from_ms(AT_MS),
        chart_json: "{\"units\":[1]}".into(),
        moving_states: usage::moving_states(text),
        frame,
    };
    page.render().expect("renders")
}

fn quickstarts(frame: &Frame<'_>) -> Vec<(String, String)> {
    use quickstart::{Code, Line, Links, Pane, Refused, Row, Steps, Tab};
    let pane = |user, name| Pane {
        user,
        name,
        url: "ws://127.0.0.1/v1/connect".into(),
        token: "token".into(),
        epoch: 1,
        seq: 2,
        lines: vec![Line { sender: "alice".into(), text: HOSTILE.into(), seq: 2, own: user == "alice" }],
    };
    let row = |library: &str| Row {
        library: Some(library.to_owned()),
        connected: Some(Utc::from_ms(AT_MS)),
        sent: Some(Utc::from_ms(AT_MS)),
        received: None,
    };
    let refused = |code| Some(Refused { code, at: Utc::from_ms(AT_MS) });
    let of = |panes: Vec<Pane>, is_live, refused| QuickstartPage {
        frame: frame.clone(),
        app_name: HOSTILE,
        is_live,
        panes,
        refused: Some("quota_exceeded"),
        steps: Steps { rows: vec![row("console"), row(HOSTILE), row(""), Row::awaited()], refused },
        tabs: Tab::all("/console/apps/app_0/quickstart", Code::Python),
        example: Code::Python.example("http://127.0.0.1", "token"),
        text_chars_max: 500,
        links: Links {
            here: "/console/apps/app_0/quickstart".into(),
            checkpoints: "/console/apps/app_0/quickstart/checkpoints".into(),
            say: "/console/apps/app_0/quickstart/messages".into(),
            keys: "/console/apps/app_0/keys".into(),
            signing_keys: "/console/apps/app_0/signing-keys".into(),
        },
    };
    let mut pages = vec![
        ("quickstart live".to_owned(), of(Vec::new(), true, None)),
        ("quickstart keyless".to_owned(), of(Vec::new(), false, None)),
    ];
    for code in [
        "token_expired",
        "token_invalid",
        "token_revoked",
        "origin_not_allowed",
        "quota_exceeded",
        "connection_limit",
        "internal",
    ] {
        let panes = vec![pane("alice", "Alice"), pane("bob", "Bob")];
        pages.push((format!("quickstart {code}"), of(panes, false, refused(code))));
    }
    pages.into_iter().map(|(name, page)| (name, page.render().expect("renders"))).collect()
}

/// The pages of an account, fresh and refused.
fn account_pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let mut pages = Vec::new();
    let mut add = |name: &str, page: &dyn askama::DynTemplate| {
        pages.push((name.to_owned(), page.dyn_render().expect("renders")));
    };
    let refused = |field| Problems::of_code(frame.text, "invalid_field", Some(field), 0);
    for told in Told::ALL {
        add(&format!("told {told:?}"), &ToldPage { frame: frame.clone(), told });
    }
    for (at, sentence) in [("email", ""), ("new_password", HOSTILE)] {
        let problems =
            if sentence.is_empty() { refused(at) } else { Problems::of_sentence("email", sentence.to_owned()) };
        let (email, email_chars_max, password_chars_min, password_chars_max) = (HOSTILE, 254, 12, 256);
        let frame = || frame.clone();
        let one = problems.clone();
        add(
            "sign-up",
            &SignUpPage {
                frame: frame(),
                email,
                email_chars_max,
                password_chars_min,
                password_chars_max,
                problems: one,
            },
        );
        add("forgot", &ForgotPage { frame: frame(), email_chars_max, problems: problems.clone() });
        add("reset", &ResetPage { frame: frame(), token: HOSTILE, password_chars_min, password_chars_max, problems });
    }
    add("verify", &VerifyPage { frame: frame.clone(), token: HOSTILE });
    for has_totp in [false, true] {
        let problems = if has_totp { refused("code") } else { Problems::none() };
        let (code_chars_max, password_chars_min, password_chars_max) = (32, 12, 256);
        let sessions: Vec<_> = [true, false].map(session_row).into();
        add("code", &CodePage { frame: frame.clone(), code_chars_max, next: HOSTILE, problems: problems.clone() });
        let elevate = ElevatePage {
            frame: frame.clone(),
            has_totp,
            password_chars_max,
            code_chars_max,
            problems: problems.clone(),
        };
        add("elevate", &elevate);
        let account = AccountPage {
            frame: frame.clone(),
            email: HOSTILE,
            is_verified: has_totp,
            has_totp,
            recovery_codes: 1,
            sessions: &sessions,
            password_chars_min,
            password_chars_max,
            problems: if has_totp { refused("new_password") } else { Problems::none() },
        };
        add("account", &account);
        let picture = QrPicture::of("otpauth://totp/x").expect("short enough");
        let enrolment = (!has_totp).then_some(Seed { picture, secret: "ABCDEFGH" });
        add("totp", &TotpPage { frame: frame.clone(), enrolment, recovery_codes: 2, code_chars_max, problems });
    }
    add(
        "recovery-codes",
        &RecoveryCodesPage { frame: frame.clone(), codes: &["abcdef".to_owned(), "ghijkl".to_owned()] },
    );
    pages
}

fn session_row(is_current: bool) -> SessionRow {
    SessionRow {
        id: format!("ses_{is_current}"),
        agent: HOSTILE.into(),
        address: "127.0.0.1".into(),
        seen: Utc::from_ms(AT_MS),
        is_current,
        is_operator: !is_current,
    }
}

/// The pages of apps and their keys, empty and filled, untouched and refused.
fn pages_of_apps(frame: &Frame<'_>) -> Vec<(String, String)> {
    let at = Utc::from_ms(AT_MS);
    let app = |suspended| AppView {
        id: "app_0".into(),
        name: HOSTILE.into(),
        mode: Mode::Test,
        created: at,
        suspended,
        units: 1_204_331,
    };
    let refused = |field| Problems::of_code(frame.text, "invalid_field", Some(field), 0);
    let mut pages = Vec::new();
    for apps in [vec![], vec![app(None), app(Some(at))]] {
        let page = AppsPage { frame: frame.clone(), apps, may_change: true, snippet: HOSTILE };
        pages.push(("apps", page.render()));
    }
    for problems in [Problems::none(), refused("name")] {
        let page = NewAppPage { frame: frame.clone(), name: HOSTILE, mode: Mode::Live, problems };
        pages.push(("app-new", page.render()));
    }
    for (problems, suspended) in [(Problems::none(), None), (refused("name"), Some(at)), (refused("typed_name"), None)]
    {
        let page = AppPage { frame: frame.clone(), app: app(suspended), may_change: true, name: HOSTILE, problems };
        pages.push(("app", page.render()));
    }
    for (keys, problems) in [
        (vec![], Problems::none()),
        (key_views(), refused("scopes")),
        (vec![], refused("name")),
        (vec![], refused("days")),
    ] {
        let page = KeysPage {
            frame: frame.clone(),
            app: "app_0",
            older: if keys.is_empty() { String::new() } else { "/console/apps/app_0/keys?after=key_0".into() },
            keys,
            name: HOSTILE,
            scopes: vec![ScopeChoice { word: "tokens:create", is_chosen: true }],
            is_all: false,
            problems,
            snippet: HOSTILE,
        };
        pages.push(("keys", page.render()));
    }
    for (keys, problems) in [(vec![], Problems::none()), (key_views(), refused("public_key"))] {
        let page = SigningKeysPage {
            frame: frame.clone(),
            app: "app_0",
            older: if keys.is_empty() { String::new() } else { "/console/apps/app_0/signing-keys?after=key_0".into() },
            keys,
            name: HOSTILE,
            algorithms: vec![("HS256", true), ("EdDSA", false)],
            public_key: HOSTILE,
            problems,
            snippet: HOSTILE,
        };
        pages.push(("signing-keys", page.render()));
    }
    for (kid, secret, old_until) in [("", HOSTILE, None), ("key_0", "", Some(at))] {
        let page = SecretPage {
            frame: frame.clone(),
            name: HOSTILE,
            kid,
            secret,
            snippet: HOSTILE,
            old_until,
            back: "/console/apps/app_0/keys",
        };
        pages.push(("secret", page.render()));
    }
    for (origins, problems) in [(vec![], Problems::none()), (vec![HOSTILE.to_owned(), "b".into()], refused("origin"))] {
        let page = OriginsPage {
            frame: frame.clone(),
            app: "app_0",
            origins,
            may_change: true,
            most: 100,
            origin: HOSTILE,
            problems,
            snippet: HOSTILE,
        };
        pages.push(("origins", page.render()));
    }
    let named = |(at, (name, html)): (usize, (&str, _))| (format!("{name} {at}"), Result::expect(html, "renders"));
    pages.into_iter().enumerate().map(named).collect()
}

/// A key in every state and of every age.
fn key_views() -> Vec<KeyView> {
    let at = Utc::from_ms(AT_MS);
    let states =
        [State::Stands, State::Ends(at), State::Leaving(at), State::Ended(at), State::Replaced(at), State::Revoked(at)];
    let ages = [Age::Day, Age::Month, Age::Long];
    let view = |(number, state): (usize, &State)| KeyView {
        id: format!("key_{number}"),
        name: HOSTILE.into(),
        mark: "tim_live_sk_…abcd".into(),
        scopes: vec!["tokens:create"],
        created_by: HOSTILE.into(),
        created: at,
        state: *state,
        used: ages.get(number).map(|age| Used { at, from: "10.0.0.1".into(), age: *age }),
        is_idle: number == 2,
        is_public: number % 2 == 1,
    };
    states.iter().enumerate().map(view).collect()
}

/// Every entry, so that each label and icon is drawn.
fn nav() -> Nav {
    use Entry::*;
    let links = [
        (Group::Main, vec![Overview, Apps, Usage]),
        (Group::App, vec![App, Quickstart, Keys, SigningKeys, Origins]),
        (Group::Org, vec![Members, Audit, Settings, Billing]),
        (Group::Own, vec![Account, Operator]),
        (Group::Operator, vec![OperatorOrgs, OperatorNodes, OperatorPlans, OperatorAudit, OperatorJobs]),
    ];
    let link = |group, entry| Link { group, entry, href: format!("/console/{entry:?}"), is_here: false };
    let links = links.into_iter().flat_map(|(group, entries)| entries.into_iter().map(move |entry| link(group, entry)));
    Nav::new(links.collect(), "/console/Usage")
}

fn in_every_dress(check: impl Fn(&str, Language, Theme, &str)) {
    let assets = Assets::embedded();
    for language in Language::ALL {
        for theme in Theme::ALL {
            let viewer = Some(Viewer {
                email: "dev@example.com",
                org_name: Some(HOSTILE),
                is_verified: false,
                suspended: Some(HOSTILE),
                orgs: "/console/orgs",
                is_operator: theme == Theme::Dark,
            });
            let frame = Frame {
                text: Text::new(language),
                theme,
                assets: &assets,
                csrf: "token",
                nonce: "nonce",
                here: "/console/usage?a=1&lang=en",
                viewer,
                nav: nav(),
                app: Some(AppPlace { id: "app_0".into(), name: HOSTILE.into(), mode: Mode::Test }),
                flash: Some(Flash::Saved),
                mode: Some(Mode::Test),
            };
            for (name, html) in every_page(frame) {
                check(&name, language, theme, &html);
            }
        }
    }
}

#[test]
fn every_flash_is_found_by_its_name() {
    for flash in Flash::ALL {
        assert_eq!(Flash::from_name(flash.name()), Some(*flash));
    }
}

/// Values of an attribute, in order of the document.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    html.split(&format!(" {attribute}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_page_speaks_its_language_and_wears_its_theme() {
    in_every_dress(|name, language, theme, html| {
        assert!(!html.contains("Unknown localization"), "{name}");
        assert!(!html.contains("{ $") && !html.contains("{$"), "{name}: a placeable was not filled");
        assert!(html.contains(&format!("<html lang=\"{}\"", language.tag())), "{name}");
        assert_eq!(html.contains("data-theme="), theme != Theme::System, "{name}");
    });
}

#[test]
fn ids_are_unique_and_references_resolve() {
    in_every_dress(|name, _, _, html| {
        let ids = values(html, "id");
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "{name}: {ids:?}");
        for attribute in ["for", "aria-labelledby", "aria-describedby"] {
            for reference in values(html, attribute).into_iter().flat_map(str::split_whitespace) {
                assert!(unique.contains(reference), "{name}: {attribute}={reference}");
            }
        }
    });
}

#[test]
fn foreign_text_is_never_markup() {
    in_every_dress(|name, _, _, html| assert!(!html.contains("<script>"), "{name}"));
}

#[test]
fn only_a_line_that_is_an_address_becomes_a_link() {
    in_every_dress(|name, _, _, html| {
        if name == "mail" {
            let targets: Vec<_> = values(html, "href").into_iter().filter(|href| !href.starts_with('/')).collect();
            assert_eq!(targets, ["https://console.example/verify?a=1&#38;b=2"]);
        }
    });
}

#[test]
fn forms_that_post_carry_the_token() {
    in_every_dress(|name, _, _, html| {
        for form in html.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap_or_default();
            assert!(form.contains("name=\"csrf\" value=\"token\""), "{name}");
        }
    });
}
