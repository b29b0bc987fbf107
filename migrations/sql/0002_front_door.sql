-- The front door: verified accounts, sessions, links sent by mail, invitations, keys with scopes and ends, plans as
-- data, the audit log, and the clock by which nodes learn what changed.

ALTER TABLE account ADD COLUMN verified_ms BIGINT;
ALTER TABLE account ADD COLUMN theme TEXT;
ALTER TABLE account ADD COLUMN sealed_totp BYTES;
ALTER TABLE account ADD COLUMN totp_confirmed_ms BIGINT;
ALTER TABLE account ADD COLUMN totp_step BIGINT;
-- Accounts made before were made at the machine the data is on.
UPDATE account SET verified_ms = created_ms;

-- Ten per account, 80 bits each; a code works once.
CREATE TABLE recovery_code (
    account_id UUID NOT NULL REFERENCES account (id),
    hash BYTES NOT NULL,
    used_ms BIGINT,
    PRIMARY KEY (account_id, hash)
);

-- Links sent by mail, by the SHA-256 of their token. purpose: verify, reset. A link works once.
CREATE TABLE mail_link (
    hash BYTES NOT NULL PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES account (id),
    purpose TEXT NOT NULL,
    email TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT
);
CREATE INDEX mail_link_by_account ON mail_link (account_id, created_ms);
CREATE INDEX mail_link_by_end ON mail_link (expires_ms);

-- Sessions are made anew: an account may be in no org, and people see where they are signed in.
DROP TABLE console_session;
CREATE TABLE console_session (
    hash BYTES NOT NULL PRIMARY KEY,
    id UUID NOT NULL UNIQUE,
    account_id UUID NOT NULL REFERENCES account (id),
    org_id UUID REFERENCES org (id),
    is_operator BOOLEAN NOT NULL,
    csrf BYTES NOT NULL,
    address TEXT,
    agent TEXT,
    created_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    proved_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX console_session_by_end ON console_session (expires_ms);
CREATE INDEX console_session_by_account ON console_session (account_id, created_ms);

-- Forms that were sent: a nonce works once per session, so a double submit changes nothing twice.
CREATE TABLE form_nonce (
    session_hash BYTES NOT NULL,
    nonce BYTES NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (session_hash, nonce)
);
CREATE INDEX form_nonce_by_age ON form_nonce (created_ms);

ALTER TABLE org ADD COLUMN suspended_ms BIGINT;
ALTER TABLE org ADD COLUMN suspended_reason TEXT;
ALTER TABLE org ADD COLUMN requires_totp BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE app ADD COLUMN suspended_ms BIGINT;
ALTER TABLE app ADD COLUMN deleted_ms BIGINT;

CREATE TABLE invitation (
    org_id UUID NOT NULL REFERENCES org (id),
    id UUID NOT NULL,
    email TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BYTES NOT NULL UNIQUE,
    invited_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    accepted_ms BIGINT,
    revoked_ms BIGINT,
    PRIMARY KEY (org_id, id)
);

-- scopes: words apart by a space; * = all. created_by: an actor as the audit log writes it.
ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT '*';
ALTER TABLE api_key ADD COLUMN created_by TEXT;
ALTER TABLE api_key ADD COLUMN expires_ms BIGINT;
ALTER TABLE api_key ADD COLUMN successor UUID;
ALTER TABLE api_key ADD COLUMN last_used_ms BIGINT;
ALTER TABLE api_key ADD COLUMN last_used_from TEXT;

-- HS256 keys have a sealed secret, EdDSA and ES256 keys their public half.
ALTER TABLE signing_key RENAME TO signing_key_before;
CREATE TABLE signing_key (
    app_id UUID NOT NULL REFERENCES app (id),
    id UUID NOT NULL UNIQUE,
    name TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    sealed_secret BYTES,
    public_key TEXT,
    created_by TEXT,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT,
    PRIMARY KEY (app_id, id)
);
INSERT INTO signing_key (app_id, id, name, algorithm, sealed_secret, created_ms, revoked_ms)
    SELECT app_id, id, 'first secret', algorithm, sealed_secret, created_ms, revoked_ms FROM signing_key_before;
DROP TABLE signing_key_before;

-- Keys of the provisioning API: of an org, in a role; and of the whole service, for its operators.
CREATE TABLE management_key (
    org_id UUID NOT NULL REFERENCES org (id),
    id UUID NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hint TEXT NOT NULL,
    hash BYTES NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT,
    last_used_ms BIGINT,
    last_used_from TEXT,
    PRIMARY KEY (org_id, id)
);
CREATE TABLE operator_key (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    hash BYTES NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT,
    last_used_ms BIGINT
);

-- Pages that may connect with an app's user tokens; an app without rows takes any.
CREATE TABLE app_origin (
    app_id UUID NOT NULL REFERENCES app (id),
    origin TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, origin)
);

