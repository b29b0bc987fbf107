-- The first slice: orgs, accounts, apps, keys, users, conversations, members, the message log and its usage rows.
-- Every primary, unique and foreign key of an org's table starts with the org or app id; look-ups that precede the org
-- (account by email, console session, key by hash) are the only exceptions, and the schema test lists them by name.
-- Times are milliseconds since 1970, UTC.

CREATE TABLE org (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    plan TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE account (
    id BLOB NOT NULL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    is_operator INTEGER NOT NULL,
    language TEXT,
    created_ms INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE org_member (
    org_id BLOB NOT NULL REFERENCES org (id),
    account_id BLOB NOT NULL REFERENCES account (id),
    role TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (org_id, account_id)
) WITHOUT ROWID, STRICT;
CREATE INDEX org_member_by_account ON org_member (account_id);

CREATE TABLE console_session (
    hash BLOB NOT NULL PRIMARY KEY,
    account_id BLOB NOT NULL REFERENCES account (id),
    org_id BLOB NOT NULL REFERENCES org (id),
    csrf BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX console_session_by_end ON console_session (expires_ms);

CREATE TABLE app (
    org_id BLOB NOT NULL REFERENCES org (id),
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    mode TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (org_id, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE api_key (
    app_id BLOB NOT NULL REFERENCES app (id),
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    PRIMARY KEY (app_id, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE signing_key (
    app_id BLOB NOT NULL REFERENCES app (id),
    id BLOB NOT NULL UNIQUE,
    algorithm TEXT NOT NULL,
    sealed_secret BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    PRIMARY KEY (app_id, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE app_user (
    app_id BLOB NOT NULL REFERENCES app (id),
    id TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (app_id, id)
) WITHOUT ROWID, STRICT;

-- The head row of a conversation's log: it hands out seqs and keeps the running totals.
CREATE TABLE conversation (
    app_id BLOB NOT NULL REFERENCES app (id),
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    creator TEXT,
    pair TEXT,
    epoch INTEGER NOT NULL,
    epoch_first INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    last_msg_no INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    units_cum INTEGER NOT NULL,
    member_version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (app_id, id),
    UNIQUE (app_id, pair)
) WITHOUT ROWID, STRICT;

CREATE TABLE member (
    app_id BLOB NOT NULL,
    conversation_id TEXT NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    joined_seq INTEGER NOT NULL,
    read_seq INTEGER NOT NULL,
    received_seq INTEGER NOT NULL,
    PRIMARY KEY (app_id, conversation_id, user),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX member_by_user ON member (app_id, user, conversation_id);

-- The message log, clustered by conversation and seq. type: 1 message, 2 member.
CREATE TABLE message (
    app_id BLOB NOT NULL,
    conversation_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    type INTEGER NOT NULL,
    msg_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    sender TEXT,
    client_msg_id TEXT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    units INTEGER NOT NULL,
    units_cum INTEGER NOT NULL,
    PRIMARY KEY (app_id, conversation_id, seq)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX message_once ON message (app_id, conversation_id, sender, client_msg_id);

-- Usage of the log: one row per run of one credential in one conversation, written by the append. The ranges
-- seq_from..seq_to tile 1..last_seq of every conversation; events that cost nothing have 0 units.
CREATE TABLE usage_append (
    app_id BLOB NOT NULL,
    conversation_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq_to INTEGER NOT NULL,
    seq_from INTEGER NOT NULL,
    units INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    key_id BLOB,
    label TEXT,
    rule_version INTEGER NOT NULL,
    event_ms INTEGER NOT NULL,
    roll INTEGER,
    PRIMARY KEY (app_id, conversation_id, epoch, seq_to)
) WITHOUT ROWID, STRICT;
CREATE INDEX usage_append_unrolled ON usage_append (app_id, event_ms) WHERE roll IS NULL;

CREATE TABLE usage_clock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    last INTEGER NOT NULL
) STRICT;
INSERT INTO usage_clock VALUES (1, 0);

CREATE TABLE usage_bucket (
    app_id BLOB NOT NULL,
    meter TEXT NOT NULL,
    hour_ms INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (app_id, meter, hour_ms)
) WITHOUT ROWID, STRICT;

-- Answers of POST requests that carried an Idempotency-Key; sealed, because some hold a token.
CREATE TABLE idempotency (
    app_id BLOB NOT NULL REFERENCES app (id),
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status INTEGER,
    sealed_body BLOB,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (app_id, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX idempotency_by_age ON idempotency (created_ms);
