-- The twin of migrations/postgres/0006_lists.sql, which says what each table and column is for.

create table url_word (
    word text not null,
    place integer not null,
    primary key (word, place)
) without rowid;

create table url_unindexed (
    url_id integer not null
);
create index url_unindexed_index on url_unindexed (url_id);

create trigger url_added after insert on url begin
    insert into url_unindexed (url_id) values (new.id);
end;
create trigger url_edited after update of title, original_url on url
    when old.title is not new.title or old.original_url <> new.original_url
begin
    insert into url_unindexed (url_id) values (new.id);
end;
