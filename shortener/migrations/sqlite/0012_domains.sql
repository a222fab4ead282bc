-- The same as on Postgres needs nothing here: SQLite has one writer at a time, and locks no row.
select 1;
