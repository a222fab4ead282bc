-- The twin of migrations/postgres/0010_lists_vacuum.sql: SQLite uses the room of deleted rows again by itself.
select 1;
