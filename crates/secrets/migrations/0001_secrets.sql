create table secret (
    kind text not null,
    owner text not null,
    name text not null,
    sealed bytea not null,
    primary key (kind, owner, name)
);

create table seal (
    id bigint not null primary key,
    probe bytea not null
);
