//! Where the nodes differ on purpose. A check listed here that does not differ fails the test, so
//! the list only has what is true.

/// A check and why its answers differ.
pub(crate) const DELIBERATE: &[(&str, &str)] = &[
    // The envelope: we keep to JSON-RPC 2.0, as geth does.
    ("wire: not JSON", "-32700 is the code for it"),
    ("wire: an empty body", "-32700 is the code for it"),
    (
        "wire: batch with rubbish inside",
        "the other requests of the batch are answered",
    ),
    (
        "wire: a batch sends and reads in order",
        "a missing block is `latest`, as in geth",
    ),
    (
        "wire: block number as a number",
        "quantities are hex strings; nothing else is one",
    ),
    // Blocks and fees.
    ("reads: priority fee", "gas is free: nobody needs to tip"),
    (
        "reads: balance everywhere",
        "every block is final at once; geth's code for no block",
    ),
    (
        "reads: nonce everywhere",
        "every block is final at once; geth's code for no block",
    ),
    (
        "reads: code everywhere",
        "every block is final at once; geth's code for no block",
    ),
    (
        "reads: storage everywhere",
        "every block is final at once; geth's code for no block",
    ),
    ("reads: blocks by tag", "every block is final at once"),
    (
        "reads: balance by default is the latest",
        "a missing block is `latest`, as in geth",
    ),
    (
        "reads: transactions in a block",
        "no block has null transactions, as in geth",
    ),
    ("reads: fee history of the future", "refused, as in geth"),
    (
        "reads: proof of an account",
        "there is no state trie to prove anything by",
    ),
    // Calls.
    ("calls: in the past", "geth's code for no block"),
    ("calls: at every tag", "every block is final at once"),
    ("calls: burns all gas", "geth's code"),
    ("calls: with a tip above the fee", "geth's code"),
    (
        "calls: estimate of what the sender cannot pay",
        "refused, as in geth",
    ),
    // Transactions.
    (
        "sends: too little gas for the data",
        "refused (EIP-7623); anvil takes it and never mines it",
    ),
    ("sends: more gas than a block", "geth's words"),
    ("sends: a broken signature", "geth's code"),
    ("sends: bytes after the end", "refused, as in geth"),
    ("sends: by the node, from a stranger", "geth's code"),
    (
        "sends: by the node, what reverts",
        "refused with the reason, as in geth and Hardhat",
    ),
    ("sends: a signature of a stranger", "geth's code"),
    (
        "errors: ethers: unknown method",
        "geth's words, which ethers knows",
    ),
    (
        "errors: viem: write that reverts",
        "refused when the gas is estimated",
    ),
    // Logs.
    (
        "filters: of a range of nothing",
        "there are no logs there yet",
    ),
    ("filters: of a range backwards", "refused, as in geth"),
    // Development.
    (
        "dev: automine off, underpriced",
        "a replacement pays a tenth more, as in geth",
    ),
    (
        "dev: reorganisation",
        "new blocks have new hashes; anvil's empty ones do not",
    ),
    (
        "dev: trace of calls",
        "the outermost call has the transaction's gas, as in geth",
    ),
    (
        "dev: trace of a failure",
        "the outermost call has the transaction's gas, as in geth",
    ),
    ("dev: trace of nothing", "refused, as in geth"),
    // The libraries.
    (
        "suites: ethers: one transaction after another, as is",
        "the answer is held back for it",
    ),
    (
        "suites: viem: estimate",
        "anvil's own tip is above its own fee",
    ),
];
