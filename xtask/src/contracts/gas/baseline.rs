//! The rows of the table, what 6.2.0 takes (spec/contracts.md §21) and what ours may take of it.

pub(super) struct Row {
    pub(super) name: &'static str,
    /// Gas of the official 6.2.0, where the spec has it.
    pub(super) spec: Option<u64>,
    /// Hundredths of the official gas.
    pub(super) target: Option<u64>,
}

impl Row {
    const fn at_most(self, target: u64) -> Self {
        let target = Some(target);
        Self { target, ..self }
    }
}

const fn row(name: &'static str, spec: u64) -> Row {
    Row {
        name,
        spec: Some(spec),
        target: None,
    }
}

const fn measured_only(name: &'static str) -> Row {
    Row {
        name,
        spec: None,
        target: None,
    }
}

/// All rows, in the order of the table.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|(_, rows)| rows.iter())
}

pub(super) const SECTIONS: &[(&str, &[Row])] = &[
    ("Registries", REGISTRIES),
    ("Escrow", ESCROW),
    ("Orders and deals", ORDERS),
    ("Tasks", TASKS),
    ("Boost", BOOST),
    ("Whole lives, per task", LIVES),
];

const REGISTRIES: &[Row] = &[
    row("createApp (TEE app, 200-byte mrenclave)", 841_741),
    row("createApp (standard)", 684_024).at_most(35),
    row("createDataset", 631_360),
    row("createWorkerpool", 582_838),
];

const ESCROW: &[Row] = &[
    row("RLC.approve", 46_063),
    row("deposit, new account", 116_479),
    row("deposit, existing account", 65_179),
    row("RLC.approveAndCall deposit", 70_174),
    row("withdraw", 59_413),
    row("SRLC transfer", 41_973),
];

const ORDERS: &[Row] = &[
    row("matchOrders, three orders", 755_934).at_most(50),
    row("matchOrders, three orders, bag of 10", 755_910),
    row("matchOrders, three orders, empty params", 622_262),
    row(
        "matchOrders, three orders, re-used app and workerpool orders",
        721_734,
    ),
    row("matchOrders + dataset", 877_856),
    row("matchOrders + dataset, all four orders presigned", 841_425),
    row("matchOrders, TEE tag", 775_846),
    row("sponsorMatchOrders", 774_316),
    row("RLC.approveAndCall(deposit + match)", 809_594),
    row("manageAppOrder SIGN", 82_499),
    row("manageRequestOrder SIGN", 74_777),
    row("manageRequestOrder CLOSE", 75_167),
];

const TASKS: &[Row] = &[
    row("initialize (index 0)", 233_262).at_most(33),
    row("initialize (index ≥ 1)", 253_186),
    row("initializeArray (10)", 1_752_697),
    row("contribute, trust 1 (consensus)", 384_179).at_most(38),
    row("contribute, TEE", 415_543),
    row("contribute, 1st of 3 (trust 5)", 305_006),
    row("contribute, 2nd of 3", 270_814),
    row("contribute, 3rd of 3 (consensus)", 366_573),
    row("reveal, first", 93_455).at_most(55),
    row("reveal, next", 56_455),
    row("finalize, 1 worker", 316_854).at_most(47),
    row("finalize, 1 worker, dataset", 328_876),
    row("finalize, 3 workers", 405_693),
    row("finalize, 4 contributors, 1 seized", 437_311),
    measured_only("contributeAndFinalize (standard)"),
    row("contributeAndFinalize (TEE)", 559_153).at_most(42),
    row("contributeAndFinalize (TEE), dataset", 571_187),
    row(
        "contributeAndFinalize (TEE), no-op callback of 192 B",
        698_500,
    ),
    row("claim, no contribution", 140_756),
    row("claim, 1 contributor", 161_124),
    row("claim, 3 contributors", 201_124),
    row("claimArray (10)", 466_750),
    row("initializeAndClaimArray (8)", 1_672_064),
    row("reopen, 1 contributor", 67_715),
    row("reopen, 3 contributors", 87_701),
];

const BOOST: &[Row] = &[
    row("matchOrdersBoost", 402_474),
    row("pushResultBoost", 154_909),
    measured_only("claimBoost"),
];

const LIVES: &[Row] = &[
    row("trust 1, bag of 1, all accounts cold", 1_849_984),
    row("trust 1, bag of 1, four steps", 1_783_684).at_most(45),
    row(AT_ONCE, 1_783_684).at_most(38),
    row("trust 1, bag of 1, dataset", 1_917_640),
    row("trust 5, 3 workers, bag of 1", 2_543_631).at_most(48),
    row("trust 4, 2 workers, bag of 1", 2_167_595),
    row("TEE contributeAndFinalize, bag of 1", 1_568_273),
    row("TEE contributeAndFinalize, dataset, bag of 1", 1_702_241),
    row("TEE contribute, reveal, finalize, bag of 1", 1_834_960),
    row("trust 1, bag of 10, four steps", 1_121_270).at_most(38),
    measured_only("trust 1, bag of 10, contributeAndFinalize"),
    row("trust 1, bag of 10, our batch entry points", 1_121_270).at_most(21),
    row("trust 1, bag of 10, dataset", 1_145_478),
    row("trust 5, 3 workers, bag of 10", 1_881_292),
    row("TEE contributeAndFinalize, bag of 10", 887_941),
    row(
        "TEE contributeAndFinalize, initializeArray, bag of 10",
        812_017,
    ),
    row("Boost, TEE, bag of 1", 557_383),
    row("Boost, TEE, bag of 10", 195_172),
];
/// Compared with the official four steps: that is what it replaces.
const AT_ONCE: &str = "trust 1, bag of 1, contributeAndFinalize";
