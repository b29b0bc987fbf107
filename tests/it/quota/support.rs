//! Orgs on the plans of customers, made and changed beside the running server as `tokenim admin` does.

use crate::support::rest::{Answer, Rest, answer};
use crate::support::server::TestServer;
use crate::support::template::{Founded, Signing};
use crate::support::token::now_ms;
use reqwest::Method;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokenim_domain::actor::Actor;
use tokenim_domain::clock::{Clock, SystemClock};
use tokenim_domain::id::OrgId;
use tokenim_domain::log::AppRef;
use tokenim_domain::rng::SystemRng;
use tokenim_domain::role::Mode;
use tokenim_domain::secret::Secret;
use tokenim_store::{Durability, NewOrg, Settings, Store};

/// The store of a running server, from another process.
pub async fn store(server: &TestServer) -> Store {
    store_at(server, Arc::new(SystemClock::new())).await
}

/// The same by another clock than the machine's.
pub async fn store_at(server: &TestServer, clock: Arc<dyn Clock>) -> Store {
    let postgres = server.database_url.clone().map(Secret::new);
    let settings = Settings { data: server.data.clone(), postgres, durability: Durability::Full };
    Store::open(&settings, clock, Arc::new(SystemRng)).await.unwrap().store
}

/// The machine's clock, so many milliseconds ago.
pub struct Ago(pub i64);

impl Clock for Ago {
    fn now_ms(&self) -> i64 {
        now_ms() - self.0
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// The app of a server's first org.
pub fn app(server: &TestServer) -> AppRef {
    AppRef { org: server.founded.org.parse().unwrap(), app: server.founded.app.parse().unwrap() }
}

/// Subscribes an org to a plan, as its owner does.
pub async fn put(manager: &Rest, plan: &str) -> Answer {
    answer(manager.request(Method::PUT, "/v1/manage/subscription").json(&json!({"plan": plan}))).await
}

/// Subscribes an org to a plan, as `tokenim admin` does.
pub async fn subscribe(store: &Store, founded: &Founded, plan: &str) {
    let org: OrgId = founded.org.parse().unwrap();
    store.org(org).change_plan(plan, &Actor::machine()).await.unwrap();
}

/// An org with a test app, its owner verified or not.
pub async fn found_test(store: &Store, name: &str, is_verified: bool) -> Founded {
    let new = NewOrg {
        email: format!("{name}@example.com"),
        password_hash: String::new(),
        is_verified,
        is_operator: false,
        language: None,
        org: name.to_owned(),
        app: name.to_owned(),
        mode: Mode::Test,
        plan: "basic",
    };
    let made = store.found_org(&new).await.unwrap();
    Founded {
        account: made.account.to_string(),
        org: made.app.org.to_string(),
        app: made.app.app.to_string(),
        key: made.key.expose().to_owned(),
        signing: Signing { kid: made.signing.id.to_string(), secret: made.signing.secret.expose().to_owned() },
        email: new.email,
    }
}
