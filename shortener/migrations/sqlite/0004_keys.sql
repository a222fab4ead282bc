-- The twin of migrations/postgres/0004_keys.sql, which says what each table and column is for.

create table api_key_secret (
    id integer primary key check (id = 1),
    secret blob not null
);

create table api_key (
    id integer primary key autoincrement,
    hash blob not null unique,
    prefix text not null,
    name text not null,
    user_id integer references app_user,
    scopes text not null,
    is_first boolean not null default false,
    created_at integer not null,
    expires_at integer,
    last_used_at integer,
    revoked_at integer
);
create unique index api_key_first_key on api_key (is_first) where is_first;
create index api_key_user_id_index on api_key (user_id, id);

create table audit_entry (
    id integer primary key autoincrement,
    occurred_at integer not null,
    actor text not null,
    key_id integer,
    user_id integer,
    method text not null,
    route text not null,
    object_id integer,
    client_address text,
    status integer
);
create index audit_entry_occurred_at_index on audit_entry (occurred_at);
create index audit_entry_key_id_index on audit_entry (key_id, id);
