alter table secret add column accepted text not null default '';
