-- Who draws pictures and what each of them can do, as image generation reported it last.
CREATE TABLE image_offers (
    service text        PRIMARY KEY,
    said_at timestamptz NOT NULL,
    report  jsonb       NOT NULL
);
ALTER TABLE image_offers ENABLE ROW LEVEL SECURITY;
ALTER TABLE image_offers FORCE ROW LEVEL SECURITY;
REVOKE INSERT, UPDATE, DELETE ON image_offers FROM gateway;
CREATE POLICY projections ON image_offers TO gateway_projection USING (true) WITH CHECK (true);
CREATE POLICY everybody ON image_offers FOR SELECT TO gateway USING (true);

-- How long a provider takes is learnt from what it has drawn in that shape.
CREATE INDEX image_generations_by_pace ON image_generations (provider, aspect_ratio, updated_at DESC)
    WHERE status = 'completed';
