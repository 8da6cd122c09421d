//! The pool in Prometheus' text format, with the official names where there are some
//! (spec/pool-worker.md §1.18).

use std::fmt::Write as _;

use super::{Status, VERSION};

/// All metrics.
pub(super) fn text(status: &Status) -> String {
    let census = &status.census;
    let mut text = String::new();
    let gauges = [
        (
            "iexec_core_workers",
            "Workers online.",
            census.workers.len() as u64,
        ),
        (
            "iexec_core_cpu_registered",
            "Slots of the workers online.",
            census.slots,
        ),
        ("iexec_core_cpu_computing", "Slots in use.", census.busy),
        (
            "iexec_core_queue",
            "Tasks that wait for a worker.",
            census.queue as u64,
        ),
        (
            "iexec_core_tasks_open",
            "Tasks that are not over.",
            census.open as u64,
        ),
        (
            "iexec_core_draining",
            "1 while no deals are wanted.",
            u64::from(status.draining),
        ),
        (
            "iexec_chain_block_latest",
            "The chain's newest block.",
            status.latest_block,
        ),
        (
            "iexec_core_deals_last_block",
            "The newest block whose deals are known.",
            census.next_block.saturating_sub(1),
        ),
    ];
    for (name, help, value) in gauges {
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"
        );
    }
    let _ = write!(
        text,
        "# HELP iexec_core_deals_total Deals since the start.\n\
         # TYPE iexec_core_deals_total counter\niexec_core_deals_total {}\n\
         # HELP iexec_core_tasks_count Tasks by stage, those of earlier runs included.\n\
         # TYPE iexec_core_tasks_count gauge\n",
        census.deals
    );
    for (stage, count) in &status.tasks {
        let _ = writeln!(
            text,
            "iexec_core_tasks_count{{period=\"ALL\",status=\"{stage}\"}} {count}"
        );
    }
    refused(status, &mut text);
    let _ = write!(
        text,
        "# TYPE iexec_version_info gauge\n\
         iexec_version_info{{iexecAppName=\"iexec-pool\",iexecAppVersion=\"{VERSION}\"}} 1\n"
    );
    text
}

fn refused(status: &Status, text: &mut String) {
    text.push_str(
        "# HELP iexec_core_workers_refused_total Logins refused since the start, by reason.\n\
         # TYPE iexec_core_workers_refused_total counter\n",
    );
    for (reason, count) in &status.refused {
        let _ = writeln!(
            text,
            "iexec_core_workers_refused_total{{reason=\"{reason}\"}} {count}"
        );
    }
}
