-- no-transaction
-- Inactive URLs are few among many: without this, a list of them reads all. Costs new URLs nothing, since they are active.
create index concurrently if not exists url_inactive_index on url (id) where not is_active and deleted_at is null;
