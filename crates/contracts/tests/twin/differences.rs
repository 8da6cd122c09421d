//! Where ours is meant to answer differently from 6.1.0, and nothing else.
//!
//! References are to spec/contracts.md: §0 says what 6.2.0 changed, §20 what ours mends.
use alloy::primitives::{Address, Bytes, FixedBytes, Log, U256};
use alloy::sol_types::{SolCall, SolError};
use contracts::{AppRegistry, Hub};

use crate::cast::Cast;
use crate::chain::Tx;
use crate::known::Known;
use crate::mocks;
use crate::outcome::Outcome;

mod registry;
mod strict;

/// One transaction and what both worlds made of it.
pub(crate) struct Case<'a> {
    pub(crate) tx: &'a Tx,
    pub(crate) ours: &'a Outcome,
    pub(crate) theirs: &'a Outcome,
    pub(crate) known: &'a Known,
    pub(crate) cast: &'a Cast,
}

/// What happens to a transaction with a known difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is undone in both worlds, which would not be the same afterwards.
    Drop,
    /// It stays: only what is said differs, not what is so afterwards.
    Keep,
}

pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    pub(crate) then: Then,
    covers: fn(&Case<'_>) -> bool,
}

pub(crate) const TABLE: &[Difference] = &[
    Difference {
        name: "frameworks of a dataset's tag",
        why: "6.2.0 ignores bits 1 to 3 of the tag of a dataset order (§0)",
        then: Then::Drop,
        covers: frameworks,
    },
    Difference {
        name: "receiveApproval does what its data ask for",
        why: "6.1.0 ignores them (§0); what they can ask for is compared by a step of its own",
        then: Then::Drop,
        covers: approval_data,
    },
    Difference {
        name: "nothing is signed by nobody",
        why: "6.1.0 takes a malformed signature for one of the zero address (§20.9)",
        then: Then::Drop,
        covers: signed_by_nobody,
    },
    Difference {
        name: "an account with code signs with its key",
        why: "6.1.0 asks the code alone, so who delegates (EIP-7702) cannot sign (§20.10)",
        then: Then::Drop,
        covers: signed_with_code,
    },
    Difference {
        name: "only the token asks for a deposit",
        why: "with 6.1.0 a stranger can spend an allowance (§20.11)",
        then: Then::Drop,
        covers: approval_by_a_stranger,
    },
    Difference {
        name: "no time reference beyond 17 years",
        why: "ours keeps it in 29 bits (docs/contracts.md)",
        then: Then::Drop,
        covers: long_category,
    },
    Difference {
        name: "nobody works for nothing",
        why: "no transaction comes from the zero address, so ours does not refuse to pay it",
        then: Then::Drop,
        covers: work_of_nobody,
    },
    Difference {
        name: "a sponsored deal of Boost is paid by its sponsor",
        why: "6.1.0 takes what the requester has locked for other deals, or fails (§20.20)",
        then: Then::Drop,
        covers: paid_by_the_requester,
    },
    Difference {
        name: "a match of Boost locks nothing for a dataset that is not there",
        why: "6.1.0 locks its price and never gives it back (docs/contracts.md)",
        then: Then::Drop,
        covers: paid_for_no_dataset,
    },
    Difference {
        name: "a caller that comes back comes back as often as its gas allows",
        why: "each turn takes less gas with ours; nothing else ends this recursion",
        then: Then::Drop,
        covers: recursion,
    },
    Difference {
        name: "a panic instead of an invalid instruction",
        why: "6.1.0 has facets of an old compiler; 6.2.0 compiles all with a new one (§0)",
        then: Then::Drop,
        covers: panics,
    },
    Difference {
        name: "a panic instead of silence when numbers overflow",
        why: "the old compiler has a library for that; 6.2.0 has the new one's checks (§0)",
        then: Then::Drop,
        covers: overflows,
    },
    Difference {
        name: "addresses with dirty bytes are refused",
        why: "the old compiler cuts them off; 6.2.0 and ours are compiled by a new one (§0)",
        then: Then::Drop,
        covers: strict::dirty,
    },
    Difference {
        name: "no reason for a length beyond all memory",
        why: "who copies arguments to memory panics first, who reads them in place does not",
        then: Then::Drop,
        covers: absurd_length,
    },
    Difference {
        name: "what nobody reads may be malformed",
        why: "each reads some arguments in place, and so does not look at all of them",
        then: Then::Drop,
        covers: strict::unread,
    },
    Difference {
        name: "custom errors of the registries",
        why: "6.2.0 has another ERC-721 (§0)",
        then: Then::Drop,
        covers: registry::custom_error,
    },
    Difference {
        name: "no event for an approval that ends with a sale",
        why: "6.2.0 has another ERC-721 (§0)",
        then: Then::Keep,
        covers: registry::no_approval_event,
    },
    Difference {
        name: "a sale to oneself keeps the order of one's list",
        why: "6.2.0 has another ERC-721 (§0)",
        then: Then::Drop,
        covers: registry::sale_to_oneself,
    },
    Difference {
        name: "an approval of oneself",
        why: "6.2.0 has another ERC-721, which does not mind (§0)",
        then: Then::Drop,
        covers: registry::approval_of_oneself,
    },
    Difference {
        name: "no approval of nobody for everything",
        why: "6.2.0 has another ERC-721 (§0)",
        then: Then::Drop,
        covers: registry::approval_of_nobody,
    },
];

