-- The job queue: what leaves the system after the transaction that caused it. Work that spans orgs: a runner takes whatever
-- is due, so no key of this table leads with the org.

-- A job waits until run_at_ms. Claiming it moves run_at_ms to the end of the claim, so a job whose worker died is due
-- again by itself; attempts tells one claim from the next. A job ends by being done or dead, and is forgotten later.
CREATE TABLE job (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID,
    kind TEXT NOT NULL,
    dedup_key TEXT NOT NULL UNIQUE,
    sealed_payload BYTES NOT NULL,
    run_at_ms BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    last_error TEXT,
    created_ms BIGINT NOT NULL,
    done_ms BIGINT,
    dead_ms BIGINT
);
CREATE INDEX job_due ON job (run_at_ms) WHERE done_ms IS NULL AND dead_ms IS NULL;
CREATE INDEX job_done ON job (done_ms) WHERE done_ms IS NOT NULL;
CREATE INDEX job_dead ON job (dead_ms) WHERE dead_ms IS NOT NULL;
