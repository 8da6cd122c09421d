// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "./Types.sol";
import {IEntry, IWorkerpool} from "./External.sol";
import "./Storage.sol";
import {Ledger} from "./Ledger.sol";
import {Signatures} from "./Signatures.sol";

/// Makes a deal out of four orders that agree with each other.
abstract contract Matching is Ledger, Signatures {
    /// What the checks find out and the deal needs.
    struct Agreement {
        bytes32 appHash;
        bytes32 datasetHash;
        bytes32 workerpoolHash;
        bytes32 requestHash;
        address appOwner;
        address datasetOwner;
        address workerpoolOwner;
        bool hasDataset;
        bytes32 tag;
        uint256 botFirst;
        uint256 volume;
        address sponsor;
    }

    function matchOrders(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) external returns (bytes32) {
        return _match(
            apporder, datasetorder, workerpoolorder, requestorder, requestorder.requester
        );
    }

    /// The caller pays; the requester still has to sign.
    function sponsorMatchOrders(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) external returns (bytes32 dealid) {
        dealid = _match(apporder, datasetorder, workerpoolorder, requestorder, msg.sender);
        emit DealSponsored(dealid, msg.sender);
    }

    function _match(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder,
        address sponsor
    ) private returns (bytes32 dealid) {
        Agreement memory a;
        a.sponsor = sponsor;
        a.tag = _checkTerms(apporder, datasetorder, workerpoolorder, requestorder);
        _checkRestrictions(apporder, datasetorder, workerpoolorder, requestorder);
        a.hasDataset = requestorder.dataset != address(0);
        _checkApp(a, apporder);
        if (a.hasDataset) _checkDataset(a, datasetorder);
        _checkWorkerpool(a, workerpoolorder);
        a.requestHash = _hash(requestorder);
        _check(
            _isSignedOrPresigned(requestorder.requester, a.requestHash, requestorder.sign), "50"
        );
        _consume(a, apporder, datasetorder, workerpoolorder, requestorder);
        dealid = keccak256(abi.encode(a.requestHash, a.botFirst));
        _store(dealid, a, apporder, datasetorder, workerpoolorder, requestorder);
        _fund(a, apporder, datasetorder, workerpoolorder);
        emit SchedulerNotice(workerpoolorder.workerpool, dealid);
        emit OrdersMatched(
            dealid, a.appHash, a.datasetHash, a.workerpoolHash, a.requestHash, a.volume
        );
    }

    /// Category, trust, prices and tags. Returns the tag of the deal.
    function _checkTerms(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private view returns (bytes32 tag) {
        _check(requestorder.category == workerpoolorder.category, "00");
        _check(requestorder.category < _categories.length, "01");
        _check(requestorder.trust <= workerpoolorder.trust, "02");
        _check(requestorder.appmaxprice >= apporder.appprice, "03");
        _check(requestorder.datasetmaxprice >= datasetorder.datasetprice, "04");
        _check(requestorder.workerpoolmaxprice >= workerpoolorder.workerpoolprice, "05");
        tag = apporder.tag | (datasetorder.tag & ~TAG_TEE_FRAMEWORKS) | requestorder.tag;
        _check(tag & ~workerpoolorder.tag == 0, "06");
        _check((tag ^ apporder.tag) & TAG_TEE == 0, "07");
    }

    function _checkRestrictions(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private view {
        address app = apporder.app;
        address dataset = datasetorder.dataset;
        address workerpool = workerpoolorder.workerpool;
        address requester = requestorder.requester;
        _check(requestorder.app == app, "10");
        _check(requestorder.dataset == dataset, "11");
        _check(_isAuthorized(requestorder.workerpool, workerpool), "12");
        _check(_isAuthorized(apporder.datasetrestrict, dataset), "13");
        _check(_isAuthorized(apporder.workerpoolrestrict, workerpool), "14");
        _check(_isAuthorized(apporder.requesterrestrict, requester), "15");
        _check(_isAuthorized(datasetorder.apprestrict, app), "16");
        _check(_isAuthorized(datasetorder.workerpoolrestrict, workerpool), "17");
        _check(_isAuthorized(datasetorder.requesterrestrict, requester), "18");
        _check(_isAuthorized(workerpoolorder.apprestrict, app), "19");
        _check(_isAuthorized(workerpoolorder.datasetrestrict, dataset), "1a");
        _check(_isAuthorized(workerpoolorder.requesterrestrict, requester), "1b");
    }

    function _checkApp(Agreement memory a, AppOrder calldata order) private view {
        a.appHash = _hash(order);
        a.appOwner = IEntry(order.app).owner();
        _check(_appRegistry.isRegistered(order.app), "20");
        _check(_isSignedOrPresigned(a.appOwner, a.appHash, order.sign), "21");
    }

    function _checkDataset(Agreement memory a, DatasetOrder calldata order) private view {
        a.datasetHash = _hash(order);
        a.datasetOwner = IEntry(order.dataset).owner();
        _check(_datasetRegistry.isRegistered(order.dataset), "30");
        _check(_isSignedOrPresigned(a.datasetOwner, a.datasetHash, order.sign), "31");
    }

    function _checkWorkerpool(Agreement memory a, WorkerpoolOrder calldata order) private view {
        a.workerpoolHash = _hash(order);
        a.workerpoolOwner = IEntry(order.workerpool).owner();
        _check(_workerpoolRegistry.isRegistered(order.workerpool), "40");
        _check(_isSignedOrPresigned(a.workerpoolOwner, a.workerpoolHash, order.sign), "41");
    }

    /// Takes the largest volume all orders still offer out of each of them.
    function _consume(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private {
        uint256 fromApp = _consumed[a.appHash];
        uint256 fromDataset;
        uint256 fromWorkerpool = _consumed[a.workerpoolHash];
        uint256 fromRequest = _consumed[a.requestHash];
        uint256 volume = apporder.volume - fromApp;
        if (a.hasDataset) {
            fromDataset = _consumed[a.datasetHash];
            volume = _min(volume, datasetorder.volume - fromDataset);
        }
        volume = _min(volume, workerpoolorder.volume - fromWorkerpool);
        volume = _min(volume, requestorder.volume - fromRequest);
        _check(volume > 0, "60");
        _consumed[a.appHash] = fromApp + volume;
        if (a.hasDataset) _consumed[a.datasetHash] = fromDataset + volume;
        _consumed[a.workerpoolHash] = fromWorkerpool + volume;
        _consumed[a.requestHash] = fromRequest + volume;
        a.botFirst = fromRequest;
        a.volume = volume;
    }

    function _store(
        bytes32 dealid,
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private {
        // Indexes of tasks are kept in 48 bits.
        require(a.botFirst + a.volume <= type(uint48).max);
        DealData storage deal = _deals[dealid];
        deal.app = apporder.app;
        deal.appPrice = uint96(apporder.appprice);
        deal.appOwner = a.appOwner;
        deal.startTime = uint48(block.timestamp);
        deal.timeref = uint48(_categories[requestorder.category].workClockTimeRef);
        deal.workerpool = workerpoolorder.workerpool;
        deal.workerpoolPrice = uint96(workerpoolorder.workerpoolprice);
        deal.sponsor = a.sponsor;
        deal.botFirst = uint48(a.botFirst);
        deal.botSize = uint48(a.volume);
        deal.tag = a.tag;
        uint8 extras = _storeWorkerpool(deal, a, workerpoolorder);
        if (a.hasDataset) {
            extras |= DEAL_DATASET;
            deal.dataset = datasetorder.dataset;
            deal.datasetPrice = uint96(datasetorder.datasetprice);
            deal.datasetOwner = a.datasetOwner;
        }
        _storeRequest(deal, extras, requestorder);
    }

    /// The worker's stake is a percentage the pool chooses freely, so it may be any number.
    function _storeWorkerpool(
        DealData storage deal,
        Agreement memory a,
        WorkerpoolOrder calldata order
    ) private returns (uint8 extras) {
        IWorkerpool workerpool = IWorkerpool(order.workerpool);
        uint256 stake = order.workerpoolprice * workerpool.m_workerStakeRatioPolicy() / 100;
        if (stake > type(uint96).max) {
            extras = DEAL_WIDE_STAKE;
            deal.wideWorkerStake = stake;
        }
        uint256 ratio = workerpool.m_schedulerRewardRatioPolicy();
        require(ratio <= type(uint8).max);
        deal.workerpoolOwner = a.workerpoolOwner;
        deal.workerStake = uint96(stake);
        deal.schedulerRewardRatio = uint8(ratio);
    }

    function _storeRequest(DealData storage deal, uint8 extras, RequestOrder calldata order)
        private
    {
        uint256 trust = order.trust > 1 ? order.trust : 1;
        if (trust > type(uint48).max) {
            extras |= DEAL_WIDE_TRUST;
            deal.wideTrust = trust;
        }
        if (order.beneficiary != order.requester) {
            extras |= DEAL_BENEFICIARY;
            deal.beneficiary = order.beneficiary;
        }
        if (order.callback != address(0)) {
            extras |= DEAL_CALLBACK;
            deal.callback = order.callback;
        }
        deal.requester = order.requester;
        deal.trust = uint48(trust);
        deal.category = uint32(order.category);
        deal.extras = extras;
        deal.params = order.params;
    }

    function _fund(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder
    ) private {
        uint256 price = apporder.appprice + (a.hasDataset ? datasetorder.datasetprice : 0)
            + workerpoolorder.workerpoolprice;
        _lock(a.sponsor, price * a.volume);
        uint256 stake = workerpoolorder.workerpoolprice * WORKERPOOL_STAKE_RATIO / 100;
        _lock(a.workerpoolOwner, stake * a.volume);
    }

    function _check(bool holds, bytes2 code) private pure {
        if (!holds) revert(string(abi.encodePacked("iExecV5-matchOrders-0x", code)));
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
