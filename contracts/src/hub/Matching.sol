// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "./Types.sol";
import {IEntry, IRegistry} from "./External.sol";
import "./Storage.sol";
import {DealCode} from "./DealCode.sol";
import {DealWord} from "./Words.sol";
import {Orders} from "./Orders.sol";

/// Makes a deal out of four orders that agree with each other.
abstract contract Matching is Orders {
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

    /// Remembers where the deal is.
    function _createDeal(
        bytes32 dealid,
        uint256 first,
        uint256 start,
        uint256 end,
        RequestOrder calldata order
    ) private {
        uint256 number = _keepDeal(start, end);
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

    /// Whoever is no contract reverts without data, registered or not.
    function _askOwner(IRegistry registry, address entry, bytes2 code)
        internal
        view
        override
        returns (address owner)
    {
        owner = IEntry(entry).owner();
        _check(registry.isRegistered(entry), code);
    }

    function _refuse(bytes2 code) internal pure override {
        revert(string(abi.encodePacked("iExecV5-matchOrders-0x", code)));
    }
}
