-- What edits through the API need.

-- The ETag; every change adds one. A default that is a constant rewrites no row.
alter table app_user add column version bigint not null default 1;

-- A create that was sent with an Idempotency-Key, and what was answered. Changed in the transaction that makes what is
-- created, so that both are there or neither is. Answers hold what people sent: they go after a day.
create table idempotency_key (
    -- Whose key it is: another caller may have the same one.
    caller text not null,
    key text not null,
    -- SHA-256 of method, route and body.
    fingerprint bytea not null,
    created_at timestamptz not null,
    -- The answer; none while the transaction that claimed the key is under way, and so for nobody else to see.
    status smallint,
    -- JSON: an array of names and values.
    headers text,
    object_id bigint,
    body text,
    constraint idempotency_key_pkey primary key (caller, key)
);
create index idempotency_key_created_at_index on idempotency_key (created_at);
