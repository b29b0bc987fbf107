-- What devices have received. A row of usage_receive is a range of one device's log: what passed its cursor (received), or what
-- it never was sent (passed, 0 units). Per device the ranges tile 1..seq of its cursor, and cum_from..cum_to tile 0..units_cum.
CREATE TABLE device_cursor (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    device TEXT NOT NULL,
    seq BIGINT NOT NULL,
    units_cum BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, "user", device),
    FOREIGN KEY (app_id, conversation_id) REFERENCES conversation (app_id, id)
);

-- The key is where a range begins: two nodes that move one cursor from the same place meet here.
CREATE TABLE usage_receive (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    "user" TEXT NOT NULL,
    device TEXT NOT NULL,
    seq_from BIGINT NOT NULL,
    seq_to BIGINT NOT NULL,
    cum_from BIGINT NOT NULL,
    cum_to BIGINT NOT NULL,
    own BIGINT NOT NULL,
    units BIGINT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT,
    rule_version BIGINT NOT NULL,
    event_ms BIGINT NOT NULL,
    roll BIGINT,
    PRIMARY KEY (app_id, conversation_id, "user", device, seq_from)
);
CREATE INDEX usage_receive_unrolled ON usage_receive (app_id, event_ms) WHERE roll IS NULL;
