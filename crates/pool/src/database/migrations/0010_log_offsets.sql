alter table pool_logs add column run bigint not null default 0;
alter table pool_logs add column stdout_from bigint not null default 0;
alter table pool_logs add column stderr_from bigint not null default 0;
