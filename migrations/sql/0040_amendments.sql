-- Edits, deletions, reactions and pins: events of the log that speak of a message by its seq.
-- type: 1 message, 2 member, 3 edited, 4 deleted, 5 reaction, 6 pinned. target: the message a reply or an amendment speaks
-- of. about: what a message says beside its content, a JSON object.
ALTER TABLE message ADD COLUMN target BIGINT;
ALTER TABLE message ADD COLUMN about TEXT;
CREATE INDEX message_by_target ON message (app_id, conversation_id, target, seq) WHERE target IS NOT NULL;

-- What became of a message since; no row = nothing.
CREATE TABLE message_state (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    edited_seq BIGINT,
    edited_ms BIGINT,
    kind TEXT,
    body TEXT,
    deleted_seq BIGINT,
    deleted_ms BIGINT,
    pinned_seq BIGINT,
    replies BIGINT NOT NULL,
    reactions TEXT,
    PRIMARY KEY (app_id, conversation_id, seq),
    FOREIGN KEY (app_id, conversation_id, seq) REFERENCES message (app_id, conversation_id, seq)
);
CREATE INDEX message_state_pinned ON message_state (app_id, conversation_id, pinned_seq) WHERE pinned_seq IS NOT NULL;

-- Who reacted how; seq: the event that added it.
CREATE TABLE reaction (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    target BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, "user", target, emoji),
    FOREIGN KEY (app_id, conversation_id, target) REFERENCES message (app_id, conversation_id, seq)
);
CREATE INDEX reaction_by_target ON reaction (app_id, conversation_id, target, seq);
