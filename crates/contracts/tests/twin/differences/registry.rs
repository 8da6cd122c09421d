//! OpenZeppelin 3 in 6.1.0, OpenZeppelin 5 in 6.2.0, whose answers ours gives.
use alloy::primitives::{Address, B256};
use alloy::sol_types::{SolCall, SolError, SolEvent};
use contracts::AppRegistry;

use super::{Case, is_registry, transfer};

/// What each message became. Checks come in another order as well, so that a transfer with several
/// faults may be refused for another of them.
const ERRORS: [(&str, &[[u8; 4]]); 15] = {
    use AppRegistry as R;
    const TRANSFER: &[[u8; 4]] = &[
        R::ERC721NonexistentToken::SELECTOR,
        R::ERC721InsufficientApproval::SELECTOR,
        R::ERC721IncorrectOwner::SELECTOR,
        R::ERC721InvalidReceiver::SELECTOR,
    ];
    const UNKNOWN: &[[u8; 4]] = &[R::ERC721NonexistentToken::SELECTOR];
    const BOUNDS: &[[u8; 4]] = &[R::ERC721OutOfBoundsIndex::SELECTOR];
    const RECEIVER: &[[u8; 4]] = &[R::ERC721InvalidReceiver::SELECTOR];
    [
        (
            "ERC721: balance query for the zero address",
            &[R::ERC721InvalidOwner::SELECTOR],
        ),
        ("ERC721: owner query for nonexistent token", UNKNOWN),
        ("ERC721: approved query for nonexistent token", UNKNOWN),
        ("ERC721Metadata: URI query for nonexistent token", UNKNOWN),
        ("ERC721: operator query for nonexistent token", TRANSFER),
        (
            "ERC721: transfer caller is not owner nor approved",
            TRANSFER,
        ),
        ("ERC721: transfer of token that is not own", TRANSFER),
        ("ERC721: transfer to the zero address", TRANSFER),
        (
            "ERC721: transfer to non ERC721Receiver implementer",
            RECEIVER,
        ),
        (
            "ERC721: approve caller is not owner nor approved for all",
            &[R::ERC721InvalidApprover::SELECTOR],
        ),
        (
            "ERC721: approval to current owner",
            &[R::ERC721InvalidApprover::SELECTOR],
        ),
        ("ERC721: mint to the zero address", RECEIVER),
        ("EnumerableMap: index out of bounds", BOUNDS),
        ("EnumerableSet: index out of bounds", BOUNDS),
        (
            "Ownable: new owner is the zero address",
            &[R::OwnableInvalidOwner::SELECTOR],
        ),
    ]
};

pub(super) fn custom_error(case: &Case<'_>) -> bool {
    let reason = case.theirs.reason();
    let known = ERRORS.iter().find(|(message, _)| *message == reason);
    let selector = case.ours.data.get(..4).unwrap_or_default();
    let renamed = known.is_some_and(|(_, errors)| errors.iter().any(|one| one == selector));
    // A receiver that answers too little is not caught by the newer code.
    let silent =
        reason == "ERC721: transfer to non ERC721Receiver implementer" && case.ours.is_silent();
    is_registry(case) && !case.ours.success && !case.theirs.success && (renamed || silent)
}

/// 6.1.0 says that the approval of a token ends when it is sold.
pub(super) fn no_approval_event(case: &Case<'_>) -> bool {
    let Some(sale) = transfer(case.tx).filter(|_| is_registry(case)) else {
        return false;
    };
    let mut logs = case.theirs.logs.clone();
    let end = [
        AppRegistry::Approval::SIGNATURE_HASH,
        sale.from.into_word(),
        B256::ZERO,
        sale.tokenId.into(),
    ];
    let position = logs.iter().position(|log| log.data.topics() == end);
    if let Some(position) = position {
        logs.remove(position);
    }
    let both = case.ours.success && case.theirs.success;
    both && position.is_some() && sale.from != sale.to && case.ours.logs == logs
}

pub(super) fn sale_to_oneself(case: &Case<'_>) -> bool {
    let sale = transfer(case.tx).filter(|_| is_registry(case));
    sale.is_some_and(|sale| sale.from == sale.to) && case.ours.success && case.theirs.success
}

pub(super) fn approval_of_oneself(case: &Case<'_>) -> bool {
    let token = case
        .theirs
        .refused_with("ERC721: approval to current owner");
    let all = case.theirs.refused_with("ERC721: approve to caller");
    is_registry(case) && case.ours.success && (token || all)
}

pub(super) fn approval_of_nobody(case: &Case<'_>) -> bool {
    let call = AppRegistry::setApprovalForAllCall::abi_decode(&case.tx.data);
    let nobody = call.is_ok_and(|call| call.operator == Address::ZERO);
    let error = AppRegistry::ERC721InvalidOperator {
        operator: Address::ZERO,
    };
    is_registry(case) && nobody && case.theirs.success && case.ours.data == error.abi_encode()
}
