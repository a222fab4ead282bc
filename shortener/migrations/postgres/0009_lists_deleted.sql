-- no-transaction
-- For the list of deleted URLs. Apart from 0005_edits.sql, whose version is in databases that have had this index since then:
-- building it there would have held up every write to a large table.
create index concurrently if not exists url_deleted_index on url (user_id, id) where deleted_at is not null;
