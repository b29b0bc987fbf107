//! The tables as SeaORM sees them. Rows never leave the store: each query module turns them into domain types.

pub mod account;
pub mod announcement;
pub mod announcement_dismissal;
pub mod api_key;
pub mod app;
pub mod app_origin;
pub mod app_user;
pub mod attachment;
pub mod audit_event;
pub mod audit_head;
pub mod change;
pub mod console_session;
pub mod conversation;
pub mod device_cursor;
pub mod entitlement;
pub mod form_nonce;
pub mod idempotency;
pub mod invitation;
pub mod job;
pub mod join_request;
pub mod large_body;
pub mod live_message;
pub mod live_piece;
pub mod mail_link;
pub mod management_key;
pub mod member;
pub mod member_ban;
pub mod member_before;
pub mod message;
pub mod message_attachment;
pub mod message_state;
pub mod node;
pub mod node_heartbeat;
pub mod node_minute;
pub mod operator_key;
pub mod org;
pub mod org_idempotency;
pub mod org_member;
pub mod plan;
pub mod plan_version;
pub mod presence;
pub mod reaction;
pub mod receipt_tally;
pub mod recovery_code;
pub mod signing_key;
pub mod stored_hour;
pub mod subscription;
pub mod upload;
pub mod usage_append;
pub mod usage_bucket;
pub mod usage_receive;
pub mod user_block;

mod prelude {
    pub use sea_orm::entity::prelude::*;
    pub use tokenim_domain::id::{
        AccountId, AnnouncementId, AppId, AttachmentId, InvitationId, JobId, KeyId, MessageId, OrgId, SessionId,
        UploadId,
    };
}
