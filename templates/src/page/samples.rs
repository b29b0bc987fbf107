//! Samples of every page, rendered in both languages and all themes, and what must hold for each.
mod account;
mod apps;
mod operator;
mod org;
mod plan;
mod quickstart;
mod usage;

use std::collections::BTreeSet;

use askama::Template;

use super::{
    docs::{DocPage, DocsPage},
    mailbox::{MailPage, MailboxPage, Row},
    notice::{Kind, NoticePage},
};
use crate::{
    assets::Assets,
    docs::{Docs, Subject, Tail},
    flash::Flash,
    frame::{Announced, AppPlace, Frame, Mode, Theme, Viewer},
    language::Language,
    nav::{Entry, Group, Link, Nav},
    text::Text,
    time::Utc,
};

const AT_MS: i64 = 1_795_615_503_000;
const HOSTILE: &str = "<script>alert(1)</script>\"'&";

fn every_page(frame: Frame<'_>) -> Vec<(String, String)> {
    let of_noun =
        [account::pages, apps::pages, operator::pages, org::pages, plan::pages, quickstart::pages, usage::pages];
    let mut pages: Vec<_> = of_noun.iter().flat_map(|pages| pages(&frame)).collect();
    for mails in [0, 2] {
        let row = Row { href: "/dev/mail/job_1".into(), subject: HOSTILE, to: HOSTILE, at: Utc::from_ms(AT_MS) };
        let older = (mails > 0).then(|| "/dev/mail?before=job_1".to_owned());
        let page = MailboxPage { frame: frame.clone(), mails: vec![row; mails], newest: mails > 0, older };
        pages.push((format!("mailbox {mails}"), page.render().expect("renders")));
    }
    let docs = Docs::embedded();
    pages.push(("docs".to_owned(), DocsPage { frame: frame.clone(), tail: Tail(None) }.render().expect("renders")));
    for doc in Subject::ALL.iter().filter_map(|subject| docs.find(subject.name())) {
        let page = DocPage { frame: frame.clone(), doc, tail: Tail(Some(Language::ZhCn)) };
        pages.push((format!("doc {}", doc.subject.name()), page.render().expect("renders")));
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
    pages
}

/// Every entry, so that each label and icon is drawn.
fn nav() -> Nav {
    use Entry::*;
    let links = [
        (Group::Main, vec![Overview, Apps, Usage]),
        (Group::App, vec![App, Quickstart, Keys, SigningKeys, Origins]),
        (Group::Org, vec![Members, Audit, Settings, Billing]),
        (Group::Own, vec![Account, Docs, Operator]),
        (
            Group::Operator,
            vec![OperatorOrgs, OperatorNodes, OperatorPlans, OperatorAudit, OperatorJobs, OperatorAnnouncements],
        ),
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
                announced: [true, false]
                    .map(|is_warning| Announced {
                        id: format!("ann_{is_warning}"),
                        is_warning,
                        title: HOSTILE,
                        text: HOSTILE,
                    })
                    .into(),
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
