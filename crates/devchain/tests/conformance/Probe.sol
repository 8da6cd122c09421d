// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.0;

/// Does everything a client can observe of a contract.
contract Probe {
    error TooBig(uint256 given, uint256 limit);

    event Stored(address indexed by, uint256 indexed value, string note);
    event Ping(uint256 count) anonymous;

    uint256 public value;
    mapping(uint256 => uint256) public table;
    uint256[] private list;

    constructor(uint256 first) payable {
        value = first;
    }

    receive() external payable {}

    function store(uint256 next) external payable returns (uint256 before) {
        before = value;
        value = next;
        emit Stored(msg.sender, next, "note");
    }

    function fill(uint256 from, uint256 count) external {
        for (uint256 at = from; at < from + count; at++) table[at] = at + 1;
    }

    function clear(uint256 from, uint256 count) external {
        for (uint256 at = from; at < from + count; at++) delete table[at];
    }

    function shout(uint256 count) external {
        for (uint256 at = 0; at < count; at++) emit Stored(msg.sender, at, "");
    }

    function whisper() external {
        emit Ping(1);
    }

    function failWithReason() external pure {
        revert("no luck");
    }

    function failWithError(uint256 given) external pure {
        revert TooBig(given, 10);
    }

    function failWithPanic(uint256 divisor) external pure returns (uint256) {
        return 1 / divisor;
    }

    function failInArray(uint256 at) external view returns (uint256) {
        return list[at];
    }

    function failSilently() external pure {
        assembly {
            revert(0, 0)
        }
    }

    function burn() external pure {
        assembly {
            invalid()
        }
    }

    function spin() external view returns (uint256 turns) {
        while (gasleft() > 1000) turns++;
    }

    function inner(uint256 next) external returns (bool ok) {
        try this.store(next) {
            ok = true;
        } catch {
            ok = false;
        }
    }

    function environment()
        external
        view
        returns (uint256 number, uint256 time, uint256 chain, uint256 fee, address coinbase, uint256 limit)
    {
        return (block.number, block.timestamp, block.chainid, block.basefee, block.coinbase, block.gaslimit);
    }

    function caller() external view returns (address sender, address origin, uint256 price, uint256 balance) {
        return (msg.sender, tx.origin, tx.gasprice, msg.sender.balance);
    }

    function hashOf(uint256 number) external view returns (bytes32) {
        return blockhash(number);
    }

    function create(bytes32 salt) external returns (address) {
        return address(new Child{salt: salt}());
    }
}

contract Child {
    uint256 public immutable born = block.number;
}
