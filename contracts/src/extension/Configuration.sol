// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Category, EIP712Domain} from "../hub/Types.sol";
import {IRegistry, IScoreSource, IToken} from "../hub/External.sol";
import {
    CALLBACK_GAS_DEFAULT,
    CATEGORIES_MAX,
    HubStorage,
    SCORE_MAX,
    WORK_CLOCK_MAX
} from "../hub/Storage.sol";
import {AccountWord} from "../hub/Words.sol";
import {HubEvents} from "../hub/Events.sol";
import {OrderHash} from "../hub/OrderHash.sol";

/// What the owner decides, and the import of scores of the generation before.
abstract contract Configuration is HubStorage, HubEvents {
    modifier onlyOwner() {
        require(msg.sender == _owner, "Ownable: caller is not the owner");
        _;
    }

    function configure(
        address token_,
        string calldata name_,
        string calldata symbol_,
        uint8 decimals_,
        address appregistry_,
        address datasetregistry_,
        address workerpoolregistry_,
        address v3_iexecHub
    ) external onlyOwner {
        require(_domainSeparator == 0, "already-configured");
        _domainSeparator = OrderHash.domainSeparator();
        _token = IToken(token_);
        _name = name_;
        _symbol = symbol_;
        _decimals = decimals_;
        _setRegistries(appregistry_, datasetregistry_, workerpoolregistry_);
        _scoreSource = IScoreSource(v3_iexecHub);
        _callbackGas = CALLBACK_GAS_DEFAULT;
    }

    function domain() external view returns (EIP712Domain memory) {
        return EIP712Domain({
            name: OrderHash.DOMAIN_NAME,
            version: OrderHash.DOMAIN_VERSION,
            chainId: block.chainid,
            verifyingContract: address(this)
        });
    }

    /// For a chain that changed its id.
    function updateDomainSeparator() external {
        require(_domainSeparator != 0, "not-configured");
        _domainSeparator = OrderHash.domainSeparator();
    }

    function importScore(address worker) external {
        require(!_scoreImported[worker], "score-already-imported");
        uint256 imported = _scoreSource.viewScore(worker);
        require(imported <= SCORE_MAX);
        uint256 word = _accounts[worker];
        if (imported > AccountWord.score(word)) {
            uint256 amounts = (1 << AccountWord.SCORE_AT) - 1;
            _accounts[worker] = (word & amounts) | (imported << AccountWord.SCORE_AT);
        }
        _scoreImported[worker] = true;
    }

    function setTeeBroker(address broker) external onlyOwner {
        _teeBroker = broker;
    }

    function setCallbackGas(uint256 gas_) external onlyOwner {
        _callbackGas = gas_;
    }

    function changeRegistries(
        address appregistry_,
        address datasetregistry_,
        address workerpoolregistry_
    ) external onlyOwner {
        _setRegistries(appregistry_, datasetregistry_, workerpoolregistry_);
    }

    /// Refuses clocks and numbers of categories that a deal has no room for.
    function createCategory(
        string calldata name_,
        string calldata description,
        uint256 workClockTimeRef
    ) external onlyOwner returns (uint256 catid) {
        catid = _categories.length;
        require(workClockTimeRef <= WORK_CLOCK_MAX && catid < CATEGORIES_MAX);
        _clocks[catid] = workClockTimeRef + 1;
        _categories.push(Category(name_, description, workClockTimeRef));
        emit CreateCategory(catid, name_, description, workClockTimeRef);
    }

    function transferOwnership(address newOwner) external {
        address previous = _owner;
        if (msg.sender != previous) revert NotContractOwner(msg.sender, previous);
        _owner = newOwner;
        emit OwnershipTransferred(previous, newOwner);
    }

    function _setRegistries(address apps, address datasets, address workerpools) private {
        _appRegistry = IRegistry(apps);
        _datasetRegistry = IRegistry(datasets);
        _workerpoolRegistry = IRegistry(workerpools);
    }
}
