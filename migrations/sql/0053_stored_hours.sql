-- Bytes of large bodies that an app kept at a full hour; the key makes it one sample, whoever takes it.
CREATE TABLE stored_hour (
    app_id UUID NOT NULL,
    hour_ms BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    rule_version BIGINT NOT NULL,
    roll BIGINT,
    PRIMARY KEY (app_id, hour_ms)
);
CREATE INDEX stored_hour_unrolled ON stored_hour (app_id, hour_ms) WHERE roll IS NULL;
