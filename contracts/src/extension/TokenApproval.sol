// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder} from "../hub/Types.sol";
import {Ledger} from "../hub/Ledger.sol";
import {Matching} from "../hub/Matching.sol";

/// Deposits that arrive through the token, and the one that brings tokens sent by mistake home.
abstract contract TokenApproval is Ledger {
    /// Called by the token in `approveAndCall`: deposits for the sender, then runs `matchOrders`
    /// when the data is such a call, so that approving, paying and matching is one transaction.
    function receiveApproval(
        address sender,
        uint256 amount,
        address token_,
        bytes calldata data
    ) external returns (bool) {
        // Only the token knows that `sender` asked for this.
        bool fromToken = token_ == address(_token) && msg.sender == token_;
        require(fromToken, "wrong-token");
        require(_token.transferFrom(sender, address(this), amount), "failed-transferFrom");
        _mint(sender, amount);
        if (data.length > 0) _matchFor(sender, data);
        return true;
    }

    /// Mints what the hub holds beyond its supply to the owner.
    function recover() external returns (uint256 excess) {
        require(msg.sender == _owner, "Ownable: caller is not the owner");
        excess = _token.balanceOf(address(this)) - _totalSupply;
        _mint(_owner, excess);
    }

    function _matchFor(address sender, bytes calldata data) private {
        require(data.length >= 4);
        bytes4 selector = bytes4(data[:4]);
        if (selector != Matching.matchOrders.selector) revert UnsupportedOperation(selector);
        (,,, RequestOrder memory order) = abi.decode(
            data[4:], (AppOrder, DatasetOrder, WorkerpoolOrder, RequestOrder)
        );
        if (order.requester != sender) revert CallerIsNotTheRequester();
        (bool done, bytes memory returned) = address(this).delegatecall(data);
        if (done) return;
        if (returned.length == 0) revert OperationFailed();
        assembly ("memory-safe") {
            revert(add(returned, 0x20), mload(returned))
        }
    }
}
