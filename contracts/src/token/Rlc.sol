// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ITokenSpender} from "../hub/External.sol";

/// RLC for chains that have none: 87 million tokens of 9 decimals, all given to the deployer.
/// Like the original it reverts without data instead of returning false.
contract Rlc {
    string public constant name = "iEx.ec Network Token";
    string public constant symbol = "RLC";
    uint8 public constant decimals = 9;
    uint256 public constant totalSupply = 87_000_000 * 10 ** 9;

    mapping(address account => uint256) public balanceOf;
    mapping(address account => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);

    constructor(address holder) {
        balanceOf[holder] = totalSupply;
        emit Transfer(address(0), holder, totalSupply);
    }

    function transfer(address to, uint256 value) external returns (bool) {
        _send(msg.sender, to, value);
        return true;
    }

    function transferFrom(address from, address to, uint256 value) external returns (bool) {
        uint256 allowed = allowance[from][msg.sender];
        require(value <= allowed);
        allowance[from][msg.sender] = allowed - value;
        _send(from, to, value);
        return true;
    }

    function approve(address spender, uint256 value) public returns (bool) {
        allowance[msg.sender][spender] = value;
        emit Approval(msg.sender, spender, value);
        return true;
    }

    /// What the spender answers does not matter, only that it does not revert.
    function approveAndCall(address spender, uint256 value, bytes calldata data) external {
        approve(spender, value);
        ITokenSpender(spender).receiveApproval(msg.sender, value, address(this), data);
    }

    function _send(address from, address to, uint256 value) private {
        uint256 balance = balanceOf[from];
        require(value <= balance);
        unchecked {
            balanceOf[from] = balance - value;
            balanceOf[to] += value;
        }
        emit Transfer(from, to, value);
    }
}
