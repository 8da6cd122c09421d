create table tee_challenge (
    task text not null primary key,
    address text not null,
    sealed bytea not null,
    purge_at bigint not null
);
create index tee_challenge_purge on tee_challenge (purge_at);

create table tee_session (
    task text not null,
    worker text not null,
    id text not null,
    sealed bytea not null,
    purge_at bigint not null,
    primary key (task, worker)
);
create index tee_session_purge on tee_session (purge_at);
