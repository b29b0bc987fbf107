-- The incarnation of all logs: new conversations begin in it, and a restore raises it. One row.
CREATE TABLE log_epoch (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch BIGINT NOT NULL
);
INSERT INTO log_epoch (id, epoch) VALUES (1, 1);
