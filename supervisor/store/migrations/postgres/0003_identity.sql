-- applied: the parameters that the running instance has, where `parameters` are newer and wait for a reset.
ALTER TABLE plugin_instance ADD COLUMN kind TEXT COLLATE "C" NOT NULL DEFAULT 'plugin';
ALTER TABLE plugin_instance ADD COLUMN rank BIGINT NOT NULL DEFAULT 0;
ALTER TABLE plugin_instance ADD COLUMN readonly BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE plugin_instance ADD COLUMN applied TEXT;

-- By name, not by row: the instance may be one of outboard.toml.
CREATE TABLE scheme_setting (
    instance                     TEXT COLLATE "C" PRIMARY KEY,
    expiration_s                 BIGINT  NOT NULL,
    max_use                      BIGINT  NOT NULL,
    allow_user_register          BOOLEAN NOT NULL,
    forbid_user_profile          BOOLEAN NOT NULL,
    forbid_user_reset_credential BOOLEAN NOT NULL
);

-- Whoever has ever signed in, or is kept here. An id is never used again; a deleted account keeps its name until every
-- instance has been told.
CREATE TABLE account (
    id         TEXT COLLATE "C" PRIMARY KEY,
    source     TEXT COLLATE "C" NOT NULL,
    name_key   TEXT COLLATE "C" NOT NULL,
    username   TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT,
    UNIQUE (source, name_key)
);

CREATE INDEX account_deleted ON account (deleted_ms) WHERE deleted_ms IS NOT NULL;

-- Of the accounts whose source is this database. scopes and properties are JSON.
CREATE TABLE user_detail (
    account       TEXT COLLATE "C" PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    name          TEXT COLLATE "C",
    email         TEXT COLLATE "C",
    enabled       BOOLEAN NOT NULL,
    scopes        TEXT    NOT NULL,
    properties    TEXT    NOT NULL,
    last_login_ms BIGINT,
    revision      BIGINT  NOT NULL,
    updated_ms    BIGINT  NOT NULL
);

CREATE TABLE user_password (
    account  TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    hash     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (account, position)
);

CREATE TABLE client (
    id           TEXT COLLATE "C" PRIMARY KEY,
    name         TEXT COLLATE "C",
    description  TEXT,
    enabled      BOOLEAN NOT NULL,
    confidential BOOLEAN NOT NULL,
    scopes       TEXT    NOT NULL,
    properties   TEXT    NOT NULL,
    revision     BIGINT  NOT NULL,
    created_ms   BIGINT  NOT NULL,
    updated_ms   BIGINT  NOT NULL
);

CREATE TABLE client_password (
    client   TEXT COLLATE "C" NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    hash     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (client, position)
);

-- scope_groups is JSON: a scope is always read and written whole.
CREATE TABLE scope (
    name               TEXT COLLATE "C" PRIMARY KEY,
    display_name       TEXT    NOT NULL,
    description        TEXT    NOT NULL,
    password_required  BOOLEAN NOT NULL,
    password_max_age_s BIGINT  NOT NULL,
    scope_groups       TEXT    NOT NULL
);

-- hash: of the cookie, which is kept nowhere.
CREATE TABLE session (
    hash         TEXT COLLATE "C" PRIMARY KEY,
    created_ms   BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    expires_ms   BIGINT NOT NULL,
    user_agent   TEXT   NOT NULL,
    issued_for   TEXT   NOT NULL
);

CREATE INDEX session_by_end ON session (expires_ms);

CREATE TABLE session_account (
    session       TEXT COLLATE "C" NOT NULL REFERENCES session (hash) ON UPDATE CASCADE ON DELETE CASCADE,
    account       TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    is_current    BOOLEAN NOT NULL,
    last_login_ms BIGINT  NOT NULL,
    PRIMARY KEY (session, account)
);

CREATE INDEX session_account_by_account ON session_account (account);

-- scheme: the instance, or '' for the password. expires_ms NULL: as long as the session.
CREATE TABLE authentication (
    session       TEXT COLLATE "C" NOT NULL,
    account       TEXT COLLATE "C" NOT NULL,
    scheme        TEXT COLLATE "C" NOT NULL,
    last_login_ms BIGINT  NOT NULL,
    expires_ms    BIGINT,
    uses          BIGINT  NOT NULL,
    enabled       BOOLEAN NOT NULL,
    PRIMARY KEY (session, account, scheme),
    FOREIGN KEY (session, account) REFERENCES session_account (session, account)
        ON UPDATE CASCADE ON DELETE CASCADE
);

-- client_id: of whatever source.
CREATE TABLE consent (
    client_id  TEXT COLLATE "C" NOT NULL,
    account    TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    scope      TEXT COLLATE "C" NOT NULL,
    granted_ms BIGINT NOT NULL,
    PRIMARY KEY (account, client_id, scope)
);

CREATE INDEX consent_by_client ON consent (client_id);

-- hash: of the key, which is shown once. scopes is JSON.
CREATE TABLE api_key (
    hash       TEXT COLLATE "C" PRIMARY KEY,
    label      TEXT    NOT NULL,
    scopes     TEXT    NOT NULL,
    created_ms BIGINT  NOT NULL,
    issued_by  TEXT COLLATE "C" NOT NULL,
    issued_for TEXT    NOT NULL,
    user_agent TEXT    NOT NULL,
    uses       BIGINT  NOT NULL,
    enabled    BOOLEAN NOT NULL
);

CREATE INDEX api_key_by_time ON api_key (created_ms);

-- An instance that is to be told of a deletion.
CREATE TABLE revocation (
    account       TEXT COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    instance      TEXT COLLATE "C" NOT NULL,
    attempts      BIGINT NOT NULL,
    not_before_ms BIGINT NOT NULL,
    last_error    TEXT,
    PRIMARY KEY (account, instance)
);

CREATE INDEX revocation_by_time ON revocation (not_before_ms);
CREATE INDEX revocation_by_instance ON revocation (instance);
