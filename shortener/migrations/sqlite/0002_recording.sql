-- The twin of migrations/postgres/0002_recording.sql, which says what each table and column is for.

create table journal (
    id text primary key,
    replica_id text not null,
    place text not null,
    position integer not null,
    opened_at integer not null,
    closed_at integer
);

create table visitor_salt (
    day integer primary key,
    salt blob not null
);

create table click_day (
    url_id integer not null,
    day integer not null,
    rollup blob not null,
    visitors blob not null,
    primary key (url_id, day)
);
