// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../hub/Types.sol";
import {IApp, IDataset, IWorkerpool} from "../hub/External.sol";
import "../hub/Storage.sol";
import {HubEvents} from "../hub/Events.sol";
import {Signatures} from "../hub/Signatures.sol";

/// Everything that can be read from the hub, in the shapes of the published ABI. What is not
/// there reads as zero.
abstract contract Views is Signatures, HubEvents {
    function owner() external view returns (address) {
        return _owner;
    }

    function name() external view returns (string memory) {
        return _name;
    }

    function symbol() external view returns (string memory) {
        return _symbol;
    }

    function decimals() external view returns (uint8) {
        return _decimals;
    }

    function totalSupply() external view returns (uint256) {
        return _totalSupply;
    }

    function balanceOf(address account) external view returns (uint256) {
        return _balances[account].free;
    }

    function frozenOf(address account) external view returns (uint256) {
        return _balances[account].locked;
    }

    function allowance(address account, address spender) external view returns (uint256) {
        return _allowances[account][spender];
    }

    function viewAccount(address account) external view returns (Account memory) {
        return Account(_balances[account].free, _balances[account].locked);
    }

    function token() external view returns (address) {
        return address(_token);
    }

    function appregistry() external view returns (address) {
        return address(_appRegistry);
    }

    function datasetregistry() external view returns (address) {
        return address(_datasetRegistry);
    }

    function workerpoolregistry() external view returns (address) {
        return address(_workerpoolRegistry);
    }

    function teebroker() external view returns (address) {
        return _teeBroker;
    }

    function callbackgas() external view returns (uint256) {
        return _callbackGas;
    }

    function eip712domain_separator() external view returns (bytes32) {
        return _domainSeparator;
    }

    function contribution_deadline_ratio() external pure returns (uint256) {
        return CONTRIBUTION_DEADLINE_RATIO;
    }

    function reveal_deadline_ratio() external pure returns (uint256) {
        return REVEAL_DEADLINE_RATIO;
    }

    function final_deadline_ratio() external pure returns (uint256) {
        return FINAL_DEADLINE_RATIO;
    }

    function workerpool_stake_ratio() external pure returns (uint256) {
        return WORKERPOOL_STAKE_RATIO;
    }

    function kitty_ratio() external pure returns (uint256) {
        return KITTY_RATIO;
    }

    function kitty_min() external pure returns (uint256) {
        return KITTY_MIN;
    }

    function kitty_address() external pure returns (address) {
        return KITTY_ADDRESS;
    }

    function groupmember_purpose() external pure returns (uint256) {
        return GROUPMEMBER_PURPOSE;
    }

    function countCategory() external view returns (uint256) {
        return _categories.length;
    }

    function viewCategory(uint256 _catid) external view returns (Category memory) {
        require(_catid < _categories.length);
        return _categories[_catid];
    }

    function viewConsumed(bytes32 _id) external view returns (uint256 consumed) {
        return _consumed[_id];
    }

    function viewPresigned(bytes32 _id) external view returns (address signer) {
        return _presigned[_id];
    }

    function viewScore(address _worker) external view returns (uint256) {
        return _scores[_worker];
    }

    function viewDeal(bytes32 id) external view returns (Deal memory) {
        return _readDeal(id);
    }

    function viewTask(bytes32 id) external view returns (Task memory) {
        return _readTask(id);
    }

    function viewContribution(bytes32 _taskid, address _worker)
        external
        view
        returns (Contribution memory)
    {
        return _readContribution(_taskid, _worker);
    }

    function resultFor(bytes32 id) external view returns (bytes memory) {
        require(_tasks[id].status == TASK_COMPLETED, "task-pending");
        return _tasks[id].resultsCallback;
    }

    function viewApp(address app) external view returns (AppInfo memory) {
        IApp entry = IApp(app);
        return AppInfo(
            entry.owner(),
            entry.m_appName(),
            entry.m_appType(),
            entry.m_appMultiaddr(),
            entry.m_appChecksum(),
            entry.m_appMREnclave()
        );
    }

    function viewDataset(address dataset) external view returns (DatasetInfo memory) {
        IDataset entry = IDataset(dataset);
        return DatasetInfo(
            entry.owner(),
            entry.m_datasetName(),
            entry.m_datasetMultiaddr(),
            entry.m_datasetChecksum()
        );
    }

    function viewWorkerpool(address workerpool) external view returns (WorkerpoolInfo memory) {
        IWorkerpool entry = IWorkerpool(workerpool);
        return WorkerpoolInfo(
            entry.owner(),
            entry.m_workerpoolDescription(),
            entry.m_workerStakeRatioPolicy(),
            entry.m_schedulerRewardRatioPolicy()
        );
    }

    function verifySignature(address account, bytes32 hash, bytes calldata signature)
        external
        view
        returns (bool)
    {
        return _isSigned(account, hash, signature);
    }

    function verifyPresignature(address account, bytes32 hash) external view returns (bool) {
        return _isPresigned(account, hash);
    }

    function verifyPresignatureOrSignature(
        address account,
        bytes32 hash,
        bytes calldata signature
    ) external view returns (bool) {
        return _isSignedOrPresigned(account, hash, signature);
    }

    /// How many tasks these orders could still be matched for; nothing else is checked.
    function computeDealVolume(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) external view returns (uint256 volume) {
        volume = apporder.volume - _consumed[_hash(apporder)];
        if (datasetorder.dataset != address(0)) {
            volume = _min(volume, datasetorder.volume - _consumed[_hash(datasetorder)]);
        }
        volume = _min(volume, workerpoolorder.volume - _consumed[_hash(workerpoolorder)]);
        volume = _min(volume, requestorder.volume - _consumed[_hash(requestorder)]);
    }

    /// Could this dataset be given to a deal that was made without one?
    function assertDatasetDealCompatibility(DatasetOrder calldata datasetOrder, bytes32 dealId)
        external
        view
    {
        bytes32 hash = _hash(datasetOrder);
        _check(_consumed[hash] < datasetOrder.volume, "Dataset order is revoked or fully consumed");
        address datasetOwner = IDataset(datasetOrder.dataset).owner();
        _check(
            _isSignedOrPresigned(datasetOwner, hash, datasetOrder.sign),
            "Invalid dataset order signature"
        );
        DealData storage deal = _deals[dealId];
        _check(deal.requester != address(0), "Deal not found");
        _check(deal.extras & DEAL_DATASET == 0, "Deal already has a dataset");
        _check(_isAuthorized(datasetOrder.apprestrict, deal.app), "App restriction not satisfied");
        _check(
            _isAuthorized(datasetOrder.workerpoolrestrict, deal.workerpool),
            "Workerpool restriction not satisfied"
        );
        _check(
            _isAuthorized(datasetOrder.requesterrestrict, deal.requester),
            "Requester restriction not satisfied"
        );
        _check(
            datasetOrder.tag & ~TAG_TEE_FRAMEWORKS & ~deal.tag == 0,
            "Tag compatibility not satisfied"
        );
    }

    function _readDeal(bytes32 id) internal view returns (Deal memory deal) {
        DealData storage data = _deals[id];
        uint8 extras = data.extras;
        deal.app = Resource(data.app, data.appOwner, data.appPrice);
        deal.dataset = Resource(data.dataset, data.datasetOwner, data.datasetPrice);
        deal.workerpool =
            Resource(data.workerpool, data.workerpoolOwner, data.workerpoolPrice);
        deal.trust = extras & DEAL_WIDE_TRUST == 0 ? data.trust : data.wideTrust;
        deal.category = data.category;
        deal.tag = data.tag;
        deal.requester = data.requester;
        deal.beneficiary =
            extras & DEAL_BENEFICIARY == 0 ? data.requester : data.beneficiary;
        deal.callback = data.callback;
        deal.params = data.params;
        deal.startTime = data.startTime;
        deal.botFirst = data.botFirst;
        deal.botSize = data.botSize;
        deal.workerStake = extras & DEAL_WIDE_STAKE == 0 ? data.workerStake : data.wideWorkerStake;
        deal.schedulerRewardRatio = data.schedulerRewardRatio;
        deal.sponsor = data.sponsor;
    }

    function _readTask(bytes32 id) internal view returns (Task memory task) {
        TaskData storage data = _tasks[id];
        DealData storage deal = _deals[data.dealid];
        uint256 timeref = deal.timeref;
        task.status = data.status;
        task.dealid = data.dealid;
        task.idx = data.idx;
        task.timeref = timeref;
        task.contributionDeadline = deal.startTime + CONTRIBUTION_DEADLINE_RATIO * timeref;
        task.revealDeadline = data.revealDeadline;
        task.finalDeadline = deal.startTime + FINAL_DEADLINE_RATIO * timeref;
        task.consensusValue = data.consensusValue;
        task.revealCounter = data.revealCounter;
        task.winnerCounter = data.winnerCounter;
        task.contributors = data.contributors;
        task.resultDigest = data.resultDigest;
        task.results = data.results;
        task.resultsCallback = data.resultsCallback;
    }

    function _readContribution(bytes32 taskid, address worker)
        internal
        view
        returns (Contribution memory)
    {
        ContributionData storage data = _tasks[taskid].contributions[worker];
        return Contribution(
            data.status, data.resultHash, data.resultSeal, data.enclaveChallenge, data.weight
        );
    }

    function _check(bool holds, string memory reason) private pure {
        if (!holds) revert IncompatibleDatasetOrder(reason);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
