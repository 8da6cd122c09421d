use super::*;
use crate::{
    Digest, Event, Expected, Platform, Verifier,
    fuzz::vector::{self, Vector},
};
use protocol::{Address, B256};

fn evidence(log: &EventLog, binding: &Binding) -> Evidence {
    let verifier = Verifier::new(vector::trust(), vector::policy());
    let collateral = vector::collateral();
    let mut evidence = verifier
        .verify(vector::QUOTE, &collateral, vector::NOW)
        .unwrap();
    evidence.report_data = binding.report_data();
    if let Measured::Tdx { rtmr, .. } = &mut evidence.measured {
        rtmr[3] = log.replay();
    }
    evidence
}

/// The reason for which a log is refused which was measured as it is.
fn verdict(log: &EventLog, binding: &Binding, policy: &Policy) -> Option<Reason> {
    let evidence = evidence(log, binding);
    let verdict = appraise(&evidence, log, binding, policy);
    verdict.err().map(|rejected| rejected.reason)
}

#[test]
fn the_recorded_session_is_accepted() {
    let (vector, policy) = (Vector::read(), vector::policy());
    let verifier = Verifier::new(vector::trust(), policy.clone());
    let collateral = vector::collateral();
    let evidence = verifier
        .verify(vector::QUOTE, &collateral, vector::NOW)
        .unwrap();
    assert_eq!(
        (evidence.platform, evidence.status.as_str()),
        (Platform::Tdx, "UpToDate")
    );
    let platform = appraise(&evidence, &vector.events(), &vector.binding(), &policy);
    assert_eq!(platform.unwrap(), evidence.platform_id);
}

#[test]
fn a_quote_for_something_else_is_refused() {
    let (log, binding) = (Vector::read().events(), Vector::read().binding());
    let evidence = evidence(&log, &binding);
    let changes: [fn(&mut Binding); 4] = [
        |b| b.nonce = [0; 32],
        |b| b.hpke_pub = [0; 32],
        |b| b.stage = crate::Stage::PostCompute,
        |b| b.session_id.clear(),
    ];
    for change in changes {
        let mut other = binding.clone();
        change(&mut other);
        let verdict = appraise(&evidence, &log, &other, &vector::policy());
        assert_eq!(verdict.unwrap_err().reason, Reason::ReportData);
    }
}

#[test]
fn what_is_not_on_the_list_is_refused() {
    let (log, binding) = (Vector::read().events(), Vector::read().binding());
    assert_eq!(verdict(&log, &binding, &vector::policy()), None);
    let none = Policy::default();
    assert_eq!(verdict(&log, &binding, &none), Some(Reason::Measurement));
    for place in 0..4 {
        let mut values = [0x11, 0x20, 0x21, 0x22].map(Digest::repeat_byte);
        values[place] = Digest::ZERO;
        let [mrtd, rtmr0, rtmr1, rtmr2] = values;
        let measurements = vec![Expected::Tdx {
            mrtd,
            rtmr0,
            rtmr1,
            rtmr2,
        }];
        let policy = Policy {
            measurements,
            ..Policy::default()
        };
        assert_eq!(verdict(&log, &binding, &policy), Some(Reason::Measurement));
    }
}

#[test]
fn a_log_must_explain_the_register() {
    let (log, binding) = (Vector::read().events(), Vector::read().binding());
    let evidence = evidence(&log, &binding);
    for other in [
        EventLog::default(),
        EventLog(log.0[1..].to_vec()),
        EventLog(log.0[..1].to_vec()),
        EventLog(log.0.iter().rev().cloned().collect()),
    ] {
        let verdict = appraise(&evidence, &other, &binding, &vector::policy());
        assert_eq!(verdict.unwrap_err().reason, Reason::EventLog);
    }
}

#[test]
fn the_launch_must_be_there_once_and_last() {
    let (good, binding) = (Vector::read().events(), Vector::read().binding());
    let (boot, launch) = (good.0[0].clone(), good.0[1].clone());
    let other = Event::of(crate::event_log::LAUNCH, b"another task");
    let mut renamed = launch.clone();
    renamed.event = "boot-image".into();
    let cases = [
        (vec![boot.clone(), launch.clone()], None),
        (vec![boot.clone(), other.clone(), launch.clone()], None),
        (vec![], Some(Reason::EventLog)),
        (vec![boot.clone()], Some(Reason::EventLog)),
        (
            vec![boot.clone(), launch.clone(), other],
            Some(Reason::EventLog),
        ),
        (
            vec![boot.clone(), launch.clone(), launch.clone()],
            Some(Reason::EventLog),
        ),
        // The same digest under another name is the same launch.
        (
            vec![boot.clone(), renamed.clone(), launch],
            Some(Reason::EventLog),
        ),
        (vec![boot, renamed], Some(Reason::EventLog)),
    ];
    for (events, expected) in cases {
        let log = EventLog(events);
        assert_eq!(
            verdict(&log, &binding, &vector::policy()),
            expected,
            "{log:?}"
        );
    }
}

#[test]
fn the_launch_names_task_worker_and_image() {
    let (log, binding) = (Vector::read().events(), Vector::read().binding());
    let changes: [fn(&mut Binding); 3] = [
        |b| b.task = protocol::TaskId::repeat(1),
        |b| b.worker = Address::ZERO,
        |b| b.app_digest = B256::ZERO,
    ];
    for change in changes {
        let mut other = binding.clone();
        change(&mut other);
        let verdict = verdict(&log, &other, &vector::policy());
        assert_eq!(verdict, Some(Reason::EventLog));
    }
}

#[test]
fn a_platform_for_one_task_has_done_nothing_else() {
    let (log, binding) = (Vector::read().events(), Vector::read().binding());
    let mut policy = vector::policy();
    policy.one_task = true;
    assert_eq!(verdict(&log, &binding, &policy), Some(Reason::EventLog));
    policy.boot_events = vec![log.0[0].digest];
    assert_eq!(verdict(&log, &binding, &policy), None);
    let mut busy = log;
    // An earlier task under a harmless name.
    busy.0.insert(1, Event::of("boot-image", b"another task"));
    assert_eq!(verdict(&busy, &binding, &policy), Some(Reason::EventLog));
}

#[test]
fn too_long_a_log_is_refused() {
    let binding = Vector::read().binding();
    let mut events = vec![Event::of("x", b""); EVENTS_MAX];
    events.push(binding.launch());
    let log = EventLog(events);
    let verdict = verdict(&log, &binding, &vector::policy());
    assert_eq!(verdict, Some(Reason::EventLog));
}
