-- What a request came from, in a person's words. Events from before have none.
ALTER TABLE event ADD COLUMN device TEXT;
