//! Samples of the pages of apps and their keys, empty and filled, untouched and refused.
use super::{AT_MS, HOSTILE};
use crate::{
    frame::{Frame, Mode},
    page::{
        apps::{AppPage, AppView, AppsPage, Logins, NewAppPage, Strangers, UnknownUsers},
        keys::{Age, KeyView, KeysPage, NewKeyForm, ScopeChoice, SecretPage, State, Used},
        origins::OriginsPage,
    },
    problem::Problems,
    time::Utc,
};
use askama::Template;

pub(super) fn pages(frame: &Frame<'_>) -> Vec<(String, String)> {
    let at = Utc::from_ms(AT_MS);
    let app = |suspended| AppView {
        id: "app_0".into(),
        name: HOSTILE.into(),
        mode: Mode::Test,
        created: at,
        suspended,
        strangers: if suspended.is_some() { Strangers::Shared } else { Strangers::Anyone },
        logins: if suspended.is_some() { Logins::One } else { Logins::Devices },
        unknown_users: if suspended.is_some() { UnknownUsers::Refuse } else { UnknownUsers::Create },
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
            address: "/console/apps/app_0/keys",
            next: if keys.is_empty() { String::new() } else { "/console/apps/app_0/keys?after=key_0".into() },
            keys,
            name: HOSTILE,
            form: NewKeyForm::Server {
                scopes: vec![ScopeChoice { word: "tokens:create", is_chosen: true }],
                is_all: false,
            },
            problems,
            snippet: HOSTILE,
        };
        pages.push(("keys", page.render()));
    }
    for (keys, problems) in [(vec![], Problems::none()), (key_views(), refused("public_key"))] {
        let page = KeysPage {
            frame: frame.clone(),
            address: "/console/apps/app_0/signing-keys",
            next: if keys.is_empty() { String::new() } else { "/console/apps/app_0/signing-keys?after=key_0".into() },
            keys,
            name: HOSTILE,
            form: NewKeyForm::Signing { algorithms: vec![("HS256", true), ("EdDSA", false)], public_key: HOSTILE },
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
            own: "https://console.example",
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
