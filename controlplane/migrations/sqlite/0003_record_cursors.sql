-- How far each log of records of a switch is stored: the place after the last record.
CREATE TABLE record_cursors (
    node TEXT   NOT NULL,
    log  TEXT   NOT NULL,
    next BIGINT NOT NULL,
    at   BIGINT NOT NULL,
    PRIMARY KEY (node, log)
);
