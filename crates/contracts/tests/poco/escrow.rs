//! Deposits, withdrawals and the hub as a token.
use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::{SolCall, SolError};
use contracts::{Hub, Rlc};

use crate::stage::{APP_PRICE, DEPOSIT, POOL_PRICE, Stage, key};

const OTHER: Address = Address::repeat_byte(0x0e);

fn rlc(stage: &mut Stage, account: Address) -> u64 {
    stage
        .chain
        .read(stage.at.token, &Rlc::balanceOfCall { account })
        .to()
}

fn approve_and_call(stage: &mut Stage, from: Address, value: u64, data: Bytes) -> Vec<String> {
    let hub = stage.at.hub;
    let call = Rlc::approveAndCallCall {
        spender: hub,
        value: U256::from(value),
        data,
    };
    stage.chain.act(from, stage.at.token, &call).events(hub)
}

fn give_rlc(stage: &mut Stage, to: Address, value: u64) {
    let call = Rlc::transferCall {
        to,
        value: U256::from(value),
    };
    stage.chain.act(stage.deployer, stage.at.token, &call);
}

#[test]
fn what_is_deposited_can_be_withdrawn() {
    let mut stage = Stage::new();
    let (hub, deployer) = (stage.at.hub, stage.deployer);
    let supply = stage.chain.read(hub, &Hub::totalSupplyCall {});
    let receipt = stage.chain.act(
        deployer,
        hub,
        &Hub::depositCall {
            amount: U256::from(100),
        },
    );
    assert!(receipt.value);
    let from_token = receipt.logs.iter().map(|log| log.address == stage.at.token);
    assert_eq!(from_token.collect::<Vec<_>>(), [true, false]);
    assert_eq!(stage.account(deployer), (100, 0));
    let grown = stage.chain.read(hub, &Hub::totalSupplyCall {});
    assert_eq!(grown - supply, U256::from(100));
    let call = Hub::withdrawToCall {
        amount: U256::from(60),
        target: OTHER,
    };
    let receipt = stage.chain.act(deployer, hub, &call);
    assert_eq!(receipt.logs[0].address, hub, "burnt before it is paid out");
    assert_eq!(
        (stage.account(deployer).0, rlc(&mut stage, OTHER)),
        (40, 60)
    );
    let more = Hub::withdrawCall {
        amount: U256::from(41),
    };
    assert_eq!(stage.chain.refuse(deployer, hub, &more), "");
}

#[test]
fn deposits_need_an_allowance_and_targets() {
    let mut stage = Stage::new();
    let hub = stage.at.hub;
    let call = Hub::depositCall {
        amount: U256::from(1),
    };
    assert_eq!(stage.chain.refuse(OTHER, hub, &call), "");
    let nobody = Hub::depositForCall {
        amount: U256::from(1),
        target: Address::ZERO,
    };
    let refused = stage.chain.refuse(stage.deployer, hub, &nobody);
    assert_eq!(refused, "ERC20: mint to the zero address");
    let mut many = Hub::depositForArrayCall {
        amounts: vec![U256::from(1), U256::from(2)],
        targets: vec![OTHER, key(9).address()],
    };
    assert!(stage.chain.act(stage.deployer, hub, &many).value);
    assert_eq!(stage.account(OTHER).0, 1);
    many.targets.pop();
    let refused = stage.chain.refuse(stage.deployer, hub, &many);
    assert_eq!(refused, "invalid-array-length");
}

#[test]
fn one_transaction_approves_and_deposits() {
    let mut stage = Stage::new();
    give_rlc(&mut stage, OTHER, 50);
    let events = approve_and_call(&mut stage, OTHER, 50, Bytes::new());
    assert_eq!(events, ["Transfer"]);
    assert_eq!(stage.account(OTHER), (50, 0));
}

#[test]
fn one_transaction_approves_deposits_and_matches() {
    let mut stage = Stage::new();
    let requester = key(40);
    let price = APP_PRICE + POOL_PRICE;
    give_rlc(&mut stage, requester.address(), price);
    let mut orders = stage.signed(stage.offers());
    orders.request.requester = requester.address();
    stage.sign(&requester, &mut orders.request);
    let data: Bytes = orders.call().abi_encode().into();
    let events = approve_and_call(&mut stage, requester.address(), price, data);
    assert_eq!(events[0], "Transfer");
    assert_eq!(events.last().unwrap(), "OrdersMatched");
    assert_eq!(stage.account(requester.address()), (0, price));
}

#[test]
fn a_deposit_runs_nothing_but_a_match_for_its_sender() {
    let mut stage = Stage::new();
    let (hub, token) = (stage.at.hub, stage.at.token);
    give_rlc(&mut stage, OTHER, 50);
    let orders = stage.signed(stage.offers());
    let call = |data: Bytes| Rlc::approveAndCallCall {
        spender: hub,
        value: U256::ONE,
        data,
    };
    let refuse = |stage: &mut Stage, data: Bytes| stage.chain.refuse(OTHER, token, &call(data));
    let foreign = refuse(&mut stage, orders.call().abi_encode().into());
    let error = Bytes::from(Hub::CallerIsNotTheRequester {}.abi_encode());
    assert_eq!(foreign, error.to_string());
    let other = refuse(&mut stage, orders.sponsored().abi_encode().into());
    let selector = Hub::sponsorMatchOrdersCall::SELECTOR.into();
    let error = Bytes::from(Hub::UnsupportedOperation { selector }.abi_encode());
    assert_eq!(other, error.to_string());
    assert_eq!(refuse(&mut stage, Bytes::from_static(&[1, 2, 3])), "");
    let mut cut = orders.call().abi_encode();
    cut.truncate(100);
    assert_eq!(refuse(&mut stage, cut.into()), "");
}

