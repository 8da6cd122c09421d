// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import "../hub/Types.sol";
import {IApp, IDataset, IWorkerpool} from "../hub/External.sol";
import "../hub/Storage.sol";
import {AccountWord, DealWord, OrderWord, TaskWord} from "../hub/Words.sol";
import {DealCode, DealView} from "../hub/DealCode.sol";
import {OrderHash} from "../hub/OrderHash.sol";
import {Signatures} from "../hub/Signatures.sol";
import {Ledger} from "../hub/Ledger.sol";
import {Records} from "./Records.sol";

/// Everything that can be read from the hub, in the shapes of the published ABI. What is not
/// there reads as zero.
abstract contract Views is Signatures, Ledger, Records {
    using DealCode for DealView;

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
        return _freeOf(account);
    }

    function frozenOf(address account) external view returns (uint256) {
        return _lockedOf(account);
    }

    function allowance(address account, address spender) external view returns (uint256) {
        return _allowances[account][spender];
    }

    function viewAccount(address account) external view returns (Account memory) {
        return Account(_freeOf(account), _lockedOf(account));
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
        return _consumedOf(_id, _orders[_id]);
    }

    function viewPresigned(bytes32 _id) external view returns (address signer) {
        return OrderWord.signer(_orders[_id]);
    }

    function viewScore(address _worker) external view returns (uint256) {
        return AccountWord.score(_accounts[_worker]);
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
        require(TaskWord.status(_tasks[id].word) == TASK_COMPLETED, "task-pending");
        (, bytes memory told) = _readResults(_tasks[id]);
        return told;
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
        volume = _remaining(apporder.volume, OrderHash.hash(apporder));
        if (datasetorder.dataset != address(0)) {
            volume =
                _min(volume, _remaining(datasetorder.volume, OrderHash.hash(datasetorder)));
        }
        volume =
            _min(volume, _remaining(workerpoolorder.volume, OrderHash.hash(workerpoolorder)));
        volume = _min(volume, _remaining(requestorder.volume, OrderHash.hash(requestorder)));
    }

    /// Could this dataset be given to a deal that was made without one?
    function assertDatasetDealCompatibility(DatasetOrder calldata datasetOrder, bytes32 dealId)
        external
        view
    {
        bytes32 hash = OrderHash.typedData(_domainSeparator, OrderHash.hash(datasetOrder));
        _check(
            _consumedOf(hash, _orders[hash]) < datasetOrder.volume,
            "Dataset order is revoked or fully consumed"
        );
        address datasetOwner = IDataset(datasetOrder.dataset).owner();
        _check(
            _isSignedOrPresigned(datasetOwner, hash, datasetOrder.sign),
            "Invalid dataset order signature"
        );
        uint256 word = _deals[dealId];
        _check(word != 0, "Deal not found");
        DealView deal = DealCode.load(DealWord.number(word));
        _check(deal.flags() & DealCode.DATASET == 0, "Deal already has a dataset");
        _check(
            _isAuthorized(datasetOrder.apprestrict, DealWord.app(word)),
            "App restriction not satisfied"
        );
        _check(
            _isAuthorized(datasetOrder.workerpoolrestrict, deal.workerpool()),
            "Workerpool restriction not satisfied"
        );
        _check(
            _isAuthorized(datasetOrder.requesterrestrict, deal.requester()),
            "Requester restriction not satisfied"
        );
        _check(
            datasetOrder.tag & ~TAG_TEE_FRAMEWORKS & ~deal.tag() == 0,
            "Tag compatibility not satisfied"
        );
    }

    function _remaining(uint256 volume, bytes32 structHash) private view returns (uint256) {
        bytes32 hash = OrderHash.typedData(_domainSeparator, structHash);
        return volume - _consumedOf(hash, _orders[hash]);
    }

    function _check(bool holds, string memory reason) private pure {
        if (!holds) revert IncompatibleDatasetOrder(reason);
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
