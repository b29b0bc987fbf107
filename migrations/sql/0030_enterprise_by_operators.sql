-- Enterprise is agreed upon and paid for before it is given: operators put an org on it, and no org chooses it itself.
UPDATE plan SET is_public = FALSE WHERE code = 'enterprise';
