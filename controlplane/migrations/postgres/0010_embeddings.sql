-- What agents say of themselves as vectors of a model, for those who rank by meaning. `version` is the `updated_at` of the
-- row that was read, `vector` is empty where the model has none for the text.
CREATE TABLE embeddings (
    agent      TEXT   NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    model      TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    text_hash  TEXT   NOT NULL,
    vector     BYTEA  NOT NULL,
    made_at    BIGINT NOT NULL,
    PRIMARY KEY (agent, model)
);
CREATE INDEX embeddings_made ON embeddings (model, made_at, agent);
