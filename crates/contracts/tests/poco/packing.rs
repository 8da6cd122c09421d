//! What the packed storage makes possible to get wrong: values too large for their place,
//! results of every form, numbers of contracts of every length.
use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::SolValue;
use contracts::Hub;

use crate::bag::link;
use crate::stage::{Stage, digest};

fn finalized(stage: &mut Stage, results: Bytes, told: Bytes) -> Hub::Task {
    let salt = keccak256((results.clone(), told.clone()).abi_encode());
    let mut orders = stage.offers();
    orders.app.salt = salt;
    orders.workerpool.salt = salt;
    orders.request.salt = salt;
    if !told.is_empty() {
        orders.request.callback = Address::repeat_byte(0xca);
    }
    let task = stage.one_task(orders);
    let digest = if told.is_empty() {
        digest(7)
    } else {
        keccak256(&told)
    };
    let mut call = stage.contribution(task, 0, digest).final_call(told.clone());
    call.results = results;
    stage.act_as(0, &call);
    let answer = stage
        .chain
        .read(stage.at.hub, &Hub::resultForCall { id: task });
    assert_eq!(answer, told);
    stage.view_task(task)
}

#[test]
fn results_of_every_form_come_back_as_they_were() {
    let mut stage = Stage::new();
    let text = String::from_utf8(link(1).to_vec()).unwrap();
    let almost = [
        text.replace("ipfs\"", "IPFS\""),
        text.replace("/ipfs/", "/ipns/"),
        text.replace("Qm", "Qz"),
        text.replace("Qm", "1m"),
        text.replace("\"}", "\"]"),
        text.replace("Qm", "Q0"),
        format!("{text} "),
        text.replace("Qm", "zz"),
        text.replace("Qm", "Ql"),
    ];
    let mut forms: Vec<Bytes> = almost
        .into_iter()
        .map(|text| Bytes::from(text.into_bytes()))
        .collect();
    forms.extend((0..40).map(link));
    forms.extend([0, 1, 30, 31, 32, 33, 84, 1000].map(|length| Bytes::from(vec![0xa5; length])));
    forms.extend([Bytes::from(vec![0; 31]), Bytes::from(vec![0; 84])]);
    for form in forms {
        let view = finalized(&mut stage, form.clone(), Bytes::new());
        assert_eq!(view.results, form, "{form:?}");
    }
}

#[test]
fn results_and_what_a_callback_is_told_are_told_apart() {
    let mut stage = Stage::new();
    for results in [Bytes::new(), link(3), Bytes::from(vec![9; 50])] {
        for told in [Bytes::from_static(&[1]), Bytes::from(vec![7; 192])] {
            let view = finalized(&mut stage, results.clone(), told.clone());
            assert_eq!((&view.results, &view.resultsCallback), (&results, &told));
        }
    }
}

/// A number that fits nowhere, in every place of an order that has none of its own.
#[test]
fn a_deal_with_huge_numbers_reads_back() {
    let huge = U256::MAX >> 1;
    let mut stage = Stage::new();
    let mut orders = stage.offers_with_dataset();
    orders.app.volume = U256::MAX;
    orders.dataset.volume = U256::MAX;
    orders.workerpool.volume = U256::MAX;
    orders.request.volume = huge;
    orders.app.appprice = U256::ZERO;
    orders.dataset.datasetprice = U256::ZERO;
    orders.workerpool.workerpoolprice = U256::ZERO;
    orders.workerpool.trust = huge;
    orders.request.trust = huge;
    let tag = B256::repeat_byte(0xf0);
    orders.workerpool.tag = tag;
    orders.request.tag = tag;
    orders.request.beneficiary = Address::ZERO;
    let deal = stage.deal(orders.clone());
    let view = stage.view_deal(deal);
    assert_eq!((view.trust, view.botSize, view.tag), (huge, huge, tag));
    assert_eq!(view.dataset.pointer, stage.dataset);
    assert_eq!(view.beneficiary, Address::ZERO);
    assert_eq!(view.params, orders.request.params);
    let last: U256 = huge - U256::from(1);
    let task = stage.chain.act(
        Address::ZERO,
        stage.at.hub,
        &Hub::initializeCall {
            dealId: deal,
            index: last,
        },
    );
    let view = stage.view_task(task.value);
    assert_eq!((view.status, view.idx), (1, last));
    let contribution = stage.contribution(task.value, 0, digest(7));
    let worker = stage.workers[0].address();
    let refused = stage
        .chain
        .refuse(worker, stage.at.hub, &contribution.call());
    assert_eq!(refused, "panic 0x11", "the consensus cannot be computed");
}

#[test]
fn a_huge_bag_goes_on_where_it_was() {
    let mut stage = Stage::new();
    let mut orders = stage.offers();
    orders.workerpool.workerpoolprice = U256::ZERO;
    orders.app.appprice = U256::ZERO;
    let half = U256::from(1) << 96;
    orders.request.volume = half + U256::from(5);
    orders.app.volume = half;
    orders.workerpool.volume = U256::MAX;
    stage.deal(orders.clone());
    orders.app.salt = digest(1);
    let second = stage.deal(orders);
    let view = stage.view_deal(second);
    assert_eq!((view.botFirst, view.botSize), (half, U256::from(5)));
    let call = Hub::initializeCall {
        dealId: second,
        index: half,
    };
    let task = stage.chain.act(Address::ZERO, stage.at.hub, &call).value;
    assert_eq!(stage.view_task(task).idx, half);
    let last = stage
        .contribution(task, 0, digest(7))
        .final_call(Bytes::new());
    stage.act_as(0, &last);
    assert_eq!(stage.view_task(task).status, 3);
}

#[test]
fn an_index_beyond_sixteen_bits_is_kept() {
    let mut stage = Stage::new();
    let mut orders = stage.offers().for_volume(70_000);
    orders.app.appprice = U256::from(1);
    orders.workerpool.workerpoolprice = U256::from(100);
    let deal = stage.deal(orders);
    for index in [0, 65_535, 65_536, 69_999] {
        let task = stage.task(deal, index);
        assert_eq!(stage.view_task(task).idx, U256::from(index));
        let call = stage
            .contribution(task, 0, digest(7))
            .final_call(Bytes::new());
        stage.act_as(0, &call);
        let view = stage.view_task(task);
        assert_eq!((view.status, view.idx), (3, U256::from(index)));
        assert_eq!(view.contributors, [stage.workers[0].address()]);
        let contribution = stage.view_contribution(task, 0);
        assert_eq!((contribution.status, contribution.weight), (2, U256::ZERO));
    }
}

/// The numbers of contracts pass 127 and 255, where their addresses change form.
#[test]
fn hundreds_of_deals_are_told_apart() {
    let mut stage = Stage::ours();
    let mut deals = Vec::new();
    for number in 0..300_u64 {
        let mut orders = stage.offers();
        let salt = B256::from(U256::from(number));
        (orders.app.salt, orders.workerpool.salt, orders.request.salt) = (salt, salt, salt);
        orders.request.params = number.to_string();
        deals.push(stage.deal(orders));
    }
    for (number, deal) in deals.into_iter().enumerate() {
        assert_eq!(stage.view_deal(deal).params, number.to_string());
    }
}
