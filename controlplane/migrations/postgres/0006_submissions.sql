-- URLs that somebody submitted, or a catalogue named: where a card may be found.
CREATE TABLE submissions (
    id         TEXT   PRIMARY KEY,
    url        TEXT   NOT NULL,
    -- The URL after normalising: each is submitted once.
    url_key    TEXT   NOT NULL UNIQUE,
    -- How many catalogues led here.
    depth      BIGINT NOT NULL,
    status     TEXT   NOT NULL,
    reason     TEXT,
    -- The agent that the card became, or that has its URL already.
    agent      TEXT   REFERENCES agents (id) ON DELETE SET NULL,
    -- What a catalogue named.
    entries    BIGINT,
    tries      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    checked_at BIGINT,
    -- When it is looked at next; null: no more.
    next_at    BIGINT
);
CREATE INDEX submissions_next ON submissions (next_at);
