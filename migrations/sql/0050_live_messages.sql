-- Live messages: begun as a message that counts nothing, grown by pieces, ended by an event that holds the whole text.
-- type: 10 ended, of the message `target`.
ALTER TABLE message_state ADD COLUMN ended_seq BIGINT;
ALTER TABLE message_state ADD COLUMN ended_ms BIGINT;

-- One row for each that has not ended: size: bytes of its text in UTF-8; body_bytes: of its body as JSON; key_id and label: what
-- it was begun under.
CREATE TABLE live_message (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    size BIGINT NOT NULL,
    body_bytes BIGINT NOT NULL,
    pieces BIGINT NOT NULL,
    grown_ms BIGINT NOT NULL,
    key_id UUID NOT NULL,
    label TEXT,
    PRIMARY KEY (app_id, conversation_id, seq),
    FOREIGN KEY (app_id, conversation_id, seq) REFERENCES message (app_id, conversation_id, seq)
);
CREATE INDEX live_message_idle ON live_message (grown_ms);

-- Its text; text: as it stands between the quotes of a JSON string. from_byte..to_byte tile 0..size.
CREATE TABLE live_piece (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    from_byte BIGINT NOT NULL,
    to_byte BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, seq, from_byte),
    FOREIGN KEY (app_id, conversation_id, seq) REFERENCES message (app_id, conversation_id, seq)
);
