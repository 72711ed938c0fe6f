-- The catalogue has its agents on shelves: by the last four digits of their ids, which are random.
CREATE INDEX agents_shelf ON agents (substr(id, 33));
