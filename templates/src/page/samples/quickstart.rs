//! Samples of the quickstart page, with every code that may refuse its messages.
use askama::Template;

use super::{AT_MS, HOSTILE};
use crate::{
    frame::Frame,
    page::quickstart::{Code, Line, Links, Pane, QuickstartPage, Refused, Row, Steps, Tab},
    time::Utc,
};

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
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
    let refused = |code| Some(Refused { code, message: HOSTILE.into(), at: Utc::from_ms(AT_MS) });
    let of = |panes: Vec<Pane>, has_token, refused| QuickstartPage {
        frame: frame.clone(),
        app_name: HOSTILE,
        has_token,
        panes,
        refused: Some("quota_exceeded"),
        steps: Steps { rows: vec![row("console"), row(HOSTILE), row(""), Row::awaited()], refused },
        tabs: Tab::all("/console/apps/app_0/quickstart", Code::Swift),
        code: Code::Swift,
        example: Code::Swift.example("http://127.0.0.1", "token"),
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
        pages.push((format!("quickstart {code}"), of(panes, true, refused(code))));
    }
    pages.into_iter().map(|(name, page)| (name, page.render().expect("renders"))).collect()
}
