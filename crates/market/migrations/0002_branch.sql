-- Open orders are searched in memory; what is asked of the table is one order, all open ones at the
-- start, and those that a reorganisation of the chain makes doubtful.
drop index market_orders_price;
drop index market_orders_app;
drop index market_orders_dataset;
drop index market_orders_workerpool;
drop index market_orders_requester;
drop index market_orders_signer;
create index market_orders_status on market_orders (status, hash);
-- The block whose state the publication was judged by.
alter table market_orders add column seen bigint not null default 0;
create index market_orders_seen on market_orders (seen);

create index market_deals_category on market_deals (category, block, id);
create index market_deals_beneficiary on market_deals (beneficiary, block, id);
create index market_deals_app on market_deals (app, block, id);
create index market_deals_dataset on market_deals (dataset, block, id);
create index market_deals_workerpool on market_deals (workerpool, block, id);
create index market_deals_app_owner on market_deals (app_owner, block, id);
create index market_deals_dataset_owner on market_deals (dataset_owner, block, id);
create index market_deals_workerpool_owner on market_deals (workerpool_owner, block, id);
create index market_deals_app_order on market_deals (app_order, block, id);
create index market_deals_dataset_order on market_deals (dataset_order, block, id);
create index market_deals_workerpool_order on market_deals (workerpool_order, block, id);
drop index market_deals_request_order;
create index market_deals_request_order on market_deals (request_order, block, id);

alter table market_categories add column block bigint not null default 0;
create index market_categories_time_ref on market_categories (time_ref, id);

-- Tasks since their initialisation, and what happened to them, in the order of the chain.
create table market_tasks (
    id     text primary key,
    deal   text not null,
    number bigint not null,
    block  bigint not null
);
create index market_tasks_deal on market_tasks (deal, number);
create index market_tasks_block on market_tasks (block);
create table market_task_steps (
    block    bigint not null,
    position bigint not null,
    task     text not null,
    name     text not null,
    worker   text not null,
    primary key (block, position)
);
create index market_task_steps_task on market_task_steps (task, block, position);

-- The blocks that may still be orphaned, and what their events overwrote in orders.
create table market_blocks (
    number bigint primary key,
    hash   text not null
);
create table market_undo (
    id        bigint primary key,
    block     bigint not null,
    hash      text not null,
    remaining bigint not null,
    status    text not null
);
create index market_undo_block on market_undo (block);

-- What listeners were told lately.
create table market_events (
    id      bigint primary key,
    name    text not null,
    payload text not null
);

-- Challenges are kept in memory.
drop table market_challenges;
