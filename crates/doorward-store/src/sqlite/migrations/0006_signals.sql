-- The device that a request came from, in a person's words, where it is not the session's own.
ALTER TABLE event ADD COLUMN device TEXT;
