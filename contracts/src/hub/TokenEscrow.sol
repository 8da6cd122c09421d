// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ledger} from "./Ledger.sol";

/// Deposits and withdrawals where RLC is a token.
abstract contract TokenEscrow is Ledger {
    function deposit(uint256 amount) external returns (bool) {
        _depositFor(amount, msg.sender);
        return true;
    }

    function depositFor(uint256 amount, address target) external returns (bool) {
        _depositFor(amount, target);
        return true;
    }

    function depositForArray(uint256[] calldata amounts, address[] calldata targets)
        external
        returns (bool)
    {
        require(amounts.length == targets.length, "invalid-array-length");
        for (uint256 i = 0; i < amounts.length; ++i) _depositFor(amounts[i], targets[i]);
        return true;
    }

    function withdraw(uint256 amount) external returns (bool) {
        _withdrawTo(amount, msg.sender);
        return true;
    }

    function withdrawTo(uint256 amount, address target) external returns (bool) {
        _withdrawTo(amount, target);
        return true;
    }

    function _depositFor(uint256 amount, address target) private {
        _pull(msg.sender, amount);
        _mint(target, amount);
    }

    function _withdrawTo(uint256 amount, address target) private {
        _burn(msg.sender, amount);
        _token.transfer(target, amount);
    }

    /// Takes tokens from an account that has approved the hub.
    function _pull(address from, uint256 amount) private {
        require(_token.transferFrom(from, address(this), amount), "failed-transferFrom");
    }
}
