-- The queue of URLs that wait for the index of words: rows are dead soon after they were made, and every search passes those
-- that are not cleared away yet. By default that waits until a fifth of the largest size is dead, which after a bulk load of
-- millions is for ever.
alter table url_unindexed set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 5000
);
