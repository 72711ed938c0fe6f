-- When a probe last found the agent's present card at its host, and how many microseconds each probe took to get it.
ALTER TABLE pulse ADD COLUMN card_seen_at BIGINT;
ALTER TABLE probes ADD COLUMN card_us BIGINT;

-- Editions of the state report that were published. A revision is never changed: another one takes its place.
CREATE TABLE editions (
    -- Such as 2026-11.
    month        TEXT   NOT NULL,
    revision     BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    -- What it found, in a sentence.
    summary      TEXT   NOT NULL,
    PRIMARY KEY (month, revision)
);

-- The files of an edition, as they are served.
CREATE TABLE edition_files (
    month    TEXT   NOT NULL,
    revision BIGINT NOT NULL,
    name     TEXT   NOT NULL,
    content  TEXT   NOT NULL,
    PRIMARY KEY (month, revision, name),
    FOREIGN KEY (month, revision) REFERENCES editions (month, revision)
);
