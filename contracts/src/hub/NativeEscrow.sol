// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ledger} from "./Ledger.sol";

// Wei in one nRLC, where RLC is the coin of the chain.
uint256 constant WEI_PER_NRLC = 1e9;

/// Coins that come with a call, as a deposit.
abstract contract Coins is Ledger {
    /// Mints whole nRLC to `target`; what is left of the coins goes back to the caller.
    function _depositCoins(address target) internal {
        _mint(target, msg.value / WEI_PER_NRLC);
        _sendCoins(msg.sender, msg.value % WEI_PER_NRLC);
    }

    function _sendCoins(address to, uint256 amount) internal {
        (bool done,) = to.call{value: amount}("");
        require(done, "native-transfer-failed");
    }
}

/// Deposits and withdrawals where RLC is the coin of the chain.
abstract contract NativeEscrow is Coins {
    function deposit() external payable returns (bool) {
        _depositCoins(msg.sender);
        return true;
    }

    function depositFor(address target) external payable returns (bool) {
        _depositCoins(target);
        return true;
    }

    function depositForArray(uint256[] calldata amounts, address[] calldata targets)
        external
        payable
        returns (bool)
    {
        require(amounts.length == targets.length, "invalid-array-length");
        uint256 rest = msg.value;
        for (uint256 i = 0; i < amounts.length; ++i) {
            _mint(targets[i], amounts[i]);
            rest -= amounts[i] * WEI_PER_NRLC;
        }
        _sendCoins(msg.sender, rest);
        return true;
    }

    function withdraw(uint256 amount) external returns (bool) {
        _withdrawCoins(amount, msg.sender);
        return true;
    }

    function withdrawTo(uint256 amount, address target) external returns (bool) {
        _withdrawCoins(amount, target);
        return true;
    }

    function _withdrawCoins(uint256 amount, address target) private {
        _burn(msg.sender, amount);
        _sendCoins(target, amount * WEI_PER_NRLC);
    }
}
