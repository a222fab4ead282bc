-- The twin of migrations/postgres/0005_edits.sql, which says what each table and column is for.

alter table app_user add column version integer not null default 1;

create table idempotency_key (
    caller text not null,
    key text not null,
    fingerprint blob not null,
    created_at integer not null,
    status integer,
    headers text,
    object_id integer,
    body text,
    primary key (caller, key)
);
create index idempotency_key_created_at_index on idempotency_key (created_at);

create index url_deleted_index on url (user_id, id) where deleted_at is not null;
