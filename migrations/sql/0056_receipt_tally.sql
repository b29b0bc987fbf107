-- How many members' seqs stand in each range, of conversations above 256 members: receipts without a pass over the members.
ALTER TABLE conversation ADD COLUMN is_tallied BOOLEAN NOT NULL DEFAULT FALSE;
-- Whether this row is counted in its conversation's tally.
ALTER TABLE member ADD COLUMN is_tallied BOOLEAN NOT NULL DEFAULT FALSE;

-- kind: joined, read or received. A bucket of level n is the seq divided by 64, n times; no row has 0 members.
CREATE TABLE receipt_tally (
    app_id UUID NOT NULL,
    conversation_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    level BIGINT NOT NULL,
    bucket BIGINT NOT NULL,
    members BIGINT NOT NULL,
    PRIMARY KEY (app_id, conversation_id, kind, level, bucket)
);

UPDATE conversation SET is_tallied = TRUE WHERE members > 256;
UPDATE member SET is_tallied = TRUE WHERE EXISTS
    (SELECT 1 FROM conversation c WHERE c.app_id = member.app_id AND c.id = member.conversation_id AND c.is_tallied);
INSERT INTO receipt_tally (app_id, conversation_id, kind, level, bucket, members)
    SELECT app_id, conversation_id, kind, level, seq >> bits, count(*) FROM (
        SELECT app_id, conversation_id, 'joined' AS kind, joined_seq AS seq FROM member WHERE is_tallied
        UNION ALL SELECT app_id, conversation_id, 'read', read_seq FROM member WHERE is_tallied
        UNION ALL SELECT app_id, conversation_id, 'received', received_seq FROM member WHERE is_tallied) AS marks
    CROSS JOIN (SELECT 0 AS level, 0 AS bits UNION ALL SELECT 1, 6 UNION ALL SELECT 2, 12 UNION ALL SELECT 3, 18
        UNION ALL SELECT 4, 24) AS levels
    GROUP BY app_id, conversation_id, kind, level, seq >> bits;
