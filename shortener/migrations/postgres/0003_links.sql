-- What caches of links need: whose they are, who hears of changes, and which shared entries are void.

-- One row: tells this database from every other, wherever something outside of it must not be mistaken for another's
-- (keys in Redis, journals on a disk).
create table installation (
    id text not null constraint installation_pkey primary key
);
insert into installation (id) values (replace(gen_random_uuid()::text, '-', ''));

-- Whether this replica hears notifications. One that does not is not asked to drop a link from its cache: it asks the
-- database again for whatever it has known for longer than a second.
alter table replica add column hears boolean not null default false;
-- When the last notification was sent that it has heard, by the database's clock, in microseconds since 1970. Everything
-- that was committed before is obeyed.
alter table replica add column heard bigint not null default 0;

-- Part of every key in Redis; one more makes all that Redis holds unreachable. One row, and no sequence: nobody may see the
-- next generation before the change is committed that it was begun for.
create table cache_generation (
    generation bigint not null
);
insert into cache_generation (generation) values (0);

-- How often a URL with a limit was followed: narrow, since every visit writes it.
create table url_use (
    url_id bigint not null constraint url_use_pkey primary key,
    used bigint not null
) with (fillfactor = 50);
