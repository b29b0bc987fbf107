-- What the service's operators tell every org, in both languages. It belongs to no org: every account may read it, operators
-- write it, and the service's own audit chain holds every version.
CREATE TABLE announcement (
    id UUID NOT NULL PRIMARY KEY,
    severity TEXT NOT NULL,
    title_en TEXT NOT NULL,
    title_zh TEXT NOT NULL,
    text_en TEXT NOT NULL,
    text_zh TEXT NOT NULL,
    starts_ms BIGINT NOT NULL,
    ends_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX announcement_by_end ON announcement (ends_ms);

-- Who has put away which one.
CREATE TABLE announcement_dismissal (
    account_id UUID NOT NULL REFERENCES account (id),
    announcement_id UUID NOT NULL REFERENCES announcement (id),
    PRIMARY KEY (account_id, announcement_id)
);
