//! What a transaction called, as a tree: geth's `callTracer`.

use alloy::primitives::{Address, Bytes, U64, U256};
use alloy::sol_types::decode_revert_reason;
use revm::Inspector;
use revm::context_interface::ContextTr;
use revm::interpreter::{
    CallInputs, CallOutcome, CallScheme, CreateInputs, CreateOutcome, CreateScheme,
    InstructionResult, InterpreterResult,
};
use serde::Serialize;

/// Calls one trace shows; one block's gas buys a few hundred thousand.
pub(crate) const TRACE_CALLS_MAX: usize = 10_000;

/// Bytes of input and output one trace shows; calls can hand the same large data on and on.
const TRACE_BYTES_MAX: usize = 16 << 20;

/// One call and those it made, in geth's field names.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    from: Address,
    pub(crate) gas: U64,
    pub(crate) gas_used: U64,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Address>,
    input: Bytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Bytes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revert_reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<U256>,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Watches a transaction run.
#[derive(Debug, Default)]
pub(crate) struct CallTracer {
    open: Vec<Call>,
    root: Option<Call>,
    count: usize,
    bytes: usize,
    top_call_only: bool,
}

impl CallTracer {
    /// A tracer of everything, or of the outermost call alone.
    pub(crate) fn new(top_call_only: bool) -> Self {
        Self {
            top_call_only,
            ..Self::default()
        }
    }

    /// The outermost call; `None` if there was more than can be shown.
    pub(crate) fn finish(self) -> Option<Call> {
        let is_whole = self.count <= TRACE_CALLS_MAX && self.bytes <= TRACE_BYTES_MAX;
        self.root.filter(|_| is_whole)
    }

    fn begin(&mut self, mut call: Call) {
        self.count += 1;
        call.input = self.keep(call.input);
        self.open.push(call);
    }

    /// The data, or nothing when there has been too much of it already.
    fn keep(&mut self, data: Bytes) -> Bytes {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > TRACE_BYTES_MAX {
            return Bytes::new();
        }
        data
    }

    fn end(&mut self, result: &InterpreterResult, created: Option<Address>) {
        let Some(mut call) = self.open.pop() else {
            return;
        };
        call.gas_used = U64::from(result.gas.total_gas_spent());
        let output = self.keep(result.output.clone());
        call.output = Some(output).filter(|output| !output.is_empty());
        if !result.result.is_ok() {
            let is_revert = result.result == InstructionResult::Revert;
            call.error = Some(match is_revert {
                true => "execution reverted".into(),
                false => format!("{:?}", result.result),
            });
            let reason = decode_revert_reason(&result.output).filter(|_| is_revert);
            call.revert_reason = reason.map(|text| text.trim_start_matches("revert: ").into());
        }
        call.to = call.to.or(created);
        match self.open.last_mut() {
            Some(_) if self.top_call_only || self.count > TRACE_CALLS_MAX => {}
            Some(parent) => parent.calls.push(call),
            None => self.root = Some(call),
        }
    }
}

impl<CTX: ContextTr> Inspector<CTX> for CallTracer {
    fn call(&mut self, context: &mut CTX, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let (kind, to, has_value) = match inputs.scheme {
            CallScheme::Call => ("CALL", inputs.target_address, true),
            CallScheme::CallCode => ("CALLCODE", inputs.bytecode_address, true),
            CallScheme::DelegateCall => ("DELEGATECALL", inputs.bytecode_address, true),
            CallScheme::StaticCall => ("STATICCALL", inputs.target_address, false),
        };
        let from = match inputs.scheme {
            CallScheme::DelegateCall => inputs.target_address,
            _ => inputs.caller,
        };
        self.begin(Call {
            from,
            gas: U64::from(inputs.gas_limit),
            to: Some(to),
            input: inputs.input.bytes(context),
            value: has_value.then(|| inputs.value.get()),
            kind,
            ..Call::default()
        });
        None
    }

    fn call_end(&mut self, _: &mut CTX, _: &CallInputs, outcome: &mut CallOutcome) {
        self.end(&outcome.result, None);
    }

    fn create(&mut self, _: &mut CTX, inputs: &mut CreateInputs) -> Option<CreateOutcome> {
        let kind = match inputs.scheme() {
            CreateScheme::Create2 { .. } => "CREATE2",
            _ => "CREATE",
        };
        self.begin(Call {
            from: inputs.caller(),
            gas: U64::from(inputs.gas_limit()),
            input: inputs.init_code().clone(),
            value: Some(inputs.value()),
            kind,
            ..Call::default()
        });
        None
    }

    fn create_end(&mut self, _: &mut CTX, _: &CreateInputs, outcome: &mut CreateOutcome) {
        self.end(&outcome.result, outcome.address);
    }
}
