// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Category} from "./Types.sol";
import {IToken, IRegistry, IScoreSource} from "./External.sol";

uint256 constant CONTRIBUTION_DEADLINE_RATIO = 7;
uint256 constant REVEAL_DEADLINE_RATIO = 2;
uint256 constant FINAL_DEADLINE_RATIO = 10;
uint256 constant WORKERPOOL_STAKE_RATIO = 30;
uint256 constant KITTY_RATIO = 10;
uint256 constant KITTY_MIN = 1_000_000_000;
uint256 constant GROUPMEMBER_PURPOSE = 4;
uint256 constant CALLBACK_GAS_DEFAULT = 200_000;
address constant KITTY_ADDRESS = 0x99c2268479b93fDe36232351229815DF80837e23;

// Bit of a tag that asks for a trusted execution environment.
bytes32 constant TAG_TEE = bytes32(uint256(1));
// Bits that name a TEE framework; a dataset does not insist on one.
bytes32 constant TAG_TEE_FRAMEWORKS = bytes32(uint256(0xe));

uint8 constant TASK_ACTIVE = 1;
uint8 constant TASK_REVEALING = 2;
uint8 constant TASK_COMPLETED = 3;
uint8 constant TASK_FAILED = 4;

uint8 constant CONTRIBUTION_CONTRIBUTED = 1;
uint8 constant CONTRIBUTION_PROVED = 2;
uint8 constant CONTRIBUTION_REJECTED = 3;

// Longest `workClockTimeRef` in seconds (17 years): seven of it still fit in the 32 bits a task
// has for the moment of its consensus.
uint256 constant WORK_CLOCK_MAX = 1 << 29;
// A deal names its category in 16 bits.
uint256 constant CATEGORIES_MAX = 1 << 16;
// An account keeps its score in 64 bits; this leaves room to grow by one for each task.
uint256 constant SCORE_MAX = 1 << 63;

/// A contribution. `hash` is only stored by the first contribution of those with the same result
/// and is replaced by the digest once one of them is revealed; `seal` is cleared by the reveal.
/// Both can be computed from the digest from then on. `word`: see {ContributionWord}; the only
/// contribution of a task that trusts one worker has none, see {TaskWord}.
struct ContributionData {
    uint256 word;
    bytes32 hash;
    bytes32 seal;
    address enclave;
}

/// A task. `word`: see {TaskWord}; `results`: see {Results}; `index` is used when the index of
/// the task does not fit in the word.
struct TaskData {
    uint256 word;
    bytes32 results;
    uint256 index;
    mapping(uint256 position => ContributionData) contributions;
}

/// The state that the hub and its extensions share: all inherit this contract first, so that
/// the layout is the same when an extension runs inside the hub by delegatecall.
abstract contract HubStorage {
    address internal _owner;
    IToken internal _token;
    IRegistry internal _appRegistry;
    IRegistry internal _datasetRegistry;
    IRegistry internal _workerpoolRegistry;
    IScoreSource internal _scoreSource;
    address internal _teeBroker;
    uint8 internal _decimals;
    uint256 internal _callbackGas;
    bytes32 internal _domainSeparator;
    uint256 internal _totalSupply;
    /// See {Vault}.
    uint256 internal _vault;
    string internal _name;
    string internal _symbol;
    /// See {AccountWord}.
    mapping(address account => uint256) internal _accounts;
    mapping(address account => mapping(address spender => uint256)) internal _allowances;
    /// See {OrderWord}.
    mapping(bytes32 orderHash => uint256) internal _orders;
    mapping(bytes32 orderHash => uint256 volume) internal _wideConsumed;
    /// See {DealWord}.
    mapping(bytes32 dealid => uint256) internal _deals;
    mapping(bytes32 taskid => TaskData) internal _tasks;
    mapping(address worker => bool) internal _scoreImported;
    Category[] internal _categories;
    /// `workClockTimeRef` plus one, so that zero says that there is no such category.
    mapping(uint256 catid => uint256) internal _clocks;
    /// See {BoostWord}.
    mapping(bytes32 dealid => uint256) internal _boostDeals;
}
