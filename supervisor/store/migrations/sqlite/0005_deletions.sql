-- One row. Every deletion of a user begins by writing to it, so that deletions come one after the other. forgotten: up to
-- which of them nobody can be told any more.
CREATE TABLE deletion_log (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    seq       BIGINT  NOT NULL,
    forgotten BIGINT  NOT NULL
);

INSERT INTO deletion_log (id, seq, forgotten) VALUES (1, 0, 0);

-- Users who were deleted while an instance was away, for when it comes back.
CREATE TABLE deletion (
    seq        INTEGER PRIMARY KEY,
    account    TEXT    NOT NULL,
    username   TEXT    NOT NULL,
    deleted_ms BIGINT  NOT NULL
);

-- Whoever may know of users, and up to which deletion it has been told or has a revocation.
CREATE TABLE deletion_heard (
    instance TEXT   PRIMARY KEY,
    seq      BIGINT NOT NULL
);

INSERT INTO deletion_heard (instance, seq)
SELECT name, 0 FROM plugin_instance
UNION SELECT instance, 0 FROM storage_space
UNION SELECT instance, 0 FROM revocation;
