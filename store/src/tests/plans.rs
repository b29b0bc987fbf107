//! Plans, subscriptions, and where an app stands.

use super::world::{START_MS, World, code};
use crate::entity::{account, app, app_origin, org, usage_bucket};
use crate::{FoundedOrg, NewOrg, sql};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tokenim_domain::Code;
use tokenim_domain::actor::Actor;
use tokenim_domain::log::{AppRef, Draft, Outcome, Write};
use tokenim_domain::meter::Meter;
use tokenim_domain::plan::quota::{Allowance, Period};
use tokenim_domain::plan::{Entitlement, Feature, LimitMode, Limits};
use tokenim_domain::role::Mode;
use tokenim_domain::terms::{Block, TermBook, Terms};

impl World {
    async fn terms(&self) -> Terms {
        self.store.terms(self.app()).await.unwrap().unwrap()
    }

    async fn found(&self, email: &str, mode: Mode, plan: &'static str, is_verified: bool) -> FoundedOrg {
        let new = NewOrg {
            email: email.to_owned(),
            password_hash: String::new(),
            is_verified,
            is_operator: false,
            language: None,
            org: "Another".to_owned(),
            app: "Chat".to_owned(),
            mode,
            plan,
        };
        self.store.found_org(&new).await.unwrap()
    }
}

fn hard(value: i64) -> Entitlement {
    Entitlement { value: Some(value), mode: LimitMode::Hard }
}

#[tokio::test]
async fn the_plans_are_listed_from_small_to_large_with_what_they_grant() {
    let world = World::new().await;
    let plans = world.store.list_plans().await.unwrap();
    let codes: Vec<_> = plans.iter().map(|plan| (plan.code.as_str(), plan.is_public)).collect();
    assert_eq!(codes, [("basic", true), ("pro", true), ("enterprise", false), ("operator", false)]);
    assert_eq!(plans[0].entitlements.of(Feature::Connections), hard(100));
    assert_eq!(plans[1].entitlements.of(Feature::MsgSent).bound(), None, "Pro counts on");
    assert!(Feature::ALL.iter().all(|feature| plans[3].entitlements.of(*feature).bound().is_none()));
}

#[tokio::test]
async fn a_change_of_plan_is_audited_told_and_in_force_at_once() {
    let world = World::new().await;
    let org = world.store.org(world.app().org);
    let before = world.store.last_change().await.unwrap();
    assert_eq!(world.terms().await.limits.connections, None);
    let changed = org.change_plan("basic", &Actor::machine()).await.unwrap();
    assert_eq!((changed.plan.code.as_str(), org.subscription().await.unwrap()), ("basic", changed.clone()));
    let changes = world.store.changes_since(before).await.unwrap();
    assert_eq!((changes.last, changes.orgs), (before + 1, vec![world.app().org]));
    let limits = world.terms().await.limits;
    assert_eq!((limits.connections, limits.message_rate, limits.units), (Some(100), Some(50), Some(100_000)));
    assert_eq!(org.change_plan("basic", &Actor::machine()).await.unwrap(), changed, "again, it changes nothing");
    assert_eq!(world.store.last_change().await.unwrap(), before + 1);
    let error = org.change_plan("gold", &Actor::machine()).await.unwrap_err();
    assert_eq!((error.code, error.param), (Code::InvalidField, Some("plan")));
    assert_eq!(org.subscription().await.unwrap(), changed);
}

#[tokio::test]
async fn live_apps_of_an_org_count_together_and_a_test_app_alone() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    let other = world.found("eve@example.com", Mode::Test, "basic", true).await.app;
    assert_eq!((world.terms().await.used, world.terms().await.mode), (1, Mode::Live));
    let test = world.store.terms(other).await.unwrap().unwrap();
    assert_eq!((test.used, test.limits), (0, Limits::test(START_MS, true, START_MS)));
    world.store.roll_up_usage().await.unwrap();
    world.send("c1", "alice", "m2").await;
    assert_eq!(world.terms().await.used, 2, "rolled up or not");
    // An app moved to the org by hand stands for a second one of it.
    let org = world.app().org;
    for (mode, used) in [("live", 2), ("test", 0)] {
        let id = tokenim_domain::id::AppId::new(&*world.clock, &*world.rng);
        let row = app::Model {
            org_id: org,
            id,
            name: "Second".into(),
            mode: mode.into(),
            created_ms: 0,
            suspended_ms: None,
            deleted_ms: None,
            strangers: "anyone".into(),
            logins: "devices".into(),
            unknown_users: "create".into(),
        };
        sql::insert(&world.all(), row).await.unwrap();
        let terms = world.store.terms(AppRef { org, app: id }).await.unwrap().unwrap();
        assert_eq!(terms.used, used, "{mode}");
    }
}

