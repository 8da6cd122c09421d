// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "./Types.sol";
import {IRegistry, IWorkerpool} from "./External.sol";
import "./Storage.sol";
import {TaskWord, Vault} from "./Words.sol";
import {StoredCode} from "../code/StoredCode.sol";
import {Ledger} from "./Ledger.sol";
import {OrderHash} from "./OrderHash.sol";
import {Signatures} from "./Signatures.sol";

/// What any match of four orders checks, takes from them, keeps and locks. A check that fails is
/// told by its code, for which {_refuse} has the words.
abstract contract Orders is Ledger, Signatures {
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

    function _checkRestrictions(
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder,
        RequestOrder calldata requestorder
    ) internal view {
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
    ) internal view {
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
        owner = _askOwner(registry, entry, code);
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
    ) internal {
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

    /// Locks what the tasks cost and what the scheduler stakes, and counts the new contract.
    function _fund(
        Agreement memory a,
        AppOrder calldata apporder,
        DatasetOrder calldata datasetorder,
        WorkerpoolOrder calldata workerpoolorder
    ) internal {
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

    /// Makes a contract of a deal written to memory. Its number is known before it is made;
    /// {_fund} counts it.
    function _keepDeal(uint256 start, uint256 end) internal returns (uint256 number) {
        number = Vault.nextNonce(_vault);
        assert(number <= TaskWord.DEAL_MAX);
        address place = StoredCode.write(start, end - start);
        // Fails if the hub was not created by the rules its addresses follow from.
        assert(place == StoredCode.addressOf(address(this), number));
    }

    function _check(bool holds, bytes2 code) internal pure {
        if (!holds) _refuse(code);
    }

    /// The owner of an asset our registry does not know, once it turns out to be registered.
    function _askOwner(IRegistry registry, address entry, bytes2 code)
        internal
        view
        virtual
        returns (address owner);

    /// Reverts with the reason that belongs to a code.
    function _refuse(bytes2 code) internal pure virtual;

    function _min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
