-- How many connections a user of the app may have at a time: any, one of each platform, or one.
ALTER TABLE app ADD COLUMN logins TEXT NOT NULL DEFAULT 'devices';
