-- Deleted URLs that their owners cannot restore, since an admin has deleted them. A table of its own: a column would take a lock
-- on `url` for which every redirect waits.
create table url_taken_down (
    url_id bigint not null constraint url_taken_down_pkey primary key
);