/// The entry that explains why both answers are not the same.
pub(crate) fn explain(case: &Case<'_>) -> Option<&'static Difference> {
    if same_and_harmless(case) {
        return None;
    }
    TABLE.iter().find(|difference| (difference.covers)(case))
}

/// Frameworks show in the tag of the deal and in no event: only they need a look at success.
fn same_and_harmless(case: &Case<'_>) -> bool {
    case.ours == case.theirs && !(case.ours.success && has_foreign_frameworks(case.tx))
}

fn orders(tx: &Tx) -> Option<Hub::matchOrdersCall> {
    let selector = tx.data.get(..4)?;
    let matches = selector == Hub::matchOrdersCall::SELECTOR
        || selector == Hub::sponsorMatchOrdersCall::SELECTOR;
    matches.then(|| Hub::matchOrdersCall::abi_decode_raw(&tx.data[4..]).ok())?
}

/// Bits for Scone, Gramine and TDX.
const FRAMEWORKS: u64 = 0x0e;

/// Whether a dataset names frameworks that nobody else does.
pub(crate) fn has_foreign_frameworks(tx: &Tx) -> bool {
    orders(tx).is_some_and(|orders| {
        let others = orders.apporder.tag | orders.requestorder.tag;
        let foreign = U256::from_be_bytes((orders.datasetorder.tag & !others).0);
        !(foreign & U256::from(FRAMEWORKS)).is_zero()
    })
}

/// The tag of the dataset order where the rest cannot be decoded: the fourth word of the order
/// that the second argument points to.
fn raw_dataset_tag(data: &[u8]) -> Option<U256> {
    let arguments = data.get(4..)?;
    let start = usize::try_from(U256::try_from_be_slice(arguments.get(32..64)?)?).ok()?;
    let from = start.checked_add(96)?;
    U256::try_from_be_slice(arguments.get(from..from.checked_add(32)?)?)
}

fn frameworks(case: &Case<'_>) -> bool {
    if case.theirs.refused_with("iExecV5-matchOrders-0x06") && orders(case.tx).is_none() {
        let tag = raw_dataset_tag(&case.tx.data).unwrap_or_default();
        return !(tag & U256::from(FRAMEWORKS)).is_zero();
    }
    if has_foreign_frameworks(case.tx) {
        let both = case.ours.success && case.theirs.success;
        return both || case.theirs.refused_with("iExecV5-matchOrders-0x06");
    }
    let asserted = Hub::assertDatasetDealCompatibilityCall::abi_decode(&case.tx.data);
    asserted.is_ok_and(|call| {
        let named = U256::from_be_bytes(call.datasetOrder.tag.0) & U256::from(FRAMEWORKS);
        case.ours.success
            && !named.is_zero()
            && contains(case.theirs, b"Tag compatibility not satisfied")
    })
}

alloy::sol! {
    error UnsupportedOperation(bytes4 selector);
    error CallerIsNotTheRequester();
}

/// Why `receiveApproval` of 6.2.0 does not even try to make a deal (spec/contracts.md §8.1).
pub(crate) fn refusal(sender: Address, data: &Bytes) -> Option<Bytes> {
    let Some(selector) = data.get(..4) else {
        return Some(Bytes::new());
    };
    if selector != Hub::matchOrdersCall::SELECTOR {
        let selector = FixedBytes::from_slice(selector);
        return Some(UnsupportedOperation { selector }.abi_encode().into());
    }
    match Hub::matchOrdersCall::abi_decode(data) {
        Err(_) => Some(Bytes::new()),
        Ok(call) if call.requestorder.requester != sender => {
            Some(CallerIsNotTheRequester {}.abi_encode().into())
        }
        Ok(_) => None,
    }
}

fn approval_data(case: &Case<'_>) -> bool {
    let call = Hub::receiveApprovalCall::abi_decode(&case.tx.data);
    let refusal = call.ok().and_then(|call| match call.data.is_empty() {
        true => None,
        false => refusal(call.sender, &call.data),
    });
    case.theirs.success && !case.ours.success && refusal.as_ref() == Some(&case.ours.data)
}

fn contains(outcome: &Outcome, text: &[u8]) -> bool {
    outcome
        .data
        .windows(text.len())
        .any(|window| window == text)
}

/// Who the orders or the question of a call are signed by.
fn signers(case: &Case<'_>) -> Vec<Address> {
    let data = &case.tx.data;
    if let Ok(call) = Hub::verifySignatureCall::abi_decode(data) {
        return vec![call.account];
    }
    if let Ok(call) = Hub::verifyPresignatureOrSignatureCall::abi_decode(data) {
        return vec![call.account];
    }
    if let Ok(call) = Hub::manageRequestOrderCall::abi_decode(data) {
        return vec![call.requestorderoperation.order.requester];
    }
    if let Some(orders) = orders(case.tx).or_else(|| boost_orders(case.tx)) {
        return vec![orders.requestorder.requester];
    }
    // What is no asset may say that its owner is nobody.
    let owner = |entry| case.known.owners.get(&entry).copied();
    let owner = |entry| owner(entry).unwrap_or(Address::ZERO);
    managed_entry(data).map(owner).into_iter().collect()
}

/// The asset that an order management or an assertion is about.
fn managed_entry(data: &Bytes) -> Option<Address> {
    if let Ok(call) = Hub::manageAppOrderCall::abi_decode(data) {
        return Some(call.apporderoperation.order.app);
    }
    if let Ok(call) = Hub::manageDatasetOrderCall::abi_decode(data) {
        return Some(call.datasetorderoperation.order.dataset);
    }
    if let Ok(call) = Hub::manageWorkerpoolOrderCall::abi_decode(data) {
        return Some(call.workerpoolorderoperation.order.workerpool);
    }
    let call = Hub::assertDatasetDealCompatibilityCall::abi_decode(data);
    call.ok().map(|call| call.datasetOrder.dataset)
}

/// Whether `accepting` took a signature that `refusing` did not.
fn disagree(accepting: &Outcome, refusing: &Outcome) -> bool {
    let answers = [accepting, refusing].map(|one| one.success.then(|| one.data.last()).flatten());
    let refused = refusing.refused_with("iExecV5-matchOrders-0x50")
        || refusing.refused_with("PocoBoost: Invalid request order signature")
        || refusing.refused_with("invalid-sender-or-signature")
        || contains(refusing, b"Invalid dataset order signature");
    answers == [Some(&1), Some(&0)] || (refused && accepting != refusing)
}

fn signed_by_nobody(case: &Case<'_>) -> bool {
    disagree(case.theirs, case.ours) && signers(case).contains(&Address::ZERO)
}

fn signed_with_code(case: &Case<'_>) -> bool {
    disagree(case.ours, case.theirs) && signers(case).contains(&case.cast.delegating)
}

fn approval_by_a_stranger(case: &Case<'_>) -> bool {
    case.tx
        .data
        .starts_with(&Hub::receiveApprovalCall::SELECTOR)
        && case.tx.to == case.known.places.at.hub
        && case.tx.from != case.known.places.at.token
        && case.ours.refused_with("wrong-token")
}

/// What ours accepts as `workClockTimeRef`, in seconds.
const CLOCK_MAX: u64 = 1 << 29;

fn long_category(case: &Case<'_>) -> bool {
    let call = Hub::createCategoryCall::abi_decode(&case.tx.data);
    let long = call.is_ok_and(|call| call.workClockTimeRef > U256::from(CLOCK_MAX));
    long && case.theirs.success && case.ours.is_silent()
}

/// The mock sends what it receives back to the hub, which sends coins back to the mock.
fn recursion(case: &Case<'_>) -> bool {
    let turns = |outcome: &Outcome| {
        let to_relay = |log: &&Log| log.topics().get(2) == Some(&mocks::RELAY.into_word());
        outcome.logs.iter().filter(to_relay).count()
    };
    let both = case.ours.success && case.theirs.success;
    both && turns(case.ours).min(turns(case.theirs)) >= TURNS_MIN
}

/// Nobody sends coins to the mock so often in one transaction unless it goes on by itself.
const TURNS_MIN: usize = 8;

fn work_of_nobody(case: &Case<'_>) -> bool {
    let refused = case
        .theirs
        .refused_with("IexecEscrow: Transfer to empty address");
    case.tx.from.is_zero() && refused
}

/// Only the first event, the seizure, names who pays.
fn paid_by_the_requester(case: &Case<'_>) -> bool {
    let rest = |outcome: &Outcome| outcome.logs.get(1..).map(<[Log]>::to_vec);
    let other_payer = case.theirs.success && rest(case.ours) == rest(case.theirs);
    // The payment comes before the callback, so either may fail first.
    let settled = case.ours.success || case.ours.reason().starts_with("PocoBoost: ");
    case.tx
        .data
        .starts_with(&Hub::pushResultBoostCall::SELECTOR)
        && settled
        && (other_payer || case.theirs.refused_with("panic 0x11"))
}

fn boost_orders(tx: &Tx) -> Option<Hub::matchOrdersCall> {
    let selector = tx.data.get(..4)?;
    let matches = selector == Hub::matchOrdersBoostCall::SELECTOR
        || selector == Hub::sponsorMatchOrdersBoostCall::SELECTOR;
    matches.then(|| Hub::matchOrdersCall::abi_decode_raw(&tx.data[4..]).ok())?
}

fn paid_for_no_dataset(case: &Case<'_>) -> bool {
    boost_orders(case.tx).is_some_and(|call| {
        call.requestorder.dataset.is_zero() && !call.datasetorder.datasetprice.is_zero()
    })
}

fn panics(case: &Case<'_>) -> bool {
    let all_burnt = case.theirs.gas > machine::GAS / 64 * 63;
    case.theirs.is_silent() && all_burnt && case.ours.reason().starts_with("panic")
}

/// Of the facets that the old compiler has made.
fn overflows(case: &Case<'_>) -> bool {
    let old = [
        Hub::increaseAllowanceCall::SELECTOR,
        Hub::recoverCall::SELECTOR,
        Hub::depositForArrayCall::SELECTOR,
    ];
    old.iter()
        .any(|selector| case.tx.data.starts_with(selector))
        && case.theirs.is_silent()
        && case.ours.refused_with("panic 0x11")
}

fn absurd_length(case: &Case<'_>) -> bool {
    let outcomes = [case.ours, case.theirs];
    outcomes.iter().any(|one| one.refused_with("panic 0x41"))
        && outcomes.iter().any(|one| one.is_silent())
}

fn is_registry(case: &Case<'_>) -> bool {
    let at = case.known.places.at;
    [at.app_registry, at.dataset_registry, at.workerpool_registry].contains(&case.tx.to)
}

fn transfer(tx: &Tx) -> Option<AppRegistry::transferFromCall> {
    let selector = tx.data.get(..4)?;
    let transfers = [
        AppRegistry::transferFromCall::SELECTOR,
        AppRegistry::safeTransferFrom_0Call::SELECTOR,
        AppRegistry::safeTransferFrom_1Call::SELECTOR,
    ];
    let known = transfers.iter().any(|transfer| transfer == selector);
    known.then(|| AppRegistry::transferFromCall::abi_decode_raw(tx.data.get(4..100)?).ok())?
}
