// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Where things lie in packed storage words. Bits are counted from the lowest.

/// An account: free nRLC (96), locked nRLC (96), score (64). The supply of the hub stays below
/// 2^96, so no amount can run into its neighbour.
library AccountWord {
    uint256 internal constant AMOUNT = type(uint96).max;
    uint256 internal constant LOCKED_AT = 96;
    uint256 internal constant SCORE_AT = 192;

    function free(uint256 word) internal pure returns (uint256) {
        return word & AMOUNT;
    }

    function locked(uint256 word) internal pure returns (uint256) {
        return (word >> LOCKED_AT) & AMOUNT;
    }

    function score(uint256 word) internal pure returns (uint256) {
        return word >> SCORE_AT;
    }
}

/// What the hub itself holds: its balance, which is everything locked and what was sent to it by
/// mistake (96), the locked amount of the kitty (96), and how many contracts the hub has made
/// (64), which is its own nonce less one. Every settlement touches two of them.
library Vault {
    uint256 internal constant AMOUNT = type(uint96).max;
    uint256 internal constant KITTY_AT = 96;
    uint256 internal constant CREATIONS_AT = 192;
    uint256 internal constant CREATION = 1 << CREATIONS_AT;

    function balance(uint256 word) internal pure returns (uint256) {
        return word & AMOUNT;
    }

    function kitty(uint256 word) internal pure returns (uint256) {
        return (word >> KITTY_AT) & AMOUNT;
    }

    /// The nonce of the next contract the hub makes: a new contract starts with nonce 1.
    function nextNonce(uint256 word) internal pure returns (uint256) {
        return (word >> CREATIONS_AT) + 1;
    }
}

/// An order: who presigned it (160), how much of it is consumed (95), and whether that number is
/// too large and stands in `_wideConsumed` instead (1).
library OrderWord {
    uint256 internal constant CONSUMED_AT = 160;
    uint256 internal constant CONSUMED = type(uint256).max >> 161;
    uint256 internal constant WIDE = 1 << 255;

    function signer(uint256 word) internal pure returns (address) {
        return address(uint160(word));
    }

    function consumed(uint256 word) internal pure returns (uint256) {
        return (word >> CONSUMED_AT) & CONSUMED;
    }
}

/// Where a deal is: the number of its contract (40), and what only readers of a deal need:
/// category (16), first index (32), app (160). The rest is in {DealCode}.
library DealWord {
    uint256 internal constant NUMBER = type(uint40).max;
    uint256 internal constant CATEGORY_AT = 40;
    uint256 internal constant FIRST_AT = 56;
    uint256 internal constant APP_AT = 96;

    function number(uint256 word) internal pure returns (uint256) {
        return word & NUMBER;
    }

    function category(uint256 word) internal pure returns (uint256) {
        return uint16(word >> CATEGORY_AT);
    }

    function first(uint256 word) internal pure returns (uint256) {
        return uint32(word >> FIRST_AT);
    }

    function app(uint256 word) internal pure returns (address) {
        return address(uint160(word >> APP_AT));
    }
}

