-- Cards that were replaced, each exactly as it was given. `n` counts an agent's cards from 1; the current one, which has
-- the next number, is in `agents` alone. `at` and `until` say when it was the agent's card; `sha256` is of its text, in
-- hexadecimal digits.
CREATE TABLE card_history (
    agent   TEXT   NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    n       BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    name    TEXT   NOT NULL,
    version TEXT,
    sha256  TEXT   NOT NULL,
    card    TEXT   NOT NULL,
    PRIMARY KEY (agent, n)
);
