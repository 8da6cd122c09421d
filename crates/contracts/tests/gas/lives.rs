//! Whole lives: the match and every transaction until the money has moved, per task.
use alloy::primitives::{B256, U256, keccak256};
use alloy::sol_types::SolValue;
use contracts::Hub;

use crate::boost;
use crate::market::{Market, RESULTS, digest, in_enclave, task};
use crate::orders::Orders;
use crate::side::Side;
use crate::stage::personal;
use crate::tasks::initialize_array;

/// How a task is brought to its end.
#[derive(Clone, Copy)]
enum Path {
    /// contribute, reveal and finalize, by this many workers.
    Steps { workers: usize },
    /// The same from one worker's enclave.
    EnclaveSteps,
    /// contributeAndFinalize.
    AtOnce { tee: bool },
    /// The same, all tasks initialized in one transaction.
    Array,
}

type Choose = fn(&mut Market) -> Orders;

pub(crate) fn measure(side: &Side) {
    let cold = live(
        Market::quiet(side),
        Market::orders,
        1,
        Path::Steps { workers: 1 },
    );
    side.row("trust 1, bag of 1, all accounts cold", cold);
    for (name, orders, bag, path) in scenarios() {
        side.row(name, live(Market::busy(side), orders, bag, path));
    }
    boost::measure_lives(side);
    if side.is_ours() {
        let name = "trust 1, bag of 10, our batch entry points";
        side.row(name, settled_in_a_bag(Market::busy(side), 10));
    }
}

/// Gas per task when one transaction initializes, contributes and finalizes all of a deal.
fn settled_in_a_bag(mut market: Market, bag: u64) -> u64 {
    let orders = market.orders().for_volume(bag);
    let matched = market.match_orders(orders);
    let deal = matched.value;
    let worker = market.workers[0].address();
    let message = keccak256((worker, deal, U256::ZERO, U256::from(bag)).abi_encode_packed());
    let call = Hub::contributeAndFinalizeBagCall {
        dealId: deal,
        firstIndex: U256::ZERO,
        digests: (0..bag).map(|index| digest(task(deal, index))).collect(),
        results: vec![RESULTS.into(); bag as usize],
        authorizationSign: personal(&market.scheduler, message),
    };
    (matched.gas + market.act_as(0, &call).gas).div_ceil(bag)
}

fn scenarios() -> [(&'static str, Choose, u64, Path); 14] {
    let alone = Path::Steps { workers: 1 };
    let three = Path::Steps { workers: 3 };
    let tee = Path::AtOnce { tee: true };
    let plain = Path::AtOnce { tee: false };
    let with_dataset = Market::orders_with_dataset;
    [
        ("trust 1, bag of 1, four steps", Market::orders, 1, alone),
        (
            "trust 1, bag of 1, contributeAndFinalize",
            Market::orders,
            1,
            plain,
        ),
        ("trust 1, bag of 1, dataset", with_dataset, 1, alone),
        ("trust 5, 3 workers, bag of 1", trust_5, 1, three),
        (
            "trust 4, 2 workers, bag of 1",
            trust_4,
            1,
            Path::Steps { workers: 2 },
        ),
        ("TEE contributeAndFinalize, bag of 1", enclave, 1, tee),
        (
            "TEE contributeAndFinalize, dataset, bag of 1",
            enclave_with_dataset,
            1,
            tee,
        ),
        (
            "TEE contribute, reveal, finalize, bag of 1",
            enclave,
            1,
            Path::EnclaveSteps,
        ),
        ("trust 1, bag of 10, four steps", Market::orders, 10, alone),
        (
            "trust 1, bag of 10, contributeAndFinalize",
            Market::orders,
            10,
            plain,
        ),
        ("trust 1, bag of 10, dataset", with_dataset, 10, alone),
        ("trust 5, 3 workers, bag of 10", trust_5, 10, three),
        ("TEE contributeAndFinalize, bag of 10", enclave, 10, tee),
        (
            "TEE contributeAndFinalize, initializeArray, bag of 10",
            enclave,
            10,
            Path::Array,
        ),
    ]
}

fn trust_5(market: &mut Market) -> Orders {
    market.orders().with_trust(U256::from(5))
}

fn trust_4(market: &mut Market) -> Orders {
    market.orders().with_trust(U256::from(4))
}

fn enclave(market: &mut Market) -> Orders {
    in_enclave(market.orders())
}

fn enclave_with_dataset(market: &mut Market) -> Orders {
    in_enclave(market.orders_with_dataset())
}

/// Gas per task.
fn live(mut market: Market, orders: Choose, bag: u64, path: Path) -> u64 {
    let orders = orders(&mut market).for_volume(bag);
    let matched = market.match_orders(orders);
    let mut gas = matched.gas;
    if let Path::Array = path {
        gas += market.act(&initialize_array(matched.value, 0..bag)).gas;
    }
    for index in 0..bag {
        gas += run(&mut market, matched.value, index, path);
    }
    gas.div_ceil(bag)
}

fn run(market: &mut Market, deal: B256, index: u64, path: Path) -> u64 {
    if let Path::Array = path {
        let task = task(deal, index);
        return market.contribute_and_finalize(task, true);
    }
    let started = market.initialize(deal, index);
    let task = started.value;
    let rest = match path {
        Path::Steps { workers } => {
            let contributed: u64 = (0..workers).map(|w| market.contribute(task, w)).sum();
            let revealed: u64 = (0..workers).map(|w| market.reveal(task, w)).sum();
            contributed + revealed + market.finalize(task)
        }
        Path::EnclaveSteps => {
            let contributed = market.contribute_from_enclave(task, 0);
            contributed + market.reveal(task, 0) + market.finalize(task)
        }
        Path::AtOnce { tee } => market.contribute_and_finalize(task, tee),
        Path::Array => 0,
    };
    started.gas + rest
}
