-- What a process counted of an app in a minute and has no durable cause: connections open at its first second, connections
-- started in it, calls, messages said live. A boot is one start of the process.
CREATE TABLE node_minute (
    app_id UUID NOT NULL,
    minute_ms BIGINT NOT NULL,
    boot UUID NOT NULL,
    connections_open BIGINT NOT NULL,
    connections_started BIGINT NOT NULL,
    api_calls BIGINT NOT NULL,
    ephemeral BIGINT NOT NULL,
    rule_version BIGINT NOT NULL,
    roll BIGINT,
    PRIMARY KEY (app_id, minute_ms, boot)
);
CREATE INDEX node_minute_unrolled ON node_minute (app_id, minute_ms) WHERE roll IS NULL;

-- That a minute of a boot is told whole: with how many rows, on which machine, and whether the boot ended in it in order.
CREATE TABLE node_heartbeat (
    boot UUID NOT NULL,
    minute_ms BIGINT NOT NULL,
    node TEXT NOT NULL,
    rows_told BIGINT NOT NULL,
    is_last BOOLEAN NOT NULL,
    PRIMARY KEY (boot, minute_ms)
);
