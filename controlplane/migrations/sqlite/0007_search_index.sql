-- Searches are answered from an index that follows the rows: what was kept for plain search goes, and the rows that
-- changed of late are found by their time.
DROP TABLE agent_terms;
ALTER TABLE agents DROP COLUMN search;
CREATE INDEX agents_updated ON agents (updated_at, id);
DROP INDEX removed_agents_at;
CREATE INDEX removed_agents_at ON removed_agents (removed_at, id);
