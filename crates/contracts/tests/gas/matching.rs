//! From signed orders to a deal, and orders managed on chain.
use alloy::primitives::{Bytes, U256};
use alloy::sol_types::SolCall;
use contracts::{Hub, Rlc};

use crate::market::{Market, in_enclave};
use crate::orders::Orders;
use crate::side::Side;
use crate::stage::{APP_PRICE, POOL_PRICE};

pub(crate) fn measure(side: &Side) {
    let mut market = Market::busy(side);
    let mut row = |name, orders: &dyn Fn(&mut Market) -> Orders| {
        let orders = orders(&mut market);
        side.row(name, market.match_orders(orders).gas);
    };
    row("matchOrders, three orders", &Market::orders);
    row("matchOrders, three orders, bag of 10", &|market| {
        market.orders().for_volume(10)
    });
    row("matchOrders, three orders, empty params", &|market| {
        let mut orders = market.orders();
        orders.request.params = String::new();
        orders
    });
    row(
        "matchOrders, three orders, re-used app and workerpool orders",
        &reused,
    );
    row("matchOrders + dataset", &Market::orders_with_dataset);
    row("matchOrders, TEE tag", &|market| {
        in_enclave(market.orders())
    });
    presigned(side);
    sponsored(side);
    paid_at_once(side);
    managed(side);
}

/// The app's and the workerpool's order have been matched before.
fn reused(market: &mut Market) -> Orders {
    let mut orders = market.orders().for_volume(10);
    orders.request.volume = U256::from(1);
    market.match_orders(orders.clone());
    orders.request.salt = market.orders().request.salt;
    orders
}

fn presigned(side: &Side) {
    let mut market = Market::busy(side);
    let orders = market.orders_with_dataset();
    let owners = [
        &market.app_owner,
        &market.dataset_owner,
        &market.scheduler,
        &market.requester,
    ]
    .map(|signer| signer.address());
    let hub = market.at.hub;
    let app = Hub::manageAppOrderCall {
        apporderoperation: Hub::AppOrderOperation {
            order: orders.app.clone(),
            operation: 0,
            sign: Bytes::new(),
        },
    };
    market.chain.act(owners[0], hub, &app);
    let dataset = Hub::manageDatasetOrderCall {
        datasetorderoperation: Hub::DatasetOrderOperation {
            order: orders.dataset.clone(),
            operation: 0,
            sign: Bytes::new(),
        },
    };
    market.chain.act(owners[1], hub, &dataset);
    let pool = Hub::manageWorkerpoolOrderCall {
        workerpoolorderoperation: Hub::WorkerpoolOrderOperation {
            order: orders.workerpool.clone(),
            operation: 0,
            sign: Bytes::new(),
        },
    };
    market.chain.act(owners[2], hub, &pool);
    market.chain.act(owners[3], hub, &request(&orders, 0));
    let gas = market.chain.act(owners[3], hub, &orders.call()).gas;
    side.row("matchOrders + dataset, all four orders presigned", gas);
}

fn sponsored(side: &Side) {
    let mut market = Market::busy(side);
    let sponsor = market.deployer;
    market.deposit_for(sponsor);
    let orders = market.orders();
    let call = market.sealed(orders).sponsored();
    let hub = market.at.hub;
    let gas = market.chain.act(sponsor, hub, &call).gas;
    side.row("sponsorMatchOrders", gas);
}

/// 6.1.0 ignores the call data of `approveAndCall`; ours does what 6.2.0 does.
fn paid_at_once(side: &Side) {
    if !side.is_ours() {
        return;
    }
    let mut market = Market::busy(side);
    let price = U256::from(APP_PRICE + POOL_PRICE);
    let (from, deployer, token) = (market.requester.address(), market.deployer, market.at.token);
    let gift = Rlc::transferCall {
        to: from,
        value: price + U256::from(1),
    };
    market.chain.act(deployer, token, &gift);
    let orders = market.orders();
    let call = Rlc::approveAndCallCall {
        spender: market.at.hub,
        value: price,
        data: market.sealed(orders).call().abi_encode().into(),
    };
    let gas = market.chain.act(from, token, &call).gas;
    side.row("RLC.approveAndCall(deposit + match)", gas);
}

fn managed(side: &Side) {
    let mut market = Market::busy(side);
    let orders = market.orders();
    let (owner, requester) = (market.app_owner.address(), market.requester.address());
    let hub = market.at.hub;
    let call = Hub::manageAppOrderCall {
        apporderoperation: Hub::AppOrderOperation {
            order: orders.app.clone(),
            operation: 0,
            sign: Bytes::new(),
        },
    };
    side.row(
        "manageAppOrder SIGN",
        market.chain.act(owner, hub, &call).gas,
    );
    for (name, operation) in [
        ("manageRequestOrder SIGN", 0),
        ("manageRequestOrder CLOSE", 1),
    ] {
        let call = request(&orders, operation);
        side.row(name, market.chain.act(requester, hub, &call).gas);
    }
}

fn request(orders: &Orders, operation: u8) -> Hub::manageRequestOrderCall {
    Hub::manageRequestOrderCall {
        requestorderoperation: Hub::RequestOrderOperation {
            order: orders.request.clone(),
            operation,
            sign: Bytes::new(),
        },
    }
}
