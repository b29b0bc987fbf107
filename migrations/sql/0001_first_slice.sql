-- The first slice: orgs, accounts, apps, keys, users, conversations, members, the message log and its usage rows.
-- Every primary, unique and foreign key of an org's table starts with the org or app id; look-ups that precede the org
-- (account by email, console session, key by hash) are the only exceptions, and the schema test lists them by name.
-- Times are milliseconds since 1970, UTC. The words for types are those of src/dialect.rs.

CREATE TABLE org (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE account (
    id UUID NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    is_operator BOOLEAN NOT NULL,
    language TEXT,
    created_ms BIGINT NOT NULL
);

CREATE TABLE org_member (
    org_id UUID NOT NULL REFERENCES org (id),
    account_id UUID NOT NULL REFERENCES account (id),
    role TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (org_id, account_id)
);
CREATE INDEX org_member_by_account ON org_member (account_id);

CREATE TABLE console_session (
    hash BYTES NOT NULL PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES account (id),
    org_id UUID NOT NULL REFERENCES org (id),
    csrf BYTES NOT NULL,
    created_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX console_session_by_end ON console_session (expires_ms);

CREATE TABLE app (
    org_id UUID NOT NULL REFERENCES org (id),
    id UUID NOT NULL UNIQUE,
    name TEXT NOT NULL,
    mode TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (org_id, id)
);

CREATE TABLE api_key (
    app_id UUID NOT NULL REFERENCES app (id),
    id UUID NOT NULL,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    hash BYTES NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    PRIMARY KEY (app_id, id)
);

CREATE TABLE signing_key (
    app_id UUID NOT NULL REFERENCES app (id),
    id UUID NOT NULL UNIQUE,
    algorithm TEXT NOT NULL,
    sealed_secret BYTES NOT NULL,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    PRIMARY KEY (app_id, id)
);

CREATE TABLE app_user (
    app_id UUID NOT NULL REFERENCES app (id),
    id TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, id)
);

-- The head row of a conversation's log: it hands out seqs and keeps the running totals.
CREATE TABLE conversation (
    app_id UUID NOT NULL REFERENCES app (id),
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    creator TEXT,
    pair TEXT,
    epoch BIGINT NOT NULL,
    epoch_first BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    last_msg_no BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    units_cum BIGINT NOT NULL,
    member_version BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, id),
    UNIQUE (app_id, pair)
);

CREATE TABLE member (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    role TEXT NOT NULL,
    joined_seq BIGINT NOT NULL,
    read_seq BIGINT NOT NULL,
    received_seq BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, "user"),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);
CREATE INDEX member_by_user ON member (app_id, "user", conversation_id);

-- The message log, clustered by conversation and seq. type: 1 message, 2 member.
CREATE TABLE message (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    type BIGINT NOT NULL,
    msg_no BIGINT NOT NULL,
    id UUID NOT NULL,
    sender TEXT,
    client_msg_id TEXT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    units BIGINT NOT NULL,
    units_cum BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, seq)
);
CREATE UNIQUE INDEX message_once ON message (app_id, conversation_id, sender, client_msg_id);

-- Usage of the log: one row per run of one credential in one conversation, written by the append. The ranges
-- seq_from..seq_to tile 1..last_seq of every conversation; events that cost nothing have 0 units.
CREATE TABLE usage_append (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    seq_from BIGINT NOT NULL,
    units BIGINT NOT NULL,
    messages BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    key_id UUID,
    label TEXT,
    rule_version BIGINT NOT NULL,
    event_ms BIGINT NOT NULL,
    roll BIGINT,
    PRIMARY KEY (app_id, conversation_id, epoch, seq_to)
);
CREATE INDEX usage_append_unrolled ON usage_append (app_id, event_ms) WHERE roll IS NULL;

CREATE TABLE usage_clock (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);
INSERT INTO usage_clock VALUES (1, 0);

CREATE TABLE usage_bucket (
    app_id UUID NOT NULL,
    meter TEXT NOT NULL,
    hour_ms BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    PRIMARY KEY (app_id, meter, hour_ms)
);

-- Answers of POST requests that carried an Idempotency-Key; sealed, because some hold a token.
CREATE TABLE idempotency (
    app_id UUID NOT NULL REFERENCES app (id),
    key TEXT NOT NULL,
    request_hash BYTES NOT NULL,
    status BIGINT,
    sealed_body BYTES,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_ms);
