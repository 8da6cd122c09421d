// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Balance, HubStorage} from "./Storage.sol";
import {HubEvents} from "./Events.sol";

/// The accounting of the hub. Locked amounts are held by the hub's own balance, so the balance
/// of the hub always equals the sum of everything locked (plus what was sent to it by mistake).
abstract contract Ledger is HubStorage, HubEvents {
    /// Keeps every price of a funded deal within 96 bits.
    uint256 private constant SUPPLY_MAX = type(uint96).max;

    /// Takes tokens from an account that has approved the hub.
    function _pull(address from, uint256 amount) internal {
        require(_token.transferFrom(from, address(this), amount), "failed-transferFrom");
    }

    function _mint(address to, uint256 amount) internal {
        require(to != address(0), "ERC20: mint to the zero address");
        uint256 supply = _totalSupply + amount;
        require(supply <= SUPPLY_MAX);
        _totalSupply = supply;
        _balances[to].free += uint128(amount);
        emit Transfer(address(0), to, amount);
    }

    function _burn(address from, uint256 amount) internal {
        require(from != address(0), "ERC20: burn from the zero address");
        _debit(from, amount);
        _totalSupply -= amount;
        emit Transfer(from, address(0), amount);
    }

    /// The ERC-20 transfer: silent when the balance is short, unlike {_move}.
    function _send(address from, address to, uint256 amount) internal {
        require(from != address(0), "ERC20: transfer from the zero address");
        require(to != address(0), "ERC20: transfer to the zero address");
        _debit(from, amount);
        _balances[to].free += uint128(amount);
        emit Transfer(from, to, amount);
    }

    function _approve(address owner_, address spender, uint256 amount) internal {
        require(owner_ != address(0), "ERC20: approve from the zero address");
        require(spender != address(0), "ERC20: approve to the zero address");
        _allowances[owner_][spender] = amount;
        emit Approval(owner_, spender, amount);
    }

    function _lock(address account, uint256 amount) internal {
        _move(account, address(this), amount);
        _balances[account].locked += uint128(amount);
        emit Lock(account, amount);
    }

    function _unlock(address account, uint256 amount) internal {
        _move(address(this), account, amount);
        _unfreeze(account, amount);
        emit Unlock(account, amount);
    }

    function _reward(address account, uint256 amount, bytes32 ref) internal {
        _move(address(this), account, amount);
        emit Reward(account, amount, ref);
    }

    function _seize(address account, uint256 amount, bytes32 ref) internal {
        _unfreeze(account, amount);
        emit Seize(account, amount, ref);
    }

    function _move(address from, address to, uint256 amount) private {
        require(from != address(0), "IexecEscrow: Transfer from empty address");
        require(to != address(0), "IexecEscrow: Transfer to empty address");
        Balance storage source = _balances[from];
        uint256 free = source.free;
        require(amount <= free, "IexecEscrow: Transfer amount exceeds balance");
        source.free = uint128(free - amount);
        _balances[to].free += uint128(amount);
        emit Transfer(from, to, amount);
    }

    function _debit(address from, uint256 amount) private {
        Balance storage source = _balances[from];
        uint256 free = source.free;
        require(amount <= free);
        source.free = uint128(free - amount);
    }

    function _unfreeze(address account, uint256 amount) private {
        Balance storage balance = _balances[account];
        balance.locked = uint128(uint256(balance.locked) - amount);
    }
}
