-- A draft is learnt in seconds while the concept's own job waits: beside whatever else is being learnt, and before it.
ALTER TABLE job ADD COLUMN draft INTEGER NOT NULL DEFAULT 0 CHECK (draft IN (0, 1));
