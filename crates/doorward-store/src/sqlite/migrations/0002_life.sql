-- A retired secret still reads for a few seconds, with what its session was worth before the new proof.
-- One that was retired before this step reads nothing.
ALTER TABLE retired_key ADD COLUMN reads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE retired_key ADD COLUMN proved_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE retired_key ADD COLUMN acr INTEGER NOT NULL DEFAULT 1;
