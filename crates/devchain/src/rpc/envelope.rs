//! JSON-RPC 2.0 around the methods: single requests, batches, notifications, ids.

use serde_json::{Value, json};

use super::RpcError;

/// Requests in one batch; ethers sends at most 100.
pub const BATCH_REQUESTS_MAX: usize = 1000;

/// Answers `body` by handing each request in it to `call`. `None` when nobody waits for an answer.
pub(crate) fn answer(
    body: &[u8],
    call: &mut dyn FnMut(&str, Value) -> Result<Value, RpcError>,
) -> Option<Value> {
    match serde_json::from_slice(body) {
        Err(error) => Some(failure(Value::Null, &RpcError::parse(error))),
        Ok(Value::Array(batch)) if batch.is_empty() => {
            Some(failure(Value::Null, &RpcError::request("empty batch")))
        }
        Ok(Value::Array(batch)) if batch.len() > BATCH_REQUESTS_MAX => {
            let message = format!("batch of more than {BATCH_REQUESTS_MAX} requests");
            Some(failure(Value::Null, &RpcError::request(message)))
        }
        Ok(Value::Array(batch)) => {
            let answers: Vec<_> = batch
                .into_iter()
                .filter_map(|item| one(item, call))
                .collect();
            (!answers.is_empty()).then_some(Value::Array(answers))
        }
        Ok(request) => one(request, call),
    }
}

fn one(
    mut request: Value,
    call: &mut dyn FnMut(&str, Value) -> Result<Value, RpcError>,
) -> Option<Value> {
    let Some(fields) = request.as_object_mut() else {
        return Some(failure(
            Value::Null,
            &RpcError::request("a request must be an object"),
        ));
    };
    let id = fields.remove("id");
    let params = fields.remove("params").unwrap_or_default();
    let Some(method) = fields.get("method").and_then(Value::as_str) else {
        let error = RpcError::request("a request must name a method");
        return Some(failure(id.unwrap_or_default(), &error));
    };
    let result = call(method, params);
    let id = id?;
    Some(match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => failure(id, &error),
    })
}

fn failure(id: Value, error: &RpcError) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &str) -> Option<Value> {
        answer(body.as_bytes(), &mut |method, params| match method {
            "echo" => Ok(params),
            method => Err(RpcError::method(method)),
        })
    }

    #[test]
    fn single_batch_and_notification() {
        let single = reply(r#"{"jsonrpc":"2.0","id":7,"method":"echo","params":[1]}"#).unwrap();
        assert_eq!(single, json!({ "jsonrpc": "2.0", "id": 7, "result": [1] }));
        let batch = r#"[{"id":"a","method":"echo"},{"method":"echo"},{"id":2,"method":"x"}]"#;
        let batch = reply(batch).unwrap();
        assert_eq!(batch.as_array().unwrap().len(), 2);
        assert_eq!(batch[1]["error"]["code"], -32601);
        assert_eq!(reply(r#"{"method":"echo"}"#), None);
    }

    #[test]
    fn malformed_bodies_have_their_codes() {
        assert_eq!(reply("{").unwrap()["error"]["code"], -32700);
        assert_eq!(reply("[]").unwrap()["error"]["code"], -32600);
        assert_eq!(reply("[1]").unwrap()[0]["error"]["code"], -32600);
        assert_eq!(reply(r#"{"id":1}"#).unwrap()["error"]["code"], -32600);
        let long = format!("[{}1]", "1,".repeat(BATCH_REQUESTS_MAX));
        assert_eq!(reply(&long).unwrap()["error"]["code"], -32600);
    }
}
