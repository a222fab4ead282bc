-- The twin of migrations/postgres/0008_lists_inactive.sql.
create index url_inactive_index on url (id) where not is_active and deleted_at is null;
