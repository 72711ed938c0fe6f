-- When it was proven that whoever answers at the host of the agent's URL stands behind its card: by fetching the card from
-- that host, by a claim, or by the operator. Null: not proven, and the exchange calls no such address. A card that moves to
-- another origin loses its proof.
ALTER TABLE agents ADD COLUMN origin_proven_at BIGINT;
