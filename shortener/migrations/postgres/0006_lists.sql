-- What lists of URLs are searched by: an index of their words, and the queue of those that are not in it yet.

-- A word of a title, a short code, a host or a path, or a whole host after `@`; once for 128 neighbouring ids of URLs
-- (twice, if two found it missing at a time). Words are never taken out: see urls/list/indexer.rs.
create table url_word (
    word text collate "C" not null,
    -- The id of a URL with this word, divided by 128.
    place bigint not null
);
create index url_word_index on url_word (word, place);

-- URLs whose words may be missing above. No key: a URL that is edited while it is being indexed waits once more.
create table url_unindexed (
    url_id bigint not null
);
create index url_unindexed_index on url_unindexed (url_id);

-- Triggers, so that nothing that writes URLs can forget it, an older version in a rollout included.
create function queue_new_urls() returns trigger language plpgsql as $$
begin
    insert into url_unindexed (url_id) select id from added;
    return null;
end
$$;
create function queue_edited_url() returns trigger language plpgsql as $$
begin
    insert into url_unindexed (url_id) values (new.id);
    return null;
end
$$;
create trigger url_added after insert on url
    referencing new table as added
    for each statement execute function queue_new_urls();
create trigger url_edited after update of title, original_url on url
    for each row when (old.title is distinct from new.title or old.original_url <> new.original_url)
    execute function queue_edited_url();
