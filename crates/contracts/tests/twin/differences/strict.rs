//! How closely arguments are looked at: the old compiler ignores what they have beyond their type,
//! the new one does not, and nobody looks at what is never read.
use alloy::sol_types::SolCall;
use contracts::{AppRegistry, DatasetRegistry, Hub, WorkerpoolRegistry};

use super::Case;
use crate::outcome::Outcome;

/// The functions of 6.1.0 that an old compiler has made and that take something narrow.
const LENIENT: &[([u8; 4], &str)] = &[
    of::<Hub::transferCall>(),
    of::<Hub::transferFromCall>(),
    of::<Hub::approveCall>(),
    of::<Hub::approveAndCallCall>(),
    of::<Hub::increaseAllowanceCall>(),
    of::<Hub::decreaseAllowanceCall>(),
    of::<Hub::depositForCall>(),
    of::<Hub::withdrawToCall>(),
    of::<Hub::receiveApprovalCall>(),
    of::<Hub::importScoreCall>(),
    of::<Hub::setTeeBrokerCall>(),
    of::<Hub::changeRegistriesCall>(),
    of::<Hub::configureCall>(),
    of::<AppRegistry::createAppCall>(),
    of::<AppRegistry::predictAppCall>(),
    of::<DatasetRegistry::createDatasetCall>(),
    of::<DatasetRegistry::predictDatasetCall>(),
    of::<WorkerpoolRegistry::createWorkerpoolCall>(),
    of::<WorkerpoolRegistry::predictWorkerpoolCall>(),
    of::<AppRegistry::isRegisteredCall>(),
    of::<AppRegistry::balanceOfCall>(),
    of::<AppRegistry::tokenOfOwnerByIndexCall>(),
    of::<AppRegistry::isApprovedForAllCall>(),
    of::<AppRegistry::setApprovalForAllCall>(),
    of::<AppRegistry::safeTransferFrom_0Call>(),
    of::<AppRegistry::safeTransferFrom_1Call>(),
    of::<AppRegistry::supportsInterfaceCall>(),
    of::<AppRegistry::setNameCall>(),
    of::<AppRegistry::initializeCall>(),
    of::<AppRegistry::transferOwnershipCall>(),
];

const fn of<C: SolCall>() -> ([u8; 4], &'static str) {
    (C::SELECTOR, C::SIGNATURE)
}

/// Refused by ours without a word, because an address, a boolean or the like is not clean.
pub(super) fn dirty(case: &Case<'_>) -> bool {
    let data = &case.tx.data;
    let function = LENIENT
        .iter()
        .find(|(selector, _)| data.starts_with(selector));
    let dirty = function.is_some_and(|(_, signature)| has_dirty_word(signature, &data[4..]));
    dirty && case.ours.is_silent() && !case.theirs.is_silent()
}

/// A decoder that reads everything refuses it, and one of the two does; or both do, for another
/// fault each, since they look at them in another order.
pub(super) fn unread(case: &Case<'_>) -> bool {
    let refused = |one: &Outcome| one.is_silent() || one.refused_with("panic 0x41");
    let both_refused = !case.theirs.success && !case.ours.success;
    let one_refused = refused(case.theirs) || refused(case.ours);
    (one_refused || both_refused) && case.ours != case.theirs && is_malformed(&case.tx.data)
}

/// Of the functions that take orders.
fn is_malformed(data: &[u8]) -> bool {
    let selector = data.get(..4).unwrap_or_default();
    let checks: [Check; 14] = [
        check::<Hub::matchOrdersCall>(),
        check::<Hub::sponsorMatchOrdersCall>(),
        check::<Hub::computeDealVolumeCall>(),
        check::<Hub::assertDatasetDealCompatibilityCall>(),
        check::<Hub::manageAppOrderCall>(),
        check::<Hub::manageDatasetOrderCall>(),
        check::<Hub::manageWorkerpoolOrderCall>(),
        check::<Hub::manageRequestOrderCall>(),
        check::<Hub::broadcastAppOrderCall>(),
        check::<Hub::broadcastDatasetOrderCall>(),
        check::<Hub::broadcastWorkerpoolOrderCall>(),
        check::<Hub::broadcastRequestOrderCall>(),
        check::<Hub::matchOrdersBoostCall>(),
        check::<Hub::sponsorMatchOrdersBoostCall>(),
    ];
    let check = checks.iter().find(|(known, _)| known == selector);
    check.is_some_and(|(_, is_malformed)| is_malformed(&data[4..]))
}

/// A selector, and whether a strict decoder refuses arguments of its function.
type Check = ([u8; 4], fn(&[u8]) -> bool);

fn check<C: SolCall>() -> Check {
    (C::SELECTOR, |arguments| {
        C::abi_decode_raw_validate(arguments).is_err()
    })
}

/// All functions here have arguments of one word each, be it a value or an offset.
fn has_dirty_word(signature: &str, words: &[u8]) -> bool {
    let types = signature[signature.find('(').unwrap_or_default()..]
        .trim_matches(['(', ')'])
        .split(',');
    types.zip(words.chunks(32)).any(|(kind, word)| match kind {
        "address" => word.iter().take(12).any(|byte| *byte != 0),
        "bool" => word.iter().take(31).any(|byte| *byte != 0) || word.get(31) > Some(&1),
        "uint8" => word.iter().take(31).any(|byte| *byte != 0),
        "bytes4" => word.iter().skip(4).any(|byte| *byte != 0),
        _ => false,
    })
}