/// A task: state (3), several (1), then
/// - a task that trusts one worker: revealed (1), enclave (1), log2 of the weight (6),
///   index (16), deal (36), delay (32), worker (160);
/// - a task that may have several contributions: wide index (1), 7 unused, index (16),
///   deal (36), delay (32), contributions (16), winners (16), reveals (16), and the position of
///   the contribution that holds the consensus plus one (16);
/// - a task done in a bag: 8 unused, position in the bag (16), deal (36), bag (40);
/// - a task of PoCo Boost: nothing more.
/// `index` counts from the first of the deal; `deal` and `bag` are numbers of contracts; `delay`
/// is the time of the consensus in seconds after the start of the deal.
library TaskWord {
    uint256 internal constant STATE = 7;
    // States 0 to 4 are the published ones; completed tasks differ by how their results are kept.
    uint256 internal constant LINKED = 3;
    uint256 internal constant INLINE = 5;
    uint256 internal constant STORED = 6;
    uint256 internal constant BAGGED = 7;

    uint256 internal constant SEVERAL = 1 << 3;
    uint256 internal constant REVEALED = 1 << 4;
    uint256 internal constant WIDE_INDEX = 1 << 4;
    uint256 internal constant ENCLAVE = 1 << 5;
    uint256 internal constant WEIGHT_AT = 6;
    uint256 internal constant INDEX_AT = 12;
    uint256 internal constant INDEX_MAX = type(uint16).max;
    uint256 internal constant DEAL_AT = 28;
    uint256 internal constant DEAL_MAX = (1 << 36) - 1;
    uint256 internal constant DELAY_AT = 64;
    uint256 internal constant WORKER_AT = 96;
    uint256 internal constant COUNT_AT = 96;
    uint256 internal constant WINNERS_AT = 112;
    uint256 internal constant REVEALS_AT = 128;
    uint256 internal constant CONSENSUS_AT = 144;
    uint256 internal constant BAG_AT = 64;
    uint256 internal constant COUNT_MAX = type(uint16).max;
    // What a reopened task forgets.
    uint256 internal constant ROUND = (uint256(type(uint32).max) << DELAY_AT)
        | (((1 << 48) - 1) << WINNERS_AT);

    function state(uint256 word) internal pure returns (uint256) {
        return word & STATE;
    }

    /// The state as published.
    function status(uint256 word) internal pure returns (uint8) {
        uint256 kept = word & STATE;
        return uint8(kept > 4 ? 3 : kept);
    }

    function withState(uint256 word, uint256 state_) internal pure returns (uint256) {
        return (word & ~STATE) | state_;
    }

    function weight(uint256 word) internal pure returns (uint256) {
        return (word >> WEIGHT_AT) & 63;
    }

    function index(uint256 word) internal pure returns (uint256) {
        return uint16(word >> INDEX_AT);
    }

    function deal(uint256 word) internal pure returns (uint256) {
        return (word >> DEAL_AT) & DEAL_MAX;
    }

    function delay(uint256 word) internal pure returns (uint256) {
        return uint32(word >> DELAY_AT);
    }

    function worker(uint256 word) internal pure returns (address) {
        return address(uint160(word >> WORKER_AT));
    }

    function count(uint256 word) internal pure returns (uint256) {
        return uint16(word >> COUNT_AT);
    }

    function winners(uint256 word) internal pure returns (uint256) {
        return uint16(word >> WINNERS_AT);
    }

    function reveals(uint256 word) internal pure returns (uint256) {
        return uint16(word >> REVEALS_AT);
    }

    /// Position plus one; zero when there is no consensus.
    function consensus(uint256 word) internal pure returns (uint256) {
        return uint16(word >> CONSENSUS_AT);
    }

    function bag(uint256 word) internal pure returns (uint256) {
        return uint40(word >> BAG_AT);
    }
}

/// One contribution of several: worker (160), status (8), enclave (8), position of the first
/// contribution with the same result (16), weight (64).
library ContributionWord {
    uint256 internal constant STATUS_AT = 160;
    uint256 internal constant ENCLAVE = 1 << 168;
    uint256 internal constant FIRST_AT = 176;
    uint256 internal constant WEIGHT_AT = 192;
    uint256 internal constant STATUS = 0xff << STATUS_AT;

    function worker(uint256 word) internal pure returns (address) {
        return address(uint160(word));
    }

    function status(uint256 word) internal pure returns (uint256) {
        return uint8(word >> STATUS_AT);
    }

    function withStatus(uint256 word, uint256 status_) internal pure returns (uint256) {
        return (word & ~STATUS) | (status_ << STATUS_AT);
    }

    function first(uint256 word) internal pure returns (uint256) {
        return uint16(word >> FIRST_AT);
    }

    function weight(uint256 word) internal pure returns (uint256) {
        return word >> WEIGHT_AT;
    }
}
