-- Text compares by byte, which is SQLite's default.
CREATE TABLE plugin_instance (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin       TEXT    NOT NULL,
    name         TEXT    NOT NULL UNIQUE,
    display_name TEXT    NOT NULL,
    parameters   TEXT    NOT NULL,
    enabled      BOOLEAN NOT NULL,
    revision     BIGINT  NOT NULL,
    created_ms   BIGINT  NOT NULL,
    updated_ms   BIGINT  NOT NULL
);

CREATE INDEX plugin_instance_by_plugin ON plugin_instance (plugin, name);

-- The time as everything stored here counts it: milliseconds since 1970, UTC.
CREATE VIEW clock AS SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS now_ms;
