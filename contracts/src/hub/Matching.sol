// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "./Types.sol";
import {IEntry, IRegistry, IWorkerpool} from "./External.sol";
import "./Storage.sol";
import {DealCode} from "./DealCode.sol";
import {DealWord, TaskWord, Vault} from "./Words.sol";
import {StoredCode} from "../code/StoredCode.sol";
import {Ledger} from "./Ledger.sol";
import {OrderHash} from "./OrderHash.sol";
import {Signatures} from "./Signatures.sol";

/// Makes a deal out of four orders that agree with each other.
abstract contract Matching is Ledger, Signatures {
    /// What the checks find out and the deal needs. Words: {OrderWord}; ratios are in percent.
    struct Agreement {
        bytes32 appHash;
        bytes32 datasetHash;
        bytes32 workerpoolHash;
        bytes32 requestHash;
        uint256 appWord;
        uint256 datasetWord;
        uint256 workerpoolWord;
        uint256 requestWord;
        address appOwner;
        address datasetOwner;
        address workerpoolOwner;
        uint256 stakeRatio;
        uint256 rewardRatio;
        uint256 clock;
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
        _checkTerms(a, apporder, datasetorder, workerpoolorder, requestorder);
        _checkRestrictions(apporder, datasetorder, workerpoolorder, requestorder);
        _checkAssets(a, apporder, datasetorder, workerpoolorder, requestorder);
        _consume(a, apporder, datasetorder, workerpoolorder, requestorder);
        dealid = keccak256(abi.encode(a.requestHash, a.botFirst));
        _store(dealid, a, apporder, datasetorder, workerpoolorder, requestorder);
        _fund(a, apporder, datasetorder, workerpoolorder);
        emit SchedulerNotice(workerpoolorder.workerpool, dealid);
        emit OrdersMatched(
            dealid, a.appHash, a.datasetHash, a.workerpoolHash, a.requestHash, a.volume
        );
    }

    /// Category, trust, prices and tags.
    function _checkTerms(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private view {
        _check(requestorder.category == workerpoolorder.category, "00");
        uint256 clock = _clocks[requestorder.category];
        _check(clock > 0, "01");
        unchecked {
            a.clock = clock - 1;
        }
        _check(requestorder.trust <= workerpoolorder.trust, "02");
        _check(requestorder.appmaxprice >= apporder.appprice, "03");
        _check(requestorder.datasetmaxprice >= datasetorder.datasetprice, "04");
        _check(requestorder.workerpoolmaxprice >= workerpoolorder.workerpoolprice, "05");
        bytes32 tag =
            apporder.tag | (datasetorder.tag & ~TAG_TEE_FRAMEWORKS) | requestorder.tag;
        _check(tag & ~workerpoolorder.tag == 0, "06");
        _check((tag ^ apporder.tag) & TAG_TEE == 0, "07");
        a.tag = tag;
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

    /// Every asset is registered and every order agreed to by whom it binds.
    function _checkAssets(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private view {
        bytes32 separator = _domainSeparator;
        a.appHash = OrderHash.typedData(separator, OrderHash.hash(apporder));
        a.appWord = _orders[a.appHash];
        (a.appOwner,,) = _terms(_appRegistry, apporder.app, "20");
        _check(_agreed(a.appOwner, a.appHash, a.appWord, apporder.sign), "21");
        if (requestorder.dataset != address(0)) _checkDataset(a, separator, datasetorder);
        a.workerpoolHash = OrderHash.typedData(separator, OrderHash.hash(workerpoolorder));
        a.workerpoolWord = _orders[a.workerpoolHash];
        (a.workerpoolOwner, a.stakeRatio, a.rewardRatio) =
            _terms(_workerpoolRegistry, workerpoolorder.workerpool, "40");
        _check(
            _agreed(a.workerpoolOwner, a.workerpoolHash, a.workerpoolWord, workerpoolorder.sign),
            "41"
        );
        a.requestHash = OrderHash.typedData(separator, OrderHash.hash(requestorder));
        a.requestWord = _orders[a.requestHash];
        _check(
            _agreed(requestorder.requester, a.requestHash, a.requestWord, requestorder.sign),
            "50"
        );
    }

    function _checkDataset(
        Agreement memory a,
        bytes32 separator,
        DatasetOrder calldata order
    ) private view {
        a.hasDataset = true;
        a.datasetHash = OrderHash.typedData(separator, OrderHash.hash(order));
        a.datasetWord = _orders[a.datasetHash];
        (a.datasetOwner,,) = _terms(_datasetRegistry, order.dataset, "30");
        _check(_agreed(a.datasetOwner, a.datasetHash, a.datasetWord, order.sign), "31");
    }

    /// Owner and policy of a registered asset: from our registry in one call, from any other
    /// (or one of an older generation) by asking the asset itself.
    function _terms(IRegistry registry, address entry, bytes2 code)
        private
        view
        returns (address owner, uint256 stakeRatio, uint256 rewardRatio)
    {
        bytes4 selector = IRegistry.termsOf.selector;
        bool known;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, selector)
            mstore(add(data, 4), entry)
            known := staticcall(gas(), registry, data, 0x24, data, 0x60)
            known := and(known, eq(returndatasize(), 0x60))
            owner := mload(data)
            stakeRatio := mload(add(data, 0x20))
            rewardRatio := mload(add(data, 0x40))
        }
        if (!known || owner == address(0)) return _ask(registry, entry, code);
    }

    function _ask(IRegistry registry, address entry, bytes2 code)
        private
        view
        returns (address owner, uint256 stakeRatio, uint256 rewardRatio)
    {
        owner = IEntry(entry).owner();
        _check(registry.isRegistered(entry), code);
        if (code != "40") return (owner, 0, 0);
        stakeRatio = IWorkerpool(entry).m_workerStakeRatioPolicy();
        rewardRatio = IWorkerpool(entry).m_schedulerRewardRatioPolicy();
    }

    /// Takes the largest volume all orders still offer out of each of them.
    function _consume(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private {
        uint256 fromRequest = _consumedOf(a.requestHash, a.requestWord);
        uint256 volume = requestorder.volume - fromRequest;
        uint256 fromApp = _consumedOf(a.appHash, a.appWord);
        volume = _min(volume, apporder.volume - fromApp);
        uint256 fromDataset;
        if (a.hasDataset) {
            fromDataset = _consumedOf(a.datasetHash, a.datasetWord);
            volume = _min(volume, datasetorder.volume - fromDataset);
        }
        uint256 fromWorkerpool = _consumedOf(a.workerpoolHash, a.workerpoolWord);
        volume = _min(volume, workerpoolorder.volume - fromWorkerpool);
        _check(volume > 0, "60");
        unchecked {
            _setConsumed(a.appHash, a.appWord, fromApp + volume);
            if (a.hasDataset) _setConsumed(a.datasetHash, a.datasetWord, fromDataset + volume);
            _setConsumed(a.workerpoolHash, a.workerpoolWord, fromWorkerpool + volume);
            _setConsumed(a.requestHash, a.requestWord, fromRequest + volume);
        }
        a.botFirst = fromRequest;
        a.volume = volume;
    }

    /// Writes the deal as {DealCode} reads it.
    function _store(
        bytes32 dealid,
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) private {
        uint256 stake = workerpoolorder.workerpoolprice * a.stakeRatio / 100;
        Numbers memory n = Numbers({
            trust: requestorder.trust > 1 ? requestorder.trust : 1,
            stake: stake,
            reward: a.rewardRatio,
            first: a.botFirst,
            size: a.volume,
            appPrice: apporder.appprice,
            poolPrice: workerpoolorder.workerpoolprice,
            datasetPrice: a.hasDataset ? datasetorder.datasetprice : 0,
            tag: uint256(a.tag)
        });
        uint256 flags = a.hasDataset ? DealCode.DATASET : 0;
        if (a.sponsor != requestorder.requester) flags |= DealCode.SPONSORED;
        if (requestorder.beneficiary != requestorder.requester) flags |= DealCode.BENEFICIARY;
        if (requestorder.callback != address(0)) flags |= DealCode.CALLBACK;
        if (_isWide(n, a.stakeRatio)) flags |= DealCode.WIDE;
        uint256 start;
        assembly ("memory-safe") {
            // The word before is for {StoredCode}.
            start := add(mload(0x40), 0x20)
        }
        uint256 end = _writeHead(start, flags, dealid, a, n, workerpoolorder.workerpool);
        end = _writeOptions(end, flags, a, n, datasetorder, requestorder);
        end = _append(end, requestorder.params);
        _createDeal(dealid, n.first, start, end, requestorder);
    }

    /// Remembers where the deal is; the number of its contract is known before it is made.
    function _createDeal(
        bytes32 dealid,
        uint256 first,
        uint256 start,
        uint256 end,
        RequestOrder calldata order
    ) private {
        uint256 number = Vault.nextNonce(_vault);
        assert(number <= TaskWord.DEAL_MAX);
        address place = StoredCode.write(start, end - start);
        // Fails if the hub was not created by the rules its addresses follow from.
        assert(place == StoredCode.addressOf(address(this), number));
        _deals[dealid] = number | (order.category << DealWord.CATEGORY_AT)
            | (uint256(uint32(first)) << DealWord.FIRST_AT)
            | (uint256(uint160(order.app)) << DealWord.APP_AT);
    }

    /// The numbers of a deal that may be larger than their places, in the order of {DealCode}.
    struct Numbers {
        uint256 trust;
        uint256 stake;
        uint256 reward;
        uint256 first;
        uint256 size;
        uint256 appPrice;
        uint256 poolPrice;
        uint256 datasetPrice;
        uint256 tag;
    }

    function _isWide(Numbers memory n, uint256 stakeRatio) private pure returns (bool) {
        uint256 prices = n.appPrice | n.poolPrice | n.datasetPrice;
        uint256 counts = n.first | n.size;
        uint256 small = n.trust | n.tag | stakeRatio;
        return (prices >> 64) | (counts >> 32) | (small >> 16) | (n.reward >> 8) != 0;
    }

    function _writeHead(
        uint256 place,
        uint256 flags,
        bytes32 dealid,
        Agreement memory a,
        Numbers memory n,
        address workerpool
    ) private view returns (uint256 end) {
        bool wide = flags & DealCode.WIDE != 0;
        uint256 pool = (uint256(uint160(workerpool)) << 96) | a.clock;
        uint256 terms = (uint256(uint160(a.workerpoolOwner)) << 96) | (block.timestamp << 56)
            | (flags << 24);
        uint256 app = uint256(uint160(a.appOwner)) << 96;
        uint256 payer = uint256(uint160(a.sponsor)) << 96;
        if (!wide) {
            pool |= n.poolPrice << 32;
            terms |= (n.trust << 40) | (a.stakeRatio << 8) | n.reward;
            app |= (n.appPrice << 32) | n.size;
            payer |= n.tag << 80;
        }
        assembly ("memory-safe") {
            mstore(place, dealid)
            mstore(add(place, 32), pool)
            mstore(add(place, 64), terms)
            mstore(add(place, 96), app)
            mstore(add(place, 128), payer)
        }
        end = place + DealCode.HEAD_BYTES;
        if (!wide) return end;
        assembly ("memory-safe") {
            for { let i := 0 } lt(i, 288) { i := add(i, 32) } {
                mstore(add(end, i), mload(add(n, i)))
            }
        }
        return end + DealCode.WIDE_BYTES;
    }

    function _writeOptions(
        uint256 place,
        uint256 flags,
        Agreement memory a,
        Numbers memory n,
        DatasetOrder calldata datasetorder,
        RequestOrder calldata requestorder
    ) private pure returns (uint256) {
        if (flags & DealCode.DATASET != 0) {
            place = _appendAddress(place, datasetorder.dataset, 0);
            uint256 price = flags & DealCode.WIDE == 0 ? n.datasetPrice << 32 : 0;
            place = _appendAddress(place, a.datasetOwner, price) + 8;
        }
        if (flags & DealCode.SPONSORED != 0) place = _appendAddress(place, requestorder.requester, 0);
        if (flags & DealCode.BENEFICIARY != 0) {
            place = _appendAddress(place, requestorder.beneficiary, 0);
        }
        if (flags & DealCode.CALLBACK != 0) place = _appendAddress(place, requestorder.callback, 0);
        return place;
    }

    /// `rest` is what stands behind the address in the same word.
    function _appendAddress(uint256 place, address account, uint256 rest)
        private
        pure
        returns (uint256)
    {
        assembly ("memory-safe") {
            mstore(place, or(shl(96, account), rest))
        }
        return place + DealCode.ADDRESS_BYTES;
    }

    function _append(uint256 place, string calldata text) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            calldatacopy(place, text.offset, text.length)
            end := add(place, text.length)
        }
    }

    /// Locks what the tasks cost and what the scheduler stakes, and counts the new contract.
    function _fund(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder
    ) private {
        uint256 price = apporder.appprice + (a.hasDataset ? datasetorder.datasetprice : 0)
            + workerpoolorder.workerpoolprice;
        uint256 paid = price * a.volume;
        _lock(a.sponsor, paid);
        uint256 stake = workerpoolorder.workerpoolprice * WORKERPOOL_STAKE_RATIO / 100;
        uint256 staked = stake * a.volume;
        _lock(a.workerpoolOwner, staked);
        unchecked {
            _vault += paid + staked + Vault.CREATION;
        }
    }

    function _check(bool holds, bytes2 code) private pure {
        if (!holds) revert(string(abi.encodePacked("iExecV5-matchOrders-0x", code)));
    }

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
