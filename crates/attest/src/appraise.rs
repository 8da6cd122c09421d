//! From what a quote proves to whether these secrets go there.

use crate::{
    Binding, EVENTS_MAX, EventLog, Evidence, Measured, PlatformId, Policy, Reason, Rejected,
};

/// Whether evidence was made for `binding` by a program that `policy` admits, which has launched
/// that task, once and last. Says which platform it is.
///
/// Names of events are not measured: what counts are the digests. The launch of this task may be
/// there once, and nothing after it.
///
/// # Errors
/// [`Reason::ReportData`], [`Reason::Measurement`], [`Reason::EventLog`].
pub fn appraise(
    evidence: &Evidence,
    log: &EventLog,
    binding: &Binding,
    policy: &Policy,
) -> Result<PlatformId, Rejected> {
    if evidence.report_data != binding.report_data() {
        let detail = "the quote was made for something else";
        return Err(Rejected::new(Reason::ReportData, detail));
    }
    if !policy.admits(&evidence.measured) {
        let detail = format!("not on the list: {:?}", evidence.measured);
        return Err(Rejected::new(Reason::Measurement, detail));
    }
    match &evidence.measured {
        Measured::Tdx { rtmr, .. } if log.replay() != rtmr[3] => {
            Err(refused("the log is not what was measured"))
        }
        Measured::Tdx { .. } => launched(log, binding, policy),
        // The program itself is the app.
        Measured::Sgx { .. } if log.0.is_empty() => Ok(()),
        Measured::Sgx { .. } => Err(refused("a process has no log")),
    }?;
    Ok(evidence.platform_id)
}

fn refused(detail: &str) -> Rejected {
    Rejected::new(Reason::EventLog, detail)
}

fn launched(log: &EventLog, binding: &Binding, policy: &Policy) -> Result<(), Rejected> {
    if log.0.len() > EVENTS_MAX {
        return Err(refused("too many events; boot the platform again"));
    }
    let launch = binding.launch();
    let Some((last, before)) = log.0.split_last() else {
        return Err(refused("nothing was launched"));
    };
    if *last != launch {
        return Err(refused("this task was not launched last"));
    }
    if before.iter().any(|event| event.digest == launch.digest) {
        return Err(refused("this task was launched twice"));
    }
    let is_boot = |event: &crate::Event| policy.boot_events.contains(&event.digest);
    if policy.one_task && !before.iter().all(is_boot) {
        return Err(refused("the platform has done something else before"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