#[tokio::test]
async fn the_quotas_of_an_org_are_what_its_usage_says() {
    let world = World::with_group().await;
    let org = world.store.org(world.app().org);
    org.change_plan("basic", &Actor::machine()).await.unwrap();
    world.send("c1", "alice", "m1").await;
    let quotas = org.quotas().await.unwrap();
    assert_eq!((quotas.len(), quotas[0].used, quotas[0].entitlement), (1, 1, hard(100_000)));
    assert_eq!(
        quotas[0].used,
        org.usage_hours(START_MS - 3_600_000, START_MS + 1).await.unwrap().total(Meter::MsgSent)
    );
    assert_eq!(quotas[0].resets_at_ms, Period::month(START_MS).resets_at_ms());
    let other = world.found("eve@example.com", Mode::Test, "pro", false).await.app;
    let quotas = world.store.org(other.org).quotas().await.unwrap();
    assert_eq!((quotas[0].used, quotas[0].entitlement.bound()), (0, None));
    let trial = (quotas[1].app.as_ref().unwrap().id, quotas[1].entitlement, quotas[1].resets_at_ms);
    assert_eq!((trial, quotas.len()), ((other.app, hard(100), None), 2));
}

#[tokio::test]
async fn the_quotas_of_many_apps_are_each_what_its_node_counts() {
    let world = World::with_group().await;
    let org = world.store.org(world.app().org);
    world.send("c1", "alice", "m1").await;
    let Period::Month { from_ms, .. } = Period::month(START_MS) else { unreachable!() };
    let apps = [("live", Some(1), 10), ("test", None, 200), ("test", None, 0), ("test", Some(1), 3_000)];
    let mut refs = Vec::new();
    for (mode, deleted_ms, units) in apps {
        // Ids of one millisecond have no order.
        world.clock.shift(1);
        let id = tokenim_domain::id::AppId::new(&*world.clock, &*world.rng);
        let row = app::Model {
            org_id: world.app().org,
            id,
            name: format!("app {units}"),
            mode: mode.into(),
            created_ms: from_ms - 3_600_000,
            suspended_ms: None,
            deleted_ms,
            strangers: "anyone".into(),
            logins: "devices".into(),
            unknown_users: "create".into(),
        };
        sql::insert(&world.all(), row).await.unwrap();
        // Half as much again in the month before.
        for (hour_ms, quantity) in [(from_ms, units), (from_ms - 3_600_000, units / 2)] {
            let row = usage_bucket::Model { app_id: id, meter: "msg_sent".into(), hour_ms, quantity };
            sql::insert(&world.all(), row).await.unwrap();
        }
        refs.push(AppRef { org: world.app().org, app: id });
    }
    for verified_ms in [Some(1), None] {
        account::Entity::update_many()
            .col_expr(account::Column::VerifiedMs, Expr::value(verified_ms))
            .exec(&world.all())
            .await
            .unwrap();
        let quotas = org.quotas().await.unwrap();
        let told: Vec<_> = quotas.iter().map(|quota| (quota.app.as_ref().map(|app| app.id), quota.used)).collect();
        let tested = if verified_ms.is_some() { 200 } else { 300 };
        assert_eq!(told, [(None, 11), (Some(refs[1].app), tested), (Some(refs[2].app), 0)]);
        for (of, (_, used)) in [world.app(), refs[1], refs[2]].into_iter().zip(told) {
            assert_eq!(world.store.terms(of).await.unwrap().unwrap().used, used);
        }
    }
}

