//! The one table of error codes: stable string, retryable, HTTP status, close code. `docs/ERRORS.md` is generated from it.

/// What one code means to each face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The stable snake_case string, never reused.
    pub name: &'static str,
    /// Whether the same request may succeed later without a change.
    pub retryable: bool,
    /// HTTP status of the REST face.
    pub status: u16,
    /// WebSocket close code where this ends a connection; 0 where it never does.
    pub close: u16,
    /// One sentence for the developer who reads it.
    pub meaning: &'static str,
}

macro_rules! codes {
    ($($variant:ident $name:literal $retryable:literal $status:literal $close:literal $meaning:literal;)*) => {
        /// A stable error or close code; the strings are the same on REST and on sockets.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The row of this code.
            #[must_use]
            pub const fn row(self) -> Row {
                match self {
                    $(Code::$variant => Row { name: $name, retryable: $retryable, status: $status, close: $close, meaning: $meaning },)*
                }
            }
        }
    };
}

codes! {
    // name                    string                   retry  http close meaning
    InvalidRequest          "invalid_request"           false 400 4400 "The request is not well-formed: a field is missing, has a wrong type or an unknown name.";
    InvalidField            "invalid_field"             false 422 0 "A field has the right type but a value that is not allowed; `param` names it.";
    UnknownCommand          "unknown_command"           false 400 0 "The envelope names no command of this protocol version.";
    NotSupported            "not_supported"             false 422 0 "This server does not offer the named feature; nothing was changed.";
    FrameTooLarge           "frame_too_large"           false 413 4400 "The message is larger than the announced frame limit.";
    TooManyFragments        "too_many_fragments"        false 400 4400 "The message was split into more fragments than the limit.";
    BadFrame                "bad_frame"                 false 400 1002 "The bytes are not valid WebSocket frames (RFC 6455).";
    BadText                 "bad_text"                  false 400 1007 "A text message is not valid UTF-8 (RFC 6455 §8.1).";
    BinaryFrame             "binary_frame"              false 400 4400 "This subprotocol carries text messages only.";
    Unauthenticated         "unauthenticated"           false 401 4401 "No usable credential was presented, or not in time.";
    TokenInvalid            "token_invalid"             false 401 4401 "The token's signature, shape or claims do not verify.";
    TokenExpired            "token_expired"             false 401 4101 "The token has expired; get a new one.";
    TokenRevoked            "token_revoked"             false 401 4102 "The token or its signing key was revoked; get a new one.";
    SessionInvalid          "session_invalid"           false 401 4401 "The session token is not valid any more; present a user token once.";
    KeyMalformed            "key_malformed"             false 401 0 "The API key does not have the form of one; its checksum does not match.";
    KeyUnknown              "key_unknown"               false 401 0 "No such API key.";
    KeyRevoked              "key_revoked"               false 401 0 "The API key was revoked.";
    KeyExpired              "key_expired"               false 401 0 "The API key has reached its end.";
    KeyRotated              "key_rotated"               false 401 0 "The API key was replaced by another one, and the time to change over has passed.";
    ScopeMissing            "scope_missing"             false 403 0 "The API key does not have the scope that this call needs.";
    AppSuspended            "app_suspended"             false 403 4410 "The app is suspended or deleted.";
    SecretKeyInBrowser      "secret_key_in_browser"     false 403 0 "A secret API key came with an Origin header: it is in a browser. Use user tokens there.";
    TokenInUrl              "token_in_url"              false 400 4400 "Credentials never travel in a URL.";
    OriginNotAllowed        "origin_not_allowed"        false 403 4403 "The page's origin is not on the app's list.";
    Forbidden               "forbidden"                 false 403 4403 "The credential is valid but may not do this.";
    EmailUnverified         "email_unverified"          false 403 0 "The account's email address is not verified yet; more apps, invitations and billing wait for it.";
    ReauthRequired          "reauth_required"           false 403 0 "This needs proof from the last minutes that it is you: give the password or a code again.";
    NotFound                "not_found"                 false 404 0 "No such object in this app, or none that you may see.";
    MethodNotAllowed        "method_not_allowed"        false 405 0 "The path exists but not with this method.";
    Conflict                "conflict"                  false 409 0 "The thing is so already, or was changed in the meantime: the message tells which. Or an id was used before with other content.";
    IdempotencyMismatch     "idempotency_mismatch"      false 409 0 "The Idempotency-Key was used before with another request.";
    IdempotencyInProgress   "idempotency_in_progress"   true  409 0 "A request with this Idempotency-Key is still running.";
    PreviousRefused         "previous_refused"          true  409 0 "The message named by `prev` is not stored, so this one was not stored either; send both again in order.";
    LimitReached            "limit_reached"             false 422 0 "A named limit would be passed; nothing was changed.";
    TooManyOpenCommands     "too_many_open_commands"    true  429 0 "Too many commands of this connection are unanswered.";
    QuotaExceeded           "quota_exceeded"            false 402 0 "The month's quota is used up; reading and open connections go on. It works again after `resets_at`, or with a larger plan.";
    OrgSuspended            "org_suspended"             false 403 4410 "The org is suspended; `reason` says why. The service's operator can lift it.";
    ConnectionLimit         "connection_limit"          true  429 4009 "As many connections are open as the plan allows, `limit`; wait as told, or change the plan.";
    Replaced                "replaced"                  false 409 4409 "A newer connection of the same user and device took this one's place.";
    RateLimited             "rate_limited"              true  429 4009 "Too many requests; wait as told.";
    PayloadTooLarge         "payload_too_large"         false 413 0 "The request body is larger than the limit.";
    UrlTooLong              "url_too_long"              false 414 0 "The URL is longer than the limit.";
    Overloaded              "overloaded"                true  503 0 "The server has more work queued than it can finish in time; wait as told.";
    Unavailable             "unavailable"               true  503 0 "The store can't be reached; nothing was acknowledged.";
    OutcomeUnknown          "outcome_unknown"           true  503 0 "The commit's outcome could not be learned; repeat with the same id, it is stored at most once.";
    Internal                "internal"                  true  500 4010 "A fault of ours; the request id finds it in our logs.";
    Draining                "draining"                  true  503 4001 "The node is shutting down; reconnect and resume.";
    SlowConsumer            "slow_consumer"             true  503 4008 "The connection does not read fast enough; reconnect and resume.";
    InsufficientState       "insufficient_state"        true  503 4010 "More happened during the attach than can be buffered; reconnect and resume.";
    Silent                  "silent"                    true  408 4002 "Nothing was heard on the connection for too long; reconnect and resume.";
    VersionUnsupported      "version_unsupported"       false 426 4426 "The server speaks none of the offered subprotocols.";
    CsrfFailed              "csrf_failed"               false 403 0 "The form did not come from a page of this console session.";
    SignInFailed            "sign_in_failed"            false 401 0 "The e-mail address and password do not match an account.";
    PlanLimit               "plan_limit"                false 403 0 "The org's plan does not allow more of `feature` than `limit`; change the plan or remove some.";
    LastOwner               "last_owner"                false 409 0 "An org keeps at least one owner; make somebody else an owner first.";
    InvitationExpired       "invitation_expired"        false 410 0 "The invitation is over its seven days; ask for another.";
    InvitationRevoked       "invitation_revoked"        false 410 0 "The invitation was taken back; ask for another.";
    InvitationUsed          "invitation_used"           false 409 0 "The invitation was accepted before; it works once.";
    InvitationForeign       "invitation_foreign"        false 403 0 "The invitation is for another address than the account's.";
    TextFrame               "text_frame"                false 400 4400 "This subprotocol carries binary messages only.";
    Muted                   "muted"                     false 403 0 "The user is muted in this conversation, `until` when; reading goes on.";
    Blocked                 "blocked"                   false 403 0 "The other user does not take messages or invitations from this one.";
    StreamEnded             "stream_ended"              false 409 0 "No stream of this device is open here; open one with `GET /v1/stream`.";
    AddressLimit            "address_limit"             true  429 4009 "Too many connections come from your address; wait as told.";
    StreamOffset            "stream_offset"             false 409 0 "`offset` or `text` is not what is stored: the live message holds as many bytes as the error's `offset`. Go on from there.";
    NotLive                 "not_live"                  false 409 0 "The message does not grow, or no more; it is as its last event says.";
    UploadIncomplete        "upload_incomplete"         false 409 0 "Chunks of the body are missing; ask which with the call that began it, and put them.";
    RangeNotSatisfiable     "range_not_satisfiable"     false 416 0 "The body has no bytes in the range that was asked for.";
    ChecksumMismatch        "checksum_mismatch"         false 422 0 "The chunks are not the body that was announced: its SHA-256 is another. Put them again.";
}

impl Code {
    /// The stable string.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }
}

/// The text of `docs/ERRORS.md`.
#[must_use]
pub fn errors_markdown() -> String {
    let mut out = String::from(
        "# Error codes\n\nGenerated from `protocol/src/code.rs`; a test compares. The strings are the same on REST and on sockets and are never reused.\n\
         *Retry* says whether the same request may succeed later without a change. *Close* is the WebSocket close code where the code ends a connection:\n\
         4000–4099 reconnect and resume, 4100–4199 get a new token and reconnect, 4400–4499 do not reconnect by yourself.\n\n\
         | code | retry | HTTP | close | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let row = code.row();
        let close = if row.close == 0 { "–".to_owned() } else { row.close.to_string() };
        let retry = if row.retryable { "yes" } else { "no" };
        out.push_str(&format!(
            "| <a id=\"{0}\"></a>`{0}` | {retry} | {1} | {close} | {2} |\n",
            row.name, row.status, row.meaning
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_snake_case() {
        let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Code::ALL.len());
    }
}
