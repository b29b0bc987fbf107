-- Bodies that come in chunks. state: open = chunks come; committed = it is a message, its chunks are still there; cleared = they are
-- not; dropped = given up, its objects are being deleted. The object of a body has the id of its upload.
CREATE TABLE upload (
    app_id UUID NOT NULL,
    id UUID NOT NULL,
    "user" TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    client_msg_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    sha256 BYTES NOT NULL,
    chunk_bytes BIGINT NOT NULL,
    state TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    dropped_ms BIGINT,
    PRIMARY KEY (app_id, id),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);
CREATE UNIQUE INDEX upload_once ON upload (app_id, "user", conversation_id, client_msg_id) WHERE state <> 'dropped';
-- What a sweep asks for, of every app.
CREATE INDEX upload_by_state ON upload (state, created_ms);

-- dropped_ms: since when its message has other content or none; its object is being deleted.
CREATE TABLE large_body (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    object UUID NOT NULL,
    bytes BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    dropped_ms BIGINT,
    PRIMARY KEY (app_id, conversation_id, seq),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);
CREATE INDEX large_body_dropped ON large_body (dropped_ms) WHERE dropped_ms IS NOT NULL;
CREATE UNIQUE INDEX large_body_object ON large_body (app_id, object);

INSERT INTO entitlement (plan, version, feature, value, mode)
SELECT plan, version, 'large_body_bytes', CASE WHEN plan = 'operator' THEN NULL ELSE 16777216 END,
    CASE WHEN plan = 'operator' THEN 'soft' ELSE 'hard' END FROM plan_version;
