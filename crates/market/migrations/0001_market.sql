-- Orders of all four kinds. Every role (app, dataset, workerpool, requester) is a column: in the
-- kind that sells or asks for it, it is the subject; in the others, the restriction (zero = none).
create table market_orders (
    hash        text primary key,
    kind        text not null,
    status      text not null,
    signer      text not null,
    app         text not null,
    dataset     text not null,
    workerpool  text not null,
    requester   text not null,
    beneficiary text not null,
    price       bigint not null,
    volume      bigint not null,
    remaining   bigint not null,
    category    bigint not null,
    trust       bigint not null,
    tag0        bigint not null,
    tag1        bigint not null,
    tag2        bigint not null,
    tag3        bigint not null,
    published   bigint not null,
    body        text not null
);
create index market_orders_price on market_orders (kind, status, price, published, hash);
create index market_orders_app on market_orders (kind, app, status, price, published, hash);
create index market_orders_dataset on market_orders (kind, dataset, status, price, published, hash);
create index market_orders_workerpool
    on market_orders (kind, workerpool, status, price, published, hash);
create index market_orders_requester
    on market_orders (kind, requester, status, price, published, hash);
create index market_orders_signer on market_orders (kind, signer, status, published, hash);

create table market_challenges (
    hash    text primary key,
    address text not null,
    words   text not null,
    expires bigint not null
);
create index market_challenges_address on market_challenges (address, expires);
create index market_challenges_expires on market_challenges (expires);

create table market_counters (
    name  text primary key,
    value bigint not null
);

create table market_categories (
    id        bigint primary key,
    time_ref  bigint not null,
    body      text not null
);

create table market_deals (
    id              text primary key,
    category        bigint not null,
    requester       text not null,
    beneficiary     text not null,
    app             text not null,
    dataset         text not null,
    workerpool      text not null,
    app_owner       text not null,
    dataset_owner   text not null,
    workerpool_owner text not null,
    app_order       text not null,
    dataset_order   text not null,
    workerpool_order text not null,
    request_order   text not null,
    block           bigint not null,
    body            text not null
);
create index market_deals_block on market_deals (block, id);
create index market_deals_requester on market_deals (requester, block, id);
create index market_deals_request_order on market_deals (request_order);
