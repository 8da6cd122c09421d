// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITokenSpender} from "./External.sol";
import {Ledger} from "./Ledger.sol";

/// What is deposited and not locked is a token of its own: the ERC-20 functions that move it.
abstract contract StakedRlc is Ledger {
    function transfer(address to, uint256 value) external returns (bool) {
        _send(msg.sender, to, value);
        return true;
    }

    function approve(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, value);
        return true;
    }

    function approveAndCall(address spender, uint256 value, bytes calldata data)
        external
        returns (bool)
    {
        _approve(msg.sender, spender, value);
        bool accepted =
            ITokenSpender(spender).receiveApproval(msg.sender, value, address(this), data);
        require(accepted, "approval-refused");
        return true;
    }

    /// The tokens move before the allowance shrinks; there is no infinite allowance.
    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        _send(from, to, value);
        uint256 allowed = _allowances[from][msg.sender];
        require(value <= allowed);
        _approve(from, msg.sender, allowed - value);
        return true;
    }

    function increaseAllowance(address spender, uint256 value) external returns (bool) {
        _approve(msg.sender, spender, _allowances[msg.sender][spender] + value);
        return true;
    }

    function decreaseAllowance(address spender, uint256 value) external returns (bool) {
        uint256 allowed = _allowances[msg.sender][spender];
        require(value <= allowed);
        _approve(msg.sender, spender, allowed - value);
        return true;
    }
}
