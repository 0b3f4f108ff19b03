-- One row for each instance that keeps something. Every change of its entries begins by writing to it, so that changes
-- come one after the other; versions of entries and tokens of locks are drawn from it.
CREATE TABLE storage_space (
    instance     TEXT   PRIMARY KEY,
    next_version BIGINT NOT NULL,
    bytes        BIGINT NOT NULL
);

-- tags is JSON. taken_ms: somebody has taken it; it stays until its end.
CREATE TABLE storage_entry (
    instance   TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    value      BLOB   NOT NULL,
    version    BIGINT NOT NULL,
    expires_ms BIGINT,
    taken_ms   BIGINT,
    bytes      BIGINT NOT NULL,
    tags       TEXT   NOT NULL,
    PRIMARY KEY (instance, key)
);

CREATE INDEX storage_entry_by_end ON storage_entry (expires_ms) WHERE expires_ms IS NOT NULL;

-- What `tags` says, to look entries up by.
CREATE TABLE storage_tag (
    instance TEXT NOT NULL,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    key      TEXT NOT NULL,
    PRIMARY KEY (instance, name, value, key),
    FOREIGN KEY (instance, key) REFERENCES storage_entry (instance, key) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE INDEX storage_tag_by_key ON storage_tag (instance, key);

-- Who has the token has the lock, until then.
CREATE TABLE instance_lock (
    instance TEXT   NOT NULL,
    name     TEXT   NOT NULL,
    token    BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (instance, name)
) WITHOUT ROWID;

CREATE INDEX instance_lock_by_end ON instance_lock (until_ms);

-- every_ms NULL: it goes off once. holder: the supervisor that calls, until held_until_ms.
CREATE TABLE schedule (
    instance      TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    every_ms      BIGINT,
    due_ms        BIGINT NOT NULL,
    data          BLOB   NOT NULL,
    failures      BIGINT NOT NULL,
    last_error    TEXT,
    not_before_ms BIGINT NOT NULL,
    holder        TEXT   NOT NULL,
    held_until_ms BIGINT NOT NULL,
    PRIMARY KEY (instance, name)
);

CREATE INDEX schedule_by_time ON schedule (not_before_ms);
