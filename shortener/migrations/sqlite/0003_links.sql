-- What caches of links need. The Postgres twin is migrations/postgres/0003_links.sql, whose comments hold here, too;
-- there is one process here and no Redis, so nothing is ever void.

create table installation (
    id text not null primary key
);
insert into installation (id) values (lower(hex(randomblob(16))));

create table url_use (
    url_id integer not null primary key,
    used integer not null
);
