-- URLs from before there was an index of words wait for it, too. A migration of its own: it takes seconds for ten million
-- of them, and holds up no write, since the triggers are there already.
insert into url_unindexed (url_id) select id from url;
