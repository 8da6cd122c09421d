// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITokenSpender} from "./External.sol";
import {Matching} from "./Matching.sol";
import {Tasks} from "./Tasks.sol";

/// The contract that holds every balance, deal and task. What happens once or is only read by
/// clients off chain lives in the extension, because a contract is limited to 24,576 bytes.
contract Hub is Matching, Tasks {
    address private immutable EXTENSION;

    /// `owner_` may configure the hub; `extension_` is fixed for good.
    constructor(address extension_, address owner_) {
        EXTENSION = extension_;
        _owner = owner_;
        emit OwnershipTransferred(address(0), owner_);
    }

    receive() external payable {
        revert("fallback-disabled");
    }

    fallback() external payable {
        address extension_ = EXTENSION;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), extension_, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

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

    function _depositFor(uint256 amount, address target) private {
        _pull(msg.sender, amount);
        _mint(target, amount);
    }

    function _withdrawTo(uint256 amount, address target) private {
        _burn(msg.sender, amount);
        _token.transfer(target, amount);
    }
}
