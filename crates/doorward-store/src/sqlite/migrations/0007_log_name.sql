-- Which log this is. Whoever follows it knows by this that the numbers they know are of another one.
CREATE TABLE revocation_log (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name BLOB NOT NULL CHECK (length(name) = 16)
) STRICT;
INSERT INTO revocation_log (one, name) VALUES (1, randomblob(16));
