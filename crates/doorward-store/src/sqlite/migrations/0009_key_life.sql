-- Keys that follow each other: which number of its algorithm, from when it signs, when it was retired.
ALTER TABLE signing_key ADD COLUMN number INTEGER NOT NULL DEFAULT 1;
ALTER TABLE signing_key ADD COLUMN active_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE signing_key ADD COLUMN retired_at INTEGER;
UPDATE signing_key SET active_at = created_at;
CREATE UNIQUE INDEX signing_key_number ON signing_key (algorithm, number);
