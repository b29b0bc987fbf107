-- The signing key that took this one's place, as api_key has it.
ALTER TABLE signing_key ADD COLUMN successor UUID;
