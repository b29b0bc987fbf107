-- Whether a valid token makes a user of somebody the app does not know, or is refused.
ALTER TABLE app ADD COLUMN unknown_users TEXT NOT NULL DEFAULT 'create';
