-- The twin of migrations/postgres/0007_lists_queue.sql.
insert into url_unindexed (url_id) select id from url;
