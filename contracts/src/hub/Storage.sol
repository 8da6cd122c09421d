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

uint8 constant TASK_UNSET = 0;
uint8 constant TASK_ACTIVE = 1;
uint8 constant TASK_REVEALING = 2;
uint8 constant TASK_COMPLETED = 3;
uint8 constant TASK_FAILED = 4;

uint8 constant CONTRIBUTION_UNSET = 0;
uint8 constant CONTRIBUTION_CONTRIBUTED = 1;
uint8 constant CONTRIBUTION_PROVED = 2;
uint8 constant CONTRIBUTION_REJECTED = 3;

// Which optional slots of a deal are in use.
uint8 constant DEAL_DATASET = 1;
uint8 constant DEAL_BENEFICIARY = 2;
uint8 constant DEAL_CALLBACK = 4;
uint8 constant DEAL_WIDE_TRUST = 8;
uint8 constant DEAL_WIDE_STAKE = 16;

/// One slot per account. The supply of the hub is kept below 2^96, so nothing can overflow.
struct Balance {
    uint128 free;
    uint128 locked;
}

/// A deal in seven slots; what follows `tag` is only written when `extras` says so. Prices fit
/// because a deal whose price exceeds the supply cannot be funded.
struct DealData {
    address app;
    uint96 appPrice;
    address appOwner;
    uint48 startTime;
    uint48 timeref;
    address workerpool;
    uint96 workerpoolPrice;
    address workerpoolOwner;
    uint96 workerStake;
    address requester;
    uint48 trust;
    uint32 category;
    uint8 schedulerRewardRatio;
    uint8 extras;
    address sponsor;
    uint48 botFirst;
    uint48 botSize;
    bytes32 tag;
    address dataset;
    uint96 datasetPrice;
    address datasetOwner;
    address beneficiary;
    address callback;
    uint256 wideTrust;
    uint256 wideWorkerStake;
    string params;
}

struct ContributionData {
    address enclaveChallenge;
    uint8 status;
    uint8 weight;
    bytes32 resultHash;
    bytes32 resultSeal;
}

/// A task. Deadlines other than the reveal one follow from the deal. `groups` is the sum of
/// the group weights: the consensus total without its constant one.
struct TaskData {
    bytes32 dealid;
    uint8 status;
    uint48 idx;
    uint64 revealDeadline;
    uint32 revealCounter;
    uint32 winnerCounter;
    bytes32 consensusValue;
    bytes32 resultDigest;
    uint256 groups;
    address[] contributors;
    bytes results;
    bytes resultsCallback;
    mapping(bytes32 resultHash => uint256) group;
    mapping(address worker => ContributionData) contributions;
}

/// The state that the hub and its extension share: both inherit this contract first, so that
/// the layout is the same when the extension runs inside the hub by delegatecall.
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
    string internal _name;
    string internal _symbol;
    mapping(address account => Balance) internal _balances;
    mapping(address account => mapping(address spender => uint256)) internal _allowances;
    mapping(bytes32 orderHash => address signer) internal _presigned;
    mapping(bytes32 orderHash => uint256 volume) internal _consumed;
    mapping(bytes32 dealid => DealData) internal _deals;
    mapping(bytes32 taskid => TaskData) internal _tasks;
    mapping(address worker => uint256) internal _scores;
    mapping(address worker => bool) internal _scoreImported;
    Category[] internal _categories;
}
