-- Files that come in chunks as bodies do. conversation_id: of a body; none of an attachment. kind: of a body its content kind, of an
-- attachment its type. name: of an attachment.
CREATE TABLE upload_next (
    app_id UUID NOT NULL,
    id UUID NOT NULL,
    "user" TEXT NOT NULL,
    conversation_id TEXT,
    client_msg_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT,
    bytes BIGINT NOT NULL,
    sha256 BYTES NOT NULL,
    chunk_bytes BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    dropped_ms BIGINT,
    PRIMARY KEY (app_id, id),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);
INSERT INTO upload_next (app_id, id, "user", conversation_id, client_msg_id, kind, bytes, sha256, chunk_bytes, state, created_ms, dropped_ms)
SELECT app_id, id, "user", conversation_id, client_msg_id, kind, bytes, sha256, chunk_bytes, state, created_ms, dropped_ms FROM upload;
DROP TABLE upload;
ALTER TABLE upload_next RENAME TO upload;
CREATE UNIQUE INDEX upload_once ON upload (app_id, "user", conversation_id, client_msg_id)
    WHERE state <> 'dropped' AND conversation_id IS NOT NULL;
CREATE UNIQUE INDEX upload_file_once ON upload (app_id, "user", client_msg_id) WHERE state <> 'dropped' AND conversation_id IS NULL;
CREATE INDEX upload_by_state ON upload (state, created_ms);

-- A file that is whole. sent_ms: since when a message carries it; dropped_ms: since when none does any more, and its object is being
-- deleted.
CREATE TABLE attachment (
    app_id UUID NOT NULL,
    id UUID NOT NULL,
    "user" TEXT NOT NULL,
    name TEXT NOT NULL,
    content_type TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 BYTES NOT NULL,
    created_ms BIGINT NOT NULL,
    sent_ms BIGINT,
    dropped_ms BIGINT,
    PRIMARY KEY (app_id, id)
);
CREATE INDEX attachment_unsent_of ON attachment (app_id, "user") WHERE sent_ms IS NULL AND dropped_ms IS NULL;
-- What a sweep asks for, of every app.
CREATE INDEX attachment_unsent ON attachment (created_ms) WHERE sent_ms IS NULL AND dropped_ms IS NULL;
CREATE INDEX attachment_dropped ON attachment (dropped_ms) WHERE dropped_ms IS NOT NULL;

-- Which message carries which file.
CREATE TABLE message_attachment (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    attachment UUID NOT NULL,
    PRIMARY KEY (app_id, conversation_id, seq, attachment),
    FOREIGN KEY (app_id, conversation_id, seq) REFERENCES message (app_id, conversation_id, seq)
);
CREATE INDEX message_attachment_of ON message_attachment (app_id, attachment);
