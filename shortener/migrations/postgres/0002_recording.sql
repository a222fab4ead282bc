-- What recording clicks needs: who is running, which journals there are and how far each is recorded, the daily
-- secret behind visitor hashes, and the roll-ups that statistics are read from.

-- A running process. One whose lease has lapsed is waited for by nobody.
create table replica (
    id text constraint replica_pkey primary key,
    lease_until timestamptz not null,
    version text not null
);

-- A journal of clicks on some process's disk. Changed in the transaction that records the clicks, so that both are
-- there or neither is.
create table journal (
    id text constraint journal_pkey primary key,
    -- Who drains it. No foreign key: replicas come and go.
    replica_id text not null,
    -- The machine and the folder, for whoever looks for it.
    place text not null,
    -- Everything before this is recorded.
    position bigint not null,
    opened_at timestamptz not null,
    -- Set when all of it was recorded and nothing will follow.
    closed_at timestamptz
);
create index journal_open_index on journal (replica_id) where closed_at is null;

-- Visitors are told apart within a day. The salt goes soon after the day, and with it the way back to an address.
create table visitor_salt (
    -- Days since 1970-01-01 UTC.
    day bigint constraint visitor_salt_pkey primary key,
    salt bytea not null
);

-- What happened to a URL on a day (UTC). URL 0 stands for all of them. Statistics read this and never the clicks.
create table click_day (
    url_id bigint not null,
    day bigint not null,
    -- Counts per 15 minutes and by referrer, country and so on, packed: see clicks/rollup.rs.
    rollup bytea not null,
    -- A sketch of the visitors. Apart, since only the recorder reads it, and it can be larger than all the rest.
    visitors bytea not null,
    constraint click_day_pkey primary key (url_id, day)
) with (fillfactor = 70);
-- Packed already: trying to compress it further would only cost time.
alter table click_day alter column rollup set storage external;
alter table click_day alter column visitors set storage external;
