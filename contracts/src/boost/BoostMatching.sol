// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "../hub/Types.sol";
import {IEntry, IRegistry} from "../hub/External.sol";
import "../hub/Storage.sol";
import {Orders} from "../hub/Orders.sol";
import {BoostCode, BoostWord} from "./BoostCode.sol";
import {BoostEvents} from "./BoostTypes.sol";
import {BoostReasons} from "./BoostReasons.sol";

/// Makes a Boost deal out of four orders that agree with each other: one that trusts a single
/// worker and tells its scheduler the details in an event instead of keeping them.
abstract contract BoostMatching is Orders, BoostEvents {
    // Bits of a price, and of an index or a number of tasks, in {DealBoost}.
    uint8 private constant PRICE_BITS = 96;
    uint8 private constant COUNT_BITS = 16;

    function matchOrdersBoost(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) external returns (bytes32) {
        return _match(
            appOrder, datasetOrder, workerpoolOrder, requestOrder, requestOrder.requester
        );
    }

    /// The caller pays; the requester still has to sign.
    function sponsorMatchOrdersBoost(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) external returns (bytes32 dealid) {
        dealid = _match(appOrder, datasetOrder, workerpoolOrder, requestOrder, msg.sender);
        emit DealSponsoredBoost(dealid, msg.sender);
    }

    function _match(
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder,
        address sponsor
    ) private returns (bytes32 dealid) {
        Agreement memory a;
        a.sponsor = sponsor;
        _checkTerms(a, appOrder, datasetOrder, workerpoolOrder, requestOrder);
        _checkRestrictions(appOrder, datasetOrder, workerpoolOrder, requestOrder);
        _checkAssets(a, appOrder, datasetOrder, workerpoolOrder, requestOrder);
        _consume(a, appOrder, datasetOrder, workerpoolOrder, requestOrder);
        dealid = keccak256(abi.encode(a.requestHash, a.botFirst));
        _checkSizes(a, appOrder, datasetOrder, workerpoolOrder);
        _store(dealid, a, appOrder, datasetOrder, workerpoolOrder, requestOrder);
        _fund(a, appOrder, datasetOrder, workerpoolOrder);
        _notify(dealid, a, requestOrder, workerpoolOrder.workerpool);
    }

    /// Trust, category, prices and tags.
    function _checkTerms(
        Agreement memory a,
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) private view {
        _check(requestOrder.trust <= 1, "02");
        _check(requestOrder.category == workerpoolOrder.category, "00");
        uint256 clock = _clocks[requestOrder.category];
        _check(clock > 0, "01");
        unchecked {
            a.clock = clock - 1;
        }
        _check(requestOrder.appmaxprice >= appOrder.appprice, "03");
        _check(requestOrder.datasetmaxprice >= datasetOrder.datasetprice, "04");
        _check(requestOrder.workerpoolmaxprice >= workerpoolOrder.workerpoolprice, "05");
        // Unlike a classic deal, a dataset here insists on its TEE framework.
        bytes32 tag = appOrder.tag | datasetOrder.tag | requestOrder.tag;
        _check(tag & ~workerpoolOrder.tag == 0, "06");
        _check((tag ^ appOrder.tag) & TAG_TEE == 0, "07");
        a.tag = tag;
    }

    /// Refuses what the published deal has no room for.
    function _checkSizes(
        Agreement memory a,
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder
    ) private pure {
        _checkSize(appOrder.appprice, PRICE_BITS);
        _checkSize(workerpoolOrder.workerpoolprice, PRICE_BITS);
        _checkSize(a.botFirst, COUNT_BITS);
        _checkSize(a.volume, COUNT_BITS);
        if (a.hasDataset) _checkSize(datasetOrder.datasetprice, PRICE_BITS);
    }

    function _checkSize(uint256 value, uint8 bits) private pure {
        if (value >> bits != 0) revert SafeCastOverflowedUintDowncast(bits, value);
    }

    /// Writes the deal as {BoostWord} and {BoostCode} read it.
    function _store(
        bytes32 dealid,
        Agreement memory a,
        AppOrder calldata appOrder,
        DatasetOrder calldata datasetOrder,
        WorkerpoolOrder calldata workerpoolOrder,
        RequestOrder calldata requestOrder
    ) private {
        uint256 datasetPrice = a.hasDataset ? datasetOrder.datasetprice : 0;
        Prices memory prices =
            Prices(workerpoolOrder.workerpoolprice, appOrder.appprice, datasetPrice);
        uint256 flags = a.hasDataset ? BoostCode.DATASET : 0;
        if (a.sponsor != requestOrder.requester) flags |= BoostCode.SPONSORED;
        if (requestOrder.callback != address(0)) flags |= BoostCode.CALLBACK;
        uint256 any = prices.workerpool | prices.app | prices.dataset;
        if (any >> 64 != 0) flags |= BoostCode.WIDE;
        uint256 start;
        assembly ("memory-safe") {
            // The word before is for {StoredCode}.
            start := add(mload(0x40), 0x20)
        }
        uint256 end = _writeHead(start, flags, a, prices);
        if (a.hasDataset) {
            uint256 rest = flags & BoostCode.WIDE == 0 ? prices.dataset << 32 : 0;
            uint256 owner = uint256(uint160(a.datasetOwner)) << 96;
            end = _append(end, owner | rest, BoostCode.DATASET_BYTES);
        }
        if (flags & BoostCode.SPONSORED != 0) end = _appendAddress(end, requestOrder.requester);
        if (flags & BoostCode.CALLBACK != 0) end = _appendAddress(end, requestOrder.callback);
        uint256 deadline = block.timestamp + CONTRIBUTION_DEADLINE_RATIO * a.clock;
        _boostDeals[dealid] = _keepDeal(start, end) | (a.volume << BoostWord.SIZE_AT)
            | (deadline << BoostWord.DEADLINE_AT)
            | (uint256(uint160(a.workerpoolOwner)) << BoostWord.SCHEDULER_AT);
    }

    /// What one task costs, by whom it is paid to.
    struct Prices {
        uint256 workerpool;
        uint256 app;
        uint256 dataset;
    }

    function _writeHead(
        uint256 place,
        uint256 flags,
        Agreement memory a,
        Prices memory prices
    ) private pure returns (uint256 end) {
        bool wide = flags & BoostCode.WIDE != 0;
        uint256 app = (uint256(uint160(a.appOwner)) << 96) | (a.botFirst << 16) | (flags << 8)
            | (100 - a.rewardRatio);
        uint256 shortTag = uint24(uint256(a.tag));
        uint256 payer = (uint256(uint160(a.sponsor)) << 96) | (shortTag << 8);
        if (!wide) {
            app |= prices.workerpool << 32;
            payer |= prices.app << 32;
        }
        end = _append(_append(place, app, 32), payer, 31);
        if (!wide) return end;
        end = _append(end, (prices.workerpool << 160) | (prices.app << 64), 24);
        return _append(end, prices.dataset << 160, 12);
    }

    function _appendAddress(uint256 place, address account) private pure returns (uint256) {
        return _append(place, uint256(uint160(account)) << 96, BoostCode.ADDRESS_BYTES);
    }

    /// Writes the first `size` bytes of a word.
    function _append(uint256 place, uint256 word, uint256 size) private pure returns (uint256) {
        assembly ("memory-safe") {
            mstore(place, word)
        }
        return place + size;
    }

    function _notify(
        bytes32 dealid,
        Agreement memory a,
        RequestOrder calldata order,
        address workerpool
    ) private {
        emit SchedulerNoticeBoost(
            workerpool,
            dealid,
            order.app,
            order.dataset,
            order.category,
            a.tag,
            order.params,
            order.beneficiary
        );
        emit OrdersMatched(
            dealid, a.appHash, a.datasetHash, a.workerpoolHash, a.requestHash, a.volume
        );
    }

    function _askOwner(IRegistry registry, address entry, bytes2 code)
        internal
        view
        override
        returns (address)
    {
        _check(registry.isRegistered(entry), code);
        return IEntry(entry).owner();
    }

    function _refuse(bytes2 code) internal pure override {
        revert(BoostReasons.text(code));
    }
}
