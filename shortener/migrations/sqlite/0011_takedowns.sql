-- The twin of migrations/postgres/0011_takedowns.sql, which says what it is for.
create table url_taken_down (
    url_id integer primary key
);