-- Plans are data. A version never changes once published; an org keeps the version it subscribed to.
CREATE TABLE plan (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    place BIGINT NOT NULL,
    is_public BOOLEAN NOT NULL
);
CREATE TABLE plan_version (
    plan TEXT NOT NULL REFERENCES plan (code),
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (plan, version)
);
-- value NULL = without limit. mode: hard = refused at the limit, soft = counted on.
CREATE TABLE entitlement (
    plan TEXT NOT NULL,
    version BIGINT NOT NULL,
    feature TEXT NOT NULL,
    value BIGINT,
    mode TEXT NOT NULL,
    PRIMARY KEY (plan, version, feature),
    FOREIGN KEY (plan, version) REFERENCES plan_version (plan, version)
);
CREATE TABLE subscription (
    org_id UUID NOT NULL REFERENCES org (id),
    from_ms BIGINT NOT NULL,
    plan TEXT NOT NULL,
    version BIGINT NOT NULL,
    until_ms BIGINT,
    PRIMARY KEY (org_id, from_ms),
    FOREIGN KEY (plan, version) REFERENCES plan_version (plan, version)
);
INSERT INTO plan (code, name, place, is_public) VALUES
    ('basic', 'Basic', 1, TRUE), ('pro', 'Pro', 2, TRUE), ('enterprise', 'Enterprise', 3, TRUE),
    ('operator', 'Operator', 9, FALSE);
INSERT INTO plan_version (plan, version, state, created_ms) VALUES
    ('basic', 1, 'published', 0), ('pro', 1, 'published', 0), ('enterprise', 1, 'published', 0),
    ('operator', 1, 'published', 0);
INSERT INTO entitlement (plan, version, feature, value, mode) VALUES
    ('basic', 1, 'connections', 100, 'hard'), ('basic', 1, 'message_rate', 50, 'hard'),
    ('basic', 1, 'msg_sent', 100000, 'hard'), ('basic', 1, 'apps', 5, 'hard'), ('basic', 1, 'members', 3, 'hard'),
    ('pro', 1, 'connections', 5000, 'hard'), ('pro', 1, 'message_rate', 500, 'hard'),
    ('pro', 1, 'msg_sent', 5000000, 'soft'), ('pro', 1, 'apps', 50, 'hard'), ('pro', 1, 'members', 50, 'hard'),
    ('enterprise', 1, 'connections', 100000, 'hard'), ('enterprise', 1, 'message_rate', 10000, 'hard'),
    ('enterprise', 1, 'msg_sent', 100000000, 'soft'), ('enterprise', 1, 'apps', 500, 'hard'),
    ('enterprise', 1, 'members', 1000, 'hard'),
    ('operator', 1, 'connections', NULL, 'soft'), ('operator', 1, 'message_rate', NULL, 'soft'),
    ('operator', 1, 'msg_sent', NULL, 'soft'), ('operator', 1, 'apps', NULL, 'soft'),
    ('operator', 1, 'members', NULL, 'soft');
-- Orgs made before were made by the service's operator, without quotas.
INSERT INTO subscription (org_id, from_ms, plan, version) SELECT id, created_ms, 'operator', 1 FROM org;
ALTER TABLE org DROP COLUMN plan;

-- Who changed what, chained by hash, one chain per org; the nil org is the service's own chain.
CREATE TABLE audit_head (
    org_id UUID NOT NULL PRIMARY KEY,
    last_seq BIGINT NOT NULL,
    hash BYTES NOT NULL
);
CREATE TABLE audit_event (
    org_id UUID NOT NULL,
    seq BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    address TEXT,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    before TEXT,
    after TEXT,
    reason TEXT,
    prev_hash BYTES NOT NULL,
    hash BYTES NOT NULL,
    PRIMARY KEY (org_id, seq)
);

-- What every node must learn soon: keys, plans, origins, suspensions. Numbers come from the locked clock row, so a
-- reader that has seen n misses nothing below it.
CREATE TABLE change_clock (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);
INSERT INTO change_clock VALUES (1, 0);
CREATE TABLE change (
    number BIGINT NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES org (id),
    at_ms BIGINT NOT NULL
);
