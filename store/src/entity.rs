//! The tables as SeaORM sees them. Rows never leave the store: each query module turns them into domain types.

pub mod account;
pub mod api_key;
pub mod app;
pub mod app_user;
pub mod console_session;
pub mod conversation;
pub mod idempotency;
pub mod member;
pub mod message;
pub mod org;
pub mod org_member;
pub mod signing_key;
pub mod usage_append;
pub mod usage_bucket;

mod prelude {
    pub use sea_orm::entity::prelude::*;
    pub use tokenim_domain::id::{AccountId, AppId, KeyId, MessageId, OrgId};
}
