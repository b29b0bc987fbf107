//! Announcements: what is shown to whom and when, what was put away, and what the log keeps.

use super::world::World;
use crate::{Announcement, SHOWN_MAX};
use tokenim_domain::Code;
use tokenim_domain::actor::{Actor, Who};
use tokenim_domain::announcement::{Content, Severity};
use tokenim_domain::id::{AccountId, AnnouncementId, OrgId};

fn operator(world: &World) -> Actor {
    Actor { who: Who::Operator(world.founded.account), reason: Some("planned work".into()), ..Actor::machine() }
}

/// One that is shown from `after_ms` from now on, for a second; a millisecond passes first.
async fn announced(world: &World, severity: Severity, title: &str, after_ms: i64) -> Announcement {
    // Ids of one millisecond are in no order.
    world.clock.shift(1);
    let starts_ms = world.store.clock.now_ms() + after_ms;
    let content = Content {
        severity,
        title_en: title.to_owned(),
        title_zh: "公告".into(),
        text_en: "a\nb".into(),
        text_zh: "甲\n乙".into(),
        starts_ms,
        ends_ms: starts_ms + 1_000,
    };
    world.store.create_announcement(&operator(world), content).await.unwrap()
}

async fn shown(world: &World, account: AccountId) -> Vec<AnnouncementId> {
    world.store.list_shown_announcements(account).await.unwrap().into_iter().map(|found| found.id).collect()
}

#[tokio::test]
async fn it_is_shown_to_every_account_from_its_start_until_its_end() {
    let world = World::new().await;
    let (account, other) = (world.founded.account, world.another_org("other").await.account);
    let planned = announced(&world, Severity::Info, "later", 500).await;
    let now = announced(&world, Severity::Info, "now", 0).await;
    let warning = announced(&world, Severity::Warning, "careful", -1).await;
    for account in [account, other] {
        assert_eq!(shown(&world, account).await, [warning.id, now.id], "warnings first");
    }
    world.clock.shift(500);
    assert_eq!(shown(&world, account).await, [warning.id, now.id, planned.id]);
    world.clock.shift(500);
    assert_eq!(shown(&world, account).await, [planned.id]);
    let listed = world.store.list_announcements(None, 2).await.unwrap();
    assert_eq!(listed.iter().map(|found| found.id).collect::<Vec<_>>(), [warning.id, now.id], "the newest first");
    assert_eq!(listed[0].content.text_zh, "甲\n乙");
    assert_eq!(world.store.list_announcements(Some(now.id), 2).await.unwrap(), [planned]);
}

#[tokio::test]
async fn a_person_puts_away_information_for_themselves_and_no_warning() {
    let world = World::new().await;
    let (account, other) = (world.founded.account, world.another_org("other").await.account);
    let info = announced(&world, Severity::Info, "now", 0).await;
    let warning = announced(&world, Severity::Warning, "careful", 0).await;
    for _ in 0..2 {
        world.store.dismiss_announcement(account, info.id).await.unwrap();
    }
    for id in [warning.id, AnnouncementId::new(&*world.store.clock, &*world.store.rng)] {
        assert_eq!(world.store.dismiss_announcement(account, id).await.unwrap_err().code, Code::NotFound);
    }
    assert_eq!(shown(&world, account).await, [warning.id]);
    assert_eq!(shown(&world, other).await, [warning.id, info.id]);
}

#[tokio::test]
async fn an_announcement_that_ended_is_not_changed_and_every_version_is_in_the_log() {
    let world = World::new().await;
    let store = &world.store;
    let made = announced(&world, Severity::Info, "first", 500).await;
    let content = Content { title_en: "second".into(), severity: Severity::Warning, ..made.content.clone() };
    let changed = store.update_announcement(&operator(&world), made.id, None, content.clone()).await.unwrap();
    assert_eq!((changed.id, &changed.content, changed.created_ms), (made.id, &content, made.created_ms));
    assert_eq!(store.find_announcement(made.id).await.unwrap(), Some(changed));
    let silent = Actor { reason: None, ..operator(&world) };
    assert_eq!(store.end_announcement(&silent, made.id).await.unwrap_err().param, Some("reason"));
    let ended = store.end_announcement(&operator(&world), made.id).await.unwrap();
    let now = store.clock.now_ms();
    assert_eq!((ended.content.starts_ms, ended.content.ends_ms), (now, now), "it is never shown");
    world.clock.shift(600);
    assert!(shown(&world, world.founded.account).await.is_empty());
    assert_eq!(store.end_announcement(&operator(&world), made.id).await.unwrap_err().code, Code::Conflict);
    let late = store.update_announcement(&operator(&world), made.id, None, content).await;
    assert_eq!(late.unwrap_err().code, Code::Conflict);
    let nothing = AnnouncementId::new(&*store.clock, &*store.rng);
    assert_eq!(store.end_announcement(&operator(&world), nothing).await.unwrap_err().code, Code::NotFound);
    let log = store.org(OrgId::SERVICE).list_audit(None, 9).await.unwrap();
    let told: Vec<_> = log.iter().map(|event| (event.action.as_str(), event.object.clone())).collect();
    let id = made.id.to_string();
    let expected = ["announcement.ended", "announcement.updated", "announcement.created"];
    assert_eq!(told, expected.map(|action| (action, id.clone())));
    assert!(log[1].before.as_deref().unwrap().contains("first") && log[1].after.as_deref().unwrap().contains("second"));
}

#[tokio::test]
async fn what_is_shown_keeps_its_start_where_it_goes_on_being_shown() {
    let world = World::new().await;
    let store = &world.store;
    let made = announced(&world, Severity::Info, "first", 500).await;
    let begin = async |starts_ms: i64| {
        let content = Content { starts_ms, ..made.content.clone() };
        let changed = store.update_announcement(&operator(&world), made.id, None, content).await.unwrap();
        changed.content.starts_ms
    };
    let first = store.clock.now_ms();
    assert_eq!(begin(first).await, first, "a planned one begins now");
    world.clock.shift(9);
    assert_eq!(begin(store.clock.now_ms()).await, first);
    assert_eq!(begin(store.clock.now_ms() + 1).await, first + 10, "and is planned again");
}

#[tokio::test]
async fn of_two_who_saw_the_same_version_the_second_is_told() {
    let world = World::new().await;
    let store = &world.store;
    let made = announced(&world, Severity::Info, "first", 500).await;
    let titled = |title: &str| Content { title_en: title.into(), ..made.content.clone() };
    let seen = Some(made.version());
    let second = store.update_announcement(&operator(&world), made.id, seen, titled("second")).await.unwrap();
    let late = store.update_announcement(&operator(&world), made.id, seen, titled("third")).await;
    assert_eq!(late.unwrap_err().code, Code::Conflict);
    assert_eq!(store.find_announcement(made.id).await.unwrap(), Some(second.clone()), "nothing changed");
    store.update_announcement(&operator(&world), made.id, Some(second.version()), titled("third")).await.unwrap();
}

#[tokio::test]
async fn so_many_are_shown_at_once_and_no_more() {
    let world = World::new().await;
    for number in 0..=SHOWN_MAX {
        announced(&world, Severity::Info, &number.to_string(), 0).await;
    }
    assert_eq!(shown(&world, world.founded.account).await.len() as u64, SHOWN_MAX);
}
