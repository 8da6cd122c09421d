create table attest_nonce (
    nonce text not null primary key,
    session text not null,
    stage text not null,
    expires_at bigint not null
);
create index attest_nonce_session on attest_nonce (session);
create index attest_nonce_expiry on attest_nonce (expires_at);

create table attest_platform (
    session text not null primary key,
    platform text not null,
    purge_at bigint not null
);
create index attest_platform_purge on attest_platform (purge_at);

create table attest_release (
    session text not null,
    stage text not null,
    number bigint not null,
    purge_at bigint not null,
    primary key (session, stage)
);
create index attest_release_purge on attest_release (purge_at);

create index tee_session_id on tee_session (id);
