-- The exchange's tables. Times are unix milliseconds (BIGINT), ids are hyphenated UUIDs (TEXT), JSON is TEXT.

-- The revision counter of the link. One row: raising it in the transaction that changes something makes commit order
-- revision order. A restored database gets a new epoch.
CREATE TABLE feed_state (
    id       BIGINT PRIMARY KEY CHECK (id = 1),
    epoch    TEXT   NOT NULL,
    revision BIGINT NOT NULL
);

-- What the switches must know, in revision order, until it is old enough that a snapshot is cheaper.
CREATE TABLE outbox (
    revision BIGINT PRIMARY KEY,
    op       BYTEA   NOT NULL,
    at       BIGINT NOT NULL
);
CREATE INDEX outbox_at ON outbox (at);

CREATE TABLE agents (
    id             TEXT   PRIMARY KEY,
    name           TEXT   NOT NULL,
    -- The name in lower case: names are unique without regard to case.
    name_key       TEXT   NOT NULL UNIQUE,
    description    TEXT   NOT NULL,
    tagline        TEXT,
    category       TEXT,
    accent_color   TEXT,
    banner_url     TEXT,
    url            TEXT,
    -- The URL after normalising.
    url_key        TEXT   UNIQUE,
    version        TEXT,
    provider_name  TEXT,
    service_class  TEXT,
    source         TEXT   NOT NULL,
    -- The card exactly as it was given.
    card           TEXT   NOT NULL,
    card_at        BIGINT NOT NULL,
    -- Name, description, tagline, skills and tags in lower case, for plain search.
    search         TEXT   NOT NULL,
    access         TEXT   NOT NULL,
    allow_list     TEXT   NOT NULL,
    blocked_at     BIGINT,
    blocked_reason TEXT,
    featured_at    BIGINT,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    last_seen      BIGINT NOT NULL
);
CREATE INDEX agents_created ON agents (created_at, id);

-- What opens an agent's account: its key's HMAC, and the lowest generations of keys and tokens that still count.
CREATE TABLE credentials (
    agent      TEXT   PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    key_hmac   BYTEA   NOT NULL UNIQUE,
    key_prefix TEXT   NOT NULL,
    key_gen    BIGINT NOT NULL,
    token_gen  BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX credentials_changed ON credentials (changed_at);

-- What an agent can be found by besides its text: kind is 'skill' or 'tag', the term is in lower case.
CREATE TABLE agent_terms (
    agent TEXT NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    kind  TEXT NOT NULL,
    term  TEXT NOT NULL,
    PRIMARY KEY (agent, kind, term)
);
CREATE INDEX agent_terms_term ON agent_terms (kind, term);

-- Agents that were deleted: their ids answer 410, their last key still says so on their own paths.
CREATE TABLE removed_agents (
    id         TEXT   PRIMARY KEY,
    key_hmac   BYTEA   NOT NULL UNIQUE,
    removed_at BIGINT NOT NULL
);
CREATE INDEX removed_agents_at ON removed_agents (removed_at);

-- Single tokens that were revoked before they expired. `exp` is in unix seconds, as in the token.
CREATE TABLE revoked_tokens (
    jti   TEXT   PRIMARY KEY,
    agent TEXT   NOT NULL,
    exp   BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_exp ON revoked_tokens (exp);

-- Switches of the cluster.
CREATE TABLE nodes (
    id                 TEXT   PRIMARY KEY,
    name               TEXT,
    public_url         TEXT,
    version            TEXT,
    certificate_serial TEXT   NOT NULL,
    joined_at          BIGINT NOT NULL,
    last_seen          BIGINT NOT NULL,
    revoked_at         BIGINT,
    boot               TEXT
);

CREATE TABLE join_tokens (
    hash       BYTEA   PRIMARY KEY,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);

-- How far each boot of a switch has reported. `listing` is the place (batch sequence x 1024 + index) of the last
-- `SessionsBegin` whose end has not come.
CREATE TABLE report_cursors (
    node    TEXT   NOT NULL,
    boot    TEXT   NOT NULL,
    seq     BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    listing BIGINT,
    PRIMARY KEY (node, boot)
);

-- Lines, as the switches report them. `seen` is the place of the last report that named the line.
CREATE TABLE sessions (
    id         TEXT   PRIMARY KEY,
    agent      TEXT   NOT NULL,
    node       TEXT   NOT NULL,
    boot       TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    shared     BIGINT NOT NULL,
    key_gen    BIGINT,
    jti        TEXT,
    token_gen  BIGINT,
    seen       BIGINT NOT NULL
);
CREATE INDEX sessions_agent ON sessions (agent, ended_at);
CREATE INDEX sessions_node ON sessions (node, ended_at);
CREATE INDEX sessions_ended ON sessions (ended_at);

-- The audit: one row per call, with exactly what is published of it.
CREATE TABLE calls (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts         BIGINT NOT NULL,
    from_agent TEXT,
    to_agent   TEXT   NOT NULL,
    method     TEXT,
    request_id TEXT   NOT NULL,
    status     BIGINT NOT NULL,
    latency_us BIGINT NOT NULL,
    route      TEXT   NOT NULL
);
CREATE INDEX calls_ts ON calls (ts);
CREATE INDEX calls_from ON calls (from_agent, id);
CREATE INDEX calls_to ON calls (to_agent, id);

-- Calls per callee and hour, so that a day's figures cost 24 rows however busy the agent was.
CREATE TABLE agent_hours (
    agent TEXT   NOT NULL,
    hour  BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    good  BIGINT NOT NULL,
    PRIMARY KEY (agent, hour)
);
CREATE INDEX agent_hours_hour ON agent_hours (hour);
