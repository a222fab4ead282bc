-- What the next version could have beyond this one, for the tests of upgrades: a column that the pods of this version do not know.
alter table url add column of_next_version text;
