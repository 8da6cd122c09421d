// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// Why orders are not matched, for each check of the hub.
library BoostReasons {
    function text(bytes2 code) internal pure returns (string memory) {
        return string.concat("PocoBoost: ", code < "10" ? _terms(code) : _parties(code));
    }

    function _terms(bytes2 code) private pure returns (string memory) {
        if (code == "00") return "Category mismatch";
        if (code == "01") return "Unknown category";
        if (code == "02") return "Bad trust level";
        if (code == "03") return "Overpriced app";
        if (code == "04") return "Overpriced dataset";
        if (code == "05") return "Overpriced workerpool";
        if (code == "06") return "Workerpool tag does not match demand";
        return "App tag does not match demand";
    }

    function _parties(bytes2 code) private pure returns (string memory) {
        if (code == "10") return "App mismatch";
        if (code == "11") return "Dataset mismatch";
        if (code < "20") return _restriction(code);
        if (code == "20") return "App not registered";
        if (code == "21") return "Invalid app order signature";
        if (code == "30") return "Dataset not registered";
        if (code == "31") return "Invalid dataset order signature";
        if (code == "40") return "Workerpool not registered";
        if (code == "41") return "Invalid workerpool order signature";
        if (code == "50") return "Invalid request order signature";
        return "One or more orders consumed";
    }

    function _restriction(bytes2 code) private pure returns (string memory) {
        if (code == "12") return "Workerpool restricted by request order";
        if (code == "13") return "Dataset restricted by app order";
        if (code == "14") return "Workerpool restricted by app order";
        if (code == "15") return "Requester restricted by app order";
        if (code == "16") return "App restricted by dataset order";
        if (code == "17") return "Workerpool restricted by dataset order";
        if (code == "18") return "Requester restricted by dataset order";
        if (code == "19") return "App restricted by workerpool order";
        if (code == "1a") return "Dataset restricted by workerpool order";
        return "Requester restricted by workerpool order";
    }
}
