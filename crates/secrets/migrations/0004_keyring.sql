alter table secret add column version bigint not null default 0;

create table keyring_header (
    id bigint not null primary key,
    mode text not null,
    provider text not null,
    parameters text not null
);

create table keyring (
    id bigint not null primary key,
    state text not null,
    wrapped bytea not null
);
