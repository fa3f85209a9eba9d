-- Runs show how far their cost is known. An estimate of 0 for some tokens meant an unknown price.
UPDATE runs SET view = json_set(view, '$.cost', json(COALESCE(
    (SELECT json_object('usd', CASE WHEN unknown THEN NULL ELSE usd END,
                        'known_usd', usd,
                        'source', CASE WHEN unknown THEN 'unknown' ELSE source END,
                        'prices_as_of', NULL)
     FROM (SELECT usd, source, source = 'estimated' AND usd <= 0 AND tokens > 0 AS unknown
           FROM (SELECT payload ->> '$.cost_usd' AS usd,
                        payload ->> '$.cost_source' AS source,
                        (payload ->> '$.tokens_in') + (payload ->> '$.tokens_out')
                          + (payload ->> '$.tokens_cache_read')
                          + (payload ->> '$.tokens_cache_write') AS tokens
                 FROM events WHERE run_id = runs.id AND event_type = 'run.result'
                 ORDER BY sequence DESC LIMIT 1))),
    json_object('usd', NULL, 'known_usd', 0.0, 'source', 'unknown', 'prices_as_of', NULL))));