#[test]
fn a_match_that_fails_within_a_deposit_says_why() {
    let mut stage = Stage::new();
    let requester = stage.requester.address();
    give_rlc(&mut stage, requester, 1);
    let mut orders = stage.signed(stage.offers());
    orders.request.salt = crate::stage::digest(1);
    let call = Rlc::approveAndCallCall {
        spender: stage.at.hub,
        value: U256::ONE,
        data: orders.call().abi_encode().into(),
    };
    let refused = stage.chain.refuse(requester, stage.at.token, &call);
    assert_eq!(refused, "iExecV5-matchOrders-0x50");
    let mut silent = stage.offers();
    silent.app.app = OTHER;
    silent.request.app = OTHER;
    let call = Rlc::approveAndCallCall {
        data: silent.call().abi_encode().into(),
        ..call
    };
    let refused = stage.chain.refuse(requester, stage.at.token, &call);
    assert_eq!(
        refused,
        Bytes::from(Hub::OperationFailed {}.abi_encode()).to_string()
    );
}

#[test]
fn only_the_configured_token_is_accepted() {
    let mut stage = Stage::new();
    let call = Hub::receiveApprovalCall {
        sender: OTHER,
        amount: U256::ONE,
        token_: OTHER,
        data: Bytes::new(),
    };
    let refused = stage.chain.refuse(OTHER, stage.at.hub, &call);
    assert_eq!(refused, "wrong-token");
}

#[test]
fn the_owner_recovers_what_was_sent_by_mistake() {
    let mut stage = Stage::new();
    let (hub, deployer) = (stage.at.hub, stage.deployer);
    give_rlc(&mut stage, hub, 77);
    let call = Hub::recoverCall {};
    let refused = stage.chain.refuse(OTHER, hub, &call);
    assert_eq!(refused, "Ownable: caller is not the owner");
    assert_eq!(stage.chain.act(deployer, hub, &call).value, U256::from(77));
    assert_eq!(stage.account(deployer).0, 77);
}

#[test]
fn unknown_calls_and_coins_are_refused() {
    let mut stage = Stage::new();
    let hub = stage.at.hub;
    for data in [&[][..], &[1], &[0x71, 0x50, 0x18, 0xa6]] {
        let refused = stage
            .chain
            .refuse_data(OTHER, hub, Bytes::copy_from_slice(data));
        assert_eq!(refused, "fallback-disabled");
    }
}

#[test]
fn the_hub_is_a_token() {
    let mut stage = Stage::new();
    let (hub, requester) = (stage.at.hub, stage.requester.address());
    let value = U256::from(10);
    let receipt = stage
        .chain
        .act(requester, hub, &Hub::transferCall { to: OTHER, value });
    assert_eq!(receipt.events(hub), ["Transfer"]);
    let nowhere = Hub::transferCall {
        to: Address::ZERO,
        value,
    };
    let refused = stage.chain.refuse(requester, hub, &nowhere);
    assert_eq!(refused, "ERC20: transfer to the zero address");
    let too_much = Hub::transferCall {
        to: requester,
        value: U256::from(11),
    };
    assert_eq!(stage.chain.refuse(OTHER, hub, &too_much), "");
    let grant = Hub::increaseAllowanceCall {
        spender: OTHER,
        value,
    };
    stage.chain.act(requester, hub, &grant);
    let take = Hub::transferFromCall {
        from: requester,
        to: OTHER,
        value: U256::from(4),
    };
    let receipt = stage.chain.act(OTHER, hub, &take);
    assert_eq!(receipt.events(hub), ["Transfer", "Approval"]);
    let ask = Hub::allowanceCall {
        account: requester,
        spender: OTHER,
    };
    assert_eq!(stage.chain.read(hub, &ask), U256::from(6));
    let shrink = Hub::decreaseAllowanceCall {
        spender: OTHER,
        value: U256::from(7),
    };
    assert_eq!(stage.chain.refuse(requester, hub, &shrink), "");
    let grow = Hub::increaseAllowanceCall {
        spender: OTHER,
        value: U256::MAX,
    };
    assert_eq!(stage.chain.refuse(requester, hub, &grow), "panic 0x11");
    assert_eq!(stage.account(requester).0, DEPOSIT - 14);
    assert_eq!(stage.account(OTHER).0, 14);
}

#[test]
fn the_hub_calls_whoever_was_approved() {
    let mut stage = Stage::new();
    let (hub, requester) = (stage.at.hub, stage.requester.address());
    let call = |spender| Hub::approveAndCallCall {
        spender,
        value: U256::ONE,
        data: <_>::default(),
    };
    for (answer, refused) in [(1_u8, false), (0, true)] {
        let spender = Address::repeat_byte(0x50 + answer);
        let word = alloy::primitives::B256::from(U256::from(answer));
        stage.chain.put_code(spender, crate::chain::answering(word));
        if refused {
            let reason = stage.chain.refuse(requester, hub, &call(spender));
            assert_eq!(reason, "approval-refused");
        } else {
            let receipt = stage.chain.act(requester, hub, &call(spender));
            assert_eq!(receipt.events(hub), ["Approval"]);
        }
    }
}