#[tokio::test]
async fn the_next_month_begins_with_nothing_used() {
    let world = World::with_group().await;
    world.send("c1", "alice", "m1").await;
    let Period::Month { to_ms, .. } = world.terms().await.limits.period else { panic!("a month") };
    world.clock.shift(to_ms - START_MS - 1);
    assert_eq!(world.terms().await.used, 1);
    world.clock.shift(1);
    assert_eq!((world.terms().await.used, world.terms().await.limits.period.from_ms()), (0, to_ms));
    world.send("c1", "alice", "m2").await;
    assert_eq!(world.terms().await.used, 1);
}

#[tokio::test]
async fn an_app_of_nobody_verified_is_on_trial_until_somebody_is() {
    let world = World::new().await;
    let founded = world.found("eve@example.com", Mode::Test, "basic", false).await;
    let limits = async || world.store.terms(founded.app).await.unwrap().unwrap().limits;
    assert_eq!(limits().await, Limits::test(START_MS, false, START_MS));
    account::Entity::update_many()
        .col_expr(account::Column::VerifiedMs, Expr::value(1))
        .filter(account::Column::Id.eq(founded.account))
        .exec(&world.all())
        .await
        .unwrap();
    assert_eq!(limits().await, Limits::test(START_MS, true, START_MS));
}

#[tokio::test]
async fn a_standing_tells_suspensions_and_origins_and_no_foreign_app() {
    let world = World::new().await;
    let (of, other) = (world.app(), world.found("eve@example.com", Mode::Live, "basic", true).await.app);
    let row = app_origin::Model { app_id: of.app, origin: "https://chat.example".into(), created_ms: 0 };
    sql::insert(&world.all(), row).await.unwrap();
    assert_eq!(
        (world.terms().await.access.block, &*world.terms().await.access.origins[0]),
        (None, "https://chat.example")
    );
    app::Entity::update_many().col_expr(app::Column::DeletedMs, Expr::value(1)).exec(&world.all()).await.unwrap();
    assert_eq!(world.terms().await.access.block, Some(Block::App));
    org::Entity::update_many()
        .col_expr(org::Column::SuspendedMs, Expr::value(1))
        .col_expr(org::Column::SuspendedReason, Expr::value("spam"))
        .exec(&world.all())
        .await
        .unwrap();
    assert_eq!(world.terms().await.access.block, Some(Block::Org { reason: Some("spam".into()) }));
    assert_eq!(world.store.terms(AppRef { org: other.org, app: of.app }).await.unwrap(), None);
}

#[tokio::test]
async fn the_log_stores_what_the_allowance_holds_and_answers_repeats_beyond_it() {
    let world = World::with_group().await;
    let allowance = Allowance::of(3);
    let draft =
        |id: &str, allowance: &Allowance| Draft { allowance: allowance.clone(), ..world.draft("c1", "alice", id) };
    let large = Draft { body: format!("{{\"text\":\"{}\"}}", "x".repeat(6_000)).into(), ..draft("m3", &allowance) };
    let batch = ["m1", "m1", "m2"].map(|id| Write::Send(draft(id, &allowance))).into_iter();
    let batch =
        batch.chain([Write::Send(large), Write::Send(draft("m4", &allowance)), Write::Send(draft("m5", &allowance))]);
    let outcomes = world.commit(batch.collect()).await;
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(Outcome::Sent(sent)) => Ok((sent.seq, sent.event.is_none())),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code),
        })
        .collect();
    let refused = Err(Code::QuotaExceeded);
    assert_eq!(told, [Ok((2, false)), Ok((2, true)), Ok((3, false)), refused, Ok((4, false)), refused]);
    let repeat = world.commit_one(Write::Send(draft("m2", &Allowance::of(0)))).await;
    assert!(matches!(repeat, Ok(Outcome::Sent(sent)) if sent.seq == 3 && sent.event.is_none()));
    let stranger = Draft { allowance: Allowance::of(0), ..world.draft("c1", "mallory", "m9") };
    assert_eq!(
        code(world.commit_one(Write::Send(stranger)).await),
        Code::NotFound,
        "who may not send learns no figures"
    );
    assert_eq!(world.terms().await.used, 3);
}
