create table pool_deal (
    id text primary key,
    document text not null
);
create table pool_task (
    id text primary key,
    deal text not null,
    stage text not null,
    is_final bigint not null,
    contribution_deadline bigint not null,
    document text not null
);
create index pool_task_open on pool_task (is_final, contribution_deadline);
create table pool_logs (
    task text not null,
    worker text not null,
    stdout text not null,
    stderr text not null,
    purge_at bigint not null,
    primary key (task, worker)
);
create index pool_logs_purge on pool_logs (purge_at);
create table pool_cursor (
    id bigint primary key,
    block bigint not null
);
