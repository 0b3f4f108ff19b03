-- COLLATE "C": text compares by byte, as in SQLite, whatever the locale of the database.
CREATE TABLE plugin_instance (
    id           BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plugin       TEXT    COLLATE "C" NOT NULL,
    name         TEXT    COLLATE "C" NOT NULL UNIQUE,
    display_name TEXT    NOT NULL,
    parameters   TEXT    NOT NULL,
    enabled      BOOLEAN NOT NULL,
    revision     BIGINT  NOT NULL,
    created_ms   BIGINT  NOT NULL,
    updated_ms   BIGINT  NOT NULL
);

CREATE INDEX plugin_instance_by_plugin ON plugin_instance (plugin, name);

-- The time as everything stored here counts it: milliseconds since 1970, UTC.
CREATE VIEW clock AS SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) AS now_ms;
