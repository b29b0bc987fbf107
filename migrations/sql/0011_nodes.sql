-- The processes that serve this database, each telling every few seconds that it runs. A node that stops in order takes its row
-- with it; one that was killed leaves a stale one, which a later node removes.
CREATE TABLE node (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    seen_ms BIGINT NOT NULL,
    connections BIGINT NOT NULL,
    rss_bytes BIGINT NOT NULL,
    cpu_ms BIGINT NOT NULL
);
