-- The twin of migrations/postgres/0001_initial.sql, which says what each table and column is for.
-- Times are integers: microseconds since 1970-01-01 UTC.

create table schema_compatibility (
    oldest_migration integer not null
);
insert into schema_compatibility (oldest_migration) values (1);

create table domain (
    id integer primary key autoincrement,
    name text not null unique
);
insert into domain (id, name) values (1, '');

create table app_user (
    id integer primary key autoincrement,
    username text not null,
    email text not null,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer
);
create unique index app_user_email_key on app_user (email) where deleted_at is null;

create table url (
    id integer primary key autoincrement,
    domain_id integer not null default 1 references domain,
    user_id integer not null references app_user,
    short_code text not null,
    original_url text not null,
    title text,
    is_active boolean not null default true,
    redirect_status integer not null default 302 check (redirect_status in (301, 302, 307, 308)),
    forward_query boolean not null default false,
    starts_at integer,
    expires_at integer,
    max_clicks integer check (max_clicks > 0),
    version integer not null default 1,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer,
    unique (domain_id, short_code)
);
create index url_user_id_index on url (user_id, id) where deleted_at is null;

create table event (
    id integer primary key autoincrement,
    url_id integer not null,
    user_id integer not null,
    event_type text not null,
    occurred_at integer not null,
    details text not null
);
create index event_url_id_index on event (url_id, id);
create index event_user_id_index on event (user_id, id);
create index event_type_index on event (event_type, id);
-- Clicks take their ids from the same counter; SQLite documents this table as an ordinary, writable one.
insert into sqlite_sequence (name, seq) values ('event', 0);

create table click (
    id integer primary key,
    url_id integer not null,
    user_id integer not null,
    occurred_at integer not null,
    visitor integer,
    kind integer not null default 0,
    referrer text,
    browser text,
    os text,
    device text,
    country text,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text
);
create index click_url_id_index on click (url_id, id);
create index click_user_id_index on click (user_id, id);
