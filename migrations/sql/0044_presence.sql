-- When a user was seen last. An open row is of a user who is there: it was there for as long as the process was alive.
CREATE TABLE presence (
    app_id UUID NOT NULL,
    "user" TEXT NOT NULL,
    seen_ms BIGINT NOT NULL,
    version BIGINT NOT NULL,
    is_open BIGINT NOT NULL,
    PRIMARY KEY (app_id, "user"),
    FOREIGN KEY (app_id, "user") REFERENCES app_user (app_id, id)
);
CREATE INDEX presence_open ON presence (app_id) WHERE is_open = 1;

-- Until when the process that serves was alive. One row.
CREATE TABLE presence_clock (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    alive_ms BIGINT NOT NULL
);
INSERT INTO presence_clock (id, alive_ms) VALUES (1, 0);
