-- The twin of migrations/postgres/0009_lists_deleted.sql: on SQLite, 0005_edits.sql has made that index. It holds up every write
-- anyway, and takes less than a second for a million URLs.
create index if not exists url_deleted_index on url (user_id, id) where deleted_at is not null;
