-- One row. Every change of the outbox begins by writing to it, so that changes come one after the other.
CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    next_seq BIGINT  NOT NULL,
    bytes    BIGINT  NOT NULL
);

INSERT INTO outbox (id, next_seq, bytes) VALUES (1, 1, 0);

-- The id first: it is what people look for.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    event_id    TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    key         TEXT,
    accepted_ms BIGINT  NOT NULL,
    UNIQUE (event_id, source)
);

-- Only while somebody needs it. Apart from its event, which stays longer, so that its pages are used again.
CREATE TABLE event_body (
    seq   INTEGER PRIMARY KEY,
    bytes BIGINT  NOT NULL,
    body  TEXT    NOT NULL
);

-- state: 0 pending, 1 delivered, 2 dead.
CREATE TABLE delivery (
    seq           BIGINT  NOT NULL,
    notifier      TEXT    NOT NULL,
    delivery_id   TEXT    NOT NULL,
    state         BIGINT  NOT NULL DEFAULT 0,
    attempts      BIGINT  NOT NULL DEFAULT 0,
    not_before_ms BIGINT  NOT NULL DEFAULT 0,
    accepted_ms   BIGINT  NOT NULL,
    updated_ms    BIGINT  NOT NULL,
    bytes         BIGINT  NOT NULL,
    replayed      BOOLEAN NOT NULL DEFAULT FALSE,
    error         TEXT,
    PRIMARY KEY (seq, notifier)
) WITHOUT ROWID;

CREATE INDEX delivery_pending ON delivery (notifier, seq) WHERE state = 0;
CREATE INDEX delivery_replayed ON delivery (notifier, seq) WHERE state = 0 AND replayed = TRUE;
CREATE INDEX delivery_dead ON delivery (seq, notifier) WHERE state = 2;
CREATE INDEX delivery_dead_by_id ON delivery (delivery_id) WHERE state = 2;

-- What counting the rows of delivery would give.
CREATE TABLE notifier_queue (
    notifier      TEXT   PRIMARY KEY,
    pending       BIGINT NOT NULL,
    pending_bytes BIGINT NOT NULL,
    dead          BIGINT NOT NULL
);

-- Which supervisor tells a notifier.
CREATE TABLE notifier_lease (
    notifier TEXT   PRIMARY KEY,
    holder   TEXT   NOT NULL,
    until_ms BIGINT NOT NULL
);
