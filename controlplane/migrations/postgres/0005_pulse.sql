-- Pulse: what probes of agents with a URL found, and when each is asked next.
CREATE TABLE pulse (
    agent         TEXT   PRIMARY KEY REFERENCES agents (id) ON DELETE CASCADE,
    -- Which card this is about: a probe of an older one counts for nothing.
    card_at       BIGINT NOT NULL,
    -- Host and port, once they are known.
    host          TEXT,
    next_at       BIGINT NOT NULL,
    verdict       TEXT   NOT NULL,
    reason        TEXT,
    -- 0 to 1, in millionths.
    score         BIGINT,
    checked_at    BIGINT,
    -- Until when the verdict `callable` counts; null for any other.
    fresh_until   BIGINT,
    -- Since when it has not been callable, and how many probes in a row.
    failing_since BIGINT,
    failures      BIGINT NOT NULL,
    probes        BIGINT NOT NULL,
    -- Where its card was found.
    card_path     TEXT,
    -- When a probe proved the card's origin; another proof in `agents` is not ours to take back.
    proved_at     BIGINT,
    -- 1: the operator took the proof back; it is not asked until the operator proves it again.
    barred        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX pulse_next ON pulse (next_at);
CREATE INDEX pulse_host ON pulse (host);
CREATE INDEX pulse_fresh ON pulse (fresh_until);

-- The last probes of an agent: a ring of fixed size.
CREATE TABLE probes (
    agent      TEXT   NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    slot       BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    verdict    TEXT   NOT NULL,
    latency_us BIGINT,
    PRIMARY KEY (agent, slot)
);

-- When an agent was callable at its URL.
CREATE TABLE pulse_spans (
    agent      TEXT   NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL,
    PRIMARY KEY (agent, started_at)
);
CREATE INDEX pulse_spans_ended ON pulse_spans (ended_at);

-- Which exchange asks. One row.
CREATE TABLE pulse_lead (
    id         BIGINT PRIMARY KEY CHECK (id = 1),
    holder     TEXT   NOT NULL,
    held_until BIGINT NOT NULL
);

INSERT INTO pulse (agent, card_at, next_at, verdict, failures, probes)
SELECT id, card_at, 0, 'unknown', 0, 0 FROM agents WHERE url IS NOT NULL;

-- Calls per callee, caller and quarter of a day, without those to oneself; '' is anonymous.
CREATE TABLE agent_callers (
    agent   TEXT   NOT NULL,
    caller  TEXT   NOT NULL,
    quarter BIGINT NOT NULL,
    calls   BIGINT NOT NULL,
    PRIMARY KEY (agent, caller, quarter)
);
CREATE INDEX agent_callers_quarter ON agent_callers (quarter);

-- How much an agent is called, in thousandths; renewed each minute.
ALTER TABLE agents ADD COLUMN trend BIGINT NOT NULL DEFAULT 0;
CREATE INDEX agents_trend ON agents (trend, id);
