-- Who may do what in a conversation: settings, mutes, bans, requests to join, block lists and the app's rule for strangers.

-- anyone, shared or server.
ALTER TABLE app ADD COLUMN strangers TEXT NOT NULL DEFAULT 'anyone';

-- join: invite, approval or open. add: admins or members.
ALTER TABLE conversation ADD COLUMN join_rule TEXT NOT NULL DEFAULT 'invite';
ALTER TABLE conversation ADD COLUMN add_rule TEXT NOT NULL DEFAULT 'admins';
-- Counted along with the member rows, so that nobody counts 100,000 of them.
ALTER TABLE conversation ADD COLUMN members BIGINT NOT NULL DEFAULT 0;
UPDATE conversation SET members =
    (SELECT count(*) FROM member m WHERE m.app_id = conversation.app_id AND m.conversation_id = conversation.id);

ALTER TABLE member ADD COLUMN muted_until_ms BIGINT;
-- In a direct conversation nobody stands above the other.
UPDATE member SET role = 'member' WHERE role = 'owner' AND EXISTS
    (SELECT 1 FROM conversation c WHERE c.app_id = member.app_id AND c.id = member.conversation_id AND c.kind = 'direct');
-- The few who moderate, among 100,000.
CREATE INDEX member_moderating ON member (app_id, conversation_id) WHERE role IN ('owner', 'admin');

CREATE TABLE member_ban (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    actor TEXT,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, "user"),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);

-- What stays of a member who left as a guest or muted, so that leaving and joining again wins nothing.
CREATE TABLE member_before (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    role TEXT NOT NULL,
    muted_until_ms BIGINT,
    PRIMARY KEY (app_id, conversation_id, "user"),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);

CREATE TABLE join_request (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, "user"),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);

-- A user's own list of others it takes no direct messages and invitations from.
CREATE TABLE user_block (
    app_id UUID NOT NULL REFERENCES app (id),
    "user" TEXT NOT NULL,
    other TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (app_id, "user", other)
);
