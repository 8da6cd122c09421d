//! Small contracts that behave in one way each, as raw code at known addresses.
use alloy::primitives::{Address, B256, Bytes, U256, hex};

use crate::chain::{Chain, answering};

const fn at(number: u8) -> Address {
    let mut bytes = [0xc0; 20];
    bytes[19] = number;
    Address::new(bytes)
}

/// A wallet that accepts every signature (ERC-1271).
pub(crate) const WALLET: Address = at(1);
/// Answers zero: a wallet that accepts none, a group without members.
pub(crate) const ZERO: Address = at(2);
/// Answers one: a group of everybody, a spender that agrees.
pub(crate) const ONE: Address = at(3);
/// Answers two, which is no boolean.
pub(crate) const TWO: Address = at(4);
pub(crate) const REVERTS: Address = at(5);
pub(crate) const REVERTS_WITH_DATA: Address = at(6);
/// Accepts everything and answers nothing.
pub(crate) const SILENT: Address = at(7);
/// Answers 31 bytes.
pub(crate) const SHORT: Address = at(8);
/// Burns all gas it gets.
pub(crate) const BURNER: Address = at(9);
/// Logs what it is called with and answers nothing.
pub(crate) const ECHO: Address = at(10);
/// A callback that sends what it is told on to the hub, and logs how that went.
pub(crate) const RELAY: Address = at(11);
/// Claims to be an asset of [`WALLET`], but no registry knows it.
pub(crate) const IMPOSTOR: Address = at(12);
/// Claims to be an asset of nobody.
pub(crate) const ORPHAN: Address = at(13);
/// Takes ERC-721 tokens.
pub(crate) const RECEIVER: Address = at(14);
/// A hub of generation 3, where everyone has a score of at most 63.
pub(crate) const OLD_HUB: Address = at(15);
/// Where nothing is.
pub(crate) const NOTHING: Address = at(16);

/// Anything that may stand where a contract is expected.
pub(crate) const ALL: [Address; 16] = [
    WALLET,
    ZERO,
    ONE,
    TWO,
    REVERTS,
    REVERTS_WITH_DATA,
    SILENT,
    SHORT,
    BURNER,
    ECHO,
    RELAY,
    IMPOSTOR,
    ORPHAN,
    RECEIVER,
    OLD_HUB,
    NOTHING,
];

/// Puts all of them on a chain whose hub is at `hub`.
pub(crate) fn put(chain: &mut Chain, hub: Address) {
    let magic = |selector: [u8; 4]| {
        let mut word = B256::ZERO;
        word[..4].copy_from_slice(&selector);
        answering(word)
    };
    let number = |value: u64| answering(B256::from(U256::from(value)));
    let codes = [
        (WALLET, magic([0x16, 0x26, 0xba, 0x7e])),
        (ZERO, number(0)),
        (ONE, number(1)),
        (TWO, number(2)),
        (REVERTS, hex!("60006000fd").into()),
        (REVERTS_WITH_DATA, reverting_with_data()),
        (SILENT, hex!("00").into()),
        (SHORT, hex!("601f6000f3").into()),
        (BURNER, hex!("5b600056").into()),
        (ECHO, hex!("366000600037366000a000").into()),
        (RELAY, relay(hub)),
        (IMPOSTOR, answering(WALLET.into_word())),
        (ORPHAN, number(0)),
        (RECEIVER, magic([0x15, 0x0b, 0x7a, 0x02])),
        (OLD_HUB, hex!("600435603f1660005260206000f3").into()),
    ];
    for (address, code) in codes {
        chain.put_code(address, code);
    }
}

/// `receiveResult(bytes32, bytes)`: calls the hub with the bytes and logs whether that succeeded.
fn relay(hub: Address) -> Bytes {
    let copy = hex!("60443560646000376000600060443560006000");
    let call = [[0x73].as_slice(), hub.as_slice(), &hex!("5af1")].concat();
    let log = hex!("60005260206000a000");
    [copy.as_slice(), &call, &log].concat().into()
}

/// Stores a word and reverts with it.
fn reverting_with_data() -> Bytes {
    let mut word = [0; 32];
    word[..2].copy_from_slice(b"No");
    word[31] = 0xff;
    [[0x7f].as_slice(), &word, &hex!("60005260206000fd")]
        .concat()
        .into()
}
