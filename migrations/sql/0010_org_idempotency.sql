-- Remembered answers of the provisioning API, as `idempotency` is of an app's; the nil org is the service's own space.
CREATE TABLE org_idempotency (
    org_id UUID NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTES NOT NULL,
    status BIGINT,
    sealed_body BYTES,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (org_id, key)
);
CREATE INDEX org_idempotency_by_age ON org_idempotency (created_ms);
